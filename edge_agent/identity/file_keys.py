"""The station's keys in files that only their owner reads: the one it signs with, and its TLS certificate's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge_agent.identity.files import make_folder, remove_durably
from edge_agent.trust.keys import Signer, UnusableKey, load_signer, new_signer, read_private, write_new

Owner = tuple[int, int] | None
"""Whose the files shall be (user, group); None: whoever makes them."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """An Ed25519 key in a file."""

    path: Path
    owner: Owner = None

    def make(self) -> Signer:
        """See ``port.SigningKey``."""
        if not self.path.exists():
            make_folder(self.path.parent, self.owner)
            new_signer().save(self.path)
        give(self.path, self.owner)
        return self.open()

    def open(self) -> Signer:
        """See ``port.SigningKey``."""
        return load_signer(self.path)

    def destroy(self) -> None:
        """See ``port.SigningKey``. Flash may keep what a removed file held, so the headend refuses the old key too."""
        remove_durably(self.path)


@dataclass(frozen=True, slots=True)
class TlsKey:
    """The P-256 key of the station's certificate. A file and nothing else: ADR 18."""

    path: Path
    owner: Owner = None

    def make(self) -> None:
        """Made if there is none; the one that is there stays."""
        if not self.path.exists():
            make_folder(self.path.parent, self.owner)
            private = ec.generate_private_key(ec.SECP256R1())
            write_new(self.path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
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

    def destroy(self) -> None:
        """There is no such key any more."""
        remove_durably(self.path)

    def _private(self) -> ec.EllipticCurvePrivateKey:
        try:
            private = load_pem_private_key(read_private(self.path), password=None)
        except (ValueError, TypeError) as error:
            raise UnusableKey(f"{self.path}: {error}") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise UnusableKey(f"{self.path}: a P-256 key is needed")
        return private


def give(path: Path, owner: Owner) -> None:
    """Make it that account's own."""
    if owner is not None:
        os.chown(path, *owner)
