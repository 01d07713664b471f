"""Whoever cuts the power, the same is promised: the station is off, then on again, or there is an error in words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil_tests import reached
from hil_tests.drivers.person import NAME_IN, Person, PersonError
from hil_tests.drivers.power import CommandPower, PersonPower, Power, PowerError
from hil_tests.reached import MachinePower, Running, VirtualStation
from tests.hil.terminal import Terminal

MACHINE = "#!/bin/sh\nexec sleep 60\n"


@dataclass(frozen=True)
class Switched:
    """A switch, and whether what hangs on it has power."""

    power: Power
    on: Callable[[], bool]


@pytest.fixture(autouse=True)
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel is a script, which reads none."""
    monkeypatch.setattr(reached, "blank", lambda image, _: image)


@contextlib.contextmanager
def a_machine(folder: Path) -> Iterator[Switched]:
    kernel = folder / "kernel"
    kernel.write_text(MACHINE)
    kernel.chmod(0o755)
    with VirtualStation(kernel, folder / "rig.toml", folder) as station:

        def runs() -> bool:
            if station.powered and (station.machine is None or not station.machine.runs()):
                station.run("anything")  # it boots for what it is told to run
            return station.machine is not None and station.machine.runs()

        yield Switched(MachinePower(station), runs)


@contextlib.contextmanager
def a_command(folder: Path) -> Iterator[Switched]:
    lamp = folder / "lamp"
    lamp.touch()
    yield Switched(CommandPower(["rm", str(lamp)], ["touch", str(lamp)]), lamp.exists)


@contextlib.contextmanager
def a_person(folder: Path) -> Iterator[Switched]:
    lamp = folder / "lamp"
    lamp.touch()

    def hand(asked: str) -> str:
        lamp.touch() if "power again" in asked else lamp.unlink()
        return "x"

    with Terminal(hand) as terminal:
        yield Switched(PersonPower(Person(Path(terminal.path))), lamp.exists)


@pytest.fixture(params=[a_machine, a_command, a_person])
def switched(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switched]:
    monkeypatch.setenv(NAME_IN, "Nguyễn Văn An")
    with request.param(tmp_path) as switched:
        yield switched


def test_off_is_off_and_on_is_on_each_time(switched: Switched) -> None:
    assert switched.on()
    for _ in range(2):
        switched.power.off()
        assert not switched.on()
        switched.power.on()
        assert switched.on()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["false"], "the power switch does not work: false: status 1"),
        (["sh", "-c", "echo no such port; exit 3"], "status 3: no such port"),
        (["/nowhere/uhubctl", "-a", "off"], "No such file or directory: '/nowhere/uhubctl'"),
        (["sleep", "60"], "timed out after 0.2 seconds"),
    ],
)
def test_a_command_that_does_not_switch_says_so(command: list[str], named: str) -> None:
    power = CommandPower(command, command, at_most_s=0.2 if command[0] == "sleep" else 30)
    for turn in (power.off, power.on):
        with pytest.raises(PowerError) as caught:
            turn()
        assert named in str(caught.value)


def test_a_hand_that_could_not_reach_the_plug_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_IN, "Nguyễn Văn An")
    with Terminal(lambda _: "k") as terminal, pytest.raises(PersonError, match="could not: Cắt điện trạm NGAY"):
        PersonPower(Person(Path(terminal.path))).off()


def test_a_machine_without_power_runs_nothing(tmp_path: Path) -> None:
    with VirtualStation(tmp_path / "kernel", tmp_path / "rig.toml", tmp_path) as station:
        station.powered = False
        with pytest.raises(PowerError, match="the machine has no power"):
            station.run("anything")


def test_a_station_that_answers_on_without_power_is_told(tmp_path: Path) -> None:
    (tmp_path / "said").touch()
    with pytest.raises(PowerError, match=r"the power was cut, and the station still answers after 0\.2 s"):
        Running(tmp_path / "said", lambda: False).wait_until_over(0.2)
