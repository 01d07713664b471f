"""What the agent is told of the system's clock, on an installed station: anew each minute, and at once when it is set.

A clock that NTP sets soon after the power came back would else be told of a minute later, and what is due by then with
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from demo.ward import wait_until
from edge_agent import ntp
from edge_agent.clock import boot_ms
from edge_agent.core.units import SECOND_MS
from tests.units.ward import run

pytestmark = [pytest.mark.wants("clock"), pytest.mark.shows("bench.4", "bench.9", "O3")]

TIMER = "edge-agent-clock.timer"
STEP_S = 5
TOLD_MS_MAX = 20 * SECOND_MS
# A third of the minute that it would take otherwise.


@pytest.fixture
def told() -> Iterator[int]:
    """What the first report said: by how much UTC is ahead of boot time (ms)."""
    run("systemctl", "start", TIMER)
    yield _ahead_ms(lambda _: True)
    run("systemctl", "stop", TIMER)


def test_a_clock_that_is_set_is_told_of_at_once(told: int) -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time() + STEP_S)
    try:
        moved_ms = _ahead_ms(lambda ahead_ms: ahead_ms - told > STEP_S * SECOND_MS // 2) - told
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() - STEP_S)
    assert moved_ms == pytest.approx(STEP_S * SECOND_MS, abs=SECOND_MS)


def _ahead_ms(wanted: Callable[[int], bool]) -> int:
    latest = boot_ms() + TOLD_MS_MAX
    while boot_ms() < latest:
        if ntp.REPORT.exists():
            boot, utc, *_ = (int(word) for word in ntp.REPORT.read_text("ascii").split())
            if wanted(utc - boot):
                return utc - boot
        wait_until(boot_ms() + SECOND_MS // 10)
    raise AssertionError(f"not told within {TOLD_MS_MAX // SECOND_MS} s")
