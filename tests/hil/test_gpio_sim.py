"""How the trace and the looks at a line are laid together: no change twice, none lost, none invented."""

from __future__ import annotations

import pytest

from tests.host.gpio_sim import LOOK_S, Level, changes

NEAR_MS = LOOK_S * 1000


def traced(at_ms: float, high: bool, line: int = 17) -> Level:
    return Level(line, high, at_ms, traced=True)


def looked(at_ms: float, high: bool, line: int = 17) -> Level:
    return Level(line, high, at_ms, traced=False)


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ([traced(1, True), traced(9, False)], [(1, True), (9, False)]),
        ([traced(1, True), looked(3, True), traced(4, True), traced(9, False)], [(1, True), (9, False)]),
        # The look began before the trace's instant and saw what came after it.
        ([looked(1, True), traced(1 + NEAR_MS / 2, True), traced(500, False)], [(1 + NEAR_MS / 2, True), (500, False)]),
        # Left to the kernel by a dead process: nothing is traced.
        ([traced(1, True), looked(300, False)], [(1, True), (300, False)]),
        # A blip between two looks.
        ([traced(1, True), traced(1.01, False), looked(20, False)], [(1, True), (1.01, False)]),
        ([looked(5, False), traced(6, False)], []),
    ],
)
def test_what_changed_is_kept_once(seen: list[Level], kept: list[tuple[float, bool]]) -> None:
    assert [(one.at_ms, one.high) for one in changes(seen, {17: False})] == kept


def test_a_line_that_rests_high_changes_when_it_falls() -> None:
    found = changes([traced(1, True), traced(2, False), traced(3, True)], {17: True})
    assert [(one.at_ms, one.high) for one in found] == [(2, False), (3, True)]


def test_lines_are_told_apart() -> None:
    found = changes([traced(1, True), traced(2, True, line=27), looked(400, False)], {17: False, 27: False})
    assert [(one.line, one.high) for one in found] == [(17, True), (27, True), (17, False)]
