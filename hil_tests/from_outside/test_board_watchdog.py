"""The board's own watchdog, fed by systemd: a machine whose system hangs is reset, and one that works is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil_tests import installed
from hil_tests.machine import Ended, Machine, booted, kernel_of_the_bench

WATCHDOG_S = 10
# An image sets RuntimeWatchdogSec= to this; here it is told on the kernel's command line.
FED = (*installed.ARGUMENTS, f"systemd.watchdog_sec={WATCHDOG_S}")
LIVES_S = 6 * WATCHDOG_S
RUNS_S_MAX = 300
HANGS_ONCE = """
if [[ -e /run/shared/hung ]]; then echo "up again"; exit; fi
touch /run/shared/hung
echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze
sleep {seconds}
echo "still here"
"""
# Process 1 takes no signal that would stop it; in a frozen control group it stands still like one that hangs.

pytestmark = [pytest.mark.wants("machine"), pytest.mark.shows("bench.5")]


@contextmanager
def fed(tmp_path: Path, script: str) -> Iterator[Machine]:
    installed.lay_out(tmp_path)
    command = ["bash", "-c", script]
    with booted(kernel_of_the_bench(), command, tmp_path, init=installed.INIT, arguments=FED) as machine:
        yield machine


def ended(tmp_path: Path, script: str) -> Ended:
    with fed(tmp_path, script) as machine:
        return machine.wait(RUNS_S_MAX)


def test_a_machine_whose_system_hangs_is_reset_and_comes_up_again(tmp_path: Path) -> None:
    end = ended(tmp_path, HANGS_ONCE.format(seconds=LIVES_S))
    assert "softdog: Initiating system reboot" in end.console
    assert "still here" not in end.console
    assert "up again" in end.console
    assert end.status == 0


def test_a_machine_whose_system_works_is_not_reset(tmp_path: Path) -> None:
    end = ended(tmp_path, f"sleep {LIVES_S}; echo still here")
    assert end.status == 0, end.console
    assert "still here" in end.console
