"""A terminal with a person at it who follows a script: is asked, and types what the script says or nothing."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ASKED = re.compile(r">> (.*)\Z", re.DOTALL)
LOOK_S = 0.05
ENDS_S_MAX = 120
Script = Callable[[str], str | None]
"""What is typed at a question; None where nobody answers."""


class Terminal:
    """A context manager; ``path`` is its device, ``asked`` all that was asked there."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._person, self.end = pty.openpty()
        self.path = os.ttyname(self.end)
        self.asked: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sit, daemon=True)

    def __enter__(self) -> Terminal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._person)
        os.close(self.end)

    def _sit(self) -> None:
        heard = ""
        while not self._ended.is_set():
            if not select.select([self._person], [], [], LOOK_S)[0]:
                continue
            heard += os.read(self._person, 4_096).decode(errors="replace").replace("\r", "")
            question = ASKED.search(heard)
            if question and heard.endswith(": "):
                self.asked.append(question[1])
                heard = ""
                if (typed := self._script(question[1])) is not None:
                    os.write(self._person, f"{typed}\n".encode())


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    status: int
    said: str


def at(terminal: Terminal | None, command: Sequence[str], env: Mapping[str, str]) -> Done:
    """Run it with that terminal as its own, or with none at all; its output is not the terminal."""

    def take() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL if terminal is None else terminal.end,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env, "PYTEST_ADDOPTS": ""},
        start_new_session=True,
        preexec_fn=None if terminal is None else take,
        timeout=ENDS_S_MAX,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"))


def pytest_of(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *words]
