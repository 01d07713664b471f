"""What every player reports (``audio.port.Player``), the fakes of other tests included: what plays, and that it ends.

How it sounds is ``test_player_contract``'s; here nobody listens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from edge_agent.audio.port import Player, PlayReport
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted
from edge_agent.core.programme import Part, Sound, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, PlayId
from tests.audio.player_rig import LEFT, RIGHT, PulseRig, VirtualCardsRig, VirtualRig, noise, stage
from tests.fakes.device import PLAY_MS, FakePlayer
from tests.host.served import served
from tests.trust import makers
from tests.ward.card import Card, CardTrouble
from tests.ward.world import World

TURN_MS = 5
ANSWER_MS = 30
# By how much a sound server's single answer is off (audio.stream_clock); a play's first ones are single.
LATE_MS = 5_000
# A busy test machine; nothing here is about being on time.


class Rig(Protocol):
    """``length_ms`` is how long a play of ``parts()`` lasts."""

    player: Player
    length_ms: int

    def now_ms(self) -> int: ...

    def told(self) -> list[tuple[int, PlayReport]]: ...

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool: ...

    def parts(self) -> tuple[Part, ...]: ...


class FakeRig:
    """The player of the device process's tests: it ends a play when it is told that the last sample has left."""

    length_ms = PLAY_MS

    def __init__(self) -> None:
        self._now = MonoMs(50_000)
        self._told: list[tuple[int, PlayReport]] = []
        self.fake = FakePlayer(lambda report: self._told.append((self._now, report)), lambda: self._now)
        self.player: Player = self.fake

    def now_ms(self) -> int:
        return self._now

    def told(self) -> list[tuple[int, PlayReport]]:
        return self._told

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        until = self._now + limit_ms
        while not condition() and self._now < until:
            self._now = MonoMs(self._now + TURN_MS)
            for play_id, play in list(self.fake.playing.items()):
                if play.at + PLAY_MS <= self._now:
                    self.fake.finish(play_id)
        return condition()

    def parts(self) -> tuple[Part, ...]:
        return (Sound(ClipKey("a"), PLAY_MS),)


class WardRig:
    """The card of the ward in virtual time."""

    length_ms = 300

    def __init__(self) -> None:
        self._world = World(makers.make_site(), makers.trust_file(), makers.NOON)  # type: ignore[arg-type]
        self._told: list[tuple[int, PlayReport]] = []
        self.player: Player = Card(
            self._world, CardTrouble(), [], lambda report: self._told.append((self.now_ms(), report))
        )

    def now_ms(self) -> int:
        return self._world.machine.boot()

    def told(self) -> list[tuple[int, PlayReport]]:
        return self._told

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        until = self._world.mono + limit_ms
        while not condition() and self._world.mono < until:
            self._world.run_until(self._world.mono + TURN_MS)
        return condition()

    def parts(self) -> tuple[Part, ...]:
        return (Sound(ClipKey("a"), self.length_ms),)


class StagedVirtualRig(VirtualRig):
    """The real desk and feeder on a virtual card."""

    length_ms = 300

    def parts(self) -> tuple[Part, ...]:
        return (stage(self, "a", noise(self.length_ms / 1_000, 1)),)


class StagedPulseRig(PulseRig):
    """alsa-lib."""

    length_ms = 300

    def parts(self) -> tuple[Part, ...]:
        return (stage(self, "a", noise(self.length_ms / 1_000, 1)),)


class StagedVirtualCardsRig(VirtualCardsRig):
    """The same, each zone on a card of its own."""

    length_ms = 300

    def parts(self) -> tuple[Part, ...]:
        return (stage(self, "a", noise(self.length_ms / 1_000, 1)),)


@contextlib.contextmanager
def pulse_rig(folder: Path) -> Iterator[StagedPulseRig]:
    with served(folder):
        rig = StagedPulseRig(folder, None)
        yield rig
        rig.player.close()


LIVE = [pytest.mark.host, pytest.mark.live]


@pytest.fixture(
    params=[
        "fake",
        "ward",
        "virtual",
        "virtual cards",
        pytest.param("pulse", marks=LIVE),
    ]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    match request.param:
        case "fake":
            yield FakeRig()
        case "ward":
            yield WardRig()
        case "virtual":
            yield StagedVirtualRig(tmp_path)
        case "virtual cards":
            yield StagedVirtualCardsRig(tmp_path)
        case _:
            with pulse_rig(tmp_path) as real:
                yield real


def begin(rig: Rig, name: str = "p", in_ms: int = 0) -> int:
    """Order a play on both zones; the instant it is ordered for."""
    at = MonoMs(rig.now_ms() + in_ms)
    rig.player.start(StartPlay(PlayId(name), rig.parts(), (ZoneFeed(LEFT, 80), ZoneFeed(RIGHT, 80)), at))
    return at


def reports(rig: Rig, name: str = "p") -> list[PlayReport]:
    return [report for _, report in rig.told() if report.play_id == name]


def ends(rig: Rig, name: str = "p") -> list[PlayEnded]:
    return [report for report in reports(rig, name) if isinstance(report, PlayEnded)]


def until_started(rig: Rig, name: str = "p") -> None:
    assert rig.run_until(lambda: any(isinstance(report, PlayStarted) for report in reports(rig, name)))


def until_ended(rig: Rig, name: str = "p") -> PlayEnded:
    assert rig.run_until(lambda: bool(ends(rig, name))), reports(rig, name)
    return ends(rig, name)[0]


def pause(rig: Rig, ms: int = 300) -> None:
    rig.run_until(lambda: False, ms)


def test_a_play_begins_once_goes_on_and_ends_once(rig: Rig) -> None:
    at = begin(rig)
    end = until_ended(rig)
    pause(rig)
    first, *progress, last = reports(rig)
    assert isinstance(first, PlayStarted)
    assert at <= first.at < at + LATE_MS
    assert all(isinstance(report, PlayProgress) for report in progress)
    assert last == end
    assert end.reason is None
    assert end.zone_ms == {LEFT: rig.length_ms, RIGHT: rig.length_ms}
    assert end.frames == rig.length_ms * 48
    assert end.at - at >= rig.length_ms - ANSWER_MS, "and when it began a busy machine tells late"


def test_nothing_is_reported_before_it_has_happened(rig: Rig) -> None:
    begin(rig)
    until_ended(rig)
    for came_at, report in rig.told():
        if isinstance(report, PlayStarted | PlayEnded):
            assert report.at <= came_at + 1, report


def test_a_stopped_play_ends_once_with_what_it_had_played(rig: Rig) -> None:
    begin(rig)
    until_started(rig)
    rig.player.stop(StopPlay(PlayId("p")))
    rig.player.stop(StopPlay(PlayId("p")))
    end = until_ended(rig)
    pause(rig)
    assert ends(rig) == [end]
    assert end.reason is Reason.SHUTDOWN
    assert all(0 <= ms < rig.length_ms for ms in end.zone_ms.values())
    assert reports(rig)[-1] == end


def test_a_play_that_is_over_or_unknown_is_not_stopped_or_routed_again(rig: Rig) -> None:
    begin(rig)
    until_ended(rig)
    count = len(rig.told())
    for name in ("p", "nobody"):
        rig.player.route(RoutePlay(PlayId(name), (ZoneFeed(LEFT, 80),)))
        rig.player.stop(StopPlay(PlayId(name)))
    pause(rig)
    assert len(rig.told()) == count


def test_two_plays_end_each_on_its_own(rig: Rig) -> None:
    begin(rig, "one")
    begin(rig, "two")
    until_started(rig, "one")
    rig.player.stop(StopPlay(PlayId("one")))
    assert until_ended(rig, "one").reason is Reason.SHUTDOWN
    assert until_ended(rig, "two").reason is None


def test_closing_ends_every_play(rig: Rig) -> None:
    begin(rig, "one")
    until_started(rig, "one")
    begin(rig, "two")
    rig.player.close()
    assert [end.reason for name in ("one", "two") for end in ends(rig, name)] == [Reason.SHUTDOWN] * 2


def test_the_sign_of_life_goes_on_while_something_plays_and_never_back(rig: Rig) -> None:
    begin(rig)
    until_started(rig)
    signs = [rig.player.alive_at()]
    for _ in range(4):
        pause(rig, 60)
        signs.append(rig.player.alive_at())
    assert signs == sorted(signs)
    assert signs[0] < signs[-1] <= rig.now_ms()
