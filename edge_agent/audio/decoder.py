"""Turn untrusted audio into the card's PCM, in an ffmpeg child that can harm nobody.

Decides which formats are let in, and how much time, memory and output a clip is worth. The format is what the content
is, whatever the file is called. Whether the bytes are the signed ones is checked before (``staging``); confinement is
``confined``'s. How loud it becomes is ``loudness``'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from edge_agent.audio.clip import FRAME_BYTES
from edge_agent.audio.confined import KILLED_STATUS, Confined, End, Ended, Limits, Trouble
from edge_agent.audio.joined import another_begins
from edge_agent.audio.sniff import HEAD_BYTES, not_sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import SECOND_MS

FFMPEG = "/usr/bin/ffmpeg"
QUIET = ("-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-filter_threads", "1")
"""How ffmpeg is called for whatever it does here: it says what went wrong, and takes one core."""
DATA_BYTES_MAX = 128 * 1_024 * 1_024
# Debian's ffmpeg needs 60 MB for any MP3 [measured, amd64: mostly its libraries' data]; the rest is for an MP4's index.
CPU_BASE_S = 30
CPU_SHARE = 10
# Two hours of MP3 take 5 s on a 3 GHz core [measured]: a tenth of the length is room for a hundredfold slower one.
WALL_BASE_S = 60
WALL_SHARE = 2
# Everything else on the station goes first.
FORMATS = "mp3,aac,mov,flac,ogg,wav"
CODECS = "mp3float,mp3,aac,flac,vorbis,opus,pcm_s16le"
# Neither playlists (hls, concat) nor anything that draws: a cover picture stays undecoded.
LET_IN = ("-format_whitelist", FORMATS, "-codec_whitelist", CODECS)
MP4_MARKS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
MP4_MARK_AT = 4
# What an MP4 begins with, and QuickTime's files of before, which name no kind.

NOT_LET_IN = re.compile(r"\[([\w,]+) @ \w+\] (?:Format|Codec \(\w+\)) not on whitelist")


class Sink(Protocol):
    """Whatever takes PCM (mono, 16 bit, little-endian) of ``rate`` frames a second."""

    @property
    def rate(self) -> int: ...

    def feed(self, chunk: bytes) -> None:
        """Append sound; any length, frames may be split between chunks. OSError if the disk refuses."""
        ...


class Decoder(Protocol):
    """Whatever makes PCM of audio files."""

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        """Feed all of ``source`` (a regular file, any position) to ``into``, but not more than ``ms_max`` of sound.

        None means that it was all fed; committing is the caller's. OSError when ``into`` cannot write.
        """
        ...


@dataclass(frozen=True, slots=True)
class FfmpegDecoder:
    """Mono, 16 bit, at the writer's rate, by ffmpeg (6.1 or newer for MP4; 5.1 does for the rest).

    ``shaped`` gives the filters (ffmpeg's own words) that the sound goes through at a rate.
    """

    confined: Confined
    program: str = FFMPEG
    shaped: Callable[[int], str] | None = None

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        head = os.pread(source.fileno(), HEAD_BYTES, 0)
        named = not_sound(head)
        if named:
            return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail=f"no sound but {named}")
        another = another_begins(source)
        if another:
            return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail=another)
        limits = Limits(
            data_bytes=DATA_BYTES_MAX,
            cpu_s=CPU_BASE_S + ms_max // SECOND_MS // CPU_SHARE,
            wall_s=WALL_BASE_S + ms_max // SECOND_MS // WALL_SHARE,
            output_bytes=ms_max * into.rate // SECOND_MS * FRAME_BYTES,
        )
        argv = _command(self.program, _protocol(head), into.rate, self.shaped(into.rate) if self.shaped else "")
        source.seek(0)
        return _judge(self.confined.run(argv, source, limits, into.feed))


def _protocol(head: bytes) -> str:
    """MP4 may have its index at the end and must be able to seek; the rest needs no more than a pipe can."""
    return "fd" if head.startswith(MP4_MARKS, MP4_MARK_AT) else "pipe"


def _command(program: str, protocol: str, rate: int, filters: str) -> tuple[str, ...]:
    return (
        *(program, *QUIET),
        *("-protocol_whitelist", protocol, *LET_IN),
        *("-i", f"{protocol}:", "-map", "0:a:0", "-map_metadata", "-1", *(("-af", filters) if filters else ())),
        *("-ac", "1", "-ar", str(rate)),
        *("-f", "s16le", "pipe:1"),
    )


def last_words(ended: Ended) -> str:
    """What a decoder that ended unwell had to say."""
    refused = NOT_LET_IN.search(ended.complaint)
    said = ended.complaint or f"decoder ended with status {ended.status}"
    return f"{refused[1]} is not let in" if refused else said


def _judge(ended: Ended) -> Trouble | None:
    detail = last_words(ended)
    if ended.how is End.TOO_MUCH:
        return Trouble(Reason.AUDIO_TOO_LONG, again=False, detail="more sound than was signed")
    if ended.how is End.NO_SANDBOX:
        return Trouble(Reason.AUDIO_UNREADABLE, again=True, detail=f"no sandbox, so no decoding: {detail}")
    if ended.how is End.TOO_SLOW:
        return Trouble(Reason.AUDIO_UNREADABLE, again=True, detail="decoder took too long")
    if not ended.well:
        return Trouble(Reason.AUDIO_UNREADABLE, again=ended.status == KILLED_STATUS, detail=detail)
    if ended.output_bytes == 0 or ended.output_bytes % FRAME_BYTES:
        return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="no sound in it")
    return None
