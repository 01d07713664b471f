"""Every ms that a live source is asked for is one in which it is heard, or is about to be: its bytes are paid for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_agent.core.programme import Live
from edge_agent.core.units import SECOND_MS, ClipKey
from tests.soak.promises import Broken
from tests.ward.world import World

if TYPE_CHECKING:
    from tests.redteam.life import Life

IN_VAIN_MS = 27 * SECOND_MS
# It is asked for 15 s before it is to be heard (10.7), and nothing of it is heard more than 12 s late (10.8).
SLACK_MS = 2 * SECOND_MS
# Until an order to stop is obeyed.


def asked_for_to_be_heard(life: Life, station: str) -> None:
    """Raises ``Broken`` where one is open that nothing explains."""
    world = life.worlds[station]
    sources = {key: url for programme in life.ledger.programmes.values() for key, url in programme.sources().items()}
    for key, since, to in world.air.asked_for():
        at = since
        for begins, ends in sorted(_heard(world, key)):
            at = ends if begins <= at < ends else at
        if at < to and to - since > IN_VAIN_MS:
            raise Broken(
                "a_source_is_asked_for_to_be_heard",
                f"{station}: {sources.get(key, key)} is open from {since} to {to}, unexplained {at}",
            )


def _heard(world: World, key: ClipKey) -> Iterator[tuple[int, int]]:
    for run in world.runs:
        if any(isinstance(part, Live) and part.key == key for part in run.play.parts):
            yield run.begins - IN_VAIN_MS, run.ends + SLACK_MS
