"""What makes one session, against looking at every moment of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.sessions import SESSION_GAP_MS, Span, session_start, sessions, sounding_ms
from edge_agent.core.units import UtcMs

GAP = SESSION_GAP_MS // 1_000
SOUNDS = st.lists(st.tuples(st.integers(0, 600), st.integers(1, 90)), max_size=6)
# Begin and length, in seconds.


def spans_of(sounds: list[tuple[int, int]]) -> list[Span]:
    return [(UtcMs(first * 1_000), UtcMs((first + lasts) * 1_000)) for first, lasts in sounds]


@given(SOUNDS)
def test_something_sounds_for_as_long_as_somebody_who_listens_each_second_hears_it(
    sounds: list[tuple[int, int]],
) -> None:
    heard = {second for first, lasts in sounds for second in range(first, first + lasts)}
    assert sounding_ms(spans_of(sounds)) == len(heard) * 1_000


@given(SOUNDS)
def test_a_session_begins_where_it_was_silent_for_a_minute_before(sounds: list[tuple[int, int]]) -> None:
    heard = {second for first, lasts in sounds for second in range(first, first + lasts)}
    begun = [second for second in sorted(heard) if not heard & {*range(second - GAP, second)}]
    assert [first for first, _ in sessions(spans_of(sounds))] == [second * 1_000 for second in begun]


@given(SOUNDS, st.integers(0, 800))
def test_a_sound_goes_on_with_what_was_heard_less_than_a_minute_before(sounds: list[tuple[int, int]], at: int) -> None:
    heard = {second for first, lasts in sounds for second in range(first, first + lasts)}
    begun = at
    while near := heard & {*range(begun - GAP, begun)}:
        begun = min(near)
    assert session_start(spans_of(sounds), UtcMs(at * 1_000)) == begun * 1_000
