"""The right message in the wrong place: on another topic, as another type, of another realm, for another station."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.reasons import Reason
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.strict_json import dump
from tests.trust.makers import (
    ACK_TOPIC,
    ISSUER,
    JOB_TOPIC,
    WELCOME_TOPIC,
    job_dict,
    make_site,
    make_trust,
    signed_ack,
    signed_command,
    signed_job,
    signed_regulation,
    signed_timetable,
    signed_welcome,
    signed_window,
)
from tests.trust.verdicts import OFFICER, judge, reason, refused


@pytest.mark.parametrize("topic", [WELCOME_TOPIC, ACK_TOPIC, "loa/1/d/dt-01/command", "", "job/"])
def test_a_job_on_another_topic_is_refused(topic: str):
    verdict = refused(judge(topic, signed_job()))
    assert verdict.reason is Reason.MALFORMED
    assert verdict.detail == "payloadType: a job does not travel on this topic"


@pytest.mark.parametrize("made", [signed_regulation, signed_window, signed_command])
def test_an_order_travels_on_the_topic_of_jobs_only(made: Any):
    for topic in (WELCOME_TOPIC, ACK_TOPIC, *(f"loa/1/d/dt-01/{kind}" for kind in ("regulation", "window", "command"))):
        verdict = refused(judge(topic, made()))
        assert verdict.reason is Reason.MALFORMED
        assert verdict.detail.endswith("does not travel on this topic")


@pytest.mark.parametrize("message", [signed_welcome(), signed_ack()])
def test_an_answer_on_the_job_topic_is_refused(message: bytes):
    assert reason(judge(JOB_TOPIC, message)) is Reason.MALFORMED


@pytest.mark.parametrize("kind", ["manifest", "state", "Job"])
def test_a_type_that_is_no_order_is_unsupported(kind: str):
    message = sign(payload_type(kind), dump(job_dict()), [OFFICER])
    assert reason(judge(JOB_TOPIC, message)) is Reason.UNSUPPORTED


def test_a_payload_type_of_somebody_elses_is_unsupported():
    message = sign("application/vnd.in-toto+json", dump(job_dict()), [OFFICER])
    assert reason(judge(JOB_TOPIC, message)) is Reason.UNSUPPORTED


def test_a_payload_that_says_another_type_than_its_envelope_is_refused():
    message = sign(payload_type("job"), dump(job_dict(type="ack")), [OFFICER])
    verdict = refused(judge(JOB_TOPIC, message))
    assert (verdict.reason, verdict.detail) == (Reason.MALFORMED, 'type: "job", as payloadType says')


def test_a_job_of_another_realm_is_refused_though_the_same_officer_signed_it():
    verdict = refused(judge(JOB_TOPIC, signed_job(realm="drill")))
    assert (verdict.reason, verdict.job_id, verdict.issuer) == (Reason.WRONG_REALM, "job-1", ISSUER)


@pytest.mark.parametrize("made", [signed_regulation, signed_window, signed_command, signed_timetable])
def test_an_order_of_any_kind_of_another_realm_is_refused(made: Any):
    assert reason(judge(JOB_TOPIC, made(realm="drill"))) is Reason.WRONG_REALM


def test_a_forged_job_of_another_realm_is_forged_before_anything_else():
    assert reason(judge(JOB_TOPIC, signed_job(by=["stranger"], realm="drill"))) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("topic", "message"), [(WELCOME_TOPIC, signed_welcome), (ACK_TOPIC, signed_ack)])
def test_an_answer_of_another_realm_is_refused(topic: str, message: Any):
    assert reason(judge(topic, message(realm="drill"))) is Reason.WRONG_REALM


@pytest.mark.parametrize(("topic", "message"), [(WELCOME_TOPIC, signed_welcome), (ACK_TOPIC, signed_ack)])
def test_an_answer_to_another_station_is_refused(topic: str, message: Any):
    assert reason(judge(topic, message(station="dt-02"))) is Reason.WRONG_AUDIENCE


def test_a_station_and_a_trust_file_of_different_realms_do_not_start():
    with pytest.raises(ValueError, match="realm"):
        make_judge(make_trust(), make_site(realm="drill"))
