"""Regulations, windows and commands: every bound at its edge, and an error that names the field and the remedy."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given

from edge_agent.core.job import Audience, JobClass, PlayAt, PlayNow
from edge_agent.core.order import (
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
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
    Window,
)
from edge_agent.core.site import Clause, IntoQuiet, LocalPolicy, VolumeBand
from edge_agent.trust.commands import What, action_payload, what_of
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType, parse_order, rule_payload
from edge_agent.trust.strict_json import WireError, dump, parse
from tests.trust.makers import (
    AREA,
    DAY_MS,
    HOUR_MS,
    NOON,
    OWNER,
    clause_dict,
    command_dict,
    make_command,
    make_regulation,
    make_window,
    regulation_dict,
    rule_when,
    window_dict,
)
from tests.trust.strategies import rule_orders, unhurried

BEGINS = NOON + 2 * DAY_MS


def refusal(payload: dict[str, Any]) -> str:
    with pytest.raises(WireError) as caught:
        parse_order(Fields(payload), OrderType(payload["type"]))
    return str(caught.value)


def regulated(*clauses: dict[str, Any]) -> str:
    return refusal(regulation_dict(clauses=list(clauses)))


def commanded(**do: Any) -> str:
    return refusal(command_dict(do=do))


@unhurried
@given(rule_orders)
def test_any_order_reads_back_from_its_payload_unchanged(order: RuleOrder):
    payload = rule_payload(order, "test")
    assert parse_order(Fields(parse(dump(payload))), OrderType(str(payload["type"]))) == order


HEADED = {
    "regulation": (regulation_dict, make_regulation),
    "window": (window_dict, make_window),
    "command": (command_dict, make_command),
}


@pytest.mark.parametrize("kind", HEADED)
@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"order_id": "A"}, "order_id: 1 to 64 of a-z, 0-9 and -"),
        ({"issuer": ""}, "issuer: 1 to 64"),
        ({"level": None}, "level: 1 to 64"),
        ({"key_epoch": -1}, "key_epoch: an integer from 0"),
        ({"serial": 0}, "serial: an integer from 1"),
        ({"issued_at": "now"}, "issued_at: an integer from 0"),
        ({"not_before": -1}, "not_before: an integer from 0"),
        ({"not_after": NOON}, "not_after: later than not_before"),
        ({"audience": {}}, "audience.areas: stations or areas, at least one"),
    ],
)
def test_a_wrong_heading_is_named_in_every_kind(kind: str, over: dict[str, Any], message: str):
    made, _ = HEADED[kind]
    assert refusal(made(**over)).startswith(message)


@pytest.mark.parametrize("kind", HEADED)
def test_a_missing_field_of_a_heading_is_named(kind: str):
    made, _ = HEADED[kind]
    for name in ("order_id", "issuer", "level", "key_epoch", "serial", "issued_at", "not_before", "audience"):
        payload = made()
        del payload[name]
        assert refusal(payload) == f"{name}: missing"


@pytest.mark.parametrize("kind", HEADED)
def test_unknown_fields_of_an_order_are_ignored(kind: str):
    _, parsed = HEADED[kind]
    assert parsed(new=[1]) == parsed()


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


# Commands


COMMANDS = {
    What.CANCEL: ({"target": "job-1", "until": NOON + DAY_MS}, Cancel("job-1", NOON + DAY_MS)),
    What.STOP: ({}, Stop()),
    What.PAUSE: ({"for_s": 3_600}, Pause(3_600_000)),
    What.RESUME: ({}, Resume()),
    What.NEXT_ITEM: ({}, NextItem()),
    What.VOLUME: ({"volume": 40}, SetVolume(40)),
    What.AMPLIFIER: ({"on": True, "for_s": 600}, Amplify(True, 600_000)),
    What.RESTART: ({}, Restart()),
    What.SELF_TEST: ({}, SelfTest()),
    What.ALL_STOP: ({"for_s": 900}, AllStop(900_000)),
    What.LOCK: ({"for_s": 14_400}, Lock(14_400_000)),
    What.RANK: ({"job_ids": ["job-2", "job-1"]}, Rank(("job-2", "job-1"))),
    What.CHOOSE: ({"target": "tin-1", "when": {"kind": "at", "utc": NOON}}, Choose("tin-1", PlayAt(NOON))),
    What.ASK: ({"day": "2026-10-02"}, Ask(date(2026, 10, 2))),
}


@pytest.mark.parametrize("what", list(What))
def test_every_command_arrives_with_what_it_needs(what: What):
    needs, action = COMMANDS[what]
    command = make_command(do={"what": what.value, **needs})
    assert command.action == action
    assert what_of(command.action) is what
    assert action_payload(action) == {"what": what.value, **needs}
    for name in needs:
        without = {other: value for other, value in needs.items() if other != name}
        assert commanded(what=what.value, **without) == f"do.{name}: missing"


@pytest.mark.parametrize(("what", "most"), [("pause", 3_600), ("amplifier", 600), ("all_stop", 900), ("lock", 14_400)])
def test_whatever_holds_for_a_while_comes_to_its_end_by_itself(what: str, most: int):
    needs, _ = COMMANDS[What(what)]
    for wrong in (0, most + 1, True, None):
        assert commanded(what=what, **(needs | {"for_s": wrong})) == f"do.for_s: an integer from 1 to {most}"
    assert make_command(do={"what": what, **(needs | {"for_s": 1})})


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ({}, "do.what: missing"),
        ({"what": "explode"}, "do.what: one of cancel, stop, pause,"),
        ({"what": "cancel", "target": "A", "until": NOON}, "do.target: 1 to 64"),
        ({"what": "cancel", "target": "a", "until": -1}, "do.until: an integer from 0"),
        ({"what": "volume", "volume": 101}, "do.volume: an integer from 0 to 100"),
        ({"what": "amplifier", "on": 1, "for_s": 60}, "do.on: true or false"),
        ({"what": "rank", "job_ids": []}, "do.job_ids: a list of 1 to 64"),
        ({"what": "rank", "job_ids": ["a", "a"]}, "do.job_ids[1]: each only once"),
        ({"what": "rank", "job_ids": [f"j{n}" for n in range(65)]}, "do.job_ids: a list of 1 to 64"),
        ({"what": "choose", "target": "a", "when": "now"}, "do.when: an object"),
        ({"what": "choose", "target": "a", "when": rule_when(times=[])}, "do.when.times: a list of 1 to 24"),
        ({"what": "ask", "day": "tomorrow"}, "do.day: a day"),
        ({"what": "ask", "day": "2026-02-30"}, "do.day: a day"),
    ],
)
def test_a_wrong_field_of_a_command_is_named(do: dict[str, Any], message: str):
    assert commanded(**do).startswith(message)
    assert refusal(command_dict(do="stop")) == "do: an object"


def test_an_offer_is_chosen_for_once_or_for_a_rule_and_is_never_repeated_like_an_emergency():
    assert make_command(do={"what": "choose", "target": "a", "when": {"kind": "now"}}).action == Choose("a", PlayNow())
    again = {"kind": "now", "every_s": 60, "until": NOON + HOUR_MS}
    assert commanded(what="choose", target="a", when=again) == (
        "do.when.every_s: nothing: only an emergency is repeated"
    )


def test_a_cancel_is_remembered_no_longer_than_any_order_may_come():
    assert make_command(do={"what": "cancel", "target": "a", "until": NOON + 400 * DAY_MS})
    refused = commanded(what="cancel", target="a", until=NOON + 400 * DAY_MS + 1)
    assert refused == "do.until: at most 400 days after not_before"
