"""Only what has left the card counts, and only for the zones that it was for."""

from __future__ import annotations

from edge_agent.audio.ledger import Ledger
from edge_agent.core.units import ZoneId

A, B = ZoneId("a"), ZoneId("b")


def test_what_is_only_written_does_not_count() -> None:
    ledger = Ledger(48_000)
    ledger.wrote(0, 4_800, {A})
    assert (ledger.frames, ledger.zone_ms()) == (0, {})


def test_a_part_that_left_counts_as_that_part() -> None:
    ledger = Ledger(48_000)
    ledger.wrote(1_000, 4_800, {A})
    ledger.left(1_000)
    assert ledger.frames == 0
    ledger.left(1_480)
    assert ledger.zone_ms() == {A: 10}
    ledger.left(1_480)
    ledger.left(99_999)
    assert (ledger.frames, ledger.zone_ms()) == (4_800, {A: 100})


def test_each_zone_counts_its_own_and_the_play_counts_frames_once() -> None:
    ledger = Ledger(48_000)
    ledger.wrote(0, 480, {A, B})
    ledger.wrote(480, 480, {B})
    ledger.left(960)
    assert (ledger.frames, ledger.zone_ms()) == (960, {A: 10, B: 20})


def test_what_no_zone_heard_does_not_count() -> None:
    ledger = Ledger(48_000)
    ledger.wrote(0, 480, ())
    ledger.left(480)
    assert (ledger.frames, ledger.zone_ms()) == (0, {})


def test_rounding_does_not_add_up() -> None:
    ledger = Ledger(48_000)
    for frame in range(0, 4_800, 47):
        ledger.wrote(frame, 47, {A})
    ledger.left(10_000)
    assert ledger.zone_ms() == {A: 103 * 47 * 1_000 // 48_000}
