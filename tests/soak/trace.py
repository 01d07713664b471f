"""Tell a life as a person would want to read it: what happened, what the station said, what moved and what sounded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.sim import BEGAN, TIMEZONE
from tests.soak.life import Failure, Life
from tests.soak.script import Script

Line = tuple[int, str]


def told(script: Script) -> str:
    """The trace of one life, a line for each thing, and what broke."""
    life = Life(script, keep_notes=True)
    failure = life.live()
    lines = sorted([*_happenings(script), *_said(life), *_moved(life), *_sounded(life)], key=lambda line: line[0])
    shown = [f"{script.name}, {script.setting}", *(f"{_clock(at)}  {text}" for at, text in lines), *_end(failure)]
    return "\n".join(shown)


def _happenings(script: Script) -> Iterator[Line]:
    for happening in script.happenings:
        yield happening.at_ms, f">> {happening}"


def _said(life: Life) -> Iterator[Line]:
    for at, note in life.world.notes:
        fields = " ".join(f"{name}={value}" for name, value in note.fields if value and name != "words")
        yield at, f"   {note.what} {fields}"


def _moved(life: Life) -> Iterator[Line]:
    for zone, on, at in life.world.relays.moved:
        yield at, f"   [{zone} {'closes' if on else 'opens'}]"


def _sounded(life: Life) -> Iterator[Line]:
    for run in life.world.runs:
        for zone, start, end in run.spans(life.world.mono):
            yield start, f"   ({run.play.play_id} into {zone} for {end - start} ms)"


def _end(failure: Failure | None) -> Iterator[str]:
    if failure is None:
        yield "everything held"
    else:
        yield f"{_clock(failure.at_ms)}  BROKEN {failure.name}"
        yield failure.told


def _clock(at_ms: int) -> str:
    wall = datetime.fromtimestamp((BEGAN + at_ms) / 1000, UTC).astimezone(ZoneInfo(TIMEZONE))
    return wall.strftime("%d/%m %H:%M:%S.") + f"{wall.microsecond // 1000:03d}"
