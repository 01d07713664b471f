"""Key files: what opens them, what openssl makes of them, and every file that is not what it claims."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge_agent.headend.key_files import (
    LockedKey,
    PlainKey,
    WrongPassphrase,
    lock_key,
    new_private,
    read_key,
    write_key,
)
from edge_agent.headend.pkcs8_scrypt import encrypted_pem
from edge_agent.trust.keys import Scheme, UnusableKey

PASSPHRASE = "con trâu đi trước"


pytestmark = pytest.mark.usefixtures("cheap_keys")
# A try costs next to nothing, but in the test that is about its price.


def never(what: str) -> str:
    raise AssertionError(f"nobody need be asked for {what}")


def saying(secret: str) -> Callable[[str], str]:
    return lambda _what: secret


def write(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("scheme", Scheme)
def test_what_a_key_is_shows_without_its_passphrase(tmp_path: Path, scheme: Scheme, passphrase: str | None) -> None:
    path = tmp_path / "ward-routine-1.pem"
    public = write_key(path, new_private(scheme), passphrase).public
    key = read_key(path)
    assert isinstance(key, PlainKey if passphrase is None else LockedKey)
    assert (key.public, public.scheme) == (public, scheme)
    assert ("có mật khẩu" in key.where) is (passphrase is not None)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_passphrase_is_asked_for_by_the_keys_name_and_a_plain_file_asks_nobody(tmp_path: Path) -> None:
    asked: list[str] = []
    write_key(tmp_path / "plain-1.pem", new_private(Scheme.ED25519), None)
    read_key(tmp_path / "plain-1.pem").open(never)
    write_key(tmp_path / "ward-policy-1.pem", new_private(Scheme.ED25519), PASSPHRASE)
    read_key(tmp_path / "ward-policy-1.pem").open(lambda what: asked.append(what) or PASSPHRASE)
    assert asked == ["mật khẩu của khóa / passphrase of key ward-policy-1"]


@pytest.mark.usefixtures("dear")
@pytest.mark.parametrize("scheme", Scheme)
def test_openssl_opens_it_with_the_passphrase_and_finds_the_dear_key_derivation(tmp_path: Path, scheme: Scheme) -> None:
    path = tmp_path / "k.pem"
    public = write_key(path, new_private(scheme), PASSPHRASE).public
    words = ("openssl", "pkey", "-in", path, "-passin", "stdin", "-pubout", "-outform", "DER")
    opened = subprocess.run(words, input=PASSPHRASE.encode(), capture_output=True, check=True)
    assert opened.stdout.endswith(public.raw)
    assert subprocess.run(words, input=b"another", capture_output=True, check=False).returncode != 0
    body = path.read_bytes().partition(b"-----BEGIN ENCRYPTED")[2].join([b"-----BEGIN ENCRYPTED", b""])
    shown = subprocess.run(["openssl", "asn1parse"], input=body, capture_output=True, check=True).stdout.decode()
    assert ":PBES2" in shown
    assert ":scrypt" in shown
    assert re.findall(r"INTEGER +:(\w+)", shown) == ["4000", "08", "05"], "N, r and p, in hexadecimal"
    assert ":aes-256-cbc" in shown


def test_two_files_of_one_key_and_one_passphrase_have_nothing_in_common_that_a_thief_could_try_once_for_both() -> None:
    seen: list[list[str]] = []
    for _ in range(2):
        words = ("openssl", "asn1parse")
        shown = subprocess.run(words, input=encrypted_pem(b"a key", PASSPHRASE), capture_output=True, check=True)
        seen.append(re.findall(r"OCTET STRING +\[HEX DUMP\]:(\w+)", shown.stdout.decode()))
    assert [len(each) for each in seen] == [3, 3], "salt, first vector, the hidden key"
    assert not set(seen[0]) & set(seen[1])


def test_a_key_that_openssl_locked_is_opened_once_it_names_its_public_key(tmp_path: Path) -> None:
    path = write(tmp_path / "k.pem", b"")
    plain = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True).stdout
    words = ("openssl", "pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{PASSPHRASE}")
    path.write_bytes(subprocess.run(words, input=plain, capture_output=True, check=True).stdout)
    with pytest.raises(UnusableKey, match=r"names no public key; add it: openssl pkey -in FILE -pubout >> FILE"):
        read_key(path)
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=plain, capture_output=True, check=True).stdout
    path.write_bytes(path.read_bytes() + public)
    key = read_key(path)
    assert key.open(saying(PASSPHRASE)).public == key.public


@pytest.mark.parametrize("said", ["con trâu đi sau", "", "x" * 500])
def test_a_wrong_passphrase_has_a_name_and_a_remedy_and_is_not_repeated(tmp_path: Path, said: str) -> None:
    write_key(tmp_path / "ward-policy-1.pem", new_private(Scheme.ED25519), PASSPHRASE)
    with pytest.raises(WrongPassphrase, match=r"ward-policy-1: sai mật khẩu.*wrong passphrase.*backup") as caught:
        read_key(tmp_path / "ward-policy-1.pem").open(saying(said))
    assert not said or said not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_refused_with_a_passphrase_too(tmp_path: Path, mode: int) -> None:
    write_key(tmp_path / "k.pem", new_private(Scheme.ECDSA_P256), PASSPHRASE)
    (tmp_path / "k.pem").chmod(mode)
    with pytest.raises(UnusableKey, match="chmod 600"):
        read_key(tmp_path / "k.pem")


def test_a_file_that_names_another_public_key_than_it_holds_signs_nothing(tmp_path: Path) -> None:
    for name in ("own", "other"):
        write_key(tmp_path / f"{name}.pem", new_private(Scheme.ED25519), PASSPHRASE)
    other_public = (tmp_path / "other.pem").read_bytes().partition(b"-----BEGIN ENCRYPTED")[0]
    own_private = b"".join((tmp_path / "own.pem").read_bytes().partition(b"-----BEGIN ENCRYPTED")[1:])
    mixed = write(tmp_path / "mixed.pem", other_public + own_private)
    with pytest.raises(UnusableKey, match="another key than the public one"):
        read_key(mixed).open(saying(PASSPHRASE))


PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SPKI = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def of_another_curve() -> bytes:
    return generate_private_key(SECP384R1()).private_bytes(*PKCS8)


def for_agreement_only() -> bytes:
    return X25519PrivateKey.generate().private_bytes(*PKCS8)


def public_only() -> bytes:
    return new_private(Scheme.ED25519).public_key().public_bytes(*SPKI)


def damaged() -> bytes:
    return new_private(Scheme.ED25519).private_bytes(*PKCS8).replace(b"MC4C", b"MC4D")


def traditional() -> bytes:
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return new_private(Scheme.ECDSA_P256).private_bytes(*form)


def two_keys() -> bytes:
    locked = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    return new_private(Scheme.ED25519).private_bytes(*PKCS8) + locked


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: b"", "not a PKCS#8 private key"),
        (lambda: b"hello", "not a PKCS#8 private key"),
        (public_only, "not a PKCS#8 private key"),
        (traditional, "openssl pkcs8 -topk8"),
        (two_keys, "not a PKCS#8 private key"),
        (damaged, "damaged; restore it"),
        (of_another_curve, "Ed25519 or P-256 key is needed"),
        (for_agreement_only, "Ed25519 or P-256 key is needed"),
    ],
)
def test_a_file_that_is_no_key_of_ours_is_refused_by_name(tmp_path: Path, make: Callable[[], bytes], told: str) -> None:
    with pytest.raises(UnusableKey, match=rf"k\.pem: .*{told}"):
        read_key(write(tmp_path / "k.pem", make()))


@pytest.mark.parametrize("public", [b"AAAA", generate_private_key(SECP384R1()).public_key().public_bytes(*SPKI)])
def test_a_locked_file_whose_public_key_is_none_of_ours_is_refused(tmp_path: Path, public: bytes) -> None:
    write_key(tmp_path / "k.pem", new_private(Scheme.ED25519), PASSPHRASE)
    private = b"".join((tmp_path / "k.pem").read_bytes().partition(b"-----BEGIN ENCRYPTED")[1:])
    whole = public if b"BEGIN" in public else b"-----BEGIN PUBLIC KEY-----\n" + public + b"\n-----END PUBLIC KEY-----\n"
    with pytest.raises(UnusableKey, match="the public key in it"):
        read_key(write(tmp_path / "mixed.pem", whole + private))


def test_a_locked_key_of_another_kind_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    words = ("openssl", "pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{PASSPHRASE}")
    locked = subprocess.run(words, input=of_another_curve(), capture_output=True, check=True).stdout
    with pytest.raises(UnusableKey, match=r"k: cần khóa .* / an Ed25519 or P-256 key is needed"):
        read_key(write(tmp_path / "k.pem", public_only() + locked)).open(saying(PASSPHRASE))


def test_a_key_is_never_overwritten_by_a_new_one(tmp_path: Path) -> None:
    public = write_key(tmp_path / "k.pem", new_private(Scheme.ED25519), None).public
    with pytest.raises(FileExistsError):
        write_key(tmp_path / "k.pem", new_private(Scheme.ED25519), PASSPHRASE)
    assert read_key(tmp_path / "k.pem").public == public


@pytest.mark.parametrize("scheme", Scheme)
def test_a_plain_file_gets_a_passphrase_and_then_another_one(tmp_path: Path, scheme: Scheme) -> None:
    path = tmp_path / "k.pem"
    public = write_key(path, new_private(scheme), None).public
    lock_key(path, never, saying("mật khẩu thứ nhất"))
    lock_key(path, saying("mật khẩu thứ nhất"), saying("mật khẩu thứ hai"))
    assert read_key(path).open(saying("mật khẩu thứ hai")).public == public
    with pytest.raises(WrongPassphrase):
        read_key(path).open(saying("mật khẩu thứ nhất"))
    assert [one.name for one in tmp_path.iterdir()] == ["k.pem"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_a_power_cut_left_under_its_drafts_name_too_lies_open_nowhere_once_it_is_locked(
    tmp_path: Path,
) -> None:
    path = tmp_path / "k.pem"
    write_key(path, new_private(Scheme.ED25519), None)
    (tmp_path / ".k.pem.draft").hardlink_to(path)  # the key had its name, and the power went
    lock_key(path, never, saying(PASSPHRASE))
    assert [one.name for one in tmp_path.iterdir() if isinstance(read_key(one), PlainKey)] == []


def test_who_cannot_open_a_key_does_not_change_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    write_key(path, new_private(Scheme.ED25519), PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(WrongPassphrase):
        lock_key(path, saying("not it"), never)
    assert path.read_bytes() == before


def test_no_two_files_of_one_key_and_passphrase_are_alike(tmp_path: Path) -> None:
    private = new_private(Scheme.ED25519)
    for name in ("a", "b"):
        write_key(tmp_path / name, private, PASSPHRASE)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
