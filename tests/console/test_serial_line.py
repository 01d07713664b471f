"""The console on a real terminal line (a pty pair): it answers, survives the line, and gives it back."""

from __future__ import annotations

import termios
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import serial

from edge_agent.console import serial_line
from edge_agent.console.commands import UNKNOWN_MAX
from edge_agent.console.screen import View
from edge_agent.console.serial_line import ANSWER_S, WRITE_S, LineLost
from edge_agent.console.status import Absence
from tests.console.pictures import NAME
from tests.console.terminal import PROMPT, Terminal, served
from tests.sync.test_right_of_way import until

BITS_A_BYTE = 10
# With its start and stop bits.


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with closing(Terminal()) as far:
        yield far


def test_a_technician_is_greeted_and_answered(terminal: Terminal) -> None:
    with served(terminal.path):
        assert NAME in terminal.until(PROMPT)
        assert terminal.ask("tt")[0] == "Trạm loa số 17, thôn Lương Nỗ (dt-017), edge-agent 1.2"
        assert terminal.ask("vs")[0].startswith("1. Chưa đến giờ: “Bản tin sáng”")


@pytest.mark.parametrize("baud", [300, 9_600, 115_200, 250_000, 921_600])
def test_any_speed_will_do(terminal: Terminal, baud: int) -> None:
    with served(terminal.path, baud):
        terminal.until(PROMPT)
        assert terminal.ask("en") == ["English."]


@pytest.mark.parametrize(("baud", "speed"), [(9_600, termios.B9600), (115_200, termios.B115200)])
def test_the_line_is_set_up_anew_whatever_it_was_left_as(terminal: Terminal, baud: int, speed: int) -> None:
    """8N1 and raw: nothing that is typed, and no noise, may stop the output, end the process, or be kept back."""
    terminal.leave_as_a_login_line()
    with served(terminal.path, baud):
        terminal.until(PROMPT)
        iflag, oflag, cflag, lflag, ispeed, ospeed, _ = terminal.settings()
        assert (ispeed, ospeed) == (speed, speed)
        assert cflag & (termios.CSIZE | termios.PARENB | termios.CSTOPB) == termios.CS8
        assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        assert not iflag & (
            termios.IXON | termios.IXOFF | termios.BRKINT | termios.ISTRIP | termios.INLCR | termios.ICRNL
        )
        assert not oflag & termios.OPOST


@pytest.mark.parametrize("noise", ["\x13", "\x1a", "\x04", "\x1c", "\x03", "\x00", "\x11\x13\x13"])
def test_no_control_key_and_no_break_stops_the_line(terminal: Terminal, noise: str) -> None:
    terminal.leave_as_a_login_line()
    with served(terminal.path) as console:
        terminal.until(PROMPT)
        terminal.type(f"{noise}e{noise if noise != chr(3) else ''}n\r")
        assert terminal.until(f"English.\r\n{PROMPT}")
        assert console.is_alive()


def test_a_line_that_comes_in_pieces_waits_for_its_end(terminal: Terminal) -> None:
    with served(terminal.path) as console:
        terminal.until(PROMPT)
        for piece in ("vì sao".encode()[:2], "vì sao".encode()[2:]):
            terminal.type(piece)
            console.join(0.6)  # longer than a read waits
        terminal.type("\r")
        assert terminal.until(f"\r\n{PROMPT}").startswith("vì sao\r\n1. Chưa đến giờ")


def test_a_half_typed_line_is_forgotten_when_the_line_hangs_up(tmp_path: Path) -> None:
    """The next technician does not finish what the last one began."""
    port = tmp_path / "ttyUSB0"
    first, second = Terminal(), Terminal()
    port.symlink_to(first.path)
    with served(port), closing(second):
        first.until(PROMPT)
        first.type("e")
        first.until("e")
        port.unlink()
        first.close()
        port.symlink_to(second.path)
        second.until(PROMPT)
        assert "“n”" in second.ask("n")[0]


def test_what_was_typed_before_the_port_was_opened_is_no_command(terminal: Terminal) -> None:
    """A kernel's boot messages, or a login line's, lie in the buffer when the console begins."""
    terminal.type("en\r")
    with served(terminal.path):
        assert "trợ giúp" in terminal.until(PROMPT)
        assert terminal.ask("vi") == ["Tiếng Việt."]


def test_keys_are_echoed_as_they_come(terminal: Terminal) -> None:
    with served(terminal.path):
        terminal.until(PROMPT)
        for key in ("v", "s"):
            terminal.type(key)
            assert terminal.until(key) == key
        terminal.type("\x7f")
        assert terminal.until("\b \b") == "\b \b"
        terminal.type("i\r")
        assert terminal.until(PROMPT) == f"i\r\nTiếng Việt.\r\n{PROMPT}"


def test_cr_lf_and_lf_are_each_one_enter(terminal: Terminal) -> None:
    with served(terminal.path):
        terminal.until(PROMPT)
        terminal.type("en\r\nvi\nascii\r")
        assert terminal.until(f"khong dau.\r\n{PROMPT}").count(PROMPT) == 3


def test_noise_and_breaks_do_not_end_the_console(terminal: Terminal) -> None:
    with served(terminal.path) as console:
        terminal.until(PROMPT)
        terminal.type(bytes(range(256)) * 20 + b"\r")
        terminal.until(PROMPT)
        assert console.is_alive()
        terminal.type("\x03en\r")
        terminal.until(f"English.\r\n{PROMPT}")


def test_what_is_shown_is_the_station_as_it_is_now(terminal: Terminal) -> None:
    views = iter([View(Absence.NOT_RUNNING, None), View(Absence.STALE, None)])
    with served(terminal.path, look=lambda: next(views)):
        terminal.until(PROMPT)
        assert terminal.ask("tt")[0] == "Chương trình của trạm không chạy: không phát được gì."
        assert terminal.ask("tt")[0].startswith("Chương trình của trạm không trả lời")


def test_after_a_goodbye_the_next_key_brings_the_banner_back(terminal: Terminal) -> None:
    with served(terminal.path):
        terminal.until(PROMPT)
        terminal.type("q\r")
        assert PROMPT not in terminal.until("Enter để vào lại.\r\n")
        assert NAME in "".join(terminal.ask(""))


def test_a_line_that_hangs_up_is_opened_again(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    first, second = Terminal(), Terminal()
    port.symlink_to(first.path)
    with served(port), closing(second):
        first.until(PROMPT)
        first.ask("en")
        port.unlink()
        first.close()
        port.symlink_to(second.path)
        assert "trợ giúp" in second.until(PROMPT), "a new line begins in the station's own language"
        assert second.ask("en") == ["English."]


def test_a_port_that_is_plugged_in_later_is_found_and_meanwhile_that_is_said_in_vietnamese(
    tmp_path: Path, terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    port = tmp_path / "ttyUSB0"
    with served(port) as console:
        until(lambda: "tự thử lại: xem đúng tên cổng chưa" in caplog.text)
        assert console.is_alive()
        port.symlink_to(terminal.path)
        terminal.until(PROMPT)


def test_a_speed_that_the_driver_does_not_know_is_no_end(terminal: Terminal) -> None:
    with served(terminal.path, baud=-1) as console:
        console.join(0.2)
        assert console.is_alive()


def test_a_terminal_that_takes_nothing_loses_its_line_and_not_the_console(terminal: Terminal) -> None:
    with served(terminal.path, write_s=0.2) as console:
        terminal.until(PROMPT)
        for _ in range(40):
            terminal.type("?\r" * 10)  # 40 × 10 helps fill any buffer
            console.join(0.05)
        assert console.is_alive()
        assert terminal.until("===\r\n")
        terminal.type("\x03\r")
        terminal.until(f"\r\n{PROMPT}")


class FakeSlowPort:
    """A line of 9600 baud, in virtual time: as a port it gives up what takes longer than it may wait."""

    def __init__(self) -> None:
        self.taken = b""
        self.now_s = 0.0
        self.stop_behind: int | None = None
        self.stop = threading.Event()

    def write(self, piece: bytes) -> None:
        if len(piece) * BITS_A_BYTE / 9_600 > WRITE_S:
            raise LineLost("Write timeout")
        self.taken += piece
        self.now_s += len(piece) * BITS_A_BYTE / 9_600
        if self.stop_behind is not None and len(self.taken) >= self.stop_behind:
            self.stop.set()


def test_a_long_answer_on_a_slow_line_is_heard_to_its_end() -> None:
    """Eighteen broadcasts in as many zones as a station may have take more than a minute."""
    port = FakeSlowPort()
    serial_line._say(port, "ự" * 32_000, port.stop, lambda: port.now_s)  # type: ignore[arg-type]
    assert port.taken.decode() == "ự" * 32_000


def test_a_paste_of_a_thousand_commands_keeps_nobody_from_the_console() -> None:
    port = FakeSlowPort()
    with pytest.raises(LineLost):
        serial_line._say(port, "x" * 1_000_000, port.stop, lambda: port.now_s)  # type: ignore[arg-type]
    assert port.now_s < ANSWER_S + 1


def test_a_stop_waits_for_no_long_answer() -> None:
    port = FakeSlowPort()
    port.stop_behind = 1_000
    serial_line._say(port, "x" * 100_000, port.stop)  # type: ignore[arg-type]
    assert len(port.taken) < 2_000


def test_two_consoles_do_not_share_a_line(terminal: Terminal) -> None:
    with served(terminal.path):
        terminal.until(PROMPT)
        with pytest.raises(serial.SerialException):
            serial.Serial(terminal.path, exclusive=True)


def test_a_stopped_console_gives_the_line_back(terminal: Terminal) -> None:
    with served(terminal.path):
        terminal.until(PROMPT)
    with closing(serial.Serial(terminal.path, exclusive=True)) as port:
        port.write(b"mine")
        terminal.until("mine")


def test_a_line_that_returns_all_we_say_falls_silent(terminal: Terminal) -> None:
    """A loopback plug, water in the connector, a modem with echo: our own words come back as commands."""
    with served(terminal.path):
        returned = 0
        while piece := terminal.read(quiet_s=2):
            returned += len(piece)
            assert returned < 20_000, "the line talks to itself for ever"
            terminal.type(piece)
        assert returned > UNKNOWN_MAX * len(PROMPT)
        terminal.type("\x03en\r")
        terminal.until(f"English.\r\n{PROMPT}")
