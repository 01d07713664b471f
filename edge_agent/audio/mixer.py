"""Decide what each channel of a card hears: loudness, fades, sums. Pure arithmetic on bytes; knows no plays, no time.

Sound is mono, 16-bit, in the machine's byte order (little on every machine that a station is built from). A channel
that hears one voice at volume 100 gets its bytes untouched; two voices on one channel are added and saturate.
"""

from __future__ import annotations

import audioop
import math
from array import array
from collections.abc import Sequence
from enum import StrEnum

from edge_agent.core.site import VOLUME_MAX

SAMPLE_BYTES = 2
RAMP_MS = 5
# Short enough to lose no consonant, long enough to keep a cut below the click of the relay; ISO and EN ask for nothing.
RISE_STEP = 48
# Frames that a rising programme (``risen``) keeps one loudness for, a millisecond: the steps lie 50 dB below the sound,
# and cost a thousandth of what a step for each sample would.


class Outlet(StrEnum):
    """Which channels of the card lead to a zone's amplifier."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    MONO = "mono"


CHANNELS_OF: dict[Outlet, tuple[int, ...]] = {
    Outlet.LEFT: (0,),
    Outlet.RIGHT: (1,),
    Outlet.BOTH: (0, 1),
    Outlet.MONO: (0,),
}


def outlet_fits(outlet: Outlet, channels: int) -> bool:
    """MONO belongs to a card opened with one channel, all others to one with two."""
    return (outlet is Outlet.MONO) == (channels == 1)


def volume_db(volume: int) -> float:
    """40·log10(v/100): 100 is untouched, 50 is −12 dB, 10 is −40 dB, 0 is silence. The ear finds equal steps equal."""
    return 40 * math.log10(volume / VOLUME_MAX) if volume > 0 else -math.inf


def gain_of(volume: int, trim_db: int = 0) -> float:
    """The factor that a sample is multiplied by, 0.0 to 1.0; ``trim_db`` quieter than the volume says."""
    return min(10 ** ((volume_db(volume) - trim_db) / 20), 1.0)


class Fader:
    """One voice's loudness on one channel. Every change of it is a straight ramp over RAMP_MS, exact to the sample."""

    __slots__ = ("_from", "_gain", "_ramp", "_to_go")

    def __init__(self, rate: int) -> None:
        self._ramp = max(rate * RAMP_MS // 1000, 1)
        self._from = 0.0
        self._gain = 0.0
        self._to_go = 0

    def copy(self) -> Fader:
        """One that stands where this one stands now."""
        twin = Fader.__new__(Fader)
        twin._ramp, twin._from, twin._gain, twin._to_go = self._ramp, self._from, self._gain, self._to_go
        return twin

    @property
    def steady(self) -> float | None:
        """The gain that every sample gets; None while it moves."""
        return None if self._to_go else self._gain

    def aim(self, gain: float) -> None:
        """Move to ``gain`` from wherever the fader stands."""
        if gain != self._gain:
            self._from, self._gain, self._to_go = self._now(), gain, self._ramp

    def pass_on(self, sound: bytes) -> bytes | None:
        """The next samples as loud as they are to be; None is silence."""
        if not self._to_go:
            return _scaled(sound, self._gain)
        ramp_bytes = min(self._to_go * SAMPLE_BYTES, len(sound))
        ramped = self._ramped(sound[:ramp_bytes])
        rest = sound[ramp_bytes:]
        return ramped + (_scaled(rest, self._gain) or bytes(len(rest)))

    def _now(self) -> float:
        return self._gain + (self._from - self._gain) * self._to_go / self._ramp

    def _ramped(self, sound: bytes) -> bytes:
        samples = array("h", sound)
        for index, sample in enumerate(samples):
            self._to_go -= 1
            samples[index] = math.floor(sample * self._now())
        return samples.tobytes()


def risen(sound: bytes, position: int, rise: int) -> bytes:
    """A programme's samples from frame ``position`` on, where its first ``rise`` frames rise out of silence.

    By the square, which is a volume that goes up evenly (``volume_db``): from nothing, without a jump, and never back.
    Its loudness depends on the place alone, so what is taken back and written again is the same.
    """
    if position >= rise:
        return sound
    steps = []
    at, frames = position, min(position + len(sound) // SAMPLE_BYTES, rise)
    while at < frames:
        until = min(at - at % RISE_STEP + RISE_STEP, frames)
        piece = sound[(at - position) * SAMPLE_BYTES : (until - position) * SAMPLE_BYTES]
        steps.append(audioop.mul(piece, SAMPLE_BYTES, ((at - at % RISE_STEP) / rise) ** 2))
        at = until
    return b"".join(steps) + sound[(frames - position) * SAMPLE_BYTES :]


def _scaled(sound: bytes, gain: float) -> bytes | None:
    if gain == 0.0:
        return None
    return sound if gain == 1.0 else audioop.mul(sound, SAMPLE_BYTES, gain)


def placed(sound: bytes, offset: int, frames: int) -> bytes:
    """The sound within a block of ``frames``, from frame ``offset`` on, silence around it."""
    after = frames * SAMPLE_BYTES - offset * SAMPLE_BYTES - len(sound)
    return sound if not offset and not after else bytes(offset * SAMPLE_BYTES) + sound + bytes(after)


def interleaved(channels: Sequence[Sequence[bytes]], frames: int) -> bytes:
    """One block for the card: for each channel (one or two) the sounds to be heard there, each ``frames`` long."""
    sums = [_sum(sounds) for sounds in channels]
    if all(channel is None for channel in sums):
        return bytes(frames * SAMPLE_BYTES * len(sums))
    if len(sums) == 1:
        return sums[0] or b""
    left, right = sums
    if left is not None and left == right:
        return audioop.tostereo(left, SAMPLE_BYTES, 1, 1)
    on_left = audioop.tostereo(left, SAMPLE_BYTES, 1, 0) if left is not None else None
    if right is None:
        return on_left or b""
    on_right = audioop.tostereo(right, SAMPLE_BYTES, 0, 1)
    return on_right if on_left is None else audioop.add(on_left, on_right, SAMPLE_BYTES)


def _sum(sounds: Sequence[bytes]) -> bytes | None:
    if not sounds:
        return None
    total = sounds[0]
    for sound in sounds[1:]:
        total = audioop.add(total, sound, SAMPLE_BYTES)
    return total
