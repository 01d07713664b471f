"""Ears at the horns: open while their zones sound, each hears its own, and their word comes before a play's end."""

from __future__ import annotations

import ast
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge_agent.audio import capture, ear, hearing
from edge_agent.audio.capture import CaptureConfig
from edge_agent.audio.card import CardConfig
from edge_agent.audio.ear import EarConfig, Ears, ListeningPlayer
from edge_agent.audio.live import BLOCK_MS
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.port import PlayReport, Reports
from edge_agent.core.events import PlayEnded, ZoneHeard
from edge_agent.core.units import ZoneId
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RATE,
    RIGHT,
    WIRING,
    PulseRig,
    Samples,
    begin,
    feeds,
    route,
    stage,
    until_ended,
)
from tests.audio.street_sounds import sounded, speech, traffic
from tests.fakes.card import MS_NS, VirtualPlayer
from tests.host.pulse import Pulse
from tests.host.recording import Recorder
from tests.host.served import served

DEVICE = CaptureConfig("horns", RATE, 2)
BOTH = {LEFT: EarConfig(DEVICE, 0, -60), RIGHT: EarConfig(DEVICE, 1, -60)}
BLOCK = RATE * BLOCK_MS // 1_000
Told = PlayReport | ZoneHeard


@dataclass
class FakeCapture:
    """A device that ``Street`` fills. Ends where it is not wanted, as the real one's thread does at each period."""

    config: CaptureConfig
    name: str
    take: Callable[[bytes], None]
    now_ms: Callable[[], int]
    wanted: Callable[[], bool]
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Street:
    """A player with ears in virtual time; each horn gives what was played, or what stands in ``instead``."""

    folder: Path
    devices: list[FakeCapture] = field(default_factory=list)
    ears: dict[ZoneId, EarConfig] = field(default_factory=lambda: dict(BOTH))
    told: list[Told] = field(default_factory=list)
    instead: dict[int, Samples] = field(default_factory=dict)
    lead_ms = 700

    def __post_init__(self) -> None:
        self.store = PcmStore(self.folder)
        self.listening = Ears(self.ears, self.told.append, self.now_ms, self._listen)
        self.player = ListeningPlayer(self._open, self.listening, self.told.append)
        self._given = 0

    def _listen(self, *given: Any) -> FakeCapture:
        self.devices.append(FakeCapture(*given))
        return self.devices[-1]

    def _open(self, reports: Reports) -> VirtualPlayer:
        self.cards = VirtualPlayer(CONFIG, WIRING, self.store, reports=reports, tap=self.listening.tap(WIRING))
        return self.cards

    def now_ms(self) -> int:
        return self.cards.time.ns // MS_NS if hasattr(self, "cards") else 77_000

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        until = self.now_ms() + limit_ms
        while not condition():
            if self.now_ms() > until:
                return False
            self.cards.step()
            while self.now_ms() - self._given >= BLOCK_MS:
                self._given = max(self._given + BLOCK_MS, self.now_ms() - BLOCK_MS)
                self._give(self._given)
        return True

    def open(self) -> list[FakeCapture]:
        """Devices that are read."""
        return [device for device in self.devices if not device.closed]

    def heard(self, zone: ZoneId) -> list[bool]:
        return [one.heard for one in self.told if isinstance(one, ZoneHeard) and one.zone == zone]

    def told_of(self) -> list[tuple[int, Told]]:
        return [(0, one) for one in self.told]

    def _give(self, ended_ms: int) -> None:
        for device in self.open():
            if not device.wanted():
                device.closed = True
                continue
            device.take(self._caught(ended_ms - BLOCK_MS).tobytes())

    def _caught(self, begun_ms: int) -> Samples:
        """What the horns gave within a period."""
        caught = np.zeros((BLOCK, 2), np.int16)
        for card in self.cards.cards:
            if card.begins:
                first = round((begun_ms * MS_NS - card.begins[0][1]) * RATE / 1e9)
                played = np.frombuffer(bytes(card.played), np.int16).reshape(-1, 2)
                there = played[max(first, 0) : max(first + BLOCK, 0)]
                caught[BLOCK - len(there) if first < 0 else 0 :][: len(there)] = there
        for channel, samples in self.instead.items():
            caught[:, channel] = np.resize(np.roll(samples, -begun_ms * RATE // 1_000), BLOCK)
        return caught


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def ended(street: Street, name: str) -> bool:
    return any(isinstance(one, PlayEnded) and one.play_id == name for one in street.told)


def play(street: Street, name: str, *zones: ZoneId, seconds: float = 14, later: tuple[ZoneId, ...] = ()) -> None:
    part = stage(street, name, sounded(speech(seconds, seed=1), RATE))  # type: ignore[arg-type]
    begin(street, name, (part,), feeds(*zones), later=later)  # type: ignore[arg-type]


LISTENS = (capture, ear, hearing)
ROAD = sounded(traffic(20, 3, 4_000), RATE, seed=9)


def test_both_horns_are_heard(street: Street) -> None:
    play(street, "p", LEFT, RIGHT)
    assert street.run_until(lambda: ended(street, "p"))
    assert set(street.heard(LEFT)) == set(street.heard(RIGHT)) == {True}


def test_a_broken_cable_is_told_of_its_own_zone_alone_and_before_the_end(street: Street) -> None:
    street.instead[1] = ROAD
    play(street, "p", LEFT, RIGHT)
    assert street.run_until(lambda: ended(street, "p"))
    assert set(street.heard(LEFT)) == {True}
    assert set(street.heard(RIGHT)) == {False}
    assert isinstance(street.told[-1], PlayEnded), "the ears have had their say"


def test_what_is_short_has_its_say_too(street: Street) -> None:
    street.instead[0] = ROAD
    play(street, "p", LEFT, RIGHT, seconds=4)
    assert street.run_until(lambda: ended(street, "p"))
    assert (street.heard(LEFT), street.heard(RIGHT)) == ([False], [True])


def test_an_ear_is_open_while_its_zone_sounds_and_at_no_other_time(street: Street) -> None:
    assert street.devices == []
    play(street, "p", LEFT, seconds=4)
    assert street.run_until(lambda: bool(street.open()), 1_000)
    assert street.run_until(lambda: ended(street, "p"))
    street.run_until(lambda: False, 500)
    assert street.open() == []
    play(street, "q", RIGHT, seconds=4)
    assert street.run_until(lambda: ended(street, "q"))
    assert len(street.devices) == 2, "opened anew"


def test_one_device_is_opened_once_for_both_of_its_sides(street: Street) -> None:
    play(street, "p", LEFT)
    play(street, "q", RIGHT)
    assert street.run_until(lambda: ended(street, "p") and ended(street, "q"))
    assert len(street.devices) == 1
    assert set(street.heard(LEFT)) == set(street.heard(RIGHT)) == {True}


def test_a_zone_that_joins_later_is_listened_to_from_then_on(street: Street) -> None:
    play(street, "p", LEFT, later=(RIGHT,), seconds=24)
    street.run_until(lambda: False, 6_000)
    route(street, "p", feeds(LEFT, RIGHT))  # type: ignore[arg-type]
    assert street.run_until(lambda: ended(street, "p"))
    assert set(street.heard(RIGHT)) == {True}


def test_a_zone_without_an_ear_is_not_spoken_of(tmp_path: Path) -> None:
    street = Street(tmp_path, ears={LEFT: BOTH[LEFT]})
    play(street, "p", RIGHT)
    assert street.run_until(lambda: ended(street, "p"))
    assert street.devices == []
    assert street.heard(RIGHT) == []


def test_an_ear_that_gives_nothing_holds_up_no_sound_and_says_nothing(street: Street) -> None:
    street._give = lambda ended_ms: None  # type: ignore[method-assign]
    play(street, "p", LEFT, RIGHT)
    assert street.run_until(lambda: ended(street, "p"))
    (end,) = [one for one in street.told if isinstance(one, PlayEnded)]
    assert (end.reason, end.underruns, end.frames) == (None, 0, 14 * RATE)
    assert street.heard(LEFT) == street.heard(RIGHT) == []


def test_no_sound_of_the_street_is_kept(street: Street) -> None:
    """What is there of a road that was heard for 38 s: twenty levels a second, of the last window alone (N7)."""
    street.instead = {0: ROAD, 1: ROAD}
    play(street, "p", LEFT, seconds=40)
    begun_ms = street.now_ms()
    tracemalloc.start()
    try:
        street.run_until(lambda: False, 38_000)
        held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, one.__file__) for one in LISTENS])
    finally:
        tracemalloc.stop()
    assert street.listening._ears[RIGHT].hearing.caught.numbers is None, "its device is open for its neighbour alone"
    kept = street.listening._ears[LEFT].hearing
    assert 0 < len(kept.caught._power) <= 20 * 15
    assert all(isinstance(power, float) for power, _ in kept.caught._power.values())
    came_bytes = (street.now_ms() - begun_ms) * RATE // 1_000 * 2
    assert sum(one.size for one in held.traces) < came_bytes / 20, "wherever it lay: of 3.6 MB for one horn"


@pytest.mark.parametrize("module", LISTENS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_what_listens_has_no_means_to_write_sound_down(module: ModuleType) -> None:
    """It imports nothing that opens a file or a line; the device process has no network besides."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    known = {one for one in imported if not one.startswith("edge_agent.") and one != "__future__"}
    assert known <= {"alsaaudio", "audioop", "collections.abc", "contextlib", "dataclasses", "logging", "math"} | {
        "select",
        "threading",
        "typing",
    }
    assert "open" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_closing_gives_every_device_back(street: Street) -> None:
    play(street, "p", LEFT, RIGHT)
    street.run_until(lambda: bool(street.open()), 1_000)
    street.player.close()
    assert street.open() == []


# Through alsa-lib


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with served(tmp_path / "pulse", ("station", "nowhere")) as server:
        yield server


class ListeningRig(PulseRig):
    """Of its two horns the left is heard by its ear, and the right one's cable leads nowhere."""

    def _open(self) -> ListeningPlayer:
        ears = {
            LEFT: EarConfig(CaptureConfig("station_out", RATE, 2), 0, -60),
            RIGHT: EarConfig(CaptureConfig("nowhere_out", RATE, 2), 1, -60),
        }
        self.verdicts: list[ZoneHeard] = []
        listening = Ears(ears, self.verdicts.append)
        make = super()._open_one
        return ListeningPlayer(lambda told: make(told, listening.tap(WIRING)), listening, self._hear)


@pytest.mark.host
@pytest.mark.live
def test_the_ear_at_a_sounding_horn_hears_it_and_the_one_at_a_dead_horn_does_not(pulse: Pulse, tmp_path: Path) -> None:
    with Recorder(pulse) as recorder:
        rig = ListeningRig(tmp_path / "store", recorder, CardConfig("station"))
        part = stage(rig, "said", sounded(speech(5, seed=2), RATE))
        begin(rig, "p", (part,), feeds(LEFT, RIGHT))
        until_ended(rig, "p")
        rig.player.close()
    assert [(one.zone, one.heard) for one in rig.verdicts] == [(LEFT, True), (RIGHT, False)]
    assert rig.verdicts[0].level_db > -30
    assert [thread.name for thread in threading.enumerate() if thread.name == "ear"] == []
