"""Tell a campaign as a person would want to read it: what happened, what each station said, what moved and sounded."""

from __future__ import annotations

from collections.abc import Iterator

from tests.redteam.life import Life
from tests.redteam.script import Script
from tests.soak.trace import Line, _clock


def told(script: Script) -> str:
    """A line for each thing, and what sounded that should not have."""
    life = Life(script)
    for world in life.worlds.values():
        world.keep_notes = True
    failure = life.live()
    lines = sorted([*_happenings(script), *_seen(life)], key=lambda line: line[0])
    end = ["everything held"] if failure is None else [f"BROKEN {failure.name}", failure.told]
    return "\n".join([f"{script.name}, {script.setting}", *(f"{_clock(at)}  {text}" for at, text in lines), *end])


def _happenings(script: Script) -> Iterator[Line]:
    for happening in script.happenings:
        yield happening.at_ms, f">> {happening}"


def _seen(life: Life) -> Iterator[Line]:
    for station, world in life.worlds.items():
        for at, note in world.notes:
            fields = " ".join(f"{name}={value}" for name, value in note.fields if value and name != "words")
            yield at, f"   {station} {note.what} {fields}"
        for zone, on, at in world.relays.moved:
            yield at, f"   {station} [{zone} {'closes' if on else 'opens'}]"
        for run in world.runs:
            for zone, start, end in run.spans(world.mono):
                yield start, f"   {station} ({run.play.play_id} into {zone} for {end - start} ms)"
