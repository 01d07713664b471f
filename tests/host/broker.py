"""A private, real Mosquitto with TLS 1.3 and a certificate per client, as the product runs it; for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.core.units import StationId
from edge_agent.headend.broker import QUEUED_MESSAGES_MAX, BrokerSetup, Mosquitto
from edge_agent.headend.pki import Authority, Issued, create_authority, issue_client, issue_server
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync.client import BrokerSettings
from tests.host.ports import free_port

HEADEND = "headend"


@dataclass(frozen=True, slots=True)
class Network:
    """A broker with its authority. ``clients`` holds every certificate that was made, by name."""

    directory: Path
    authority: Authority
    mosquitto: Mosquitto
    areas: dict[str, str]
    clients: dict[str, Issued] = field(default_factory=dict)

    def client(self, name: str) -> Issued:
        """The certificate of ``name``, made at the first call."""
        if name not in self.clients:
            self.clients[name] = issue_client(self.authority, self.directory / "clients", name)
        return self.clients[name]

    def settings(self, station: str, **changes: object) -> BrokerSettings:
        """What a station needs to connect; impatient, so that a test need not wait for a street's patience."""
        identity = self.client(station)
        values: dict[str, object] = {
            "host": "localhost",
            "port": self.mosquitto.port,
            "ca_file": self.authority.path,
            "cert_file": identity.certificate,
            "show": TlsKey(identity.key).show,
            "station": StationId(station),
            "area": self.areas.get(station, "vn"),
            "reconnect_base_s": 0.2,
            "reconnect_ceiling_s": 1.0,
        }
        return BrokerSettings(**{**values, **changes})  # type: ignore[arg-type]


@contextmanager
def running_broker(
    directory: Path, areas: dict[str, str], queued_messages_max: int = QUEUED_MESSAGES_MAX
) -> Iterator[Network]:
    """Run a broker for the stations in ``areas`` (id to area path) until the block ends."""
    authority = create_authority(directory / "ca", "test")
    server = issue_server(authority, directory / "server", "broker")
    setup = BrokerSetup(
        directory / "broker", authority.path, server, areas, [HEADEND], queued_messages_max=queued_messages_max
    )
    with Mosquitto(setup, free_port()) as mosquitto:
        yield Network(directory, authority, mosquitto, areas)
