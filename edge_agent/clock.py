"""Read the clocks of this machine and keep the station's own UTC. Which reading to believe is ``core.clock_trust``'s.

The system clock is only ever read, never set: the station's UTC is boot time plus an offset, so that a step of the
system clock moves nothing that plays.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from edge_agent import boot_time
from edge_agent.clock_chip import Chip, read_chip
from edge_agent.core import clock_trust
from edge_agent.core.clock_trust import DATELESS, ClockSource, ClockState, KeptTime, Now
from edge_agent.core.units import SECOND_MS, MonoMs, UtcMs
from edge_agent.ntp import KernelSync, kernel_sync

RTC_ERROR_MS = 30 * SECOND_MS
# A DS3231 drifts 2 ppm, one minute a year; half a year between syncs is the most a station in use sees.
CHIP_APART_MS_MAX = 60 * SECOND_MS
# The kernel sets its clock by the chip at each boot; a week later a crystal of 100 ppm is so far from it, and with the
# chip's own error the timetable's bound still holds. Further apart, one of them is wrong, and nobody knows which.
CHIP_AWAIT_MS = 60 * SECOND_MS
# Of boot time: the kernel's driver may come later than we do (it waits for its bus). Beyond that nobody looks for it
# again: whoever sets clocks by hand would set what plays.
NTP_CHECK_MS = 60 * SECOND_MS
# chrony and timesyncd poll every 64 s at the shortest.
NTP_AWAIT_MS = 2 * SECOND_MS
# While the time is not trusted: what is due just after a boot should not be late by a minute for want of a question.
BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
BOOT_ID_VARIABLE = "BOOT_ID"

log = logging.getLogger(__name__)


def boot_ms() -> MonoMs:
    """Boot time, as the core takes it."""
    return MonoMs(boot_time.boot_ms())


def system_utc_ms() -> UtcMs:
    """What the system clock says, believed or not."""
    return UtcMs(time.time_ns() // 1_000_000)


def kernel_boot_id(file: Path = BOOT_ID_FILE) -> str | None:
    """The kernel's own name for this boot, a new UUID each time (random(4)); None where it cannot be read.

    The agent's unit hides the file with the rest of the machine's /proc, and passes what stands in it.
    """
    told = os.environ.get(BOOT_ID_VARIABLE)
    try:
        return str(UUID(file.read_text("ascii").strip() if told is None else told))
    except (OSError, ValueError) as error:
        log.warning("boot id unreadable error=%s next=a new process will not know the time by itself", error)
        return None


@dataclass(frozen=True, slots=True)
class Readings:
    """What a station reads: boot time (ms), the system's UTC (ms), how well that is disciplined, which boot it is, the
    clock chip."""

    boot: Callable[[], MonoMs] = boot_ms
    utc: Callable[[], UtcMs] = system_utc_ms
    sync: Callable[[], KernelSync] = kernel_sync
    boot_id: Callable[[], str | None] = kernel_boot_id
    chip: Callable[[], Chip | None] = read_chip


THIS_MACHINE = Readings()


class StationClock:
    """The station's clock: one ``now()`` for every decision. Safe to call from any thread."""

    def __init__(
        self,
        *,
        ntp: bool,
        rtc: bool,
        floor: UtcMs,
        kept: KeptTime | None = None,
        readings: Readings = THIS_MACHINE,
    ) -> None:
        """``floor`` is the last signed time, 0 before the first: neither chip nor NTP is believed behind it.

        ``kept`` is what an earlier process has kept of it.
        """
        self._lock = threading.Lock()
        self._ntp = ntp
        self._rtc = rtc
        self._floor = floor
        self._readings = readings
        self._checked: MonoMs | None = None
        self._disbelieves = False
        self._chip_trouble = ""
        self._boot_id = readings.boot_id()
        self._clock = self._at_start(kept)
        self.kept: KeptTime | None = None
        """The last welcome, for the next process in this boot; None before the first, or where the boot has no name."""

    def now(self) -> Now:
        """This instant, and how far it is trusted."""
        mono = self._readings.boot()
        with self._lock:
            if self._ask_again(mono):
                self._checked = mono
                self._check_chip()
                self._check_ntp()
            return self._clock.read(mono)

    def adopt_signed(self, utc: UtcMs, asked_at: MonoMs, floor: UtcMs | None = None) -> Now:
        """A verified welcome says that it was ``utc`` at some moment since ``asked_at``.

        From then on nothing is believed that is before ``floor``, or else ``utc``.
        """
        mono = self._readings.boot()
        round_trip_ms = max(0, mono - asked_at)
        with self._lock:
            middle = MonoMs(mono - round_trip_ms // 2)
            self._floor = max(self._floor, utc if floor is None else floor)
            self._clock = clock_trust.adopt_signed(self._clock, utc, middle, round_trip_ms)
            self._keep(middle, utc, round_trip_ms)
            return self._clock.read(mono)

    def hold_to(self, floor: UtcMs) -> None:
        """What is believed has changed, or who told the time: NTP is held to this from here on, be it earlier."""
        with self._lock:
            self._floor, self._checked = floor, None

    def _keep(self, middle: MonoMs, utc: UtcMs, round_trip_ms: int) -> None:
        """For the next process: signed time as this one has it; where NTP or a dispute has the clock, the welcome's."""
        ours = self._clock.read(middle)
        if ours.source is ClockSource.SIGNED:
            utc, round_trip_ms = ours.utc, ours.max_error_ms
        if self._boot_id is not None:
            self.kept = KeptTime(self._boot_id, middle, utc, round_trip_ms)

    def _ask_again(self, mono: MonoMs) -> bool:
        pause_ms = NTP_CHECK_MS if self._clock.read(mono).trusted else NTP_AWAIT_MS
        return self._checked is None or mono - self._checked >= pause_ms

    def _check_chip(self) -> None:
        """Take over the system clock where a chip that was not there at the start vouches for it now."""
        mono, utc = self._readings.boot(), self._readings.utc()
        if mono < CHIP_AWAIT_MS and self._clock.source in DATELESS and (found := self._by_chip(utc, mono)) is not None:
            self._clock = found

    def _check_ntp(self) -> None:
        """Take over the system clock while the kernel calls it synchronised, unless that is provably wrong."""
        if not self._ntp:
            return
        sync = self._readings.sync()
        mono, utc = self._readings.boot(), self._readings.utc()
        if not sync.synchronised:
            return
        if utc + sync.max_error_ms < self._floor:
            # Whoever answers NTP here is wrong or lies: signed time has been later than this already.
            if not self._disbelieves:
                log.error("ntp disbelieved utc=%s floor=%s next=wait for a welcome", utc, self._floor)
            self._disbelieves = True
            return
        self._disbelieves = False
        self._clock = clock_trust.adopt_ntp(self._clock, utc, mono, sync.max_error_ms)

    def _at_start(self, kept: KeptTime | None) -> ClockState:
        """What is known before anybody was asked: signed time of this boot, a chip, the floor, or nothing."""
        mono, utc = self._readings.boot(), self._readings.utc()
        resumed = clock_trust.resumed(kept, self._boot_id, mono)
        # What is too old by now is the chip's turn.
        if resumed is not None and (resumed.read(mono).trusted or not self._rtc):
            now = resumed.read(mono)
            log.info("clock goes on from this boot utc=%s max_error_ms=%s", now.utc, now.max_error_ms)
            return resumed
        if (found := self._by_chip(utc, mono)) is not None:
            return found
        return clock_trust.at_floor(self._floor, mono) if self._floor else ClockState(set_at=mono)

    def _by_chip(self, utc: UtcMs, mono: MonoMs) -> ClockState | None:
        """The system clock, if a chip vouches for it. None: there is to be none, it is not there, or not right.

        Without a chip the system's time is that of the last shutdown, and ``rtc = true`` was written by mistake.
        """
        if not self._rtc:
            return None
        chip = self._readings.chip()
        apart_ms = None if chip is None or chip.utc_ms is None else abs(utc - chip.utc_ms)
        if apart_ms is None:
            seen = "there is none" if chip is None else f"{chip.name}: {chip.trouble}"
            trouble = f"clock chip tells no time trouble={seen!r} next=wait for NTP or a welcome, see doctor"
        elif utc < self._floor:
            trouble = "clock chip is behind the last signed time next=wait"
        elif apart_ms > CHIP_APART_MS_MAX:
            trouble = "clock chip is not the system's time next=wait, see doctor"
        else:
            return clock_trust.from_rtc(utc, mono, RTC_ERROR_MS + apart_ms)
        if trouble != self._chip_trouble:  # once, not every two seconds
            log.warning("%s chip=%s utc=%s floor=%s", trouble, chip and chip.utc_ms, utc, self._floor)
        self._chip_trouble = trouble
        return None
