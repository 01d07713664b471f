"""Payloads: every limit of the wire at its edge, and an error that names the field and the rule."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given

from edge_agent.core.job import (
    Audience,
    ClipItem,
    Job,
    JobClass,
    LogAck,
    PlayAt,
    PlayNow,
    Preemption,
    Rule,
    TextItem,
    Welcome,
)
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType, job_payload, parse_ack, parse_job, parse_order, parse_welcome
from edge_agent.trust.strict_json import WireError, dump, parse
from tests.trust.makers import (
    AREA,
    DAY_MS,
    HOUR_MS,
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
from tests.trust.strategies import jobs, unhurried


def refusal(payload: dict[str, Any], kind: OrderType = OrderType.JOB) -> str:
    with pytest.raises(WireError) as caught:
        parse_order(Fields(payload), kind)
    return str(caught.value)


def test_every_field_of_a_job_arrives_in_its_place():
    job = make_job(
        key_epoch=2,
        serial=9,
        audience={"stations": ["dt-02", "dt-01"], "areas": [AREA], "zones": ["cho"]},
        order=12,
        loops=3,
        gap_s=30,
        items=[clip_item(), text_item()],
        volume=55,
        preemption="drop",
        missed={"policy": "late", "limit_s": 90},
        when=rule_when(),
        cap={"sent": "2026-10-01T12:00:00+07:00", "identifier": "vn-1", "sender": "kttv", "more": 1},
        **{"class": "priority"},
    )
    assert job == Job(
        job_id="job-1",
        issuer="dong-thanh",
        level="commune",
        key_epoch=2,
        serial=9,
        issued_at=NOON,
        not_before=NOON,
        not_after=NOON + 92 * DAY_MS,
        audience=Audience(frozenset({"dt-01", "dt-02"}), frozenset({AREA}), frozenset({"cho"})),
        cls=JobClass.PRIORITY,
        order=12,
        when=Rule(
            timezone="Asia/Ho_Chi_Minh",
            first_day=date(2026, 10, 1),
            last_day=date(2026, 12, 31),
            weekdays=frozenset({1, 2, 3, 4, 5}),
            times=(time(5, 30), time(17)),
            excluded=frozenset({date(2026, 11, 20)}),
        ),
        loops=3,
        gap_ms=30_000,
        items=(
            ClipItem(
                title="Bản tin sáng",
                field="thoi-su",
                language="vi",
                source="Đài xã",
                approver="ng-01",
                digest="ab" * 32,
                length_bytes=80_000,
                duration_ms=10_000,
                codec="mp3",
                urls=("https://content.test/clip.mp3",),
            ),
            TextItem(
                title="Lũ quét",
                field="thien-tai",
                language="vi",
                source="Ban chỉ huy",
                approver="ng-01",
                text="Nước đang lên.\nBà con đến nơi cao.",
            ),
        ),
        volume=55,
        preemption=Preemption.DROP,
        late_limit_ms=90_000,
        event="",
        cap=(("identifier", "vn-1"), ("sender", "kttv"), ("sent", "2026-10-01T12:00:00+07:00")),
    )


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


def test_an_instant_is_kept_to_the_millisecond():
    assert make_job(when={"kind": "at", "utc": NOON + 1}).when == PlayAt(NOON + 1)


def test_an_emergency_names_its_event_and_plays_at_once():
    assert make_job(**{"class": "emergency"}).event == "flash-flood"
    emergency = job_dict(**{"class": "emergency"})
    assert refusal(emergency | {"when": {"kind": "at", "utc": NOON}}).startswith("when: an emergency plays at once")
    del emergency["event"]
    assert refusal(emergency) == "event: an emergency names its event"
    assert refusal(job_dict(event="flash-flood")) == "event: only an emergency has one"


def test_an_emergency_may_be_repeated_until_an_instant_of_its_validity():
    again = {"kind": "now", "every_s": 180, "until": NOON + HOUR_MS}
    emergency = job_dict(**{"class": "emergency"}, when=again)
    assert parse_job(Fields(emergency)).when == PlayNow(180_000, NOON + HOUR_MS)
    for wrong in (NOON, NOON + 6 * HOUR_MS + 1):
        refused = refusal(emergency | {"when": again | {"until": wrong}})
        assert refused == "when.until: later than not_before, not later than not_after"
    for wrong in (59, 3_601):
        assert refusal(emergency | {"when": again | {"every_s": wrong}}) == "when.every_s: an integer from 60 to 3600"
    assert refusal(emergency | {"when": {"kind": "now", "every_s": 180}}) == "when.until: missing"
    assert refusal(emergency | {"when": {"kind": "now", "until": NOON + 1}}) == "when.every_s: missing"


@pytest.mark.parametrize("cls", ["normal", "priority"])
def test_what_only_an_emergency_has_is_refused_elsewhere_by_name(cls: str):
    again = {"kind": "now", "every_s": 180, "until": NOON + 1}
    ordinary = job_dict(**{"class": cls})
    assert refusal(ordinary | {"when": again}).startswith("when.every_s: remove it, only an emergency is repeated")
    assert refusal(ordinary | {"all_clear": True, "series": "lu-1", "version": 2}).startswith("all_clear: false")
    assert refusal(ordinary | {"rehearsal": True}).startswith("rehearsal: false: only an emergency is rehearsed")


def test_a_rehearsal_is_planned_and_names_its_event():
    rehearsal = job_dict(**{"class": "emergency"}, rehearsal=True, when={"kind": "at", "utc": NOON + 1})
    assert parse_job(Fields(rehearsal)).rehearsal
    assert parse_job(Fields(rehearsal | {"when": rule_when()})).rehearsal
    assert refusal(rehearsal | {"when": {"kind": "now"}}).startswith("when: a rehearsal is planned")
    del rehearsal["event"]
    assert refusal(rehearsal) == "event: an emergency names its event"


def test_an_all_clear_ends_a_series():
    emergency = job_dict(**{"class": "emergency"}, all_clear=True)
    assert refusal(emergency) == "series: missing; an all-clear ends a series"
    job = parse_job(Fields(emergency | {"series": "lu-1", "version": 9}))
    assert (job.series, job.version, job.all_clear) == ("lu-1", 9, True)


def test_a_series_counts_its_versions():
    assert (make_job().series, make_job().version) == ("", 0)
    assert refusal(job_dict(series="lu-1")) == "version: missing"
    assert refusal(job_dict(version=1)) == "series: missing"
    for wrong in (0, 10_000):
        assert refusal(job_dict(series="lu-1", version=wrong)) == "version: an integer from 1 to 9999"


def test_a_correction_names_another_job():
    assert make_job(corrects="job-0").corrects == "job-0"
    assert refusal(job_dict(corrects="job-1")).startswith("corrects: another job")
    assert refusal(job_dict(corrects="")) == "corrects: 1 to 64 of a-z, 0-9 and -"


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


@pytest.mark.parametrize("name", sorted(clip_item().keys() - {"codec"}))
def test_a_missing_field_of_an_item_is_named(name: str):
    item = clip_item()
    del item[name]
    assert refusal(job_dict(items=[text_item(), item])) == f"items[1].{name}: missing"


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
    ("name", "low", "high"), [("length", 1, 200_000_000), ("duration_ms", 1, 7_200_000)], ids=["length", "duration"]
)
def test_a_number_of_a_clip_is_taken_within_its_bounds_only(name: str, low: int, high: int):
    for right in (low, high):
        make_job(items=[clip_item(**{name: right})])
    for wrong in (low - 1, high + 1):
        refused = refusal(job_dict(items=[clip_item(**{name: wrong})]))
        assert refused == f"items[0].{name}: an integer from {low} to {high}"


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("title", 1, 200),
        ("field", 0, 40),
        ("language", 1, 16),
        ("source", 0, 200),
        ("approver", 0, 80),
        ("text", 1, 2_000),
    ],
)
def test_words_of_an_item_are_taken_up_to_their_length_only(name: str, least: int, most: int):
    for right in (least, most):
        make_job(items=[text_item(**{name: "x" * right})])
    wrong = [most + 1] if least == 0 else [least - 1, most + 1]
    for length in wrong:
        assert refusal(job_dict(items=[text_item(**{name: "x" * length})])).startswith(f"items[0].{name}: ")
    assert refusal(job_dict(items=[text_item(**{name: 1})])).startswith(f"items[0].{name}: ")


@pytest.mark.parametrize("name", ["job_id", "issuer", "level"])
@pytest.mark.parametrize("wrong", ["", "x" * 65, "A", "a_b", "a\n", "đ", "a b", 1, None, ["a"]])
def test_a_name_is_of_small_letters_digits_and_dashes(name: str, wrong: Any):
    assert refusal(job_dict(**{name: wrong})) == f"{name}: 1 to 64 of a-z, 0-9 and -"
    assert make_job(**{name: "x" * 64})


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
        ({"audience": {}}, "audience.areas: stations or areas, at least one"),
        ({"audience": {"zones": ["cho"]}}, "audience.areas: stations or areas, at least one"),
        ({"audience": {"stations": ["x"] * 2}}, "audience.stations[1]: each only once"),
        ({"audience": {"stations": [f"x{n}" for n in range(65)]}}, "audience.stations: a list of 0 to 64"),
        ({"audience": {"areas": ["Vn"]}}, "audience.areas[0]: 1 to 6 names"),
        ({"audience": {"areas": [AREA], "zones": [1]}}, "audience.zones[0]: 1 to 64"),
        ({"audience": [AREA]}, "audience: an object"),
        ({"event": ""}, "event: 1 to 40"),
        ({"event": "x" * 41}, "event: 1 to 40"),
        ({"cap": {"identifier": 1}}, "cap.identifier: 0 to 200 characters"),
        ({"cap": []}, "cap: an object"),
    ],
)
def test_a_wrong_field_of_a_job_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(**over)).startswith(message)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"kind": "live"}, "kind: one of clip, text, not live"),
        ({"digest": "ab" * 31}, "digest: 64 hex digits"),
        ({"digest": "AB" * 32}, "digest: 64 hex digits"),
        ({"digest": "ab" * 32 + "\n"}, "digest: 64 hex digits"),
        ({"codec": "x" * 17}, "codec: 0 to 16 characters"),
        ({"urls": []}, "urls: a list of 1 to 4"),
        ({"urls": [f"https://a/{n}" for n in range(5)]}, "urls: a list of 1 to 4"),
        ({"urls": ["https://a/", "https://a/"]}, "urls[1]: each only once"),
    ],
)
def test_a_wrong_field_of_a_clip_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(items=[clip_item(**over)])).startswith(f"items[0].{message}")


@pytest.mark.parametrize(
    "url",
    [
        "http://content.test/a",
        "HTTPS://content.test/a",
        "file:///etc/passwd",
        "https://",
        "https:///a",
        "https://user:secret@content.test/a",
        "https://content.test/a b",
        "https://content.test/a\n",
        "https://content.test/ạ",
        "https://content.test?a",
        "https://content.test/" + "a" * 480,
    ],
)
def test_an_address_that_is_no_plain_https_is_refused(url: str):
    assert refusal(job_dict(items=[clip_item(urls=[url])])).startswith("items[0].urls[0]: an https:// address")


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1:8443/a?b=c#d", "https://[::1]/a", "https://h", "https://h/" + "a" * 490]
)
def test_a_plain_https_address_is_taken(url: str):
    assert make_job(items=[clip_item(urls=[url])]).items[0].urls == (url,)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"timezone": "Asia/Hanoi"}, "timezone: a time zone"),
        ({"timezone": "Asia"}, "timezone: a time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone: a time zone"),
        ({"timezone": "/etc/localtime"}, "timezone: a time zone"),
        ({"timezone": "localtime"}, "timezone: a time zone"),
        ({"timezone": "right/Asia/Ho_Chi_Minh"}, "timezone: a time zone"),
        ({"timezone": "+07:00"}, "timezone: a time zone"),
        ({"timezone": "A" * 65}, "timezone: a time zone"),
        ({"timezone": ""}, "timezone: a time zone"),
        ({"first_day": "2027-01-01"}, "last_day: not before first_day"),
        ({"first_day": "20261001"}, "first_day: a day"),
        ({"first_day": "2026-W40-4"}, "first_day: a day"),
        ({"first_day": "2026-02-29"}, "first_day: a day"),
        ({"last_day": "0000-01-01"}, "last_day: a day"),
        ({"last_day": None}, "last_day: a day"),
        ({"weekdays": []}, "weekdays: a list of 1 to 7"),
        ({"weekdays": [0]}, "weekdays[0]: an integer from 1 to 7"),
        ({"weekdays": [8]}, "weekdays[0]: an integer from 1 to 7"),
        ({"weekdays": [1, 1]}, "weekdays[1]: each only once"),
        ({"weekdays": [True]}, "weekdays[0]: an integer from 1 to 7"),
        ({"times": []}, "times: a list of 1 to 24"),
        ({"times": [f"05:00:{n:02}" for n in range(25)]}, "times: a list of 1 to 24"),
        ({"times": ["05:30"]}, "times[0]: wall time"),
        ({"times": ["24:00:00"]}, "times[0]: wall time"),
        ({"times": ["05:30:60"]}, "times[0]: wall time"),
        ({"times": ["05:30:00Z"]}, "times[0]: wall time"),
        ({"times": ["05:30:00", "05:30:00"]}, "times[1]: each only once"),
        ({"excluded": ["2026-13-01"]}, "excluded[0]: a day"),
        ({"excluded": ["2026-11-20", "2026-11-31"]}, "excluded[1]: a day"),
        ({"excluded": ["2026-11-20"] * 2}, "excluded[1]: each only once"),
        ({"excluded": [f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(61)]}, "excluded: a list of 0 to 60"),
        ({"kind": "cron"}, "kind: one of now, at, rule, not cron"),
        ({"kind": "at"}, "utc: missing"),
        ({"kind": "at", "utc": 4_102_444_800_001}, "utc: an integer from 0 to 4102444800000"),
    ],
)
def test_a_wrong_rule_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(when=rule_when(**over))).startswith(f"when.{message}")


def test_the_largest_rule_is_taken():
    times = [f"{hour:02}:00:00" for hour in range(24)]
    excluded = [f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(60)]
    rule = make_job(when=rule_when(times=times, weekdays=[7, 6, 5, 4, 3, 2, 1], excluded=excluded)).when
    assert (len(rule.times), len(rule.weekdays), len(rule.excluded)) == (24, 7, 60)


@unhurried
@given(jobs())
def test_any_job_reads_back_from_its_payload_unchanged(job: Job):
    assert parse_job(Fields(parse(dump(job_payload(job, "test"))))) == job


# Welcome and acknowledgement


def test_every_field_of_a_welcome_arrives_in_its_place():
    payload = welcome_dict(trust_version=3, serial_marks={"b": 2, "a": 1})
    assert parse_welcome(Fields(payload)) == Welcome(NONCE, NOON, 3, (("a", 1), ("b", 2)), "e1", 0, "0" * 64)


def test_a_server_that_holds_nothing_yet_can_say_so():
    welcome = parse_welcome(Fields(welcome_dict(log={"epoch": "", "seq": 0, "hash": ""}, serial_marks={})))
    assert (welcome.log_epoch, welcome.log_seq, welcome.log_hash) == ("", 0, "")


def test_an_acknowledgement_arrives():
    assert parse_ack(Fields(ack_dict())) == LogAck("e1", 7, "cd" * 32)


@pytest.mark.parametrize("name", ["nonce", "utc", "trust_version", "serial_marks", "log"])
def test_a_missing_field_of_a_welcome_is_named(name: str):
    payload = welcome_dict()
    del payload[name]
    assert refusal(payload, OrderType.WELCOME) == f"{name}: missing"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"nonce": "0" * 31}, "nonce: 32 hex digits"),
        ({"nonce": "Z" * 32}, "nonce: 32 hex digits"),
        ({"utc": -1}, "utc: an integer from 0"),
        ({"trust_version": "1"}, "trust_version: an integer from 0"),
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
    assert refusal(welcome_dict(**over), OrderType.WELCOME).startswith(message)


@pytest.mark.parametrize("name", ["epoch", "seq", "hash"])
def test_a_missing_field_of_an_acknowledgement_is_named(name: str):
    payload = ack_dict()
    del payload["log"][name]
    assert refusal(payload, OrderType.ACK) == f"log.{name}: missing"
