"""What becomes of a play when card or storage misbehave, in virtual time: nothing is lost, nothing falsely claimed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.bell import Bell
from edge_agent.audio.card import CardConfig, Wiring
from edge_agent.audio.feeder import LINGER_NS, WEDGED_NS
from edge_agent.audio.mixer import Outlet
from edge_agent.audio.prefetch import AHEAD_MS
from edge_agent.audio.voice import STARVED_MS_MAX
from edge_agent.core.events import PlayStarted
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ZoneId
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    WIRING,
    VirtualRig,
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
    tone,
    until_ended,
    until_started,
)
from tests.fakes.card import VirtualCard, VirtualPlayer

MS_NS = 1_000_000


@pytest.fixture
def rig(tmp_path: Path) -> VirtualRig:
    return VirtualRig(tmp_path)


def be_late(rig: VirtualRig, ms: int) -> None:
    """The writer's thread does not run for so long."""
    rig.player.time.ns += ms * MS_NS


def onset_ms(rig: VirtualRig, channel: int) -> float:
    """When a channel's first sample sounded, underruns and all."""
    first = rig.heard().onset(channel)
    assert first is not None
    return rig.player.card.instant_ns(first) / MS_NS


@pytest.mark.parametrize("offset", [0, 1, 7, 13, 19])
def test_the_first_sample_is_placed_to_the_frame(rig: VirtualRig, offset: int) -> None:
    at = begin(rig, "p", (stage(rig, "a", noise(0.1, 1)),), feeds(LEFT), at=rig.now_ms() + 400 + offset)
    until_ended(rig, "p")
    # The opening ramp's first sample may round to nothing.
    assert onset_ms(rig, 0) == pytest.approx(at, abs=3 * 1_000 / RATE)


def test_a_play_ordered_within_what_is_queued_begins_on_time_all_the_same_and_says_when(rig: VirtualRig) -> None:
    at = begin(rig, "p", (stage(rig, "a", noise(0.1, 1)),), feeds(LEFT), at=rig.now_ms() + 30)
    until_ended(rig, "p")
    (first,) = [report for report in reports(rig, "p") if isinstance(report, PlayStarted)]
    assert at <= onset_ms(rig, 0) < at + CONFIG.period_ms
    assert first.at == pytest.approx(onset_ms(rig, 0), abs=1.1)


def test_a_play_whose_instant_has_passed_begins_with_the_stream(rig: VirtualRig) -> None:
    begin(rig, "p", (stage(rig, "a", tone(0.2, 1_000)),), feeds(LEFT), at=rig.now_ms() - 1)
    until_ended(rig, "p")
    first = rig.heard().onset(0)
    assert first is not None
    assert first < RATE // 1_000


def test_an_underrun_is_counted_and_loses_no_sample(rig: VirtualRig) -> None:
    sound = noise(2, 2)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    assert rig.run_until(lambda: played_ms(rig, "p") > 0)
    be_late(rig, 700)
    end = until_ended(rig, "p")
    assert (end.reason, end.frames, end.underruns) == (None, len(sound), 1)
    assert rig.player.card.underruns == 1
    heard = rig.heard()
    first = first_of(heard, 0, sound)
    assert np.array_equal(heard.samples[first : first + len(sound), 0][RAMP:-RAMP], sound[RAMP:-RAMP])


def test_after_an_underrun_the_next_play_is_on_time_all_the_same(rig: VirtualRig) -> None:
    begin(rig, "one", (stage(rig, "a", noise(3, 3)),), feeds(LEFT))
    at = begin(rig, "two", (stage(rig, "b", noise(0.2, 4)),), feeds(RIGHT), at=rig.now_ms() + 2_500)
    rig.run_until(lambda: rig.now_ms() >= at - 1_000)
    be_late(rig, 500)
    until_ended(rig, "two")
    assert rig.player.card.underruns == 1
    assert onset_ms(rig, 1) == pytest.approx(at, abs=1)


def test_an_underrun_before_the_first_sample_is_not_the_plays(rig: VirtualRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.2, 5)),), feeds(LEFT), at=rig.now_ms() + 2_000)
    pause(rig, 300)
    be_late(rig, 700)
    assert until_ended(rig, "p").underruns == 0
    assert rig.player.card.underruns == 1


def test_a_card_that_takes_small_bites_plays_the_same(rig: VirtualRig) -> None:
    rig.player.prepare_card = lambda card: setattr(card, "bite", 37)
    sound = noise(0.3, 6)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    assert until_ended(rig, "p").underruns == 0
    assert rig.heard().find(0, sound[RAMP:-RAMP]) is not None


@pytest.mark.parametrize(("period_ms", "buffer_ms"), [(21, 85), (100, 200), (100, 250)])
def test_a_card_that_holds_less_than_was_asked_for_does_not_run_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, period_ms: int, buffer_ms: int
) -> None:
    """A mixer of ALSA's own (dmix), as "default" of a USB card is, has its own period and depth, whatever is wanted."""
    monkeypatch.setattr(VirtualCard, "period_frames", RATE * period_ms // 1_000)
    monkeypatch.setattr(VirtualCard, "buffer_frames", RATE * buffer_ms // 1_000)
    rig = VirtualRig(tmp_path)
    rig.player = VirtualPlayer(CardConfig("station"), WIRING, rig.store)

    def wake_late(card: VirtualCard) -> None:
        wait = card.wait

        def waits(seconds: float, bell: Bell) -> None:
            wait(seconds, bell)
            be_late(rig, 2)

        monkeypatch.setattr(card, "wait", waits)

    rig.player.prepare_card = wake_late
    sound = noise(2, 6)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    assert until_ended(rig, "p").underruns == 0
    assert rig.heard().find(0, sound[RAMP:-RAMP]) is not None


def test_a_card_with_shorter_periods_than_were_asked_for_is_not_looked_at_without_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes us for each of its own: who waits for more then keeps a core busy for as long as anything sounds."""
    monkeypatch.setattr(VirtualCard, "period_frames", 1_024)
    rig = VirtualRig(tmp_path)
    rig.player = VirtualPlayer(CardConfig("station"), WIRING, rig.store)
    begin(rig, "p", (stage(rig, "a", noise(2, 6)),), feeds(LEFT))
    until_ended(rig, "p")
    assert rig.player.card.waits <= 2 * rig.player.card.writes


def test_a_card_that_hangs_ends_every_play_before_the_relay_lease_does(rig: VirtualRig) -> None:
    begin(rig, "one", (stage(rig, "a", noise(9, 7)),), feeds(LEFT))
    begin(rig, "two", (stage(rig, "b", noise(9, 8)),), feeds(RIGHT), at=rig.now_ms() + 60_000)
    until_started(rig, "one")
    began = rig.now_ms()
    rig.player.card.hangs = True
    one, two = until_ended(rig, "one"), until_ended(rig, "two")
    assert (one.reason, two.reason, two.frames) == (Reason.DEVICE_FAILED, Reason.DEVICE_FAILED, 0)
    assert rig.now_ms() - began < WEDGED_NS // MS_NS + 500 < 3_000
    assert rig.player.card.closed


def test_a_card_that_is_pulled_out_ends_the_play_with_what_had_left(rig: VirtualRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(9, 9)),), feeds(LEFT))
    assert rig.run_until(lambda: played_ms(rig, "p") > 0)
    told = played_ms(rig, "p")
    rig.player.card.pulled_out = True
    end = until_ended(rig, "p")
    assert end.reason is Reason.DEVICE_FAILED
    assert end.zone_ms == {LEFT: told}


def test_a_card_that_came_back_plays_the_next_order(rig: VirtualRig) -> None:
    begin(rig, "one", (stage(rig, "a", noise(1, 10)),), feeds(LEFT))
    until_started(rig, "one")
    rig.player.card.pulled_out = True
    until_ended(rig, "one")
    begin(rig, "two", (stage(rig, "a", noise(1, 10)),), feeds(LEFT))
    assert until_ended(rig, "two").reason is None
    assert len(rig.player.cards) == 2


def test_what_takes_sound_faster_than_time_passes_is_no_card(rig: VirtualRig) -> None:
    rig.player.prepare_card = lambda card: setattr(card, "rushes", True)
    begin(rig, "p", (stage(rig, "a", noise(9, 11)),), feeds(LEFT), at=0)
    end = until_ended(rig, "p")
    assert end.reason is Reason.DEVICE_FAILED
    assert end.frames <= 1.1 * RATE


def test_storage_that_stalls_for_seconds_is_not_heard(rig: VirtualRig) -> None:
    sound = noise(8, 12)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    until_started(rig, "p")
    rig.player.reads = False
    pause(rig, AHEAD_MS - 1_000)
    rig.player.reads = True
    end = until_ended(rig, "p")
    assert (end.reason, end.underruns) == (None, 0)
    assert rig.heard().find(0, sound[RAMP:-RAMP]) is not None


def test_a_longer_stall_makes_a_gap_and_loses_nothing(rig: VirtualRig) -> None:
    sound = noise(8, 13)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    until_started(rig, "p")
    rig.player.reads = False
    pause(rig, AHEAD_MS + 2_000)
    rig.player.reads = True
    end = until_ended(rig, "p")
    assert (end.reason, end.frames, end.underruns) == (None, len(sound), 1)
    heard = rig.heard().samples[:, 0]
    first, last = np.flatnonzero(heard)[[0, -1]]
    gap = last - first + 1 - len(sound)
    assert gap > RATE
    assert sound[RAMP:-RAMP].tobytes() in heard[heard != 0].tobytes()


def test_every_stall_counts_and_each_is_bounded_by_itself(rig: VirtualRig) -> None:
    sound = noise(25, 22)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    until_started(rig, "p")
    for _ in range(2):
        rig.player.reads = False
        pause(rig, AHEAD_MS + STARVED_MS_MAX - 2_000)
        rig.player.reads = True
        pause(rig, 200)
    end = until_ended(rig, "p")
    assert (end.reason, end.frames, end.underruns) == (None, len(sound), 2)


def test_storage_that_never_answers_again_ends_the_play(rig: VirtualRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(8, 14)),), feeds(LEFT))
    until_started(rig, "p")
    rig.player.reads = False
    end = until_ended(rig, "p")
    assert end.reason is Reason.DEVICE_FAILED
    assert end.frames < AHEAD_MS * RATE // 1_000 + RATE


def test_storage_that_does_not_answer_before_the_begin_holds_it_up_for_a_bounded_time(rig: VirtualRig) -> None:
    rig.player.reads = False
    at = begin(rig, "p", (stage(rig, "a", noise(1, 15)),), feeds(LEFT))
    end = until_ended(rig, "p")
    assert (end.reason, end.frames) == (Reason.DEVICE_FAILED, 0)
    assert rig.now_ms() < at + STARVED_MS_MAX + 1_000


def test_a_stop_does_not_wait_for_storage(rig: VirtualRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(8, 16)),), feeds(LEFT))
    until_started(rig, "p")
    rig.player.reads = False
    pause(rig, AHEAD_MS + 1_000)
    stop(rig, "p")
    asked = rig.now_ms()
    assert until_ended(rig, "p").reason is Reason.SHUTDOWN
    assert rig.now_ms() - asked < 1_000


def test_the_card_is_given_back_after_the_last_play_and_not_between_two(rig: VirtualRig) -> None:
    part = stage(rig, "a", noise(0.2, 17))
    begin(rig, "one", (part,), feeds(LEFT))
    until_ended(rig, "one")
    pause(rig, LINGER_NS // MS_NS // 2)
    begin(rig, "two", (part,), feeds(LEFT), at=rig.now_ms() + LINGER_NS // MS_NS)
    until_ended(rig, "two")
    assert not rig.player.card.closed
    pause(rig, LINGER_NS // MS_NS + 500)
    assert len(rig.player.cards) == 1
    assert rig.player.card.closed


def test_an_empty_programme_ends_like_any_other(rig: VirtualRig) -> None:
    begin(rig, "p", (), feeds(LEFT))
    end = until_ended(rig, "p")
    assert (end.reason, end.frames) == (None, 0)


def written(rig: VirtualRig) -> int:
    return rig.player.card.written if rig.player.cards else 0


def with_half_a_ramp_left(periods: int) -> int:
    """Frames of a sound whose last ramp lies across two periods, when it begins with one."""
    return periods * CONFIG.period_frames + RAMP // 2


@pytest.mark.parametrize("periods_written", [30, 31])
def test_a_stop_that_comes_too_late_to_cut_anything_is_none(rig: VirtualRig, periods_written: int) -> None:
    sound = noise(1, 18)[: with_half_a_ramp_left(30)]
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT), at=0)
    assert rig.run_until(lambda: written(rig) >= periods_written * CONFIG.period_frames)
    assert not ends(rig, "p")
    stop(rig, "p")
    end = until_ended(rig, "p")
    assert (end.reason, end.frames) == (None, len(sound))


def test_a_route_during_the_last_ramp_does_not_turn_it_up_again(rig: VirtualRig) -> None:
    sound = tone(9, 440)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT))
    until_started(rig, "p")
    stop(rig, "p")
    route(rig, "p", feeds(LEFT, RIGHT))
    until_ended(rig, "p")
    heard = rig.heard()
    assert heard.onset(1) is None
    assert heard.steepest(0, 0, len(heard.samples)) <= int(np.max(np.abs(np.diff(sound)))) + 1


def test_routes_told_again_and_again_do_not_disturb_the_last_ramp(rig: VirtualRig) -> None:
    level = np.full(with_half_a_ramp_left(30), 10_000, np.int16)
    begin(rig, "p", (stage(rig, "a", level),), feeds(LEFT), at=0)

    def route_at_every_period() -> bool:
        route(rig, "p", feeds(LEFT))
        return bool(ends(rig, "p"))

    assert rig.run_until(route_at_every_period)
    assert rig.heard().steepest(0, 0, 40 * CONFIG.period_frames) <= 10_000 // RAMP + 1


def test_a_play_told_twice_is_played_once(rig: VirtualRig) -> None:
    sound = noise(0.3, 19)
    part = stage(rig, "a", sound)
    at = begin(rig, "p", (part,), feeds(LEFT))
    begin(rig, "p", (part,), feeds(RIGHT), at=at + 100)
    until_ended(rig, "p")
    pause(rig, 1_000)
    assert len(ends(rig, "p")) == 1
    assert rig.heard().onset(1) is None


def _other(folder: Path, config: CardConfig, outlets: dict[ZoneId, Outlet]) -> VirtualRig:
    rig = VirtualRig(folder)
    rig.player = VirtualPlayer(config, Wiring(RATE, config.channels, outlets), rig.store)
    return rig


def test_two_zones_on_one_line_take_the_lower_ceiling(tmp_path: Path) -> None:
    rig = _other(tmp_path, CONFIG, {LEFT: Outlet.BOTH, RIGHT: Outlet.BOTH})
    sound = tone(0.3, 440)
    begin(rig, "p", (stage(rig, "a", sound),), (ZoneFeed(LEFT, 100), ZoneFeed(RIGHT, 50)))
    assert until_ended(rig, "p").zone_ms == {LEFT: 300, RIGHT: 300}
    heard = rig.heard().samples
    assert np.array_equal(heard[:, 0], heard[:, 1])
    assert heard.max() == pytest.approx(sound.max() / 4, abs=2)


def test_a_zone_that_is_trimmed_is_so_much_quieter_whatever_it_is_fed(tmp_path: Path) -> None:
    rig = VirtualRig(tmp_path)
    wiring = Wiring(RATE, 2, {LEFT: Outlet.LEFT, RIGHT: Outlet.RIGHT}, {RIGHT: 6})
    rig.player = VirtualPlayer(CONFIG, wiring, rig.store)
    begin(rig, "p", (stage(rig, "a", tone(0.5, 1_000)),), feeds(LEFT, RIGHT, volume=50))
    until_ended(rig, "p")
    heard = rig.heard()
    first = heard.onset(0)
    assert first is not None
    middle = (first + RATE // 10, first + RATE * 4 // 10)
    assert heard.level_db(0, *middle) - heard.level_db(1, *middle) == pytest.approx(6, abs=0.05)


def test_two_plays_on_one_line_are_added(tmp_path: Path) -> None:
    config = CardConfig("mono", channels=1)
    rig = _other(tmp_path, config, {LEFT: Outlet.MONO, RIGHT: Outlet.MONO})
    one, two = noise(0.5, 20, 9_000), noise(0.5, 21, 9_000)
    at = begin(rig, "one", (stage(rig, "a", one),), feeds(LEFT))
    begin(rig, "two", (stage(rig, "b", two),), feeds(RIGHT), at=at)
    until_ended(rig, "one")
    until_ended(rig, "two")
    line = np.frombuffer(bytes(rig.player.card.played), np.int16)
    middle = (one + two)[RAMP:-RAMP].tobytes()
    assert middle in line.tobytes()


def test_a_zone_is_not_wired_to_a_channel_that_the_card_lacks() -> None:
    with pytest.raises(AssertionError, match="zone left"):
        Wiring(RATE, 1, {LEFT: Outlet.LEFT})
