"""Who is given a certificate: each wrong way of asking has its name, and none of them changes anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.pki import certify_client, load_authority
from edge_agent.headend.roles import default_roles
from edge_agent.identity import messages
from edge_agent.identity.certificate import NotOurs, take
from edge_agent.identity.codes import Code
from edge_agent.identity.messages import Refusal
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.strict_json import WireError, dump
from tests.headend.registrar.desks import (
    AREA,
    NONCE,
    NOW,
    REALM,
    STATION,
    Box,
    Desk,
    assert_refused,
    enrol,
    new_box,
)
from tests.trust.makers import P256Signer


def test_a_box_with_a_code_becomes_the_station_that_the_code_is_for(desk: Desk, box: Box) -> None:
    given = enrol(desk, box, desk.code())
    assert (given.station, given.area, given.realm, given.name) == (STATION, AREA, REALM, "Trạm 1")
    assert (given.host, given.port) == ("mqtt.example.vn", 8883)
    assert given.trust == (desk.keyring.directory / "trust.json").read_bytes()
    certificate = x509.load_der_x509_certificate(given.certificate)
    assert certificate.public_key() == box.tls.public_key()
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_field_that_somebody_on_the_way_has_added_is_a_wrong_proof(desk: Desk, box: Box) -> None:
    code = desk.code()
    body, _ = box.asks(code)
    assert_refused(Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump(json.loads(body) | {"more": 1}), NOW))
    assert desk.keyids == {}


def test_the_headend_holds_nothing_that_is_the_stations_secret_nor_the_code(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    raw = box.tls.private_numbers().private_value.to_bytes(32)
    for path in (path for path in desk.keyring.directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert code.secret.encode() not in content, path
        assert code.typed().encode() not in content, path
        assert raw not in content, path
    assert not (desk.keyring.directory / "stations").exists()
    assert (desk.keyring.directory / "codes.json").stat().st_mode & 0o777 == 0o600


def test_an_answer_that_was_lost_is_given_again_with_the_same_certificate(desk: Desk, box: Box) -> None:
    code = desk.code()
    first, second = enrol(desk, box, code), enrol(desk, box, code)  # another CSR of the same key, as ECDSA is random
    assert first == second
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_cut_between_the_note_and_the_station_list_is_healed_by_asking_again(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    (desk.keyring.directory / "stations.json").unlink()  # as if the power had gone before it was written
    enrol(desk, box, code)
    assert desk.keyids == {STATION: box.signer.keyid}


@pytest.mark.parametrize("change", ["signer", "tls", "both"])
def test_a_used_code_is_of_no_use_to_another_box(desk: Desk, box: Box, change: str) -> None:
    code, other = desk.code(), new_box()
    enrol(desk, box, code)
    thief = Box(box.signer if change == "tls" else other.signer, box.tls if change == "signer" else other.tls)
    assert_refused(Refusal.CODE_USED, lambda: enrol(desk, thief, code))
    assert desk.keyids == {STATION: box.signer.keyid}


@pytest.mark.parametrize("shared", ["both", "signing", "tls"])
def test_cards_copied_after_an_enrolment_in_vain_share_no_key(desk: Desk, box: Box, shared: str) -> None:
    """`enrol` makes the keys before it asks, so a master card with a mistyped code hands them to all its copies."""
    enrol(desk, box, desk.code())
    fresh = new_box()
    copy = Box(fresh.signer if shared == "tls" else box.signer, fresh.tls if shared == "signing" else box.tls)
    code = desk.code("dt-02")
    assert_refused(Refusal.KEYS_SHARED, lambda: enrol(desk, copy, code))
    assert desk.keyids == {STATION: box.signer.keyid}
    assert enrol(desk, new_box(), code).station == "dt-02"  # after a factory reset, with the same code


def test_a_key_that_a_station_had_before_is_no_other_stations_either(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    enrol(desk, new_box(), desk.code())
    assert_refused(Refusal.KEYS_SHARED, lambda: enrol(desk, box, desk.code("dt-02")))


def test_a_spoiled_certificate_of_one_station_keeps_no_other_one_out(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    (desk.keyring.directory / "issued" / f"{STATION}.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert enrol(desk, new_box(), desk.code("dt-02")).station == "dt-02"


def test_a_changed_request_is_no_proof(desk: Desk, box: Box) -> None:
    """The man in the middle puts his own certificate request, or his own signing key, into a request that he saw."""
    code, thief = desk.code(), new_box()
    body = json.loads(box.asks(code)[0])
    stolen = json.loads(thief.asks(Code(code.slot, "0" * 12))[0])
    assert_refused(
        Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump({**body, "envelope": stolen["envelope"]}), NOW)
    )
    assert_refused(Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump({**stolen, "proof": body["proof"]}), NOW))
    assert desk.keyids == {}


def test_whoever_claims_a_signing_key_that_is_not_his_gets_nothing(desk: Desk, box: Box) -> None:
    """He knows the code, but signs with another key than the one he names."""
    code, victim = desk.code(), new_box()

    class Claims:
        public, keyid = victim.signer.public, victim.signer.keyid

        def sign(self, message: bytes) -> bytes:
            return box.signer.sign(message)

    body, _ = messages.enrol_request(code, code.key(), Claims(), box.csr(), NONCE)
    assert_refused(Refusal.NO_POSSESSION, lambda: desk.registrar.enrol(body, NOW))
    assert desk.keyids == {}


def test_whoever_claims_a_tls_key_that_is_not_his_gets_nothing(desk: Desk, box: Box) -> None:
    code, csr = desk.code(), bytearray(box.csr())
    csr[-1] ^= 1  # the signature's last byte
    assert_refused(Refusal.NO_POSSESSION, lambda: desk.registrar.enrol(box.asks(code, bytes(csr))[0], NOW))


def _csr_of(key: object) -> bytes:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, algorithm)  # type: ignore[arg-type]
    return made.public_bytes(Encoding.DER)


P384, ED25519 = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()


P256 = ec.generate_private_key(ec.SECP256R1())
VERSION_2 = _csr_of(P256).replace(bytes.fromhex("020100"), bytes.fromhex("020101"), 1)  # there is none


@pytest.mark.parametrize(
    "csr",
    [b"\x30\x00", b"no DER", _csr_of(P384), _csr_of(ED25519), VERSION_2],
    ids=["empty", "text", "P-384", "Ed25519", "version 2"],
)
def test_a_request_for_no_p256_key_is_not_understood(desk: Desk, box: Box, csr: bytes) -> None:
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(box.asks(desk.code(), csr)[0], NOW))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"type":"enrol-request"}', b"{" * 1_000])
def test_what_is_no_request_is_refused_by_name(desk: Desk, body: bytes) -> None:
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(body, NOW))
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.renew(body, NOW))


@pytest.mark.parametrize("field", ["slot", "proof", "envelope"])
def test_a_request_without_one_of_its_fields_is_refused(desk: Desk, box: Box, field: str) -> None:
    body = json.loads(box.asks(desk.code())[0])
    del body[field]
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(dump(body), NOW))


def test_a_signed_message_of_another_kind_is_no_request(desk: Desk, box: Box) -> None:
    envelope = sign(payload_type("log"), dump({"type": "renew", "realm": REALM}), [box.signer])
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.renew(envelope, NOW))


def test_an_answer_that_was_changed_on_the_way_is_not_believed(desk: Desk, box: Box) -> None:
    code = desk.code()
    body, digest = box.asks(code)
    answer = json.loads(desk.registrar.enrol(body, NOW).body)
    forged = messages.enrol_answer(b"another key", digest, replace(enrol(desk, box, code), host="evil.example"))
    swapped = {**answer, "payload": json.loads(forged)["payload"]}
    for wrong in (forged, dump(swapped)):
        with pytest.raises(WireError, match="proof: by the code; this is not the server that made it"):
            messages.read_enrol_answer(wrong, code.key(), digest)
    with pytest.raises(WireError, match="answers something else"):
        messages.read_enrol_answer(dump(answer), code.key(), "0" * 64)


def test_a_secure_elements_key_is_enrolled_like_any_other(desk: Desk, box: Box) -> None:
    code, element = desk.code(), P256Signer("element")
    body, _ = messages.enrol_request(code, code.key(), element, box.csr(), NONCE)
    desk.registrar.enrol(body, NOW)
    assert desk.keyids == {STATION: element.public.keyid}


def test_a_station_takes_only_its_own_certificate_of_its_own_authority(desk: Desk, box: Box, tmp_path: Path) -> None:
    given = enrol(desk, box, desk.code())
    public = x509.load_der_x509_csr(box.csr()).public_key()
    own = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert take(given.certificate, given.authority, STATION, own)
    other = create_keyring(tmp_path / "other", REALM, default_roles(AREA, 1), NOW)
    stranger = x509.load_pem_x509_certificate((other.directory / "pki" / "ca.pem").read_bytes())
    with pytest.raises(NotOurs, match="not signed by our authority"):
        take(given.certificate, stranger.public_bytes(Encoding.DER), STATION, own)
    with pytest.raises(NotOurs, match="and not to dt-02"):
        take(given.certificate, given.authority, "dt-02", own)
    with pytest.raises(NotOurs, match="another key"):
        take(given.certificate, given.authority, STATION, own + b"\x00")
    for names in ((STATION, "dt-02"), ("dt-02", STATION)):
        with pytest.raises(NotOurs, match=f"made out to {', '.join(names)}, and not to dt-01"):
            take(made_out_to(desk, box, *names), given.authority, STATION, own)


def made_out_to(desk: Desk, box: Box, *names: str) -> bytes:
    """A certificate of our authority for the box's key, such as our headend never makes."""
    authority = load_authority(desk.keyring.directory / "pki")
    pattern = certify_client(authority, STATION, box.tls.public_key())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    made = x509.CertificateBuilder(pattern.issuer, named, box.tls.public_key(), pattern.serial_number)
    made = made.not_valid_before(pattern.not_valid_before_utc).not_valid_after(pattern.not_valid_after_utc)
    return made.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)
