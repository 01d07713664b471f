"""Read one capture device, on a thread of its own, as long as somebody listens; hand on each period as it comes.

A device that does not open, or is pulled out, gives nothing until it is back.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import alsaaudio

from edge_agent.audio.live import BLOCK_MS, block_frames
from edge_agent.boot_time import boot_ms
from edge_agent.core.units import SECOND_MS

PERIODS = 4
# A period on its way, and two by which a thread of a busy station may be late: there is no line that could hold it up.
AGAIN_S = 1.0
# How soon a device that failed is tried anew; a USB card that was pulled out is back within some seconds, or for hours.
QUIET_MS = SECOND_MS
# A device that gives nothing for so long, ten periods, is opened anew.
CLOSE_S_MAX = 1.0
# The thread sees within a period that it is to end; one that hangs in its driver is left to the end of the process.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """A capture device by ALSA's name, ``rate`` in frames per second, 1 or 2 ``channels``."""

    device: str
    rate: int
    channels: int = 1


@contextlib.contextmanager
def opened(config: CaptureConfig) -> Iterator[alsaaudio.PCM]:
    """The device, open; nothing is captured before the first read. Raises ALSAAudioError."""
    pcm = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE,
        alsaaudio.PCM_NONBLOCK,
        device=config.device,
        rate=config.rate,
        channels=config.channels,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=block_frames(config.rate),
        periods=PERIODS,
    )
    with contextlib.closing(pcm):
        given = pcm.info()
        if (given["rate"], given["channels"], given["format_name"]) != (config.rate, config.channels, "S16_LE"):
            raise alsaaudio.ALSAAudioError(f"gives another format than {config.rate} Hz, {config.channels} × S16_LE")
        yield pcm


def trouble_with(config: CaptureConfig) -> str:
    """Why the device does not open, in ALSA's words; "": it does. It is given back at once, and nothing is captured."""
    try:
        with opened(config):
            return ""
    except alsaaudio.ALSAAudioError as exc:
        return str(exc)


class Capture:
    """From its begin to ``close``. ``take`` gets interleaved 16-bit frames on this thread; ``name`` is for the log."""

    def __init__(
        self,
        config: CaptureConfig,
        name: str,
        take: Callable[[bytes], None],
        now_ms: Callable[[], int] = boot_ms,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Where it is not ``wanted`` any more, which is asked at every period, it ends by itself."""
        self._config = config
        self._name = name
        self._take = take
        self._now_ms = now_ms
        self._wanted = wanted
        self._told = ""  # what the log knows: the trouble, or that it gives sound
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the device back."""
        self._closing.set()
        self._thread.join(CLOSE_S_MAX)
        if self._thread.is_alive():
            log.error("%s hangs device=%s next=left_to_the_end_of_the_process", self._name, self._config.device)

    def _goes_on(self) -> bool:
        return not self._closing.is_set() and self._wanted()

    def _run(self) -> None:
        while self._goes_on():
            try:
                self._listen()
            except alsaaudio.ALSAAudioError as exc:
                self._tell(logging.WARNING, f"failed error={str(exc)!r} next=again")
                self._closing.wait(AGAIN_S)

    def _tell(self, level: int, what: str) -> None:
        """Once, however often it is tried: a microphone that is gone may be gone for months."""
        if what != self._told:
            log.log(level, "%s %s device=%s", self._name, what, self._config.device)
        self._told = what

    def _listen(self) -> None:
        with opened(self._config) as pcm:
            self._read_on(pcm)
        log.info("%s given back device=%s", self._name, self._config.device)

    def _read_on(self, pcm: alsaaudio.PCM) -> None:
        poll, heard_at = select.poll(), self._now_ms()
        for descriptor, events in pcm.polldescriptors():
            poll.register(descriptor, events)
        while self._goes_on():
            frames, sound = pcm.read()
            if frames > 0:
                self._take(sound)
                heard_at = self._now_ms()
                self._tell(logging.INFO, "gives sound")
            elif self._now_ms() - heard_at >= QUIET_MS:
                raise alsaaudio.ALSAAudioError("gives nothing")
            else:  # nothing yet, or it ran over (-EPIPE) and begins again with the next read
                self._wait(pcm, poll)

    def _wait(self, pcm: alsaaudio.PCM, poll: select.poll) -> None:
        if events := poll.poll(BLOCK_MS):
            pcm.polldescriptors_revents(events)  # takes the wake-up back, too
