"""How many orders a key may give in an hour: a thief of it wears no card out, and keeps nobody from anything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import Rejected, Restored
from edge_agent.core.intake import REFUSALS_A_DAY
from edge_agent.core.key_hours import DOCUMENTS_AN_HOUR, ORDERS_AN_HOUR
from edge_agent.core.order import (
    Cancel,
    NextItem,
    SetVolume,
    Stop,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.spent import Given, Sort, Spent
from edge_agent.core.trust_standing import AcceptedTrust
from edge_agent.core.units import HOUR_MS, JobId
from tests.core import homed
from tests.core.bench import Bench, at_work
from tests.trust import makers

ACCEPTED, NO_MORE = ("accepted", None), ("refused", "too_many_orders")
KEY = "k1"


def ordinary(bench: Bench, **by: Any) -> None:
    bench.rule(SetVolume(40), **by)


def silencing(bench: Bench, **by: Any) -> None:
    bench.rule(Stop(), **by)


def warning(bench: Bench, signers: tuple[str, ...] = (KEY,)) -> None:
    job = bench.make(**{"class": "emergency"}, job_id=f"flood-{len(bench.state.seen)}")
    bench.arrive(replace(bench.accept(job), signers=signers))


def bulletin(bench: Bench, signers: tuple[str, ...] = (KEY,)) -> None:
    job = bench.make(job_id=f"tin-{len(bench.state.seen)}", when={"kind": "at", "utc": bench.now.utc + HOUR_MS})
    bench.arrive(replace(bench.accept(job), signers=signers))


GIVES: dict[Sort, Callable[..., None]] = {Sort.OTHER: ordinary, Sort.SILENCE: silencing, Sort.WARNING: warning}


def used_up(bench: Bench, sort: Sort, left: int = 0) -> Bench:
    """The key has given so many in this hour but for a few."""
    given = Given(bench.now.mono // HOUR_MS, {(KEY, sort): ORDERS_AN_HOUR - left})
    bench.state = replace(bench.state, spent=Spent(given=given))
    return bench


def test_a_stolen_key_that_signs_without_end_has_a_station_write_so_many_orders_an_hour() -> None:
    bench = at_work()
    for _ in range(ORDERS_AN_HOUR + REFUSALS_A_DAY + 20):
        bench.rule(NextItem())
    assert bench.answers() == [ACCEPTED] * ORDERS_AN_HOUR + [NO_MORE] * (REFUSALS_A_DAY + 20)
    assert len(bench.every(fx.SaveJob)) == ORDERS_AN_HOUR
    assert len(bench.every(fx.CommitRecord)) == ORDERS_AN_HOUR + REFUSALS_A_DAY
    bench.pass_s(3_600)
    bench.rule(NextItem())
    assert bench.answers()[-1] == ACCEPTED, "in the next hour"


@pytest.mark.parametrize("sort", Sort)
def test_what_a_thief_has_used_up_keeps_nobody_from_anything_else(sort: Sort) -> None:
    for other in Sort:
        bench = used_up(at_work(), sort)
        GIVES[other](bench)
        assert bench.answers()[-1] == (NO_MORE if other is sort else ACCEPTED)
    bench = used_up(at_work(), sort)
    GIVES[sort](bench, signers=("k2",))
    assert bench.answers()[-1] == ACCEPTED, "nor a colleague"
    GIVES[sort](bench, signers=(KEY, "k2"))
    assert bench.answers()[-1] == ACCEPTED, "nor who signs beside him"


def test_broadcasts_and_commands_are_counted_together() -> None:
    bench = used_up(at_work(), Sort.OTHER, left=2)
    bulletin(bench)
    ordinary(bench)
    bulletin(bench)
    assert bench.answers() == [ACCEPTED, ACCEPTED, NO_MORE]


def test_an_order_of_two_keys_counts_for_each() -> None:
    bench = used_up(at_work(), Sort.OTHER, left=1)
    ordinary(bench, signers=(KEY, "k2"))
    ordinary(bench)
    assert bench.answers() == [ACCEPTED, NO_MORE]


def test_what_a_manifest_lists_is_taken_however_much_its_key_has_given() -> None:
    """A station that has lost everything is told all that is in force within minutes."""
    bench = used_up(at_work(), Sort.OTHER)
    bench.arrive(replace(bench.accept(bench.make()), signers=(KEY,)), vouched=True)
    assert bench.answers() == [ACCEPTED]


def test_what_is_given_in_the_next_hour_is_counted_as_what_was_given_in_the_one_before() -> None:
    bench = used_up(at_work(), Sort.OTHER)
    bench.pass_s(3_600)
    for _ in range(ORDERS_AN_HOUR + 1):
        ordinary(bench)
    assert bench.answers() == [ACCEPTED] * ORDERS_AN_HOUR + [NO_MORE]


def test_who_sends_orders_and_trust_documents_by_turns_has_no_more_of_either() -> None:
    bench = used_up(at_work(), Sort.OTHER, left=1)
    given = replace(bench.state.spent.given, documents={makers.AREA: DOCUMENTS_AN_HOUR - 1})
    bench.state = replace(bench.state, spent=Spent(given=given))
    for number in range(2):
        ordinary(bench)
        bench.arrive(AcceptedTrust(f"d-{number}", makers.AREA, bench.now.utc))
    assert bench.answers() == [ACCEPTED, ACCEPTED, NO_MORE, NO_MORE]


def test_what_is_refused_and_always_recorded_is_counted_as_what_is_taken() -> None:
    """No two alike, and each ends what it takes the place of: a correction of nothing, a job that is cancelled."""
    bench = at_work()
    bench.rule(Cancel(JobId("gone"), bench.now.utc + HOUR_MS), signers=("k2",))
    bench.said.clear()
    for number in range(ORDERS_AN_HOUR // 2 + REFUSALS_A_DAY):
        for ours in ({"job_id": f"right-{number}", "corrects": "nothing"}, {"job_id": "gone", "order": number}):
            bench.arrive(replace(bench.accept(bench.make(**ours), f"{number}-{ours['job_id']}"), signers=(KEY,)))
    refusals = Counter(reason for _, reason in bench.answers())
    half = ORDERS_AN_HOUR // 2
    assert refusals == {"not_heard_here": half, "cancelled": half, "too_many_orders": 2 * REFUSALS_A_DAY}
    assert len(bench.every(fx.CommitRecord)) == ORDERS_AN_HOUR + REFUSALS_A_DAY


def test_old_orders_that_a_stranger_sends_again_use_up_nothing_of_the_key_that_signed_them() -> None:
    bench = used_up(at_work(), Sort.OTHER, left=1)
    old = bench.accept(bench.make())
    bench.pass_s(900)
    for number in range(2):
        bench.arrive(replace(old, digest=f"old-{number}", signers=(KEY,)))
    ordinary(bench)
    assert bench.answers() == [("refused", "expired")] * 2 + [ACCEPTED]


def test_what_was_withdrawn_is_asked_about_however_much_its_key_has_given() -> None:
    """A thief who fills the hour keeps no honest order, left out by mistake, from being told of at the centre."""
    bench = homed.at_work()
    bench.give(bench.head(), upto=5)
    used_up(bench, Sort.OTHER)
    bench.arrive(replace(bench.accept(bench.make(job_id="bulletin", serial=5)), signers=(KEY,)))
    assert bench.answers() == [("refused", "withdrawn")]


def test_the_same_bytes_are_taken_in_the_next_hour() -> None:
    bench = used_up(at_work(), Sort.OTHER)
    later = replace(bench.accept(bench.make(when={"kind": "at", "utc": bench.now.utc + 2 * HOUR_MS})), signers=(KEY,))
    bench.arrive(later)
    bench.pass_s(3_600)
    bench.arrive(later)
    assert bench.answers() == [NO_MORE, ACCEPTED]


def restarted(bench: Bench, spent: Spent) -> Bench:
    """A new process of the same boot, with what the one before has handed on."""
    again = Bench()
    again.now = bench.now
    again.send(Restored((), (), {}, 0, 0, "e1", spent=spent))
    return again


@pytest.mark.parametrize(("hours", "answer"), [(0, NO_MORE), (1, ACCEPTED), (-1, ACCEPTED)])
def test_a_restart_that_a_thief_has_ordered_gives_him_no_new_hour(hours: int, answer: tuple[str, str | None]) -> None:
    bench = used_up(at_work(), Sort.OTHER)
    given = bench.state.spent.given
    again = restarted(bench, Spent(given=replace(given, hour=given.hour - hours)))
    bulletin(again)
    assert again.answers()[-1] == answer


@pytest.mark.parametrize("days", [0, 1])
def test_nor_new_records_of_what_is_refused(days: int) -> None:
    bench = Bench().boot()
    for number in range(REFUSALS_A_DAY - 1):
        bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest=f"old-{number}"))
    refusals = bench.state.spent.refusals
    again = restarted(bench, Spent(refusals=replace(refusals, day=refusals.day - days)))
    for number in range(3):
        again.arrive(Rejected(Reason.WRONG_AUDIENCE, digest=f"new-{number}"))
    assert len(again.every(fx.CommitRecord)) == (3 if days else 1)
