"""Who keeps a place at a server: whoever has asked, and nobody by saying nothing."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.headend.places import PLACES_MAX, PLACES_PER_ADDRESS_MAX, Places

STATION, THIEF = "10.0.0.7", "203.0.113.9"


@dataclass(eq=False)
class Line:
    """A connection that knows whether it was hung up."""

    ended: bool = False

    def hang_up(self) -> None:
        self.ended = True


def taken(places: Places, address: str, count: int = 1) -> list[Line]:
    lines = [Line() for _ in range(count)]
    assert all(places.take(line, address) for line in lines)
    return lines


def asking(places: Places, address: str, count: int = 1) -> list[Line]:
    lines = taken(places, address, count)
    for line in lines:
        places.asked(line)
    return lines


def refused(places: Places, address: str) -> bool:
    return not places.take(Line(), address)


def test_the_oldest_that_owes_its_question_gives_its_place_to_whoever_comes() -> None:
    places = Places(3)
    first, second, third = taken(places, THIEF, 3)
    taken(places, STATION)
    assert [line.ended for line in (first, second, third)] == [True, False, False]


def test_whoever_is_being_answered_keeps_his_place_until_he_owes_the_next_question() -> None:
    places = Places(2)
    (answered,) = asking(places, STATION)
    (silent,) = taken(places, THIEF)
    taken(places, STATION)
    assert (answered.ended, silent.ended) == (False, True)
    places.owes(answered)
    taken(places, THIEF, 2)
    assert answered.ended


def test_whoever_was_answered_before_gives_way_before_whoever_was_not() -> None:
    places = Places(3)
    (waiting,) = taken(places, STATION)
    rude = asking(places, STATION, 2)
    for line in rude:
        places.owes(line)
    taken(places, STATION, 2)
    assert [line.ended for line in (waiting, *rude)] == [False, True, True]


def test_without_one_that_owes_there_is_no_place() -> None:
    places = Places(2)
    asking(places, STATION, 2)
    assert refused(places, THIEF)


def test_an_address_has_so_many_places_and_takes_further_ones_from_itself() -> None:
    places = Places(10, 3)
    (other,) = taken(places, STATION)
    first, *_ = lines = taken(places, THIEF, 3)
    taken(places, THIEF)
    assert [line.ended for line in lines] == [True, False, False]
    assert not other.ended
    assert first.ended
    full = Places(10, 3)
    asking(full, THIEF, 3)
    assert refused(full, THIEF)
    assert not refused(full, STATION)


def test_where_all_is_full_the_address_loses_that_holds_most_silent_ones() -> None:
    places = Places(5, 4)
    (station,) = taken(places, STATION)  # the oldest of all
    first, *rest = taken(places, THIEF, 4)
    taken(places, "10.0.0.8")
    assert first.ended
    assert not station.ended
    assert not any(line.ended for line in rest)


def test_places_come_back_and_who_has_lost_his_counts_no_more() -> None:
    places = Places(2)
    first, second = asking(places, STATION, 2)
    places.leave(first)
    (third,) = taken(places, STATION)
    taken(places, STATION)  # in the place of the third
    places.asked(third)
    places.owes(third)
    places.leave(third)
    assert refused(places, STATION) is False
    assert (second.ended, third.ended) == (False, True)


def test_a_commune_behind_one_address_of_a_mobile_network_has_places_enough() -> None:
    assert 200 < PLACES_PER_ADDRESS_MAX < PLACES_MAX, "and somebody at another address finds one"
    places = Places()
    asking(places, STATION, 50)
    taken(places, THIEF, PLACES_MAX * 2)
    assert not refused(places, STATION)
