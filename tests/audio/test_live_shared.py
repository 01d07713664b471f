"""A live part that several cards relay: decided once, the same for all, whoever asks first, is held up or leaves."""

from __future__ import annotations

import threading

import pytest

from edge_agent.audio.live import BLOCK_MS, SILENT_MS, STAY_MS, TARGET_MS, Choice, Source
from edge_agent.audio.live_shared import KEPT, Decided, LivePart, LivePlay, LiveShared
from edge_agent.core.units import ClipKey, PlayId
from tests.audio.live_play import CARD_MS, SOURCE, Tape, Time, counted, steady

HANG_S = 30
PLAY = PlayId("p")


class Street:
    """Cards that relay one source in one play. Time passes by blocks."""

    def __init__(self, cards: int = 2) -> None:
        self.now = Time()
        self.tape = Tape(self.now, steady, counted)
        self.shared = LiveShared(self.tape, [CARD_MS] * cards)
        self.plays = [self.join() for _ in range(cards)]
        self.parts = [play.part(SOURCE, 0) for play in self.plays]

    def join(self) -> LivePlay:
        play = self.shared.play(PLAY)
        play.open(SOURCE)
        return play

    def next(self, part: LivePart, at_once: int = 0) -> Decided:
        return part.next_block(stands_in=True, at_once=at_once)

    def ahead(self, part: LivePart, blocks: int) -> list[Decided]:
        heard = []
        for _ in range(blocks):
            heard.append(self.next(part))
            self.now.ms += BLOCK_MS
        return heard


@pytest.mark.parametrize("behind", [1, 38, KEPT])
def test_a_card_that_comes_later_hears_what_the_first_one_heard(behind: int) -> None:
    """Of a source that is lost meanwhile, and whose ring has gone round by then."""
    street = Street()
    one, other = street.parts
    street.tape.given = lambda ms: steady(ms if ms < 2_000 else max(ms - 8_000, 2_000))
    first = street.ahead(one, behind)
    later = [street.next(other) for _ in range(behind)]
    assert later == first
    assert street.ahead(one, 3 * KEPT)[-1].choice.source is Source.LIVE


def test_who_comes_first_to_a_block_decides_it() -> None:
    street = Street()
    one, other = street.parts
    heard: list[list[Decided]] = [[], []]
    for turn in range(60):
        for card in (0, 1) if turn % 3 else (1, 0):
            heard[card].append(street.next((one, other)[card]))
        street.now.ms += BLOCK_MS
    assert heard[0] == heard[1]
    assert [number for _, number in street.tape.reads] == [decided.choice.number for decided in heard[0]]


def test_each_part_and_each_play_is_decided_anew() -> None:
    street = Street()
    street.ahead(street.parts[0], 50)
    again = [play.part(SOURCE, 123) for play in street.plays]
    heard = [street.next(part) for part in again]
    assert heard[0] == heard[1]
    assert heard[0].number == 0
    assert heard[0].choice.number > street.tape.reads[49][1] - 1
    elsewhere = street.shared.play(PlayId("q"))
    elsewhere.open(SOURCE)
    assert street.next(elsewhere.part(SOURCE, 0)).number == 0
    assert len(street.tape.reads) == 52


def test_a_card_that_was_held_up_for_longer_than_is_remembered_goes_on_where_the_others_are() -> None:
    street = Street()
    one, other = street.parts
    street.ahead(other, 5)
    heard = street.ahead(one, KEPT + 6)
    caught_up = [street.next(other, at_once=3 - asked) for asked in range(4)]
    assert caught_up == heard[-4:]
    assert street.next(other) == street.next(one)


def test_it_goes_on_with_the_oldest_that_is_remembered_where_it_needs_more_than_that_at_once() -> None:
    street = Street()
    one, other = street.parts
    heard = street.ahead(one, KEPT + 1)
    assert street.next(other, at_once=2 * KEPT) == heard[1]


def test_what_the_others_have_long_passed_is_silence_until_the_next_part() -> None:
    street = Street()
    one, other = street.parts
    street.ahead(one, 10)
    heard = street.ahead(street.plays[0].part(SOURCE, 123), KEPT)
    assert [street.next(other).choice for _ in range(3)] == [Choice(Source.SILENCE)] * 3
    assert street.next(street.plays[1].part(SOURCE, 123)) == heard[0]


def test_no_more_is_remembered_than_may_be_asked_for() -> None:
    for cards, kept in ((1, 1), (2, KEPT), (4, KEPT)):
        street = Street(cards)
        street.ahead(street.parts[0], 3 * KEPT)
        (play,) = street.shared._plays.values()
        assert len(play._decided) == kept


def test_a_card_that_leaves_takes_nothing_from_the_others_and_the_last_one_gives_the_source_back() -> None:
    street = Street()
    one, other = street.parts
    first = street.ahead(one, 20)
    street.plays[0].close()
    street.plays[0].close()
    assert street.tape.open == 1
    assert [street.next(other) for _ in range(20)] == first
    assert street.next(other).choice.number == first[-1].choice.number + 1
    street.plays[1].close()
    assert street.tape.open == 0
    assert not street.shared._plays


def test_a_source_that_takes_its_time_to_be_given_back_holds_no_other_play_up() -> None:
    """A line-in whose device hangs."""
    street, gate, closing = Street(cards=1), threading.Event(), threading.Event()

    def hang() -> None:
        closing.set()
        gate.wait(HANG_S)

    street.tape.close = hang  # type: ignore[method-assign]
    thread = threading.Thread(target=street.plays[0].close)
    thread.start()
    assert closing.wait(HANG_S)
    elsewhere = street.shared.play(PlayId("q"))
    elsewhere.open(SOURCE)
    assert street.next(elsewhere.part(SOURCE, 0)).choice.source is Source.LIVE
    gate.set()
    thread.join()


def test_two_threads_at_once_hear_the_same() -> None:
    street = Street()
    heard: list[list[Decided]] = [[], []]

    def relay(card: int) -> None:
        for _ in range(KEPT):
            heard[card].append(street.next(street.parts[card]))
            if card == 0:
                street.now.ms += BLOCK_MS

    threads = [threading.Thread(target=relay, args=(card,)) for card in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert len(heard[0]) == KEPT
    assert heard[0] == heard[1]


def test_a_source_that_ran_dry_is_back_for_all_cards_with_the_same_block() -> None:
    street = Street()
    street.tape.given = lambda ms: ms + TARGET_MS if ms < 3_000 else max(ms - 9_000, 3_000) + TARGET_MS
    heard = [[street.next(part)] for part in street.parts]
    for turn in range(200):
        street.now.ms += BLOCK_MS
        for card in (0, 1) if turn % 2 else (1, 0):
            heard[card].append(street.next(street.parts[card]))
    assert heard[0] == heard[1]
    told = [decided.choice.source for decided in heard[0]]
    assert told.count(Source.SILENCE) == SILENT_MS // BLOCK_MS
    assert told.count(Source.STAND_IN) >= STAY_MS // BLOCK_MS
    assert told[-1] is Source.LIVE


def test_sources_are_opened_once_however_many_parts_and_cards_relay_them() -> None:
    street = Street(cards=3)
    street.plays[0].open(SOURCE)
    assert street.tape.open == 1
    with pytest.raises(AssertionError):
        street.plays[0].open(ClipKey("another"))
