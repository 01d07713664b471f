"""Who cuts the station's power and gives it back: a pair of commands, or a person. A machine's own is ``reached``'s.

That it was cut is not believed: whoever uses a switch sees to it that the station fell silent and began another boot.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Protocol

from hil_tests.drivers.person import Person

COMMAND_S_MAX = 30
# uhubctl, a relay board's tool and a smart plug's answer within a few seconds.
SAID_BYTES_MAX = 400


class PowerError(Exception):
    """The switch has not done it; the message says what it said."""


class Power(Protocol):
    """Either returns when it is done, and raises PowerError, or PersonError, where it is not."""

    def off(self) -> None: ...

    def on(self) -> None: ...


class CommandPower:
    """Two commands that the bench's file names, as for ``uhubctl`` or a USB relay board; status 0 is "done"."""

    def __init__(self, off: Sequence[str], on: Sequence[str], at_most_s: float = COMMAND_S_MAX) -> None:
        self._off, self._on = tuple(off), tuple(on)
        self._at_most_s = at_most_s

    def off(self) -> None:
        self._told(self._off)

    def on(self) -> None:
        self._told(self._on)

    def _told(self, command: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self._at_most_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise PowerError(f"the power switch does not work: {exc}") from exc
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()[-SAID_BYTES_MAX:]
            raise PowerError(f"the power switch does not work: {' '.join(command)}: status {done.returncode}: {said}")


class PersonPower:
    """A hand at the plug."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def off(self) -> None:
        self._person.do("Cắt điện trạm NGAY (rút phích, không tắt máy)", "cut the station's power NOW, no shutdown")

    def on(self) -> None:
        self._person.do("Cấp điện lại cho trạm", "give the station its power again")
