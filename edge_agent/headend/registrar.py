"""Decide who is given a certificate: a box that proves a one-time code, and a station that proves its own key.

Answers bytes by bytes; ``enrolment_server`` carries them. The same request twice has the same answer, so that a station
that lost the first one asks again and comes to the same end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, SECOND_MS, MonoMs, StationId, UtcMs
from edge_agent.headend.code_book import TRIES_MAX, CodeBook, Entry, Taken, is_good, tried
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.pki import EARLY_DAYS, PkiError, certify_client, load_authority, taken_back
from edge_agent.headend.session import BrokerAddress
from edge_agent.headend.station_certificates import KEPT_MAX, alone_with_them, issued, keep, known, take_back
from edge_agent.identity import messages
from edge_agent.identity.certificate import due, read_certificate
from edge_agent.identity.codes import request_proof, same
from edge_agent.identity.messages import EnrolRequest, Given, Refusal, Renewed
from edge_agent.trust.envelope import signers_of
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.strict_json import WireError

GIVEN_AT_ONCE_MS = DAY_MS
# A station has one TLS key for years. Who shows more than KEPT_MAX in a day makes revoked ones, which stay for ever.


class Refused(Exception):
    """No certificate, for this reason."""

    def __init__(self, reason: Refusal, who: str = "") -> None:
        self.reason, self.who = reason, who
        super().__init__(f"{who or '?'}: {reason}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A certificate request whose sender has the key."""

    public: ec.EllipticCurvePublicKey
    der: bytes
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """By which a repeated request is known."""
        return hashlib.sha256(self.der).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send, and for the log: to whom, and what was done."""

    body: bytes
    station: str
    what: str


class Registrar:
    """Over one keyring. ``broker``: where stations that are enrolled here connect."""

    def __init__(self, keyring: Keyring, broker: BrokerAddress) -> None:
        self._keyring = keyring
        self._book = CodeBook(keyring.directory)
        self._broker = broker

    def enrol(self, body: bytes, now: UtcMs) -> Answer:
        """Answer a box that was given a code. Raises Refused."""
        with alone_with_them(self._keyring):  # nothing in here takes long
            return self._enrol(body, now)

    def renew(self, body: bytes, now: UtcMs) -> Answer:
        """Answer a station that proves its signing key. Raises Refused."""
        with alone_with_them(self._keyring):
            return self._renew(body, now)

    def _enrol(self, body: bytes, now: UtcMs) -> Answer:
        try:
            request = messages.read_enrol_request(body)
        except WireError as error:
            raise Refused(Refusal.MALFORMED) from error
        entry = self._proven(request)
        station = entry.station
        if not is_good(entry, now):
            raise Refused(Refusal.CODE_EXPIRED, station)
        asked = _asked(request.csr, station)
        if not request.possessed:
            raise Refused(Refusal.NO_POSSESSION, station)
        self._check_not_shared(station, request.signing_key, asked)
        certificate = self._certificate_by_code(request, asked, now)
        self._replace(Enrolled(station, entry.area, entry.name, request.signing_key), certificate)
        given = self._given(entry, certificate)
        return Answer(messages.enrol_answer(entry.key, request.envelope.digest, given), station, "enrolled")

    def _renew(self, body: bytes, now: UtcMs) -> Answer:
        try:
            request = messages.read_renew_request(body)
        except WireError as error:
            raise Refused(Refusal.MALFORMED) from error
        self._keyring.see()  # anybody may ask, so it costs nothing where nobody has written a file
        station = StationId(request.station)
        enrolled = self._keyring.stations.get(station)
        of_this = request.realm == self._keyring.realm
        if enrolled is None or not of_this or not signers_of(request.envelope, [enrolled.key]):
            raise Refused(Refusal.UNKNOWN_STATION, station)
        asked = _asked(request.csr, station)
        if asked.names != (station,):
            raise Refused(Refusal.IDENTITY_CHANGED, station)
        certificate = self._standing(station, asked, now) or self._another(station, asked, now)
        keep(self._keyring, station, [certificate, *known(self._keyring, station)])
        renewed = Renewed(certificate, self._authority())
        return Answer(messages.renew_answer(request.envelope.digest, renewed), station, "renewed")

    def _replace(self, enrolled: Enrolled, certificate: bytes) -> None:
        """Another box takes the station's place, or the first one does: what was given to another key ends now."""
        self._keyring.refresh()
        before, shown = self._keyring.ever.get(enrolled.station), known(self._keyring, enrolled.station)
        if before is not None and before.key != enrolled.key:
            ended = [der for der in shown if der != certificate]
        else:
            # A code that is asked with again ends nothing that was renewed since, or whoever repeats a request would.
            older = shown[shown.index(certificate) :] if certificate in shown else shown
            ended = [der for der in older if _key_of(der) != _key_of(certificate)]
        take_back(self._keyring, ended)
        given = shown if certificate in shown else [certificate, *shown]
        keep(self._keyring, enrolled.station, [der for der in given if der not in ended])
        self._keyring.admit(enrolled)

    def _proven(self, request: EnrolRequest) -> Entry:
        """The entry whose code was typed. A slot that is not there, or is burnt, looks like a wrong code."""
        with self._book.changing() as entries:
            entry = entries.get(request.slot)
            if entry is None or entry.tries >= TRIES_MAX:
                wrong = True
            elif wrong := not same(request.proof, request_proof(entry.key, request.proved)):
                entries[request.slot] = tried(entry)
        if entry is None or wrong:
            raise Refused(Refusal.WRONG_CODE, entry.station if entry else "")
        return entry

    def _check_not_shared(self, station: StationId, signing: PublicKey, asked: Asked) -> None:
        """No key is two stations': cards that are copied after keys were made on one would all speak as each other.

        Also none that another station had before: of whom its card was copied by then, nobody knows.
        """
        self._keyring.refresh()
        for one in self._keyring.ever.values():
            if one.station != station and (signing in one.every_key or asked.der in self._tls_keys(one.station)):
                raise Refused(Refusal.KEYS_SHARED, station)

    def _tls_keys(self, station: StationId) -> set[bytes]:
        """Of every certificate that is known of a station, in DER. A spoiled file of one keeps no other one out."""
        try:
            return {_key_of(der) for der in known(self._keyring, station)}
        except (OSError, ValueError, PkiError):
            return set()

    def _certificate_by_code(self, request: EnrolRequest, asked: Asked, now: UtcMs) -> bytes:
        """Made once for a code, and noted with it; the same box is given the same one again."""
        with self._book.changing() as entries:
            entry = entries.get(request.slot)
            if entry is None:  # taken back between two lines
                raise Refused(Refusal.WRONG_CODE)
            keyid = request.signing_key.keyid
            if entry.taken is None:
                taken = Taken(asked.digest, keyid, self._issue(entry.station, asked, now))
                entries[request.slot] = replace(entry, taken=taken)
                return taken.certificate
            if (entry.taken.tls, entry.taken.keyid) != (asked.digest, keyid):
                raise Refused(Refusal.CODE_USED, entry.station)
            return entry.taken.certificate

    def _another(self, station: StationId, asked: Asked, now: UtcMs) -> bytes:
        kept = [x509.load_der_x509_certificate(der) for der in known(self._keyring, station)[:KEPT_MAX]]
        since = datetime.fromtimestamp((now - GIVEN_AT_ONCE_MS) / SECOND_MS, UTC) - timedelta(days=EARLY_DAYS)
        if len([one for one in kept if one.not_valid_before_utc > since]) >= KEPT_MAX:
            raise Refused(Refusal.TOO_OFTEN, station)
        return self._issue(station, asked, now)

    def _issue(self, station: StationId, asked: Asked, now: UtcMs) -> bytes:
        authority = load_authority(self._keyring.directory / "pki")
        at = datetime.fromtimestamp(now / SECOND_MS, UTC)
        return certify_client(authority, station, asked.public, at).public_bytes(Encoding.DER)

    def _standing(self, station: StationId, asked: Asked, now: UtcMs) -> bytes | None:
        """The certificate that was given last, if it is for this key and young: asking often makes no more of them."""
        try:
            pem = issued(self._keyring, station).read_bytes()
            last = read_certificate(pem)
        except (OSError, ValueError):
            return None
        # One that begins later was made when our clock was ahead: given again, it would silence the station until then.
        if last.public != asked.der or last.begins > now or due(Now(MonoMs(0), now, ClockSource.NTP, 0), last):
            return None
        standing = x509.load_pem_x509_certificate(pem)
        # A replacement that was cut short has taken it back, and the broker turns it away.
        if standing.serial_number in taken_back(self._keyring.directory / "pki"):
            return None
        return standing.public_bytes(Encoding.DER)

    def _authority(self) -> bytes:
        return load_authority(self._keyring.directory / "pki").certificate.public_bytes(Encoding.DER)

    def _given(self, entry: Entry, certificate: bytes) -> Given:
        return Given(
            station=entry.station,
            area=entry.area,
            realm=self._keyring.realm,
            name=entry.name,
            host=self._broker.host,
            port=self._broker.port,
            certificate=certificate,
            authority=self._authority(),
            trust=(self._keyring.directory / "trust.json").read_bytes(),
        )


def _key_of(certificate: bytes) -> bytes:
    """The TLS key that a certificate is for, in DER as it is."""
    public = x509.load_der_x509_certificate(certificate).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _asked(csr: bytes, who: str) -> Asked:
    """A certificate request of a P-256 key that its sender has."""
    try:
        found = x509.load_der_x509_csr(csr)
        public = found.public_key()
        valid = found.is_signature_valid
        # Read only when it is asked for, so a name that is none is met here; TypeError: of a kind that names nobody.
        names = tuple(str(part.value) for part in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise Refused(Refusal.MALFORMED, who) from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise Refused(Refusal.MALFORMED, who)
    if not valid:
        raise Refused(Refusal.NO_POSSESSION, who)
    return Asked(public, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), names)
