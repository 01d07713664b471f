"""Decide how the head of an answer is read: line by line, and nobody asks what type its body says it has.

``http.client`` hands a head to the library's reader of mail, and that takes a ``multipart`` type as mail has it: 60 kB
of semicolons in it are four seconds of a PC's core, and in Debian 12's Python two boundaries, one with a number and one
without, are a TypeError, which ended the process. Nothing here means anything by a type: a digest says what has come.
"""

from __future__ import annotations

import io
import re
from http.client import HTTPResponse, HTTPSConnection
from typing import Any

TYPE = re.compile(rb"content-type:", re.IGNORECASE)
# Wherever in a line: for mail a lone carriage return begins another one.


class _Untyped(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        """A type goes by another name; what is folded into the next line goes with it."""
        return TYPE.sub(b"X-Type:", super().readline(size))


class _PlainAnswer(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = _Untyped(self.fp.detach())


class PlainConnection(HTTPSConnection):
    """``http.client``'s, on a line that it is given: by itself it would connect again, with no deadline."""

    response_class = _PlainAnswer
    auto_open = 0
