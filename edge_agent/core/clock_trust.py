"""Decide what time it is and how far to believe it. Reads no clock: readings are passed in.

The station keeps its own UTC: boot time plus an offset that only trusted sources may move. A step of the system clock
therefore moves nothing here. Trust has two axes: where the time came from, and the largest error it can have by now
(it grows in holdover by the oscillator's drift), so that losing NTP silences nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from edge_agent.core.units import MINUTE_MS, MonoMs, UtcMs

DRIFT_PPM = 100
# A Raspberry Pi's crystal is specified at ±50 ppm over temperature; doubled for a box in the sun.
TIMETABLE_ERROR_MAX_MS = 2 * MINUTE_MS
# At DRIFT_PPM this is 13.8 days of holdover: the nine days of Tết and some (requirement O1).
HOLDOVER_AFTER_MS = 15 * MINUTE_MS
# No fresh report for this long: the source is remembered, not present. NTP polls at most every 17 min (1024 s).
DISPUTE_MS = 2 * MINUTE_MS
# NTP and signed time further apart than this: one of them lies, so the timetable stops (protocol, "Freshness"). Beside
# it the older word may be wrong by what the oscillator has drifted since: 15 ppm are these two minutes in 93 days.


class ClockSource(StrEnum):
    """Where the time comes from, worst first."""

    UNSET = "unset"
    DISPUTED = "disputed"
    FLOOR = "floor"
    RTC = "rtc"
    HOLDOVER = "holdover"
    SIGNED = "signed"
    NTP = "ntp"


TIMETABLE_SOURCES = frozenset({ClockSource.RTC, ClockSource.HOLDOVER, ClockSource.SIGNED, ClockSource.NTP})
DATELESS = frozenset({ClockSource.UNSET, ClockSource.FLOOR})
"""By these nobody can say when something was: their error bounds nothing."""


@dataclass(frozen=True, slots=True)
class Now:
    """One instant, used for a whole decision: boot time, UTC, and how far that UTC is trusted.

    ``signed``: in this boot a welcome has told the time, and what came from elsewhere since agrees with it.
    """

    mono: MonoMs
    utc: UtcMs
    source: ClockSource
    max_error_ms: int
    signed: bool = True

    @property
    def trusted(self) -> bool:
        """Whether a timetable may be played by this clock (requirement O3)."""
        return self.source in TIMETABLE_SOURCES and self.max_error_ms <= TIMETABLE_ERROR_MAX_MS

    @property
    def tells_validity(self) -> bool:
        """Whether an emergency's validity may be judged by this clock.

        In a dispute too: there signed time keeps the offset, or spoofed NTP could silence a flood warning.
        """
        return self.trusted or (self.source is ClockSource.DISPUTED and self.max_error_ms <= TIMETABLE_ERROR_MAX_MS)

    @property
    def dates(self) -> bool:
        """Whether this clock tells how old a warning is, against whoever lies about the time: it has been signed."""
        return self.tells_validity and self.signed

    @property
    def booted(self) -> UtcMs:
        """When this machine was switched on, as far as this clock knows."""
        return self.utc_of(MonoMs(0))

    def doubts(self, utc: UtcMs) -> bool:
        """Whether nobody has signed that ``utc`` is over: by a chip or NTP alone it lies before this boot (ADR 4)."""
        return self.trusted and not self.signed and utc < self.booted

    def over_at(self, utc: UtcMs) -> MonoMs | None:
        """The boot time at which what holds until ``utc`` is over; None while this clock has no say in that."""
        return self.mono_of(utc) if self.trusted and not self.doubts(utc) else None

    def is_past(self, utc: UtcMs) -> bool:
        """Whether ``utc`` is over, for good."""
        at = self.over_at(utc)
        return at is not None and self.mono > at

    def mono_of(self, utc: UtcMs) -> MonoMs:
        """The boot time at which ``utc`` will be, as far as this clock knows."""
        return MonoMs(self.mono + (utc - self.utc))

    def utc_of(self, mono: MonoMs) -> UtcMs:
        """The UTC of a boot time, as far as this clock knows."""
        return UtcMs(self.utc + (mono - self.mono))


@dataclass(frozen=True, slots=True)
class ClockState:
    """The station's own UTC: ``mono + offset_ms``, last set at ``set_at`` by ``source`` with ``error_ms``.

    ``signed_at`` and ``ntp_at`` are when signed time and NTP last had their say.
    """

    offset_ms: int = 0
    source: ClockSource = ClockSource.UNSET
    set_at: MonoMs = MonoMs(0)
    error_ms: int = 0
    signed_offset_ms: int | None = None
    ntp_offset_ms: int | None = None
    signed_at: MonoMs = MonoMs(0)
    ntp_at: MonoMs = MonoMs(0)

    def read(self, mono: MonoMs) -> Now:
        """The instant ``mono`` by this clock."""
        age_ms = max(0, mono - self.set_at)
        source = self.source
        if source in (ClockSource.NTP, ClockSource.SIGNED) and age_ms > HOLDOVER_AFTER_MS:
            source = ClockSource.HOLDOVER
        signed = self.signed_offset_ms is not None
        return Now(mono, UtcMs(mono + self.offset_ms), source, self.error_ms + _drift_ms(age_ms), signed)


@dataclass(frozen=True, slots=True)
class KeptTime:
    """Signed time as it was adopted: ``utc`` at the boot time ``mono`` of the boot ``boot_id``, within ``error_ms``."""

    boot_id: str
    mono: MonoMs
    utc: UtcMs
    error_ms: int


def resumed(kept: KeptTime | None, boot_id: str | None, mono: MonoMs) -> ClockState | None:
    """A new process in the boot in which signed time was adopted: its clock, as if no process had ended.

    None where nothing is kept, or where it is not certain that boot time has gone on since.
    """
    if kept is None or kept.boot_id != boot_id or mono < kept.mono:
        return None
    return adopt_signed(ClockState(), kept.utc, kept.mono, kept.error_ms)


def at_floor(floor: UtcMs, mono: MonoMs) -> ClockState:
    """A boot without a clock: it is at least ``floor`` (the last signed time), by how much later nobody knows."""
    return ClockState(offset_ms=floor - mono, source=ClockSource.FLOOR, set_at=mono)


def from_rtc(utc: UtcMs, mono: MonoMs, error_ms: int) -> ClockState:
    """A boot with a clock chip; the caller has checked ``utc`` against the floor."""
    return ClockState(offset_ms=utc - mono, source=ClockSource.RTC, set_at=mono, error_ms=error_ms)


def adopt_signed(clock: ClockState, utc: UtcMs, mono: MonoMs, round_trip_ms: int) -> ClockState:
    """Take over the time of a verified welcome that answered our nonce within ``round_trip_ms``.

    Where what is known is tighter, and agrees, the welcome only confirms it: a session that comes back over a slow line
    must not move what is about to play.
    """
    offset = utc - mono
    held = clock.read(mono)
    tighter = _tighter(held, utc, round_trip_ms)
    if clock.source is ClockSource.NTP and (tighter or _better_ntp(clock, held, offset, round_trip_ms)):
        # Whoever answers NTP must not become signed time, though a welcome that was held back agrees with him.
        return replace(clock, signed_offset_ms=offset, signed_at=mono)
    if tighter:
        utc, offset, round_trip_ms = held.utc, clock.offset_ms, held.max_error_ms
    fresh = ClockState(offset, ClockSource.SIGNED, mono, round_trip_ms, offset, clock.ntp_offset_ms, mono, clock.ntp_at)
    return _disputed_if_apart(fresh)


def adopt_ntp(clock: ClockState, utc: UtcMs, mono: MonoMs, max_error_ms: int) -> ClockState:
    """Take over a system clock that the kernel says is synchronised within ``max_error_ms``."""
    offset = utc - mono
    signed = clock.signed_offset_ms
    fresh = ClockState(offset, ClockSource.NTP, mono, max_error_ms, signed, offset, clock.signed_at, mono)
    return _disputed_if_apart(fresh)


def _drift_ms(age_ms: int) -> int:
    """How far boot time may have run off in ``age_ms``; rounded up: many short ages are carried on as one long."""
    return -(-age_ms * DRIFT_PPM // 1_000_000)


def _better_ntp(clock: ClockState, held: Now, offset_ms: int, round_trip_ms: int) -> bool:
    """NTP that is present and tighter than a round trip over 4G keeps the offset; a welcome only confirms it."""
    present = held.source is ClockSource.NTP and clock.error_ms <= round_trip_ms
    return present and abs(offset_ms - clock.offset_ms) <= DISPUTE_MS


def _tighter(held: Now, utc: UtcMs, round_trip_ms: int) -> bool:
    """Signed or remembered time that a welcome agrees with, each within its error, and whose own error is smaller."""
    agrees = abs(utc - held.utc) <= held.max_error_ms + round_trip_ms
    return held.source in (ClockSource.SIGNED, ClockSource.HOLDOVER) and agrees and held.max_error_ms < round_trip_ms


def _disputed_if_apart(clock: ClockState) -> ClockState:
    if clock.signed_offset_ms is None or clock.ntp_offset_ms is None:
        return clock
    older_by_ms = abs(clock.signed_at - clock.ntp_at)
    if abs(clock.signed_offset_ms - clock.ntp_offset_ms) <= DISPUTE_MS + _drift_ms(older_by_ms):
        return clock
    # Signed time keeps the offset: it is the one that a stranger on the network cannot forge.
    return replace(clock, offset_ms=clock.signed_offset_ms, source=ClockSource.DISPUTED)
