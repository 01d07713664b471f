"""What a station obeys and what it refuses, and the order in which it looks. Nothing here knows the time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, LogAck, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import UNAUTHENTICATED, Reason
from edge_agent.core.trust_standing import TrustVersion
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.judge import make_judge
from tests.trust.makers import (
    ACK_TOPIC,
    AREA,
    HOUR_MS,
    ISSUER,
    JOB_TOPIC,
    NONCE,
    NOON,
    WELCOME_TOPIC,
    ack_dict,
    command_dict,
    command_role,
    job_dict,
    job_role,
    make_trust,
    regulation_dict,
    signed_ack,
    signed_command,
    signed_job,
    signed_regulation,
    signed_welcome,
    signed_window,
    signer,
    text_item,
    welcome_dict,
    window_dict,
)
from tests.trust.strategies import anything, unhurried
from tests.trust.verdicts import OFFICER, SITE, accepted, digest_of, judge, reason, refused

# What is obeyed


def test_a_job_signed_by_its_issuer_is_accepted():
    message = signed_job(job_id="sang-nay")
    verdict = accepted(judge(JOB_TOPIC, message))
    assert verdict.job.job_id == "sang-nay"
    assert verdict.signers == (OFFICER.keyid,)
    assert (verdict.role, verdict.digest) == ("ward", digest_of(message))


def test_a_job_on_the_topic_of_our_area_is_accepted():
    assert isinstance(judge(f"loa/1/area/{AREA}/job", signed_job()), Accepted)


def test_a_welcome_signed_by_the_server_is_taken():
    assert judge(WELCOME_TOPIC, signed_welcome()) == Welcome(
        NONCE, NOON, (TrustVersion("", 0, 1),), ((ISSUER, 0),), "e1", 0, "0" * 64
    )


def test_a_log_acknowledgement_signed_by_the_server_is_taken():
    assert judge(ACK_TOPIC, signed_ack()) == LogAck("e1", 7, "cd" * 32)


@pytest.mark.parametrize(("message", "role"), [(signed_regulation(), "owner"), (signed_window(), "owner")])
def test_what_the_policys_owner_signs_is_accepted_where_jobs_come(message: bytes, role: str):
    for topic in (JOB_TOPIC, f"loa/1/area/{AREA}/job"):
        verdict = judge(topic, message)
        assert isinstance(verdict, AcceptedRule), verdict
        assert (verdict.role, verdict.signers, verdict.digest) == (role, (signer("owner").keyid,), digest_of(message))


def test_a_command_is_accepted_from_whoever_may_command_it():
    verdict = judge(JOB_TOPIC, signed_command(order_id="dung-7"))
    assert isinstance(verdict, AcceptedRule), verdict
    assert (verdict.order_id, verdict.role, verdict.signers) == ("dung-7", "desk", (OFFICER.keyid,))
    few = make_judge(make_trust(roles=[job_role(), command_role(limits={"commands": ["stop"]})]), SITE)
    refusal = refused(few(JOB_TOPIC, signed_command(order_id="dung-7")))
    assert (refusal.reason, refusal.job_id, refusal.issuer) == (Reason.OVER_LIMIT, "dung-7", ISSUER)
    assert refusal.detail == "do.what: all_stop is not among the role's commands (role desk)"


def test_what_a_role_leaves_to_be_counted_goes_with_its_emergencies_only():
    counted = make_judge(make_trust(roles=[job_role(limits={"sound_max_s": 600, "per_day": 3})]), SITE)
    emergency = accepted(counted(JOB_TOPIC, signed_job(**{"class": "emergency"})))
    assert (emergency.sound_max_ms, emergency.per_day) == (600_000, 3)
    ordinary = accepted(counted(JOB_TOPIC, signed_job()))
    assert (ordinary.sound_max_ms, ordinary.per_day) == (0, 0)


# Correctly signed, but not for us or too much


@pytest.mark.parametrize("audience", [{"areas": ["vn/ha-noi/an-khanh"]}, {"stations": ["dt-02"]}])
def test_another_wards_job_is_refused_by_name(audience: dict[str, Any]):
    verdict = refused(judge(JOB_TOPIC, signed_job(audience=audience)))
    assert (verdict.reason, verdict.job_id, verdict.issuer) == (Reason.WRONG_AUDIENCE, "job-1", ISSUER)


def test_a_job_above_its_roles_limits_is_refused_with_the_limit():
    quiet = make_judge(make_trust(roles=[job_role(limits={"volume_max": 60})]), SITE)
    verdict = refused(quiet(JOB_TOPIC, signed_job()))
    assert (verdict.reason, verdict.job_id) == (Reason.OVER_LIMIT, "job-1")
    assert verdict.detail == "volume: 70 is above the role's 60 (role ward)"


def test_an_order_to_play_now_that_is_valid_for_hours_is_refused():
    verdict = refused(judge(JOB_TOPIC, signed_job(not_after=NOON + HOUR_MS)))
    assert (verdict.reason, verdict.issuer) == (Reason.VALIDITY_TOO_LONG, ISSUER)


# The order of the checks


def test_a_message_larger_than_a_packet_is_refused_unread():
    verdict = refused(judge(JOB_TOPIC, b"{" * 65_537))
    assert (verdict.reason, verdict.digest) == (Reason.TOO_LARGE, "")


def test_bytes_that_are_no_envelope_have_no_identity():
    verdict = refused(judge(JOB_TOPIC, b"hello"))
    assert (verdict.reason, verdict.digest) == (Reason.MALFORMED, "")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"type":"job"}',
        b'{"type":"job","type":"job"}',
        b'{"realm":"test","type":"job"}',
        b'{"realm":"test","type":"job","issuer":1}',
        b'{"realm":"test","type":"job","issuer":"x","volume":1.5}',
        b'{"realm":"test","type":"job","issuer":"x"}\n{}',
        b"[" * 9_000,
    ],
)
def test_a_payload_that_is_not_strict_json_is_refused_before_its_signature_is_looked_at(payload: bytes):
    for officer in ("officer", "stranger"):
        verdict = refused(judge(JOB_TOPIC, sign(payload_type("job"), payload, [signer(officer)])))
        assert verdict.reason is Reason.MALFORMED
        assert (verdict.job_id, verdict.issuer) == ("", "")
        assert verdict.digest != ""


def test_a_field_that_breaks_a_rule_is_named_once_the_signature_held():
    verdict = refused(judge(JOB_TOPIC, signed_job(items=[text_item(), {"kind": "clip", "title": "x"}])))
    assert (verdict.reason, verdict.detail) == (Reason.MALFORMED, "items[1].field: missing")
    assert (verdict.job_id, verdict.issuer) == ("job-1", ISSUER)
    forged = refused(judge(JOB_TOPIC, signed_job(by=["stranger"], items=[])))
    assert forged.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("job_id", [None, 7, "", "A", ["job-1"], "x" * 65, "đ"])
def test_a_job_id_that_is_no_name_is_not_repeated(job_id: Any):
    verdict = refused(judge(JOB_TOPIC, signed_job(job_id=job_id)))
    assert (verdict.reason, verdict.job_id, verdict.issuer) == (Reason.MALFORMED, "", ISSUER)


def test_a_field_called_critical_that_we_do_not_know_makes_the_order_unsupported():
    verdict = refused(judge(JOB_TOPIC, signed_job(critical=["volume", "siren"], siren={"pattern": 3})))
    assert (verdict.reason, verdict.detail) == (Reason.UNSUPPORTED, "critical: 'siren' is not known to this software")
    assert verdict.job_id == "job-1"
    assert isinstance(judge(JOB_TOPIC, signed_job(siren={"pattern": 3})), Accepted)


def test_critical_comes_before_the_fields_that_only_newer_software_understands():
    assert reason(judge(JOB_TOPIC, signed_job(critical=["siren"], items="new form"))) is Reason.UNSUPPORTED


def test_fields_called_critical_that_we_know_change_nothing():
    assert isinstance(judge(JOB_TOPIC, signed_job(critical=sorted(job_dict()))), Accepted)
    assert isinstance(judge(WELCOME_TOPIC, signed_welcome(critical=sorted(welcome_dict()))), Welcome)
    assert isinstance(judge(ACK_TOPIC, signed_ack(critical=sorted(ack_dict()))), LogAck)
    for made, written in (
        (signed_regulation, regulation_dict()),
        (signed_window, window_dict()),
        (signed_command, command_dict()),
    ):
        assert isinstance(judge(JOB_TOPIC, made(critical=sorted(written))), AcceptedRule)
        assert reason(judge(JOB_TOPIC, made(critical=["siren"]))) is Reason.UNSUPPORTED


def test_what_a_job_has_is_not_known_in_a_welcome():
    assert reason(judge(WELCOME_TOPIC, signed_welcome(critical=["volume"]))) is Reason.UNSUPPORTED


@pytest.mark.parametrize("critical", ["volume", [1], [""], ["volume", "volume"], {}, ["x"] * 65])
def test_a_critical_that_is_no_list_of_names_is_refused(critical: Any):
    assert reason(judge(JOB_TOPIC, signed_job(critical=critical))) is Reason.MALFORMED


def test_the_audience_comes_before_the_limits():
    elsewhere = {"areas": ["vn/ha-noi/an-khanh"]}
    assert reason(judge(JOB_TOPIC, signed_job(audience=elsewhere, level="province"))) is Reason.WRONG_AUDIENCE


# Properties


@unhurried
@given(message=st.binary(max_size=300), topic=st.sampled_from([JOB_TOPIC, WELCOME_TOPIC, ACK_TOPIC]))
def test_random_bytes_are_refused_and_never_raise(message: bytes, topic: str):
    assert reason(judge(topic, message)) in UNAUTHENTICATED


@unhurried
@given(payload=anything | st.binary(max_size=200))
def test_any_signed_payload_is_judged_and_never_raises(payload: Any):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    assert isinstance(judge(JOB_TOPIC, sign(payload_type("job"), data, [OFFICER])), Rejected)


GOOD = (
    (JOB_TOPIC, job_dict(when={"kind": "now"}, missed={"policy": "skip"}, cap={}), OFFICER),
    (JOB_TOPIC, regulation_dict(), signer("owner")),
    (JOB_TOPIC, window_dict(), signer("owner")),
    (JOB_TOPIC, command_dict(), OFFICER),
    (WELCOME_TOPIC, welcome_dict(), signer("server")),
    (ACK_TOPIC, ack_dict(), signer("server")),
)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good message, signed by the right key, with anything at all in one of its places."""
    topic, payload, one = draw(st.sampled_from(GOOD))
    copy = json.loads(json.dumps(payload))
    place: Any = copy
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            break
        place = place[key]
    place[key] = draw(anything)
    return topic, sign(payload_type(payload["type"]), json.dumps(copy).encode(), [one])


@unhurried
@given(spoilt())
def test_anything_in_any_place_of_a_signed_message_is_judged_and_never_raises(sent: tuple[str, bytes]):
    verdict = judge(*sent)
    assert isinstance(verdict, Accepted | AcceptedRule | Welcome | LogAck | Rejected)


@unhurried
@given(data=st.data())
def test_no_change_on_the_way_makes_another_order_of_it(data: st.DataObject):
    message = bytearray(signed_job())
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    verdict = judge(JOB_TOPIC, bytes(message))
    assert isinstance(verdict, Rejected) or verdict == judge(JOB_TOPIC, signed_job())
