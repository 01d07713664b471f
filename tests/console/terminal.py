"""A technician's terminal at the far end of a real pty pair, with the console served on the near one."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent.console.commands import new_session
from edge_agent.console.screen import View
from edge_agent.console.serial_line import Line, serve
from edge_agent.console.words import Language
from tests.console.pictures import NAME, SITE, status

PATIENCE_S = 30
# Only bounds a hanging test; an answer comes within milliseconds.
PROMPT = "loa> "


class Terminal:
    """One pty pair. ``path`` is the station's end, everything else is the technician's."""

    def __init__(self) -> None:
        self._fd, station = os.openpty()
        tty.setraw(station)  # a serial line neither echoes nor translates; pyserial sets the same when it opens
        self.path = os.ttyname(station)
        os.close(station)
        self.seen = ""

    def type(self, keys: str | bytes) -> None:
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def read(self, quiet_s: float) -> bytes:
        """What comes next; b"" when nothing came for so long, as from a station that has not opened its end."""
        deadline = time.monotonic() + quiet_s
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                try:
                    return os.read(self._fd, 65_536)
                except OSError:  # EIO: nobody has opened the other end yet, or any more; select does not wait for it
                    time.sleep(0.01)
        return b""

    def until(self, words: str) -> str:
        """Everything up to and including ``words``."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.seen:
            assert time.monotonic() < deadline, f"no {words!r} in {self.seen!r}"
            self.seen += self.read(0.1).decode("utf-8", "replace")
        found, _, self.seen = self.seen.partition(words)
        return found + words

    def ask(self, line: str) -> list[str]:
        """The lines of the answer to a command; the terminal must be at the prompt."""
        self.type(line + "\r")
        return self.until("\r\n" + PROMPT).split("\r\n")[1:-1]

    def leave_as_a_login_line(self) -> None:
        """As getty or a modem left it: cooked, echoing, with flow control, 7 bits, parity, and signals."""
        iflag, oflag, cflag, lflag, *rest = self.settings()
        iflag |= termios.IXON | termios.IXOFF | termios.BRKINT | termios.ICRNL | termios.ISTRIP
        lflag |= termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN
        cflag = cflag & ~termios.CSIZE | termios.CS7 | termios.PARENB | termios.CSTOPB
        termios.tcsetattr(self._fd, termios.TCSANOW, [iflag, oflag | termios.OPOST, cflag, lflag, *rest])

    def settings(self) -> list[Any]:
        """The line's own settings, which both ends of a pty share: what the station has made of them."""
        return termios.tcgetattr(self._fd)

    def close(self) -> None:
        """Hang up."""
        os.close(self._fd)


HEALTHY = View(status(), device_up=True)


@contextmanager
def served(
    port: str | Path, baud: int = 115_200, look: Callable[[], View] = lambda: HEALTHY, write_s: float = PATIENCE_S
) -> Iterator[threading.Thread]:
    """The console on ``port`` in a thread of its own, stopped cleanly at the end."""
    stop = threading.Event()
    line = Line(str(port), baud, write_s=write_s, reopen_s=0.02)
    thread = threading.Thread(target=serve, args=(line, new_session(SITE, NAME, Language.VI), look, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the console did not stop"
