"""Tell a campaign as a person would want to read it: what happened, what each station said, what moved and sounded."""

from __future__ import annotations

from tests.redteam.life import Life
from tests.redteam.script import Script
from tests.soak.trace import end, happened, in_order, seen


def told(script: Script) -> str:
    """A line for each thing, and what sounded that should not have."""
    life = Life(script)
    for world in life.worlds.values():
        world.keep_notes = True
    failure = life.live()
    lines = [*happened(script.happenings)]
    for station, world in life.worlds.items():
        lines += seen(world, f"{station} ")
    return "\n".join([f"{script.name}, {script.setting}", *in_order(lines), *end(failure)])
