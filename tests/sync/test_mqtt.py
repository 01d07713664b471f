"""How long a session waits before it asks a broker again: at random, so that a commune does not come in one second."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.units import StationId
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.connection import Ending
from edge_agent.sync.mqtt import MqttSession

STATIONS = 1_000
NOWHERE = Path("/nonexistent")


def never(*_: Any) -> Any:
    raise AssertionError("nobody connects here")


def waits_s(failures: int, *, taken_over: bool = False) -> list[float]:
    """Of so many stations whose broker is gone for all of them at once."""
    settings = BrokerSettings("localhost", 1, NOWHERE, NOWHERE, never, StationId("dt-01"), "vn")
    session = MqttSession(settings, never, never, never)
    return [session._wait_s(Ending("refused", 0, taken_over), failures) for _ in range(STATIONS)]


@pytest.mark.parametrize(("failures", "span_s"), [(0, 5), (1, 10), (3, 40), (5, 120), (1_000_000, 120)])
def test_whoever_lost_the_broker_together_comes_back_spread_over_a_span_that_doubles_to_two_minutes(
    failures: int, span_s: int
) -> None:
    waits = waits_s(failures)
    assert 0 <= min(waits) < 0.05 * span_s
    assert 0.95 * span_s < max(waits) <= span_s
    tenths = Counter(int(10 * wait / span_s) for wait in waits)
    assert max(tenths.values()) < 2 * STATIONS / 10, "as many in each tenth of it, but for chance"


def test_two_boxes_of_one_identity_wait_a_minute_beside_it() -> None:
    assert 60 <= min(waits_s(0, taken_over=True)) < max(waits_s(0, taken_over=True)) <= 65
