"""What the kernel says of the system clock's discipline (every NTP client reports to it): asked, or told by another.

One system call both reads the kernel's clock and turns it, and a filter of calls cannot tell the two apart. So the
agent's unit forbids it altogether, and ``edge-agent-clock.service``, which has nothing else, asks once a minute, and
when the clock is set, and leaves the answer in a file. Whether NTP is to be believed is ``core.clock_trust``'s.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge_agent import plain_file
from edge_agent.boot_time import boot_ms

REPORT = Path("/run/edge-agent-clock/report")
REPORT_BYTES_MAX = 100
# Four numbers, the longest of 20 digits.
REPORT_AGE_MS_MAX = 150_000
# The timer's minute, one missed, and the half that a slow board may need; then nobody disciplines a clock for us.
SLEW_PPM_MAX = 500
# The kernel turns its clock no faster (adjtimex(2)), and lets its own bound of error grow by as much.
ROUNDING_MS = 2

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
# What adjtimex answers with while nobody disciplines the clock.


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` (adjtimex(2)); the kernel writes beyond it, hence the tail."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("tail", ctypes.c_byte * 256),
    ]


@dataclass(frozen=True, slots=True)
class KernelSync:
    """What the kernel says of the system clock's discipline; ``max_error_ms`` is meant only while synchronised."""

    synchronised: bool
    max_error_ms: int


NOT_SYNCHRONISED = KernelSync(False, 0)


@dataclass(frozen=True, slots=True)
class Instant:
    """Boot time and the system's UTC, read together (ms)."""

    boot_ms: int
    utc_ms: int


def instant() -> Instant:
    """This one."""
    return Instant(boot_ms(), time.time_ns() // 1_000_000)


def kernel_sync() -> KernelSync:
    """Ask the kernel, or, where this process may not, what was reported of it."""
    return asked_or_told(ask(), REPORT)


def asked_or_told(asked: KernelSync | None, file: Path) -> KernelSync:
    """The kernel's own answer, where there was one; only without it is the report read."""
    return told(file, instant()) if asked is None else asked


def ask() -> KernelSync | None:
    """Ask the kernel (adjtimex, read only); None where this process may not."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    synchronised = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return KernelSync(synchronised, int(timex.maxerror) // 1000)


def report(sync: KernelSync, at: Instant) -> str:
    """The report's one line: boot time, UTC, 1 if synchronised, largest error; milliseconds."""
    return f"{at.boot_ms} {at.utc_ms} {int(sync.synchronised)} {sync.max_error_ms}\n"


def told(file: Path, now: Instant) -> KernelSync:
    """What the report says, if it is fresh, and the system clock has only been slewed since: not a stepped clock's."""
    try:
        with plain_file.begin(file) as opened:
            boot_ms, utc_ms, synchronised, max_error_ms = (int(word) for word in opened.read(REPORT_BYTES_MAX).split())
    except (OSError, ValueError):
        return NOT_SYNCHRONISED
    age_ms = now.boot_ms - boot_ms
    if not 0 <= age_ms <= REPORT_AGE_MS_MAX or max_error_ms < 0:
        return NOT_SYNCHRONISED
    grown_ms = age_ms * SLEW_PPM_MAX // 1_000_000 + ROUNDING_MS
    if abs(now.utc_ms - utc_ms - age_ms) > grown_ms:
        return NOT_SYNCHRONISED
    return KernelSync(synchronised == 1, max_error_ms + grown_ms)


def leave(asked: KernelSync | None, file: Path) -> int:
    """Leave a report in ``file``, whole or not at all; the exit status."""
    if asked is None:
        print("the kernel's clock may not be read", file=sys.stderr)
        return 1
    draft = file.with_suffix(".new")
    draft.write_text(report(asked, instant()), "ascii")
    os.replace(draft, file)
    return 0


if __name__ == "__main__":
    sys.exit(leave(ask(), Path(sys.argv[1])))
