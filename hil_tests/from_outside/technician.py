"""A technician's terminal at the plug of a station's serial line: what is typed there, and what it shows.

A machine holds the line's own end of a host pty; a person plugs in by opening the other. Bytes are taken no faster
than the line's speed would bring them: a pty itself has none. Nor does it pass a break on, or spoil what is typed at
another speed: there that is typed as what a UART makes of it. At a real station's line an adapter does all this.
"""

from __future__ import annotations

import os
import pty
import random
import select
import termios
import time
import tty
from abc import ABC, abstractmethod

import serial

from hil_tests.drivers.person import Person

PROMPT = "loa> "
PATIENCE_S = 60
# Only bounds a hanging test.
BITS_PER_BYTE = 10
# A start bit, eight of data, a stop bit.
TICK_S = 0.02
NOISE_BYTES = 400
BREAK_S = 0.25
# As terminal programs send it.


class Plug(ABC):
    """A serial line of the station, from outside."""

    def __init__(self, descriptor: int, speed: int) -> None:
        self.speed = speed
        self.seen = b""
        self._fd = descriptor

    @abstractmethod
    def pull_cable(self) -> None:
        """A line of three wires tells nobody."""

    @abstractmethod
    def put_cable_back(self) -> None:
        """Nothing that was said before is shown."""

    @abstractmethod
    def type_among_breaks(self, keys: str) -> None:
        """Each key between two breaks."""

    @abstractmethod
    def make_noise(self) -> None:
        """What somebody types whose terminal has another speed; no line ends in it."""

    def type(self, keys: str | bytes) -> None:
        """At the line's speed, as a line would take them."""
        left = keys.encode() if isinstance(keys, str) else keys
        while left:
            at_once = self._in_a_tick()
            left = left[os.write(self._fd, left[:at_once]) :]
            time.sleep(TICK_S)

    def until(self, words: str, within_s: float = PATIENCE_S) -> str:
        """Everything up to and including ``words``, as UTF-8 that is whole."""
        end = time.monotonic() + within_s
        while (at := self.seen.find(words.encode())) < 0:
            assert time.monotonic() < end, f"no {words!r} in {self.seen.decode(errors='replace')!r}"
            self.seen += self._take()
        at += len(words.encode())
        found, self.seen = self.seen[:at], self.seen[at:]
        return found.decode()

    def ask(self, line: str) -> list[str]:
        """The lines of the answer; the terminal stands at the prompt."""
        self.type(f"{line}\r")
        echo, *answer = self.until(f"\r\n{PROMPT}").split("\r\n")
        assert echo == line
        return answer[:-1]

    def begin_anew(self) -> None:
        """Whatever went before: the line is begun anew, and the station stands at its prompt."""
        self.type("\x03vi\r")
        self.until(f"Tiếng Việt.\r\n{PROMPT}")
        assert self.quiet() == b""

    def wait_for_the_banner(self) -> None:
        """Of a line that is opened anew, and its prompt; what comes before may be cut anywhere."""
        end = time.monotonic() + PATIENCE_S
        seen = b""
        while not seen.endswith(b"for English\r\n" + PROMPT.encode()):
            assert time.monotonic() < end, f"no banner in {seen.decode(errors='replace')!r}"
            seen += self._take()

    def quiet(self, seconds: float = 1.0) -> bytes:
        """What comes for so long, nothing being typed."""
        end = time.monotonic() + seconds
        found, self.seen = self.seen, b""
        while time.monotonic() < end:
            found += self._take()
        return found

    def _take(self) -> bytes:
        time.sleep(TICK_S)
        ready = select.select([self._fd], [], [], 0)[0]
        return os.read(self._fd, self._in_a_tick()) if ready else b""

    def _in_a_tick(self) -> int:
        return max(1, round(self.speed / BITS_PER_BYTE * TICK_S))


class MachinePlug(Plug):
    """A line of a machine; ``machine_end`` is passed to it."""

    def __init__(self, speed: int) -> None:
        self.machine_end, ours = pty.openpty()
        tty.setraw(ours)  # the line itself neither echoes nor translates; what the console sets is inside
        self._path = os.ttyname(ours)
        super().__init__(ours, speed)

    def plug_in(self) -> None:
        """A person comes; nothing that was said before is shown."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)
        self.seen = b""

    def hang_up(self) -> None:
        """The plug is pulled."""
        os.close(self._fd)

    def pull_cable(self) -> None:
        self.hang_up()

    def put_cable_back(self) -> None:
        self.plug_in()

    def type_among_breaks(self, keys: str) -> None:
        termios.tcsendbreak(self._fd, 0)
        assert self.quiet() == b"", "the machine's line has passed a break on: test it itself"
        self.type(b"".join(b"\0%c\0" % key for key in keys.encode()))

    def make_noise(self) -> None:
        self.type(random.Random(self.speed).randbytes(NOISE_BYTES).translate(None, b"\r\n") + b"\xff")


class Adapter(Plug):
    """A real serial adapter of this computer, wired to a station's port; a person pulls its cable."""

    def __init__(self, device: str, speed: int, person: Person) -> None:
        self._person = person
        self._serial = serial.Serial(device, speed, exclusive=True)
        super().__init__(self._serial.fileno(), speed)

    def close(self) -> None:
        self._serial.close()

    def pull_cable(self) -> None:
        self._person.do("Rút dây nối tiếp khỏi trạm", "pull the serial cable out of the station")

    def put_cable_back(self) -> None:
        self._person.do("Cắm lại dây nối tiếp", "put the serial cable back")
        self.seen = b""

    def type_among_breaks(self, keys: str) -> None:
        for key in keys:
            self._break()
            self.type(key)
            self._break()

    def make_noise(self) -> None:
        """Half as fast, or twice where that is none: a much slower one is nothing but breaks to the station."""
        termios.tcdrain(self._fd)
        self._serial.baudrate = self.speed // 2 if self.speed > 9_600 else self.speed * 2
        self.type(random.Random(self.speed).randbytes(NOISE_BYTES).translate(None, b"\r\n"))
        termios.tcdrain(self._fd)
        self.quiet()  # what the station says meanwhile is noise here
        self._serial.baudrate = self.speed

    def _break(self) -> None:
        termios.tcdrain(self._fd)
        self._serial.send_break(BREAK_S)
