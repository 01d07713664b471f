"""One play on a card: where its first sample lies, what each channel hears, what became of it. Pure but for its Pcm.

A voice that no zone hears keeps its own time running, so that it can be rejoined. A voice whose sound is not there yet
when it is needed stands still and loses nothing: it ends later by as much, and that counts as an underrun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from edge_agent.audio.card import Wiring
from edge_agent.audio.ledger import Ledger
from edge_agent.audio.mixer import CHANNELS_OF, RAMP_MS, SAMPLE_BYTES, Fader, gain_of, placed
from edge_agent.audio.port import PlayReport
from edge_agent.audio.stream_clock import MS_NS, StreamClock, mono_ms
from edge_agent.audio.timeline import frames_of
from edge_agent.audio.turns import Turns, own
from edge_agent.core.effects import StartPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted
from edge_agent.core.programme import Relayed, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.units import MonoMs, ZoneId

PROGRESS_MS = 800
# As often as the relay lease is renewed, which is then no step of its own (runtime.RENEW_EARLY_MS).
STARVED_MS_MAX = 10_000
# Storage that stays silent for longer is broken, and relays should not stay closed for it.


@dataclass(frozen=True, slots=True)
class Block:
    """The next frames for the card: ``first`` counts from the opening of the stream, ``now_ns`` is boot time."""

    first: int
    frames: int
    now_ns: int
    clock: StreamClock


class Pcm(Protocol):
    """A programme's sound, mono. See ``prefetch.Prefetch``."""

    @property
    def frames(self) -> int | None: ...

    @property
    def trouble(self) -> Reason | None: ...

    @property
    def relayed(self) -> Relayed: ...

    @property
    def turns(self) -> Turns: ...

    def ready(self) -> bool: ...

    def take(self, frames: int) -> bytes: ...

    def give_back(self, frames: int) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Stretch:
    """``frames`` of the programme from ``position`` on, written at stream frame ``first``; the faders stood so then."""

    first: int
    frames: int
    position: int
    faders: tuple[Fader, ...]


class Voice:
    """Lives from its StartPlay to its PlayEnded."""

    def __init__(self, play: StartPlay, pcm: Pcm, wiring: Wiring, tail_ms: int) -> None:
        self.play_id = play.play_id
        self._at_ns = play.at * MS_NS
        self._pcm = pcm
        self._wiring = wiring
        self._tail = frames_of(tail_ms, wiring.rate)
        self._ramp = frames_of(RAMP_MS, wiring.rate)
        self._rise = frames_of(play.rise_ms, wiring.rate)
        self._faders = [Fader(wiring.rate) for _ in range(wiring.channels)]
        self._groups = [Group.A] * wiring.channels  # whose turn each channel hears; as long as it fades out, too
        self._ledger = Ledger(wiring.rate)
        self._position = 0  # frames of the programme written so far
        self._queued: deque[_Stretch] = deque()  # written, and not known to have left
        self._stop_at: int | None = None  # programme frame at which an order cuts it
        self._starved = 0  # frames of silence since sound last was there
        self._underruns = 0
        self._first: int | None = None  # stream frame of the first sample
        self._end: int | None = None  # stream frame after the last sample
        self._reason: Reason | None = None
        self._started_told = False
        self._told_frames = 0
        self.ended = False
        self.feeds: tuple[ZoneFeed, ...] = ()
        self.route(play.feeds)

    def route(self, feeds: tuple[ZoneFeed, ...]) -> None:
        """Be heard in these zones, and in no other, from the next block on."""
        self.feeds = feeds
        for feed in feeds:
            for channel in CHANNELS_OF[self._wiring.outlets[feed.zone]]:
                self._groups[channel] = feed.group
        if not self._closing():
            for channel, fader in enumerate(self._faders):
                fader.aim(self._gain(channel))

    def leave(self, zone: ZoneId) -> None:
        """Another play takes the zone."""
        if any(feed.zone == zone for feed in self.feeds):
            self.route(tuple(feed for feed in self.feeds if feed.zone != zone))

    def stop(self) -> None:
        """Fade out and end."""
        if self._first is None:
            self._finish(0, Reason.SHUTDOWN)
        elif self._stop_at is None:
            self._stop_at = self._position + self._ramp

    @property
    def starts_at_ns(self) -> int | None:
        """When it is to begin; None once its first sample is written, or never will be."""
        return self._at_ns if self._first is None and self._end is None else None

    def overdue(self, now_ns: int) -> bool:
        """Whether it could sound, and should by now, and is not written yet."""
        return self.starts_at_ns is not None and now_ns >= self._at_ns and self._pcm.ready()

    def back_to(self, frame: int) -> None:
        """What was written from this stream frame on will not leave: take it back, and obey what was ordered, there."""
        self._ledger.back_to(frame)
        cut: _Stretch | None = None
        while self._queued and self._queued[-1].first + self._queued[-1].frames > frame:
            cut = self._queued.pop()
        if cut is not None:
            self._end = self._reason = None
            self._take_back(cut, max(frame - cut.first, 0))
            self.route(self.feeds)

    def underran(self) -> None:
        """The card ran empty while this voice sounded."""
        if self._first is not None and self._end is None:
            self._underruns += 1

    def sounds(self, block: Block) -> Iterator[tuple[int, bytes]]:
        """What each channel hears of this voice in the block; channels that hear nothing are left out."""
        offset = self._offset(block)
        if offset is None:
            return
        sound = self._pcm.take(min(block.frames - offset, self._total() - self._position))
        frames = len(sound) // SAMPLE_BYTES
        faders = tuple(fader.copy() for fader in self._faders)
        self._queued.append(_Stretch(block.first + offset, frames, self._position, faders))
        for channel, heard in self._pass_on(sound):
            if heard is not None:
                yield channel, placed(heard, offset, block.frames)
        self._advance(block, offset, frames)

    def reports(self, left: int, now_ns: int, clock: StreamClock) -> Iterator[PlayReport]:
        """What is new now that every stream frame before ``left`` has left the card."""
        self._ledger.left(left)
        while self._queued and self._queued[0].first + self._queued[0].frames <= left:
            self._queued.popleft()
        if self._first is not None and not self._started_told and left > self._first:
            self._started_told = True
            yield PlayStarted(self.play_id, _instant(self._first, clock, now_ns))
        if self._progress_due():
            self._told_frames = self._ledger.frames
            yield PlayProgress(self.play_id, self._ledger.zone_ms(), self._underruns, self._pcm.relayed)
        if self._end is not None and (self._first is None or left >= self._end + self._tail):
            at = mono_ms(now_ns) if self._first is None else _instant(self._end, clock, now_ns)
            yield self.end(self._reason, at)

    def end(self, reason: Reason | None, at: MonoMs) -> PlayEnded:
        """The voice's last word; it gives its files back."""
        self.ended = True
        self._pcm.close()
        zone_ms, relayed = self._ledger.zone_ms(), self._pcm.relayed
        return PlayEnded(self.play_id, zone_ms, self._ledger.frames, self._underruns, at, reason, relayed)

    def _gain(self, channel: int) -> float:
        outlets, trims = self._wiring.outlets, self._wiring.trims
        hearing = [feed for feed in self.feeds if channel in CHANNELS_OF[outlets[feed.zone]]]
        gains = [gain_of(feed.volume, trims.get(feed.zone, 0)) for feed in hearing]
        # Two zones on one channel cannot differ, and a ceiling is a promise: the quieter one holds for both.
        return min(gains, default=0.0)

    def _pass_on(self, sound: bytes) -> Iterator[tuple[int, bytes | None]]:
        """What each channel hears of the programme's next sound."""
        body = max(self._total() - self._ramp - self._position, 0) * SAMPLE_BYTES
        turns = self._pcm.turns
        shares: dict[Group, bytes] = {}
        alike: dict[tuple[Group, float], bytes | None] = {}  # channels that hear the same cost as much as one
        for channel, fader in enumerate(self._faders):
            group = Group.A if turns.for_all else self._groups[channel]
            if group not in shares:
                shares[group] = own(sound, self._position, turns, group, self._rise)
            gain = fader.steady if len(sound) <= body else None
            if gain is None:
                yield channel, _faded(fader, shares[group], body)
                continue
            if (group, gain) not in alike:
                alike[group, gain] = fader.pass_on(shares[group])
            yield channel, alike[group, gain]

    def _take_back(self, cut: _Stretch, kept: int) -> None:
        """Stand where only ``kept`` frames of this stretch, and nothing after it, were written."""
        position = cut.position + kept
        self._pcm.give_back(self._position - position)
        self._position, self._faders = cut.position, [fader.copy() for fader in cut.faders]
        stopped = self._stop_at is not None
        if self._stop_at is not None and self._stop_at - self._ramp >= position:
            self._stop_at = None
        if kept:
            self._queued.append(replace(cut, frames=kept))
            for _ in self._pass_on(bytes(kept * SAMPLE_BYTES)):
                pass  # only the faders move
        elif position == 0:
            self._first = None
        self._position = position
        if stopped:
            self.stop()

    def _offset(self, block: Block) -> int | None:
        """Where in the block this voice's next frame lies; None if it has nothing for this block."""
        if self._first is None and self._end is None:
            self._begin(block)
            return None if self._first is None else self._first - block.first
        return 0 if self._end is None else None

    def _begin(self, block: Block) -> None:
        if self._pcm.trouble and not self._pcm.frames:
            self._finish(block.first, self._pcm.trouble)
            return
        offset = _offset_of(self._at_ns, block)
        if offset is None:
            return
        if self._pcm.ready():
            self._first = block.first + offset
        else:
            self._stand_still(block)

    def _total(self) -> int:
        """Frames of the programme that will have sounded; trouble further on may shorten it still."""
        frames = self._pcm.frames or 0
        return frames if self._stop_at is None else min(frames, self._stop_at)

    def _closing(self) -> bool:
        """Whether the final fade has begun: routes come too late."""
        return self._first is not None and self._position > self._total() - self._ramp

    def _advance(self, block: Block, offset: int, frames: int) -> None:
        first = block.first + offset
        at = first
        for length, heard in self._pcm.turns.spans(self._position, frames):
            self._ledger.wrote(at, length, {feed.zone for feed in self.feeds if feed.group in heard})
            at += length
        self._position += frames
        behind = offset + frames < block.frames
        if self._position >= self._total() or (behind and self._stop_at is not None):
            whole = self._position >= (self._pcm.frames or 0)
            self._finish(first + frames, self._pcm.trouble if whole else Reason.SHUTDOWN)
        elif behind:
            if not self._starved:
                self._underruns += 1
            self._stand_still(block)
        else:
            self._starved = 0

    def _stand_still(self, block: Block) -> None:
        self._starved += block.frames
        if self._starved > frames_of(STARVED_MS_MAX, self._wiring.rate):
            self._finish(block.first, Reason.DEVICE_FAILED)

    def _finish(self, end: int, reason: Reason | None) -> None:
        if self._end is None:
            self._end, self._reason = end, reason

    def _progress_due(self) -> bool:
        return self._ledger.frames - self._told_frames >= frames_of(PROGRESS_MS, self._wiring.rate)


def _faded(fader: Fader, sound: bytes, body_bytes: int) -> bytes | None:
    """The sound through the fader; what lies past ``body_bytes`` belongs to the voice's last, falling ramp."""
    if len(sound) <= body_bytes:
        return fader.pass_on(sound)
    body = fader.pass_on(sound[:body_bytes])
    fader.aim(0.0)
    tail = fader.pass_on(sound[body_bytes:])
    if body is None and tail is None:
        return None
    return (body or bytes(body_bytes)) + (tail or bytes(len(sound) - body_bytes))


def _offset_of(at_ns: int, block: Block) -> int | None:
    """Where in the block the instant lies: 0 if it has passed, None if it comes later or cannot be told yet.

    None too where it lies in what is queued already: when it has come, the stream reaches back for it.
    """
    if block.now_ns >= at_ns:
        return 0
    frame = block.clock.frame_at(at_ns)
    return frame - block.first if frame is not None and 0 <= frame - block.first < block.frames else None


def _instant(frame: int, clock: StreamClock, now_ns: int) -> MonoMs:
    """When the frame left, which is never later than now."""
    instant = clock.instant_ns(frame)
    return mono_ms(now_ns if instant is None else min(instant, now_ns))
