"""How many orders a key may give in an hour: a thief of it wears no card out, and keeps nobody from anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, get_args

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import records
from edge_agent.core.as_run import RecordKind
from edge_agent.core.events import Rejected, Restored
from edge_agent.core.intake import REFUSALS_A_DAY
from edge_agent.core.job import Audience, JobClass, PlayNow
from edge_agent.core.key_hours import ORDERS_AN_HOUR, sort_of
from edge_agent.core.order import (
    AcceptedRule,
    Action,
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Command,
    Heading,
    Lock,
    Loosening,
    NextItem,
    Pause,
    Rank,
    Regulation,
    Restart,
    Resume,
    RuleOrder,
    SelfTest,
    SetVolume,
    Stop,
    Timetable,
    Window,
)
from edge_agent.core.past import Logged, Sort
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, LocalPolicy
from edge_agent.core.state import Given
from edge_agent.core.units import HOUR_MS, JobId, MonoMs, UtcMs
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
    bench.state = replace(bench.state, given=given)
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


def test_the_same_bytes_are_taken_in_the_next_hour() -> None:
    bench = used_up(at_work(), Sort.OTHER)
    later = replace(bench.accept(bench.make(when={"kind": "at", "utc": bench.now.utc + 2 * HOUR_MS})), signers=(KEY,))
    bench.arrive(later)
    bench.pass_s(3_600)
    bench.arrive(later)
    assert bench.answers() == [NO_MORE, ACCEPTED]


def logged(number: int, at: int = 0, *, sort: Sort = Sort.OTHER, refused: Reason | None = None) -> Logged:
    return Logged(f"d{number}", (KEY,), sort, refused, MonoMs(at))


@pytest.mark.parametrize(
    ("tells", "answer"),
    [
        ([logged(number) for number in range(ORDERS_AN_HOUR)], NO_MORE),
        ([logged(1) for _ in range(ORDERS_AN_HOUR)], ACCEPTED),
        ([logged(number, -1) for number in range(ORDERS_AN_HOUR)], ACCEPTED),
        ([logged(number, sort=Sort.SILENCE) for number in range(ORDERS_AN_HOUR)], ACCEPTED),
        ([logged(number, refused=Reason.EXPIRED) for number in range(ORDERS_AN_HOUR)], ACCEPTED),
    ],
    ids=["this hour's", "one that recurs", "of the hour before", "of another sort", "refused"],
)
def test_a_restart_that_a_thief_has_ordered_gives_him_no_new_hour(
    tells: list[Logged], answer: tuple[str, str | None]
) -> None:
    bench = Bench()
    hour = bench.now.mono // HOUR_MS * HOUR_MS
    told = tuple(replace(one, at=MonoMs(hour + one.at)) for one in tells)
    bench.send(Restored((), (), {}, 0, 0, "e1", logged=told))
    bulletin(bench)
    assert bench.answers()[-1] == answer


def test_nor_new_records_of_what_is_refused() -> None:
    bench = Bench()
    told = [logged(number, bench.now.mono, refused=Reason.WRONG_AUDIENCE) for number in range(REFUSALS_A_DAY - 1)]
    bench.send(Restored((), (), {}, 0, 0, "e1", logged=tuple(told)))
    for number in range(3):
        bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest=f"new-{number}"))
    assert len(bench.every(fx.CommitRecord)) == 1


NOW = UtcMs(makers.NOON)
HEADING = Heading(JobId("x"), makers.ISSUER, "commune", 0, 1, NOW, NOW, NOW, Audience(*[frozenset[Any]()] * 3))
ACTIONS = (
    *(AllStop(60_000), Amplify(on=True, for_ms=1), Ask(date(2026, 10, 1)), Cancel(JobId("x"), NOW), Lock(60_000)),
    *(Choose(JobId("x"), PlayNow()), NextItem(), Pause(60_000), Rank((JobId("x"),)), Restart(), Resume(), SelfTest()),
    *(SetVolume(1), Stop()),
)
ORDERS = [
    *(Command(HEADING, action) for action in ACTIONS),
    Window(HEADING, NOW, NOW, "Gia đình có tang", None),
    Window(HEADING, NOW, NOW, "Tết", Loosening(frozenset({JobClass.NORMAL}), 1)),
    Regulation(HEADING, 1, "12/2026/QĐ-UBND", date(2026, 10, 1), LocalPolicy((STANDARD,))),
    Timetable(HEADING, "main", 1, ()),
]


def test_a_record_tells_the_sort_that_each_kind_of_order_was_counted_among() -> None:
    assert {type(action) for action in ACTIONS} == {*get_args(Action)}
    assert {type(order) for order in ORDERS} == {*get_args(RuleOrder)}
    for order in ORDERS:
        told = records.sort_told(RecordKind.RULE, JobClass.NORMAL, records.told(order))
        assert told is sort_of(AcceptedRule(order, "digest", (KEY,), "xa")), order
    assert records.sort_told(RecordKind.PLAY, JobClass.EMERGENCY, "") is Sort.WARNING
    assert records.sort_told(RecordKind.PLAY, JobClass.PRIORITY, "stop") is Sort.OTHER
