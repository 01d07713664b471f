"""Write the orders that a run needs, good ones and wrong ones, signed by the ward's own keys. Sends nothing.

A silent order is one that a station must take and can never sound: its only clip has a digest that no file has. So
most of the kit can be run beside people, and by night.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.core.events import Rejected
from edge_agent.core.job import JobClass
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs
from edge_agent.core.wall_time import in_hours, local_time
from edge_agent.headend.conform.content import particulars
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.keyring import Keyring
from edge_agent.trust.commands import What
from edge_agent.trust.envelope import open_envelope, pae, payload_type, sign
from edge_agent.trust.keys import Signer
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import JobGrant, Role
from edge_agent.trust.strict_json import dump

SOON_MS = 5 * SECOND_MS
# Until a silent order is due: long enough to be shown as coming, short enough to wait for its record.
VALID_MS = 5 * MINUTE_MS
QUARTER_MS = 15 * MINUTE_MS
COMMAND_MS = MINUTE_MS
# Half of what a command may be valid for: clocks may be apart, and nobody is to obey it later.
BEFORE_MS = 5 * SECOND_MS
# An honest station's clock may be behind ours, by what a welcome may take (docs/protocol.md, 7): by its time an order
# "from now on" would still be to come, and a timetable that had to wait is accepted a second time (5.4).
NOWHERE = "https://unreachable.invalid/clip/"
# A name that is never given out (RFC 6761), for stations that reach no content server of the kit.
NOBODY = "khong-co"
# A name that no station, zone, issuer or level has.
EVENT = "kiem-thu"
LOUD_ENOUGH = 10
# What an audible trial asks for, of 100.


@dataclass(frozen=True, slots=True)
class Rules:
    """What the station was told and the broker does not show: its time zone, its ward's quiet hours, and whether a
    programme that would run into them is cut there (``into_quiet``)."""

    timezone: ZoneInfo
    quiet: tuple[time, time] | None
    cut: bool = False

    def are_quiet(self, at: int, duration_ms: int = MINUTE_MS) -> bool:
        """Whether sound from ``at`` on would touch the quiet hours."""
        return self.quiet is not None and in_hours(self.quiet, self.timezone.key, UtcMs(at), duration_ms)

    def local(self, at: int) -> datetime:
        """The station's wall time of an instant."""
        return local_time(UtcMs(at), self.timezone.key)

    def next_at(self, wall: time, after: int) -> UtcMs:
        """The next instant later than ``after`` at which the station's clock shows ``wall``."""
        day = self.local(after).date()
        instants = [datetime.combine(day + timedelta(days=n), wall, self.timezone).timestamp() for n in range(3)]
        return UtcMs(next(round(at * SECOND_MS) for at in instants if at * SECOND_MS > after))


@dataclass(frozen=True, slots=True)
class Pen:
    """A role of the trust file, and those of its keys that lie in the ward's directory."""

    role: Role
    signers: tuple[Signer, ...]

    @property
    def enough(self) -> tuple[Signer, ...]:
        """As many as the role needs."""
        return self.signers[: self.role.threshold]


@dataclass(frozen=True, slots=True)
class Order:
    """An envelope, what it says, and the identity that an answer must name. ``readable`` False: no station may read
    it so far, and the answer names nothing."""

    envelope: bytes
    digest: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    readable: bool = True

    def spoilt(self, spoil: Callable[[bytes], bytes], *, readable: bool = False) -> Order:
        """The same order in another envelope."""
        return replace(self, envelope=spoil(self.envelope), readable=readable)

    @property
    def job_id(self) -> str:
        """Its id; what is no job calls it ``order_id``."""
        return str(self.payload.get("job_id", self.payload.get("order_id", "")))


@dataclass(slots=True)
class Orders:
    """Writes for one station. ``now`` is the kit's clock."""

    keyring: Keyring
    station: Enrolled
    rules: Rules
    now: Callable[[], UtcMs]
    nowhere: str = NOWHERE
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _count: int = 0

    def pens(self) -> list[Pen]:
        """Every role that may order sound here and has enough keys at hand, fewest signatures and the ward's first."""
        return self._pens(OrderType.JOB)

    def _pens(self, kind: OrderType) -> list[Pen]:
        downward = self.keyring.trust.roles  # from the root's document to the ward's
        made = [Pen(role, self._signers(role)) for role in reversed(downward) if self._reaches(role, kind)]
        return sorted((pen for pen in made if pen.signers), key=lambda pen: pen.role.threshold)

    def pen(self, cls: JobClass = JobClass.NORMAL) -> Pen:
        """The pen for a class, its limits as wide as can be had; what is only offered waits for the commune."""
        limits = [(pen, _grant(pen.role).limits) for pen in self.pens()]
        able = [pen for pen, its in limits if cls in its.classes and cls not in its.offered]
        full = [pen for pen in able if len(pen.signers) >= pen.role.threshold]
        if not full:
            raise CannotTry(f"no role for {cls.value} orders has enough keys in the ward's directory")
        return min(full, key=lambda pen: (bool(_grant(pen.role).limits.hours), pen.role.threshold))

    def desk(self, what: What, issuer: str = "") -> Pen:
        """Who may command that in an issuer's name; without one in that in which silent orders are given."""
        issuer = issuer or _grant(self.pen().role).issuer
        pens = [pen for pen in self._pens(OrderType.COMMAND) if what in _grant(pen.role).limits.commands]
        return self._full(f"command {what.value}", [pen for pen in pens if _grant(pen.role).issuer == issuer])

    def owner(self) -> Pen:
        """Who lays down the ward's policy."""
        return self._full("lay down the policy", self._pens(OrderType.REGULATION))

    def _full(self, what: str, pens: Sequence[Pen]) -> Pen:
        for pen in pens:
            if len(pen.signers) >= pen.role.threshold:
                return pen
        raise CannotTry(f"no role that may {what} here has enough keys in the ward's directory")

    def rule(self, kind: OrderType, pen: Pen, valid_ms: int, /, **own: Any) -> Order:
        """An order that is no job, for this station alone; ``own`` is what its kind has, or replaces in its heading."""
        now, grant = self.now(), _grant(pen.role)
        self._count += 1
        given: dict[str, Any] = {
            "realm": self.keyring.realm,
            "type": kind.value,
            "order_id": f"{grant.issuer[:40]}-conform-{self._run}-{self._count}",
            "issuer": grant.issuer,
            "level": grant.level,
            "key_epoch": 0,
            "serial": self.keyring.serials.next(grant.issuer, now),
            "issued_at": now,
            "not_before": now - BEFORE_MS,
            "not_after": now - BEFORE_MS + valid_ms,
            "audience": {"stations": [str(self.station.station)]},
        }
        return self.signed(given | own, pen.enough, kind.value)

    def command(self, what: What, *, issuer: str = "", valid_ms: int = COMMAND_MS, **more: Any) -> Order:
        """Something to be done at once."""
        return self.rule(OrderType.COMMAND, self.desk(what, issuer), valid_ms, do={"what": what.value, **more})

    def payload(self, pen: Pen, **over: Any) -> dict[str, Any]:
        """A whole silent order for soon, for this station, as ``pen``'s role may give it; ``over`` replaces fields."""
        now, grant = self.now(), _grant(pen.role)
        due = over.pop("due", None) or self.due()
        self._count += 1
        given: dict[str, Any] = {
            "realm": self.keyring.realm,
            "type": "job",
            "job_id": f"{grant.issuer[:40]}-conform-{self._run}-{self._count}",
            "issuer": grant.issuer,
            "level": grant.level,
            "key_epoch": 0,
            "serial": self.keyring.serials.next(grant.issuer, now),
            "issued_at": now,
            "not_before": now - BEFORE_MS,
            "not_after": due + VALID_MS,
            "audience": {"stations": [str(self.station.station)], "areas": [], "zones": []},
            "class": JobClass.NORMAL.value,
            "when": {"kind": "at", "utc": due},
            "items": [self.nothing()],
            "volume": LOUD_ENOUGH,
            "missed": {"policy": "skip"},
        }
        return given | over

    def normal(self, **over: Any) -> Order:
        """A silent normal order."""
        pen = self.pen()
        return self.signed(self.payload(pen, **over), pen.enough)

    def for_nobody(self) -> Order:
        """An authentic order that is not for this station: refused, and recorded."""
        return self.normal(audience={"stations": [NOBODY], "areas": [], "zones": []})

    def emergency(self, **over: Any) -> Order:
        """An emergency whose only clip nobody has, so that it waits for its sound until it is void."""
        return self.signed(self.emergency_payload(**over), self.pen(JobClass.EMERGENCY).enough)

    def emergency_payload(self, **over: Any) -> dict[str, Any]:
        """The same, unsigned, of an event that its role may warn of."""
        now, pen = self.now(), self.pen(JobClass.EMERGENCY)
        event = min(_grant(pen.role).limits.events, default=EVENT)
        given = {"class": "emergency", "event": event, "when": {"kind": "now"}, "not_after": now + MINUTE_MS}
        return self.payload(pen, **(given | over))

    def signed(self, payload: Mapping[str, Any], signers: Sequence[Signer], kind: str = "job") -> Order:
        """The envelope around a payload, by whoever is given."""
        return self.sealed(dump(payload), signers, payload_type(kind), payload)

    def sealed(
        self, content: bytes, signers: Sequence[Signer], kind: str, payload: Mapping[str, Any] | None = None
    ) -> Order:
        """The envelope around any bytes, also such as are no payload."""
        return Order(sign(kind, content, signers), identity(kind, content), payload or {})

    def nothing(self, duration_ms: int = SECOND_MS, **over: Any) -> dict[str, Any]:
        """An item that cannot sound: its digest is drawn by lot, so there is no such file anywhere."""
        digest = secrets.token_hex(32)
        clip = {"kind": "clip", "digest": digest, "length": 1_000, "duration_ms": duration_ms, "codec": "wav"}
        return {**particulars("Lệnh kiểm thử, không có tiếng"), **clip, "urls": [self.nowhere + digest], **over}

    def due(self, after_ms: int = SOON_MS) -> UtcMs:
        """Soon; from within the quiet hours an hour after their end."""
        soon = UtcMs(self.now() + after_ms)
        if self.rules.quiet is None or not self.rules.are_quiet(soon):
            return soon
        return UtcMs(self.rules.next_at(self.rules.quiet[1], soon) + HOUR_MS)

    def by_day(self) -> None:
        """For what must be due soon. Raises CannotTry within the quiet hours."""
        if self.rules.are_quiet(self.now(), QUARTER_MS):
            raise CannotTry("it is within the station's quiet hours: run this by day")

    def night(self) -> UtcMs:
        """The next beginning of the quiet hours, at least some minutes away."""
        if self.rules.quiet is None:
            raise CannotTry("the station has no quiet hours (--quiet)")
        return self.rules.next_at(self.rules.quiet[0], self.now() + QUARTER_MS)

    def outside(self, role: Role) -> UtcMs:
        """The next instant outside the role's hours that is no quiet hour, so that only its hours forbid it."""
        windows = _grant(role).limits.hours
        for step in range(1, DAY_MS // QUARTER_MS):
            at = UtcMs(self.now() + step * QUARTER_MS)
            wall = self.rules.local(at).time()
            if not any(_within(wall, first, end) for first, end in windows) and not self.rules.are_quiet(at):
                return at
        raise CannotTry(f"the hours of role {role.name} leave out only the quiet hours")

    def _reaches(self, role: Role, kind: OrderType) -> bool:
        here = self.station.area
        areas = role.grant.limits.areas if role.grant is not None and kind in role.orders else ()
        return any(here == area or here.startswith(f"{area}/") for area in areas)

    def _signers(self, role: Role) -> tuple[Signer, ...]:
        keys = self.keyring.keys
        return tuple(keys.signer(name) for name in keys.names() if keys.key(name).public in role.keys)


def rule(orders: Orders, at: int, **over: Any) -> dict[str, Any]:
    """A timetable of one instant: the second of ``at`` by the station's clock, on that day only."""
    local = orders.rules.local(at)
    given: dict[str, Any] = {
        "kind": "rule",
        "timezone": orders.rules.timezone.key,
        "first_day": local.date().isoformat(),
        "last_day": local.date().isoformat(),
        "weekdays": [local.isoweekday()],
        "times": [local.strftime("%H:%M:%S")],
    }
    return given | over


def identity(kind: str, content: bytes) -> str:
    """The SHA-256 of the PAE: what an answer and a record call the message."""
    return hashlib.sha256(pae(kind, content)).hexdigest()


def digest_of(envelope: bytes) -> str:
    """The identity of an envelope that was made here."""
    opened = open_envelope(envelope)
    assert not isinstance(opened, Rejected), "it was just made"
    return opened.digest


def _grant(role: Role) -> JobGrant:
    assert role.grant is not None, "only roles that may order sound become pens"
    return role.grant


def _within(wall: time, first: time, end: time) -> bool:
    return first <= wall < end if first < end else wall >= first or wall < end
