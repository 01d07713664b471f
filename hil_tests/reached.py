"""A bench's station from beside it: programs are run there, what they say is read here, and its power is cut.

The virtual bench's is a machine with a card that outlives it; a real one is reached by the command that its bench's
file names. What is run prints marks, ``tell``, which stand among whatever else is said there.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from hil_tests.drivers.person import Person
from hil_tests.drivers.power import CommandPower, PersonPower, Power, PowerError
from hil_tests.machine import BenchError, Machine, booted, kernel_of_the_bench, python
from hil_tests.rig import PowerWiring, RigFile, StationWiring
from tests.host.disks import blank

MARK = "bench"
LOOK_S = 0.1
REACH_S_MAX = 20
CARD, CARD_BYTES = "card", 2 << 30
# Of which a station wants half a gigabyte free for its sounds; the file has holes where nothing was written.
DEVICE, FOLDER = "/dev/ubda", "/run/card"
FELL_SILENT_S_MAX = 30
# A line to a station without power notices that it gets no answers; see ``reach`` in rigs/desk.toml.
LET_GO_S_MAX = 10
# What a ward needs to take itself down.
SHOWN = 4_000


def tell(mark: str, **found: Any) -> None:
    """Of a program that runs on the station: what it has come to."""
    print(f"\n{MARK} {mark} {json.dumps(found)}", flush=True)


class Running:
    """A program on the station: what it has said so far, and whether it still runs there, as far as can be seen."""

    def __init__(self, said: Path, over: Callable[[], bool]) -> None:
        self._said = said
        self.over = over

    def until(self, mark: str, within_s: float) -> dict[str, Any]:
        """What it told with that mark. Raises BenchError where it does not come, with what was said."""
        end = time.monotonic() + within_s
        while True:
            over = self.over()
            if found := self._marked(mark):
                return found[0]
            if over or time.monotonic() > end:
                why = "it ended" if over else f"it still runs after {within_s:.0f} s"
                raise BenchError(f"the station's program did not come to {mark!r}, {why}:\n{self.text()[-SHOWN:]}")
            time.sleep(LOOK_S)

    def wait_until_over(self, within_s: float = FELL_SILENT_S_MAX) -> None:
        """Raises PowerError where it goes on as if nothing had been."""
        end = time.monotonic() + within_s
        while not self.over():
            if time.monotonic() > end:
                raise PowerError(f"the power was cut, and the station still answers after {within_s:g} s")
            time.sleep(LOOK_S)

    def text(self) -> str:
        return self._said.read_text(errors="replace").replace("\r", "")

    def _marked(self, mark: str) -> list[dict[str, Any]]:
        lines = re.findall(rf"^{MARK} {mark} (.*)\n", self.text(), re.MULTILINE)
        return [json.loads(line) for line in lines]


class Station(Protocol):
    """``folder`` is there, on its card; ``rig`` is its bench's file there."""

    folder: str
    rig: str

    def run(self, module: str, *words: str) -> Running: ...

    def wait_until_up(self, within_s: float) -> None: ...


class Desk:
    """A real station, reached as its bench's file says."""

    def __init__(self, wiring: StationWiring, rig: Path, here: Path) -> None:
        self._wiring = wiring
        self._here = here
        self._programs: list[subprocess.Popen[bytes]] = []
        self.folder = wiring.folder
        self.rig = f"{wiring.folder}/rig.toml"
        self.told(f"mkdir -p {shlex.quote(self.folder)} && cat >{shlex.quote(self.rig)}", rig.read_bytes())

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever still runs there is let go, and ends (see ``leash``)."""
        for program in self._programs:
            assert program.stdin is not None
            program.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(LET_GO_S_MAX)
            program.kill()
            program.wait()

    def run(self, module: str, *words: str) -> Running:
        said = self._here / f"said-{len(self._programs)}"
        with open(said, "wb") as file:
            program = subprocess.Popen(
                [*self._wiring.reach, self.line("hil_tests.leash", module, *words)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )
        self._programs.append(program)
        return Running(said, lambda: program.poll() is not None)

    def wait_until_up(self, within_s: float) -> None:
        end = time.monotonic() + within_s
        while not self._answers():
            if time.monotonic() > end:
                raise PowerError(f"the power was given back, and the station does not answer after {within_s:.0f} s")
            time.sleep(LOOK_S)

    def told(self, line: str, given: bytes = b"") -> bytes:
        """What a line for its shell writes. Raises BenchError."""
        try:
            done = subprocess.run(
                [*self._wiring.reach, line], input=given, capture_output=True, timeout=REACH_S_MAX, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise BenchError(f"không tới được trạm / the station is not reached: {exc}") from exc
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-SHOWN:]
            reach = shlex.join(self._wiring.reach)
            raise BenchError(f"không tới được trạm / the station is not reached, {reach}: {said}")
        return done.stdout

    def line(self, module: str, *words: str) -> str:
        """A line for its shell that runs a program of this project."""
        command = shlex.join([".venv/bin/python", "-m", module, *words])
        return f"cd {shlex.quote(self._wiring.tree)} && exec {command}"

    def _answers(self) -> bool:
        with contextlib.suppress(BenchError):
            self.told("true")
            return True
        return False


class VirtualStation:
    """A machine that boots for what it is told to run, always with the same card; ``cut`` takes its power away."""

    folder = FOLDER

    def __init__(self, kernel: Path, rig: Path, here: Path) -> None:
        self.rig = str(rig)
        self.powered = True
        self._kernel = kernel
        self._here = here
        self._card = blank(here / CARD, CARD_BYTES)
        self._boots = 0
        self._stack = contextlib.ExitStack()
        self.machine: Machine | None = None

    def __enter__(self) -> VirtualStation:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, module: str, *words: str) -> Running:
        """Whatever ran before is gone."""
        if not self.powered:
            raise PowerError("the machine has no power")
        self._stack.close()
        self._boots += 1
        shared = self._here / f"boot-{self._boots}"
        shared.mkdir()
        command = shlex.join(python("-m", module, *words))
        line = f"mkdir {FOLDER} && mount {DEVICE} {FOLDER} && exec {command}"
        machine = self._stack.enter_context(
            booted(self._kernel, ["sh", "-c", line], shared, arguments=[f"ubd0={self._card}"])
        )
        self.machine = machine
        return Running(shared / "console", lambda: not machine.runs())

    def wait_until_up(self, within_s: float) -> None:
        """It boots when it is told what to run."""


class MachinePower:
    """The virtual bench's own switch: a machine without power is gone in the midst of whatever it did."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station

    def off(self) -> None:
        assert self._station.machine is not None, "it was never on"
        self._station.machine.cut_power()
        self._station.powered = False

    def on(self) -> None:
        self._station.powered = True


@contextlib.contextmanager
def beside(rig: RigFile, file: Path, here: Path) -> Iterator[Station]:
    """The station of a bench; ``here`` is an empty folder for what is kept on this side."""
    if rig.station is None:
        with VirtualStation(kernel_of_the_bench(), file, here) as machine:
            yield machine
    else:
        with Desk(rig.station, file, here) as desk:
            yield desk


def switch(wiring: PowerWiring, station: Station, person: Person) -> Power:
    """What cuts the power of this station."""
    if wiring.driver == "person":
        return PersonPower(person)
    if wiring.driver == "command":
        return CommandPower(wiring.off, wiring.on)
    assert isinstance(station, VirtualStation)
    return MachinePower(station)
