"""The station's own UTC: which reading of this machine moves it, and that a step of the system clock does not."""

from __future__ import annotations

import ctypes
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent import clock
from edge_agent.clock import NTP_CHECK_MS, RTC_ERROR_MS, KernelSync, Readings, StationClock, boot_ms, system_utc_ms
from edge_agent.core.clock_trust import DISPUTE_MS, ClockSource
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, MonoMs, UtcMs

NOON = UtcMs(1_790_830_800_000)
LAST_WELCOME = UtcMs(NOON - HOUR_MS)
NOBODY = KernelSync(synchronised=False, max_error_ms=16_000_000)
CHRONY = KernelSync(synchronised=True, max_error_ms=20)


@dataclass
class FakeMachine:
    """Clocks that go on together until one is stepped. ``asked`` counts how often the kernel was asked for NTP."""

    mono: int = 20_000
    utc: int = NOON
    sync: KernelSync = field(default=NOBODY)
    asked: int = 0

    def readings(self) -> Readings:
        return Readings(lambda: MonoMs(self.mono), lambda: UtcMs(self.utc), self._ask)

    def go_on(self, ms: int) -> None:
        self.mono += ms
        self.utc += ms

    def _ask(self) -> KernelSync:
        self.asked += 1
        return self.sync


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


def station(machine: FakeMachine, *, ntp: bool = False, rtc: bool = False, floor: int = LAST_WELCOME) -> StationClock:
    return StationClock(ntp=ntp, rtc=rtc, floor=UtcMs(floor), readings=machine.readings())


# -- at boot -----------------------------------------------------------------------------------------------------------


def test_a_first_boot_knows_nothing_and_says_so(machine: FakeMachine) -> None:
    now = station(machine, floor=0).now()
    assert (now.source, now.trusted) == (ClockSource.UNSET, False)


def test_without_a_clock_chip_it_is_not_earlier_than_the_last_signed_time(machine: FakeMachine) -> None:
    ours = station(machine)
    machine.go_on(5_000)
    now = ours.now()
    assert (now.utc, now.source, now.trusted) == (LAST_WELCOME + 5_000, ClockSource.FLOOR, False)


def test_a_clock_chip_is_trusted_with_its_error(machine: FakeMachine) -> None:
    now = station(machine, rtc=True).now()
    assert (now.utc, now.source, now.max_error_ms, now.trusted) == (NOON, ClockSource.RTC, RTC_ERROR_MS, True)


@pytest.mark.parametrize("behind_ms", [1, DAY_MS, 10 * 365 * DAY_MS, NOON])
def test_a_clock_chip_behind_the_last_signed_time_is_not_trusted(machine: FakeMachine, behind_ms: int) -> None:
    machine.utc = LAST_WELCOME - behind_ms
    now = station(machine, rtc=True).now()
    assert (now.utc, now.source, now.trusted) == (LAST_WELCOME, ClockSource.FLOOR, False)


def test_a_system_clock_that_nobody_vouches_for_is_never_taken_over(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    machine.go_on(10 * NTP_CHECK_MS)
    assert ours.now().source is ClockSource.FLOOR


# -- while it runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_ms", [-DAY_MS, -1_000, 1_000, 10 * 365 * DAY_MS])
def test_a_step_of_the_system_clock_moves_nothing(machine: FakeMachine, step_ms: int) -> None:
    ours = station(machine)
    ours.adopt_signed(NOON, MonoMs(machine.mono))
    machine.utc += step_ms
    machine.go_on(1_000)
    assert ours.now().utc == NOON + 1_000


def test_signed_time_counts_from_the_middle_of_its_round_trip(machine: FakeMachine) -> None:
    ours = station(machine)
    asked_at = MonoMs(machine.mono)
    machine.go_on(400)
    now = ours.adopt_signed(NOON, asked_at)
    assert (now.utc, now.source, now.max_error_ms, now.trusted) == (NOON + 200, ClockSource.SIGNED, 400, True)
    assert ours.now() == now


def test_a_welcome_from_before_its_question_has_no_negative_round_trip(machine: FakeMachine) -> None:
    now = station(machine).adopt_signed(NOON, MonoMs(machine.mono + 50))
    assert (now.utc, now.max_error_ms) == (NOON, 0)


def test_ntp_is_taken_over_at_the_first_look_however_soon_after_the_boot(machine: FakeMachine) -> None:
    machine.mono, machine.sync = 3_000, CHRONY
    now = station(machine, ntp=True).now()
    assert (now.utc, now.source, now.max_error_ms) == (NOON, ClockSource.NTP, CHRONY.max_error_ms)


def test_ntp_that_comes_later_is_found_within_a_minute(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    ours.now()
    machine.sync = CHRONY
    machine.go_on(NTP_CHECK_MS - 1)
    assert ours.now().source is ClockSource.FLOOR
    machine.go_on(1)
    assert ours.now().source is ClockSource.NTP


def test_the_kernel_is_asked_once_a_minute_and_not_at_every_step(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    for _ in range(300):
        ours.now()
        machine.go_on(1_000)
    assert machine.asked == 5


def test_the_kernel_is_not_asked_where_ntp_is_off(machine: FakeMachine) -> None:
    machine.sync = CHRONY
    now = station(machine).now()
    assert (now.source, machine.asked) == (ClockSource.FLOOR, 0)


def test_ntp_from_before_the_last_signed_time_is_disbelieved(machine: FakeMachine) -> None:
    machine.sync = CHRONY
    machine.utc = LAST_WELCOME - CHRONY.max_error_ms - 1
    now = station(machine, ntp=True).now()
    assert (now.utc, now.source, now.trusted) == (LAST_WELCOME, ClockSource.FLOOR, False)


def test_ntp_is_believed_as_far_behind_as_its_own_error(machine: FakeMachine) -> None:
    machine.sync = CHRONY
    machine.utc = LAST_WELCOME - CHRONY.max_error_ms
    assert station(machine, ntp=True).now().source is ClockSource.NTP


def test_a_welcome_raises_what_ntp_is_held_to(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    ours.now()
    ours.adopt_signed(NOON, MonoMs(machine.mono))
    machine.go_on(NTP_CHECK_MS)
    machine.utc, machine.sync = NOON - MINUTE_MS, CHRONY
    assert ours.now().source is ClockSource.SIGNED


def test_ntp_far_from_signed_time_stops_the_timetable(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    ours.adopt_signed(NOON, MonoMs(machine.mono))
    machine.sync = CHRONY
    machine.utc += DISPUTE_MS + 1
    now = ours.now()
    assert (now.utc, now.source, now.trusted) == (NOON, ClockSource.DISPUTED, False)


# -- the real machine --------------------------------------------------------------------------------------------------


def test_what_the_kernel_says_of_its_clock_is_plausible() -> None:
    sync = clock.kernel_sync()
    assert isinstance(sync.synchronised, bool)
    # It counts up to 16 s (NTP_PHASE_LIMIT) and stays there while nobody disciplines it; then it is never called good.
    assert 0 <= sync.max_error_ms <= 16_000
    assert not (sync.synchronised and sync.max_error_ms == 16_000)


def test_the_kernel_s_answer_has_room(tmp_path: Path) -> None:
    """adjtimex writes a whole ``struct timex``, as long as the system's own headers say."""
    source = tmp_path / "size.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <sys/timex.h>\n"
        'int main(void) { printf("%zu %zu %zu", sizeof(struct timex), offsetof(struct timex, maxerror),'
        " offsetof(struct timex, status)); return 0; }\n"
    )
    subprocess.run(["cc", "-o", tmp_path / "size", source], check=True)
    told = subprocess.run([tmp_path / "size"], check=True, capture_output=True, text=True).stdout
    size, maxerror, status = (int(number) for number in told.split())
    assert ctypes.sizeof(clock._Timex) >= size
    assert (clock._Timex.maxerror.offset, clock._Timex.status.offset) == (maxerror, status)


def test_boot_time_and_utc_are_read_in_milliseconds() -> None:
    assert abs(boot_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) < MINUTE_MS
    assert abs(system_utc_ms() - time.time() * 1000) < MINUTE_MS


def test_a_station_without_anybody_s_help_reads_this_machine() -> None:
    ours = StationClock(ntp=False, rtc=True, floor=UtcMs(0))
    first, second = ours.now(), ours.now()
    assert first.source is ClockSource.RTC
    assert 0 <= second.mono - first.mono == second.utc - first.utc
    assert abs(first.utc - system_utc_ms()) < MINUTE_MS


def test_threads_that_read_and_set_it_at_once_see_whole_clocks() -> None:
    """Each welcome moves the time by an hour and says which by its error: no reading may mix two of them."""
    machine = FakeMachine()
    ours = station(machine)
    ours.adopt_signed(NOON, MonoMs(machine.mono))
    mixed: list[object] = []

    def read() -> None:
        for _ in range(3_000):
            now = ours.now()
            if now.utc - NOON != now.max_error_ms // 2 * HOUR_MS + now.max_error_ms // 2:
                mixed.append(now)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for hours in range(200):
        ours.adopt_signed(UtcMs(NOON + hours * HOUR_MS), MonoMs(machine.mono - 2 * hours))
    for reader in readers:
        reader.join()
    assert mixed == []
