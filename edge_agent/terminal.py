"""Decide what becomes of words that a command cannot say: letters no screen has, a reader who left, a full disk.

Both commands end here. "?" is better than nothing on an old screen, and a reader who has gone is no mistake. Where a
disk does not take what was to be told, that is told on stderr, and is no success.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, TextIO, TypeVar, cast

_T = TypeVar("_T")

EXIT_NOT_TOLD = 1
# No more is said of the work: a print may have ended it halfway, and who repeats an order sends it twice.
NOT_TOLD = (
    "lỗi / error: không ghi được kết quả của lệnh / what the command says cannot be written ({why}): dọn chỗ hoặc cho "
    "hiện ra màn hình; việc có thể đã làm, hoặc mới làm một phần, xem lại rồi mới chạy lại / make room, or let it be "
    "shown on the screen; the work may be done, or a part of it: look before you repeat it"
)


def print_on_any() -> None:
    """From now on; of a command that has done its work, and then could not say so, nobody knows what it has done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def status_told(task: Callable[[], int]) -> int:
    """Run the task; its exit status, unless stdout does not take what it says. Other OSErrors go through."""
    if sys.stdout is None:
        return task()  # ``>&-``: nobody wants to hear
    status, stdout = 0, _Stdout(sys.stdout)
    try:
        with contextlib.redirect_stdout(cast("TextIO", stdout)):
            status = task()
            stdout.flush()
    except OSError as error:
        if error is not stdout.refused:
            raise  # a task's own full disk, or its own broken pipe
        _let_go(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return status  # ``edge-agent next | head`` is no mistake
        _complain(NOT_TOLD.format(why=error.strerror))
        return status or EXIT_NOT_TOLD
    return status


class _Stdout:
    """What it did not take it remembers: an OSError does not say of which file it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.refused: OSError | None = None

    def write(self, text: str) -> int:
        return self._remembering(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._remembering(self._stream.flush)

    def _remembering(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except OSError as error:
            self.refused = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _complain(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _let_go(sys.stderr)  # ``> file 2>&1``: the exit status says it


def _let_go(stream: TextIO) -> None:
    """What is left in it must not be tried again when the interpreter ends: that would be another exit status, 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
