"""The station's keys in files that only their owner reads: the one it signs with, and its TLS certificate's.

Where the configuration names a credential, both are locked with its passphrase. One that others can read, or that lies
open then, is refused here, whatever it is wanted for.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge_agent.identity.credential import FIELD, NoPassphrase, passphrase
from edge_agent.identity.files import make_folder, remove_durably
from edge_agent.identity.port import TLS_KEY_FIELD, KeyNotShown
from edge_agent.trust.keys import Ed25519Signer, Signer, UnusableKey, read_private, write_new

Owner = tuple[int, int] | None
"""Whose the files shall be (user, group); None: whoever makes them."""


PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
LOCKED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class FileKey:
    """An Ed25519 key in a file. ``credential`` "": it lies open."""

    path: Path
    owner: Owner = None
    credential: str = ""

    def make(self) -> Signer:
        """See ``port.SigningKey``."""
        if not self.path.exists():
            _write(self.path, Ed25519PrivateKey.generate(), self.owner, self.credential)
        give(self.path, self.owner)
        return self.open()

    def open(self) -> Signer:
        """See ``port.SigningKey``."""
        private = _read(self.path, self.credential)
        if not isinstance(private, Ed25519PrivateKey):
            raise UnusableKey(f"{self.path}: an Ed25519 key is needed")
        return Ed25519Signer(private)

    def destroy(self) -> None:
        """See ``port.SigningKey``. Flash may keep what a removed file held, so the headend refuses the old key too."""
        remove_durably(self.path)


@dataclass(frozen=True, slots=True)
class TlsKey:
    """The P-256 key of the station's certificate, in a file. ``credential`` "": it lies open. See ``port``."""

    path: Path
    owner: Owner = None
    credential: str = ""

    def make(self) -> None:
        """Made if there is none; the one that is there stays."""
        if not self.path.exists():
            _write(self.path, ec.generate_private_key(ec.SECP256R1()), self.owner, self.credential)
        give(self.path, self.owner)

    @property
    def public(self) -> bytes:
        """The public half (DER). ``UnusableKey`` where there is no such key."""
        return self._private().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def request(self, name: str) -> bytes:
        """A certificate request (PKCS#10, DER): it proves that we have the key. ``name`` "": the headend knows it."""
        from cryptography import x509  # not before it is needed: see certificate
        from cryptography.x509.oid import NameOID

        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
        asked = x509.CertificateSigningRequestBuilder(named).sign(self._private(), hashes.SHA256())
        return asked.public_bytes(Encoding.DER)

    def prepare(self) -> None:
        """See ``port.CertificateKey``: a file needs nothing but what opens it."""
        passphrase(self.credential)

    def show(self, context: ssl.SSLContext, certificate: Path) -> None:
        """See ``port.CertificateKey``."""
        try:
            _pem(self.path, self.credential)
            secret = passphrase(self.credential) or b""
        except NoPassphrase as error:
            raise KeyNotShown(str(error)) from error
        except UnusableKey as error:
            raise KeyNotShown(f"{TLS_KEY_FIELD} {error}") from error
        # Also where there is none: the library would ask a terminal that is not there.
        context.load_cert_chain(certificate, self.path, password=lambda: secret)

    def destroy(self) -> None:
        """There is no such key any more."""
        remove_durably(self.path)

    def _private(self) -> ec.EllipticCurvePrivateKey:
        private = _read(self.path, self.credential)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise UnusableKey(f"{self.path}: a P-256 key is needed")
        return private


def give(path: Path, owner: Owner) -> None:
    """Make it that account's own; a link, and not where it leads: that account may have laid it for root."""
    if owner is not None:
        os.chown(path, *owner, follow_symlinks=False)


def _write(path: Path, private: PrivateKey, owner: Owner, credential: str) -> None:
    # What is sealed has 128 bits and more: the library's cheap stretching (2,048 rounds) protects enough.
    secret = passphrase(credential)
    lock = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    make_folder(path.parent, owner)
    write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))


def _read(path: Path, credential: str) -> object:
    """The private key, of whatever kind. ``UnusableKey`` says what is wrong with it."""
    pem = _pem(path, credential)
    secret = passphrase(credential)
    try:
        return load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        told = f"; or {FIELD} does not open it: đăng ký lại / enrol anew" if pem.startswith(LOCKED) else ""
        raise UnusableKey(f"{path}: no PKCS#8 private key in PEM{told}") from error


def _pem(path: Path, credential: str) -> bytes:
    """What stands in a key's file. ``UnusableKey`` where others can read it, or it is not locked as it should be."""
    pem = read_private(path)
    locked = pem.startswith(LOCKED)
    if locked and not credential:
        raise UnusableKey(f"{path}: có mật khẩu / is locked with a passphrase; write {FIELD}")
    if credential and not locked and b"PRIVATE KEY-----" in pem:
        raise UnusableKey(
            f"{path}: không có mật khẩu, dù có / lies open, although there is {FIELD}; edge-agent factory-reset, then "
            "enrol: whoever copied the card has this key"
        )
    return pem
