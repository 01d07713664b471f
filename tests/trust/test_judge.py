"""What a station obeys and what it refuses, by the name of the attack. Nothing here knows the time."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted, LogAck, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import UNAUTHENTICATED, Reason
from edge_agent.trust.envelope import Envelope, open_envelope, pae, payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.strict_json import dump
from tests.trust.makers import (
    ACK_TOPIC,
    AREA,
    HOUR_MS,
    ISSUER,
    JOB_TOPIC,
    NONCE,
    NOON,
    WELCOME_TOPIC,
    P256Signer,
    ack_dict,
    command_dict,
    command_role,
    job_dict,
    job_role,
    make_site,
    make_trust,
    online_role,
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

SITE = make_site()
TOKEN = P256Signer("token")
OFFICER, DEPUTY = signer("officer"), signer("deputy")
judge = make_judge(make_trust(), SITE)
judge_of_two = make_judge(
    make_trust(roles=[job_role(keyids=[OFFICER.keyid, DEPUTY.keyid], threshold=2), online_role()]), SITE
)


def refused(verdict: Judgement) -> Rejected:
    assert isinstance(verdict, Rejected), verdict
    return verdict


def reason(verdict: Judgement) -> Reason:
    return refused(verdict).reason


def digest_of(message: bytes) -> str:
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    return envelope.digest


# What is obeyed


def test_a_job_signed_by_its_issuer_is_accepted():
    message = signed_job(job_id="sang-nay")
    verdict = judge(JOB_TOPIC, message)
    assert isinstance(verdict, Accepted), verdict
    assert verdict.job.job_id == "sang-nay"
    assert verdict.signers == (OFFICER.keyid,)
    assert (verdict.role, verdict.digest) == ("ward", digest_of(message))


def test_a_job_on_the_topic_of_our_area_is_accepted():
    assert isinstance(judge(f"loa/1/area/{AREA}/job", signed_job()), Accepted)


def test_a_job_signed_with_an_ecdsa_p256_token_is_accepted():
    trust = make_trust(keys=[TOKEN.public], roles=[job_role(keyids=[TOKEN.keyid])])
    verdict = make_judge(trust, SITE)(JOB_TOPIC, signed_job(by=[TOKEN]))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.signers == (TOKEN.keyid,)


def test_a_welcome_signed_by_the_server_is_taken():
    assert judge(WELCOME_TOPIC, signed_welcome()) == Welcome(NONCE, NOON, 1, ((ISSUER, 0),), "e1", 0, "0" * 64)


def test_a_log_acknowledgement_signed_by_the_server_is_taken():
    assert judge(ACK_TOPIC, signed_ack()) == LogAck("e1", 7, "cd" * 32)


def test_two_officers_together_reach_a_threshold_of_two():
    verdict = judge_of_two(JOB_TOPIC, signed_job(by=["deputy", "officer", "stranger"]))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.signers == tuple(sorted([OFFICER.keyid, DEPUTY.keyid]))


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
    emergency = counted(JOB_TOPIC, signed_job(**{"class": "emergency"}))
    assert isinstance(emergency, Accepted), emergency
    assert (emergency.sound_max_ms, emergency.per_day) == (600_000, 3)
    ordinary = counted(JOB_TOPIC, signed_job())
    assert isinstance(ordinary, Accepted), ordinary
    assert (ordinary.sound_max_ms, ordinary.per_day) == (0, 0)


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


def test_one_officer_who_signs_twice_is_too_few():
    verdict = refused(judge_of_two(JOB_TOPIC, signed_job(by=["officer", "officer"])))
    assert (verdict.reason, verdict.detail) == (Reason.TOO_FEW_SIGNATURES, "role ward: 1 of 2")
    assert (verdict.job_id, verdict.issuer) == ("", "")


def test_an_officer_and_a_stranger_are_too_few():
    assert reason(judge_of_two(JOB_TOPIC, signed_job(by=["officer", "stranger"]))) is Reason.TOO_FEW_SIGNATURES


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


# The right message in the wrong place


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


@pytest.mark.parametrize("kind", ["head", "state", "Job"])
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


def one_or_two(**one: Any) -> Any:
    """One officer with ``one`` as limits, two with all."""
    two = job_role(role="two-officers", keyids=[OFFICER.keyid, DEPUTY.keyid], threshold=2)
    return make_judge(make_trust(roles=[job_role(role="one-officer", limits=one), two]), SITE)


def test_what_one_officer_may_not_two_may():
    verdict = one_or_two(validity_max_s=1_800)(
        JOB_TOPIC, signed_job(by=["officer", "deputy"], **{"class": "emergency"})
    )
    assert isinstance(verdict, Accepted), verdict
    assert verdict.role == "two-officers"


def test_one_officer_alone_is_held_to_the_limits_of_one():
    verdict = refused(one_or_two(validity_max_s=1_800)(JOB_TOPIC, signed_job(**{"class": "emergency"})))
    assert verdict.reason is Reason.VALIDITY_TOO_LONG
    assert verdict.detail.endswith("(role one-officer)")


def test_what_neither_role_allows_is_refused_by_the_limit_of_the_greater():
    verdict = refused(
        one_or_two(volume_max=10)(JOB_TOPIC, signed_job(by=["officer", "deputy"], not_after=NOON + HOUR_MS))
    )
    assert verdict.reason is Reason.VALIDITY_TOO_LONG
    assert verdict.detail.endswith("(role two-officers)")


def test_a_role_of_fewer_signatures_that_allows_it_is_enough():
    wide, narrow = job_role(role="one"), job_role(role="both", limits={"volume_max": 10}, threshold=2)
    narrow["keyids"] = [OFFICER.keyid, DEPUTY.keyid]
    verdict = make_judge(make_trust(roles=[narrow, wide]), SITE)(JOB_TOPIC, signed_job(by=["officer", "deputy"]))
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.role, verdict.signers) == ("one", (OFFICER.keyid,))


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
