"""Jobs, welcome and acknowledgement: every limit at its edge, and an error that names the field and the rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from edge_agent.core.job import Audience, Job, JobClass, LogAck, PlayAt, PlayNow, Preemption, TextItem, Welcome
from edge_agent.core.trust_standing import TrustVersion
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import parse_ack, parse_job, parse_welcome
from edge_agent.trust.strict_json import JsonObject, WireError, dump, parse
from tests.trust.makers import (
    AREA,
    DAY_MS,
    NONCE,
    NOON,
    ack_dict,
    clip_item,
    job_dict,
    make_job,
    rule_when,
    text_item,
    welcome_dict,
)
from tests.trust.refusals import refusal
from tests.trust.strategies import jobs, unhurried
from tools.order_payloads import job_payload

AS_WRITTEN: dict[str, Any] = {
    "job_id": "job-9",
    "issuer": "an-khanh",
    "level": "district",
    "key_epoch": 2,
    "serial": 9,
    "issued_at": NOON,
    "not_before": NOON + 1,
    "not_after": NOON + 92 * DAY_MS,
    "order": 12,
    "loops": 3,
    "volume": 55,
    "series": "lu-1",
    "version": 4,
    "corrects": "job-0",
}
"""Fields of a job that have the same name and value on the wire."""

READ_AS: dict[str, tuple[Any, dict[str, Any]]] = {
    "audience": (
        {"stations": ["dt-02", "dt-01"], "areas": [AREA], "zones": ["cho"]},
        {"audience": Audience(frozenset({"dt-01", "dt-02"}), frozenset({AREA}), frozenset({"cho"}))},
    ),
    "class": ("priority", {"cls": JobClass.PRIORITY}),
    "when": ({"kind": "at", "utc": NOON + 2}, {"when": PlayAt(NOON + 2)}),
    "gap_s": (30, {"gap_ms": 30_000}),
    "items": (
        [text_item(text="Nước đang lên.")],
        {"items": (TextItem("Lũ quét", "thien-tai", "vi", "Ban chỉ huy", "ng-01", "Nước đang lên."),)},
    ),
    "preemption": ("drop", {"preemption": Preemption.DROP}),
    "missed": (
        {"policy": "late", "limit_s": 90, "zones_s": 60},
        {"late_limit_ms": 90_000, "zones_limit_ms": 60_000},
    ),
    "cap": (
        {"sent": "2026-10-01T12:00:00+07:00", "identifier": "vn-1", "sender": "kttv", "more": 1},
        {"cap": (("identifier", "vn-1"), ("sender", "kttv"), ("sent", "2026-10-01T12:00:00+07:00"))},
    ),
}
"""What is written, and what a job has of it."""


def test_every_field_of_a_job_arrives_in_its_place():
    job = make_job(**AS_WRITTEN, **{name: written for name, (written, _) in READ_AS.items()})
    read = AS_WRITTEN | {name: value for _, held in READ_AS.values() for name, value in held.items()}
    assert job == Job(**read, event="")


def test_what_may_be_left_out_has_the_value_that_does_least():
    job = make_job()
    assert (job.order, job.loops, job.gap_ms, job.late_limit_ms, job.event, job.cap) == (0, 1, 0, 0, "", ())
    assert job.preemption is Preemption.REJOIN
    assert job.audience.zones == frozenset()
    assert job.when == PlayNow()
    assert make_job(missed={"policy": "skip"}).late_limit_ms == 0
    item = clip_item()
    del item["codec"]
    assert make_job(items=[item]).items[0].codec == ""
    rule = rule_when()
    del rule["excluded"]
    assert make_job(when=rule).when.excluded == frozenset()


def test_a_series_counts_its_versions():
    assert (make_job().series, make_job().version) == ("", 0)
    assert refusal(job_dict(series="lu-1")) == "version: missing"
    assert refusal(job_dict(version=1)) == "series: missing"
    for wrong in (0, 10_000):
        assert refusal(job_dict(series="lu-1", version=wrong)) == "version: an integer from 1 to 9999"


def test_zones_that_missed_it_may_hear_it_later_whatever_holds_for_the_whole():
    skipped = make_job(missed={"policy": "skip", "zones_s": 86_400})
    assert (skipped.late_limit_ms, skipped.zones_limit_ms) == (0, 86_400_000)
    late = make_job(missed={"policy": "late", "limit_s": 60, "zones_s": 0})
    assert (late.late_limit_ms, late.zones_limit_ms) == (60_000, 0)
    refused = refusal(job_dict(missed={"policy": "skip", "zones_s": 86_401}))
    assert refused == "missed.zones_s: an integer from 0 to 86400"


def test_a_payload_says_nothing_of_what_a_job_does_not_use():
    assert job_payload(make_job(), "test").keys() == job_dict().keys() | {
        "order",
        "loops",
        "gap_s",
        "missed",
        "preemption",
    }
    assert job_payload(make_job(), "test")["when"] == {"kind": "now"}
    assert job_payload(make_job(), "test")["missed"] == {"policy": "skip"}


def test_unknown_fields_are_ignored_everywhere():
    extended = job_dict(audience={"areas": [AREA], "new": 1}, items=[clip_item(new=1)], when={"kind": "now", "new": 1})
    assert parse_job(Fields(extended | {"new": [1]})) == make_job()


@pytest.mark.parametrize("name", sorted(job_dict().keys() - {"realm", "type"}))
def test_a_missing_field_of_a_job_is_named(name: str):
    payload = job_dict()
    del payload[name]
    assert refusal(payload) == f"{name}: missing"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("key_epoch", 0, 2**53 - 1),
        ("serial", 1, 2**53 - 1),
        ("issued_at", 0, 4_102_444_800_000),
        ("order", 0, 9_999),
        ("loops", 1, 20),
        ("gap_s", 0, 3_600),
        ("volume", 0, 100),
    ],
)
def test_a_number_of_a_job_is_taken_within_its_bounds_only(name: str, low: int, high: int):
    for right in (low, high):
        make_job(**{name: right})
    for wrong in (low - 1, high + 1, str(low), True, None, float(low)):
        assert refusal(job_dict(**{name: wrong})) == f"{name}: an integer from {low} to {high}"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"not_after": NOON}, "not_after: later than not_before"),
        ({"class": "urgent"}, "class: one of normal, priority, emergency, not urgent"),
        ({"class": 1}, "class: one of normal, priority, emergency"),
        ({"preemption": "stop"}, "preemption: one of rejoin, resume, restart, drop, not stop"),
        ({"missed": {"policy": "late"}}, "missed.limit_s: missing"),
        ({"missed": {"policy": "late", "limit_s": 0}}, "missed.limit_s: an integer from 1 to 86400"),
        ({"missed": {"policy": "late", "limit_s": 86_401}}, "missed.limit_s: an integer from 1 to 86400"),
        ({"missed": {"policy": "never"}}, "missed.policy: one of skip, late, not never"),
        ({"missed": "skip"}, "missed: an object"),
        ({"items": []}, "items: a list of 1 to 20"),
        ({"items": [clip_item()] * 21}, "items: a list of 1 to 20"),
        ({"items": {}}, "items: a list of 1 to 20"),
        ({"items": ["clip"]}, "items[0]: an object"),
        ({"event": ""}, "event: 1 to 40"),
        ({"event": "x" * 41}, "event: 1 to 40"),
        ({"cap": {"identifier": 1}}, "cap.identifier: 0 to 200 characters"),
        ({"cap": []}, "cap: an object"),
    ],
)
def test_a_wrong_field_of_a_job_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(**over)).startswith(message)


@unhurried
@given(jobs())
def test_any_job_reads_back_from_its_payload_unchanged(job: Job):
    assert parse_job(Fields(parse(dump(job_payload(job, "test"))))) == job


# Welcome and acknowledgement


def test_every_field_of_a_welcome_arrives_in_its_place():
    payload = welcome_dict(trust=[{"area": "vn", "epoch": 2, "version": 3}], serial_marks={"b": 2, "a": 1})
    named, marks = (TrustVersion("vn", 2, 3),), (("a", 1), ("b", 2))
    assert parse_welcome(Fields(payload)) == Welcome(NONCE, NOON, named, marks, "e1", 0, "0" * 64)


def test_a_server_that_holds_nothing_yet_can_say_so():
    welcome = parse_welcome(Fields(welcome_dict(log={"epoch": "", "seq": 0, "hash": ""}, serial_marks={})))
    assert (welcome.log_epoch, welcome.log_seq, welcome.log_hash) == ("", 0, "")


def test_an_acknowledgement_arrives():
    assert parse_ack(Fields(ack_dict())) == LogAck("e1", 7, "cd" * 32)


@pytest.mark.parametrize("place", [{"seq": 5}, {"hash": "a" * 64}, {"seq": 5, "hash": "a" * 64}])
@pytest.mark.parametrize("payload", [welcome_dict(), ack_dict()], ids=["welcome", "ack"])
def test_records_of_an_epoch_without_a_name_cannot_be_told(payload: JsonObject, place: JsonObject):
    """A station would take it for another chain than its own, and send everything again at each welcome."""
    read = parse_welcome if "nonce" in payload else parse_ack
    with pytest.raises(WireError, match=r'^log\.epoch: a name, or "" with seq 0 and hash ""$'):
        read(Fields({**payload, "log": {"epoch": "", "seq": 0, "hash": ""} | place}))


@pytest.mark.parametrize("name", ["nonce", "utc", "trust", "serial_marks", "log"])
def test_a_missing_field_of_a_welcome_is_named(name: str):
    payload = welcome_dict()
    del payload[name]
    assert refusal(payload) == f"{name}: missing"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"nonce": "0" * 31}, "nonce: 32 hex digits"),
        ({"nonce": "Z" * 32}, "nonce: 32 hex digits"),
        ({"utc": -1}, "utc: an integer from 0"),
        ({"trust": []}, "trust: a list of 1 to 7"),
        ({"trust": [{"area": "VN", "epoch": 0, "version": 1}]}, "trust[0].area: 1 to 6 names"),
        ({"trust": [{"area": "", "epoch": -1, "version": 1}]}, "trust[0].epoch: an integer from 0"),
        ({"trust": [{"area": "", "epoch": 0, "version": 0}]}, "trust[0].version: an integer from 1"),
        ({"serial_marks": {"A": 1}}, "serial_marks.A: 1 to 64"),
        ({"serial_marks": {"a": -1}}, "serial_marks.a: an integer from 0"),
        ({"serial_marks": {f"a{n}": 1 for n in range(65)}}, "serial_marks: at most 64 issuers"),
        ({"serial_marks": []}, "serial_marks: an object"),
        ({"log": {"epoch": "ạ", "seq": 0, "hash": ""}}, "log.epoch: up to 64"),
        ({"log": {"epoch": "e", "seq": -1, "hash": ""}}, "log.seq: an integer from 0"),
        ({"log": {"epoch": "e", "seq": 0, "hash": "ab"}}, "log.hash: 64 hex digits"),
    ],
)
def test_a_wrong_field_of_a_welcome_is_named(over: dict[str, Any], message: str):
    assert refusal(welcome_dict(**over)).startswith(message)


@pytest.mark.parametrize("name", ["epoch", "seq", "hash"])
def test_a_missing_field_of_an_acknowledgement_is_named(name: str):
    payload = ack_dict()
    del payload["log"][name]
    assert refusal(payload) == f"log.{name}: missing"
