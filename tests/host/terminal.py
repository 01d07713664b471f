"""A person at a terminal: a program that has one, what is typed there, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios

from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE

WAIT_S = 120  # only so that a hanging test ends: with a real passphrase a command works for seconds


def unattended() -> dict[str, str]:
    """This process's environment, with no file named in it."""
    named = (FILE_VARIABLE, NEW_FILE_VARIABLE)
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"}
    return {name: value for name, value in os.environ.items() if name not in named} | path


class Person:
    """Somebody at a terminal of its own, which shows what it would show."""

    def __init__(self, *words: str) -> None:
        self._screen, line = pty.openpty()

        def sit_down() -> None:
            fcntl.ioctl(line, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=line,
            stdout=line,
            stderr=line,
            env=unattended(),
            start_new_session=True,
            preexec_fn=sit_down,
        )
        os.close(line)
        self.seen = ""

    def answer(self, prompt: str, *secrets: str) -> None:
        """Type each of these when asked for ``prompt`` again."""
        for secret in secrets:
            begun = len(self.seen)
            while prompt not in self.seen[begun:]:
                assert self._look(), self.seen
            os.write(self._screen, f"{secret}\n".encode())

    def leave(self) -> int:
        while self._look():
            pass
        os.close(self._screen)
        return self.process.wait(WAIT_S)

    def _look(self) -> bool:
        if not select.select([self._screen], [], [], WAIT_S)[0]:
            return False
        try:
            shown = os.read(self._screen, 4_096)
        except OSError:  # the last one has closed it
            return False
        self.seen += shown.decode(errors="replace")
        return bool(shown)
