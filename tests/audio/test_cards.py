"""Several cards in one virtual time: a fault of one never stops another (S5), and neighbours begin together (S4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.card import CardHangs
from edge_agent.audio.cards import LAST_WORD_MS, STUCK_MS, CardsPlayer, Served
from edge_agent.audio.feeder import WEDGED_NS
from edge_agent.audio.port import Player, PlayerError, PlayReport, Reports
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayStarted, ZonesLost
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId
from edge_agent.core.zones import RELAY_LEAD_MS
from edge_agent.relay.interlock import LEASE_MS
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RATE,
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
    stop,
    until_ended,
    until_started,
)
from tests.fakes.card import VirtualPlayer
from tests.fakes.device import FakePlayer
from tests.host.recording import Recording


@pytest.fixture
def rig(tmp_path: Path) -> VirtualCardsRig:
    return VirtualCardsRig(tmp_path)


def other(rig: VirtualCardsRig) -> VirtualPlayer:
    """The card of the right zone."""
    return rig.player.players["other"]


def whole_on(heard: Recording, channel: int, samples: Samples) -> bool:
    """Whether every sample between the ramps was heard there, in order and without a gap."""
    return heard.find(channel, samples[RAMP:-RAMP]) is not None


def lost(rig: VirtualCardsRig, name: str) -> list[PlayReport]:
    return [report for report in reports(rig, name) if isinstance(report, ZonesLost)]


# -- together


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
    player, step = other(rig), other(rig).step
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
    assert other(rig).cards == []


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
        assert bool(other(rig).cards) is neighbour
        return bytes(rig.player.players["one"].card.played).rstrip(b"\0"), reports(rig, "mine")

    alone_sound, alone_told = life(tmp_path / "alone", neighbour=False)
    sound, told = life(tmp_path / "beside", neighbour=True)
    assert sound.lstrip(b"\0") == alone_sound.lstrip(b"\0")
    assert [type(report) for report in told] == [type(report) for report in alone_told]
    (end,), (alone_end,) = ([report for report in some if isinstance(report, PlayEnded)] for some in (told, alone_told))
    assert (end.zone_ms, end.frames, end.underruns, end.reason) == ({LEFT: 3_000}, 3 * RATE, 0, None)
    assert (end.zone_ms, end.frames) == (alone_end.zone_ms, alone_end.frames)


# -- apart


def pull_out(rig: VirtualCardsRig) -> None:
    other(rig).card.pulled_out = True


def hang(rig: VirtualCardsRig) -> None:
    other(rig).card.hangs = True


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
    written = other(rig).card.written
    rig.player.stands_still.clear()
    until_ended(rig, "p")
    assert not np.frombuffer(bytes(other(rig).card.played), np.int16)[2 * (written + CONFIG.period_frames) :].any()
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


def test_the_end_of_a_play_waits_for_the_last_card(rig: VirtualCardsRig) -> None:
    """The relays open on it. The right card's storage is slow: it stands still for a while and loses nothing."""
    sound = noise(8, 23)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    other(rig).reads = False
    pause(rig, 5_500)
    other(rig).reads = True
    end = until_ended(rig, "p")
    ((told_at, _),) = [(at, report) for at, report in rig.told() if isinstance(report, PlayEnded)]
    heard = rig.heard()
    left, right = (heard.last(channel) for channel in (0, 1))
    assert left is not None
    assert right is not None
    assert right - left > RATE // 10
    assert heard.instant_ms(right) <= told_at
    assert (end.reason, end.underruns, end.zone_ms) == (None, 1, {LEFT: 8_000, RIGHT: 8_000})


# -- orders and signs of life, by players that do as told


class Stubborn(FakePlayer):
    """Takes no orders any more."""

    full = False

    def start(self, play: StartPlay) -> None:
        if self.full:
            raise PlayerError("orders wait")
        if play.at > self._clock():
            self.orders.append(play)
            self.playing[play.play_id] = play  # it begins later
        else:
            super().start(play)

    def fail(self, play_id: PlayId, reason: Reason) -> None:
        """What it plays ends, or never begins."""
        del self.playing[play_id]
        self._reports(PlayEnded(play_id, {}, 0, 0, self._clock(), reason))


class Desk:
    """Two cards in memory, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = MonoMs(50_000)
        self.told: list[PlayReport] = []
        self.cards: dict[str, Stubborn] = {}
        self.needed: dict[str, Callable[[], bool]] = {}
        served = {"one": Served((LEFT,), self._maker("one")), "other": Served((RIGHT,), self._maker("other"))}
        self.player: Player = CardsPlayer(served, self.told.append, lambda: self.now)

    def _maker(self, name: str) -> Callable[[Reports, Callable[[], bool]], Player]:
        def make(reports: Reports, needed: Callable[[], bool]) -> Player:
            self.needed[name] = needed
            self.cards[name] = Stubborn(reports, lambda: self.now)
            return self.cards[name]

        return make

    def start(self, name: str, *zones: str, at: int = 0, urgent: bool = False) -> None:
        self.player.start(StartPlay(PlayId(name), (), feeds(*zones), MonoMs(at or self.now), urgent=urgent))  # type: ignore[arg-type]


def test_each_card_gets_its_own_zones_and_all_the_same_instant() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT, at=90_000)
    (one,), (two,) = desk.cards["one"].orders, desk.cards["other"].orders
    assert isinstance(one, StartPlay)
    assert isinstance(two, StartPlay)
    assert (one.feeds, two.feeds) == (feeds(LEFT), feeds(RIGHT))
    assert one.at == two.at == 90_000


def test_what_was_ordered_as_early_as_a_relay_is_not_put_off() -> None:
    """A contact takes 20 ms of its lead; other stations begin at the planned instant too."""
    desk = Desk()
    desk.start("p", LEFT, RIGHT, at=desk.now + RELAY_LEAD_MS - 20)
    (one,) = desk.cards["one"].orders
    assert isinstance(one, StartPlay)
    assert one.at == desk.now + RELAY_LEAD_MS - 20


def test_an_order_told_twice_is_told_once() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    desk.start("p", LEFT, RIGHT)
    assert len(desk.cards["one"].orders) == 1


def test_a_route_tells_every_card_of_the_play_who_hears_it_there() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    desk.player.route(RoutePlay(PlayId("p"), feeds(RIGHT)))
    assert desk.cards["one"].orders[-1] == RoutePlay(PlayId("p"), ())
    assert desk.cards["other"].orders[-1] == RoutePlay(PlayId("p"), feeds(RIGHT))


def test_a_route_to_a_card_that_the_play_was_not_started_with_is_our_own_mistake() -> None:
    desk = Desk()
    desk.start("p", LEFT)
    with pytest.raises(AssertionError, match="not started with"):
        desk.player.route(RoutePlay(PlayId("p"), feeds(RIGHT)))


def test_the_sign_of_life_is_that_of_the_slowest_card_that_plays() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    desk.now = MonoMs(51_000)
    desk.cards["other"].wedge()
    desk.now = MonoMs(52_000)
    assert desk.player.alive_at() == 51_000
    desk.cards["other"].unwedge()
    assert desk.player.alive_at() == 52_000


def test_a_card_that_plays_nothing_owes_no_sign_of_life() -> None:
    desk = Desk()
    desk.cards["other"].wedge()
    desk.now = MonoMs(60_000)
    desk.start("p", LEFT)
    assert desk.player.alive_at() == 60_000


def test_a_card_that_was_idle_for_long_owes_its_first_sign_from_its_first_sound_on() -> None:
    """Its last one is hours old: taken for the play's, it would open every relay at once."""
    desk = Desk()
    desk.start("p", LEFT)
    desk.cards["other"].wedge()
    desk.now = MonoMs(9_000_000)
    before = desk.player.alive_at()
    desk.start("q", RIGHT, at=9_001_000)
    assert before <= desk.player.alive_at() == 9_000_000
    desk.now = MonoMs(9_002_000)
    assert desk.player.alive_at() == 9_001_000


def test_a_card_is_given_up_for_its_own_silence_and_not_for_a_pause_of_us_all() -> None:
    """A machine that stood still for a moment has stopped nobody's sound for good."""
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    for _ in range(3):
        desk.now = MonoMs(desk.now + 1_000)
        desk.player.alive_at()
    for card in desk.cards.values():
        card.wedge()
    desk.now = MonoMs(desk.now + STUCK_MS + 100)
    desk.player.alive_at()
    for card in desk.cards.values():
        card.unwedge()
    assert desk.player.alive_at() == desk.now
    assert not [report for report in desk.told if not isinstance(report, PlayStarted)]
    desk.cards["other"].wedge()
    for _ in range(3):
        desk.now = MonoMs(desk.now + 900)
        desk.player.alive_at()
    assert [report for report in desk.told if isinstance(report, ZonesLost)]


def test_what_became_of_a_stuck_card_is_told_before_the_process_ends_for_it() -> None:
    desk = Desk()
    desk.start("p", RIGHT)
    desk.cards["other"].wedge()
    while not any(isinstance(report, PlayEnded) for report in desk.told):
        desk.now = MonoMs(desk.now + 100)
        desk.player.alive_at()
    desk.now = MonoMs(desk.now + LAST_WORD_MS - 1)
    desk.player.alive_at()
    desk.now = MonoMs(desk.now + 1)
    with pytest.raises(CardHangs, match="other"):
        desk.player.alive_at()


def test_a_card_that_takes_no_orders_is_given_up_and_the_other_goes_on() -> None:
    desk = Desk()
    desk.cards["other"].full = True
    desk.start("p", LEFT, RIGHT)
    assert ZonesLost(PlayId("p"), (RIGHT,), Reason.DEVICE_FAILED) in desk.told
    desk.cards["one"].finish(PlayId("p"))
    (end,) = [report for report in desk.told if isinstance(report, PlayEnded)]
    assert end.reason is None


def test_a_hung_card_asks_in_vain_while_others_play_and_not_afterwards() -> None:
    desk = Desk()
    assert not desk.needed["other"]()
    desk.start("p", LEFT, RIGHT)
    assert desk.needed["other"]()
    desk.cards["one"].finish(PlayId("p"))
    assert not desk.needed["other"](), "its own play is no reason"
    assert desk.needed["one"]()


def test_sound_that_one_card_found_altered_is_stopped_on_the_other() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    desk.cards["one"].fail(PlayId("p"), Reason.AUDIO_ALTERED)
    assert desk.cards["other"].orders[-1] == StopPlay(PlayId("p"))
    (end,) = [report for report in desk.told if isinstance(report, PlayEnded)]
    assert end.reason is Reason.AUDIO_ALTERED


def test_what_could_not_begin_calls_for_a_card_until_something_begins_there() -> None:
    desk = Desk()
    desk.start("bulletin", LEFT)
    desk.start("flood", RIGHT, at=desk.now + 1_000, urgent=True)
    desk.cards["other"].fail(PlayId("flood"), Reason.DEVICE_FAILED)
    assert not desk.needed["other"]()
    desk.start("again", RIGHT)
    assert desk.needed["other"]()


def test_closing_tells_the_end_of_what_no_card_has_ended() -> None:
    desk = Desk()
    desk.start("p", LEFT, RIGHT)
    desk.cards["other"].wedge()
    desk.player.close()
    (end,) = [report for report in desk.told if isinstance(report, PlayEnded)]
    assert end.reason is Reason.SHUTDOWN
    desk.player.stop(StopPlay(PlayId("p")))
    desk.player.route(RoutePlay(PlayId("p"), feeds(LEFT)))
