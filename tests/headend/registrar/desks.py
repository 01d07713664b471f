"""Where codes are given out and boxes ask for certificates, for the tests of who is given one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge_agent.clock import system_utc_ms
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.code_book import CodeBook
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.registrar import Refused, Registrar
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress
from edge_agent.identity import messages
from edge_agent.identity.codes import Code
from edge_agent.identity.messages import Given, Refusal
from edge_agent.trust.keys import Ed25519Signer, new_signer

REALM, AREA, STATION = "test", "vn/ha-noi/dong-thanh", "dt-01"
NOW = UtcMs(system_utc_ms())
NONCE = "0" * 32


@dataclass
class Desk:
    keyring: Keyring
    registrar: Registrar

    def code(self, station: str = STATION, now: UtcMs = NOW) -> Code:
        return CodeBook(self.keyring.directory).give_out(StationId(station), AREA, "Trạm 1", now)

    @property
    def keyids(self) -> dict[str, str]:
        self.keyring.refresh()
        return {station: enrolled.key.keyid for station, enrolled in self.keyring.stations.items()}


def desk_in(folder: Path) -> Desk:
    keyring = create_keyring(folder / "ward", REALM, default_roles(AREA, 1), NOW)
    return Desk(keyring, Registrar(Keyring(keyring.directory), BrokerAddress("mqtt.example.vn", 8883)))


@dataclass
class Box:
    """What a box asks with."""

    signer: Ed25519Signer
    tls: ec.EllipticCurvePrivateKey

    def csr(self, *names: str) -> bytes:
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names if name])
        made = x509.CertificateSigningRequestBuilder(named).sign(self.tls, hashes.SHA256())
        return made.public_bytes(Encoding.DER)

    def asks(self, code: Code, csr: bytes | None = None) -> tuple[bytes, str]:
        return messages.enrol_request(code, code.key(), self.signer, csr or self.csr(), NONCE)

    def renews(self, station: str = STATION, realm: str = REALM, name: str | None = None) -> bytes:
        csr = self.csr(station if name is None else name)
        return messages.renew_request(realm, station, self.signer, csr, NONCE)[0]


def new_box() -> Box:
    return Box(new_signer(), ec.generate_private_key(ec.SECP256R1()))


def enrol(desk: Desk, box: Box, code: Code, now: UtcMs = NOW) -> Given:
    body, digest = box.asks(code)
    return messages.read_enrol_answer(desk.registrar.enrol(body, now).body, code.key(), digest)


def assert_refused(reason: Refusal, ask: Callable[[], object]) -> None:
    with pytest.raises(Refused) as caught:
        ask()
    assert caught.value.reason is reason


def with_another_tls_key(box: Box) -> Box:
    return Box(box.signer, ec.generate_private_key(ec.SECP256R1()))


def renewed(desk: Desk, body: bytes, now: UtcMs) -> bytes:
    answer = desk.registrar.renew(body, now).body
    return messages.read_renew_answer(answer, json.loads(answer)["request"]).certificate


def revoked(desk: Desk) -> set[int]:
    listed = x509.load_pem_x509_crl(desk.keyring.revoked_path.read_bytes())
    return {one.serial_number for one in listed}
