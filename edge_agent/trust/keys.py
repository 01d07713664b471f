"""Keys: what a public key is called, whether a signature is its own, and who can sign. Knows no roles and no messages.

A key's name is the SHA-256 of its raw bytes. So one key cannot have two names, and cannot count for two officers.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edge_agent.durable import OWNER_ONLY, sync_directory

ED25519_BYTES = 32
P256_POINT_BYTES = 65  # SEC1, uncompressed: 04, x, y
KEY_FILE_BYTES_MAX = 4_096  # a PKCS#8 Ed25519 key in PEM has about 120


class Scheme(StrEnum):
    """How a key signs: Ed25519 everywhere, ECDSA P-256 (SHA-256, DER) for tokens that have no Ed25519."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


class UnusableKey(ValueError):
    """A key that cannot be used, with what to do about it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``raw`` is 32 bytes (Ed25519) or the 65 bytes of an uncompressed SEC1 point; make it with ``public_key``."""

    scheme: Scheme
    raw: bytes

    @property
    def keyid(self) -> str:
        """SHA-256 of the raw bytes, 64 hex digits."""
        return hashlib.sha256(self.raw).hexdigest()

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` over ``message`` was made with this key's private half."""
        key = _crypto(self.scheme, self.raw)
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def to_trust(self) -> dict[str, str]:
        """The entry under ``keys`` in a trust file."""
        return {"scheme": self.scheme.value, "public": self.raw.hex()}


def public_key(scheme: Scheme, raw: bytes) -> PublicKey:
    """A key whose bytes are a key of that scheme, else ``UnusableKey``."""
    _crypto(scheme, raw)
    return PublicKey(scheme, raw)


class Signer(Protocol):
    """Whoever can sign: a key file, a token, a test."""

    @property
    def public(self) -> PublicKey:
        """The key by which receivers know it."""
        ...

    @property
    def keyid(self) -> str:
        """The public key's name."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over ``message``, in the form of the key's scheme."""
        ...


class Ed25519Signer:
    """A private Ed25519 key in memory."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(Scheme.ED25519, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def keyid(self) -> str:
        """The public key's name."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message."""
        return self._private.sign(message)

    def save(self, path: Path) -> None:
        """Write PKCS#8 PEM for the owner's eyes only, durably. ``FileExistsError``: a key is never overwritten."""
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_new(path, pem)


def new_signer() -> Ed25519Signer:
    """A fresh key from the system's randomness."""
    return Ed25519Signer(Ed25519PrivateKey.generate())


def _crypto(scheme: Scheme, raw: bytes) -> Ed25519PublicKey | EllipticCurvePublicKey:
    if scheme is Scheme.ED25519:
        if len(raw) != ED25519_BYTES:
            raise UnusableKey(f"an Ed25519 public key has {ED25519_BYTES} bytes")
        return Ed25519PublicKey.from_public_bytes(raw)
    # A compressed point would be a second name for the same key.
    if len(raw) != P256_POINT_BYTES:
        raise UnusableKey(f"a P-256 public key is an uncompressed SEC1 point of {P256_POINT_BYTES} bytes")
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError as error:
        raise UnusableKey("a P-256 public key is an uncompressed SEC1 point on the curve") from error


def read_private(path: Path) -> bytes:
    """What stands in a file that only its owner can open, else ``UnusableKey``."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UnusableKey(
                f"{path}: người khác đọc được tệp, chmod 600, và nên thay khóa / others can read it; chmod 600, and "
                "think of a new key"
            )
        return file.read(KEY_FILE_BYTES_MAX)


def draft_of(path: Path) -> Path:
    """Where ``write_new`` begins. After a power cut the whole file may still lie there, under this name as well."""
    return path.with_name(f".{path.name}.draft")


def write_new(path: Path, content: bytes) -> None:
    """Write a file for its owner's eyes only, durably; ``FileExistsError`` where there is one already."""
    draft = draft_of(path)
    draft.unlink(missing_ok=True)  # of a write that was cut short
    # Created with its mode: there is no moment at which others could open it.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # a rename would replace a key that is already there
    finally:
        draft.unlink()
    sync_directory(path.parent)
