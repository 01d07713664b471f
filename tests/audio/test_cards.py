"""What ``CardsPlayer`` tells each card, and when it gives one up: orders and signs of life, by players that obey."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.audio.card import CardHangs
from edge_agent.audio.cards import LAST_WORD_MS, STUCK_MS, CardsPlayer, Served
from edge_agent.audio.port import Player, PlayerError, PlayReport, Reports
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayStarted, ZonesLost
from edge_agent.core.reasons import Reason
from edge_agent.core.switching import RELAY_LEAD_MS
from edge_agent.core.units import MonoMs, PlayId
from tests.audio.player_rig import LEFT, RIGHT, feeds
from tests.fakes.device import FakePlayer


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
