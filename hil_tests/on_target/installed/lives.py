"""A unit's process as systemd tells of it, and what a fault in it does: relays open, another process begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from demo.ward import wait_until
from edge_agent.clock import boot_ms
from hil_tests.bench import BenchRig
from hil_tests.installed import TOLD
from hil_tests.rig import ZONES
from tests.units.ward import run

DEAD_S = 1.0
# Relays are open, docs/requirements.md, S3.
RESET_S = 15.0
READY_S_MAX = 8

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


def part(name: str) -> Fault:
    """What a part of a process is told to do (``hangs/sitecustomize.py``)."""

    def told(pid: int) -> None:
        (TOLD / name).write_text(str(pid))

    return told


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


def ended_by(unit: str) -> str:
    """The result of its last end that was no good one."""
    lines = run("journalctl", "--output=cat", f"--unit={unit}", "_PID=1").splitlines()
    return next(line.split("'")[1] for line in reversed(lines) if "Failed with result" in line)


def say(request: pytest.FixtureRequest, open_after_s: float, since: int, after: Life) -> None:
    """The figures go into the test's result."""
    begun_after_s = (after.began_ms - since) / 1000
    request.node.user_properties += [("open_after_s", f"{open_after_s:.3f}"), ("begun_after_s", f"{begun_after_s:.3f}")]
