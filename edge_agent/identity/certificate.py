"""Decide of a station's certificate: when a new one is due, and whether a new one is ours to take. Pure.

The library for certificates is loaded when the first is read, after the agent has started: 20 ms on a desktop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.core.clock_trust import Now
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.sync.tls import clock_dates_certificates, moment
from edge_agent.sync.tls_trouble import Kind, TlsTrouble

if TYPE_CHECKING:
    from cryptography import x509

DUE_AT = 2, 3
# Of its life: of 825 days 275 are left, in which a station that is switched off for a season still comes by.
OVERDUE_AT = 3, 4
# It has been asked for in vain for two months: somebody must look.


class NotOurs(ValueError):
    """A certificate that this station must not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of one: whom it names, from when to when, and for which public key (DER)."""

    names: tuple[str, ...]
    begins: UtcMs
    ends: UtcMs
    public: bytes

    @property
    def last_moment(self) -> str:
        """Its end, for people."""
        return moment(self.ends)


@contextmanager
def legible() -> Iterator[None]:
    """``ValueError`` for whatever the library finds wrong with a certificate: it has errors of other kinds for some."""
    from cryptography import x509

    try:
        yield
    except (TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(f"a certificate that cannot be read: {error}") from error


def read_certificate(pem: bytes) -> Certificate:
    """The first certificate of a PEM file. ``ValueError`` for what is none."""
    from cryptography import x509

    with legible():
        return _summary(x509.load_pem_x509_certificate(pem))


def due(now: Now, certificate: Certificate, at: tuple[int, int] = DUE_AT) -> bool:
    """Whether to ask for a new one: in the last third of its life, and after it. A clock that nobody trusts knows no
    dates; then the broker's refusal is the sign."""
    if not clock_dates_certificates(now):
        return False
    part, whole = at
    return now.utc >= certificate.begins + (certificate.ends - certificate.begins) * part // whole


def trouble_by_clock(certificate: Certificate, now: Now) -> TlsTrouble | None:
    """What is wrong with its dates by ``now``; None if nothing is, or nobody knows the date."""
    if not clock_dates_certificates(now):
        return None
    if now.utc - now.max_error_ms > certificate.ends:
        return TlsTrouble(Kind.OURS_EXPIRED, certificate.last_moment)
    if now.utc + now.max_error_ms < certificate.begins:
        return TlsTrouble(Kind.OURS_NOT_YET, moment(now.utc))
    return None


def take(der: bytes, authority: bytes, station: str, public: bytes) -> bytes:
    """The certificate as PEM, if that authority (DER) signed it for this station and this key; else ``NotOurs``."""
    from cryptography import x509

    try:
        with legible():
            found, root = x509.load_der_x509_certificate(der), x509.load_der_x509_certificate(authority)
            found.verify_directly_issued_by(root)
    except (ValueError, InvalidSignature) as error:
        raise NotOurs("chứng thư không do đúng đơn vị cấp / not signed by our authority") from error
    with legible():
        seen = _summary(found)
    if seen.names != (station,):
        raise NotOurs(f"chứng thư ghi tên khác / made out to {', '.join(seen.names)}, and not to {station}")
    if seen.public != public:
        raise NotOurs("chứng thư của một khóa khác / for another key than this station's")
    return found.public_bytes(Encoding.PEM)


def followed(pem: bytes, der: bytes) -> bytes | None:
    """The authorities of a file (PEM) with this one (DER) in the place of the one that it follows; None if of none.

    It follows one whose name and key it has, which it has signed with that key, and whose time lies within its own. So
    whoever offers it gains nothing: what it signs, the old one has signed as well, and the old one goes on until then.
    """
    from cryptography import x509

    with legible():
        new, held = x509.load_der_x509_certificate(der), x509.load_pem_x509_certificates(pem)
        ours = [new if _follows(new, one) else one for one in held]
    return None if ours == held else b"".join(one.public_bytes(Encoding.PEM) for one in ours)


def _follows(new: x509.Certificate, old: x509.Certificate) -> bool:
    from cryptography import x509

    same = (new.subject, new.public_key()) == (old.subject, old.public_key())
    longer = new.not_valid_before_utc <= old.not_valid_before_utc and new.not_valid_after_utc > old.not_valid_after_utc
    if not same or not longer:
        return False
    try:
        new.verify_directly_issued_by(new)
        return new.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False


def authority_pem(der: bytes) -> bytes:
    """An authority's certificate as its file has it."""
    from cryptography import x509

    with legible():
        return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def authority_der(pem: bytes) -> bytes:
    """And back."""
    from cryptography import x509

    with legible():
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def _summary(found: x509.Certificate) -> Certificate:
    from cryptography.x509.oid import NameOID

    names = tuple(str(part.value) for part in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    begins, ends = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    public = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(names, UtcMs(int(begins) * SECOND_MS), UtcMs(int(ends) * SECOND_MS), public)
