"""One field of a message out of range: the message is refused, and the refusal names this field and no other."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, LogAck, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.trust.commands import What
from edge_agent.trust.documents import load_document
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import WireError
from tests.trust import makers
from tests.trust.wrong import (
    AREA,
    HEX_64,
    INTEGER_MAX,
    NAME,
    UTC_MAX,
    Wrong,
    names,
    no_boolean,
    no_choice,
    no_integer,
    no_list,
    no_object,
    no_text,
    no_words,
    put,
    scraps,
)

_OFFICER = makers.job_role(limits={"sources": ["https://live.test/"]})
judge = make_judge(
    makers.make_trust(roles=[_OFFICER, makers.owner_role(), makers.command_role(), makers.online_role()]),
    makers.make_site(),
)
INSTANT = no_integer(0, UTC_MAX)
CAP = {"identifier": "vn-1", "sender": "kttv", "sent": "2026-10-01T12:00:00+07:00"}
JOB = makers.job_dict(
    audience={"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]},
    items=[makers.clip_item(), makers.text_item()],
    when=makers.rule_when(),
    missed={"policy": "late", "limit_s": 90, "zones_s": 600},
    cap=CAP,
    critical=[],
    series="lu-1",
    version=2,
    corrects="job-0",
    **{"class": "priority", "order": 1, "loops": 2, "gap_s": 3, "preemption": "drop"},
)
AT = makers.job_dict(when={"kind": "at", "utc": makers.NOON + 1})
RELAY = makers.job_dict(items=[makers.live_item(stand_in=makers.clip_item())], loops=1)
EMERGENCY = makers.job_dict(
    **{"class": "emergency"},
    when={"kind": "now", "every_s": 180, "until": makers.NOON + 1},
    series="lu-1",
    version=3,
    all_clear=True,
    rehearsal=False,
)
EVERYWHERE = {"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]}
REGULATION = makers.regulation_dict(
    audience=EVERYWHERE | {"zones": []},
    into_quiet="cut",
    clauses=[
        makers.clause_dict(),
        makers.clause_dict(
            classes=["normal"],
            zones=["cho"],
            weekdays=[1],
            holidays=["2027-02-06"],
            sessions_per_day=4,
            day_s=3_600,
            live_day_s=60,
        ),
    ],
)
WINDOW = makers.window_dict(audience=EVERYWHERE, total_s=3_600, volume=60)
COMMAND = makers.command_dict(audience=EVERYWHERE)
TIMETABLE = makers.timetable_dict(
    audience=EVERYWHERE,
    name="loa-cho",
    entries=[
        makers.entry_dict(audience={"areas": [makers.AREA], "zones": ["cho"]}, order=1, loops=2),
        makers.entry_dict("trua"),
    ],
)

WRONG_IN_JOB: dict[str, Wrong] = {
    "realm": no_text(NAME),
    "type": no_choice("job"),
    "job_id": no_text(NAME),
    "issuer": no_text(NAME),
    "level": no_text(NAME),
    "key_epoch": no_integer(0, INTEGER_MAX),
    "serial": no_integer(1, INTEGER_MAX),
    "issued_at": INSTANT,
    "not_before": INSTANT,
    "not_after": INSTANT | st.integers(0, makers.NOON),
    "audience": no_object(),
    "audience.stations": no_list(0, 64, "dt-{}".format),
    "audience.stations[0]": no_text(NAME),
    "audience.areas": no_list(0, 64, "vn/ha-noi/dong-thanh/{}".format),
    "audience.areas[0]": no_text(AREA),
    "audience.zones": no_list(0, 64, "cho-{}".format),
    "audience.zones[0]": no_text(NAME),
    "class": no_choice("normal", "priority", "emergency"),
    "order": no_integer(0, 9_999),
    "when": no_object(),
    "when.kind": no_choice("now", "at", "rule"),
    "when.timezone": no_text(r"(Asia/Ho_Chi_Minh|UTC|GMT|[A-Z].*)"),
    "when.first_day": no_text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}") | st.sampled_from(("2026-02-29", "2026-13-01")),
    "when.last_day": no_text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}") | st.sampled_from(("2026-02-30", "2026-09-30")),
    "when.weekdays": no_list(1, 7, lambda number: number + 1),
    "when.weekdays[0]": no_integer(1, 7),
    "when.times": no_list(1, 24, "05:30:{:02}".format),
    "when.times[0]": no_text(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"),
    "when.excluded": no_list(0, 60, lambda number: str(date(2026, 10, 1) + timedelta(days=number))),
    "when.excluded[0]": no_text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}") | st.just("2026-02-31"),
    "loops": no_integer(1, 20),
    "gap_s": no_integer(0, 3_600),
    "items": no_list(1, 20, lambda _: makers.text_item()),
    "items[0]": no_object(),
    "items[0].kind": no_choice("clip", "text", "live"),
    "items[0].title": no_words(1, 200),
    "items[0].field": no_words(0, 40),
    "items[0].language": no_text(r"[A-Za-z0-9-]{1,16}"),
    "items[0].source": no_words(0, 200),
    "items[0].approver": no_words(0, 80),
    "items[0].digest": no_text(HEX_64),
    "items[0].length": no_integer(1, 200_000_000),
    "items[0].duration_ms": no_integer(1, 7_200_000),
    "items[0].codec": no_words(0, 16),
    "items[0].urls": no_list(1, 4, "https://a/{}".format),
    "items[0].urls[0]": no_text(r"https://.*"),
    "items[1].text": no_words(1, 2_000),
    "volume": no_integer(0, 100),
    "preemption": no_choice("rejoin", "resume", "restart", "drop"),
    "missed": no_object(),
    "missed.policy": no_choice("skip", "late"),
    "missed.limit_s": no_integer(1, 86_400),
    "missed.zones_s": no_integer(0, 86_400),
    "series": no_text(NAME),
    "version": no_integer(1, 9_999),
    "all_clear": no_boolean() | st.just(True),
    "rehearsal": no_boolean() | st.just(True),
    "corrects": no_text(NAME) | st.just("job-1"),
    "event": no_text(r"[a-z0-9-]{1,40}") | st.just("flash-flood"),
    "cap": no_object(),
    "cap.identifier": no_words(0, 200),
    "cap.sender": no_words(0, 200),
    "cap.sent": no_words(0, 200),
    "critical": no_list(0, 64, "known-{}".format),
    "critical[0]": no_words(1, 64),
}
WRONG_IN_RELAY: dict[str, Wrong] = {
    "loops": st.integers(2, 20),
    "items[0].urls": no_list(1, 4, "https://a/{}".format),
    "items[0].urls[0]": no_text(r"https://.*"),
    "items[0].duration_ms": no_integer(1, 7_200_000),
    "items[0].stand_in": no_object(),
    "items[0].stand_in.kind": no_choice("clip"),
    "items[0].stand_in.title": no_words(1, 200),
    "items[0].stand_in.digest": no_text(HEX_64),
}
WRONG_IN_EMERGENCY: dict[str, Wrong] = {
    "when.every_s": no_integer(60, 3_600),
    "when.until": INSTANT | st.integers(0, makers.NOON) | st.integers(makers.NOON + 6 * makers.HOUR_MS + 1, UTC_MAX),
    "series": no_text(NAME),
    "version": no_integer(1, 9_999),
    "all_clear": no_boolean(),
    "rehearsal": no_boolean(),
}
WRONG_IN_HEADING: dict[str, Wrong] = {
    "order_id": no_text(NAME),
    **{
        path: WRONG_IN_JOB[path]
        for path in (
            *("realm", "issuer", "level", "key_epoch", "serial", "issued_at", "not_before", "not_after"),
            *("audience", "audience.stations", "audience.stations[0]", "audience.areas", "audience.areas[0]"),
        )
    },
}
CLASSES = no_list(1, 2, lambda number: ("normal", "priority")[number % 2]) | st.just(["emergency"])
WALLS = no_object() | st.just(["21:00"]) | st.just(["21:00", "24:00"])
WRONG_IN_REGULATION: dict[str, Wrong] = WRONG_IN_HEADING | {
    "audience.zones": no_list(0, 0, "cho-{}".format),
    "version": no_integer(1, INTEGER_MAX),
    "number": no_words(1, 80),
    "dated": no_text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}") | st.just("2026-02-30"),
    "into_quiet": no_choice("refuse", "cut"),
    "clauses": no_list(1, 16, lambda _: makers.clause_dict()),
    "clauses[1]": no_object(),
    "clauses[0].quiet": WALLS,
    "clauses[0].session_s": no_integer(1, 86_400),
    "clauses[0].volume": no_list(1, 24, lambda _: ["05:00", "06:00", 45]),
    "clauses[0].volume[0]": WALLS | st.just(["05:00", "06:00", 101]) | st.just(["05:00", "06:00", 45, 45]),
    "clauses[0].classes": st.just(["normal"]),
    "clauses[0].zones": st.just(["cho"]),
    "clauses[1].classes": CLASSES,
    "clauses[1].classes[0]": no_choice("normal", "priority", "emergency"),
    "clauses[1].zones": no_list(1, 64, "cho-{}".format),
    "clauses[1].zones[0]": no_text(NAME),
    "clauses[1].quiet": WALLS,
    "clauses[1].weekdays": no_list(1, 7, lambda number: number + 1),
    "clauses[1].weekdays[0]": no_integer(1, 7),
    "clauses[1].holidays": no_list(0, 60, lambda number: str(date(2026, 10, 1) + timedelta(days=number))),
    "clauses[1].holidays[0]": no_text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}") | st.just("2026-02-31"),
    "clauses[1].sessions_per_day": no_integer(0, 96),
    "clauses[1].day_s": no_integer(0, 86_400),
    "clauses[1].session_s": no_integer(1, 86_400),
    "clauses[1].live_day_s": no_integer(0, 86_400),
    "clauses[1].more": scraps,
}
WRONG_IN_WINDOW: dict[str, Wrong] = WRONG_IN_HEADING | {
    "audience.zones": WRONG_IN_JOB["audience.zones"],
    "kind": no_choice("exception", "silence"),
    "begins": INSTANT,
    "ends": INSTANT | st.integers(0, WINDOW["begins"]) | st.integers(WINDOW["not_after"] + 1, UTC_MAX),
    "basis": no_words(1, 200),
    "classes": CLASSES,
    "session_s": no_integer(1, 86_400),
    "total_s": no_integer(1, 16 * 86_400),
    "volume": no_integer(0, 100),
}
WRONG_IN_COMMAND: dict[str, Wrong] = WRONG_IN_HEADING | {
    "audience.zones": WRONG_IN_JOB["audience.zones"],
    "do": no_object(),
    "do.what": no_choice(*What),
    "do.for_s": no_integer(1, 900),
}
_OF_AN_ENTRY = (
    *("job_id", "audience.zones[0]", "when", "when.timezone", "when.times[0]", "loops", "order", "items", "items[0]"),
    *("items[0].kind", "items[0].title", "items[0].digest", "volume"),
)
WRONG_IN_TIMETABLE: dict[str, Wrong] = (
    WRONG_IN_HEADING
    | {
        "audience.zones": WRONG_IN_JOB["audience.zones"],
        "name": no_text(NAME),
        "version": no_integer(1, INTEGER_MAX),
        "entries": no_list(0, 60, lambda number: makers.entry_dict(f"e-{number}")),
        "entries[0].class": no_choice("normal", "priority"),
        "entries[0].when.kind": no_choice("at", "rule", "now"),
        "entries[1].job_id": st.sampled_from(("sang", "Sang", "")),
    }
    | {f"entries[0].{path}": WRONG_IN_JOB[path] for path in _OF_AN_ENTRY}
)
WRONG_IN_WELCOME: dict[str, Wrong] = {
    "type": no_choice("welcome"),
    "station": no_text(NAME),
    "nonce": no_text(r"[0-9a-f]{32}"),
    "utc": INSTANT,
    "trust": no_list(1, 7, lambda number: {"area": f"vn/{number}", "epoch": 1, "version": 1}),
    "trust[0].area": no_text(r"([a-z0-9-]{1,64}(/[a-z0-9-]{1,64}){0,5})?"),
    "trust[0].epoch": no_integer(0, INTEGER_MAX),
    "trust[0].version": no_integer(1, INTEGER_MAX),
    "serial_marks": no_object(),
    f"serial_marks.{makers.ISSUER}": no_integer(0, INTEGER_MAX),
    "log": no_object(),
    "log.epoch": no_text(r"[A-Za-z0-9-]{0,64}"),
    "log.seq": no_integer(0, INTEGER_MAX),
    "log.hash": no_text(r"([0-9a-f]{64})?"),
}
WRONG_IN_ACK = {path: WRONG_IN_WELCOME[path] for path in ("station", "log", "log.epoch", "log.seq", "log.hash")}
WRONG_IN_TRUST: dict[str, Wrong] = {
    "realm": no_text(NAME),
    "type": no_choice("trust"),
    "version": no_integer(1, INTEGER_MAX),
    "issued_at": INSTANT,
    "expires": INSTANT | st.integers(0, makers.NOON - makers.DAY_MS),
    "keys": no_object() | st.just({}),
    "roles": no_list(1, 64, lambda number: makers.online_role(role=f"server-{number}")),
    "roles[0]": no_object(),
    "roles[0].role": no_text(NAME),
    "roles[0].orders": no_list(1, 6, "job-{}".format),
    "roles[0].orders[0]": no_choice(*OrderType),
    "roles[0].keyids": no_list(1, 64, "{:064x}".format),
    "roles[0].keyids[0]": no_text(HEX_64) | st.just("ab" * 32),
    "roles[0].threshold": no_integer(1, 8) | st.integers(2, 8),
    "roles[0].issuer": no_text(NAME),
    "roles[0].level": no_text(NAME),
    "roles[0].limits": no_object(),
    "roles[0].limits.classes": no_list(1, 3, "normal-{}".format),
    "roles[0].limits.classes[0]": no_choice("normal", "priority", "emergency"),
    "roles[0].limits.areas": no_list(1, 64, "vn/{}".format),
    "roles[0].limits.areas[0]": no_text(AREA),
    "roles[0].limits.hours": no_list(1, 8, lambda number: [f"{number:02}:00", "21:00"]),
    "roles[0].limits.hours[0]": no_object() | st.just(["05:00"]) | st.just(["05:00", "24:00"]),
    "roles[0].limits.volume_max": no_integer(0, 100),
    "roles[0].limits.validity_max_s": no_integer(1, 400 * 86_400),
    "roles[0].limits.events": no_list(1, 32, "dam-{}".format),
    "roles[0].limits.events[0]": no_text(r"[a-z0-9-]{1,40}"),
    "roles[0].limits.sound_max_s": no_integer(1, 86_400),
    "roles[0].limits.per_day": no_integer(1, 1_000),
    "roles[0].limits.sources": no_list(1, 16, "https://a/{}".format),
    "roles[0].limits.sources[0]": no_text(r"https://.*"),
    "roles[2].limits.commands": no_list(1, 14, "stop-{}".format),
    "roles[2].limits.commands[0]": no_choice(*What),
    "roles[2].limits.validity_max_s": no_integer(1, 400 * 86_400),
    "roles[3].limits.areas": no_list(1, 64, "vn/{}".format),
    "roles[3].keyids": st.just([makers.signer("officer").keyid]),
    "roles[3].keyids[0]": no_text(HEX_64),
}
COUNTED = {"events": ["flash-flood"], "sound_max_s": 600, "per_day": 3, "sources": ["https://live.test/"]}
TRUST = makers.trust_document(
    roles=[
        makers.job_role(limits={"hours": [["05:00", "21:00"]], **COUNTED}),
        makers.online_role(),
        makers.command_role(),
        makers.owner_role(),
    ]
)
GIVEN = {"job": "officer", "regulation": "owner", "window": "owner", "command": "officer", "timetable": "officer"}


def judged(payload: dict[str, Any]) -> object:
    """The station's word on the payload, signed by whoever may sign it."""
    kind = kind_of(payload)
    message = sign(payload_type(kind), json.dumps(payload).encode(), [makers.signer(GIVEN.get(kind, "server"))])
    return judge(f"loa/1/d/{makers.STATION}/{'job' if kind in GIVEN else kind}", message)


def kind_of(payload: dict[str, Any]) -> str:
    """What it is, even where ``type`` was spoilt."""
    marks = {
        "entries": "timetable",
        "items": "job",
        "clauses": "regulation",
        "basis": "window",
        "do": "command",
        "nonce": "welcome",
    }
    return next((kind for mark, kind in marks.items() if mark in payload), "ack")


def named(payload: dict[str, Any]) -> str:
    """The field that the refusal names."""
    refusal = judged(payload)
    assert isinstance(refusal, Rejected), refusal
    assert refusal.reason is Reason.MALFORMED, refusal
    assert len(refusal.detail) < 300
    return refusal.detail.partition(": ")[0]


@pytest.mark.parametrize("payload", [JOB, AT, EMERGENCY, RELAY])
def test_what_is_spoilt_below_was_right_before(payload: dict[str, Any]) -> None:
    assert isinstance(judged(payload), Accepted)
    assert isinstance(judged(makers.welcome_dict()), Welcome)
    assert isinstance(judged(makers.ack_dict()), LogAck)
    assert load_document(json.dumps(TRUST).encode())


def some_of(fields: dict[str, Wrong]) -> st.SearchStrategy[list[str]]:
    """Ten fields, each to be spoilt by itself: many fields are rarely met otherwise."""
    return st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=10, unique=True)


@given(some_of(WRONG_IN_JOB), st.data())
def test_one_wrong_field_of_a_job_is_the_one_that_is_named(paths: list[str], data: st.DataObject) -> None:
    for path in paths:
        document = JOB | ({"critical": ["title"]} if path == "critical[0]" else {})
        wrong = data.draw(WRONG_IN_JOB[path], path)
        if path != "audience.areas" or wrong != []:  # a station is named, so no area is enough
            assert names(named(put(document, path, wrong)), path)


@given(some_of(WRONG_IN_EMERGENCY), st.data())
def test_one_wrong_field_of_an_emergency_is_the_one_that_is_named(paths: list[str], data: st.DataObject) -> None:
    for path in paths:
        assert names(named(put(EMERGENCY, path, data.draw(WRONG_IN_EMERGENCY[path], path))), path)


@given(some_of(WRONG_IN_RELAY), st.data())
def test_one_wrong_field_of_a_live_source_is_the_one_that_is_named(paths: list[str], data: st.DataObject) -> None:
    for path in paths:
        assert names(named(put(RELAY, path, data.draw(WRONG_IN_RELAY[path], path))), path)


RULES = {
    "regulation": (REGULATION, WRONG_IN_REGULATION),
    "window": (WINDOW, WRONG_IN_WINDOW),
    "command": (COMMAND, WRONG_IN_COMMAND),
    "timetable": (TIMETABLE, WRONG_IN_TIMETABLE),
}


@pytest.mark.parametrize("kind", RULES)
@given(data=st.data())
def test_one_wrong_field_of_another_order_is_the_one_that_is_named(kind: str, data: st.DataObject) -> None:
    document, wrongs = RULES[kind]
    assert isinstance(judged(document), AcceptedRule), judged(document)
    for path in data.draw(some_of(wrongs)):
        wrong = data.draw(wrongs[path], path)
        if path != "audience.areas" or wrong != []:  # a station is named, so no area is enough
            assert names(named(put(document, path, wrong)), path)


@given(INSTANT)
def test_a_wrong_instant_of_a_single_play_is_named(wrong: object) -> None:
    assert named(put(AT, "when.utc", wrong)) == "when.utc"


@given(no_text(r"[a-z0-9-]{1,40}"), st.sampled_from([{"kind": "at", "utc": makers.NOON}, makers.rule_when()]))
def test_a_wrong_event_or_a_timetable_of_an_emergency_is_named(wrong: object, when: object) -> None:
    assert named(put(EMERGENCY, "event", wrong)) == "event"
    assert named(put(EMERGENCY, "when", when)) == "when"


@given(st.sampled_from(sorted(WRONG_IN_WELCOME)), st.data())
def test_one_wrong_field_of_a_welcome_is_the_one_that_is_named(path: str, data: st.DataObject) -> None:
    assert names(named(put(makers.welcome_dict(), path, data.draw(WRONG_IN_WELCOME[path], path))), path)


@given(st.sampled_from(sorted(WRONG_IN_ACK)), st.data())
def test_one_wrong_field_of_an_acknowledgement_is_the_one_that_is_named(path: str, data: st.DataObject) -> None:
    assert names(named(put(makers.ack_dict(), path, data.draw(WRONG_IN_ACK[path], path))), path)


@given(some_of(WRONG_IN_TRUST), st.data())
def test_one_wrong_field_of_a_trust_file_is_the_one_that_is_named(paths: list[str], data: st.DataObject) -> None:
    for path in paths:
        wrong = data.draw(WRONG_IN_TRUST[path], path)
        with pytest.raises(WireError) as caught:
            load_document(json.dumps(put(TRUST, path, wrong)).encode())
        assert names(caught.value.where, path)


@given(st.sampled_from(("", "roles[0].", "roles[1].", "roles[0].limits.")), st.from_regex(NAME, fullmatch=True))
def test_a_field_of_a_trust_file_that_nobody_reads_is_named_with_a_remedy(place: str, name: str) -> None:
    slip = f"{place}x-{name[:40]}"
    with pytest.raises(WireError) as caught:
        load_document(json.dumps(put(TRUST, slip, 1)).encode())
    assert caught.value.where == slip
    assert "remove it" in caught.value.rule or "did you mean" in caught.value.rule
