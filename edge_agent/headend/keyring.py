"""Keep what the central side must keep: officers' and servers' keys, the trust file, the stations, the serial numbers.

One directory, owner-only. Nothing secret is ever printed. In this version the headend makes a station's signing key and
hands it over in the station's folder; a key made on the device, that never leaves it, comes with the identity work.

    trust.json            goes to every station
    stations.json         who signs for which station
    serials.json          the last serial number of each issuer: after a restore from a backup, move it forward
    keys/ROLE-N.pem       officers' and servers' private keys
    pki/  clients/        TLS: authority, broker, content server; the headend's two client certificates
    stations/ID/          what is carried to a station: client.pem, client.key, sign.pem, ca.pem, trust.json
    orders/ID.json        what was published and may still be obeyed (``outbox``)
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend import pki
from edge_agent.headend.enrolment import Enrolled, read_stations, station_name, write_stations
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import make_private_directory, write_durably
from edge_agent.headend.pki import Issued
from edge_agent.headend.roles import RoleSpec, trust_document
from edge_agent.trust.fields import AREA, NAME, Fields, Form
from edge_agent.trust.keys import Ed25519Signer, UnusableKey, load_signer, new_signer
from edge_agent.trust.orders import OrderType, ordered_as
from edge_agent.trust.roles import JobGrant, Role, Trust, load_trust
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump, parse

HEADEND_ID = "headend"
PUBLISHER_ID = "publisher"
# Two ids, because one id is one session: publishing must not throw out the headend that watches.


class KeyringError(HeadendError):
    """Something is missing, doubtful or would be overwritten; the text says what to do."""


@dataclass(frozen=True, slots=True)
class StationFolder:
    """What a station is given. ``sign`` is its signing key (PEM), ``tls`` its client certificate."""

    directory: Path
    tls: Issued
    sign: Path
    trust: Path
    authority: Path


class Keyring:
    """An opened directory. Reads private keys only when asked to sign."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.trust = _read_trust(directory / "trust.json")
        self.stations: Mapping[StationId, Enrolled] = self._read_stations()

    @property
    def realm(self) -> str:
        return self.trust.realm

    @property
    def authority_path(self) -> Path:
        """The authority's certificate, which clients pin."""
        return self.directory / "pki" / "ca.pem"

    def server(self, name: str) -> Issued:
        """The certificate of "broker" or "content"."""
        return Issued(self.directory / "pki" / f"{name}.pem", self.directory / "pki" / f"{name}.key")

    def client(self, client_id: str) -> Issued:
        """The certificate of HEADEND_ID or PUBLISHER_ID."""
        return Issued(self.directory / "clients" / f"{client_id}.pem", self.directory / "clients" / f"{client_id}.key")

    def signer(self, name: str) -> Ed25519Signer:
        """The private key ``ROLE-N``; a bare role name means its first key."""
        path = self._key_path(name)
        try:
            return load_signer(path)
        except (OSError, UnusableKey) as error:
            raise KeyringError(f"key {name}: {error}") from error

    def role_of(self, signer: Ed25519Signer, order: OrderType) -> Role:
        """The first role of the trust file by which this key may give such an order."""
        for role in self.trust.roles:
            if signer.public in role.keys and ordered_as(order) in role.orders:
                return role
        if any(signer.public in role.keys for role in self.trust.roles):
            able = ", ".join(role.name for role in self.trust.roles if ordered_as(order) in role.orders)
            raise KeyringError(f"key: may sign no {order}; take one of {able or 'a trust file that has such a role'}")
        raise KeyringError(f"key {signer.keyid[:12]}… belongs to no role of trust.json: was `keys init` run again?")

    def grant_of(self, signer: Ed25519Signer, order: OrderType) -> JobGrant:
        """In whose name, and how far, this key may order it: ``order`` is one of GIVEN."""
        grant = self.role_of(signer, order).grant
        assert grant is not None, "a role of what people order has one"
        return grant

    def enrol(self, station: str, area: str, name: str = "") -> StationFolder:
        """Make a station's certificate and signing key, and note its public key. A station is enrolled only once."""
        _check("id", station, NAME)
        if station in (HEADEND_ID, PUBLISHER_ID):
            raise KeyringError(f"id: {station} is a session of the headend's own; take another id")
        _check("area", area, AREA)
        named = _name_for_people(name or station)
        folder = self.folder(station)
        if station in self.stations or folder.directory.exists():
            raise KeyringError(f"id: {station} is enrolled already; take another id, or remove its folder and entry")
        key = self._fill(folder, station)
        enrolled = Enrolled(StationId(station), area, named, key.public)
        self.stations = {**self.stations, enrolled.station: enrolled}
        write_stations(self.directory / "stations.json", self.realm, self.stations)
        return folder

    def refresh(self) -> None:
        """Take in stations that somebody else has enrolled since."""
        self.stations = self._read_stations()

    def folder(self, station: str) -> StationFolder:
        """Where a station's things lie."""
        place = self.directory / "stations" / station
        tls = Issued(place / "client.pem", place / "client.key")
        return StationFolder(place, tls, place / "sign.pem", place / "trust.json", place / "ca.pem")

    def next_serial(self, issuer: str) -> int:
        """A number that this issuer never had; durable before it is returned, so that no crash gives it out twice."""
        with (self.directory / "serials.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            serials = self.serials()
            serials[issuer] = serials.get(issuer, 0) + 1
            write_durably(self.directory / "serials.json", dump(serials))
            return serials[issuer]

    def serials(self) -> dict[str, int]:
        """The last serial number of each issuer: the marks that a welcome tells a restored station."""
        try:
            fields = Fields(parse((self.directory / "serials.json").read_bytes()))
            return {issuer: fields.integer(issuer, 0, INTEGER_MAX) for issuer in fields.values}
        except FileNotFoundError:
            return {}
        except WireError as error:
            raise KeyringError(f"serials.json: {error}; restore it, its numbers must never go back") from error

    def _key_path(self, name: str) -> Path:
        for stem in (name, f"{name}-1"):
            path = self.directory / "keys" / f"{stem}.pem"
            if NAME.pattern.fullmatch(name) and path.exists():
                return path
        known = ", ".join(sorted(path.stem for path in (self.directory / "keys").glob("*.pem")))
        raise KeyringError(f"key: no {name!r} in {self.directory / 'keys'}; there are {known or 'none'}")

    def _fill(self, folder: StationFolder, station: str) -> Ed25519Signer:
        authority = pki.load_authority(self.directory / "pki")
        issued = pki.issue_client(authority, folder.directory, station)
        issued.certificate.rename(folder.tls.certificate)
        issued.key.rename(folder.tls.key)
        shutil.copyfile(authority.path, folder.authority)
        write_durably(folder.trust, (self.directory / "trust.json").read_bytes())
        key = new_signer()
        key.save(folder.sign)
        return key

    def _read_stations(self) -> dict[StationId, Enrolled]:
        try:
            return read_stations(self.directory / "stations.json", self.trust.realm)
        except WireError as error:
            raise KeyringError(f"stations.json: {error}") from error


def create_keyring(
    directory: Path, realm: str, specs: Sequence[RoleSpec], now: UtcMs, hosts: Sequence[str] = ()
) -> Keyring:
    """Make every key and certificate of a new network in ``directory``. Refuses one that has a trust file."""
    _check("realm", realm, NAME)
    if (directory / "trust.json").exists():
        raise KeyringError(
            f"{directory / 'trust.json'} exists: new keys would lock every station out; take another --dir"
        )
    make_private_directory(directory / "keys")
    make_private_directory(directory)
    _make_certificates(directory, realm, hosts)
    signers = {spec.name: [_make_key(directory, spec.name, n) for n in range(1, spec.key_count + 1)] for spec in specs}
    public = {name: [signer.public for signer in made] for name, made in signers.items() if made}
    document = dump(trust_document(realm, 1, specs, public, now))
    try:
        load_trust(document)  # the very reading that a station will do
    except WireError as error:
        raise KeyringError(f"trust file: {error}") from error
    write_durably(directory / "trust.json", document)
    return Keyring(directory)


def _make_certificates(directory: Path, realm: str, hosts: Sequence[str]) -> None:
    authority = pki.create_authority(directory / "pki", realm)
    for server in ("broker", "content"):
        pki.issue_server(authority, directory / "pki", server, hosts)
    for client in (HEADEND_ID, PUBLISHER_ID):
        pki.issue_client(authority, directory / "clients", client)


def _make_key(directory: Path, role: str, number: int) -> Ed25519Signer:
    signer = new_signer()
    signer.save(directory / "keys" / f"{role}-{number}.pem")
    return signer


def _read_trust(path: Path) -> Trust:
    try:
        return load_trust(path.read_bytes())
    except OSError as error:
        raise KeyringError(f"{path} cannot be read ({error.strerror}): run `keys init` first, or name --dir") from error
    except WireError as error:
        raise KeyringError(f"{path}: {error}") from error


def _name_for_people(text: str) -> str:
    try:
        return station_name(text)
    except WireError as error:
        raise KeyringError(f"name: {text!r} will not do, use {error.rule}") from error


def _check(what: str, text: str, rule: Form) -> None:
    if rule.pattern.fullmatch(text) is None:
        raise KeyringError(f"{what}: {text!r} will not do, use {rule.rule}")
