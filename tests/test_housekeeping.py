"""The house is kept at its own pace, by a clock that nobody steps, and never twice for one delay."""

from __future__ import annotations

from edge_agent.core.units import MonoMs
from edge_agent.housekeeping import Chore, Housekeeping

BOOT = 77_000


class House:
    """``done`` is what was reminded of, and when."""

    def __init__(self, first_ms: int | None = None, **every_ms: int) -> None:
        self.now = MonoMs(BOOT)
        self.done: list[tuple[str, int]] = []
        chores = [
            Chore(lambda name=name: self.done.append((name, self.now - BOOT)), ms, first_ms)
            for name, ms in every_ms.items()
        ]
        self.keeping = Housekeeping(chores, lambda: self.now)

    def live(self, until_ms: int) -> None:
        """Sleep exactly as long as it says each time."""
        while (wait_ms := self.keeping.turn()) <= until_ms - (self.now - BOOT):
            self.now = MonoMs(self.now + wait_ms)


def test_each_chore_comes_after_each_of_its_spans() -> None:
    house = House(heartbeat=300, sweep=700)
    house.live(1_000)
    assert house.done == [("heartbeat", 300), ("heartbeat", 600), ("sweep", 700), ("heartbeat", 900)]


def test_nothing_is_due_at_once() -> None:
    house = House(heartbeat=300)
    assert house.keeping.turn() == 300
    assert house.done == []


def test_what_may_not_wait_a_whole_span_comes_sooner_the_first_time_and_then_after_each_span() -> None:
    house = House(first_ms=50, sweep=700)
    house.live(1_500)
    assert house.done == [("sweep", 50), ("sweep", 750), ("sweep", 1_450)]


def test_a_machine_that_stood_still_catches_up_once() -> None:
    house = House(heartbeat=300)
    house.now = MonoMs(BOOT + 10_000)
    assert house.keeping.turn() == 300
    assert house.done == [("heartbeat", 10_000)]


def test_it_does_not_wake_before_something_is_due() -> None:
    house = House(heartbeat=300, hello=21_600, sweep=86_400)
    waits = 0
    while house.now < BOOT + 86_400:
        house.now = MonoMs(house.now + house.keeping.turn())
        waits += 1
    assert waits <= 86_400 // 300 + 1
