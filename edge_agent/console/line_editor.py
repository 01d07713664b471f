"""Make lines of what is typed at a terminal, and the echo for it. Pure: bytes in, echo and finished lines out.

Copes with whatever a serial line brings: CR, LF or both, cut UTF-8, arrow keys, noise of a wrong speed, breaks.
"""

from __future__ import annotations

import codecs
import unicodedata
from enum import Enum, auto

from edge_agent.console.words import width

LINE_CHARS_MAX = 80
# The longest command has 16 letters; a line longer than the screen is no command.
BELL = "\a"
RUBOUT = "\b \b"
ERASE = frozenset("\b\x7f")
# What terminals send for Backspace, old and new.
DISCARD = frozenset("\x03\x15")
# Ctrl-C and Ctrl-U: begin the line anew.
ESCAPE = "\x1b"


class _Escape(Enum):
    """Where in an escape sequence (arrow and function keys) we are."""

    NONE = auto()
    BEGUN = auto()  # ESC
    SHORT = auto()  # ESC O: one more character
    LONG = auto()  # ESC [: until a final character


class LineEditor:
    """The line being typed."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed: list[str] = []
        self._after_cr = False
        self._escape = _Escape.NONE

    def feed(self, data: bytes) -> tuple[str, list[str]]:
        """What to echo for these bytes, and the lines that they finish. The echo ends each line with CR LF."""
        echo: list[str] = []
        lines: list[str] = []
        for char in self._decoder.decode(data):
            if char == "\n" and self._after_cr:
                self._after_cr = False
                continue
            self._after_cr = char == "\r"
            if char in "\r\n":
                lines.append(self._take())
                echo.append("\r\n")
            else:
                echo.append(self._key(char))
        return "".join(echo), lines

    def _take(self) -> str:
        line = "".join(self._typed)
        self._typed.clear()
        self._escape = _Escape.NONE
        return line

    def _key(self, char: str) -> str:
        """The echo of one key that does not end the line."""
        if self._escape is not _Escape.NONE or char == ESCAPE:
            self._escape = _next_escape(self._escape, char)
            return ""
        if char in ERASE:
            return self._erase()
        if char in DISCARD:
            return RUBOUT * width(self._take())
        if unicodedata.category(char)[0] == "C":
            return ""
        if len(self._typed) >= LINE_CHARS_MAX:
            return BELL
        self._typed.append(char)
        return char

    def _erase(self) -> str:
        """Take back one letter with all its combining marks."""
        erased = ""
        while self._typed and width(erased) == 0:
            erased = self._typed.pop() + erased
        return RUBOUT * width(erased)


def _next_escape(state: _Escape, char: str) -> _Escape:
    if char == ESCAPE:
        return _Escape.BEGUN
    if state is _Escape.BEGUN:
        return {"[": _Escape.LONG, "O": _Escape.SHORT}.get(char, _Escape.NONE)
    if state is _Escape.LONG and not "@" <= char <= "~":
        return _Escape.LONG
    return _Escape.NONE
