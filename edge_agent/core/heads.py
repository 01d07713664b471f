"""What a central server says is in force: heads, manifests, and where a station stands with them. Shapes and bounds.

A *scope* is one station, or one area of its path; each has one manifest. The head is signed; the manifest itself is
proven by the head's digest. What follows from them is decided in ``manifests``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import HOUR_MS, JobId, MonoMs, UtcMs

HEAD_GOOD_MS = 26 * HOUR_MS
# A head is renewed every 12 h: two in a row are missing, and a night's work on the server is no reason.
HEAD_BYTES_MAX = 2_048
# The longest head there is, in base64 and signed by four keys; a server has one.
MANIFEST_BYTES_MAX = 128 * 1_024
MANIFEST_ORDERS_MAX = 350
# With the longest ids they fill it; a station holds 200 jobs, and some 60 rules of a ward.
MANIFEST_TRUST_MAX = 64
# A province, a ward, and every version of the root: as in a trust file.


@dataclass(frozen=True, slots=True)
class Head:
    """The signed word that a manifest is the newest of its scope: which bytes it has (``digest``, ``length``)."""

    scope: str
    epoch: int
    counter: int
    issued_at: UtcMs
    digest: str
    length: int

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among those of its scope: what is greater is newer."""
        return self.epoch, self.counter


@dataclass(frozen=True, slots=True)
class Paper:
    """Bytes that lie on the content server by their SHA-256 (``envelope``): the signed envelope of an order."""

    envelope: str
    length: int


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order in force; ``digest`` is that of what was signed (the PAE)."""

    digest: str
    order_id: JobId
    not_after: UtcMs
    paper: Paper


@dataclass(frozen=True, slots=True)
class ListedTrust:
    """A trust document of the scope's path."""

    area: str
    epoch: int
    version: int
    paper: Paper


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in force in a scope. ``upto``: the last serial of each issuer that it knows of; later ones are newer."""

    scope: str
    epoch: int
    counter: int
    upto: Mapping[str, int]
    orders: tuple[ListedOrder, ...]
    trust: tuple[ListedTrust, ...]
    digests: frozenset[str] = frozenset()
    """Of ``orders``, to be looked up."""

    @property
    def papers(self) -> frozenset[str]:
        """The SHA-256 of everything that it lists."""
        return frozenset({one.paper.envelope for one in self.orders} | {one.paper.envelope for one in self.trust})


@dataclass(frozen=True, slots=True)
class Kept:
    """A manifest that was read whole, and its head; ``envelope`` is the head as it came."""

    head: Head
    envelope: bytes
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Wanted:
    """A newer head whose manifest is still to be had; ``envelope`` is the head as it came."""

    head: Head
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Home:
    """Where a station stands with the server that keeps its manifests. Times are boot times; None: not planned.

    ``under_way`` is the SHA-256 of what is being fetched, or ``root/`` and a version; ``missed`` what could not be had
    the last time, and why: ``given_up`` is not asked for again in this hour, ``put_off`` (by the line, or the disk) not
    at this look.
    ``tried`` was fetched and judged since the last newer manifest; ``trouble`` is what is wrong with a scope's head;
    ``stale`` the scopes whose head was told to be old. Of the hour's bytes (``spent.Papers``) ``asked_bytes`` are for
    what is under way; ``fresh`` has come to be listed in this hour.
    """

    kept: Mapping[str, Kept] = field(default_factory=dict)
    wanted: Mapping[str, Wanted] = field(default_factory=dict)
    trouble: Mapping[str, Reason] = field(default_factory=dict)
    missed: Mapping[str, Reason] = field(default_factory=dict)
    given_up: frozenset[str] = frozenset()
    put_off: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    asking: bool = False
    under_way: str = ""
    asked_bytes: int = 0
    asked_at: MonoMs | None = None
    soon_at: MonoMs | None = None


NO_HOME = Home()


@dataclass(frozen=True, slots=True)
class ScopeStatus:
    """What a station says of one scope: the manifest it holds (0, 0: none), and how many listed orders it lacks."""

    scope: str
    epoch: int
    counter: int
    issued_at: UtcMs
    lacking: int
    reason: Reason | None


def station_scope(station: str) -> str:
    """What the manifest of one station is called."""
    return f"station/{station}"


def area_scope(area: str) -> str:
    """What the manifest of an area is called."""
    return f"area/{area}"


def scopes_of(site: Site) -> tuple[str, ...]:
    """A station's: its own, and each area that it lies in, from the country down."""
    areas = sorted(site.areas(), key=lambda area: area.count("/"))
    return (station_scope(site.station), *map(area_scope, areas))
