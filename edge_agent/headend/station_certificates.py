"""Know which certificates of a station may still be shown at the broker, and take back what has fallen out of that.

Those that it was given for keys of its own are kept in ``issued``, the newest first; one may have been carried to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.core.units import StationId
from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.files import alone, make_private_directory
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.pki import certificates_in, revoke

KEPT_MAX = 16
# Of one station: at two years each the older ones have ended long ago. Where they have not, somebody who has its
# signing key asked for many, and the oldest is taken back.


def alone_with_them(keyring: Keyring) -> AbstractContextManager[None]:
    """For whoever reads, changes and writes them: nobody else does meanwhile, in no other process."""
    return alone(keyring.directory / "registrar.lock")


def issued(keyring: Keyring, station: StationId) -> Path:
    """Where those lie that it was given."""
    return keyring.directory / "issued" / f"{station}.pem"


def known(keyring: Keyring, station: StationId) -> list[bytes]:
    """Every certificate (DER) that may still be shown, the newest first; also one that was carried to the station."""
    there = [path for path in (issued(keyring, station), keyring.folder(station).tls.certificate) if path.exists()]
    # The one that was carried is among those that were given once the station has renewed it.
    return list(dict.fromkeys(one.public_bytes(Encoding.DER) for path in there for one in certificates_in(path)))


def keep(keyring: Keyring, station: StationId, certificates: Sequence[bytes]) -> None:
    """Write down these, the newest first."""
    path = issued(keyring, station)
    make_private_directory(path.parent)
    each = [x509.load_der_x509_certificate(der) for der in dict.fromkeys(certificates)]
    # Before it is written without them: what is written nowhere could not be taken back from a thief later.
    revoke(keyring.directory / "pki", each[KEPT_MAX:])
    kept = b"".join(one.public_bytes(Encoding.PEM) for one in each[:KEPT_MAX])
    if not path.exists() or path.read_bytes() != kept:  # a station may ask as often as it likes
        write_durably(path, kept, EVERYBODY_READS)


def take_back(keyring: Keyring, certificates: Sequence[bytes]) -> None:
    """Have the broker turn these away."""
    revoke(keyring.directory / "pki", [x509.load_der_x509_certificate(der) for der in certificates])
