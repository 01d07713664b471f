"""Lines of the kernel's own GPIO simulator: what is driven is told by the kernel's trace, what is read in can be set.

The trace tells every order that a line gets to the microsecond. What it does not tell is the fall of a line that a dead
process leaves to the kernel, so the levels are also looked at, every few milliseconds, and the two are laid together.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = Path("/sys/kernel/config/gpio-sim")
TRACING = Path("/sys/kernel/tracing")
LINES = 54
# As many as a Raspberry Pi's header chip has.
LOOK_S = 0.02
LABEL = "pinctrl-bcm2835"

needs_gpio_sim = pytest.mark.skipif(
    not os.access(CONFIG, os.W_OK), reason=f"no gpio-sim here: {CONFIG} is not writable; ./run hil has one"
)
_EVENT = re.compile(r"\s(?P<at>\d+\.\d+): gpio_value: (?P<gpio>\d+) set (?P<level>[01])$")
_BASE = re.compile(r"^(?P<chip>gpiochip\d+): (?:GPIOs )?(?P<base>\d+)-\d+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Level:
    """A line's level from ``at_ms`` (boot time) on; ``traced`` where the kernel says so itself."""

    line: int
    high: bool
    at_ms: float
    traced: bool


class SimulatedChip:
    """A context manager: on entering the chip is there, on leaving it is gone."""

    def __init__(self, name: str = "bench") -> None:
        self._config = CONFIG / name
        self._bank = self._config / "bank0"
        self._looks: list[Level] = []
        self._resting: dict[int, bool] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SimulatedChip:
        self._bank.mkdir(parents=True)
        (self._bank / "num_lines").write_text(str(LINES))
        (self._bank / "label").write_text(LABEL)
        (self._config / "live").write_text("1")
        self.chip = (self._bank / "chip_name").read_text().strip()
        device = (self._config / "dev_name").read_text().strip()
        self._lines = Path(f"/sys/devices/platform/{device}/{self.chip}")
        return self

    def __exit__(self, *_: object) -> None:
        self.unwatch()
        (self._config / "live").write_text("0")
        self._bank.rmdir()
        self._config.rmdir()

    @property
    def path(self) -> str:
        """The device that a station's file names."""
        return f"/dev/{self.chip}"

    def high(self, line: int) -> bool:
        """The line's level now, whoever drives it."""
        return (self._lines / f"sim_gpio{line}" / "value").read_text().strip() == "1"

    def pull(self, line: int, *, up: bool) -> None:
        """What stands at the other end of a line that is read in."""
        (self._lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")

    def watch(self, *lines: int) -> None:
        """From now on every change of these lines is kept."""
        self.unwatch()
        self._looks = []
        (TRACING / "trace_clock").write_text("boot")
        (TRACING / "trace").write_text("")
        (TRACING / "events/gpio/gpio_value/enable").write_text("1")
        (TRACING / "tracing_on").write_text("1")
        self._resting = {line: self.high(line) for line in lines}
        self._ended.clear()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def unwatch(self) -> None:
        """What was seen stays."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def changes(self) -> list[Level]:
        """Every change of the watched lines since they are watched, in order."""
        return changes(sorted([*self._traced(), *self._looks], key=lambda one: one.at_ms), self._resting)

    def _traced(self) -> list[Level]:
        base = self._base()
        events = (_EVENT.search(line) for line in (TRACING / "trace").read_text().splitlines())
        found = [
            Level(int(event["gpio"]) - base, event["level"] == "1", float(event["at"]) * 1000, traced=True)
            for event in events
            if event
        ]
        return [one for one in found if one.line in self._resting]

    def _base(self) -> int:
        text = Path("/sys/kernel/debug/gpio").read_text()
        return next(int(found["base"]) for found in _BASE.finditer(text) if found["chip"] == self.chip)

    def _look(self) -> None:
        last = dict(self._resting)
        while not self._ended.wait(LOOK_S):
            for line in last:
                # The instant before the look: what the trace tells after it happened after it.
                at_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6
                high = self.high(line)
                if last[line] != high:
                    last[line] = high
                    self._looks.append(Level(line, high, at_ms, traced=False))


def changes(seen: list[Level], resting: Mapping[int, bool]) -> list[Level]:
    """Out of all that was seen, in order, only what changed; ``resting`` is each line's level before.

    What a look saw counts where the trace is silent about it: it is late by as much as looks are apart, and one that
    was taken while a traced change happened is that change.
    """
    state = dict(resting)
    found: list[Level] = []
    for index, one in enumerate(seen):
        if state[one.line] == one.high:
            continue
        if not one.traced and _told_soon(seen[index + 1 :], one):
            continue
        state[one.line] = one.high
        found.append(one)
    return found


def _told_soon(later: list[Level], look: Level) -> bool:
    """Whether the trace tells the same change within the time that a look may take."""
    for one in later:
        if one.at_ms > look.at_ms + 4 * LOOK_S * 1000:
            return False
        if one.traced and one.line == look.line:
            return one.high == look.high
    return False
