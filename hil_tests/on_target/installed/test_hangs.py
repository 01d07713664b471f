"""What hangs or dies in a station's processes while a bulletin sounds: its relays open, and systemd starts it anew.

S3: open within a second after a death, within five after a hang. Within 15 s another process stands in the old one's
place; that it takes orders, the next test's bulletin shows. Every move of a line is traced by the kernel.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from demo.ward import wait_until
from edge_agent.clock import boot_ms
from hil_tests.bench import BenchRig
from hil_tests.installed import TOLD
from hil_tests.rig import ZONES
from tests.rig import Order, Tone
from tests.units.ward import UNITS, run

AGENT, DEVICE = UNITS
DEAD_S, HUNG_S = 1.0, 5.0
# docs/requirements.md, S3.
RESET_S = 15.0
READY_S_MAX = 8
BULLETIN_S = 28.0
BEGINS_S, SOUNDS_S = 8, 3

pytestmark = pytest.mark.shows("bench.5", "bench.9", "S3")

Fault = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Life:
    """What systemd says of a unit's process. ``died_ms`` is the end of the one before it; both are boot times."""

    pid: int
    began_ms: float
    died_ms: float
    state: str


def life_of(unit: str) -> Life:
    wanted = ("MainPID", "ExecMainStartTimestampMonotonic", "ActiveExitTimestampMonotonic", "ActiveState")
    shown = dict(line.split("=", 1) for line in run("systemctl", "show", f"-p{','.join(wanted)}", unit).splitlines())
    pid, began, died, state = (shown[one] for one in wanted)
    return Life(int(pid), int(began) / 1000, int(died) / 1000, state)


def stopped(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def part(name: str) -> Fault:
    def told(pid: int) -> None:
        (TOLD / name).write_text(str(pid))

    return told


@pytest.fixture
def sounding(station: BenchRig) -> Iterator[BenchRig]:
    """A bulletin sounds in both zones; afterwards its time has gone by, whoever was there to end it."""
    station.bench.watch()
    begins_s = round(station.at_s(boot_ms())) + BEGINS_S
    station.publish(Order(at_s=begins_s, tones=(Tone("b", BULLETIN_S),)))
    station.run_until(begins_s + SOUNDS_S)
    assert [(zone, on) for zone, on, _ in station.bench.edges()] == [(zone, True) for zone in ZONES]
    yield station
    station.run_until(begins_s + BULLETIN_S + 3)


def struck(unit: str, fault: Fault) -> tuple[int, Life]:
    """When it was, and what stands there afterwards: another process, begun in time."""
    before = life_of(unit)
    since = boot_ms()
    fault(before.pid)
    wait_until(since + round((RESET_S + READY_S_MAX) * 1000))
    after = life_of(unit)
    assert after.pid != before.pid
    assert since < after.began_ms <= since + RESET_S * 1000
    assert after.state == "active"
    return since, after


def opened_ms(rig: BenchRig, since_ms: int) -> float:
    """When the last relay was open; each opened once."""
    moves = [move for move in rig.bench.edges() if move[2] >= since_ms]
    assert sorted((zone, on) for zone, on, _ in moves) == [(zone, False) for zone in ZONES], moves
    return max(at for _, _, at in moves)


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
    _say(request, open_after_s, since, after)
    assert open_after_s <= open_s
    assert ended_by(unit) == "watchdog"


@pytest.mark.parametrize(
    ("unit", "fault", "result"),
    [
        pytest.param(AGENT, part("network-dies"), "exit-code", id="networks_thread"),
        pytest.param(DEVICE, part("writer-dies"), "exit-code", id="writers_thread"),
        pytest.param(AGENT, part("memory"), "oom-kill", id="agent_that_took_all_its_memory"),
        pytest.param(DEVICE, part("memory"), "oom-kill", id="device_process_that_took_all_its_memory"),
    ],
)
def test_relays_open_and_another_process_begins_after_the_death_of_the(
    sounding: BenchRig, request: pytest.FixtureRequest, unit: str, fault: Fault, result: str
) -> None:
    since, after = struck(unit, fault)
    open_after_s = (opened_ms(sounding, since) - after.died_ms) / 1000
    _say(request, open_after_s, since, after)
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


def ended_by(unit: str) -> str:
    """The result of its last end that was no good one."""
    lines = run("journalctl", "--output=cat", f"--unit={unit}", "_PID=1").splitlines()
    return next(line.split("'")[1] for line in reversed(lines) if "Failed with result" in line)


def _say(request: pytest.FixtureRequest, open_after_s: float, since: int, after: Life) -> None:
    """The figures go into the test's result."""
    begun_after_s = (after.began_ms - since) / 1000
    request.node.user_properties += [("open_after_s", f"{open_after_s:.3f}"), ("begun_after_s", f"{begun_after_s:.3f}")]
