"""The kit's strange envelopes are wrong in the one way they are meant to be, and in nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import envelopes
from edge_agent.trust.envelope import open_envelope
from edge_agent.trust.judge import make_judge
from tests.trust import makers


def odd_job(**over: Any) -> bytes:
    """An order whose payload's base64 has spare bits."""
    for note in ("", ".", ".."):
        envelope = makers.signed_job(note=note, volume=10, **over)
        if len(envelopes.payload_of(envelope)) % 3:
            return envelope
    raise AssertionError("one of three lengths is no multiple of three")


GOOD = odd_job()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (envelopes.altered, Reason.SIGNATURE_INVALID),
        (envelopes.with_spare_bits, Reason.MALFORMED),
        (envelopes.with_blank, Reason.MALFORMED),
        (envelopes.unpadded, Reason.MALFORMED),
        (envelopes.named_twice, Reason.MALFORMED),
        (envelopes.signed_too_often, Reason.MALFORMED),
        (envelopes.upper_keyid, Reason.MALFORMED),
    ],
)
def test_a_spoilt_envelope_is_refused_as_what_it_is(spoil: Callable[[bytes], bytes], reason: Reason) -> None:
    judge = make_judge(makers.make_trust(), makers.make_site())
    assert isinstance(judge(makers.JOB_TOPIC, GOOD), Accepted)
    judgement = judge(makers.JOB_TOPIC, spoil(GOOD))
    assert isinstance(judgement, Rejected)
    assert judgement.reason is reason


def test_spare_bits_leave_the_payload_to_a_careless_reader() -> None:
    """Otherwise a station that accepts them would be caught for another reason."""
    text = json.loads(envelopes.with_spare_bits(GOOD))["payload"]
    assert text != json.loads(GOOD)["payload"]
    assert base64.b64decode(text) == envelopes.payload_of(GOOD)


def test_two_payloads_leave_the_signed_one_to_a_reader_who_takes_the_last() -> None:
    assert json.loads(envelopes.named_twice(GOOD)) == json.loads(GOOD)


def test_a_respelled_envelope_is_the_same_message() -> None:
    other = envelopes.respelled(GOOD)
    first, second = open_envelope(GOOD), open_envelope(other)
    assert not isinstance(first, Rejected)
    assert not isinstance(second, Rejected)
    assert (other != GOOD, second.digest) == (True, first.digest)


def test_a_signature_twice_is_two_entries_of_one_key() -> None:
    signatures = json.loads(envelopes.signed_twice_by_one(GOOD))["signatures"]
    assert (len(signatures), len({one["keyid"] for one in signatures})) == (2, 1)


def test_a_foreign_signature_is_added_in_front() -> None:
    other = makers.signed_job(by=["stranger"])
    signatures = json.loads(envelopes.with_signature_of(GOOD, other))["signatures"]
    assert [one["keyid"] for one in signatures] == [makers.signer(name).keyid for name in ("stranger", "officer")]


@pytest.mark.parametrize("spoil", [envelopes.too_deep, lambda payload: envelopes.with_text(payload, b'"volume":10')])
def test_a_spoilt_payload_differs_in_one_field(spoil: Callable[[bytes], bytes]) -> None:
    payload = envelopes.payload_of(GOOD)
    read = json.loads(spoil(payload))
    assert {name: value for name, value in read.items() if name != "note"} == {
        name: value for name, value in json.loads(payload).items() if name != "note"
    }
