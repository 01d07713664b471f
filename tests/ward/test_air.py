"""How long a live source may be open and not heard: until then its bytes were asked for in order to hear it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.core.effects import CloseLive, OpenLive, StartPlay
from edge_agent.core.programme import Live
from edge_agent.core.units import ClipKey, MonoMs
from tests.sim import BEGAN
from tests.ward.air import Air
from tests.ward.card import Run

SOURCE = ClipKey("dai")


def in_vain(opened_s: int, closed_s: int, *heard: tuple[int, int, int]) -> list[str]:
    """What is told of a source that was open for so long, by (planned, begun, ended) of what relayed it."""
    world: Any = SimpleNamespace(mono=0, began=BEGAN, runs=[], headend=SimpleNamespace(names={}))
    air = Air(world)
    for planned_s, begun_s, ended_s in heard:
        parts = (Live(SOURCE, 1_000 * (ended_s - begun_s)),)
        play = StartPlay(f"thoi-su.{BEGAN + 1_000 * planned_s}.1", parts, (), MonoMs(0))
        world.runs.append(Run(play, 1_000 * begun_s, [], air))
    world.mono = 1_000 * opened_s
    air.order(OpenLive(SOURCE, ("https://live.test/dai.mp3",)))
    world.mono = 1_000 * closed_s
    air.order(CloseLive(SOURCE))
    return [*air.in_vain()]


@pytest.mark.parametrize(
    ("opened_s", "closed_s", "heard"),
    [
        (0, 40, [(15, 15, 40)]),
        (0, 60, [(15, 29, 60)]),  # a warning came when it was about to begin, and ended 14 s later
        (0, 45, [(10, 10, 32)]),  # and was kept open for a second programme, which its zones were not free for
        (0, 25, []),  # what it was opened for was taken back
    ],
    ids=["on time", "a warning before it", "another one that misses", "taken back"],
)
def test_it_is_open_for_what_is_heard_or_was_about_to_be(
    opened_s: int, closed_s: int, heard: list[tuple[int, int, int]]
) -> None:
    assert in_vain(opened_s, closed_s, *heard) == []


@pytest.mark.parametrize(
    ("opened_s", "closed_s", "heard", "since_s"),
    [
        (0, 60, [(40, 40, 60)], 0),
        (0, 70, [(15, 45, 70)], 15),
        (0, 70, [(15, 15, 40)], 40),
        (0, 40, [], 0),
    ],
    ids=["too early", "through a long warning", "left open", "for nothing"],
)
def test_what_is_open_for_longer_is_told(
    opened_s: int, closed_s: int, heard: list[tuple[int, int, int]], since_s: int
) -> None:
    (told,) = in_vain(opened_s, closed_s, *heard)
    assert told == f"dai is open from {1_000 * opened_s} to {1_000 * closed_s}, and not heard from {1_000 * since_s} on"
