"""What wakes the loop, and what waits there for it."""

from __future__ import annotations

import queue

import pytest

from edge_agent.core.events import (
    PlayEnded,
    PlayProgress,
)
from edge_agent.core.units import MonoMs
from edge_agent.device.wake import REPORTS_MAX, Inlet
from tests.device.bench import P


def test_reports_that_nobody_fetches_are_bounded_and_the_end_of_a_play_is_not_lost_in_silence() -> None:
    inlet = Inlet()
    for _ in range(REPORTS_MAX + 10):
        inlet(PlayProgress(P, {}, 0))
    with pytest.raises(queue.Full):
        inlet(PlayEnded(P, {}, 0, 0, MonoMs(0), None))
    assert len(inlet.drain()) == REPORTS_MAX
    assert inlet.drain() == []
    inlet.close()
