"""What a station writes: exactly the agreed fields, exactly the agreed topics, never more than the agreed bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.sync import messages
from edge_agent.sync.limits import PACKET_BYTES_MAX
from edge_agent.sync.messages import OFFERS_MAX, PAYLOAD_BYTES_MAX, STATE_BYTES_MAX, Outgoing, Sender
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogCursor,
    LogRecord,
    OfferStatus,
    PlanMsg,
    PlayStatus,
    PolicyStatus,
    StateMsg,
    Why,
    ZoneStatus,
)
from edge_agent.sync.topics import Down, Up, area_job_topic, down_topic, subscriptions, up_topic

SENDER = Sender("loa-hn", StationId("st-a"), "b0071d", "0.1.0")
CLOCK = Now(MonoMs(5), UtcMs(1_790_000_000_000), ClockSource.SIGNED, 120)
HOST = HostStatus("10.0.0.7", "100000abc", 2_048, 51, False)
CLOCK_OUT = {"utc": 1_790_000_000_000, "source": "signed", "max_error_ms": 120}
HOST_OUT = {
    "address": "10.0.0.7",
    "serial": "100000abc",
    "storage_free_mb": 2_048,
    "temperature_c": 51,
    "undervoltage": False,
}
PLAY = PlayStatus(
    JobId("j-1"), "Bản tin sáng", JobClass.NORMAL, Phase.PLAYING, UtcMs(1_790_000_000_000), (ZoneId("z1"), ZoneId("z2"))
)
WAITING = replace(PLAY, job_id=JobId("j-2"), phase=Phase.REJECTED, reason=Reason.QUIET_HOURS)
ZONE = ZoneStatus(ZoneId("z1"), "Cụm chợ", True, JobId("j-1"), 80, True, -12)
AREA = "vn/ha-noi/dong-thanh"
STATE = StateMsg(True, Why.BIRTH, AREA, "Trạm A", CLOCK, (ZONE,), (PLAY,), (WAITING,), 3, True, True, HOST)


OFFER = OfferStatus(JobId("t-7"), "Chương trình", JobClass.NORMAL, "province", UtcMs(1_790_000_900_000))
OFFER_OUT = {
    "job_id": "t-7",
    "title": "Chương trình",
    "class": "normal",
    "level": "province",
    "expires": 1_790_000_900_000,
}
ENTRY = Planned(
    job_id=JobId("j-1"),
    title="Bản tin sáng",
    cls=JobClass.PRIORITY,
    level="commune",
    order=1,
    planned=CLOCK.utc,
    starts=UtcMs(CLOCK.utc + 1_000),
    ends=UtcMs(CLOCK.utc + 61_000),
    volumes={ZoneId("z1"): 55},
    out={ZoneId("z2"): Reason.ZONE_LOCKED},
    reason=None,
    under="dem-giao-thua",
    cut=False,
)
POLICY = PolicyStatus("128/QĐ-UBND", date(2026, 9, 28))
PLAN = PlanMsg(date(2026, 10, 6), "Asia/Ho_Chi_Minh", CLOCK.utc, POLICY, (ENTRY,), (OFFER,))


def decoded(out: Outgoing | None) -> dict[str, Any]:
    assert out is not None
    value = json.loads(out.payload)
    assert isinstance(value, dict)
    return value


def test_hello_has_the_agreed_form() -> None:
    root = TrustHead("", 0, 7, UtcMs(1_800_000_000_000))
    out = messages.hello(SENDER, HelloMsg("0" * 32, (root,), LogCursor("e1", 12, "f" * 64), CLOCK))
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.HELLO, "loa/1/u/st-a/hello", 1, False)
    assert decoded(out) == {
        "realm": "loa-hn",
        "type": "hello",
        "station": "st-a",
        "boot_id": "b0071d",
        "nonce": "0" * 32,
        "software": "0.1.0",
        "trust": [{"area": "", "epoch": 0, "version": 7, "expires": 1_800_000_000_000}],
        "log": {"epoch": "e1", "seq": 12, "hash": "f" * 64},
        "clock": CLOCK_OUT,
    }


def test_state_has_the_agreed_form_and_is_retained() -> None:
    out = messages.state(SENDER, STATE)
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.STATE, "loa/1/u/st-a/state", 1, True)
    play = {
        "job_id": "j-1",
        "title": "Bản tin sáng",
        "class": "normal",
        "phase": "playing",
        "planned": 1_790_000_000_000,
        "zones": ["z1", "z2"],
    }
    assert decoded(out) == {
        "realm": "loa-hn",
        "type": "state",
        "station": "st-a",
        "boot_id": "b0071d",
        "online": True,
        "why": "birth",
        "at": 1_790_000_000_000,
        "software": "0.1.0",
        "area": "vn/ha-noi/dong-thanh",
        "name": "Trạm A",
        "clock": CLOCK_OUT,
        "zones": [
            {
                "zone": "z1",
                "name": "Cụm chợ",
                "relay": "on",
                "playing": "j-1",
                "volume_max": 80,
                "heard": True,
                "level_db": -12,
            }
        ],
        "playing": [play],
        "next": [{**play, "job_id": "j-2", "phase": "rejected", "reason": "quiet_hours"}],
        "records_waiting": 3,
        "welcomed": True,
        "waits": None,
        "device_up": True,
        "host": HOST_OUT,
        "offers": [],
        "manifests": None,
        "rules": {"regulation": "", "quiet": None, "locked": [], "silenced": []},
    }


def test_state_tells_what_holds_and_what_waits_to_be_chosen() -> None:
    rules = InForce("128/QĐ-UBND", (time(21), time(5)), locked=(ZoneId("z1"),), silenced=(ZoneId("z2"),))
    state = decoded(messages.state(SENDER, replace(STATE, rules=rules, offers=(OFFER,) * (OFFERS_MAX + 1))))
    assert state["rules"] == {
        "regulation": "128/QĐ-UBND",
        "quiet": ["21:00", "05:00"],
        "locked": ["z1"],
        "silenced": ["z2"],
    }
    assert state["offers"] == [OFFER_OUT] * OFFERS_MAX


def test_a_plan_has_the_agreed_form() -> None:
    out = messages.plan(SENDER, PLAN)
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.PLAN, "loa/1/u/st-a/plan", 1, False)
    assert decoded(out) == {
        "realm": "loa-hn",
        "type": "plan",
        "station": "st-a",
        "boot_id": "b0071d",
        "day": "2026-10-06",
        "timezone": "Asia/Ho_Chi_Minh",
        "now": 1_790_000_000_000,
        "policy": {"number": "128/QĐ-UBND", "dated": "2026-09-28"},
        "entries": [
            {
                "job_id": "j-1",
                "title": "Bản tin sáng",
                "class": "priority",
                "level": "commune",
                "order": 1,
                "planned": 1_790_000_000_000,
                "starts": 1_790_000_001_000,
                "ends": 1_790_000_061_000,
                "zones": [{"zone": "z1", "volume": 55}],
                "out": [{"zone": "z2", "reason": "zone_locked"}],
                "reason": None,
                "under": "dem-giao-thua",
                "cut": False,
                "rehearsal": False,
            }
        ],
        "offers": [OFFER_OUT],
        "left_out": 0,
    }


@pytest.mark.parametrize("count", [1, 100, 500])
@pytest.mark.parametrize("title", ["x", "Ệ" * 80])
def test_a_plan_keeps_the_earliest_entries_that_fit_and_counts_the_rest(count: int, title: str) -> None:
    entries = tuple(replace(ENTRY, job_id=JobId(f"j-{number}"), title=title) for number in range(count))
    out = messages.plan(SENDER, replace(PLAN, entries=entries))
    told = decoded(out)
    assert len(out.payload) <= PAYLOAD_BYTES_MAX
    kept = [entry["job_id"] for entry in told["entries"]]
    assert kept == [f"j-{number}" for number in range(len(kept))]
    assert len(kept) + told["left_out"] == count
    one_more = len(json.dumps(told["entries"][0], ensure_ascii=False, separators=(",", ":")).encode()) + 20
    assert told["left_out"] == 0 or len(out.payload) + one_more > PAYLOAD_BYTES_MAX


@pytest.mark.parametrize(("seen", "told"), [(True, "on"), (False, "off"), (None, "unknown")])
def test_a_relay_that_nobody_can_see_is_unknown(seen: bool | None, told: str) -> None:
    state = replace(STATE, zones=(replace(ZONE, relay_on=seen),))
    assert decoded(messages.state(SENDER, state))["zones"][0]["relay"] == told


def test_what_the_host_does_not_show_is_null() -> None:
    state = decoded(messages.state(SENDER, replace(STATE, host=HostStatus())))
    assert set(state["host"].values()) == {None}
    assert set(state["host"]) == set(HOST_OUT)


def test_heartbeat_has_the_agreed_form_and_asks_for_no_acknowledgement() -> None:
    out = messages.heartbeat(SENDER, HeartbeatMsg(99, CLOCK, (JobId("j-1"),), 0, HOST))
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.HEARTBEAT, "loa/1/u/st-a/heartbeat", 0, False)
    assert decoded(out) == {
        "realm": "loa-hn",
        "type": "heartbeat",
        "station": "st-a",
        "boot_id": "b0071d",
        "at": 1_790_000_000_000,
        "uptime_s": 99,
        "clock": CLOCK_OUT,
        "playing": ["j-1"],
        "records_waiting": 0,
        "host": HOST_OUT,
    }


@pytest.mark.parametrize(("reason", "code"), [(None, None), (Reason.WRONG_AUDIENCE, "wrong_audience")])
def test_answer_has_the_agreed_form(reason: Reason | None, code: str | None) -> None:
    out = messages.answer(SENDER, AnswerMsg(Verdict.REFUSED, "d" * 64, "", reason, UtcMs(17)))
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.ANSWER, "loa/1/u/st-a/answer", 1, False)
    assert decoded(out) == {
        "realm": "loa-hn",
        "type": "answer",
        "station": "st-a",
        "verdict": "refused",
        "digest": "d" * 64,
        "job_id": "",
        "reason": code,
        "at": 17,
        "conflicts": [],
    }


def test_an_answer_names_what_will_not_sound() -> None:
    conflict = Conflict(JobId("j-1"), UtcMs(60_000), Reason.QUIET_HOURS, (ZoneId("c1"),))
    out = messages.answer(SENDER, AnswerMsg(Verdict.ACCEPTED, "d" * 64, "j-1", None, UtcMs(17), (conflict,)))
    assert decoded(out)["conflicts"] == [{"job_id": "j-1", "planned": 60_000, "reason": "quiet_hours", "zones": ["c1"]}]


def test_log_carries_each_body_so_that_its_hash_can_be_made_again() -> None:
    body = '{"job_id":"j-1","title":"Bản tin","zones":[{"played_ms":null}]}'.encode()
    digest = hashlib.sha256(b"0" * 64 + b"\n" + body).hexdigest()
    out = messages.log(SENDER, "e1", [LogRecord(1, "0" * 64, digest, body)])
    value = decoded(out)
    assert out is not None
    assert (out.kind, out.topic, out.qos, out.retain) == (Up.LOG, "loa/1/u/st-a/log", 1, False)
    assert {key: value[key] for key in ("realm", "type", "station", "epoch")} == {
        "realm": "loa-hn",
        "type": "log",
        "station": "st-a",
        "epoch": "e1",
    }
    (record,) = value["records"]
    again = json.dumps(record["body"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(record["prev"].encode() + b"\n" + again).hexdigest() == record["hash"] == digest


def test_a_batch_that_does_not_fit_a_packet_is_none_and_a_smaller_one_fits() -> None:
    body = json.dumps({"title": "x" * 10_000}).encode()
    records = [LogRecord(seq, "0" * 64, "f" * 64, body) for seq in range(1, 6)]
    assert messages.log(SENDER, "e1", records) is None
    assert len(decoded(messages.log(SENDER, "e1", records[:4]))["records"]) == 4


def test_payloads_are_canonical() -> None:
    for out in (messages.state(SENDER, STATE), messages.heartbeat(SENDER, HeartbeatMsg(1, CLOCK, (), 0, HOST))):
        value = json.loads(out.payload)
        assert json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == out.payload


def test_words_from_elsewhere_are_nfc_without_control_characters_and_short() -> None:
    nasty = "Tru\u031b\u01a1\u0323ng\n\x00\x85\udc80" + "ạ" * 300
    state = decoded(messages.state(SENDER, replace(STATE, name=nasty, playing=(replace(PLAY, title=nasty),))))
    for text in (state["name"], state["playing"][0]["title"]):
        assert len(text) <= 80
        assert not set(text) & {"\n", "\x00", "\x85", "\udc80", "\u031b", "\u0323"}


letters = st.text(max_size=300)
plays = st.builds(
    PlayStatus,
    st.sampled_from([JobId("j" * 64)]),
    letters,
    st.sampled_from(JobClass),
    st.sampled_from(Phase),
    st.just(UtcMs(2**53 - 1)),
    st.lists(st.just(ZoneId("z" * 64)), max_size=50).map(tuple),
    st.sampled_from(Reason),
)
zones = st.builds(ZoneStatus, st.just(ZoneId("z" * 40)), letters, st.none(), st.just(JobId("j" * 64)), st.just(100))


@given(
    st.lists(zones, max_size=50).map(tuple),
    st.lists(plays, max_size=60).map(tuple),
    st.lists(plays, max_size=60).map(tuple),
)
def test_a_state_never_outgrows_its_bound_and_leaves_out_the_furthest(
    zones: tuple[ZoneStatus, ...], playing: tuple[PlayStatus, ...], coming: tuple[PlayStatus, ...]
) -> None:
    out = messages.state(SENDER, replace(STATE, zones=zones, playing=playing, next=coming))
    assert len(out.payload) <= STATE_BYTES_MAX
    told = [play["phase"] for play in decoded(out)["next"]]
    assert told == [play.phase.value for play in coming[: len(told)]]


def test_with_fifty_full_zones_there_is_still_room_for_what_plays() -> None:
    crowd = tuple(replace(ZONE, name="Cụm loa nhà văn hóa thôn " + "ạ" * 55) for _ in range(50))
    full = replace(PLAY, title="ạ" * 80, zones=tuple(ZoneId(f"zone-{number:02}") for number in range(50)))
    state = decoded(messages.state(SENDER, replace(STATE, zones=crowd, playing=(full,) * 3, next=(full,) * 10)))
    assert (len(state["zones"]), len(state["playing"]), len(state["next"])) == (50, 3, 10)


def test_the_largest_payload_fits_a_packet_as_an_envelope_with_sixteen_signatures() -> None:
    signature = {"keyid": "f" * 64, "sig": "A" * 96}
    envelope = {
        "payload": "A" * ((PAYLOAD_BYTES_MAX + 2) // 3 * 4),
        "payloadType": "application/vnd.loa.heartbeat+json",
        "signatures": [signature],
    }
    topic = up_topic(StationId("s" * 64), Up.HEARTBEAT)
    assert len(json.dumps(envelope)) + len(topic) + 16 <= PACKET_BYTES_MAX


def test_a_station_listens_to_its_own_topics_and_every_area_around_it() -> None:
    assert subscriptions(StationId("st-a"), "vn/ha-noi/dong-thanh") == (
        "loa/1/d/st-a/job",
        "loa/1/d/st-a/welcome",
        "loa/1/d/st-a/ack",
        "loa/1/area/vn/job",
        "loa/1/area/vn/ha-noi/job",
        "loa/1/area/vn/ha-noi/dong-thanh/job",
    )


def test_no_station_has_more_than_twelve_subscriptions() -> None:
    assert len(subscriptions(StationId("st-a"), "a/b/c/d/e/f")) <= 12
    with pytest.raises(ValueError, match="deeper"):
        subscriptions(StationId("st-a"), "a/b/c/d/e/f/g")


NO_SEGMENTS = ["", "+", "#", "St-A", "st a", "đông", "a\n", "x" * 65]


@pytest.mark.parametrize("name", [*NO_SEGMENTS, "a/b"])
def test_a_station_name_that_is_no_topic_segment_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no topic segment"):
        up_topic(StationId(name), Up.LOG)
    with pytest.raises(ValueError, match="no topic segment"):
        down_topic(StationId(name), Down.JOB)


@pytest.mark.parametrize("name", NO_SEGMENTS)
def test_an_area_with_a_part_that_is_no_topic_segment_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no topic segment"):
        area_job_topic(f"vn/{name}")
    with pytest.raises(ValueError, match="no topic segment"):
        subscriptions(StationId("st-a"), f"{name}/ha-noi")
