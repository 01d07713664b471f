"""Private keys in files: PKCS#8 PEM, plain or under a passphrase. Asks nobody itself and knows no roles.

A file with a passphrase begins with its public key, readable: what a key may sign is told without opening it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge_agent.durable import write_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.passphrases import Ask
from edge_agent.headend.pkcs8_scrypt import LABEL as LOCKED
from edge_agent.headend.pkcs8_scrypt import encrypted_pem
from edge_agent.identity.files import remove_durably
from edge_agent.trust.keys import (
    Ed25519Signer,
    PublicKey,
    Scheme,
    Signer,
    UnusableKey,
    draft_of,
    read_private,
    write_new,
)

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey

PLAIN = "PRIVATE KEY"
PUBLIC = "PUBLIC KEY"
_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z ]+)-----\n.*?-----END (?P=label)-----\n?", re.DOTALL)


class WrongPassphrase(HeadendError):
    """The passphrase does not open the file."""


class KeptKey(Protocol):
    """A private key, wherever it lies. What can be told without a passphrase or PIN is told without."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        ...

    @property
    def where(self) -> str:
        """In what it lies, for people."""
        ...

    def open(self, ask: Ask) -> Signer:
        """Ready to sign; asks once, and only where it must."""
        ...


class P256Signer:
    """A private P-256 key in memory.

    Whoever passes a signature on can write it in its second form (r, n - s), and tokens keep no rule of which is the
    right one. So there is none: a message is known by the digest of what was signed, never by its signatures.
    """

    def __init__(self, private: EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public = _public_of(private.public_key())

    @property
    def keyid(self) -> str:
        """The public key's name."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """DER over SHA-256, another one each time."""
        return self._private.sign(message, ECDSA(SHA256()))


@dataclass(frozen=True, slots=True)
class PlainKey:
    """Whoever can read the file can sign."""

    private: PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        return _public_of(self.private.public_key())

    @property
    def where(self) -> str:
        return "tệp / file"

    def unlock(self, _ask: Ask) -> PrivateKey:
        return self.private

    def open(self, _ask: Ask) -> Signer:
        return _signer(self.private)


@dataclass(frozen=True, slots=True)
class LockedKey:
    """It takes the passphrase too. ``public`` is what the file says of itself; opening it shows whether that is so."""

    name: str
    pem: bytes = field(repr=False)
    public: PublicKey

    @property
    def where(self) -> str:
        return "tệp có mật khẩu / file with a passphrase"

    def unlock(self, ask: Ask) -> PrivateKey:
        passphrase = ask(f"mật khẩu của khóa / passphrase of key {self.name}")
        try:
            found = load_pem_private_key(self.pem, passphrase.encode())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is empty
            raise WrongPassphrase(
                f"key {self.name}: sai mật khẩu, hoặc tệp bị hỏng / wrong passphrase, or a damaged file; try again, "
                "then restore the file from its backup. Nobody can recover a passphrase"
            ) from error
        private = _checked(found, self.name)
        if _public_of(private.public_key()) != self.public:
            raise UnusableKey(
                f"{self.name}: tệp chứa khóa khác với khóa công khai ghi trong tệp, khôi phục tệp / holds another key "
                "than the public one that it names; restore the file"
            )
        return private

    def open(self, ask: Ask) -> Signer:
        return _signer(self.unlock(ask))


def new_private(scheme: Scheme) -> PrivateKey:
    """A fresh key from the system's randomness."""
    return Ed25519PrivateKey.generate() if scheme is Scheme.ED25519 else generate_private_key(SECP256R1())


def read_key(path: Path) -> PlainKey | LockedKey:
    """The key in a file. ``UnusableKey`` says what is wrong with it."""
    blocks = {match["label"].decode(): match[0] for match in _BLOCK.finditer(read_private(path))}
    if len(blocks.keys() & {PLAIN, LOCKED}) != 1:
        raise UnusableKey(
            f"{path}: không phải khóa bí mật PKCS#8 dạng PEM, đổi dạng khác bằng `openssl pkcs8 -topk8` / not a PKCS#8 "
            "private key in PEM; `openssl pkcs8 -topk8` makes one of other forms"
        )
    if PLAIN in blocks:
        return PlainKey(_plain(blocks[PLAIN], path))
    if PUBLIC not in blocks:
        raise UnusableKey(
            f"{path}: thiếu khóa công khai, ghi thêm bằng lệnh sau / names no public key; add it: "
            "openssl pkey -in FILE -pubout >> FILE"
        )
    return LockedKey(path.stem, blocks[LOCKED], _named(blocks[PUBLIC], path))


def write_key(path: Path, private: PrivateKey, passphrase: str | None) -> Signer:
    """A new file, durably. ``FileExistsError``: a key is never overwritten."""
    write_new(path, _pem(private, passphrase))
    return _signer(private)


def lock_key(path: Path, ask: Ask, ask_new: Ask) -> None:
    """Put the key in ``path`` under a new passphrase; at any moment the file is the old one or the new one."""
    private = read_key(path).unlock(ask)
    pem = _pem(private, ask_new(f"mật khẩu của khóa / passphrase of key {path.stem}"))
    write_durably(path, pem)
    remove_durably(draft_of(path))  # where the writing of an open one was cut short


def _pem(private: PrivateKey, passphrase: str | None) -> bytes:
    if passphrase is None:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public + encrypted_pem(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), passphrase)


def _plain(pem: bytes, path: Path) -> PrivateKey:
    try:
        found = load_pem_private_key(pem, None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(f"{path}: hỏng, lấy lại từ bản sao lưu / is damaged; restore it from its backup") from error
    return _checked(found, path)


def _named(pem: bytes, path: Path) -> PublicKey:
    try:
        return _public_of(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:  # an UnusableKey is a ValueError
        raise UnusableKey(
            f"{path}: khóa công khai trong tệp hỏng, hoặc không phải Ed25519, P-256 / the public key in it is damaged, "
            "or neither Ed25519 nor P-256"
        ) from error


def _checked(private: object, where: object) -> PrivateKey:
    if isinstance(private, Ed25519PrivateKey):
        return private
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return private
    raise UnusableKey(f"{where}: cần khóa Ed25519 hoặc P-256 / an Ed25519 or P-256 key is needed")


def _public_of(key: object) -> PublicKey:
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(Scheme.ED25519, key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return PublicKey(Scheme.ECDSA_P256, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    raise UnusableKey("an Ed25519 or P-256 key is needed")


def _signer(private: PrivateKey) -> Signer:
    return Ed25519Signer(private) if isinstance(private, Ed25519PrivateKey) else P256Signer(private)
