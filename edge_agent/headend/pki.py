"""Make the TLS certificates of a network: one authority, its servers, one client per station or headend.

Certificates say who is connected; they order nothing (that is ``keyring``'s business). Nothing secret is ever printed.
A certificate begins a day early and never outlives the authority. A new one takes nothing from the old one, which
stays good until its own end: no renewal can silence a ward. A server's new one is of the key that it has, and so is the
authority's: whoever believes the old one believes what either has signed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from edge_agent.durable import EVERYBODY_READS, OWNER_ONLY, write_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import alone, make_private_directory
from edge_agent.identity.certificate import legible
from edge_agent.identity.files import remove_durably

AUTHORITY_DAYS = 3_650
# Ten years, as long as a cluster's hardware is planned for. It is renewed before that (``renew_authority``).
LEAF_DAYS = 825
# Two years and a quarter: a yearly renewal round may fail once completely.
EARLY_DAYS = 1
# A box whose clock is some hours behind must still find the new certificate valid.
CLIENT_ID = re.compile(r"[a-z0-9-]{1,64}")
DAMAGED = "tệp hỏng, lấy lại từ bản sao lưu / is damaged; restore it from its backup"
ALWAYS_NAMED = ("localhost", "127.0.0.1")


class PkiError(HeadendError):
    """A certificate cannot be made or found; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate (PEM) and its private key (PEM, owner-only) lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority of one network: its certificate, its key, and where its certificate lies for others to pin."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    path: Path


def create_authority(directory: Path, realm: str, now: datetime | None = None) -> Authority:
    """Make a new authority in ``directory`` (``ca.pem``, ``ca.key``). Refuses to replace one that exists."""
    make_private_directory(directory)
    if (directory / "ca.key").exists():
        raise PkiError(
            f"{directory / 'ca.key'} exists: a new authority would lock every station out; take another --dir, also "
            "after a `keys init` that was cut short"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _of_itself(_name(f"loa {realm} CA"), key, _dates(now, AUTHORITY_DAYS))
    issued = _write(directory, "ca", certificate, key)
    return Authority(certificate, key, issued.certificate)


def load_authority(directory: Path) -> Authority:
    """Read the authority that ``create_authority`` left in ``directory``."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    except (OSError, ValueError) as exc:
        raise PkiError(
            f"{directory}: không có khóa của đơn vị cấp chứng thư, chạy nơi đã chạy `keys init` / no usable authority "
            f"({type(exc).__name__}): run this where `keys init` was run; a copied folder has no ca.key"
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{directory / 'ca.key'} is not an elliptic-curve key: restore the file that `keys init` wrote")
    return Authority(certificate, key, directory / "ca.pem")


def renew_authority(directory: Path, now: datetime | None = None) -> None:
    """Put a new certificate in the place of the authority's: its key, its name, and as long from now on.

    What it has signed stays good, and so does the old certificate until its end, wherever it is pinned: a station gets
    the new one with its own next one. Raises PkiError where it would not end later.
    """
    authority = load_authority(directory)
    old, path = authority.certificate, directory / "crl.pem"
    begun, ends, (_, end) = old.not_valid_before_utc, old.not_valid_after_utc, _dates(now, AUTHORITY_DAYS)
    if end <= ends:
        raise PkiError(
            f"{authority.path}: hạn mới {end:%d/%m/%Y} không muộn hơn hạn đang có {ends:%d/%m/%Y}; đồng hồ máy này "
            "chạy chậm? / would not end later than it does; is this machine's clock behind?"
        )
    if old.public_key() != authority.key.public_key():
        raise PkiError(f"{authority.path}, {directory / 'ca.key'}: {DAMAGED}")
    made = _of_itself(old.subject, authority.key, (begun, end))
    with _alone_with_the_list(directory):  # or somebody who takes one back meanwhile would sign it until the old end
        if path.exists():  # first: who repeats it after it was cut short comes to the same end
            _write_revocations(Authority(made, authority.key, authority.path), path, taken_back(directory))
        write_durably(authority.path, made.public_bytes(serialization.Encoding.PEM), EVERYBODY_READS)


def revocations(directory: Path) -> Path:
    """Where the authority in ``directory`` lists the certificates that it takes back; an empty list is made now."""
    path = directory / "crl.pem"
    if not path.exists():
        with _alone_with_the_list(directory):
            if not path.exists():
                _write_revocations(load_authority(directory), path, {})
    return path


def revoke(directory: Path, certificates: Sequence[x509.Certificate], now: datetime | None = None) -> None:
    """Take these back, for ever: brokers that read the list turn them away at the next connection.

    None goes off the list, also when it has ended: by a clock ahead a stolen box would be let in again. So it grows by
    some 40 bytes with each that was ever taken back.
    """
    if not certificates:
        return
    path, at = directory / "crl.pem", now or datetime.now(UTC)
    with _alone_with_the_list(directory):
        listed = taken_back(directory)
        fresh = dict.fromkeys((one.serial_number for one in certificates), at)
        if fresh.keys() - listed.keys():
            _write_revocations(load_authority(directory), path, {**fresh, **listed})


def _alone_with_the_list(directory: Path) -> AbstractContextManager[None]:
    """Of two who write it at once, one a first and empty list, one would lose what the other has taken back."""
    return alone(directory / "crl.lock")


def taken_back(directory: Path) -> dict[int, datetime]:
    """By its serial number, when each certificate that is on the list was taken back; none where there is no list."""
    path = directory / "crl.pem"
    if not path.exists():
        return {}
    try:
        listed = x509.load_pem_x509_crl(path.read_bytes())
    except ValueError as error:
        raise PkiError(f"{path}: {DAMAGED}") from error
    return {one.serial_number: one.revocation_date_utc for one in listed}


def _write_revocations(authority: Authority, path: Path, serials: Mapping[int, datetime]) -> None:
    # Good from the authority's beginning until its end: a list that ran out would turn every station away, and so would
    # one of a clock that was ahead, when the time is right again.
    begin, end = authority.certificate.not_valid_before_utc, authority.certificate.not_valid_after_utc
    each = [x509.RevokedCertificateBuilder(serial, at).build() for serial, at in serials.items()]
    # All at once: a builder that is given one after the other copies the list each time, 18 s for 50,000.
    builder = x509.CertificateRevocationListBuilder(authority.certificate.subject, begin, end, [], each)
    write_durably(path, builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def issue_server(
    authority: Authority, directory: Path, name: str, hosts: Sequence[str] = (), now: datetime | None = None
) -> Issued:
    """Make ``name.pem``/``name.key`` for a broker or content server; names: localhost, 127.0.0.1 and ``hosts``."""
    wanted = [_general_name(host) for host in dict.fromkeys((*ALWAYS_NAMED, *hosts))]
    return _issue(authority, directory, name, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(wanted), now)


def renew(authority: Authority, issued: Issued, hosts: Sequence[str] = (), now: datetime | None = None) -> None:
    """Put a new certificate in the place of this one: its key, name, purpose and names, and ``hosts``.

    The key stays, so a power cut leaves a pair that fits; the old certificate is kept beside, to be taken back with
    it. The new one begins when the old one did: of a clock that runs ahead it would otherwise be good for nobody until
    then. Raises PkiError where it would end sooner.
    """
    old = _read(issued.certificate)
    begun, ends = old.not_valid_before_utc, old.not_valid_after_utc
    _, end = _term(authority, now)
    if not _is_of(authority, old):
        raise PkiError(
            f"{issued.certificate}: không do đơn vị cấp của mạng này cấp / is not of this network's authority; lấy lại "
            "từ bản sao lưu / restore it from its backup"
        )
    if end < ends:
        raise PkiError(
            f"{issued.certificate}: hạn mới {end:%d/%m/%Y} sớm hơn hạn đang có {ends:%d/%m/%Y}; đồng hồ máy này chạy "
            "chậm? / would end sooner than it does; is this machine's clock behind?"
        )
    public = old.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey), "this authority certifies no others"
    wanted = [*_named(old), *(_general_name(host) for host in hosts)]
    names = x509.SubjectAlternativeName(list(dict.fromkeys(wanted)))
    (purpose,) = old.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    (common,) = old.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    made = _certify(authority, str(common.value), public, purpose, names, (begun, end))
    write_durably(_before(issued), _every_pem(issued), EVERYBODY_READS)
    write_durably(issued.certificate, made.public_bytes(serialization.Encoding.PEM), EVERYBODY_READS)


def replace(authority: Authority, issued: Issued, now: datetime | None = None) -> None:
    """A new key and certificate for a client whose key is in other hands; all that the old one had are taken back.

    Those first: who repeats it after it was cut short there comes to the same end, and later nobody knows which.
    """
    revoke(authority.path.parent, _parsed(issued.certificate, _every_pem(issued)), now)
    issue_client(authority, issued.certificate.parent, issued.certificate.stem, now)
    remove_durably(_before(issued))


def names_in(certificate: Path) -> tuple[str, ...]:
    """By which names and addresses a server with this certificate is believed."""
    return tuple(str(one.value) for one in _named(_read(certificate)))


def _before(issued: Issued) -> Path:
    """Where the certificates are that its key had before this one."""
    return issued.certificate.with_suffix(".before.pem")


def _every_pem(issued: Issued) -> bytes:
    """All that its key has had, this one the last."""
    before = _before(issued).read_bytes() if _before(issued).exists() else b""
    return before + issued.certificate.read_bytes()


def certificates_in(path: Path) -> list[x509.Certificate]:
    """Those in a file, in their order. Raises PkiError where it is damaged."""
    return _parsed(path, path.read_bytes())


def _read(path: Path) -> x509.Certificate:
    (found,) = certificates_in(path)
    return found


def _parsed(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        with legible():
            return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise PkiError(f"{path}: {DAMAGED}") from error


def _named(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _is_of(authority: Authority, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def issue_client(authority: Authority, directory: Path, client_id: str, now: datetime | None = None) -> Issued:
    """Make ``id.pem``/``id.key`` whose common name is the station's or headend's id ([a-z0-9-], at most 64)."""
    purpose, wanted = _of_client(client_id)
    return _issue(authority, directory, client_id, purpose, wanted, now)


def certify_client(
    authority: Authority, client_id: str, public: ec.EllipticCurvePublicKey, now: datetime | None = None
) -> x509.Certificate:
    """A certificate for a key that was made elsewhere and stays there."""
    purpose, wanted = _of_client(client_id)
    return _certify(authority, client_id, public, purpose, wanted, _term(authority, now))


def _of_client(client_id: str) -> tuple[ObjectIdentifier, x509.SubjectAlternativeName]:
    if CLIENT_ID.fullmatch(client_id) is None:
        raise PkiError(f"id {client_id!r}: use 1 to 64 of a-z, 0-9 and '-'")
    return ExtendedKeyUsageOID.CLIENT_AUTH, x509.SubjectAlternativeName([x509.DNSName(client_id)])


def _issue(
    authority: Authority,
    directory: Path,
    name: str,
    purpose: ObjectIdentifier,
    names: x509.SubjectAlternativeName,
    now: datetime | None,
) -> Issued:
    make_private_directory(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certify(authority, name, key.public_key(), purpose, names, _term(authority, now))
    return _write(directory, name, made, key)


def _certify(
    authority: Authority,
    name: str,
    public: ec.EllipticCurvePublicKey,
    purpose: ObjectIdentifier,
    names: x509.SubjectAlternativeName,
    term: tuple[datetime, datetime],
) -> x509.Certificate:
    builder = _builder(_name(name), authority.certificate.subject, public, *term)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(names, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return builder.add_extension(issuer, critical=False).sign(authority.key, hashes.SHA256())


def _of_itself(name: x509.Name, key: ec.EllipticCurvePrivateKey, term: tuple[datetime, datetime]) -> x509.Certificate:
    builder = _builder(name, name, key.public_key(), *term)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_key_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _term(authority: Authority, now: datetime | None) -> tuple[datetime, datetime]:
    now = now or datetime.now(UTC)
    (start, end), last = _dates(now, LEAF_DAYS), authority.certificate.not_valid_after_utc
    if last <= now:
        raise PkiError(
            f"{authority.path}: hết hạn từ {last:%d/%m/%Y}, không cấp được chứng thư; chạy `certificates renew`, và "
            "xem đồng hồ máy này / the authority has ended, and certifies nobody: run `certificates renew`, unless "
            "this machine's clock is ahead"
        )
    return start, min(end, last)


def _dates(now: datetime | None, days: int) -> tuple[datetime, datetime]:
    now = now or datetime.now(UTC)
    return now - timedelta(days=EARLY_DAYS), now + timedelta(days=days)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    issued = Issued(directory / f"{name}.pem", directory / f"{name}.key")
    write_durably(issued.key, pem, OWNER_ONLY)
    write_durably(issued.certificate, certificate.public_bytes(serialization.Encoding.PEM), EVERYBODY_READS)
    return issued
