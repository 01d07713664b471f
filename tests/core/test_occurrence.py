"""The transition table, looked at as a whole."""

from __future__ import annotations

import pytest

from edge_agent.core.occurrence import OPEN, OUTCOMES, TABLE, Cause, Phase, follow


def test_an_outcome_is_final() -> None:
    assert {phase for phase, _ in TABLE} == OPEN


def test_every_phase_and_every_cause_is_used() -> None:
    assert {cause for _, cause in TABLE} == set(Cause)
    assert set(TABLE.values()) | {Phase.RECEIVED} == set(Phase)


def test_from_every_open_phase_an_outcome_can_be_reached_and_nothing_loops_alone() -> None:
    reachable = set(OUTCOMES)
    for _ in OPEN:
        reachable |= {phase for (phase, _), to in TABLE.items() if to in reachable}
    assert reachable == set(Phase)


def test_nothing_sounds_without_having_been_armed() -> None:
    assert {phase for (phase, _), to in TABLE.items() if to is Phase.PLAYING} == {Phase.ARMED}


def test_a_move_that_is_not_in_the_table_is_our_own_bug() -> None:
    with pytest.raises(KeyError):
        follow(Phase.SUCCEEDED, Cause.DUE)
