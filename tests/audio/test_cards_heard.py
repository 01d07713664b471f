"""Two real cards through alsa-lib, each a sound server of its own, listened to: together, and apart when one fails.

What holds in virtual time is ``test_cards_together``'s and ``test_cards_apart``'s; here it is real threads, real clocks
and a real hang.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.audio.alsa import AlsaCard
from edge_agent.audio.card import Card, CardConfig, CardHangs
from edge_agent.clock import boot_ms
from edge_agent.core.events import PlayEnded, ZonesLost
from edge_agent.core.reasons import Reason
from edge_agent.core.units import PlayId
from edge_agent.relay.interlock import LEASE_MS
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    PulseCardsRig,
    begin,
    ends,
    feeds,
    first_of,
    noise,
    pause,
    played_ms,
    reports,
    route,
    stage,
    stop,
    until_ended,
    until_started,
)
from tests.host.pulse import Pulse
from tests.host.recording import Recorder, Recording
from tests.host.served import served_apart

pytestmark = [pytest.mark.host, pytest.mark.live]

STATION = CardConfig("station")
OPENS_S = 0.1
# Less than a period, so that to be half of it apart is also to be within one. A card's own slowness, not a wait of the
# test: without putting it off, the other card would begin within it.


Deaths = queue.SimpleQueue[tuple[type[BaseException], int]]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Pulse, ...]]:
    with served_apart(tmp_path / "pulse", ("one", "other")) as both:
        yield both


@pytest.fixture
def open_rig(tmp_path: Path, servers: tuple[Pulse, ...]) -> Iterator[Callable[..., PulseCardsRig]]:
    """Makes the rig, with the settings that the test wants; both cards are recorded from before."""
    one, other = servers
    with Recorder(one, "one") as left, Recorder(other, "other") as right:
        rigs: list[PulseCardsRig] = []

        def make(config: CardConfig = CONFIG, open_card: Callable[[CardConfig], Card] = AlsaCard) -> PulseCardsRig:
            rigs.append(PulseCardsRig(tmp_path / "store", (left, right), config, open_card))
            return rigs[0]

        yield make
        rigs[0].player.close()


@pytest.fixture
def rig(open_rig: Callable[..., PulseCardsRig]) -> PulseCardsRig:
    return open_rig()


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> Deaths:
    """Threads that have ended by an exception: in the device process each is its end."""
    found: Deaths = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: found.put((args.exc_type, boot_ms())))
    return found


def skew_frames(left: Recording, right: Recording, first_left: int, first_right: int) -> float:
    """By how much the left card was ahead, by the recorders' own clocks."""
    return (right.instant_ms(first_right) - left.instant_ms(first_left)) * RATE / 1_000


def test_zones_of_two_cards_begin_within_a_period_and_on_time(open_rig: Callable[..., PulseCardsRig]) -> None:
    """With a station's own settings. What is promised between neighbours is 20 ms (S4); a period is ten times that."""
    rig = open_rig(STATION)
    sound = noise(1.5, 1)
    at = begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    end = until_ended(rig, "p")
    left, right = rig.recordings()
    first_left, first_right = first_of(left, 0, sound), first_of(right, 1, sound)
    skew = skew_frames(left, right, first_left, first_right)
    assert abs(skew) < STATION.period_frames / 10, f"{skew / RATE * 1_000:.1f} ms apart"
    assert abs(left.instant_ms(first_left) - at) < STATION.period_ms
    assert (end.reason, end.zone_ms) == (None, {LEFT: 1_500, RIGHT: 1_500})


def test_an_emergency_at_once_begins_together_on_a_card_that_plays_and_one_that_is_closed(
    open_rig: Callable[..., PulseCardsRig],
) -> None:
    """A USB card takes its time to open; the one that plays does not begin without it."""

    def slow(config: CardConfig) -> Card:
        if config.device != "other":
            return AlsaCard(config)
        opened = time.monotonic() + OPENS_S
        card = AlsaCard(config)
        time.sleep(max(0.0, opened - time.monotonic()))
        return card

    rig = open_rig(STATION, slow)
    flood = noise(1.5, 2)
    parts = (stage(rig, "flood", flood),)
    begin(rig, "bulletin", (stage(rig, "a", noise(20, 3)),), feeds(LEFT))
    assert rig.run_until(lambda: played_ms(rig, "bulletin") > 0)
    route(rig, "bulletin", ())
    ordered = begin(rig, "flood", parts, feeds(LEFT, RIGHT), at=rig.now_ms(), urgent=True)
    until_ended(rig, "flood")
    left, right = rig.recordings()
    first_left, first_right = first_of(left, 0, flood), first_of(right, 1, flood)
    skew = skew_frames(left, right, first_left, first_right)
    assert abs(skew) < OPENS_S * RATE / 2, f"{skew / RATE * 1_000:.1f} ms apart"
    assert left.instant_ms(first_left) >= ordered


def test_a_card_that_is_pulled_out_in_the_middle_leaves_the_other_bit_exact(
    rig: PulseCardsRig, servers: tuple[Pulse, ...]
) -> None:
    sound = noise(5, 4)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    pause(rig, 1_000)
    servers[1].kill()
    end = until_ended(rig, "p")
    assert [report for report in reports(rig, "p") if isinstance(report, ZonesLost)] == [
        ZonesLost(PlayId("p"), (RIGHT,), Reason.DEVICE_FAILED)
    ]
    assert (end.reason, end.frames, end.zone_ms[LEFT], end.underruns) == (None, len(sound), 5_000, 0)
    assert end.zone_ms.get(RIGHT, 0) < 4_000
    assert rig.recordings()[0].find(0, sound[RAMP:-RAMP]) is not None


def test_a_card_that_hangs_ends_no_emergency_on_the_other_and_the_process_only_after_it(
    rig: PulseCardsRig, servers: tuple[Pulse, ...], deaths: Deaths
) -> None:
    flood = noise(8, 5)
    at = begin(rig, "bulletin", (stage(rig, "b", noise(30, 6)),), feeds(RIGHT))
    begin(rig, "flood", (stage(rig, "a", flood),), feeds(LEFT), at=at, urgent=True)
    until_started(rig, "bulletin")
    until_started(rig, "flood")
    servers[1].freeze()
    assert until_ended(rig, "bulletin").reason is Reason.DEVICE_FAILED
    begin(rig, "again", (stage(rig, "c", noise(1, 7)),), feeds(RIGHT), at=rig.now_ms(), urgent=True)
    assert until_ended(rig, "again").reason is Reason.DEVICE_FAILED, "answered, not tried on a card that hangs"
    assert not ends(rig, "flood"), "what follows proves something"
    end = until_ended(rig, "flood")
    assert (end.reason, end.frames, end.underruns) == (None, len(flood), 0)
    why, died_at = deaths.get(timeout=60)
    assert why is CardHangs
    assert died_at >= end.at
    servers[1].thaw()
    assert rig.recordings()[0].find(0, flood[RAMP:-RAMP]) is not None


def test_a_writer_that_never_comes_back_from_its_device_holds_nobody_up(
    open_rig: Callable[..., PulseCardsRig],
) -> None:
    """It says nothing at all. Whoever asks for signs of life, as the relays' loop does, finds out before the lease."""
    back = threading.Event()

    def sticks(config: CardConfig) -> Card:
        if config.device == "other":
            back.wait(60)
        return AlsaCard(config)

    rig = open_rig(CONFIG, sticks)
    sound = noise(6, 12)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    silent_ms = []
    while not ends(rig, "p"):
        silent_ms.append(rig.now_ms() - rig.player.alive_at())
        pause(rig, 100)
    back.set()
    (end,) = ends(rig, "p")
    assert (end.reason, end.zone_ms) == (None, {LEFT: 6_000})
    assert max(silent_ms) < LEASE_MS
    left, right = rig.recordings()
    assert left.find(0, sound[RAMP:-RAMP]) is not None
    assert not right.samples.any()


def test_two_jobs_on_two_cards_at_once_are_both_bit_exact(rig: PulseCardsRig) -> None:
    """One of them is stopped and followed by another one, while its neighbour plays."""
    mine, theirs, after = noise(5, 8), noise(20, 9), noise(1, 10)
    follows = (stage(rig, "c", after),)
    at = begin(rig, "mine", (stage(rig, "a", mine),), feeds(LEFT))
    begin(rig, "theirs", (stage(rig, "b", theirs),), feeds(RIGHT), at=at)
    until_started(rig, "theirs")
    pause(rig, 800)
    stop(rig, "theirs")
    cut = until_ended(rig, "theirs")
    begin(rig, "after", follows, feeds(RIGHT))
    assert until_ended(rig, "after").reason is None
    end = until_ended(rig, "mine")
    assert (cut.reason, end.reason, end.underruns) == (Reason.SHUTDOWN, None, 0)
    left, right = rig.recordings()
    assert left.find(0, mine[RAMP:-RAMP]) is not None
    assert right.find(1, after[RAMP:-RAMP]) is not None
    assert right.find(1, theirs[RAMP : cut.frames - 2 * RAMP]) is not None


def test_the_other_card_plays_what_comes_after_one_was_pulled_out(
    rig: PulseCardsRig, servers: tuple[Pulse, ...]
) -> None:
    servers[1].kill()
    sound = noise(1, 11)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    end = until_ended(rig, "p")
    assert isinstance(end, PlayEnded)
    assert (end.reason, end.zone_ms) == (None, {LEFT: 1_000})
    assert rig.recordings()[0].find(0, sound[RAMP:-RAMP]) is not None
