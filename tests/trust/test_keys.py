"""Keys: one key has one name, signatures are its own or nobody's, and a key file is for its owner's eyes only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, new_signer, public_key
from tests.trust.makers import P256Signer, key_on_an_unknown_curve, signer

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("one", [signer("officer"), P256Signer("token")], ids=["ed25519", "ecdsa-p256"])
def test_a_signature_is_good_for_its_key_and_its_message_only(one):
    signature = one.sign(b"lenh phat")
    assert one.public.signed(b"lenh phat", signature)
    assert not one.public.signed(b"lenh phut", signature)
    assert not signer("stranger").public.signed(b"lenh phat", signature)
    assert not P256Signer("stranger").public.signed(b"lenh phat", signature)


@pytest.mark.parametrize("one", [signer("officer"), P256Signer("token")], ids=["ed25519", "ecdsa-p256"])
@pytest.mark.parametrize(
    "signature", [b"", b"\x00", b"\x00" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 5_000]
)
def test_nonsense_is_no_signature(one, signature: bytes):
    assert not one.public.signed(b"lenh phat", signature)


def test_an_ed25519_signature_cannot_be_rewritten():
    signature = signer("officer").sign(b"m")
    beyond = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    assert not signer("officer").public.signed(b"m", signature[:32] + beyond.to_bytes(32, "little"))


def test_the_second_form_of_an_ecdsa_signature_is_still_the_same_key():
    # Whoever passes the message on can make it; so nothing may be identified by its signature.
    token = P256Signer("token")
    r, s = decode_dss_signature(token.sign(b"m"))
    assert token.public.signed(b"m", encode_dss_signature(r, P256_ORDER - s))


def test_a_keyid_is_the_hash_of_the_raw_key():
    officer = signer("officer").public
    assert len(officer.raw) == 32
    assert officer.keyid == hashlib.sha256(officer.raw).hexdigest()
    token = P256Signer("token").public
    assert (len(token.raw), token.raw[0]) == (65, 4)
    assert token.keyid == hashlib.sha256(token.raw).hexdigest()
    assert token.to_trust() == {"scheme": "ecdsa-p256", "public": token.raw.hex()}


def test_a_compressed_point_would_be_a_second_name_and_is_refused():
    point = generate_private_key(SECP256R1()).public_key()
    with pytest.raises(UnusableKey, match="uncompressed"):
        public_key(Scheme.ECDSA_P256, point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    hybrid = bytearray(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    hybrid[0] = 6 + hybrid[-1] % 2
    with pytest.raises(UnusableKey):
        public_key(Scheme.ECDSA_P256, bytes(hybrid))


@pytest.mark.parametrize(
    ("scheme", "raw"),
    [
        (Scheme.ED25519, b""),
        (Scheme.ED25519, b"x" * 31),
        (Scheme.ED25519, b"x" * 65),
        (Scheme.ECDSA_P256, b"x" * 32),
        (Scheme.ECDSA_P256, b"\x04" + b"\x01" * 64),
    ],
)
def test_bytes_that_are_no_key_are_refused(scheme: Scheme, raw: bytes):
    with pytest.raises(UnusableKey):
        public_key(scheme, raw)


def test_a_key_that_is_one_is_taken():
    officer = signer("officer").public
    assert public_key(officer.scheme, officer.raw) == officer
    token = P256Signer("token").public
    assert public_key(token.scheme, token.raw) == token


def test_a_saved_key_signs_as_before_and_only_its_owner_can_read_it(tmp_path: Path):
    made = new_signer()
    made.save(tmp_path / "station.pem")
    assert (tmp_path / "station.pem").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["station.pem"]
    loaded = FileKey(tmp_path / "station.pem").open()
    assert loaded.public == made.public
    assert loaded.sign(b"m") == made.sign(b"m")
    assert new_signer().public != made.public


def test_a_key_is_never_overwritten(tmp_path: Path):
    path = tmp_path / "station.pem"
    signer("first").save(path)
    with pytest.raises(FileExistsError):
        signer("second").save(path)
    assert FileKey(path).open().public == signer("first").public
    assert [path.name for path in tmp_path.iterdir()] == ["station.pem"]


def test_a_write_that_a_power_cut_left_half_done_does_not_stand_in_the_way(tmp_path: Path):
    (tmp_path / ".station.pem.draft").write_bytes(b"-----BEGIN PRIV")
    signer("officer").save(tmp_path / "station.pem")
    assert FileKey(tmp_path / "station.pem").open().public == signer("officer").public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int):
    path = tmp_path / "station.pem"
    signer("officer").save(path)
    path.chmod(mode)
    with pytest.raises(UnusableKey, match="chmod 600"):
        FileKey(path).open()


@pytest.mark.parametrize("kind", ["nonsense", "encrypted", "public", "p256", "unknown curve"])
def test_a_key_file_of_another_kind_is_refused_with_its_name(tmp_path: Path, kind: str):
    private = Ed25519PrivateKey.generate()
    pkcs8 = (Encoding.PEM, PrivateFormat.PKCS8)
    content = {
        "nonsense": b"hello",
        "encrypted": private.private_bytes(*pkcs8, BestAvailableEncryption(b"x")),
        "public": private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "p256": generate_private_key(SECP256R1()).private_bytes(*pkcs8, NoEncryption()),
        "unknown curve": key_on_an_unknown_curve(),
    }[kind]
    path = tmp_path / "station.pem"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(UnusableKey, match=r"station\.pem"):
        FileKey(path).open()


def test_two_public_keys_are_the_same_when_their_bytes_are():
    raw = signer("officer").public.raw
    assert len({PublicKey(Scheme.ED25519, raw), PublicKey(Scheme.ED25519, bytes(bytearray(raw)))}) == 1
