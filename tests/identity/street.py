"""A headend that enrols, and boxes that want to be stations: real files, a real HTTPS service on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.cli import identity
from edge_agent.cli.identity import Asked
from edge_agent.clock import system_utc_ms
from edge_agent.config import Config, load
from edge_agent.core.units import StationId
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.code_book import HOURS, CodeBook
from edge_agent.headend.enrolment_server import EnrolmentServer
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.pki import certify_client, load_authority
from edge_agent.headend.registrar import Registrar
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress
from edge_agent.identity.codes import Code
from edge_agent.identity.installing import Places
from tests.cli.stations import WIRED
from tests.host.ports import free_port

REALM = "test"
AREA = "vn/ha-noi/dong-thanh"

TEMPLATE = """\
# Trạm mẫu, chưa đăng ký. A box as it comes from the shelf.
[station]
id = "chua-dang-ky"                  # mã trạm
realm = "chua-dang-ky"
name = "Chưa đăng ký"
area = "vn"
timezone = "Asia/Ho_Chi_Minh"

[broker]                             # máy chủ trung tâm
host = "localhost"
ca_file = "identity/ca.pem"
cert_file = "identity/station.pem"
key_file = "identity/{tls}"

[content]
ca_file = "identity/ca.pem"

[trust]
file = "identity/trust.json"
station_key_file = "identity/{signing}"
"""

ZONE = 'name = "Cụm loa chợ"'


@dataclass
class Office:
    """The central side."""

    keyring: Keyring
    server: EnrolmentServer
    said: list[str]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.port}"

    @property
    def book(self) -> CodeBook:
        return CodeBook(self.keyring.directory)

    def code(self, station: str, hours: int = HOURS) -> Code:
        return self.book.give_out(StationId(station), AREA, f"Trạm {station}", system_utc_ms(), hours)

    def key_of(self, station: str) -> str:
        self.keyring.refresh()
        return self.keyring.stations[StationId(station)].key.keyid


@contextmanager
def office(folder: Path, broker_port: int = 8883, host: str = "localhost") -> Iterator[Office]:
    create_keyring(folder / "headend", REALM, default_roles(AREA, 1), system_utc_ms())
    with office_again(folder, broker_port, host) as opened:
        yield opened


@contextmanager
def office_again(folder: Path, broker_port: int = 8883, host: str = "localhost") -> Iterator[Office]:
    """As it was left."""
    keyring, said = Keyring(folder / "headend"), list[str]()
    registrar = Registrar(Keyring(keyring.directory), BrokerAddress("localhost", broker_port))
    with EnrolmentServer(registrar, keyring.server("content"), system_utc_ms, host, note=said.append) as server:
        yield Office(keyring, server, said)


def ctrl_c(_asked: str) -> str:
    """In the place of ``input``."""
    raise KeyboardInterrupt


@dataclass
class Street:
    """A headend that enrols, and the broker that its stations are sent to."""

    ward: Office
    broker: Mosquitto


@contextmanager
def with_broker(folder: Path) -> Iterator[Street]:
    """Both running; the broker takes ``dt-01``."""
    port = free_port()
    with office(folder, port) as ward:
        keyring = ward.keyring
        authority, revoked = keyring.authority_path, keyring.revoked_path
        setup = BrokerSetup(folder / "broker", authority, keyring.server("broker"), {"dt-01": AREA}, revoked=revoked)
        with Mosquitto(setup, port) as broker:
            yield Street(ward, broker)


@dataclass(frozen=True)
class Box:
    """A box from the shelf, or the station it has become."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "station.toml"

    @property
    def config(self) -> Config:
        return load(self.file)

    def enrol(self, office: Office, code: Code, **more: object) -> int:
        asked = Asked(office.url, code.typed(), **more)  # type: ignore[arg-type]
        return identity.enrol(self.config, self.file, asked)

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*.*") if path.is_file()
        }


def box(folder: Path, signing: str = "signing.key", tls: str = "station.key") -> Box:
    folder.mkdir()
    (folder / "run").mkdir()
    (folder / "station.toml").write_text(
        TEMPLATE.format(signing=signing, tls=tls) + WIRED.replace(ZONE, f"{ZONE}  # do not touch"), "utf-8"
    )
    return Box(folder)


def grow_old(made: Box, ward: Office, days: float) -> None:
    """Give a station the certificate that it would have, had it been enrolled that long ago."""
    config = made.config
    public = Places(made.file, config).tls_key._private().public_key()
    at = datetime.now(UTC) - timedelta(days=days)
    old = certify_client(load_authority(ward.keyring.directory / "pki"), config.site.station, public, at)
    config.broker.cert_file.write_bytes(old.public_bytes(Encoding.PEM))
    (ward.keyring.directory / "issued" / f"{config.site.station}.pem").unlink()
