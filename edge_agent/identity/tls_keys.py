"""The key of the station's certificate, where the configuration says: in a file, or in the element of its signing key.

``NAME.token`` says where it lies on the element, as for the signing key, with whose PIN it is opened. OpenSSL finds it
by an address of its own (RFC 7512), made for each connection, in memory, without a PIN: we have logged in before.
"""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.config import Config
from edge_agent.config.sections import NOTE
from edge_agent.element import IN_USE, OPEN_S, ElementHangs, answered
from edge_agent.identity import openssl_provider, token
from edge_agent.identity.file_keys import Owner, TlsKey
from edge_agent.identity.files import remove_durably
from edge_agent.identity.port import TLS_KEY_FIELD, CertificateKey, KeyNotShown
from edge_agent.identity.token import TEST_MESSAGE, TokenSigner, read_note
from edge_agent.identity.token_keys import PIN, TokenKey
from edge_agent.identity.token_library import NoTokenLibrary, TokenError
from edge_agent.trust.keys import Scheme, UnusableKey

_ADDRESS = "PKCS#11 PROVIDER URI"
_VERSION = b"PKCS#11 Provider URI v1.0"
_SEQUENCE, _VISIBLE_STRING, _UTF8_STRING = 0x30, 0x1A, 0x0C

_held: dict[token.TokenKey, TokenSigner] = {}
# Who is logged in is a matter of the whole process; each further login leaves a session behind, of which there are few.


@dataclass(frozen=True, slots=True)
class TlsToken:
    """A P-256 key on an element. ``kept``: its note and PIN, and what is needed to make it. See ``port``."""

    kept: TokenKey

    def make(self) -> None:
        """See ``port.CertificateKey``."""
        self.kept.create()

    @property
    def public(self) -> bytes:
        """See ``port.CertificateKey``. The element is not asked."""
        return _public(self._note()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def request(self, name: str) -> bytes:
        """See ``port.CertificateKey``."""
        from cryptography import x509  # not before it is needed: see certificate
        from cryptography.x509.oid import NameOID

        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
        asked = x509.CertificateSigningRequestBuilder(named).sign(_Absent(self._signer()), hashes.SHA256())
        return asked.public_bytes(Encoding.DER)

    def prepare(self) -> None:
        """See ``port.CertificateKey``."""
        # In this order: OpenSSL takes a library that is in use already, python-pkcs11 does not.
        answered(lambda: openssl_provider.load(self._signer().note.module), OPEN_S)

    def show(self, context: ssl.SSLContext, certificate: Path) -> None:
        """See ``port.CertificateKey``. It signs once for us before, as what fails then has a name."""
        note = self.kept.note
        try:
            answered(partial(self._show, context, certificate), OPEN_S)
        except ssl.SSLError as error:
            raise KeyNotShown(f"{TLS_KEY_FIELD} {note} does not go with {certificate}: {error}; enrol anew") from error
        except (TokenError, UnusableKey, ElementHangs) as error:
            raise KeyNotShown(f"{TLS_KEY_FIELD} {note}: {error}") from error

    def _show(self, context: ssl.SSLContext, certificate: Path) -> None:
        with IN_USE, _address(self._ready()) as address:
            context.load_cert_chain(certificate, address, password=_nobody)

    def destroy(self) -> None:
        """See ``port.CertificateKey``. The PIN is the signing key's, and stays for it."""
        if self.kept.note.exists():
            self._note().destroy(self.kept.pin)
        remove_durably(self.kept.note)

    def _note(self) -> token.TokenKey:
        note = read_note(self.kept.note)
        if note.public.scheme is not Scheme.ECDSA_P256:
            raise UnusableKey(f"{self.kept.note}: a P-256 key is needed")
        return note

    def _ready(self) -> token.TokenKey:
        note = self._signer().note
        if not openssl_provider.loaded(note.module):
            raise NoTokenLibrary(f"{note.module} was not loaded when we started: sudo edge-agent doctor, then restart")
        return note

    def _signer(self) -> TokenSigner:
        """Logged in, and tried. One that fails is opened anew, once."""
        note = self._note()
        if (held := _held.pop(note, None)) is not None:
            with contextlib.suppress(TokenError):
                return _tried(held)
        return _tried(note.open(self.kept.pin))


class _Absent(ec.EllipticCurvePrivateKey):
    """A private key for whoever builds a certificate request: it signs, and is not here."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    curve = ec.SECP256R1()
    key_size = curve.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return _public(self._signer.note)

    def sign(self, data: object, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA with SHA-256, which is all that an element is asked for."""
        assert isinstance(signature_algorithm, ec.ECDSA)
        assert isinstance(signature_algorithm.algorithm, hashes.SHA256)
        assert isinstance(data, bytes)
        return self._signer.sign(data)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        raise NotImplementedError

    def private_numbers(self) -> NoReturn:
        raise NotImplementedError

    def private_bytes(self, *_how: object) -> NoReturn:
        raise NotImplementedError

    def __copy__(self) -> _Absent:
        return self

    def __deepcopy__(self, memo: object) -> _Absent:
        return self


def tls_key(config: Config, owner: Owner = None, module: str = "", label: str = "") -> CertificateKey:
    """The key that the station's file names; with ``module`` and ``label`` one can be made on an element."""
    file = config.broker.key_file
    if not in_element(config):
        return TlsKey(file, owner, config.trust.key_credential)
    opened_by = config.trust.station_key_file.with_suffix(PIN)
    return TlsToken(TokenKey(file, module, label, owner=owner, opened_by=opened_by))


def in_element(config: Config) -> bool:
    """Whether no file holds that key."""
    return config.broker.key_file.suffix == NOTE


def _tried(signer: TokenSigner) -> TokenSigner:
    signer.sign(TEST_MESSAGE)
    _held[signer.note] = signer
    return signer


def _public(note: token.TokenKey) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), note.public.raw)


@contextlib.contextmanager
def _address(note: token.TokenKey) -> Iterator[str]:
    """The path of a file, in memory alone, that tells the provider which key is meant."""
    named = "".join(f"%{byte:02x}" for byte in note.key_id)
    serial = f";serial={quote(note.serial, safe='')}" if note.serial else ""
    uri = f"pkcs11:token={quote(note.token, safe='')}{serial};id={named};type=private"
    der = _der(_SEQUENCE, _der(_VISIBLE_STRING, _VERSION) + _der(_UTF8_STRING, uri.encode()))
    body = base64.encodebytes(der).decode()
    with open(os.memfd_create("address"), "wb", buffering=0) as file:
        file.write(f"-----BEGIN {_ADDRESS}-----\n{body}-----END {_ADDRESS}-----\n".encode())
        yield f"/proc/self/fd/{file.fileno()}"


def _der(kind: int, content: bytes) -> bytes:
    length = len(content)
    # Longer than 127: how many bytes the length has, then the length.
    told = bytes([length]) if length < 0x80 else bytes([0x82]) + length.to_bytes(2)
    return bytes([kind]) + told + content


def _nobody() -> NoReturn:
    """OpenSSL asks for a PIN although we are logged in: no guess is made, as the element counts them."""
    raise NoTokenLibrary("the element forgot that we are logged in")
