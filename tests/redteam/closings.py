"""Every ms of a closed relay belongs to a sound, to what was just about to sound, to a test, or to an order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_agent.core.units import SECOND_MS
from tests.redteam.heard import CLOCK_MS
from tests.redteam.papers import WARM_UP_MS
from tests.sim import BEGAN
from tests.soak.promises import Broken
from tests.ward.card import closed_spans

if TYPE_CHECKING:
    from tests.redteam.life import Life

TAIL_MS = 3 * SECOND_MS
# A relay that waits for its card: no first sample within 4 s, or no contact within 3 s, and it opens (8.5).
ARMED_MS = WARM_UP_MS + 4 * SECOND_MS + TAIL_MS
TEST_MS = 2 * SECOND_MS
# How long a self-test keeps a relay closed.


def close_for_an_order(life: Life, station: str) -> None:
    """Raises ``Broken`` where one is closed that nothing explains."""
    world = life.worlds[station]
    for zone in world.site.zones:
        explained = [*_reasons(life, station, zone)]
        for on, off in closed_spans(world.relays.driven, zone):
            at = on
            for since, until in sorted(explained):
                at = until if since <= at < until else at
            if (
                at < min(off, world.mono)
                and not _test(life, station, on, off)
                and not _armed(life, station, zone, on, off)
            ):
                raise Broken(
                    "relays_close_for_an_order", f"{station}: {zone} is closed from {on} to {off}, unexplained {at}"
                )


def _reasons(life: Life, station: str, zone: str) -> Iterator[tuple[int, int]]:
    world, memory = life.worlds[station], life.memories[station]
    for run in world.runs:
        if any(zone in routed for _, routed in run.routes):
            yield run.begins - ARMED_MS, run.ends + TAIL_MS
    for warm in life.ledger.of("amplifier"):
        for since, until in memory.known(warm.order_id):
            lasts_ms = 1_000 * warm.payload["do"]["for_s"] + SECOND_MS
            begins = [since, *(boot for boot in memory.boots if since <= boot < until)]
            if warm.is_for(station):
                yield from ((at - SECOND_MS, at + lasts_ms + TAIL_MS) for at in begins)


def _test(life: Life, station: str, on: int, off: float) -> bool:
    return off - on <= TEST_MS and any(
        test.is_for(station) and test.at_ms <= on <= test.payload["not_after"] - BEGAN + CLOCK_MS
        for test in life.ledger.of("self_test")
    )


def _armed(life: Life, station: str, zone: str, on: int, off: float) -> bool:
    """Whether it was about to sound, and did not: only for as long as a warm-up and the wait for a sample take."""
    return off - on <= ARMED_MS and any(
        programme.sounds_in(station, zone)
        and programme.validity[0] - CLOCK_MS <= BEGAN + on + lied_ms <= programme.validity[1] + CLOCK_MS
        for programme in life.ledger.programmes.values()
        for told, lied_ms in life.lies[station]
        if told <= on
    )
