"""What every machine's clocks promise the station: this one's, the clock tests' fake, and the virtual ward's box.

Boot time only ever goes on, asleep too, and no step of the wall clock moves it; so the station's own UTC stands still
whatever somebody does to the system's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from edge_agent.clock import Readings, StationClock
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, UtcMs
from tests.host.clock_child import SteppedProcess
from tests.test_clock import NOON, FakeMachine
from tests.ward.machine import Machine

PATIENCE_MS = MINUTE_MS
# A test machine may stand still for a while between two looks; what is moved below is moved by much more.


class Look(NamedTuple):
    """The machine's clocks, and the station's own instant."""

    boot: int
    wall: int
    mono: int
    utc: int


class Rig(Protocol):
    """A machine whose wall clock can be stepped, and that can be put to sleep."""

    def look(self) -> Look: ...

    def pass_time(self, ms: int) -> None: ...

    def step(self, ms: int) -> None: ...

    def suspend(self, ms: int) -> None: ...


class ReadRig:
    """A fake with a station's clock on it."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._station = StationClock(ntp=False, rtc=True, floor=UtcMs(0), readings=readings)

    def look(self) -> Look:
        now = self._station.now()
        return Look(self._readings.boot(), self._readings.utc(), now.mono, now.utc)


class FakeRig(ReadRig):
    def __init__(self) -> None:
        self.machine = FakeMachine()
        super().__init__(self.machine.readings())

    def pass_time(self, ms: int) -> None:
        self.machine.go_on(ms)

    def step(self, ms: int) -> None:
        self.machine.utc += ms

    def suspend(self, ms: int) -> None:
        self.machine.go_on(ms)


class WardRig(ReadRig):
    def __init__(self) -> None:
        self.true = 5_000
        self.machine = Machine(lambda: self.true, NOON, drift_ppm=80, chip=True)
        super().__init__(self.machine.readings())

    def pass_time(self, ms: int) -> None:
        self.true += ms

    def step(self, ms: int) -> None:
        self.machine.step_ms += ms

    def suspend(self, ms: int) -> None:
        self.true += ms


class MachineRig:
    """This machine; sleep and steps are put between it and one process."""

    def __init__(self, process: SteppedProcess) -> None:
        self._process = process

    def look(self) -> Look:
        return Look(*self._process.ask("look"))

    def pass_time(self, ms: int) -> None:
        time.sleep(ms / 1_000)

    def step(self, ms: int) -> None:
        self._process.ask("step", ms)

    def suspend(self, ms: int) -> None:
        self._process.ask("suspend", ms)


@pytest.fixture(params=["fake", "ward", "machine"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param != "machine":
        yield FakeRig() if request.param == "fake" else WardRig()
        return
    process = SteppedProcess(tmp_path)
    yield MachineRig(process)
    process.end()


def moved(before: Look, after: Look) -> Look:
    return Look(*(late - early for early, late in zip(before, after, strict=True)))


def test_time_goes_on_and_never_back(rig: Rig) -> None:
    looks = []
    for _ in range(20):
        rig.pass_time(2)
        looks.append(rig.look())
    for early, late in pairwise(looks):
        assert all(1 <= each < PATIENCE_MS for each in moved(early, late))  # a slewed wall clock takes its time


@pytest.mark.parametrize("step_ms", [-10 * 365 * DAY_MS, -DAY_MS, -HOUR_MS, HOUR_MS, 10 * 365 * DAY_MS])
def test_a_step_of_the_wall_clock_moves_nothing_else(rig: Rig, step_ms: int) -> None:
    before = rig.look()
    rig.step(step_ms)
    by = moved(before, rig.look())
    assert 0 <= by.wall - step_ms < PATIENCE_MS
    assert all(0 <= each < PATIENCE_MS for each in (by.boot, by.mono, by.utc))


def test_a_night_asleep_counts_on_every_clock(rig: Rig) -> None:
    before = rig.look()
    rig.suspend(8 * HOUR_MS)
    assert all(0 <= each - 8 * HOUR_MS < PATIENCE_MS for each in moved(before, rig.look()))


def test_an_instant_is_a_pair_that_nothing_takes_apart(rig: Rig) -> None:
    offsets = set()
    for ms in (0, 5, 1):
        rig.pass_time(ms)
        rig.step(ms * DAY_MS)
        rig.suspend(ms * HOUR_MS)
        look = rig.look()
        offsets.add(look.utc - look.mono)
    assert len(offsets) == 1


def test_the_ward_s_box_names_each_boot_anew_and_no_process() -> None:
    """As the kernel does; that of this machine is read in ``test_clock``."""
    machine = WardRig().machine
    names = []
    for _ in range(3):
        machine.power_on()
        names += [machine.readings().boot_id(), machine.readings().boot_id()]
    assert names[::2] == names[1::2]
    assert len(set(names)) == 3


def test_boot_time_is_small_and_wall_time_is_not(rig: Rig) -> None:
    """Milliseconds both, so that neither is ever taken for the other."""
    look = rig.look()
    assert 0 <= look.boot < 20 * 365 * DAY_MS < 40 * 365 * DAY_MS < look.wall
    assert abs(look.mono - look.boot) < PATIENCE_MS
