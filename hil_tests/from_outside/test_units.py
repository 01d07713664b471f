"""The shipped units with a real chip and a real card behind them: the demo is heard, and no other device is open."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.check import Check
from demo.evidence import examine
from demo.verdict import checks
from hil_tests import installed
from hil_tests.desk import FOUND, HEARD
from hil_tests.machine import booted, kernel_of_the_bench, python
from tests.units.ward import UNITS

RUNS_S_MAX = 900
AGENT, DEVICE = UNITS
EXPOSED_MAX = {AGENT: 1.1, DEVICE: 0.6}
# What was promised of a process that faces the network, and of one that faces devices.
HOW_SOON = "the emergency cuts in on c1"
# Within 1.4 s of signing: the demo's to judge, on a machine whose system calls take less than 50 µs.
REFUSED = "Operation not permitted"

pytestmark = [pytest.mark.wants("machine"), pytest.mark.shows("bench.9")]


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """What the machine left behind."""
    shared = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    try:
        installed.lay_out(shared)
        command = python("-m", "hil_tests.desk", os.environ["BENCH_RIG"], "/run/shared")
        with booted(
            kernel_of_the_bench(), command, shared, init=installed.INIT, arguments=installed.ARGUMENTS
        ) as machine:
            ended = machine.wait(RUNS_S_MAX)
        assert ended.status == 0, ended.console
        yield shared
    finally:
        shutil.rmtree(shared)


@pytest.fixture(scope="module")
def found(shared: Path) -> Any:
    return json.loads((shared / FOUND).read_text("utf-8"))


@pytest.fixture(scope="module")
def verdict(shared: Path) -> list[Check]:
    story, heard = pickle.loads((shared / HEARD).read_bytes())
    return list(checks(story, examine(*heard)))


def test_the_demo_is_heard_as_ordered_and_the_lines_move_around_it(verdict: list[Check]) -> None:
    assert [check for check in verdict if not check.held and check.english != HOW_SOON] == []
    assert len(verdict) > 10


def test_the_units_say_themselves_that_they_are_ready_and_none_was_started_again(found: Any) -> None:
    states = [(unit["ActiveState"], unit["NRestarts"]) for seen in found["seen"] for unit in seen.values()]
    assert states == [("active", "0")] * 6
    assert "device ready" in found["log"]
    assert "SIMULATED" not in found["log"]


def test_the_service_manager_finds_no_fault_in_the_units(found: Any) -> None:
    assert found["complaints"] == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_running_unit_is_exposed_no_more_than_was_promised(
    found: Any, unit: str, request: pytest.FixtureRequest
) -> None:
    request.node.user_properties.append(("exposure", str(found["exposure"][unit])))
    assert found["exposure"][unit] <= EXPOSED_MAX[unit]


def test_a_device_opens_only_in_the_place_of_the_unit_that_names_it(found: Any) -> None:
    refused = {unit: {device for device, why in found["opens"][unit].items() if why == REFUSED} for unit in UNITS}
    opened = {unit: {device for device, why in found["opens"][unit].items() if why == ""} for unit in UNITS}
    nowhere, everything = {"/dev/kmsg", "/dev/watchdog"}, set(found["opens"][AGENT])
    assert refused == {AGENT: everything - {"/dev/null"}, DEVICE: nowhere}
    assert opened == {AGENT: {"/dev/null"}, DEVICE: everything - nowhere}
