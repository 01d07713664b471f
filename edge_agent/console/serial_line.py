"""Serve the console on a serial port, for as long as the process lives: opens it, echoes, answers, opens it again.

What a line means and how it is answered, ``commands`` decides; what keys make a line, ``line_editor``. A port that goes
away, hangs or was never there is waited for: an adapter may be plugged in years after the station was put up.
"""

from __future__ import annotations

import contextlib
import logging
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import serial

from edge_agent.console.commands import Session, banner, respond
from edge_agent.console.line_editor import LineEditor
from edge_agent.console.screen import View

READ_S = 0.5
# How long a stop may have to wait for a silent port; waking twice a second costs nothing that can be measured.
READ_BYTES_MAX = 1_024
WRITE_S = 10
WRITE_BYTES = 256
# A terminal that takes nothing for longer is gone. It holds for so many bytes, 9 s at 300 baud: the longest answer (18
# broadcasts in 64 zones) is 95 kB, and takes 99 s at 9600.
ANSWER_S = 120
# What was typed at once is answered within this, or the line is begun anew, and what else was typed forgotten: a paste
# of a thousand commands must not keep the console from whoever comes next.
REOPEN_S = 2
# So often a missing port is looked for.
PROMPT = "loa> "

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """A serial port by its device file, and its speed in baud; always 8 data bits, no parity, 1 stop bit.

    ``write_s`` is how long a terminal may take nothing, ``reopen_s`` how often a lost port is looked for.
    """

    port: str
    baud: int = 115_200
    write_s: float = WRITE_S
    reopen_s: float = REOPEN_S


class LineLost(Exception):
    """The port cannot be opened, has gone away, or takes nothing any more."""


class _Port:
    """An open port. Every method but ``close`` raises LineLost."""

    def __init__(self, line: Line) -> None:
        try:
            # Exclusive: two consoles on one line would answer each other's letters.
            self._serial = serial.Serial(
                line.port, line.baud, timeout=READ_S, write_timeout=line.write_s, exclusive=True
            )
            _take_breaks_for_noise(self._serial.fileno())
        except (*_LOST, ValueError) as exc:  # ValueError: a speed that the driver does not know
            raise LineLost(str(exc)) from exc

    def read(self) -> bytes:
        """What has come; b"" when nothing came for READ_S."""
        try:
            first: bytes = self._serial.read(1)
            rest: bytes = self._serial.read(min(self._serial.in_waiting, READ_BYTES_MAX))
        except _LOST as exc:
            raise LineLost(str(exc)) from exc
        return first + rest

    def write(self, piece: bytes) -> None:
        """Send something, b"" included."""
        try:
            self._serial.write(piece)
        except _LOST as exc:
            raise LineLost(str(exc)) from exc

    def close(self) -> None:
        self._serial.close()


_LOST = (OSError, termios.error)
"""How a port says that it is gone; pyserial's own exception is an OSError, but it lets the other through."""


def _take_breaks_for_noise(fd: int) -> None:
    """A break (a plug pulled, a wrong speed) is a zero byte. Where a login line left BRKINT, it empties both queues."""
    iflag, *others = termios.tcgetattr(fd)
    termios.tcsetattr(fd, termios.TCSANOW, [iflag & ~termios.BRKINT, *others])


def serve(line: Line, fresh: Session, look: Callable[[], View], stop: threading.Event) -> None:
    """Talk until ``stop`` is set. Every opening of the port begins with ``fresh``."""
    told = ""
    while not stop.is_set():
        try:
            with contextlib.closing(_Port(line)) as port:
                log.info("console open port=%s baud=%d", line.port, line.baud)
                told = ""
                _talk(port, fresh, look, stop)
        except LineLost as exc:
            if str(exc) != told:
                told = str(exc)
                # All that a technician sees of a mistyped port, or of one that is in use.
                next_try = f"tried every {line.reopen_s:g} s, tự thử lại: xem đúng tên cổng chưa, ai đang dùng cổng"
                log.warning("console closed port=%s error=%r next=%s", line.port, told, next_try)
            stop.wait(line.reopen_s)


def _talk(port: _Port, session: Session, look: Callable[[], View], stop: threading.Event) -> None:
    editor = LineEditor()
    _say(port, "\r\n" + _paragraph(banner(session)) + PROMPT, stop)
    while not stop.is_set():
        echo, lines = editor.feed(port.read())
        was_muted = session.muted
        answers = ""
        for typed in lines:
            session, answer = respond(session, typed, look)
            answers += _paragraph(answer) + ("" if session.away else PROMPT)
        if not (was_muted and session.muted):
            _say(port, echo + answers, stop)
    port.write(b"\r\n")


def _say(port: _Port, text: str, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
    """Send a text in pieces, so that it may take its time on a slow line, and a stop does not wait for its end."""
    rest, until = memoryview(text.encode()), clock() + ANSWER_S
    while rest and not stop.is_set():
        if clock() > until:
            raise LineLost(f"more to say than {ANSWER_S} s hold")
        port.write(bytes(rest[:WRITE_BYTES]))
        rest = rest[WRITE_BYTES:]


def _paragraph(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
