"""Whatever a key lies in, it signs alike: the contract of ``Signer``, over files, locked files and tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.headend.key_files import new_private, read_key, write_key
from edge_agent.identity.token import find_token, log_in, make_key, read_note, write_note
from edge_agent.trust.envelope import open_envelope, payload_type, sign, signers_of
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import Scheme, Signer, public_key
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, drawer, see_again
from tests.trust import makers

PASSPHRASE = "bốn từ dễ nhớ"
Make = Callable[[Path, pytest.MonkeyPatch, ExitStack], Signer]


def in_memory(_place: Path, _patch: pytest.MonkeyPatch, _stack: ExitStack) -> Signer:
    return makers.signer("officer")


def in_file(scheme: Scheme, passphrase: str | None) -> Make:
    def make(place: Path, _patch: pytest.MonkeyPatch, _stack: ExitStack) -> Signer:
        write_key(place / "officer-1.pem", new_private(scheme), passphrase)
        return read_key(place / "officer-1.pem").open(lambda _what: PASSPHRASE)

    return make


def on_token(scheme: Scheme) -> Make:
    def make(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Signer:
        tokens = stack.enter_context(drawer(place / "hsm", patch))
        tokens.plug_in_new("LOA-A")
        see_again(tokens)
        session = log_in(find_token(tokens.module, "LOA-A"), lambda _what: PIN)
        write_note(place / "officer-1.token", make_key(session, tokens.module, "officer-1", scheme).note)
        see_again(tokens)
        return read_note(place / "officer-1.token").open(lambda _what: PIN)

    return make


@dataclass
class Kind:
    make: Make
    scheme: Scheme


KINDS = {
    "memory": Kind(in_memory, Scheme.ED25519),
    **{f"file-{scheme}": Kind(in_file(scheme, None), scheme) for scheme in Scheme},
    **{f"passphrase-{scheme}": Kind(in_file(scheme, PASSPHRASE), scheme) for scheme in Scheme},
    **{f"token-{scheme}": Kind(on_token(scheme), scheme) for scheme in Scheme},
}


@pytest.fixture(
    params=[
        pytest.param(kind, id=name, marks=NEEDS_SOFTHSM if name.startswith("token") else ())
        for name, kind in KINDS.items()
    ]
)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def one(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Signer]:
    with ExitStack() as stack:
        yield kind.make(tmp_path, monkeypatch, stack)


def test_a_signature_is_its_own_and_of_this_message_only(one: Signer, kind: Kind) -> None:
    signature = one.sign(b"lenh phat")
    assert one.public.signed(b"lenh phat", signature)
    assert not one.public.signed(b"lenh phut", signature)
    assert not makers.signer("stranger").public.signed(b"lenh phat", signature)
    assert not makers.P256Signer("stranger").public.signed(b"lenh phat", signature)


def test_its_public_key_is_whole_and_gives_its_name(one: Signer, kind: Kind) -> None:
    assert one.public.scheme is kind.scheme
    assert one.public == public_key(one.public.scheme, one.public.raw)
    assert one.keyid == one.public.keyid


def test_messages_of_any_length_are_signed(one: Signer) -> None:
    for message in (b"", b"x", b"x" * 60_000):
        assert one.public.signed(message, one.sign(message))


def test_an_envelope_names_it_and_a_station_obeys_it(one: Signer) -> None:
    trust = makers.make_trust(keys=[one.public], roles=[makers.job_role(keyids=[one.keyid]), makers.online_role()])
    envelope = sign(payload_type("job"), json.dumps(makers.job_dict()).encode(), [one])
    opened = open_envelope(envelope)
    assert not isinstance(opened, Rejected)
    assert signers_of(opened, [one.public]) == {one.public}
    assert isinstance(make_judge(trust, makers.make_site())(makers.JOB_TOPIC, envelope), Accepted)


def test_it_counts_beside_a_key_of_the_other_scheme_and_alone_is_not_enough(one: Signer, kind: Kind) -> None:
    other = makers.P256Signer("deputy") if kind.scheme is Scheme.ED25519 else makers.signer("deputy")
    both = makers.job_role(keyids=[one.keyid, other.keyid], threshold=2)
    judge = make_judge(
        makers.make_trust(keys=[one.public, other.public], roles=[both, makers.online_role()]), makers.make_site()
    )
    payload = json.dumps(makers.job_dict()).encode()
    assert isinstance(judge(makers.JOB_TOPIC, sign(payload_type("job"), payload, [one, other])), Accepted)
    alone = judge(makers.JOB_TOPIC, sign(payload_type("job"), payload, [one, one]))
    assert isinstance(alone, Rejected)
    assert alone.reason is Reason.TOO_FEW_SIGNATURES
