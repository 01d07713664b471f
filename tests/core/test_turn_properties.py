"""Turns for every programme (requirement S8): whatever is ordered, commanded, cut or skipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.order import NextItem, Pause, Resume
from edge_agent.core.programme import (
    CLOSING,
    CLOSING_MS,
    ITEM_GAP_MS,
    OPENING,
    OPENING_MS,
    SIGNAL_MS,
    Part,
    Sound,
    length_ms,
    own_ms,
    rest_of,
    share_of,
)
from edge_agent.core.programme import Pause as Silence
from edge_agent.core.site import STANDARD_FRAME, Group
from edge_agent.core.turns import behind_item, reached, staggered, together
from edge_agent.core.units import ClipKey, JobId
from tests.core.bench import audience
from tests.core.neighbours import ONE, THREE, TWO, URGENT, bulletin, items_in_both_groups, ward
from tests.core.street_ears import HeardWard
from tests.trust import makers

commands = st.sampled_from(("pause", "next", "alarm", "alarm cho", "alarm dinh"))
programmes = st.fixed_dictionaries(
    {
        "keys": st.lists(st.sampled_from((ONE, TWO, THREE)), min_size=1, max_size=3, unique=True),
        "loops": st.integers(1, 2),
        "preemption": st.sampled_from(("rejoin", "resume", "restart", "drop")),
        "missed": st.sampled_from(({"policy": "skip"}, {"policy": "skip", "zones_s": 900})),
    }
)


def _do(station: HeardWard, number: int, what: str) -> None:
    if what == "pause":
        station.rule(Pause(60_000))
        station.pass_to(3)
        station.rule(Resume())
    elif what == "next":
        station.rule(NextItem())
    else:
        zones = what.split()[1:]
        alarm = {"items": [makers.text_item()], "audience": audience(*zones)}
        station.order(job_id=JobId(f"lu-{number}"), **alarm, **URGENT)


@given(
    programme=programmes,
    commanded=st.lists(st.tuples(st.floats(0, 40), commands), max_size=3),
    framed=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_at_no_instant_do_items_sound_in_both_groups_and_chimes_are_simultaneous(
    programme: dict[str, Any], commanded: list[tuple[float, str]], framed: bool
) -> None:
    station = ward(**({} if framed else {"frame": replace(STANDARD_FRAME, opening=False, closing=False)}))
    keys, rest = programme["keys"], {name: value for name, value in programme.items() if name != "keys"}
    bulletin(station, *keys, **rest)
    station.pass_to(59)
    for number, (seconds, what) in enumerate(commanded):
        station.pass_to(seconds)
        _do(station, number, what)
    station.pass_to(1_000)
    assert items_in_both_groups(station.street()) == []
    for play_id in station.runs:
        for signal, lasts_ms in SIGNAL_MS.items():
            heard = [(begin, end) for _, begin, end, what in station.street(play_id) if what == signal]
            first, last = min(heard, default=(0, 0))[0], max((end for _, end in heard), default=0)
            assert last - first <= lasts_ms, "a signal that is heard here and later there"
    assert not station.state.plays


lengths = st.integers(1, 5_000)
bodies = st.lists(st.tuples(st.sampled_from((ONE, TWO, THREE)), lengths, st.booleans()), min_size=1, max_size=4)


def laid_out(body: list[tuple[ClipKey, int, bool]], opening: bool, closing: bool) -> tuple[Part, ...]:
    parts: list[Part] = [Sound(OPENING, OPENING_MS), Silence(ITEM_GAP_MS)] if opening else []
    for key, ms, pause in body:
        parts += [Silence(ITEM_GAP_MS), Sound(key, ms)] if pause else [Sound(key, ms)]
    return (*parts, *([Silence(ITEM_GAP_MS), Sound(CLOSING, CLOSING_MS)] if closing else []))


def unmarked(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(replace(part, group=None) for part in parts)  # type: ignore[call-arg]


@given(bodies, st.booleans(), st.booleans(), st.integers(1, 10_000))
def test_each_group_hears_what_was_ordered_and_nothing_else(
    body: list[tuple[ClipKey, int, bool]], opening: bool, closing: bool, gap_ms: int
) -> None:
    parts = laid_out(body, opening, closing)
    turns = staggered(parts, gap_ms)
    assert [unmarked(share_of(turns, group)) for group in Group] == [parts, parts]
    assert together(turns) == parts
    assert own_ms(turns) == own_ms(parts)
    assert length_ms(turns) == length_ms(parts) + own_ms(parts) + gap_ms


@given(bodies, st.booleans(), st.booleans(), st.integers(1, 10_000), st.floats(0, 1))
def test_wherever_it_is_cut_nothing_of_it_is_lost_and_nothing_comes_twice(
    body: list[tuple[ClipKey, int, bool]], opening: bool, closing: bool, gap_ms: int, share: float
) -> None:
    turns = staggered(laid_out(body, opening, closing), gap_ms)
    cut_ms = round(share * length_ms(turns))
    rest = rest_of(turns, cut_ms)
    heard = [(group, length_ms(share_of(turns, group)) - length_ms(share_of(rest, group))) for group in Group]
    place = reached(turns, heard)
    assert place <= cut_ms
    again = rest_of(turns, place)
    for group in Group:
        assert length_ms(share_of(again, group)) == length_ms(share_of(rest, group))


@given(bodies, st.integers(1, 10_000), st.floats(0, 1))
def test_whatever_is_skipped_both_groups_go_on_with_the_same_items(
    body: list[tuple[ClipKey, int, bool]], gap_ms: int, share: float
) -> None:
    parts = tuple(part for part in laid_out(body, opening=False, closing=True))
    first_ms = own_ms(parts)
    left = behind_item(staggered(parts, gap_ms), min(round(share * first_ms), first_ms - 1))
    items = [[part.key for part in share_of(left, group) if isinstance(part, Sound)] for group in Group]
    count = len(items[0])
    assert items[0] == items[1][len(items[1]) - count :] if count else True
    assert not left or len(items[1]) >= len(items[0])
