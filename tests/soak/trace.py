"""Tell a life as a person would want to read it: what happened, what the station said, what moved and what sounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.sim import BEGAN, TIMEZONE
from tests.soak.life import Failure, Life
from tests.soak.script import Happening, Script
from tests.ward import World

Line = tuple[int, str]


def told(script: Script) -> str:
    """The trace of one life, a line for each thing, and what broke."""
    life = Life(script, keep_notes=True)
    failure = life.live()
    heading = f"{script.name}, {script.setting}"
    return "\n".join([heading, *in_order([*happened(script.happenings), *seen(life.world)]), *end(failure)])


def in_order(lines: Iterable[Line]) -> Iterator[str]:
    """By the wall clock."""
    for at, text in sorted(lines, key=lambda line: line[0]):
        yield f"{_clock(at)}  {text}"


def happened(happenings: Iterable[Happening]) -> Iterator[Line]:
    """What the script says."""
    for happening in happenings:
        yield happening.at_ms, f">> {happening}"


def seen(world: World, who: str = "") -> Iterator[Line]:
    """What a station said, what moved and what sounded; ``who`` it is, where there are several."""
    for at, note in world.notes:
        fields = " ".join(f"{name}={value}" for name, value in note.fields if value and name != "words")
        yield at, f"   {who}{note.what} {fields}"
    for zone, on, at in world.relays.moved:
        yield at, f"   {who}[{zone} {'closes' if on else 'opens'}]"
    for run in world.runs:
        for zone, start, stop in run.spans(world.mono):
            yield start, f"   {who}({run.play.play_id} into {zone} for {stop - start} ms)"


def end(failure: Failure | None) -> Iterator[str]:
    """What broke."""
    if failure is None:
        yield "everything held"
    else:
        yield f"{_clock(failure.at_ms)}  BROKEN {failure.name}"
        yield failure.told


def _clock(at_ms: int) -> str:
    wall = datetime.fromtimestamp((BEGAN + at_ms) / 1000, UTC).astimezone(ZoneInfo(TIMEZONE))
    return wall.strftime("%d/%m %H:%M:%S.") + f"{wall.microsecond // 1000:03d}"
