"""Keep what the central side must keep: officers' and servers' keys, the trust file, the stations, the serial numbers.

One directory, owner-only. Nothing secret is ever printed. A station makes its keys itself and is admitted by a one-time
code (``registrar``); for demonstrations ``enrol`` makes them here and hands them over in the station's folder.

    trust.json            goes to every station (``trust_file``)
    stations.json         who signs for which station
    serials.json          the last serial number of each issuer (``serials``)
    keys/                 officers' and servers' private keys, or which token holds them (``key_folder``)
    pki/  clients/        TLS: authority, broker, content server; the headend's two client certificates
    stations/ID/          what is carried to a station: client.pem, client.key, sign.pem, ca.pem, trust.json
    codes.json            one-time codes that bring stations in (``code_book``)
    issued/ID.pem         the certificates of a station that made its own keys (``station_certificates``)
    orders/ID.json        what was published and may still be obeyed (``outbox``)
    manifests.json        what was told to be in force (``manifest_shelf``)
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.core.events import Rejected
from edge_agent.core.trust_standing import TrustHead, TrustVersion
from edge_agent.core.units import StationId, UtcMs
from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend import pki
from edge_agent.headend.ceremony_clock import check_taken
from edge_agent.headend.enrolment import Enrolled, read_stations, station_name, write_stations
from edge_agent.headend.errors import KeyringError, unreadable
from edge_agent.headend.files import Stamp, alone, stamp
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.headend.passphrases import Ask, ask, ask_new
from edge_agent.headend.pki import Issued
from edge_agent.headend.serials import Serials
from edge_agent.headend.trust_drafts import keys_in
from edge_agent.headend.trust_file import DAMAGED, believing_too, document_of, from_above, read_trust
from edge_agent.trust.bundle import read_document, read_file, write_file
from edge_agent.trust.chain import Held
from edge_agent.trust.documents import ROOT, Document
from edge_agent.trust.envelope import open_envelope, signers_of
from edge_agent.trust.fields import AREA, NAME, Form, within_areas
from edge_agent.trust.keys import Ed25519Signer, PublicKey, Signer, new_signer
from edge_agent.trust.orders import OrderType, ordered_as
from edge_agent.trust.roles import JobGrant, Role, Trust
from edge_agent.trust.strict_json import WireError

HEADEND_ID = "headend"
PUBLISHER_ID = "publisher"
# Two ids, because one id is one session: publishing must not throw out the headend that watches.

SERVES = (
    "khóa của máy chủ tự khởi động / serves a server, which starts with nobody there to type; it starts no sound, and "
    "stays a file that only its owner reads"
)
WRITTEN: Mapping[Form, str] = {
    NAME: "viết 1 đến 64 ký tự không dấu a-z, 0-9, -",
    AREA: "viết như vn/ha-noi/dong-thanh, 1 đến 6 tên gồm ký tự không dấu a-z, 0-9, -",
}
"""In Vietnamese what each says of itself in English."""
NAME_SAID = "viết một dòng, tối đa 80 ký tự"


@dataclass(frozen=True, slots=True)
class StationFolder:
    """What a station is given. ``sign`` is its signing key (PEM), ``tls`` its client certificate."""

    directory: Path
    tls: Issued
    sign: Path
    trust: Path
    authority: Path


class Keyring:
    """An opened directory. Reads private keys only when asked to sign, and asks for no passphrase or PIN before."""

    def __init__(self, directory: Path, asking: Ask = ask) -> None:
        self.directory = directory
        self.keys = KeyFolder(directory / "keys", asking)
        self.serials = Serials(directory)
        self._seen, self._trouble = self._stamps(), ""  # before: what is written meanwhile is read once more
        self.documents, self.chain = read_trust(directory / "trust.json")
        self.ever: Mapping[StationId, Enrolled]
        """Every station that there was: what one that is gone signed in its time stands."""
        self.stations: Mapping[StationId, Enrolled]
        """Those that are enrolled."""
        self._take_in(self._read_stations())

    @property
    def trust(self) -> Trust:
        """What the documents of this network say together."""
        return self.chain.trust

    @property
    def realm(self) -> str:
        return self.trust.realm

    @property
    def authority_path(self) -> Path:
        """The authority's certificate, which clients pin."""
        return self.directory / "pki" / "ca.pem"

    @property
    def revoked_path(self) -> Path:
        """The list of certificates that are good no more, for brokers."""
        return pki.revocations(self.directory / "pki")

    def server(self, name: str) -> Issued:
        """The certificate of "broker" or "content"."""
        return Issued(self.directory / "pki" / f"{name}.pem", self.directory / "pki" / f"{name}.key")

    def client(self, client_id: str) -> Issued:
        """The certificate of HEADEND_ID or PUBLISHER_ID."""
        return Issued(self.directory / "clients" / f"{client_id}.pem", self.directory / "clients" / f"{client_id}.key")

    def signer(self, name: str) -> Signer:
        """The private key ``ROLE-N``; a bare role name means the first of its keys that stands in a trust document.

        May ask for a passphrase or PIN.
        """
        return self.keys.signer(self._named(name))

    def signers(self, names: Sequence[str], order: OrderType) -> list[Signer]:
        """Those who sign such an order. Whoever may not is told before he has typed his PIN."""
        self.grant_of(names[0], order)
        return [self.signer(name) for name in names]

    def role_of(self, name: str, order: OrderType) -> Role:
        """The first role of the trust file by which this key may give such an order."""
        key = self.keys.key(self._named(name)).public
        for role in self.trust.roles:
            if key in role.keys and ordered_as(order) in role.orders:
                return role
        if any(key in role.keys for role in self.trust.roles):
            able = ", ".join(role.name for role in self.trust.roles if ordered_as(order) in role.orders)
            raise KeyringError(
                f"key: khóa này không được ký {order}, dùng khóa khác / may sign no {order}; take one of "
                f"{able or 'a trust file that has such a role'}"
            )
        raise KeyringError(
            f"key {key.keyid[:12]}…: không thuộc vai trò nào trong trust.json, có ai chạy lại `keys init`? / belongs "
            "to no role of trust.json: was `keys init` run again?"
        )

    def grant_of(self, name: str, order: OrderType) -> JobGrant:
        """In whose name, and how far, this key may order it: ``order`` is one of GIVEN."""
        grant = self.role_of(name, order).grant
        assert grant is not None, "a role of what people order has one"
        return grant

    def protect(self, name: str, asking_new: Ask = ask_new) -> None:
        """Put an officer's key file under a new passphrase."""
        key = self.keys.key(name).public
        if key in self.server_keys:
            raise KeyringError(f"key {name}: {SERVES}")
        self.keys.protect(name, asking_new)

    @property
    def every_ack_key(self) -> frozenset[PublicKey]:
        """Those that sign for records, and those that ever did by a root of this network: what they signed stands."""
        roots = [document for document in map(read_document, self.documents) if document.area == ROOT]
        roles = [role for root in roots for role in root.roles if OrderType.ACK in role.orders]
        return frozenset(key for role in roles for key in role.keys)

    @property
    def server_keys(self) -> frozenset[PublicKey]:
        """Those by which servers answer stations, with nobody there to type a passphrase."""
        return frozenset(key for role in self.trust.roles if role.grant is None for key in role.keys)

    def lacking(self, area: str, heads: Sequence[TrustHead]) -> tuple[bytes, ...]:
        """The trust documents that a station in ``area`` has not got, in the order in which it can believe them."""
        held = {head.area: (head.epoch, head.version) for head in heads}
        standing = {one.envelope for one in self.chain.standing}
        missing = []
        for envelope in self.documents:
            document = document_of(envelope)
            around = document.area == ROOT or (within_areas(area, (document.area,)) and envelope in standing)
            if around and (document.epoch, document.version) > held.get(document.area, (0, 0)):
                missing.append(envelope)
        return tuple(missing)

    def not_here(self, heads: Sequence[TrustHead]) -> tuple[TrustHead, ...]:
        """Of what a station believes, the documents that nobody has signed here: newer ones, or others so numbered."""
        here = [document_of(envelope) for envelope in self.documents]
        return tuple(head for head in heads if _is_strange(head, [one for one in here if one.area == head.area]))

    def newest(self, area: str) -> tuple[TrustVersion, ...]:
        """The trust documents that a station in ``area`` is to have, the root's first."""
        around = [held.document for held in self._around(area)]
        return tuple(TrustVersion(one.area, one.epoch, one.version) for one in around)

    @contextlib.contextmanager
    def ceremony(self) -> Iterator[None]:
        """Documents are signed by one at a time, by what lies here now, and written when all of them are signed.

        Half a ceremony would take away what its other half gives back; if it fails, nothing has happened.
        """
        with alone(self.directory / "trust.lock"):
            self.refresh()
            before = self.documents, self.chain
            try:
                yield
                file = write_file(self.documents)
                read_file(file)  # what nobody could read must not be written
                write_durably(self.directory / "trust.json", file)
            except BaseException as error:
                self.documents, self.chain = before
                if isinstance(error, WireError):
                    raise KeyringError(f"trust.json: {error}; chưa đổi gì / nothing was changed") from error
                raise

    def add_document(self, envelope: bytes, now: UtcMs, *, sure: bool = False) -> None:
        """Take in a signed trust document, within a ``ceremony``, as every station will at its next hello.

        ``sure``: see ``check_taken``.
        """
        document = read_document(envelope)
        check_taken(document, now, sure=sure)
        area, after = document.area, believing_too(self.chain, envelope)
        # Every root is a step that somebody may still have to take; of an area only the newest counts.
        kept = [one for one in self.documents if area == ROOT or read_document(one).area != area]
        listed = sorted([*kept, envelope], key=lambda one: from_above(read_document(one)))
        self.documents, self.chain = tuple(listed), after

    def enrol(self, station: str, area: str, name: str = "") -> StationFolder:
        """Make a station's certificate and signing key, and note its public key. A station is enrolled only once."""
        named = self.place_for(station, area, name)
        folder = self.folder(station)
        self.see_stations()
        if station in self.ever.keys() - self.stations.keys():
            raise KeyringError(
                f"id: {station} đã bỏ; dùng lại thì `codes new` / {station} was taken off; `codes new` brings it back"
            )
        if station in self.stations:
            raise KeyringError(
                f"id: {station} đã đăng ký; dùng mã khác, hoặc xóa thư mục và mục ghi của trạm / {station} is enrolled "
                "already; take another id, or remove its folder and entry"
            )
        if not _made(folder.directory):
            raise KeyringError(
                f"id: {station} có thư mục mà chưa được ghi: có người đang đăng ký nó, hoặc lần trước bị ngắt, khi đó "
                f"xóa thư mục rồi chạy lại / {station} has a folder and no entry: somebody enrols it right now, or an "
                f"attempt was cut short, then remove the folder and repeat: {folder.directory}"
            )
        try:
            self.admit(Enrolled(StationId(station), area, named, self._fill(folder, station).public))
        except BaseException:
            shutil.rmtree(folder.directory, ignore_errors=True)  # nobody has it, and it would keep the id
            raise
        return folder

    def place_for(self, station: str, area: str, name: str = "") -> str:
        """Whether a station can be called so and stand there; its name for people."""
        check_form("id", station, NAME)
        if station in (HEADEND_ID, PUBLISHER_ID):
            raise KeyringError(
                f"id: {station} là tên máy chủ tự dùng, chọn mã khác / {station} is a session of the headend's own; "
                "take another id"
            )
        check_form("area", area, AREA)
        return _name_for_people(name or station)

    def admit(self, enrolled: Enrolled) -> None:
        """Note by which key a station signs from now on. What comes by another key is not believed any more."""
        self._note(lambda known: enrolled.in_place_of(known.get(enrolled.station)))

    def take_off(self, station: StationId) -> None:
        """Note that a station is gone: what it says from now on is not believed."""
        self._note(lambda known: replace(known[station], gone=True))

    def refresh(self) -> None:
        """Take in stations that somebody else has enrolled since, and trust documents that were signed."""
        self.documents, self.chain = read_trust(self.directory / "trust.json")
        self._take_in(self._read_stations())

    def see(self) -> None:
        """The same, for whoever answers anybody who asks: costs a look at two files where nobody has written one.

        A file in which there is a fault is read once, and called faulty each time until it is written anew.
        """
        stamps = self._stamps()
        if self._seen != stamps:
            self._seen, self._trouble = stamps, ""
            try:
                self.refresh()
            except KeyringError as error:
                self._trouble = str(error)
        if self._trouble:
            raise KeyringError(self._trouble)

    def see_stations(self) -> None:
        """Take in who was enrolled since, or took whose place. Costs a look at the file where nobody did."""
        if self._stations_stamp != stamp(self.directory / "stations.json"):
            self._take_in(self._read_stations())

    def folder(self, station: str) -> StationFolder:
        """Where a station's things lie."""
        place = self.directory / "stations" / station
        tls = Issued(place / "client.pem", place / "client.key")
        return StationFolder(place, tls, place / "sign.pem", place / "trust.json", place / "ca.pem")

    def note_order(self, envelope: bytes, issuer: str, serial: int) -> None:
        """Remember the serial of an order that was signed in another folder, if an officer of that issuer signed it."""
        opened = open_envelope(envelope)
        granted = [role for role in self.trust.roles if role.grant is not None and role.grant.issuer == issuer]
        officers = frozenset(key for role in granted for key in role.keys)
        if isinstance(opened, Rejected) or not signers_of(opened, officers):
            return
        self.serials.note(issuer, serial)

    def marks(self, area: str) -> dict[str, int]:
        """The serials that a welcome tells a restored station: of whoever may order there."""
        granted = [role.grant for held in self._around(area) for role in held.document.roles if role.grant is not None]
        serials = self.serials.last()
        return {issuer: serials[issuer] for issuer in sorted({grant.issuer for grant in granted} & serials.keys())}

    def _note(self, entry: Callable[[Mapping[StationId, Enrolled]], Enrolled]) -> None:
        """Write one station's entry anew, by what is known of all."""
        with alone(self.directory / "stations.lock"):
            known = self._read_stations()
            one = entry(known)
            ever = {**known, one.station: one}
            write_stations(self.directory / "stations.json", self.realm, ever)
            self._take_in(ever)

    def _take_in(self, ever: Mapping[StationId, Enrolled]) -> None:
        self.ever, self.stations = ever, {station: one for station, one in ever.items() if not one.gone}

    def _around(self, area: str) -> list[Held]:
        """The standing documents whose roles order there, the root's first."""
        standing = self.chain.standing
        return [one for one in standing if one.document.area == ROOT or within_areas(area, (one.document.area,))]

    def _named(self, name: str) -> str:
        if name not in self.keys.names():
            listed = self.keys.readable()
            return next((one for one in self.keys.of_role(name) if listed.get(one) in self._keys_in_documents()), name)
        return name

    def _keys_in_documents(self) -> frozenset[PublicKey]:
        return frozenset[PublicKey]().union(*(keys_in(held.document) for held in self.chain.standing))

    def _fill(self, folder: StationFolder, station: str) -> Ed25519Signer:
        authority = pki.load_authority(self.directory / "pki")
        issued = pki.issue_client(authority, folder.directory, station)
        issued.certificate.rename(folder.tls.certificate)
        issued.key.rename(folder.tls.key)
        write_durably(folder.authority, authority.path.read_bytes(), EVERYBODY_READS)
        write_durably(folder.trust, (self.directory / "trust.json").read_bytes())
        key = new_signer()
        key.save(folder.sign)
        return key

    def _stamps(self) -> tuple[Stamp | None, Stamp | None]:
        return stamp(self.directory / "trust.json"), stamp(self.directory / "stations.json")

    def _read_stations(self) -> dict[StationId, Enrolled]:
        self._stations_stamp = stamp(self.directory / "stations.json")  # before it
        try:
            return read_stations(self.directory / "stations.json", self.trust.realm)
        except OSError as error:
            raise unreadable(self.directory / "stations.json", error) from error
        except WireError as error:
            raise KeyringError(f"stations.json: {DAMAGED} / {error}") from error


def _made(directory: Path) -> bool:
    """False: it was there. Of two who enrol a station at once one has made it, and the other changes nothing in it."""
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _is_strange(head: TrustHead, here: Sequence[Document]) -> bool:
    """Newer than every document of its area here, or numbered like one of them and another one."""
    newest = max(((one.epoch, one.version) for one in here), default=(0, 0))
    alike = [one for one in here if (one.epoch, one.version) == (head.epoch, head.version)]
    return (head.epoch, head.version) > newest or any(one.expires != head.expires for one in alike)


def _name_for_people(text: str) -> str:
    try:
        return station_name(text)
    except WireError as error:
        raise KeyringError(f"name: {text!r} không dùng được, {NAME_SAID} / will not do, use {error.rule}") from error


def check_form(what: str, text: str, rule: Form) -> None:
    """Refuse what people have typed, by name and with what would do."""
    if rule.pattern.fullmatch(text) is None:
        raise KeyringError(f"{what}: {text!r} không dùng được, {WRITTEN[rule]} / will not do, use {rule.rule}")
