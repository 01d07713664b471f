"""How many rules a station keeps, and of whom: what one key has filled keeps nobody else from an order of his own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing
from edge_agent.core.order import (
    AcceptedRule,
    Action,
    AllStop,
    Ask,
    Cancel,
    Lock,
    NextItem,
    Pause,
    Rank,
    SetVolume,
    Stop,
)
from edge_agent.core.standing import (
    CANCELS_MAX,
    KEPT_MAX,
    OWN_SILENCERS_MAX,
    SILENCERS_MAX,
)
from edge_agent.core.state import State
from edge_agent.core.units import HOUR_MS, JobId, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work, audience
from tests.core.papers import LATER, regulation, silence
from tests.trust import makers

FLOOD = {"class": "emergency", "issuer": "ha-noi", "job_id": "flood"}
PROVINCE = {"issuer": "ha-noi", "level": "province", "signers": ("p1",)}
COLLEAGUE = {"signers": ("k2",)}
OWNER = {"issuer": makers.OWNER, "signers": ("o1",), "not_after": LATER}
ACCEPTED, NO_PLACE = ("accepted", None), ("refused", "too_many_jobs")


def cancel(number: int | str) -> Cancel:
    """Of what is not here, to be remembered for longer than any order is valid."""
    return Cancel(JobId(f"nothing-{number}"), UtcMs(makers.NOON + 399 * makers.DAY_MS))


@cache
def everything_taken() -> State:
    """A thief of one officer's key has taken every place that it can get."""
    bench = at_work()
    for number in range(CANCELS_MAX):
        bench.rule(cancel(number), order_id=JobId(f"taken-{number}"))
    for number in range(CANCELS_MAX, SILENCERS_MAX):
        bench.rule(Pause(HOUR_MS), order_id=JobId(f"taken-{number}"), zones=(CHO,))
    assert bench.answers() == [ACCEPTED] * SILENCERS_MAX
    return bench.state


def fill(bench: Bench) -> Bench:
    """So it is at this station, too."""
    rules, seen = {**bench.state.rules, **everything_taken().rules}, {**bench.state.seen, **everything_taken().seen}
    bench.state = replace(bench.state, rules=rules, seen=seen)
    return bench


def test_no_heap_of_other_orders_keeps_somebody_from_silence() -> None:
    bench = at_work()
    for number in range(CANCELS_MAX):
        bench.rule(cancel(number))
        assert bench.answers()[-1] == ACCEPTED
    for action in (SetVolume(40), cancel("more")):
        bench.rule(action)
        assert bench.answers()[-1] == NO_PLACE
    for silences in (Stop(), AllStop(60_000), Lock(60_000)):
        bench.rule(silences)
        assert bench.answers()[-1] == ACCEPTED


@pytest.mark.deep
@pytest.mark.parametrize("who", [PROVINCE, COLLEAGUE, {**PROVINCE, "signers": ("k1",)}])
@pytest.mark.parametrize(
    "action", [Lock(HOUR_MS), AllStop(60_000), Stop(), Pause(60_000), SetVolume(9), cancel("else")]
)
def test_one_stolen_key_that_fills_every_place_keeps_nobody_else_from_a_command(
    action: Action, who: dict[str, object]
) -> None:
    """Neither a province, nor an officer of the same ward, nor who signs for both in the other's name."""
    bench = fill(at_work())
    bench.rule(action, **who)
    assert bench.answers()[-1] == ACCEPTED
    bench.rule(AllStop(60_000))
    assert bench.answers()[-1] == NO_PLACE


def test_one_stolen_key_that_fills_every_place_keeps_the_owner_from_no_rule() -> None:
    bench = fill(at_work())
    bench.rule(silence(0, 3_600), **OWNER)
    assert bench.answers()[-1] == ACCEPTED
    bench.order()
    assert bench.answers()[-1] == ("refused", "zone_silenced")
    bench.rule(regulation(1), **OWNER)
    assert bench.answers()[-1] == ACCEPTED
    assert standing.regulation_in_force(bench.state, bench.now) is not None


def test_a_province_ends_its_own_false_warning_though_a_wards_stolen_key_has_filled_every_place() -> None:
    for action in (Stop(), Cancel(JobId("flood"), LATER)):
        bench = at_work()
        bench.playing(**FLOOD)
        fill(bench).rule(action, **PROVINCE)
        assert bench.every(fx.StopPlay) != []


@pytest.mark.deep
@pytest.mark.parametrize(
    ("action", "own"),
    [(Rank((JobId("x"),)), 60), (cancel("x"), 80), (Lock(HOUR_MS), 100)],
)
def test_what_a_key_has_to_itself_is_bounded_too_and_silence_has_more_of_it(action: Action, own: int) -> None:
    bench = fill(at_work())
    for _ in range(own):
        bench.rule(action, **COLLEAGUE)
        assert bench.answers()[-1] == ACCEPTED
    bench.rule(action, **COLLEAGUE)
    assert bench.answers()[-1] == NO_PLACE


def test_an_order_of_two_is_taken_where_one_of_them_has_places_left_and_counts_for_both() -> None:
    bench = fill(at_work())
    bench.rule(Lock(HOUR_MS), signers=("k1", "k2"))
    assert bench.answers()[-1] == ACCEPTED
    for _ in range(OWN_SILENCERS_MAX - 1):
        bench.rule(Lock(HOUR_MS), **COLLEAGUE)
    bench.rule(Lock(HOUR_MS), **COLLEAGUE)
    assert bench.answers()[-1] == NO_PLACE


def test_however_many_keys_are_stolen_no_more_is_kept_than_a_station_can_hold() -> None:
    bench = at_work()
    lock = bench.rule(Lock(HOUR_MS))
    kept = bench.state.rules[lock]
    of_others = {
        JobId(f"lock-{number}"): replace(kept, accepted=replace(kept.accepted, signers=(f"stolen-{number % 30}",)))
        for number in range(KEPT_MAX)
    }
    accepted = AcceptedRule(kept.accepted.order, "another", ("mine",), "ward")
    assert not standing.has_room(replace(bench.state, rules=of_others), accepted)
    of_others.popitem()
    assert standing.has_room(replace(bench.state, rules=of_others), accepted)


@pytest.mark.parametrize("action", [Stop(), Cancel(JobId("bulletin"), LATER)])
def test_what_ends_something_here_needs_no_place(action: Action) -> None:
    """Of the stolen key's own holder, too, who has no other."""
    bench = at_work()
    bench.playing(job_id="bulletin", audience=audience(DINH))
    kept = [*fill(bench).state.rules]
    bench.said.clear()
    bench.rule(action)
    assert bench.answers()[-1] == ACCEPTED
    assert bench.every(fx.StopPlay) != []
    assert [*bench.state.rules] == kept, "it is done, and not kept"
    assert [outcome for name, outcome, _ in bench.outcomes() if name.startswith("rule")] == ["succeeded"]


def test_what_was_cancelled_without_a_place_comes_no_second_time() -> None:
    bench = at_work()
    bulletin = bench.accept(bench.make(job_id="bulletin", when={"kind": "at", "utc": makers.NOON + HOUR_MS}))
    bench.arrive(bulletin)
    lock = bench.rule(Lock(HOUR_MS))
    fill(bench)
    for target in ("bulletin", lock):
        bench.rule(Cancel(JobId(target), LATER))
        assert bench.answers()[-1] == ACCEPTED
    assert lock not in bench.state.rules
    bench.arrive(bulletin)
    assert bench.answers()[-1] == ("known", "replayed")
    assert bench.state.jobs == {}


def test_what_is_done_once_needs_no_place() -> None:
    bench = at_work()
    bench.playing(job_id="bulletin", audience=audience(DINH), loops=2)
    fill(bench)
    for action, done in ((NextItem(), fx.StopPlay), (Ask(date(2026, 10, 2)), fx.SendPlan)):
        bench.rule(action)
        assert bench.answers()[-1] == ACCEPTED
        assert bench.every(done) != []


def test_what_must_wait_for_a_welcome_needs_a_place_for_as_long() -> None:
    bench = fill(at_work())
    bench.state = replace(bench.state, welcomed=False)
    bench.rule(Stop())
    assert bench.answers()[-1] == NO_PLACE
    bench.rule(Stop(), zones=(DINH,), **COLLEAGUE)
    assert bench.answers()[-1] == ACCEPTED
