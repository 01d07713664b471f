"""Several cards in one virtual time: what begins on all begins at once (S4), and a play ends with its last one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.card import Wiring
from edge_agent.audio.mixer import Outlet
from edge_agent.audio.port import PlayReport
from edge_agent.config.station import CARDS_MAX
from edge_agent.core.events import PlayEnded
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.units import ZoneId
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    VirtualCardsRig,
    begin,
    feeds,
    first_of,
    noise,
    pause,
    reports,
    route,
    stage,
    stop,
    until_ended,
    until_started,
)
from tests.fakes.card import VirtualCards


@pytest.fixture
def rig(tmp_path: Path) -> VirtualCardsRig:
    return VirtualCardsRig(tmp_path)


def test_zones_of_two_cards_begin_at_the_same_sample(rig: VirtualCardsRig) -> None:
    sound = noise(0.5, 1)
    at = begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_ended(rig, "p")
    heard = rig.heard()
    first = [first_of(heard, channel, sound) for channel in (0, 1)]
    assert abs(first[0] - first[1]) <= 1
    assert abs(heard.instant_ms(first[0]) - at) < 1


def test_what_is_due_at_once_begins_together_where_one_card_plays_and_the_other_is_closed(rig: VirtualCardsRig) -> None:
    """Without putting it off the running card would begin as soon as it can, the other when it is open and filled."""
    flood = noise(0.5, 2)
    parts = (stage(rig, "flood", flood),)
    begin(rig, "bulletin", (stage(rig, "a", noise(5, 1)),), feeds(LEFT))
    until_started(rig, "bulletin")
    slow_to_open(rig, 120)
    route(rig, "bulletin", ())
    begin(rig, "flood", parts, feeds(LEFT, RIGHT), at=rig.now_ms(), urgent=True)
    until_ended(rig, "flood")
    heard = rig.heard()
    skew = first_of(heard, 0, flood) - first_of(heard, 1, flood)
    assert abs(skew) < CONFIG.period_frames


def slow_to_open(rig: VirtualCardsRig, ms: int) -> None:
    """The right card takes its time: it stands still meanwhile, and the other goes on."""
    player, step = rig.other, rig.other.step
    opens_at = 0

    def slow() -> None:
        nonlocal opens_at
        if player._desk.busy and not opens_at:
            opens_at = rig.now_ms() + ms
        if opens_at and rig.now_ms() < opens_at:
            return
        step()

    player.step = slow  # type: ignore[method-assign]


def test_a_zone_of_a_card_that_heard_nothing_yet_joins_where_the_others_are(rig: VirtualCardsRig) -> None:
    sound = noise(3, 3)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT), later=(RIGHT,))
    until_started(rig, "p")
    pause(rig, 700)
    route(rig, "p", feeds(LEFT, RIGHT))
    end = until_ended(rig, "p")
    heard = rig.heard()
    first = first_of(heard, 0, sound)
    joined = heard.onset(1)
    assert joined is not None
    joined += RAMP
    left, right = heard.samples[joined : first + len(sound) - RAMP].T
    drift = next(shift for shift in (0, 1, -1) if np.array_equal(np.roll(right, shift)[9:-9], left[9:-9]))
    assert abs(drift) <= 1
    assert 2_000 < end.zone_ms[RIGHT] < 2_400
    assert end.zone_ms[LEFT] == 3_000


def test_a_card_that_a_play_does_not_need_is_not_opened(rig: VirtualCardsRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.3, 4)),), feeds(LEFT))
    until_ended(rig, "p")
    assert rig.other.cards == []


def test_two_jobs_on_two_cards_at_once_sound_as_each_does_alone(tmp_path: Path) -> None:
    """The neighbour is cut short, begins in the middle and stops: not a sample and not a report here knows of it."""

    def life(folder: Path, neighbour: bool) -> tuple[bytes, list[PlayReport]]:
        rig = VirtualCardsRig(folder)
        at = begin(rig, "mine", (stage(rig, "a", noise(3, 5)),), feeds(LEFT))
        if neighbour:
            begin(rig, "theirs", (stage(rig, "b", noise(9, 6)),), feeds(RIGHT), at=at)
            until_started(rig, "theirs")
            pause(rig, 800)
            stop(rig, "theirs")
            begin(rig, "flood", (stage(rig, "c", noise(9, 7)),), feeds(RIGHT), at=rig.now_ms(), urgent=True)
        until_ended(rig, "mine")
        assert bool(rig.other.cards) is neighbour
        return bytes(rig.player.players["one"].card.played).rstrip(b"\0"), reports(rig, "mine")

    alone_sound, alone_told = life(tmp_path / "alone", neighbour=False)
    sound, told = life(tmp_path / "beside", neighbour=True)
    assert sound.lstrip(b"\0") == alone_sound.lstrip(b"\0")
    assert [type(report) for report in told] == [type(report) for report in alone_told]
    (end,), (alone_end,) = ([report for report in some if isinstance(report, PlayEnded)] for some in (told, alone_told))
    assert (end.zone_ms, end.frames, end.underruns, end.reason) == ({LEFT: 3_000}, 3 * RATE, 0, None)
    assert (end.zone_ms, end.frames) == (alone_end.zone_ms, alone_end.frames)


def test_the_end_of_a_play_waits_for_the_last_card(rig: VirtualCardsRig) -> None:
    """The relays open on it. The right card's storage is slow: it stands still for a while and loses nothing."""
    sound = noise(8, 23)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    rig.other.reads = False
    pause(rig, 5_500)
    rig.other.reads = True
    end = until_ended(rig, "p")
    ((told_at, _),) = [(at, report) for at, report in rig.told() if isinstance(report, PlayEnded)]
    heard = rig.heard()
    left, right = (heard.last(channel) for channel in (0, 1))
    assert left is not None
    assert right is not None
    assert right - left > RATE // 10
    assert heard.instant_ms(right) <= told_at
    assert (end.reason, end.underruns, end.zone_ms) == (None, 1, {LEFT: 8_000, RIGHT: 8_000})


def test_two_zones_on_each_of_as_many_cards_as_there_may_be_begin_at_the_same_sample_each_at_its_own_volume(
    tmp_path: Path,
) -> None:
    names = [f"card{number}" for number in range(CARDS_MAX)]
    wirings = {
        name: Wiring(RATE, 2, {ZoneId(f"{name}-l"): Outlet.LEFT, ZoneId(f"{name}-r"): Outlet.RIGHT}) for name in names
    }
    rig = VirtualCardsRig(tmp_path)
    rig.player = VirtualCards(dict.fromkeys(names, CONFIG), wirings, rig.store)
    zones = [zone for wiring in wirings.values() for zone in wiring.outlets]
    volumes = [100 - 5 * number for number in range(len(zones))]
    sound = noise(0.5, 7)
    heard_by = tuple(ZoneFeed(zone, volume) for zone, volume in zip(zones, volumes, strict=True))
    at = begin(rig, "p", (stage(rig, "a", sound),), heard_by)
    assert until_ended(rig, "p").zone_ms == dict.fromkeys(zones, 500)
    begins, levels = [], []
    for name in names:
        (card,) = rig.player.players[name].cards
        played = np.frombuffer(bytes(card.played), np.int16).reshape(-1, 2)
        for channel in (0, 1):
            first = int(np.flatnonzero(played[:, channel])[0])
            begins.append(card.instant_ns(first) / 1e6)
            levels.append(float(np.abs(played[first:, channel].astype(float)).max()))
    assert max(begins) - min(begins) < 1_000 / RATE + 0.001
    assert abs(begins[0] - at) < 1
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == len(zones)
