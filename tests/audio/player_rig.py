"""The two places where a player is tried: in virtual time on a virtual card, and on alsa-lib over a private PulseAudio.

Both give the test a player, a way to let time pass, and what was heard with the instant of every sample.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.audio.alsa import AlsaCard, AlsaPlayer
from edge_agent.audio.card import Card, CardConfig, Wiring
from edge_agent.audio.cards import CardsPlayer, Served
from edge_agent.audio.live_ring import LiveRing
from edge_agent.audio.live_shared import LiveReaders, LiveShared
from edge_agent.audio.mixer import Outlet
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.port import Player, PlayReport, Reports
from edge_agent.boot_time import boot_ns
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted
from edge_agent.core.programme import Part, Sound, ZoneFeed
from edge_agent.core.units import ClipKey, MonoMs, PlayId, ZoneId
from tests.fakes.card import VirtualCards, VirtualPlayer
from tests.host.pulse import Pulse
from tests.host.recording import Capture, Recorder, Recording

RATE = 48_000
LEFT, RIGHT = ZoneId("left"), ZoneId("right")
WIRING = Wiring(RATE, 2, {LEFT: Outlet.LEFT, RIGHT: Outlet.RIGHT})
ONE_EACH = {"one": Wiring(RATE, 2, {LEFT: Outlet.LEFT}), "other": Wiring(RATE, 2, {RIGHT: Outlet.RIGHT})}
CONFIG = CardConfig("station", rate=RATE, period_ms=20, periods=12)
# A deeper buffer than a station's: a test machine may be busy with other tests, and a gap would not be bit-exact.
RAMP = RATE * 5 // 1_000
LOOPBACK_CARD = "Loopback"
LOOPBACK = (f"hw:{LOOPBACK_CARD},0,0", f"hw:{LOOPBACK_CARD},1,0")
ZONES_APART = Path(__file__).parents[2] / "systemd/alsa/90-loa-zones.conf"
needs_loopback = pytest.mark.skipif(
    not Path("/proc/asound/Loopback").exists(), reason="no card that hears itself here; ./run hil has one"
)

Samples = NDArray[np.int16]


class TakesPlays(Protocol):
    """The orders of a ``Player``, whoever passes them on to one."""

    def start(self, play: StartPlay) -> None: ...

    def route(self, play: RoutePlay) -> None: ...

    def stop(self, play: StopPlay) -> None: ...


class Playing(Protocol):
    """What the words below ask of a rig. ``lead_ms``: how long before its first sample a play must be ordered."""

    @property
    def player(self) -> TakesPlays: ...

    @property
    def store(self) -> PcmStore: ...

    @property
    def lead_ms(self) -> int: ...

    def now_ms(self) -> int: ...

    def told(self) -> list[tuple[int, PlayReport]]:
        """All reports, each with the boot time at which it came."""
        ...

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool: ...

    def heard(self) -> Recording:
        """All that sounded; nothing can be played afterwards."""
        ...


class PlayerRig(Playing, Protocol):
    """A whole player, in this process. ``cards`` holds the zones of each card."""

    player: Player
    store: PcmStore
    live: LiveRing
    lead_ms: int
    cards: tuple[tuple[ZoneId, ...], ...]


class VirtualRig:
    lead_ms = 700
    cards: tuple[tuple[ZoneId, ...], ...] = ((LEFT, RIGHT),)

    def __init__(self, folder: Path) -> None:
        self.store = PcmStore(folder)
        self.live = LiveRing(folder / "live", RATE, self.now_ms)
        self.player = VirtualPlayer(CONFIG, WIRING, self.store, live=LiveShared(self.live, [CONFIG.buffer_ms]))

    def now_ms(self) -> int:
        return self.player.time.ns // 1_000_000

    def told(self) -> list[tuple[int, PlayReport]]:
        return self.player.reports

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        return self.player.run_until(condition, limit_ms)

    def heard(self) -> Recording:
        card = self.player.card
        samples = np.frombuffer(bytes(card.played), np.int16).reshape(-1, 2)
        return Recording(samples, RATE, card.instant_ns(0) if card.begins else 0)


class VirtualCardsRig:
    """Each of the two zones on its own virtual card, on the side on which tests listen for it."""

    lead_ms = 700
    cards: tuple[tuple[ZoneId, ...], ...] = ((LEFT,), (RIGHT,))

    def __init__(self, folder: Path, one: CardConfig = CONFIG, other: CardConfig = CONFIG) -> None:
        self.store = PcmStore(folder)
        self.live = LiveRing(folder / "live", RATE, self.now_ms)
        shared = LiveShared(self.live, [one.buffer_ms, other.buffer_ms])
        self.player = VirtualCards({"one": one, "other": other}, ONE_EACH, self.store, shared)

    @property
    def other(self) -> VirtualPlayer:
        """The card of the right zone."""
        return self.player.players["other"]

    def now_ms(self) -> int:
        return self.player.time.ns // 1_000_000

    def told(self) -> list[tuple[int, PlayReport]]:
        return self.player.reports

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        return self.player.run_until(condition, limit_ms)

    def heard(self) -> Recording:
        """Both cards, each sample at its own instant."""
        cards = [player.cards for player in self.player.players.values()]
        zero_ns = min((card.instant_ns(0) for some in cards for card in some if card.begins), default=0)
        frames = round((self.player.time.ns - zero_ns) * RATE / 1e9) + 2 * RATE  # the deepest buffer is shorter
        samples = np.zeros((frames, 2), np.int16)
        for channel, some in enumerate(cards):
            for card in some:
                played = np.frombuffer(bytes(card.played), np.int16).reshape(-1, 2)[:, channel]
                ends = [first for first, _ in card.begins[1:]] + [len(played)]
                for (first, at_ns), end in zip(card.begins, ends, strict=True):
                    begin = round((at_ns - zero_ns) * RATE / 1e9)
                    samples[begin : begin + end - first, channel] = played[first:end]
        return Recording(samples, RATE, zero_ns)


class PulseRig:
    lead_ms = 1_000
    cards: tuple[tuple[ZoneId, ...], ...] = ((LEFT, RIGHT),)

    def __init__(
        self,
        folder: Path,
        recorder: Recorder | Capture | None,
        config: CardConfig = CONFIG,
        open_card: Callable[[CardConfig], Card] = AlsaCard,
        sources: LiveReaders | None = None,
    ) -> None:
        """``sources`` are heard in place of rings."""
        self.store = PcmStore(folder)
        self.live = LiveRing(folder / "live", RATE)
        self._told: list[tuple[int, PlayReport]] = []
        self._news = threading.Condition()
        self._recorder = recorder
        self._settings = config
        self._open_card = open_card
        self._shared = LiveShared(sources or self.live, self._buffers_ms())
        self.player = self._open()

    def _buffers_ms(self) -> list[int]:
        return [self._settings.buffer_ms]

    def _open(self) -> Player:
        return self._open_one(self._hear, None)

    def _open_one(self, reports: Reports, tap: Callable[[int, bytes], None] | None) -> Player:
        return AlsaPlayer(self._settings, WIRING, self.store, reports, self._open_card, live=self._shared, tap=tap)

    def now_ms(self) -> int:
        return boot_ns() // 1_000_000

    def told(self) -> list[tuple[int, PlayReport]]:
        with self._news:
            return list(self._told)

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        until = time.monotonic() + limit_ms / 1_000
        while not condition():
            if time.monotonic() > until:
                return False
            with self._news:
                self._news.wait(0.01)
        return True

    def heard(self) -> Recording:
        self.player.close()
        assert self._recorder is not None
        return self._recorder.stop()

    def _hear(self, report: PlayReport) -> None:
        with self._news:
            self._told.append((self.now_ms(), report))
            self._news.notify_all()


class PulseCardsRig(PulseRig):
    """Each of the two zones on its own sound server, as on its own card: ``one`` and ``other``, on their own sides."""

    cards: tuple[tuple[ZoneId, ...], ...] = ((LEFT,), (RIGHT,))
    wirings: Mapping[str, Wiring] = ONE_EACH

    def __init__(
        self,
        folder: Path,
        recorders: tuple[Recorder | Capture, ...] = (),
        config: CardConfig = CONFIG,
        open_card: Callable[[CardConfig], Card] = AlsaCard,
        other: CardConfig | None = None,
    ) -> None:
        """``other`` are the settings of the other card where it has its own."""
        self._each = dict(zip(self.wirings, (config, other or config), strict=True))
        super().__init__(folder, None, config, open_card)
        self._recorders = recorders

    def heard(self) -> Recording:
        """The left of the one and the right of the other, laid side by side by the recorders' own clocks."""
        left, right = self.recordings()
        behind = round((left.zero_ns - right.zero_ns) * RATE / 1e9)  # frames of the right one before the left began
        frames = min(len(left.samples), len(right.samples) - behind)
        samples = np.zeros((frames, 2), np.int16)
        begin = max(-behind, 0)
        samples[:, 0] = left.samples[:frames, 0]
        samples[begin:, 1] = right.samples[begin + behind : frames + behind, 1]
        return Recording(samples, RATE, left.zero_ns)

    def recordings(self) -> list[Recording]:
        """What each card played; nothing can be played afterwards."""
        self.player.close()
        return [recorder.stop() for recorder in self._recorders]

    def _buffers_ms(self) -> list[int]:
        return [config.buffer_ms for config in self._each.values()]

    def _open(self) -> Player:
        cards = {
            name: Served(tuple(wiring.outlets), partial(self._one, replace(self._each[name], device=name), wiring))
            for name, wiring in self.wirings.items()
        }
        return CardsPlayer(cards, self._hear, self.now_ms)

    def _one(self, config: CardConfig, wiring: Wiring, reports: Reports, needed: Callable[[], bool]) -> Player:
        return AlsaPlayer(config, wiring, self.store, reports, self._open_card, live=self._shared, needed=needed)


class ApartRig(PulseCardsRig):
    """Both zones of one card, each with a queue of its own, by the file for alsa-lib that is shipped for it."""

    wirings: Mapping[str, Wiring] = {
        f"loa:{channel},{LOOPBACK_CARD}": Wiring(RATE, 1, {zone: Outlet.MONO})
        for channel, zone in enumerate((LEFT, RIGHT))
    }

    def __init__(self, folder: Path, recorder: Capture) -> None:
        super().__init__(folder, (recorder,), CardConfig("station", channels=1))

    def heard(self) -> Recording:
        (both,) = self.recordings()
        return both


@contextlib.contextmanager
def pulse_rig(folder: Path, pulse: Pulse) -> Iterator[PulseRig]:
    """alsa-lib must find ``pulse.env`` in this process's environment."""
    with Recorder(pulse) as recorder:
        rig = PulseRig(folder, recorder)
        try:
            yield rig
        finally:
            rig.player.close()


@contextlib.contextmanager
def card_rig(folder: Path) -> Iterator[PulseRig]:
    """On a card of the kernel's own, whose sound comes back at its other end: the virtual bench has one."""
    play, listen = LOOPBACK
    with Capture(listen) as recorder:
        rig = PulseRig(folder, recorder, replace(CONFIG, device=play))
        try:
            yield rig
        finally:
            rig.player.close()


@contextlib.contextmanager
def apart_rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApartRig]:
    """On that card too, where its zones have a queue each."""
    monkeypatch.setenv("ALSA_CONFIG_PATH", f"/usr/share/alsa/alsa.conf:{ZONES_APART}")
    with Capture(LOOPBACK[1]) as recorder:
        rig = ApartRig(folder, recorder)
        try:
            yield rig
        finally:
            rig.player.close()


# What tests say, in few words.


def noise(seconds: float, seed: int, loudest: int = 12_000) -> Samples:
    """Samples that occur nowhere else, and never 0."""
    frames = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    return (rng.integers(1, loudest, frames) * rng.choice((-1, 1), frames)).astype(np.int16)


def tone(seconds: float, hz: float, peak: int = 12_000) -> Samples:
    return np.round(peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def stage(rig: Playing, name: str, samples: Samples) -> Sound:
    """Put sound into the store; the part that plays it."""
    with rig.store.writer(ClipKey(name), RATE) as writer:
        writer.feed(samples.tobytes())
        writer.commit()
    return Sound(ClipKey(name), len(samples) * 1_000 // RATE)


def feeds(*zones: ZoneId, volume: int = 100) -> tuple[ZoneFeed, ...]:
    return tuple(ZoneFeed(zone, volume) for zone in zones)


def begin(
    rig: Playing,
    name: str,
    parts: tuple[Part, ...],
    zones: tuple[ZoneFeed, ...],
    at: int | None = None,
    rise_ms: int = 0,
    *,
    later: tuple[ZoneId, ...] = (),
    urgent: bool = False,
) -> int:
    """Order a play, by default as soon as it can be on time; the instant ordered."""
    at = rig.now_ms() + rig.lead_ms if at is None else at
    rig.player.start(StartPlay(PlayId(name), parts, zones, MonoMs(at), rise_ms, later, urgent))
    return at


def route(rig: Playing, name: str, zones: tuple[ZoneFeed, ...]) -> None:
    rig.player.route(RoutePlay(PlayId(name), zones))


def stop(rig: Playing, name: str) -> None:
    rig.player.stop(StopPlay(PlayId(name)))


def reports(rig: Playing, name: str) -> list[PlayReport]:
    return [report for _, report in rig.told() if report.play_id == name]


def ends(rig: Playing, name: str) -> list[PlayEnded]:
    return [report for report in reports(rig, name) if isinstance(report, PlayEnded)]


def started(rig: Playing, name: str) -> bool:
    return any(isinstance(report, PlayStarted) for report in reports(rig, name))


def played_ms(rig: Playing, name: str) -> int:
    """What was told of the play so far, in its best-served zone."""
    progress = [report for report in reports(rig, name) if isinstance(report, PlayProgress)]
    return max((ms for report in progress for ms in report.zone_ms.values()), default=0)


def until_started(rig: Playing, name: str) -> None:
    assert rig.run_until(lambda: started(rig, name)), f"{name} did not begin: {rig.told()}"


def until_ended(rig: Playing, name: str) -> PlayEnded:
    assert rig.run_until(lambda: bool(ends(rig, name))), f"{name} did not end: {rig.told()}"
    return ends(rig, name)[0]


def pause(rig: Playing, ms: int) -> None:
    """Let time pass."""
    until = rig.now_ms() + ms
    rig.run_until(lambda: rig.now_ms() >= until)


def first_of(heard: Recording, channel: int, samples: Samples, skipped: int = RAMP) -> int:
    """The frame at which a clip's first sample lies, by its samples past the opening ramp."""
    probe = samples[skipped : skipped + 64]
    at = heard.find(channel, probe)
    assert at is not None, "the clip was not heard"
    return at - skipped
