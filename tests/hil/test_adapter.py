"""A technician's adapter at a real line: the same hands as at the virtual bench's, with a speed, breaks and a cable.

The cable is made up: bytes pass between two ptys while it is plugged, and come out as others where the speeds differ.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from edge_agent.console.commands import NOISE
from edge_agent.console.words import Language
from hil_tests.drivers.person import NAME_IN, Person, PersonError
from hil_tests.from_outside.technician import PROMPT, Adapter
from tests.console.terminal import served
from tests.hil.made_up_desk import MadeUpDesk
from tests.hil.terminal import Terminal, at, pytest_of

SPEED, FAST = 9_600, 115_200
LOOK_S = 0.02
CONSOLE = "hil_tests/from_outside/test_console.py"
TRIED = (
    "noise_of_a_wrong_speed_is_named_and_the_next_command_answered",
    "a_break_changes_nothing_of_what_is_typed",
    "a_line_without_an_end_is_cut_and_is_no_command",
    "two_lines_do_not_answer_each_other",
    "a_cable_pulled_and_put_back_finds_the_console",
    "a_line_that_hangs_up_is_opened_again_and_what_was_half_typed_forgotten",
)
FRAME_OFF = 0x80
# What a UART makes of bytes at another speed is no UTF-8.


class Cable:
    """A context manager: ``here`` and ``there`` are its ends' devices."""

    def __init__(self) -> None:
        self._ends = [pty.openpty() for _ in range(2)]
        for _, slave in self._ends:
            tty.setraw(slave)
            serial.Serial(os.ttyname(slave), SPEED).close()
        self.here, self.there = (os.ttyname(slave) for _, slave in self._ends)
        self.plugged = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Cable:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for end in self._ends:
            for one in end:
                os.close(one)

    def _carry(self) -> None:
        here, there = (master for master, _ in self._ends)
        while not self._over.is_set():
            for end in select.select([here, there], [], [], LOOK_S)[0]:
                taken = os.read(end, 4_096)
                speeds = {termios.tcgetattr(one)[4] for one in (here, there)}
                if len(speeds) > 1:
                    taken = bytes(byte | FRAME_OFF for byte in taken)
                if self.plugged:
                    os.write(there if end == here else here, taken)


@pytest.fixture
def cable() -> Iterator[Cable]:
    with Cable() as cable, served(cable.there, SPEED):
        yield cable


@contextlib.contextmanager
def at_the_prompt(cable: Cable, person: Person) -> Iterator[Adapter]:
    with contextlib.closing(Adapter(cable.here, SPEED, person)) as adapter:
        adapter.type("\r")
        adapter.until(PROMPT)
        adapter.begin_anew()
        yield adapter


@pytest.fixture
def adapter(cable: Cable) -> Iterator[Adapter]:
    with at_the_prompt(cable, Person(Path("/nowhere"))) as adapter:
        yield adapter


@pytest.mark.deep
def test_the_benchs_own_tests_of_a_console_run_at_a_real_line(tmp_path: Path) -> None:
    """But for those about the ward's own programme, which this station has not."""
    absent = 'cable = "-"\nsecond-line = "-"\nhang-up = "-"'
    with Cable() as cable:
        serial_line = f'[serial]\ndriver = "device"\ndevice = "{cable.here}"\nport = "{cable.there}"\nspeed = {FAST}'
        file = MadeUpDesk(tmp_path).file(by_hand=serial_line, absent=absent)
        tests = [f"{CONSOLE}::test_{name}" for name in TRIED]
        done = at(None, pytest_of(*tests, f"--basetemp={tmp_path / 'tests'}"), {"BENCH_RIG": str(file)})
    assert "3 passed, 3 skipped" in done.said, done.said


def test_a_command_is_answered(adapter: Adapter) -> None:
    assert adapter.ask("en") == ["English."]


def test_another_speed_is_noise_and_the_right_one_is_back_after_it(adapter: Adapter) -> None:
    adapter.make_noise()
    adapter.type("\r")
    adapter.until(NOISE.say(Language.VI).split(" →")[0])
    adapter.begin_anew()
    assert adapter.ask("en") == ["English."]


def test_each_key_stands_between_two_breaks(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[float] = []

    def break_(port: serial.Serial, duration: float) -> None:
        sent.append(duration)
        port.write(b"\0")  # what a UART's driver makes of it; a pty passes none on

    monkeypatch.setattr(serial.Serial, "send_break", break_)
    adapter.type_among_breaks("en")
    adapter.type("\r")
    assert "English." in adapter.until(PROMPT)
    assert len(sent) == 4


def test_a_person_pulls_the_cable_and_puts_it_back(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_IN, "Nguyễn Văn An")

    def hand(asked: str) -> str:
        cable.plugged = "pull" not in asked
        return "x"

    with Terminal(hand) as terminal:
        person = Person(Path(terminal.path))
        with at_the_prompt(cable, person) as adapter:
            adapter.pull_cable()
            adapter.type("en\r")
            assert adapter.quiet() == b""
            adapter.put_cable_back()
            adapter.begin_anew()
            assert adapter.ask("en") == ["English."]
    assert [word.said for word in person.words] == ["x", "x"]


def test_a_cable_that_nobody_pulls_is_no_pulled_cable(adapter: Adapter) -> None:
    with pytest.raises(PersonError, match="there is no terminal"):
        adapter.pull_cable()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match="/dev/ttyUSB99"):
        Adapter("/dev/ttyUSB99", SPEED, Person())
