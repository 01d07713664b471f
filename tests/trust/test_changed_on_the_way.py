"""Whoever carries a signed message may change its bytes, and gets a refusal or the same order; never another one.

The same order may arrive in other words: another signature spoilt, a space more. What counts is what is done.
"""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import UNAUTHENTICATED
from edge_agent.trust.envelope import Envelope, open_envelope, pae, payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.strict_json import dump
from tests.trust import makers

TOKEN = makers.P256Signer("token")
TRUST = makers.make_trust(
    keys=[TOKEN.public],
    roles=[
        makers.job_role(keyids=[makers.signer("officer").keyid, TOKEN.keyid], threshold=2),
        makers.job_role(role="deputies", keyids=[makers.signer("deputy").keyid]),
        makers.online_role(),
        makers.command_role(keyids=[makers.signer("deputy").keyid]),
    ],
)
NEEDED = {role.name: role.threshold for role in TRUST.roles}
judge = make_judge(TRUST, makers.make_site())
MESSAGES = {
    "one signature": (makers.JOB_TOPIC, makers.signed_job(by=["deputy"])),
    "two of two, one of them a token's": (makers.JOB_TOPIC, makers.signed_job(by=["officer", TOKEN])),
    "enough twice over": (makers.JOB_TOPIC, makers.signed_job(by=["deputy", "officer", TOKEN])),
    "command": (makers.JOB_TOPIC, makers.signed_command(by=["deputy"])),
    "welcome": (makers.WELCOME_TOPIC, makers.signed_welcome()),
    "acknowledgement": (makers.ACK_TOPIC, makers.signed_ack()),
}
LETTERS = bytes(sorted({*b'ABZaz09+/=_-"{}[]:,\\ \n', 0, 0x7F, 0x80, 0xC3, 0xFF}))


def meaning(verdict: Judgement) -> object:
    """What the station would do, whoever's signatures are left for it; None for a refusal."""
    if isinstance(verdict, Rejected):
        return None
    if isinstance(verdict, AcceptedRule):
        return verdict.order, verdict.digest
    return (verdict.job, verdict.digest) if isinstance(verdict, Accepted) else verdict


def allowed(topic: str, message: bytes, original: bytes) -> bool:
    """Refused as what nobody, or too few have signed; or the same order, still signed by enough."""
    verdict = judge(topic, message)
    if isinstance(verdict, Rejected):
        return verdict.reason in UNAUTHENTICATED
    if isinstance(verdict, Accepted | AcceptedRule) and len(verdict.signers) < NEEDED[verdict.role]:
        return False
    return meaning(verdict) == meaning(judge(topic, original))


@pytest.mark.parametrize("name", MESSAGES)
def test_no_byte_changed_cut_out_or_put_in_makes_another_order(name: str) -> None:
    """Every place of the message once; which bytes are tried where goes on from place to place."""
    topic, message = MESSAGES[name]
    assert meaning(judge(topic, message)) is not None
    for at in range(len(message)):
        letter = LETTERS[at % len(LETTERS)].to_bytes()
        flipped = bytes([message[at] ^ 1 << at % 8])
        for instead in (letter, flipped, b"", letter + message[at : at + 1]):
            changed = message[:at] + instead + message[at + 1 :]
            assert allowed(topic, changed, message), (at, changed)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """A topic, a message as it was sent, and as it comes after some editing on the way."""
    topic, message = draw(st.sampled_from(sorted(MESSAGES.values())))
    changed = message
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(changed)), st.integers(0, len(changed)))))
        end = draw(st.sampled_from((start, min(start + 1, len(changed)), end)))
        piece = draw(
            st.binary(max_size=3) | st.sampled_from([message[start:end], b'"payload":"e30=",', b"=", b"\\u0061"])
        )
        changed = changed[:start] + piece + changed[end:]
    return topic, message, changed


@given(edits())
def test_no_editing_on_the_way_makes_another_order(edit: tuple[str, bytes, bytes]) -> None:
    topic, message, changed = edit
    assert allowed(topic, changed, message)


@given(
    st.permutations(["payload", "payloadType", "signatures"]),
    st.sampled_from((None, 1, 4)),
    st.sets(st.integers(0, 200), max_size=6),
    st.permutations(range(3)),
)
def test_an_envelope_written_otherwise_is_the_same_order(
    order: list[str], indent: int | None, escaped: set[int], signed_by: list[int]
) -> None:
    """Fields and signatures in another order, spaces, escaped letters: DSSE lets a carrier do all that."""
    topic, message = MESSAGES["enough twice over"]
    fields = json.loads(message)
    fields["signatures"] = [fields["signatures"][number] for number in signed_by]
    text = json.dumps({name: fields[name] for name in order}, indent=indent)
    letters = [f"\\u{ord(char):04x}" if at in escaped and char.isalnum() else char for at, char in enumerate(text)]
    assert judge(topic, "".join(letters).encode()) == judge(topic, message)


@given(st.binary(max_size=60), st.binary(max_size=60), st.from_regex("[!-~]{1,30}", fullmatch=True))
def test_what_is_signed_says_its_type_and_its_bytes_without_a_doubt(one: bytes, two: bytes, kind: str) -> None:
    """Two (type, payload) pairs never have the same signed bytes, whatever stands in them."""
    assert pae(kind, one) == b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(one), one)
    for other in ((kind, two), (kind + "x", one), (kind[:-1] or "y", kind[-1:].encode() + one)):
        assert (pae(*other) == pae(kind, one)) == (other == (kind, one))


@given(st.integers(0, 255), st.integers(0, 200))
def test_a_changed_payload_of_a_job_is_signed_by_nobody(letter: int, at: int) -> None:
    topic, message = MESSAGES["one signature"]
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    payload = bytearray(envelope.payload)
    payload[at] = letter
    fields = json.loads(message) | {"payload": base64.b64encode(payload).decode()}
    verdict = judge(topic, dump(fields))
    assert isinstance(verdict, Rejected) == (bytes(payload) != envelope.payload)


@given(st.sampled_from(sorted(MESSAGES)), st.sampled_from(sorted(MESSAGES)), st.sampled_from(("job", "welcome", "ack")))
def test_a_signature_is_worth_nothing_on_another_message_or_type(name: str, other: str, kind: str) -> None:
    topic, message = MESSAGES[name]
    theirs = json.loads(MESSAGES[other][1])
    mixed = json.loads(message) | {"signatures": theirs["signatures"], "payloadType": payload_type(kind)}
    assert allowed(f"loa/1/d/{makers.STATION}/{kind}", dump(mixed), message)
    unsigned = sign(payload_type(kind), base64.b64decode(mixed["payload"]), [makers.signer("stranger")])
    assert isinstance(judge(topic, unsigned), Rejected)
