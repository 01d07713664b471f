"""Several cards in one virtual time: a fault of one never stops another, nor holds up its writer's lease (S5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.cards import STUCK_MS
from edge_agent.audio.feeder import WEDGED_NS
from edge_agent.audio.port import PlayReport
from edge_agent.core.events import ZonesLost
from edge_agent.core.reasons import Reason
from edge_agent.core.units import PlayId
from edge_agent.relay.interlock import LEASE_MS
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RIGHT,
    Samples,
    VirtualCardsRig,
    begin,
    ends,
    feeds,
    first_of,
    noise,
    pause,
    reports,
    route,
    stage,
    until_ended,
    until_started,
)
from tests.host.recording import Recording


@pytest.fixture
def rig(tmp_path: Path) -> VirtualCardsRig:
    return VirtualCardsRig(tmp_path)


def whole_on(heard: Recording, channel: int, samples: Samples) -> bool:
    """Whether every sample between the ramps was heard there, in order and without a gap."""
    return heard.find(channel, samples[RAMP:-RAMP]) is not None


def lost(rig: VirtualCardsRig, name: str) -> list[PlayReport]:
    return [report for report in reports(rig, name) if isinstance(report, ZonesLost)]


def pull_out(rig: VirtualCardsRig) -> None:
    rig.other.card.pulled_out = True


def hang(rig: VirtualCardsRig) -> None:
    rig.other.card.hangs = True


def stand_still(rig: VirtualCardsRig) -> None:
    rig.player.stands_still.add("other")


@pytest.mark.parametrize("mishap", [pull_out, hang, stand_still])
def test_a_card_that_fails_takes_its_zones_and_the_other_plays_on_to_the_sample(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    sound = noise(6, 8)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    pause(rig, 1_000)
    mishap(rig)
    end = until_ended(rig, "p")
    assert lost(rig, "p") == [ZonesLost(PlayId("p"), (RIGHT,), Reason.DEVICE_FAILED)]
    assert (end.reason, end.frames, end.zone_ms[LEFT], end.underruns) == (None, len(sound), 6_000, 0)
    assert end.zone_ms[RIGHT] < 2_000
    assert whole_on(rig.heard(), 0, sound)


@pytest.mark.parametrize("mishap", [pull_out, hang, stand_still])
def test_an_emergency_on_another_card_never_knows(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    flood = noise(6, 9)
    at = begin(rig, "bulletin", (stage(rig, "a", noise(20, 10)),), feeds(RIGHT))
    begin(rig, "flood", (stage(rig, "b", flood),), feeds(LEFT), at=at, urgent=True)
    until_started(rig, "flood")
    pause(rig, 1_000)
    mishap(rig)
    assert until_ended(rig, "bulletin").reason is Reason.DEVICE_FAILED
    assert until_ended(rig, "flood").reason is None
    assert lost(rig, "flood") == []
    assert whole_on(rig.heard(), 0, flood)


def test_a_card_is_given_up_before_the_lease_on_its_writer_ends(rig: VirtualCardsRig) -> None:
    """Else the relays of all zones would open for one card (``interlock.writer_late``)."""
    begin(rig, "p", (stage(rig, "a", noise(20, 11)),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    stand_still(rig)
    slowest = []
    while not lost(rig, "p"):
        slowest.append(rig.now_ms() - rig.player.alive_at())
        rig.player.step()
    pause(rig, LEASE_MS)
    assert WEDGED_NS // 1_000_000 < max(slowest) <= STUCK_MS < LEASE_MS
    assert rig.now_ms() - rig.player.alive_at() < 500


def test_a_writer_that_wakes_up_late_does_not_go_on_with_what_was_given_up(rig: VirtualCardsRig) -> None:
    """Its relay may be closed again by then, for something else."""
    begin(rig, "p", (stage(rig, "a", noise(9, 12)),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    stand_still(rig)
    assert rig.run_until(lambda: bool(lost(rig, "p")))
    written = rig.other.card.written
    rig.player.stands_still.clear()
    until_ended(rig, "p")
    assert not np.frombuffer(bytes(rig.other.card.played), np.int16)[2 * (written + CONFIG.period_frames) :].any()
    assert len(lost(rig, "p")) == len(ends(rig, "p")) == 1


def test_a_card_that_took_long_to_open_plays_what_comes_after_what_it_was_given_up_for(rig: VirtualCardsRig) -> None:
    given_up = noise(6, 12)
    stand_still(rig)
    begin(rig, "p", (stage(rig, "a", given_up),), feeds(LEFT, RIGHT))
    assert rig.run_until(lambda: bool(lost(rig, "p")))
    rig.player.stands_still.clear()
    pause(rig, 300)
    sound = noise(0.3, 13)
    begin(rig, "again", (stage(rig, "b", sound),), feeds(RIGHT))
    assert until_ended(rig, "again").reason is None
    assert until_ended(rig, "p").zone_ms == {LEFT: 6_000}
    heard = rig.heard()
    right = heard.samples[:, 1]
    first = first_of(heard, 1, sound)
    assert np.count_nonzero(right) <= len(sound), "and nothing of that"
    assert np.array_equal(right[first + RAMP : first + len(sound) - RAMP], sound[RAMP:-RAMP])
    assert not rig.player.over


@pytest.mark.parametrize("mishap", [hang, stand_still])
def test_a_hung_card_ends_the_process_when_nothing_plays_on_the_others(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    begin(rig, "p", (stage(rig, "a", noise(6, 14)),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    mishap(rig)
    assert rig.run_until(lambda: bool(lost(rig, "p")))
    pause(rig, 1_000)
    assert not rig.player.over
    until_ended(rig, "p")
    pause(rig, 1_000)
    assert rig.player.over


@pytest.mark.parametrize("mishap", [hang, stand_still])
def test_a_play_for_a_hung_card_is_refused_at_once_and_the_other_goes_on(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    sound = noise(9, 15)
    parts = (stage(rig, "b", noise(1, 16)),)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    mishap(rig)
    assert rig.run_until(lambda: bool(lost(rig, "p")))
    asked = rig.now_ms()
    begin(rig, "routine", parts, feeds(RIGHT))
    end = until_ended(rig, "routine")
    assert (end.reason, end.frames) == (Reason.DEVICE_FAILED, 0)
    assert end.at - asked < WEDGED_NS // 10_000_000
    assert until_ended(rig, "p").reason is None
    assert whole_on(rig.heard(), 0, sound)


@pytest.mark.parametrize("mishap", [hang, stand_still])
def test_something_urgent_for_a_hung_card_is_worth_more_than_a_bulletin_elsewhere(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    """Only a new process frees the card: the core tries an emergency three times, the last one 10 s later."""
    parts = (stage(rig, "b", noise(1, 17)),)
    begin(rig, "bulletin", (stage(rig, "a", noise(60, 18)),), feeds(LEFT, RIGHT))
    until_started(rig, "bulletin")
    mishap(rig)
    assert rig.run_until(lambda: bool(lost(rig, "bulletin")))
    pause(rig, 5_000)
    assert not rig.player.over
    begin(rig, "flood", parts, feeds(RIGHT), at=rig.now_ms(), urgent=True)
    pause(rig, 1_000)
    assert rig.player.over
    assert [end.reason for end in ends(rig, "flood")] == [Reason.DEVICE_FAILED]
    assert ends(rig, "bulletin") == []


@pytest.mark.parametrize("mishap", [hang, stand_still])
def test_something_urgent_for_a_hung_card_does_not_end_what_is_urgent_elsewhere(
    rig: VirtualCardsRig, mishap: Callable[[VirtualCardsRig], None]
) -> None:
    parts = (stage(rig, "b", noise(1, 19)),)
    begin(rig, "flood", (stage(rig, "a", noise(9, 20)),), feeds(LEFT, RIGHT), urgent=True)
    until_started(rig, "flood")
    mishap(rig)
    assert rig.run_until(lambda: bool(lost(rig, "flood")))
    begin(rig, "dam", parts, feeds(RIGHT), at=rig.now_ms(), urgent=True)
    assert until_ended(rig, "flood").reason is None


def test_an_emergency_that_lost_a_card_in_its_midst_does_not_call_for_it(rig: VirtualCardsRig) -> None:
    """It went on elsewhere and has ended: to cut a bulletin short would not bring back what was missed."""
    parts = (stage(rig, "b", noise(20, 24)),)
    begin(rig, "flood", (stage(rig, "a", noise(5, 25)),), feeds(LEFT, RIGHT), urgent=True)
    begin(rig, "bulletin", parts, feeds(), later=(LEFT,))
    until_started(rig, "flood")
    hang(rig)
    until_ended(rig, "flood")
    route(rig, "bulletin", feeds(LEFT))
    assert until_ended(rig, "bulletin").reason is None
    pause(rig, 1_000)
    assert rig.player.over


def test_sound_that_turns_out_altered_ends_the_play_on_all_cards_and_no_other_play(
    rig: VirtualCardsRig, tmp_path: Path
) -> None:
    bad, good = noise(4, 21), noise(4, 22)
    parts = (stage(rig, "bad", bad),)
    with open(tmp_path / "pcm" / "bad.pcm", "r+b") as file:
        file.seek(2 * 65_536 + 4_000)
        file.write(b"forged")
    at = begin(rig, "bad", parts, feeds(LEFT, RIGHT))
    begin(rig, "good", (stage(rig, "good", good),), feeds(), at=at, later=(LEFT,))
    assert until_ended(rig, "bad").reason is Reason.AUDIO_ALTERED
    assert lost(rig, "bad") == []
    assert until_ended(rig, "good").reason is None
    heard = rig.heard()
    for channel in (0, 1):
        assert heard.find(channel, bad[2 * 32_768 + 3_000 :][:64]) is None
