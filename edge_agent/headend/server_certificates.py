"""Keep the certificates of the network's own servers from ending: which there are, which end soon, and new ones.

Decides when each is due. Stations renew theirs by themselves; on the day on which the broker's ends every station of
the ward is off the network, however well it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.core.units import DAY_MS, SECOND_MS, UtcMs
from edge_agent.headend import pki
from edge_agent.headend.files import alone
from edge_agent.headend.keyring import HEADEND_ID, PUBLISHER_ID
from edge_agent.headend.pki import Issued
from edge_agent.identity.certificate import read_certificate

BROKER, CONTENT, AUTHORITY = "broker", "content", "ca"
OF_SERVERS = BROKER, CONTENT
OF_CLIENTS = HEADEND_ID, PUBLISHER_ID
ALL = *OF_SERVERS, *OF_CLIENTS, AUTHORITY
DUE_MS = pki.LEAF_DAYS // 3 * DAY_MS
# As stations renew theirs; not by its whole life, which is longer each time.
SOON_MS = 60 * DAY_MS
# What was due long ago and is not renewed, somebody must look at: a letter, Tết, and a visit.
AUTHORITY_DUE_MS = pki.LEAF_DAYS * DAY_MS
# So that none that it signs is cut short by its end. Every station that comes by has the new one by then, with its own
# next certificate, which it asks for within 550 days.
AUTHORITY_SOON_MS = 365 * DAY_MS
# By then each station must have had its chance.


@dataclass(frozen=True, slots=True)
class Held:
    """One that lies here: by which names its server is believed (none of a client or the authority), until when."""

    name: str
    issued: Issued
    hosts: tuple[str, ...]
    ends: UtcMs

    def is_due(self, now: UtcMs) -> bool:
        """Whether a new one is wanted."""
        return self.ends - now < (AUTHORITY_DUE_MS if self.name == AUTHORITY else DUE_MS)

    def ends_soon(self, now: UtcMs) -> bool:
        """Whether somebody should know."""
        return self.ends - now < (AUTHORITY_SOON_MS if self.name == AUTHORITY else SOON_MS)


def find(directory: Path, name: str) -> Held | None:
    """That of this name in the folder of a network, or in what was copied of it; None where it is not there."""
    issued = _place(directory, name)
    if not issued.certificate.exists():
        return None
    try:
        found = read_certificate(issued.certificate.read_bytes())
    except ValueError as error:
        raise pki.PkiError(f"{issued.certificate}: {pki.DAMAGED}") from error
    return Held(name, issued, pki.names_in(issued.certificate) if name in OF_SERVERS else (), found.ends)


def renew(directory: Path, name: str, now: UtcMs, hosts: Sequence[str] = ()) -> Held | None:
    """A new one for that of a server, which names ``hosts`` too, of a client, or of the authority; None where there is
    none here."""
    if name == AUTHORITY:
        return _anew(directory, name, lambda *_: pki.renew_authority(directory / "pki", _date(now)))
    named = hosts if name in OF_SERVERS else ()
    return _anew(directory, name, lambda authority, issued: pki.renew(authority, issued, named, _date(now)))


def replace(directory: Path, name: str, now: UtcMs) -> Held | None:
    """For a client whose key is in other hands: another key. The old one connects no more; None where there is none."""
    assert name in OF_CLIENTS, "stations believe whatever key the authority has signed for a server's name"
    return _anew(directory, name, lambda authority, issued: pki.replace(authority, issued, _date(now)))


def renew_due(directory: Path, name: str, now: UtcMs) -> Held | None:
    """The same when it is due; None where it is not, or ends with the authority, and nothing is to be gained."""
    one, authority = find(directory, name), find(directory, AUTHORITY)
    if one is None or authority is None or not one.is_due(now):
        return None
    return renew(directory, name, now) if name == AUTHORITY or one.ends < authority.ends else None


def _anew(directory: Path, name: str, do: Callable[[pki.Authority, Issued], None]) -> Held | None:
    authority = pki.load_authority(directory / "pki")
    with alone(directory / "pki" / "renewal.lock"):  # of two who add a name at once one would lose the other's
        one = find(directory, name)
        if one is not None:
            do(authority, one.issued)
    return find(directory, name)


def _date(now: UtcMs) -> datetime:
    return datetime.fromtimestamp(now / SECOND_MS, UTC)


def _place(directory: Path, name: str) -> Issued:
    folder = directory / ("clients" if name in OF_CLIENTS else "pki")
    return Issued(folder / f"{name}.pem", folder / f"{name}.key")
