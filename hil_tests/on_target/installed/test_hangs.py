"""What hangs or dies in a station's processes while a bulletin sounds: its relays open, and systemd starts it anew.

S3: open within a second after a death, within five after a hang. Within 15 s another process stands in the old one's
place; that it takes orders, the next test's bulletin shows. Every move of a line is traced by the kernel.
"""

from __future__ import annotations

import os
import signal

import pytest

from hil_tests.bench import BenchRig
from hil_tests.on_target.installed.lives import (
    DEAD_S,
    RESET_S,
    Fault,
    ended_by,
    life_of,
    opened_ms,
    part,
    say,
    struck,
)
from tests.units.ward import UNITS

AGENT, DEVICE = UNITS
HUNG_S = 5.0
# docs/requirements.md, S3.

pytestmark = pytest.mark.shows("bench.5", "bench.9", "S3")


def stopped(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


@pytest.mark.parametrize(
    ("unit", "fault", "open_s"),
    [
        pytest.param(AGENT, stopped, HUNG_S, id="agent_is_stopped"),
        pytest.param(AGENT, part("loop"), HUNG_S, id="agents_loop_blocks"),
        # The core goes on and holds its lease, so the sound goes on until the process is ended.
        pytest.param(AGENT, part("network"), RESET_S, id="networks_thread_is_wedged"),
        pytest.param(DEVICE, stopped, HUNG_S, id="device_process_is_stopped"),
        pytest.param(DEVICE, part("loop"), HUNG_S, id="device_processs_loop_blocks"),
        pytest.param(DEVICE, part("write"), HUNG_S, id="write_is_stuck"),
    ],
)
def test_relays_open_and_another_process_begins_when_the(
    sounding: BenchRig, request: pytest.FixtureRequest, unit: str, fault: Fault, open_s: float
) -> None:
    since, after = struck(unit, fault)
    open_after_s = (opened_ms(sounding, since) - since) / 1000
    say(request, open_after_s, since, after)
    assert open_after_s <= open_s
    assert ended_by(unit) == "watchdog"


@pytest.mark.parametrize(
    ("unit", "fault", "result"),
    [
        pytest.param(AGENT, part("network-dies"), "exit-code", id="networks_thread"),
        pytest.param(DEVICE, part("writer-dies"), "exit-code", id="writers_thread"),
    ],
)
def test_relays_open_and_another_process_begins_after_the_death_of_the(
    sounding: BenchRig, request: pytest.FixtureRequest, unit: str, fault: Fault, result: str
) -> None:
    since, after = struck(unit, fault)
    open_after_s = (opened_ms(sounding, since) - after.died_ms) / 1000
    say(request, open_after_s, since, after)
    assert open_after_s <= DEAD_S
    assert ended_by(unit) == result


@pytest.mark.shows("bench.10")
@pytest.mark.usefixtures("sounding")
def test_a_planted_watchdog_that_a_timer_feeds_is_caught() -> None:
    before = life_of(AGENT)
    with pytest.raises(AssertionError) as caught:
        struck(AGENT, part("loop-and-timer"))
    print(f"loop-and-timer: {str(caught.value).splitlines()[0]}")
    os.kill(before.pid, signal.SIGKILL)
