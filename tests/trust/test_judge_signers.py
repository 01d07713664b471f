"""Who signed: forged orders, too few signatures, keys that are trusted but not with this, and which role counts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.trust.envelope import pae, payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.strict_json import dump
from tests.trust.makers import (
    ACK_TOPIC,
    HOUR_MS,
    ISSUER,
    JOB_TOPIC,
    NOON,
    WELCOME_TOPIC,
    P256Signer,
    job_dict,
    job_role,
    make_trust,
    online_role,
    signed_ack,
    signed_command,
    signed_job,
    signed_regulation,
    signed_welcome,
    signed_window,
    signer,
)
from tests.trust.verdicts import DEPUTY, OFFICER, SITE, accepted, digest_of, judge, reason, refused

TOKEN = P256Signer("token")
judge_of_two = make_judge(
    make_trust(roles=[job_role(keyids=[OFFICER.keyid, DEPUTY.keyid], threshold=2), online_role()]), SITE
)


def test_a_job_signed_with_an_ecdsa_p256_token_is_accepted():
    trust = make_trust(keys=[TOKEN.public], roles=[job_role(keyids=[TOKEN.keyid])])
    verdict = accepted(make_judge(trust, SITE)(JOB_TOPIC, signed_job(by=[TOKEN])))
    assert verdict.signers == (TOKEN.keyid,)


def test_two_officers_together_reach_a_threshold_of_two():
    verdict = accepted(judge_of_two(JOB_TOPIC, signed_job(by=["deputy", "officer", "stranger"])))
    assert verdict.signers == tuple(sorted([OFFICER.keyid, DEPUTY.keyid]))


# Forged


def test_a_forged_job_is_refused_and_no_word_of_it_is_repeated():
    message = signed_job(by=["stranger"], job_id="forged", issuer=ISSUER)
    verdict = refused(judge(JOB_TOPIC, message))
    assert verdict.reason is Reason.SIGNATURE_INVALID
    assert (verdict.job_id, verdict.issuer) == ("", "")
    assert verdict.digest == digest_of(message)
    assert "forged" not in verdict.detail


def test_a_strangers_signature_under_an_officers_keyid_is_refused():
    payload = dump(job_dict())
    kind = payload_type("job")
    forged = base64.b64encode(signer("stranger").sign(pae(kind, payload))).decode()
    fields = json.loads(sign(kind, payload, [OFFICER])) | {"signatures": [{"keyid": OFFICER.keyid, "sig": forged}]}
    assert reason(judge(JOB_TOPIC, json.dumps(fields).encode())) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("change", [{"volume": 100}, {"job_id": "other"}, {"serial": 2}, {"not_after": NOON + 500_000}])
def test_a_job_altered_on_the_way_is_refused(change: dict[str, Any]):
    fields = json.loads(signed_job())
    fields["payload"] = base64.b64encode(dump(job_dict(**change))).decode()
    assert reason(judge(JOB_TOPIC, json.dumps(fields).encode())) is Reason.SIGNATURE_INVALID


# Too few


def test_one_officer_who_signs_twice_is_too_few():
    verdict = refused(judge_of_two(JOB_TOPIC, signed_job(by=["officer", "officer"])))
    assert (verdict.reason, verdict.detail) == (Reason.TOO_FEW_SIGNATURES, "role ward: 1 of 2")
    assert (verdict.job_id, verdict.issuer) == ("", "")


def test_an_officer_and_a_stranger_are_too_few():
    assert reason(judge_of_two(JOB_TOPIC, signed_job(by=["officer", "stranger"]))) is Reason.TOO_FEW_SIGNATURES


def test_two_are_too_few_where_three_are_asked_for():
    three = job_role(keyids=[OFFICER.keyid, DEPUTY.keyid, TOKEN.keyid], threshold=3)
    judge_of_three = make_judge(make_trust(keys=[TOKEN.public], roles=[three]), SITE)
    verdict = refused(judge_of_three(JOB_TOPIC, signed_job(by=["officer", "deputy"])))
    assert (verdict.reason, verdict.detail) == (Reason.TOO_FEW_SIGNATURES, "role ward: 2 of 3")
    assert len(accepted(judge_of_three(JOB_TOPIC, signed_job(by=["officer", "deputy", TOKEN]))).signers) == 3


def test_too_few_is_said_of_the_role_that_lacks_least():
    three = job_role(role="three", keyids=[OFFICER.keyid, DEPUTY.keyid, TOKEN.keyid], threshold=3)
    two = job_role(role="two", keyids=[OFFICER.keyid, DEPUTY.keyid], threshold=2)
    alone = job_role(role="alone", keyids=[TOKEN.keyid], threshold=1)
    trust = make_trust(keys=[TOKEN.public], roles=[three, two, alone])
    assert refused(make_judge(trust, SITE)(JOB_TOPIC, signed_job())).detail == "role two: 1 of 2"


# Keys that are trusted, but not with this


def test_a_servers_key_cannot_order_sound():
    verdict = refused(judge(JOB_TOPIC, signed_job(by=["server"])))
    assert (verdict.reason, verdict.job_id, verdict.issuer) == (Reason.SIGNATURE_INVALID, "", "")
    assert reason(judge(JOB_TOPIC, signed_job(by=["server"], issuer="nobody"))) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("topic", "message"), [(WELCOME_TOPIC, signed_welcome), (ACK_TOPIC, signed_ack)])
def test_an_officers_key_cannot_answer_for_the_server(topic: str, message: Any):
    assert reason(judge(topic, message(by=["officer"]))) is Reason.SIGNATURE_INVALID


def test_a_welcome_key_cannot_acknowledge_the_log():
    trust = make_trust(roles=[job_role(), online_role(orders=["welcome"])])
    assert reason(make_judge(trust, SITE)(ACK_TOPIC, signed_ack())) is Reason.SIGNATURE_INVALID


def test_another_communes_officer_cannot_sign_in_our_issuers_name():
    neighbour = job_role(role="neighbour", issuer="an-khanh", keyids=[DEPUTY.keyid])
    both = make_judge(make_trust(roles=[job_role(), neighbour]), SITE)
    verdict = refused(both(JOB_TOPIC, signed_job(by=["deputy"])))
    assert verdict.reason is Reason.SIGNATURE_INVALID
    assert (verdict.job_id, verdict.issuer) == ("", "")
    assert isinstance(both(JOB_TOPIC, signed_job(by=["deputy"], issuer="an-khanh")), Accepted)


def test_an_unknown_issuer_is_named_only_when_a_trusted_key_signed():
    verdict = refused(judge(JOB_TOPIC, signed_job(issuer="an-khanh")))
    assert (verdict.reason, verdict.issuer, verdict.job_id) == (Reason.UNKNOWN_ISSUER, "an-khanh", "job-1")
    forged = refused(judge(JOB_TOPIC, signed_job(by=["stranger"], issuer="an-khanh")))
    assert (forged.reason, forged.issuer, forged.job_id) == (Reason.SIGNATURE_INVALID, "", "")


@pytest.mark.parametrize("message", [signed_regulation(by=["officer"]), signed_window(by=["officer"])])
def test_whoever_orders_jobs_cannot_let_them_pass_the_policy(message: bytes):
    assert reason(judge(JOB_TOPIC, message)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("message", [signed_job(by=["owner"]), signed_command(by=["owner"])])
def test_the_policys_owner_orders_no_sound(message: bytes):
    assert reason(judge(JOB_TOPIC, message)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("made", [signed_regulation, signed_window, signed_command])
def test_an_order_in_a_name_that_is_not_the_signers_is_refused(made: Any):
    verdict = refused(judge(JOB_TOPIC, made(issuer="an-khanh")))
    assert (verdict.reason, verdict.issuer) == (Reason.UNKNOWN_ISSUER, "an-khanh")
    assert verdict.job_id != ""
    forged = refused(judge(JOB_TOPIC, made(by=["stranger"])))
    assert (forged.reason, forged.job_id, forged.issuer) == (Reason.SIGNATURE_INVALID, "", "")


# One officer or two


def one_or_two(**one: Any) -> Any:
    """One officer with ``one`` as limits, two with all."""
    two = job_role(role="two-officers", keyids=[OFFICER.keyid, DEPUTY.keyid], threshold=2)
    return make_judge(make_trust(roles=[job_role(role="one-officer", limits=one), two]), SITE)


def test_what_one_officer_may_not_two_may():
    message = signed_job(by=["officer", "deputy"], **{"class": "emergency"})
    assert accepted(one_or_two(validity_max_s=1_800)(JOB_TOPIC, message)).role == "two-officers"


def test_one_officer_alone_is_held_to_the_limits_of_one():
    verdict = refused(one_or_two(validity_max_s=1_800)(JOB_TOPIC, signed_job(**{"class": "emergency"})))
    assert verdict.reason is Reason.VALIDITY_TOO_LONG
    assert verdict.detail.endswith("(role one-officer)")


def test_what_neither_role_allows_is_refused_by_the_limit_of_the_greater():
    message = signed_job(by=["officer", "deputy"], not_after=NOON + HOUR_MS)
    verdict = refused(one_or_two(volume_max=10)(JOB_TOPIC, message))
    assert verdict.reason is Reason.VALIDITY_TOO_LONG
    assert verdict.detail.endswith("(role two-officers)")


def test_a_role_of_fewer_signatures_that_allows_it_is_enough():
    wide, narrow = job_role(role="one"), job_role(role="both", limits={"volume_max": 10}, threshold=2)
    narrow["keyids"] = [OFFICER.keyid, DEPUTY.keyid]
    both = make_judge(make_trust(roles=[narrow, wide]), SITE)
    verdict = accepted(both(JOB_TOPIC, signed_job(by=["officer", "deputy"])))
    assert (verdict.role, verdict.signers) == ("one", (OFFICER.keyid,))
