"""What a station obeys and what it refuses, by the name of the attack. Nothing here knows the time."""

from __future__ import annotations

from edge_agent.core.job import Accepted, LogAck, Welcome
from edge_agent.trust.judge import make_judge
from tests.trust.makers import (
    ACK_TOPIC,
    JOB_TOPIC,
    WELCOME_TOPIC,
    make_site,
    make_trust,
    signed_ack,
    signed_job,
    signed_welcome,
    signer,
)

judge = make_judge(make_trust(), make_site())


def test_a_job_signed_by_its_issuer_is_accepted():
    verdict = judge(JOB_TOPIC, signed_job(job_id="sang-nay"))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.job.job_id == "sang-nay"
    assert verdict.signers == (signer("officer").keyid,)
    assert verdict.role == "ward"


def test_a_welcome_signed_by_the_server_is_taken():
    assert isinstance(judge(WELCOME_TOPIC, signed_welcome()), Welcome)


def test_a_log_acknowledgement_signed_by_the_server_is_taken():
    assert judge(ACK_TOPIC, signed_ack()) == LogAck("e1", 7, "cd" * 32)
