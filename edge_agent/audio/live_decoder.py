"""Turn an endless stream of untrusted bytes into the card's PCM as it comes, in an ffmpeg child that can harm nobody.

Decides which formats are let in, when a connection is worth nothing more, and what a relay may take. One child for each
connection: it begins in the middle of a stream, and what went wrong with one stream is over with it.

A live source is not measured first, so its loudness stays as it is sent; true peaks are bounded as everywhere
(``loudness.limiter``). ffmpeg's ``dynaudnorm``, and ``loudnorm`` in one pass, follow the sound: they raise the room
between two sentences, and hold sound back for seconds.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from edge_agent.audio.clip import FRAME_BYTES
from edge_agent.audio.confined import Confined, End, Ended, Limits
from edge_agent.audio.decoder import DATA_BYTES_MAX, FFMPEG, QUIET, Sink, last_words
from edge_agent.audio.live import BLOCK_MS, OLDEST_MS, TARGET_MS_MAX
from edge_agent.audio.live_ring import BLOCKS
from edge_agent.audio.loudness import limiter
from edge_agent.audio.sniff import HEAD_BYTES, not_sound
from edge_agent.core.units import SECOND_MS

FORMATS = "mp3,aac,ogg"
CODECS = "mp3float,mp3,aac,vorbis,opus"
# What can be entered in the middle, and needs no index: no MP4, no WAV; no playlists (hls) either.
PROBE_BYTES = 8 * 1_024
# Five frames of the largest MP3, which is what ffmpeg wants to be sure of it: two seconds at 32 kbit/s. Unless told, it
# reads up to 1 MB, four minutes of that, before the first sound [measured: 64 kB to 256 kB of an MP3 entered anywhere].
ANALYSE_US = 1
# The first frame says all that these formats have to say.
RELAY_S_MAX = 7_200
# The longest programme that may be signed.
WALL_SLACK_S = 60
CPU_BASE_S, CPU_SHARE = 30, 4
# Decoding and limiting take 0.6 % of a 3 GHz core [measured, MP3 of 128 kbit/s]: forty times that.
AHEAD_MS_MAX = 2 * BLOCKS * BLOCK_MS
# Faster than it sounds by twice what the ring holds: a recording, of which nearly all would go unheard. Icecast's
# burst (64 KiB) is 22 s of the thinnest source.
ENOUGH_MS, WITHIN_S = TARGET_MS_MAX, OLDEST_MS / SECOND_MS
# So much must lie ready of a source that has run dry some times, and what lies longer is no longer live. By the buffer
# itself 140 s are heard of half an hour of 0.8 s each second, of 0.9 s nearly all, and of 0.7 s each 8 s nothing.


@dataclass(frozen=True, slots=True)
class DecodingPatience:
    """How long a decoder may take."""

    takes_s: float = 10
    # Without taking any input: the pipe holds 64 KiB, and it is much faster than sound.
    soundless_s: float = 30
    # Bytes with less sound in all that time than must lie ready are no live source's: hardly any of it would be heard.
    # Silence that is sent is sound. A worker may take as long to be started, at the worst.
    flush_s: float = 5
    # For the rest of its input, at the end of a stream; it needs a hundredth.


PATIENCE = DecodingPatience()


@dataclass(frozen=True, slots=True)
class LiveDecoder:
    """Mono, 16 bit, at the sink's rate, its true peaks bounded, by ffmpeg."""

    confined: Confined
    program: str = FFMPEG
    patience: DecodingPatience = PATIENCE
    clock: Callable[[], float] = time.monotonic

    def begin(self, into: Sink, closed: int) -> Decoding:
        """For one connection. Once ``closed`` (a descriptor) can be read, nothing more is wanted of it."""
        limits = Limits(
            data_bytes=DATA_BYTES_MAX,
            cpu_s=CPU_BASE_S + RELAY_S_MAX // CPU_SHARE,
            wall_s=RELAY_S_MAX + WALL_SLACK_S,
            output_bytes=(RELAY_S_MAX + AHEAD_MS_MAX // SECOND_MS) * into.rate * FRAME_BYTES,
        )
        argv = command(self.program, into.rate)
        heard = _Heard(into, self.clock)

        def start() -> _Child:
            return _Child(partial(self.confined.run, argv), limits, heard.take, closed)

        return Decoding(start, heard, closed, self)


def command(program: str, rate: int) -> tuple[str, ...]:
    """How ffmpeg is called for a stream that never ends."""
    return (
        *(program, *QUIET),
        *("-formatprobesize", str(PROBE_BYTES), "-probesize", str(PROBE_BYTES), "-analyzeduration", str(ANALYSE_US)),
        *("-protocol_whitelist", "pipe", "-format_whitelist", FORMATS, "-codec_whitelist", CODECS),
        *("-i", "pipe:", "-map", "0:a:0", "-map_metadata", "-1", "-af", limiter(rate)),
        *("-ac", "1", "-ar", str(rate), "-f", "s16le", "-flush_packets", "1", "pipe:1"),
    )


class Decoding:
    """A ``sync.port.Taker``: the bytes of one connection on their way to the ring."""

    def __init__(self, start: Callable[[], _Child], heard: _Heard, closed: int, decoder: LiveDecoder) -> None:
        self._start = start
        self._heard = heard
        self._closed = closed
        self._clock = decoder.clock
        self._patience = decoder.patience
        self._head = bytearray()
        self._child: _Child | None = None

    @property
    def sounded_ms(self) -> int:
        return self._heard.ms

    def feed(self, block: bytes) -> str:
        """See ``Taker``."""
        if self._child is None:
            self._head += block
            # A head that drips in begins no child. A byte each 9 s is no stall, and would hold the address for an hour.
            return self._begin() if len(self._head) >= HEAD_BYTES else self._doubt()
        return self._child.write(block, self._patience.takes_s) or self._doubt()

    def end(self) -> str:
        """See ``Taker``. The child is gone afterwards; what it still held of a stream that went well is heard."""
        said = ""
        if self._child is None and not _readable(self._closed):
            said = self._begin()
        if self._child is None:
            return said
        ended = self._child.end(0 if _readable(self._closed) else self._patience.flush_s)
        return said or ("" if ended.well or ended.how is End.STOPPED else why(ended))

    def _begin(self) -> str:
        named = not_sound(bytes(self._head[:HEAD_BYTES]))
        if named:
            return f"no sound but {named}"
        self._heard.begin()
        self._child = self._start()
        return self._child.write(self._head, self._patience.takes_s)

    def _doubt(self) -> str:
        now = self._clock()
        if self._heard.ms > (now - self._heard.began) * SECOND_MS + AHEAD_MS_MAX:
            return "comes faster than it sounds: a recording, no live source"
        if now - self._heard.last > self._patience.soundless_s:
            return (
                f"for {self._patience.soundless_s:.0f} s never {ENOUGH_MS // SECOND_MS} s of sound in {WITHIN_S:.0f} s"
            )
        return ""


class _Heard:
    """What comes out of a child: whole frames go on, half a one would turn all that follows into noise.

    ``last`` moves while as much has come lately as must lie ready: what is too little, or too late for that, would hold
    the address for hours, and hardly be heard.
    """

    def __init__(self, into: Sink, clock: Callable[[], float]) -> None:
        self._into = into
        self._clock = clock
        self._half = b""
        self._frames = 0
        self._lately: deque[tuple[float, int]] = deque()  # when, block by block, and how much had come before
        self.began = self.last = clock()

    def begin(self) -> None:
        """A child begins now."""
        self.began = self.last = self._clock()

    @property
    def ms(self) -> int:
        return self._frames * SECOND_MS // self._into.rate

    def take(self, chunk: bytes) -> None:
        before, chunk = self.ms, self._half + chunk
        whole = len(chunk) - len(chunk) % FRAME_BYTES
        self._half = chunk[whole:]
        self._into.feed(chunk[:whole])
        self._frames += whole // FRAME_BYTES
        self._note(self._clock(), before)

    def _note(self, now: float, before: int) -> None:
        if not self._lately or now - self._lately[-1][0] >= BLOCK_MS / SECOND_MS:
            self._lately.append((now, before))
        while now - self._lately[0][0] >= WITHIN_S:
            self._lately.popleft()
        if self.ms - self._lately[0][1] >= ENOUGH_MS:
            self.last = now


class _Child:
    """A decoder at work: a pipe into it, and the thread that takes what comes out."""

    def __init__(self, run: Callable[..., Ended], limits: Limits, take: Callable[[bytes], None], closed: int) -> None:
        self._closed = closed
        self._ended: Ended | None = None
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        read_end, self._into = os.pipe()
        os.set_blocking(self._into, False)

        def until_the_end(source: BinaryIO) -> None:
            with source:
                try:
                    self._ended = run(source, limits, take, self._stop)
                except OSError as error:
                    self._ended = Ended(End.EXITED, 1, 0, f"{type(error).__name__}: {error}")

        source = os.fdopen(read_end, "rb")
        self._thread = threading.Thread(target=until_the_end, args=(source,), name="live decoder", daemon=True)
        self._thread.start()

    def write(self, data: bytes | bytearray, takes_s: float) -> str:
        """Hand over; "", or why it was not all taken. Waits no longer than ``takes_s``, nor beyond the end."""
        rest = memoryview(data)
        waiting = select.poll()
        waiting.register(self._into, select.POLLOUT)
        waiting.register(self._closed, select.POLLIN)
        until = time.monotonic() + takes_s
        while rest:
            ready = [descriptor for descriptor, _ in waiting.poll(max(0, until - time.monotonic()) * SECOND_MS)]
            if self._closed in ready:
                return "closed"
            if not ready:
                return "the decoder takes nothing more"
            try:
                rest = rest[os.write(self._into, rest) :]
            except BrokenPipeError:
                return self._last_words()
        return ""

    def end(self, grace_s: float) -> Ended:
        """Nothing more comes in: what it still holds may come out within ``grace_s``, then it is killed."""
        os.close(self._into)
        self._thread.join(grace_s)
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        assert self._ended is not None, "the thread has set it"
        return self._ended

    def _last_words(self) -> str:
        self._thread.join()  # it closed the pipe on its way out
        return why(self._ended) if self._ended is not None else ""


def why(ended: Ended) -> str:
    """Why a decoder stopped of its own accord, for a log."""
    match ended.how:
        case End.NO_SANDBOX:
            return f"no sandbox, so no decoding: {ended.complaint}"
        case End.TOO_MUCH | End.TOO_SLOW:
            return "the decoder reached its bound"
        case _:
            return "the decoder ended" if ended.well else f"decoder: {last_words(ended)}"


def _readable(descriptor: int) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
