"""Every place that the key of a certificate may lie in keeps the same promises: a file, a secure element, a TPM.

What OpenSSL does with it is in ``test_tls_token.py``, in processes of their own.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.identity.port import CertificateKey, KeyNotShown
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token import find_token, log_in, make_key, write_note
from edge_agent.identity.token_library import TokenError
from edge_agent.trust.keys import Scheme, UnusableKey
from tests.host import softhsm, swtpm
from tests.host.softhsm import NEEDS_SOFTHSM, drawer
from tests.host.swtpm import NEEDS_SWTPM
from tests.identity.sealed import NAME, handed_over
from tests.identity.street import Box, box

LABEL = "TRAM"


@dataclass
class Kind:
    """A kind of place. ``again`` is the key as a process that was started anew finds it."""

    made: Box
    forget: Callable[[], None]
    module: str = ""
    pin: str = ""

    @property
    def path(self) -> Path:
        return self.made.config.broker.key_file

    def again(self) -> CertificateKey:
        self.forget()
        return tls_key(self.made.config, module=self.module, label=LABEL if self.module else "")


def in_file(place: Path, _patch: pytest.MonkeyPatch, _stack: ExitStack) -> Kind:
    return Kind(box(place / "a"), lambda: None)


def in_locked_file(place: Path, patch: pytest.MonkeyPatch, _stack: ExitStack) -> Kind:
    handed_over(place / "credentials", patch)
    made = box(place / "a")
    text = made.file.read_text("utf-8")
    made.file.write_text(text.replace("[trust]", f'[trust]\nkey_credential = "{NAME}"'), "utf-8")
    return Kind(made, lambda: None)


def on_element(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
    elements = stack.enter_context(drawer(place / "hsm", patch))
    elements.plug_in_new(LABEL)
    return opened_by(softhsm.PIN, Kind(in_element(place), lambda: softhsm.see_again(elements), elements.module))


def in_tpm(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
    board = stack.enter_context(swtpm.board(place / "board", patch))
    board.plug_in_new(LABEL)
    return opened_by(swtpm.PIN, Kind(in_element(place), lambda: swtpm.see_again(board), board.module))


def in_element(place: Path) -> Box:
    return box(place / "a", "signing.token", "station.token")


def opened_by(pin: str, kind: Kind) -> Kind:
    """The PIN lies where the signing key's does, and there alone."""
    kind.pin = pin
    kind.path.parent.mkdir()
    file = kind.path.with_name("signing.pin")
    file.write_text(f"{pin}\n")
    file.chmod(0o600)
    return kind


IN_FILES = [pytest.param(in_file, id="file"), pytest.param(in_locked_file, id="locked-file")]
IN_ELEMENTS = [
    pytest.param(on_element, id="element", marks=NEEDS_SOFTHSM),
    pytest.param(in_tpm, id="tpm", marks=NEEDS_SWTPM),
]


def place_for(request: pytest.FixtureRequest, tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Kind]:
    with ExitStack() as stack:
        yield request.param(tmp_path, patch, stack)


@pytest.fixture(params=[*IN_FILES, *IN_ELEMENTS])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    yield from place_for(request, tmp_path, monkeypatch)


@pytest.fixture(params=IN_ELEMENTS)
def inside(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    yield from place_for(request, tmp_path, monkeypatch)


def test_a_key_that_was_made_is_there_for_the_next_process_and_making_again_makes_no_second_one(kind: Kind) -> None:
    kind.again().make()
    made = kind.again().public
    kind.again().make()
    assert kind.again().public == made


def test_a_request_proves_the_key_that_is_told_and_says_the_name(kind: Kind) -> None:
    kind.again().make()
    for name in ("", "dt-01"):
        request = x509.load_der_x509_csr(kind.again().request(name))
        assert request.is_signature_valid
        assert request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == kind.again().public
        assert [one.value for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name] * bool(name)


def test_a_library_that_was_begun_anew_is_found_by_a_key_that_was_in_use(kind: Kind) -> None:
    """As a chip's is when a technician has done something with it."""
    key = kind.again()
    key.make()
    key.request("dt-01")
    kind.forget()
    assert x509.load_der_x509_csr(key.request("dt-01")).is_signature_valid


def test_what_is_left_on_the_disk_is_for_its_owner_alone(kind: Kind) -> None:
    kind.again().make()
    assert kind.path.stat().st_mode & 0o077 == 0
    assert b"BEGIN PRIVATE KEY" not in kind.path.read_bytes() or kind.path.suffix == ".key"
    kind.path.chmod(0o644)
    with pytest.raises(UnusableKey, match="chmod 600"):
        kind.again().request("dt-01")


def test_a_key_that_others_can_read_is_not_shown_and_its_field_is_told(kind: Kind) -> None:
    kind.again().make()
    kind.path.chmod(0o640)
    with pytest.raises(KeyNotShown, match=r"\[broker\] key_file .*others can read it; chmod 600"):
        kind.again().show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Path("station.pem"))


def test_a_key_that_was_destroyed_is_gone_and_the_next_one_is_another(kind: Kind) -> None:
    kind.again().make()
    made = kind.again().public
    kept = kind.path.read_bytes()
    kind.again().destroy()
    assert not kind.path.exists()
    with pytest.raises((OSError, UnusableKey)):
        _ = kind.again().public
    kind.again().destroy()  # what is not there
    if kind.module:
        kind.path.write_bytes(kept)  # as from a copy of the card
        kind.path.chmod(0o600)
        with pytest.raises(TokenError, match="does not hold the key"):
            kind.again().request("dt-01")
        kind.path.unlink()
    kind.again().make()
    assert kind.again().public != made


def test_destroying_it_leaves_the_pin_for_the_signing_key(inside: Kind) -> None:
    inside.again().make()
    inside.again().destroy()
    assert inside.path.with_name("signing.pin").exists()


def test_without_a_library_and_a_name_no_key_can_be_made(inside: Kind) -> None:
    inside.module = ""
    with pytest.raises(UnusableKey, match="--token, --label"):
        inside.again().make()


def test_a_key_that_openssl_was_not_taught_about_is_not_shown_and_its_field_is_told(inside: Kind) -> None:
    inside.again().make()
    with pytest.raises(KeyNotShown, match=r"\[broker\] key_file .*station\.token: .* was not loaded when we started"):
        inside.again().show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Path("station.pem"))


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_a_note_of_a_key_that_tls_cannot_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        kind = on_element(tmp_path, monkeypatch, stack)
        kind.forget()
        session = log_in(find_token(kind.module, LABEL), lambda _what: kind.pin)
        write_note(kind.path, make_key(session, kind.module, "station", Scheme.ED25519).note)
        with pytest.raises(UnusableKey, match="a P-256 key is needed"):
            _ = kind.again().public
