"""Regulations and windows: every bound at its edge, and an error that names the field and the remedy."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given

from edge_agent.core.job import Audience, JobClass
from edge_agent.core.order import Heading, Loosening, Regulation, RuleOrder, Window
from edge_agent.core.site import Clause, IntoQuiet, LocalPolicy, VolumeBand
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType, parse_order
from edge_agent.trust.strict_json import dump, parse
from tests.trust.makers import (
    AREA,
    DAY_MS,
    HOUR_MS,
    NOON,
    OWNER,
    clause_dict,
    make_regulation,
    make_window,
    regulation_dict,
    window_dict,
)
from tests.trust.refusals import refusal
from tests.trust.strategies import rule_orders, unhurried
from tools.order_payloads import rule_payload

BEGINS = NOON + 2 * DAY_MS


def regulated(*clauses: dict[str, Any]) -> str:
    return refusal(regulation_dict(clauses=list(clauses)))


@unhurried
@given(rule_orders)
def test_any_order_reads_back_from_its_payload_unchanged(order: RuleOrder):
    assert read_back(order) == order


def read_back(order: RuleOrder) -> object:
    payload = rule_payload(order, "test")
    return parse_order(Fields(parse(dump(payload))), OrderType(str(payload["type"])))


# Regulations


def test_every_field_of_a_regulation_arrives_in_its_place():
    hamlet = {"classes": ["normal"], "zones": ["cho"], "weekdays": [1, 3], "holidays": ["2027-02-06"]}
    hamlet |= {"sessions_per_day": 0, "day_s": 0}
    regulation = make_regulation(
        version=3,
        into_quiet="cut",
        clauses=[clause_dict(volume=[["05:00", "06:00", 45], ["00:00", "00:00", 80]]), hamlet],
    )
    assert regulation == Regulation(
        heading=Heading(
            order_id="quy-che-1",
            issuer=OWNER,
            level="commune",
            key_epoch=0,
            serial=1,
            issued_at=NOON,
            not_before=NOON,
            not_after=NOON + 300 * DAY_MS,
            audience=Audience(frozenset(), frozenset({AREA}), frozenset()),
        ),
        version=3,
        number="12/QĐ-UBND",
        dated=date(2026, 9, 15),
        policy=LocalPolicy(
            clauses=(
                Clause(
                    quiet=(time(21), time(5)),
                    session_ms=900_000,
                    volume_bands=(VolumeBand(time(5), time(6), 45), VolumeBand(time(0), time(0), 80)),
                ),
                Clause(
                    classes=frozenset({JobClass.NORMAL}),
                    zones=frozenset({"cho"}),
                    weekdays=frozenset({1, 3}),
                    holidays=frozenset({date(2027, 2, 6)}),
                    sessions_per_day=0,
                    day_ms=0,
                ),
            ),
            into_quiet=IntoQuiet.CUT,
        ),
    )


def test_a_sound_that_would_run_into_the_night_is_refused_unless_the_regulation_says_otherwise():
    assert make_regulation().policy.into_quiet is IntoQuiet.REFUSE
    assert refusal(regulation_dict(into_quiet="play")).startswith("into_quiet: one of refuse, cut, not play")


@pytest.mark.parametrize("name", ["quiet", "session_s", "volume"])
def test_a_regulation_that_forgets_the_night_does_not_mean_a_night_without_rules(name: str):
    forgotten = f"clauses[0].{name}: missing; the first clause holds for all, and must state it"
    assert regulated(clause_dict(**{name: None})) == forgotten
    assert regulated(clause_dict(**{name: None}), clause_dict()) == forgotten


@pytest.mark.parametrize("some", [{"classes": ["normal", "priority"]}, {"zones": ["cho"]}])
def test_a_first_clause_for_some_is_refused(some: dict[str, Any]):
    (name,) = some
    assert regulated(clause_dict(**some)).startswith(f"clauses[0].{name}: remove it; the first clause holds for all")
    assert make_regulation(clauses=[clause_dict(), clause_dict(**some)])


def test_a_regulation_cannot_bind_an_emergency():
    assert regulated(clause_dict(), {"classes": ["normal", "emergency"]}) == (
        "clauses[1].classes: normal and priority alone: no rule binds an emergency"
    )


def test_a_limit_that_nobody_would_read_is_refused_with_a_remedy():
    slip = 'clauses[0].sessions_a_day: unknown field, did you mean "sessions_per_day"?'
    assert regulated(clause_dict(sessions_a_day=2)) == slip
    assert regulated(clause_dict(), {"xyz": 1}).startswith("clauses[1].xyz: unknown field, remove it; known are")


def test_a_regulation_for_some_zones_says_so_in_its_clauses():
    refused = refusal(regulation_dict(audience={"areas": [AREA], "zones": ["cho"]}))
    assert refused == "audience.zones: none: it is for whole stations, its clauses name their zones"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"version": 0}, "version: an integer from 1"),
        ({"number": ""}, "number: 1 to 80 characters"),
        ({"number": "x" * 81}, "number: 1 to 80 characters"),
        ({"dated": "2026-02-30"}, "dated: a day"),
        ({"clauses": []}, "clauses: a list of 1 to 16"),
        ({"clauses": [clause_dict()] * 17}, "clauses: a list of 1 to 16"),
        ({"clauses": {}}, "clauses: a list of 1 to 16"),
        ({"clauses": ["21:00"]}, "clauses[0]: an object"),
    ],
)
def test_a_wrong_field_of_a_regulation_is_named(over: dict[str, Any], message: str):
    assert refusal(regulation_dict(**over)).startswith(message)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"classes": []}, "classes: a list of 1 to 3"),
        ({"classes": ["all"]}, "classes[0]: one of normal, priority, emergency, not all"),
        ({"zones": []}, "zones: a list of 1 to 64"),
        ({"zones": ["Chợ"]}, "zones[0]: 1 to 64"),
        ({"quiet": ["21:00"]}, "quiet: two wall times"),
        ({"quiet": ["21:00", "24:00"]}, "quiet: two wall times"),
        ({"quiet": ["21:00", "05:00", "06:00"]}, "quiet: two wall times"),
        ({"quiet": "21:00-05:00"}, "quiet: two wall times"),
        ({"weekdays": []}, "weekdays: a list of 1 to 7"),
        ({"weekdays": [0]}, "weekdays[0]: an integer from 1 to 7"),
        ({"holidays": ["2027-02-30"]}, "holidays[0]: a day"),
        ({"holidays": [f"20{n:02}-01-01" for n in range(20, 81)]}, "holidays: a list of 0 to 60"),
        ({"sessions_per_day": -1}, "sessions_per_day: an integer from 0 to 96"),
        ({"sessions_per_day": 97}, "sessions_per_day: an integer from 0 to 96"),
        ({"day_s": 86_401}, "day_s: an integer from 0 to 86400"),
        ({"session_s": 0}, "session_s: an integer from 1 to 86400"),
        ({"session_s": 86_401}, "session_s: an integer from 1 to 86400"),
        ({"volume": []}, "volume: a list of 1 to 24"),
        ({"volume": [["00:00", "00:00", 80]] * 25}, "volume: a list of 1 to 24"),
        ({"volume": [["05:00", "06:00"]]}, "volume[0]: two wall times and a volume"),
        ({"volume": [["05:00", "06:00", 101]]}, "volume[0]: two wall times and a volume"),
        ({"volume": [["05:00", "06:00", True]]}, "volume[0]: two wall times and a volume"),
        ({"volume": [["5:00", "06:00", 45]]}, "volume[0]: two wall times and a volume"),
        ({"volume": 80}, "volume: a list of 1 to 24"),
    ],
)
def test_a_wrong_field_of_a_clause_is_named(over: dict[str, Any], message: str):
    assert regulated(clause_dict(), clause_dict(**over)).startswith(f"clauses[1].{message}")


# Windows


def test_every_field_of_an_exception_arrives_in_its_place():
    window = make_window(
        audience={"areas": [AREA], "zones": ["cho"]},
        begins=BEGINS,
        ends=BEGINS + HOUR_MS,
        basis="Công văn 34/UBND ngày 20/01/2027",
        classes=["priority"],
        session_s=1_800,
        total_s=3_600,
        volume=60,
    )
    loosening = Loosening(frozenset({JobClass.PRIORITY}), 1_800_000, 3_600_000, 60)
    assert window.heading.audience.zones == {"cho"}
    assert window == Window(window.heading, BEGINS, BEGINS + HOUR_MS, "Công văn 34/UBND ngày 20/01/2027", loosening)


@pytest.mark.parametrize("bounds", [{}, {"total_s": 3_600}, {"volume": 60}, {"total_s": 60, "volume": 0}])
def test_an_exception_reads_back_with_its_bounds_and_without(bounds: dict[str, int]):
    assert read_back(make_window(**bounds)) == make_window(**bounds)


def test_a_silence_loosens_nothing():
    assert make_window(kind="silence").loosens is None
    for name, value in {"classes": ["normal"], "session_s": 60, "total_s": 60, "volume": 50}.items():
        assert refusal(window_dict(kind="silence", **{name: value})) == (
            f'{name}: remove it: a silence loosens nothing, an "exception" does'
        )


@pytest.mark.parametrize(("kind", "days"), [("exception", 16), ("silence", 31)])
def test_a_window_has_an_end_that_is_not_far(kind: str, days: int):
    longest = {"kind": kind, "begins": BEGINS, "ends": BEGINS + days * DAY_MS}
    assert make_window(**longest)
    longer = longest | {"ends": BEGINS + days * DAY_MS + 1}
    assert refusal(window_dict(**longer)) == f"ends: at most {days} days after begins"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"kind": "loud"}, "kind: one of exception, silence, not loud"),
        ({"begins": BEGINS, "ends": BEGINS}, "ends: later than begins"),
        ({"not_after": NOON + DAY_MS}, "ends: not later than not_after"),
        ({"basis": ""}, "basis: 1 to 200 characters"),
        ({"basis": "x" * 201}, "basis: 1 to 200 characters"),
        ({"classes": []}, "classes: a list of 1 to 3"),
        ({"classes": ["emergency"]}, "classes: normal and priority alone: no rule binds an emergency"),
        ({"session_s": 0}, "session_s: an integer from 1 to 86400"),
        ({"session_s": 86_401}, "session_s: an integer from 1 to 86400"),
        ({"total_s": 0}, "total_s: an integer from 1 to 1382400"),
        ({"total_s": 1_382_401}, "total_s: an integer from 1 to 1382400"),
        ({"volume": 101}, "volume: an integer from 0 to 100"),
    ],
)
def test_a_wrong_field_of_a_window_is_named(over: dict[str, Any], message: str):
    assert refusal(window_dict(**over)).startswith(message)


@pytest.mark.parametrize("name", ["kind", "begins", "ends", "basis", "classes", "session_s"])
def test_a_missing_field_of_an_exception_is_named(name: str):
    payload = window_dict()
    del payload[name]
    assert refusal(payload) == f"{name}: missing"
