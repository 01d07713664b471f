"""What a station believes, as far as the core must know it: which trust documents stand, until when. Shapes, a bound.

Whether a document is to be believed is decided in ``trust.chain``; what becomes of orders when that changes, in
``entrusted``.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class TrustStanding:
    """The documents that stand, the root first; none in a test that is not about them."""

    heads: tuple[TrustHead, ...] = ()

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
