"""What a server shows to whoever connects, for tests of renewed certificates."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from edge_agent.headend.pki import Issued
from tests.headend.mqtt_client import TIMEOUT_S


def names_shown(port: int, authority: Path, client: Issued | None = None) -> tuple[str, ...]:
    """The names in the certificate that it shows now; ``client`` is what it is shown itself."""
    tls = ssl.create_default_context(cafile=authority)
    if client is not None:
        tls.load_cert_chain(client.certificate, client.key)
    with socket.create_connection(("localhost", port), TIMEOUT_S) as plain:
        line = tls.wrap_socket(plain, server_hostname="localhost")
        told = line.getpeercert()
        line.close()
    assert told is not None
    return tuple(name for _, name in told["subjectAltName"])


def is_taken_back(port: int, authority: Path, identity: Issued) -> bool:
    """Whether the broker says so to whoever shows this; TLS 1.3 tells a client when it reads."""
    tls = ssl.create_default_context(cafile=authority)
    tls.load_cert_chain(identity.certificate, identity.key)
    with socket.create_connection(("localhost", port), TIMEOUT_S) as plain:
        line = tls.wrap_socket(plain, server_hostname="localhost")
        line.settimeout(1)
        try:
            line.recv(1)
        except TimeoutError:
            return False  # it waits for a greeting
        except ssl.SSLError as error:
            return "revoked" in str(error)
        return False
