"""What a station needs of the key it signs with, and of its certificate's, wherever they lie."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from edge_agent.trust.keys import Signer

TLS_KEY_FIELD = "[broker] key_file"


class SigningKey(Protocol):
    """One place for one key: a file, or a secure element. Nothing here ever shows the private half."""

    def make(self) -> Signer:
        """The key that is there; made here and now, from the device's own randomness, if there is none."""
        ...

    def open(self) -> Signer:
        """The key, ready to sign. ``UnusableKey``, ``TokenError`` or ``OSError`` where it cannot be used."""
        ...

    def destroy(self) -> None:
        """There is no such key any more, now or after a power cut. None there: nothing to do."""
        ...


class KeyNotShown(OSError):
    """The certificate cannot be shown; the text names the field and says what to do."""


class CertificateKey(Protocol):
    """One place for the key of the station's certificate: a file, or the element that holds the signing key."""

    def make(self) -> None:
        """Made here and now if there is none; the one that is there stays."""
        ...

    @property
    def public(self) -> bytes:
        """The public half (DER). ``UnusableKey`` or ``OSError`` where there is no such key."""
        ...

    def request(self, name: str) -> bytes:
        """A certificate request (PKCS#10, DER): it proves that we have the key. ``name`` "": the headend knows it."""
        ...

    def prepare(self) -> None:
        """Once in a process, before its threads and before ``show``. Raises as ``SigningKey.open``."""
        ...

    def show(self, context: ssl.SSLContext, certificate: Path) -> None:
        """Let ``context`` show that certificate, and prove it. Raises OSError; the text says what to do."""
        ...

    def destroy(self) -> None:
        """There is no such key any more, now or after a power cut. None there: nothing to do."""
        ...
