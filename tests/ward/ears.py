"""How finely the street can be judged: what nobody hears, and which instants are night by arithmetic not ours."""

from __future__ import annotations

from edge_agent.core.units import DAY_MS, HOUR_MS
from tests.ward.timing import LINK_MS, NET_MS

EARS_MS = 3 * LINK_MS
# A route changes one message after the relay that it is about; nobody hears that.
CLOCK_MS = NET_MS + LINK_MS
# A welcome is as imprecise as half its round trip.
QUIET_FROM_MS, QUIET_LASTS_MS = 21 * HOUR_MS, 8 * HOUR_MS
EAST_MS = 7 * HOUR_MS
# The ward's nights by our own count: Vietnam has moved no clock since 1975.


def at_night(since: int, until: int) -> bool:
    """Whether anything of [since, until), in UTC ms, falls between 21:00 and 05:00 of the ward."""
    into_night = (since + EAST_MS - QUIET_FROM_MS) % DAY_MS
    return since < until and (into_night < QUIET_LASTS_MS or into_night + until - since > DAY_MS)
