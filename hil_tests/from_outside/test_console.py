"""The console of a whole station on its own serial lines, with a technician at the other end.

On the virtual bench the machine has two lines, one at each speed; on a real one there is the line that the bench's file
names, at an adapter of this computer, whose speed and breaks are real (see ``technician``).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from edge_agent.console.commands import HELP, NOISE
from edge_agent.console.words import Language, screenful
from hil_tests import evidence
from hil_tests.drivers.person import Person
from hil_tests.from_outside import station
from hil_tests.from_outside.station import TITLE
from hil_tests.from_outside.technician import PROMPT, Adapter, MachinePlug, Plug
from hil_tests.machine import Machine, booted, kernel_of_the_bench, python
from hil_tests.reached import beside
from hil_tests.rig import SerialWiring, read

SPEEDS = (115_200, 9_600)
UP_S_MAX = 300
# A station with all its ward starts in 25 s on an idle machine.
NOTICED_S_MAX = 20
PULLED_S = 3
NOBODY_READS_S = 14
# The console gives up a terminal that takes nothing for 10 s.
RIG = Path(os.environ.get("BENCH_RIG", Path(__file__).parents[1] / "rigs" / "virtual.toml"))
SERIAL = read(RIG).serial
AT = (SERIAL.speed,) if SERIAL and SERIAL.driver == "device" else SPEEDS
STATION = station.__name__

pytestmark = [pytest.mark.wants("serial"), pytest.mark.shows("bench.8")]


@dataclass(frozen=True, slots=True)
class Lines:
    """The plugs of the station's lines by their speed; the machine, where it is one."""

    plugs: Mapping[int, Plug]
    machine: Machine | None = None

    def hang_up(self, plug: MachinePlug) -> None:
        """Until the console has noticed; it opens the line again 2 s later."""
        assert self.machine is not None
        lost = f"console closed port=/dev/ttyS{SPEEDS.index(plug.speed)} "
        before = self.machine.console().count(lost)
        plug.hang_up()
        end = time.monotonic() + NOTICED_S_MAX
        while self.machine.console().count(lost) == before:
            assert time.monotonic() < end, "nobody has noticed that the line hung up"
            self.machine.look_at_its_lines()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def person() -> Person:
    return Person()


@pytest.fixture(scope="module")
def lines(person: Person) -> Iterator[Lines]:
    assert SERIAL is not None
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as here,
        in_a_machine(Path(here)) if SERIAL.driver == "machine" else at_a_desk(SERIAL, Path(here), person) as lines,
    ):
        for plug in lines.plugs.values():
            plug.until(PROMPT, UP_S_MAX)
        yield lines


@contextmanager
def in_a_machine(here: Path) -> Iterator[Lines]:
    plugs = {speed: MachinePlug(speed) for speed in SPEEDS}
    ends = [plug.machine_end for plug in plugs.values()]
    arguments = [f"ssl{number}=fd:{end}" for number, end in enumerate(ends)]
    named = [f"/dev/ttyS{number}:{speed}" for number, speed in enumerate(SPEEDS)]
    command = python("-m", STATION, str(RIG), *named)
    # People live in real time: a machine that skips its own would be gone before they have typed a word.
    with booted(kernel_of_the_bench(), command, here, arguments=arguments, passed=ends, real_time=True) as machine:
        try:
            yield Lines(plugs, machine)
        finally:
            print(machine.console())


@contextmanager
def at_a_desk(wiring: SerialWiring, here: Path, person: Person) -> Iterator[Lines]:
    with closing(Adapter(wiring.device, wiring.speed, person)) as plug, beside(read(RIG), RIG, here) as desk:
        running = desk.run(STATION, desk.rig, f"{wiring.port}:{wiring.speed}")
        try:
            yield Lines({wiring.speed: plug})
        finally:
            print(running.text())


@pytest.fixture(autouse=True)
def kept(person: Person, request: pytest.FixtureRequest) -> Iterator[None]:
    """What a person said stands with the test that asked."""
    asked = len(person.words)
    yield
    if words := person.words[asked:]:
        evidence.write(request.node.name, words=[asdict(word) for word in words])


@pytest.fixture(params=AT)
def plug(lines: Lines, request: pytest.FixtureRequest) -> Plug:
    """Of one line, at whose prompt the station stands."""
    found = lines.plugs[request.param]
    found.begin_anew()
    return found


@pytest.fixture
def other(lines: Lines, plug: Plug) -> Plug:
    """The other line, at its prompt too."""
    (found,) = [one for one in lines.plugs.values() if one is not plug]
    found.begin_anew()
    return found


def help_in(language: Language) -> list[str]:
    return list(screenful(HELP.say(language).splitlines(), language))


def the_station_answers(plug: Plug) -> None:
    """Its console, and the agent behind that, whose picture is not older than a few seconds."""
    answer = "\n".join(plug.ask("tt"))
    assert "Máy chủ: đã trả lời" in answer
    assert "Âm thanh, rơ-le: đang chạy" in answer


def test_a_technician_is_answered_in_whole_words(plug: Plug) -> None:
    the_station_answers(plug)
    assert TITLE in "\n".join(plug.ask("kt"))
    assert TITLE in "\n".join(plug.ask("vì sao"))
    assert plug.ask("?") == help_in(Language.VI)
    assert plug.ask("en") == ["English."]
    assert plug.ask("help") == help_in(Language.EN)
    assert plug.ask("ascii") == ["Tieng Viet khong dau."]


@pytest.mark.wants("second-line")
def test_two_lines_do_not_answer_each_other(plug: Plug, other: Plug) -> None:
    other.ask("en")
    for _ in range(5):
        plug.type("?\r")
        other.type("?\r")
        assert plug.until(PROMPT).split("\r\n")[1:-1] == help_in(Language.VI)
        assert other.until(PROMPT).split("\r\n")[1:-1] == help_in(Language.EN)


def test_noise_of_a_wrong_speed_is_named_and_the_next_command_answered(plug: Plug) -> None:
    plug.make_noise()
    plug.type("\r")
    plug.until(NOISE.say(Language.VI).split(" →")[0])
    plug.type(bytes(range(256)) * 4)
    plug.begin_anew()
    the_station_answers(plug)


def test_a_break_changes_nothing_of_what_is_typed(plug: Plug) -> None:
    plug.type_among_breaks("tt")
    plug.type("\r")
    assert "Máy chủ: đã trả lời" in plug.until(f"\r\n{PROMPT}")


def test_a_letter_that_comes_in_pieces_waits_for_its_end(plug: Plug) -> None:
    command = "vì sao".encode()
    plug.type(command[:2])
    time.sleep(1)  # longer than the console waits for a byte
    plug.type(command[2:] + b"\r")
    assert TITLE in plug.until(f"\r\n{PROMPT}")


def test_half_a_letter_costs_its_own_line_and_no_other(plug: Plug) -> None:
    plug.type("vì".encode()[:2] + b"\r")
    assert NOISE.say(Language.VI).split(" →")[0] in plug.until(f"\r\n{PROMPT}")
    the_station_answers(plug)


def test_a_line_without_an_end_is_cut_and_is_no_command(plug: Plug) -> None:
    plug.type("?" * 3_000)
    assert "\a" in plug.until("\a")
    plug.type("\r")
    assert "Không có lệnh" in plug.until(f"\r\n{PROMPT}")
    the_station_answers(plug)


@pytest.mark.wants("cable")
def test_a_cable_pulled_and_put_back_finds_the_console(plug: Plug) -> None:
    """Three wires tell the station nothing of it: no banner, and it answers as before."""
    plug.pull_cable()
    time.sleep(PULLED_S)
    plug.put_cable_back()
    plug.begin_anew()
    the_station_answers(plug)


@pytest.mark.wants("hang-up")
def test_a_line_that_hangs_up_is_opened_again_and_what_was_half_typed_forgotten(lines: Lines, plug: Plug) -> None:
    assert isinstance(plug, MachinePlug)
    plug.ask("en")
    plug.type("t")
    plug.until("t")
    lines.hang_up(plug)
    plug.plug_in()
    assert "trợ giúp" in plug.until(PROMPT), "a new line begins in the station's own language"
    assert "“t”" in plug.ask("t")[0]
    the_station_answers(plug)


@pytest.mark.wants("second-line")
def test_a_terminal_that_takes_nothing_loses_its_line_and_neither_console_nor_agent(plug: Plug, other: Plug) -> None:
    for _ in range(4):
        plug.type("?\r" * 20)  # 80 × 480 bytes are more than both ends of the line keep
    time.sleep(NOBODY_READS_S)
    the_station_answers(other)
    plug.wait_for_the_banner()
    plug.begin_anew()
    the_station_answers(plug)
