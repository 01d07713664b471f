"""The clocks of the station's box: a crystal that drifts, a system clock that somebody may step, a chip or none.

Decides what each clock shows at a true instant; which of them to believe is the station's own business.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.clock import KernelSync, Readings
from edge_agent.clock_chip import Chip
from edge_agent.core.spent import NOTHING_SPENT
from edge_agent.core.units import MonoMs, UtcMs

PPM = 1_000_000
NTP_ERROR_MS = 20


class Machine:
    """``true`` is the world's time in ms since it ``began`` (UTC ms); boot time counts from the last power-on."""

    def __init__(
        self, true: Callable[[], int], began: UtcMs, *, drift_ppm: int = 0, chip: bool = False, ntp: bool = False
    ) -> None:
        self._true = true
        self._began = began
        self._drift_ppm = drift_ppm
        self._powered_at = 0
        self._boots = 0
        self.spent = NOTHING_SPENT
        """What the agent has laid down in the machine's memory of what it has spent."""
        self.chip = chip
        self.ntp = ntp
        self.ntp_answers = True
        self.step_ms = 0
        """How far the system clock is off the truth."""

    @property
    def troubled(self) -> bool:
        """Whether what NTP says may change what the station believes, without anything else happening."""
        return self.ntp and (self.step_ms != 0 or not self.ntp_answers)

    def power_on(self) -> None:
        """Boot time begins anew, and the boot has another name."""
        self._powered_at = self._true()
        self._boots += 1
        self.spent = NOTHING_SPENT

    def boot_id(self) -> str:
        """Which boot it is."""
        return f"boot-{self._boots}"

    def boot(self) -> MonoMs:
        """CLOCK_BOOTTIME by this crystal."""
        elapsed = self._true() - self._powered_at
        return MonoMs(elapsed + elapsed * self._drift_ppm // PPM)

    def true_of(self, boot: int) -> int:
        """The first true ms at which boot time is at least ``boot``."""
        elapsed = boot * PPM // (PPM + self._drift_ppm)
        while elapsed + elapsed * self._drift_ppm // PPM < boot:
            elapsed += 1
        return self._powered_at + elapsed

    def readings(self) -> Readings:
        """What ``StationClock`` reads."""
        return Readings(boot=self.boot, utc=self._utc, sync=self._sync, boot_id=self.boot_id, chip=self._chip)

    def _utc(self) -> UtcMs:
        return UtcMs(self._began + self._true() + self.step_ms)

    def _chip(self) -> Chip | None:
        return Chip("rtc0", self._utc()) if self.chip else None  # the system's clock was set by it

    def _sync(self) -> KernelSync:
        return KernelSync(self.ntp_answers, NTP_ERROR_MS)
