"""Bring whatever is staged to one loudness, with a bounded true peak (requirement S6).

Decides how loud staged sound is, how far it is raised or lowered for that, and when it is silence. How loud a zone then
plays it is its own gain. Measured as ITU-R BS.1770 has it, gated, by ffmpeg, which limits the peaks too; both read only
the PCM that came out of the decoder, in the same confinement. The station's own voice is not measured, only limited.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from edge_agent.audio.clip import FRAME_BYTES, duration_ms
from edge_agent.audio.confined import Confined, End, Ended, Limits, Trouble
from edge_agent.audio.decoder import FFMPEG, QUIET, Decoder, FfmpegDecoder, Sink
from edge_agent.core.reasons import Reason

TARGET_LUFS = -18.0
# What AES77-2023 recommends for speech that goes out; broadcasters' -23 is too quiet for horns in traffic.
PEAK_DBTP_MAX = -1.5
# AES77's -1 dBTP, and what a fade or a resampler in the card may add.
RAISED_DB_MAX = 20.0
# What is more than 38 dB below full scale was recorded badly: raised further, one would hear the room.
LIMITED_DB_MAX = 6.0
# So far peaks give way. A limiter that works harder is heard to pump; then the item stays quieter.
SILENT_LUFS = -60.0
# Nothing that a horn in a street would let anybody hear, however far it is raised.
CLOSE_DB = 0.5
# Not heard as a difference: such a clip stays bit for bit what was decoded.

DATA_BYTES_MAX = 128 * 1_024 * 1_024
CPU_BASE_S, CPU_SHARE = 30, 10
WALL_BASE_S, WALL_SHARE = 60, 2
# As for decoding.
MEASURABLE_MS = 500
# A block of BS.1770 has 400 ms: of less there is no loudness, and a chime of its own keeps its level.
OVERSAMPLED = 4
# True peaks lie between samples: BS.1770 asks for four times the rate.
ATTACK_MS, RELEASE_MS = 5, 80
# Faster distorts low voices, slower swallows the syllable after a loud one.

_TOLD = re.compile(rb"lavfi\.r128\.(I|true_peak)=(-?[0-9]{1,9}(?:\.[0-9]{1,9})?|-inf)\n")
# Nothing else: what measures has read what came from outside, and may have been taken over by it.
_TAIL_BYTES = 4_096
# More than is told of one frame.
_TOLD_BYTES_A_S = 10 * 512
# Of ten frames a second.


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud something is: integrated over all of it (LUFS), and its highest true peak (dBTP)."""

    lufs: float
    peak_dbtp: float

    @property
    def silent(self) -> bool:
        return not self.lufs > SILENT_LUFS


@dataclass(frozen=True, slots=True)
class Change:
    """By how much sound is raised (dB, below zero: lowered), and whether its peaks must be limited then."""

    gain_db: float
    limited: bool


def change_for(loudness: Loudness) -> Change | None:
    """What brings it to the one loudness; None: it is there already."""
    gain = min(TARGET_LUFS - loudness.lufs, RAISED_DB_MAX)
    gain = min(gain, PEAK_DBTP_MAX - loudness.peak_dbtp + LIMITED_DB_MAX)
    limited = loudness.peak_dbtp + gain > PEAK_DBTP_MAX
    return Change(gain, limited) if limited or abs(gain) > CLOSE_DB else None


@dataclass(frozen=True, slots=True)
class Levelling:
    """A ``Decoder`` whose sound has one loudness. ``scratch`` gives nameless files on the disk where sound is kept."""

    decoder: Decoder
    confined: Confined
    scratch: Callable[[], BinaryIO]
    program: str = FFMPEG

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        with self.scratch() as raw:
            trouble = self.decoder.decode(source, FileSink(raw, into.rate), ms_max)
            if trouble:
                return trouble
            raw.flush()
            return self._level(raw, into)

    def _level(self, raw: BinaryIO, into: Sink) -> Trouble | None:
        if duration_ms(_size_of(raw) // FRAME_BYTES, into.rate) < MEASURABLE_MS:
            _copy(raw, into)
            return None
        loudness = self._measured(raw, into.rate)
        if isinstance(loudness, Trouble):
            return loudness
        if loudness.silent:
            return Trouble(Reason.AUDIO_SILENT, again=False, detail=f"{loudness.lufs:.1f} LUFS")
        change = change_for(loudness)
        if change is None:
            _copy(raw, into)
            return None
        fed = 0

        def feed(chunk: bytes) -> None:
            nonlocal fed
            fed += len(chunk)
            into.feed(chunk)

        size = _size_of(raw)
        ended = self._run(raw, _changing(change, into.rate), into.rate, size, feed)
        return _judge(ended) or (None if fed == size else _TORN)

    def _measured(self, raw: BinaryIO, rate: int) -> Loudness | Trouble:
        tail = bytearray()

        def keep(chunk: bytes) -> None:
            tail.extend(chunk)
            del tail[:-_TAIL_BYTES]

        seconds = _size_of(raw) // FRAME_BYTES // rate + 1
        ended = self._run(raw, _MEASURING, rate, seconds * _TOLD_BYTES_A_S, keep)
        return _judge(ended) or _told(bytes(tail))

    def _run(
        self, raw: BinaryIO, rest: tuple[str, ...], rate: int, output_bytes: int, take: Callable[[bytes], object]
    ) -> Ended:
        seconds = _size_of(raw) // FRAME_BYTES // rate
        limits = Limits(
            data_bytes=DATA_BYTES_MAX,
            cpu_s=CPU_BASE_S + seconds // CPU_SHARE,
            wall_s=WALL_BASE_S + seconds // WALL_SHARE,
            output_bytes=output_bytes,
        )
        raw.seek(0)
        given = ("-protocol_whitelist", "pipe", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:")
        return self.confined.run((self.program, *QUIET, *given, *rest), raw, limits, take)


def levelling(confined: Confined, scratch: Callable[[], BinaryIO]) -> Levelling:
    """Whatever ffmpeg can decode, at one loudness."""
    return Levelling(FfmpegDecoder(confined), confined, scratch)


_MEASURING = (
    # What follows the last whole block of 100 ms is not told: with a block more, the click of a stop button is.
    *("-af", r"apad=pad_dur=0.1,ebur128=peak=true:metadata=1,ametadata=mode=print:file=pipe\\:1"),
    *("-f", "null", "-"),
)


def limiter(rate: int) -> str:
    """The filters that bound true peaks at a rate; the sound comes out as long as it went in."""
    ceiling = f"limit={10 ** (PEAK_DBTP_MAX / 20):.4f}:level=0:latency=1"
    limits = f"alimiter={ceiling}:attack={ATTACK_MS}:release={RELEASE_MS}"
    return f"aresample={OVERSAMPLED * rate},{limits},aresample={rate}"


def spoken(confined: Confined) -> FfmpegDecoder:
    """What the station's own voice has said: that loud by itself, and an emergency need not wait for a meter."""
    return FfmpegDecoder(confined, shaped=limiter)


def _changing(change: Change, rate: int) -> tuple[str, ...]:
    steps = [f"volume={change.gain_db:.2f}dB"]
    if change.limited:
        steps.append(limiter(rate))
    return ("-af", ",".join(steps), "-f", "s16le", "pipe:1")


def _told(tail: bytes) -> Loudness | Trouble:
    """What the meter said last, which is of the whole."""
    told = {name: float(value) for name, value in _TOLD.findall(tail)}
    if told.keys() != {b"I", b"true_peak"}:
        return Trouble(Reason.AUDIO_UNREADABLE, again=True, detail="levelling: the meter said nothing")
    peak = told[b"true_peak"]
    return Loudness(told[b"I"], 20 * math.log10(peak) if peak > 0 else -math.inf)


def _copy(raw: BinaryIO, into: Sink) -> None:
    raw.seek(0)
    while chunk := raw.read(65_536):
        into.feed(chunk)


def _size_of(raw: BinaryIO) -> int:
    return os.fstat(raw.fileno()).st_size


@dataclass(frozen=True, slots=True)
class FileSink:
    """A ``Sink`` that is a file."""

    file: BinaryIO
    rate: int

    def feed(self, chunk: bytes) -> None:
        self.file.write(chunk)


_TORN = Trouble(Reason.AUDIO_UNREADABLE, again=True, detail="levelling lost some of it")


def _judge(ended: Ended) -> Trouble | None:
    if ended.well:
        return None
    how = "no sandbox" if ended.how is End.NO_SANDBOX else f"status {ended.status}"
    return Trouble(Reason.AUDIO_UNREADABLE, again=True, detail=f"levelling: {how} {ended.complaint}".strip())
