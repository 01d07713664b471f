"""Whatever a ward signs, in whatever order it comes, doubled, and with restarts between: a station ends up the same.

Compared is all that anybody could notice (``arrivals.settled``): which documents stand, what waits, what is laid down,
and what will sound where on the days to come. What has no good answer is sent again, as servers do. Two orders never
have the same number among equals, the same id or the same instant, for between equals receipt decides (protocol 8.3).
Two things do depend on what came first, and ``test_races`` has each by its name: an all-clear sounds where its warning
was heard before; a version of a timetable or a regulation that was taken back before it came has replaced nothing.

The suite tries some new examples each time; ``ARRIVAL_EXAMPLES=5000`` tries that many.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.arrivals import WARD, Arrivals, came, sent_again, settled

EXAMPLES = int(os.environ.get("ARRIVAL_EXAMPLES", "40"))
MESSAGES_MAX, AGAIN_MAX, RESTARTS_MAX = 14, 4, 2
"""Two restarts: an emergency that has begun is tried three times in all, so a third would end it."""

TELLING = {"province", "sang", "toi", "dem", "regulation 3", "silence", "lock", "volume again"}
"""Of every kind one that nothing else in the ward makes up for."""

Delivered = tuple[list[str], list[int]]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Delivered, Delivered]:
    """Some of the ward's messages in two orders, each with repetitions and restarts of its own."""
    chosen = draw(st.lists(st.sampled_from(sorted(WARD)), min_size=2, max_size=MESSAGES_MAX, unique=True))
    return _delivered(draw, chosen), _delivered(draw, chosen)


def _delivered(draw: st.DrawFn, chosen: list[str]) -> Delivered:
    again = draw(st.lists(st.sampled_from(chosen), max_size=AGAIN_MAX))
    order = draw(st.permutations([*chosen, *again]))
    return order, draw(st.lists(st.integers(0, len(order) - 1), max_size=RESTARTS_MAX, unique=True))


def ends_up(names: list[str], restarts: list[int]) -> Arrivals:
    messages = [WARD[name] for name in names]
    return sent_again(came(messages, restarts), messages)


@settings(max_examples=EXAMPLES)
@given(deliveries())
def test_the_order_of_arrival_changes_nothing(both: tuple[Delivered, Delivered]) -> None:
    one, other = (settled(ends_up(*delivered)) for delivered in both)
    assert one == other


@pytest.mark.deep
def test_what_is_compared_tells_one_ward_from_another() -> None:
    """So that the test above can fail: taken away alone, each of these is missed."""
    whole = settled(ends_up(list(WARD), []))
    missed = {name for name in TELLING if settled(ends_up([other for other in WARD if other != name], [])) != whole}
    assert missed == TELLING
