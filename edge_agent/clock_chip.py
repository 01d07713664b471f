"""Read the clock chip (RTC) that the kernel has. Whether its time is believed decides ``clock``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHIPS = Path("/sys/class/rtc")


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that the kernel has, by its ``name`` (rtc0); ``utc_ms`` is what it tells, to the second below.

    It tells none, and ``trouble`` says why, when its battery was flat: the kernel knows that it has stopped.
    """

    name: str
    utc_ms: int | None
    trouble: str = ""


def read_chip(chips: Path = CHIPS) -> Chip | None:
    """The first one, as the kernel sets its clock by it at a boot; None where there is none."""
    found = min(chips.glob("rtc*"), default=None)
    if found is None:
        return None
    try:
        return Chip(found.name, int((found / "since_epoch").read_text("ascii")) * 1000)
    except OSError as error:
        return Chip(found.name, None, error.strerror or type(error).__name__)
    except ValueError as error:
        return Chip(found.name, None, str(error))
