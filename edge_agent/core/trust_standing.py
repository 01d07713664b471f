"""What a station believes, as far as the core must know it: which trust documents stand, until when. Shapes, a bound.

Whether a document is to be believed is decided in ``trust.chain``; what becomes of orders when that changes, in
``entrusted``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.core.units import DAY_MS, UtcMs

TRUST_GRACE_MS = 30 * DAY_MS
# How long ordinary broadcasts go on after the first document has expired: a month to hold a ceremony, in plain alarm.


ROOT_AREA = ""
"""The root's: above every area."""


@dataclass(frozen=True, slots=True)
class TrustHead:
    """The newest document of one area ("": the root's). Versions count within an ``epoch`` of whoever signs them."""

    area: str
    epoch: int
    version: int
    expires: UtcMs
    issued_at: UtcMs = UtcMs(0)


@dataclass(frozen=True, slots=True)
class TrustVersion:
    """A document as a server names it: the newest that it knows of an area."""

    area: str
    epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class TrustStanding:
    """The documents that stand, the root first; none in a test that is not about them."""

    heads: tuple[TrustHead, ...] = ()

    def lacks(self, named: Iterable[TrustVersion]) -> tuple[str, ...]:
        """The areas of which a newer document is named than stands here."""
        have = {head.area: (head.epoch, head.version) for head in self.heads}
        return tuple(one.area for one in named if have.get(one.area, (0, 0)) < (one.epoch, one.version))

    def floor(self, signed: UtcMs) -> UtcMs:
        """Before which it cannot be now, if ``signed`` is the last signed time: documents were issued since, perhaps.

        Never later than the root's own end, or one wrong welcome would make every clock unbelievable for ever.
        """
        return self.within_root(max([signed, *(head.issued_at for head in self.heads)]))

    def within_root(self, utc: UtcMs) -> UtcMs:
        """``utc``, or the root's own end if that is earlier."""
        return min([utc, *(head.expires for head in self.heads if head.area == ROOT_AREA)])

    def passed(self, now: UtcMs) -> UtcMs:
        """The time that has certainly passed at ``now``: that at which the newest document was signed.

        By it, and by no server's word alone, things are forgotten for good: documents are signed anew every 90 days, by
        keys that lie on no server. Where nothing stands, ``now``.
        """
        return min([now, *([max(head.issued_at for head in self.heads)] if self.heads else [])])

    @property
    def expires(self) -> UtcMs | None:
        """When the first of them does."""
        return min((head.expires for head in self.heads), default=None)

    @property
    def routine_until(self) -> UtcMs | None:
        """How long ordinary broadcasts go on if no new document comes."""
        return None if self.expires is None else UtcMs(self.expires + TRUST_GRACE_MS)


NOTHING_STANDS = TrustStanding()


@dataclass(frozen=True, slots=True)
class AcceptedTrust:
    """A trust document that is to be believed; ``again``: it is already."""

    digest: str
    area: str
    issued_at: UtcMs
    again: bool = False
