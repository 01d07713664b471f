from __future__ import annotations

from bench.places import Effort, place, why


def test_the_least_is_first_whatever_it_is_called() -> None:
    assert place({"mpv": 12.0, "station": 10.0, "mpd": 9.0}, "ms") == (
        "station is 2nd of 3: mpd 9 ms, station 10 ms, mpv 12 ms"
    )
    assert place({str(at): at for at in range(1, 22)}, "ms", "11").startswith("11 is 11th of 21: ")
    assert place({str(at): at for at in range(1, 22)}, "ms", "21").startswith("21 is 21st of 21: ")


def test_what_a_wake_up_costs_is_the_share_of_a_core_by_their_number() -> None:
    assert Effort(cpu=0.5, wakeups=10).each_us == 500


def test_who_wakes_less_often_and_costs_more_does_more_each_time() -> None:
    told = why("aplay", Effort(0.1, 20), Effort(0.3, 10))
    assert told == (
        "3 × aplay: 10 wake-ups a second at 300 µs against 20 at 50 µs, "
        "so it costs more by what it does at each of them"
    )


def test_who_costs_more_only_because_it_wakes_more_often_is_told_so() -> None:
    assert why("p", Effort(0.1, 10), Effort(0.3, 40)).endswith("so it costs more by how often it wakes")


def test_who_costs_less_is_told_by_what_saves_more() -> None:
    assert why("mpv", Effort(2.0, 400), Effort(0.5, 20)).endswith("so it costs less by how often it wakes")
    assert why("mpv", Effort(2.0, 20), Effort(0.5, 25)).endswith("so it costs less by what it does at each of them")
