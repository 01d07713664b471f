"""Listen at the horns that have an ear: a microphone, or a wire back from behind the amplifier (requirements S5, U2).

An ear is open while its zone sounds, and at no other time. Each period is turned into how loud it was and let go of:
no sound of the street is kept, written or sent (N7). An ear that fails says nothing, and holds up no sound.
"""

from __future__ import annotations

import audioop
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge_agent.audio.capture import Capture, CaptureConfig
from edge_agent.audio.card import Wiring
from edge_agent.audio.hearing import Hearing, Verdict
from edge_agent.audio.live import BLOCK_MS
from edge_agent.audio.mixer import CHANNELS_OF, SAMPLE_BYTES
from edge_agent.audio.port import HeardReports, Player, PlayReport, Reports
from edge_agent.audio.stream_clock import MS_NS
from edge_agent.audio.timeline import frames_of
from edge_agent.boot_time import boot_ms
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, ZoneHeard
from edge_agent.core.units import SECOND_MS, PlayId, ZoneId

PIECE_MS = 10
# A fifth of what is compared: a period that comes a little early or late moves one piece to its neighbour.
LATE_MS_MAX = 300
# A thread that was held up gets its periods late, and they are laid where they belong; by more than this it is a gap.

Tap = Callable[[int, bytes], None]
"""Told when a block leaves the card (ns of boot time), and its interleaved frames."""


class Listening(Protocol):
    """A device that is being read (``capture.Capture``)."""

    def close(self) -> None: ...


Listen = Callable[[CaptureConfig, str, Callable[[bytes], None], Callable[[], int], Callable[[], bool]], Listening]
"""Begins to read a device: its config, a name for the log, who takes its sound, a clock, whether it is wanted still."""


@dataclass(frozen=True, slots=True)
class EarConfig:
    """Where an ear is plugged in: which of the device's channels (0 or 1), and how loud a horn is there at least."""

    capture: CaptureConfig
    channel: int
    least_db: int


@dataclass(slots=True)
class _Ear:
    """``plays``: those that sound in its zone, or may; with the first of them it begins to listen anew."""

    config: EarConfig
    hearing: Hearing
    plays: set[PlayId] = field(default_factory=set)


class Ears:
    """All ears of a station. Sound comes in from each card's thread and each device's; verdicts go out by ``tell``."""

    def __init__(
        self,
        ears: Mapping[ZoneId, EarConfig],
        tell: Callable[[ZoneHeard], None],
        now_ms: Callable[[], int] = boot_ms,
        listen: Listen = Capture,
    ) -> None:
        self._tell = tell
        self._now_ms = now_ms
        self._listen = listen
        self._lock = threading.Lock()
        self._ears = {zone: _Ear(config, Hearing(config.least_db)) for zone, config in ears.items()}
        self._open: dict[CaptureConfig, Listening] = {}

    def tap(self, wiring: Wiring) -> Tap:
        """What a card's writer is to tell of each block."""
        channels = {zone: CHANNELS_OF[outlet][0] for zone, outlet in wiring.outlets.items() if zone in self._ears}

        def hear(leaves_ns: int, block: bytes) -> None:
            for zone, channel in channels.items():
                ear = self._ears[zone]
                if ear.plays:
                    sound = _channel(block, channel, wiring.channels)
                    with self._lock:
                        _lay(ear.hearing.sent.add, leaves_ns // MS_NS, sound, wiring.rate)

        return hear

    def begin(self, play_id: PlayId, zones: Iterable[ZoneId]) -> None:
        """A play is about to sound in these zones."""
        for zone in zones:
            if (ear := self._ears.get(zone)) is None:
                continue
            with self._lock:
                if not ear.plays:
                    ear.hearing = Hearing(ear.config.least_db)
                ear.plays.add(play_id)
            self._listen_by(ear.config.capture)

    def end(self, play_id: PlayId) -> None:
        """It is over. What its last seconds came to is told now, before anybody hears of its end. Waits for nothing."""
        for zone, ear in self._ears.items():
            with self._lock:
                if play_id not in ear.plays:
                    continue
                found = ear.hearing.last_word()
                ear.plays.discard(play_id)
            self._say(zone, found)

    def close(self) -> None:
        """Listen no more."""
        with self._lock:
            left, self._open = self._open, {}
            for ear in self._ears.values():
                ear.plays.clear()
        for capture in left.values():
            capture.close()

    def caught(self, device: CaptureConfig, ended_ms: int, sound: bytes) -> None:
        """A period of a device, whose last frame came in at ``ended_ms`` of boot time."""
        begun_ms = ended_ms - len(sound) // (SAMPLE_BYTES * device.channels) * SECOND_MS // device.rate
        for zone, ear in self._ears.items():
            if ear.config.capture != device or not ear.plays:
                continue
            with self._lock:
                heard = _channel(sound, ear.config.channel, device.channels)
                _lay(ear.hearing.caught.add, begun_ms, heard, device.rate)
                found = ear.hearing.look()
            self._say(zone, found)

    def _say(self, zone: ZoneId, found: Verdict | None) -> None:
        if found is not None:
            self._tell(ZoneHeard(zone, found.heard, found.level_db))

    def _listen_by(self, device: CaptureConfig) -> None:
        with self._lock:
            if device in self._open:
                return
            arrivals = _Arrivals()

            def take(sound: bytes) -> None:
                self.caught(device, arrivals.place(self._now_ms()), sound)

            self._open[device] = self._listen(device, "ear", take, self._now_ms, lambda: self._is_needed(device))

    def _is_needed(self, device: CaptureConfig) -> bool:
        """Asked by the device's own thread, which ends where it is not: nobody who plays need wait for it."""
        with self._lock:
            needed = any(ear.plays for ear in self._ears.values() if ear.config.capture == device)
            if not needed:
                self._open.pop(device, None)
            return needed


class _Arrivals:
    """When each period ended, out of when it was handed over."""

    def __init__(self) -> None:
        self._expected_ms: int | None = None

    def place(self, now_ms: int) -> int:
        """A period that comes at ``now_ms``; one that was held up belongs right behind the one before."""
        ended = now_ms
        if self._expected_ms is not None and 0 <= now_ms - self._expected_ms <= LATE_MS_MAX:
            ended = self._expected_ms
        self._expected_ms = ended + BLOCK_MS
        return ended


class ListeningPlayer:
    """A player with ears: they open with a play, and have their say before its end is told. Implements ``Player``."""

    def __init__(self, open_player: Callable[[Reports], Player], ears: Ears, reports: HeardReports) -> None:
        self._ears = ears
        self._tell = reports
        self._player = open_player(self._hear)

    def start(self, play: StartPlay) -> None:
        self._ears.begin(play.play_id, {*play.later, *(feed.zone for feed in play.feeds)})
        self._player.start(play)

    def route(self, play: RoutePlay) -> None:
        self._player.route(play)  # to zones that it was started with, or for

    def stop(self, play: StopPlay) -> None:
        self._player.stop(play)

    def alive_at(self) -> int:
        return self._player.alive_at()

    def close(self) -> None:
        self._player.close()
        self._ears.close()

    def _hear(self, report: PlayReport) -> None:
        if isinstance(report, PlayEnded):
            self._ears.end(report.play_id)
        self._tell(report)


def _channel(sound: bytes, channel: int, channels: int) -> bytes:
    if channels == 1:
        return sound
    return audioop.tomono(sound, SAMPLE_BYTES, 1 - channel, channel)


def _lay(add: Callable[[int, float], None], begun_ms: int, sound: bytes, rate: int) -> None:
    """Tell how loud each piece of a stretch is that begins at ``begun_ms``."""
    step = frames_of(PIECE_MS, rate) * SAMPLE_BYTES
    for number, first in enumerate(range(0, len(sound), step)):
        add(begun_ms + number * PIECE_MS + PIECE_MS // 2, audioop.rms(sound[first : first + step], SAMPLE_BYTES))
