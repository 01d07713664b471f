"""The station's own UTC: which reading of this machine moves it, and that a step of the system clock does not."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.clock import (
    CHIP_APART_MS_MAX,
    CHIP_AWAIT_MS,
    NTP_AWAIT_MS,
    NTP_CHECK_MS,
    RTC_ERROR_MS,
    Readings,
    StationClock,
    boot_ms,
    kernel_boot_id,
    system_utc_ms,
)
from edge_agent.clock_chip import Chip
from edge_agent.core.clock_trust import DISPUTE_MS, HOLDOVER_AFTER_MS, ClockSource, KeptTime
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, MonoMs, UtcMs
from edge_agent.ntp import NOT_SYNCHRONISED, KernelSync

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
    boot_id: str | None = "first boot"
    chip_behind: int | None = 0
    """The system clock; None: no chip is there."""

    def readings(self) -> Readings:
        return Readings(
            lambda: MonoMs(self.mono), lambda: UtcMs(self.utc), self._ask, lambda: self.boot_id, self._read_chip
        )

    def go_on(self, ms: int) -> None:
        self.mono += ms
        self.utc += ms

    def _read_chip(self) -> Chip | None:
        return None if self.chip_behind is None else Chip("rtc0", self.utc - self.chip_behind)

    def _ask(self) -> KernelSync:
        self.asked += 1
        return self.sync


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


def station(
    machine: FakeMachine,
    *,
    ntp: bool = False,
    rtc: bool = False,
    floor: int = LAST_WELCOME,
    kept: KeptTime | None = None,
) -> StationClock:
    return StationClock(ntp=ntp, rtc=rtc, floor=UtcMs(floor), kept=kept, readings=machine.readings())


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


@pytest.mark.parametrize("behind_ms", [-CHIP_APART_MS_MAX, -1, 999, CHIP_APART_MS_MAX])
def test_a_clock_chip_that_is_a_little_apart_from_the_system_clock_is_trusted_that_much_less(
    machine: FakeMachine, behind_ms: int
) -> None:
    machine.chip_behind = behind_ms
    now = station(machine, rtc=True).now()
    assert (now.utc, now.source, now.trusted) == (NOON, ClockSource.RTC, True)
    assert now.max_error_ms == RTC_ERROR_MS + abs(behind_ms)


@pytest.mark.parametrize("behind_ms", [CHIP_APART_MS_MAX + 1, -CHIP_APART_MS_MAX - 1, 7 * HOUR_MS, -DAY_MS, NOON])
def test_a_clock_chip_that_tells_another_time_than_the_system_vouches_for_nothing(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture, behind_ms: int
) -> None:
    machine.chip_behind = behind_ms
    now = station(machine, rtc=True).now()
    assert (now.utc, now.source, now.trusted) == (LAST_WELCOME, ClockSource.FLOOR, False)
    assert "clock chip is not the system's time" in caplog.text


@pytest.mark.parametrize("floor", [0, LAST_WELCOME])
def test_a_clock_chip_that_is_configured_and_not_fitted_lets_nothing_play_by_the_time_of_the_last_shutdown(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture, floor: int
) -> None:
    """As the example has it, ``rtc = true``: without one the system goes on from the hour at which the power went."""
    machine.chip_behind = None
    assert not station(machine, rtc=True, floor=floor).now().trusted
    assert "clock chip tells no time trouble='there is none'" in caplog.text


def test_a_clock_chip_whose_battery_was_flat_vouches_for_nothing(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = replace(machine.readings(), chip=lambda: Chip("rtc0", None, "Invalid argument"))
    ours = StationClock(ntp=False, rtc=True, floor=LAST_WELCOME, readings=stopped)
    assert ours.now().source is ClockSource.FLOOR
    assert "trouble='rtc0: Invalid argument'" in caplog.text


@pytest.mark.parametrize("ntp", [True, False])
def test_a_clock_chip_whose_driver_comes_later_than_we_do_is_found(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture, *, ntp: bool
) -> None:
    machine.chip_behind = None
    ours = station(machine, ntp=ntp, rtc=True)
    for _ in range(5):
        assert not ours.now().trusted
        machine.go_on(NTP_AWAIT_MS)
    machine.chip_behind, machine.utc = 0, NOON + HOUR_MS
    now = ours.now()
    assert (now.utc, now.source, now.trusted) == (NOON + HOUR_MS, ClockSource.RTC, True)
    assert caplog.text.count("clock chip tells no time") == 1


def test_whoever_sets_the_system_clock_and_a_chip_later_in_a_boot_sets_not_what_plays(machine: FakeMachine) -> None:
    machine.chip_behind = None
    ours = station(machine, rtc=True)
    machine.mono = CHIP_AWAIT_MS
    machine.chip_behind = 0
    assert ours.now().source is ClockSource.FLOOR


def test_no_chip_is_looked_for_where_none_is_configured(machine: FakeMachine) -> None:
    """The board may have one of its own, without a battery."""

    def looked_for() -> Chip | None:
        raise AssertionError

    readings = replace(machine.readings(), chip=looked_for)
    ours = StationClock(ntp=False, rtc=False, floor=LAST_WELCOME, readings=readings)
    assert ours.now().source is ClockSource.FLOOR


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
    assert (now.utc, now.source, now.max_error_ms, now.trusted) == (NOON + 200, ClockSource.SIGNED, 401, True)
    assert ours.now() == now


def test_a_welcome_from_before_its_question_has_no_negative_round_trip(machine: FakeMachine) -> None:
    now = station(machine).adopt_signed(NOON, MonoMs(machine.mono + 50))
    assert (now.utc, now.max_error_ms) == (NOON, 0)


def test_ntp_is_taken_over_at_the_first_look_however_soon_after_the_boot(machine: FakeMachine) -> None:
    machine.mono, machine.sync = 3_000, CHRONY
    now = station(machine, ntp=True).now()
    assert (now.utc, now.source, now.max_error_ms) == (NOON, ClockSource.NTP, CHRONY.max_error_ms)


def test_ntp_that_comes_later_is_found_within_two_seconds(machine: FakeMachine) -> None:
    """Within a minute would be too late for what is due just after a boot: it has ten seconds' grace."""
    ours = station(machine, ntp=True)
    ours.now()
    machine.sync = CHRONY
    machine.go_on(NTP_AWAIT_MS - 1)
    assert ours.now().source is ClockSource.FLOOR
    machine.go_on(1)
    assert ours.now().source is ClockSource.NTP


@pytest.mark.parametrize(("sync", "asked"), [(CHRONY, 5), (NOBODY, 150)])
def test_the_kernel_is_asked_once_a_minute_and_more_often_while_nobody_knows_the_time(
    machine: FakeMachine, sync: KernelSync, asked: int
) -> None:
    ours = station(machine, ntp=True)
    machine.sync = sync
    for _ in range(300):
        ours.now()
        machine.go_on(1_000)
    assert machine.asked == asked


def test_a_liar_that_is_asked_again_and_again_is_named_once(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture
) -> None:
    ours = station(machine, ntp=True)
    machine.sync, machine.utc = CHRONY, UtcMs(LAST_WELCOME - HOUR_MS)
    for _ in range(60):
        assert not ours.now().trusted
        machine.go_on(1_000)
    assert [record.levelname for record in caplog.records if "ntp disbelieved" in record.message] == ["ERROR"]


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


def test_when_who_told_the_time_is_believed_no_more_ntp_is_held_to_what_is_left(machine: FakeMachine) -> None:
    machine.sync, ahead = CHRONY, UtcMs(NOON + 400 * DAY_MS)
    ours = station(machine, ntp=True, floor=ahead)
    assert ours.now().source is ClockSource.FLOOR
    ours.hold_to(LAST_WELCOME)
    assert (ours.now().utc, ours.now().source) == (NOON, ClockSource.NTP)


def test_ntp_far_from_signed_time_stops_the_timetable(machine: FakeMachine) -> None:
    ours = station(machine, ntp=True)
    ours.adopt_signed(NOON, MonoMs(machine.mono))
    machine.sync = CHRONY
    machine.utc += DISPUTE_MS + 1
    now = ours.now()
    assert (now.utc, now.source, now.trusted) == (NOON, ClockSource.DISPUTED, False)


# -- a new process -----------------------------------------------------------------------------------------------------


def welcomed(machine: FakeMachine, round_trip_ms: int = 400) -> StationClock:
    """A process that has been told the time, and may end now."""
    ours = station(machine)
    asked_at = MonoMs(machine.mono)
    machine.go_on(round_trip_ms)
    ours.adopt_signed(NOON, asked_at)
    return ours


def test_a_new_process_in_the_same_boot_keeps_signed_time(machine: FakeMachine) -> None:
    kept = welcomed(machine).kept
    assert kept == KeptTime("first boot", MonoMs(20_200), NOON, 400)
    machine.go_on(MINUTE_MS)
    now = station(machine, floor=NOON, kept=kept).now()
    assert (now.utc, now.source, now.trusted) == (NOON + 200 + MINUTE_MS, ClockSource.SIGNED, True)


@pytest.mark.parametrize("for_ms", [0, HOLDOVER_AFTER_MS, HOLDOVER_AFTER_MS + 1, 9 * DAY_MS, 14 * DAY_MS])
def test_its_error_grows_as_if_the_process_had_never_ended(machine: FakeMachine, for_ms: int) -> None:
    one = welcomed(machine)
    for at_ms in (for_ms, DAY_MS):
        machine.go_on(at_ms)
        another = station(machine, floor=NOON, kept=one.kept)
        assert another.now() == one.now()


def test_after_a_power_cut_the_kept_time_is_worth_nothing(machine: FakeMachine) -> None:
    kept = welcomed(machine).kept
    machine.boot_id = "second boot"
    machine.go_on(HOUR_MS)  # its boot time may well be later than the one that was kept
    now = station(machine, floor=NOON, kept=kept).now()
    assert (now.utc, now.source, now.trusted) == (NOON, ClockSource.FLOOR, False)
    assert station(machine, floor=NOON, rtc=True, kept=kept).now().source is ClockSource.RTC


def test_a_kept_time_from_the_future_boot_time_is_not_believed(machine: FakeMachine) -> None:
    kept = welcomed(machine).kept
    assert kept is not None
    machine.mono = kept.mono - 1
    assert station(machine, floor=NOON, kept=kept).now().source is ClockSource.FLOOR


def test_where_the_boot_has_no_name_nothing_is_kept_and_nothing_believed(machine: FakeMachine) -> None:
    kept = welcomed(machine).kept
    machine.boot_id = None
    assert station(machine, floor=NOON, kept=kept).now().source is ClockSource.FLOOR
    assert welcomed(machine).kept is None


def test_a_kept_time_that_is_too_old_by_now_leaves_it_to_the_chip(machine: FakeMachine) -> None:
    kept = welcomed(machine).kept
    machine.go_on(14 * DAY_MS)
    assert not station(machine, floor=NOON, kept=kept).now().trusted
    now = station(machine, floor=NOON, rtc=True, kept=kept).now()
    assert (now.source, now.trusted) == (ClockSource.RTC, True)


def test_kept_time_goes_before_a_clock_chip(machine: FakeMachine) -> None:
    """Whoever has set the system clock since does not move what plays."""
    kept = welcomed(machine).kept
    machine.utc += 10 * DAY_MS
    now = station(machine, rtc=True, floor=NOON, kept=kept).now()
    assert (now.utc, now.source) == (NOON + 200, ClockSource.SIGNED)


def test_ntp_is_asked_at_once_beside_kept_time_and_a_lie_is_seen(machine: FakeMachine) -> None:
    kept, machine.sync = welcomed(machine).kept, CHRONY
    assert station(machine, ntp=True, floor=NOON, kept=kept).now().source is ClockSource.NTP
    machine.utc += DISPUTE_MS + 1
    now = station(machine, ntp=True, floor=NOON, kept=kept).now()
    assert (now.utc, now.source, now.trusted) == (NOON + 200, ClockSource.DISPUTED, False)


def test_a_welcome_that_only_confirms_ntp_is_kept_all_the_same(machine: FakeMachine) -> None:
    """Its own instant, not NTP's: whoever answers NTP must not be remembered as signed."""
    machine.sync, machine.utc = CHRONY, NOON + MINUTE_MS
    ours = station(machine, ntp=True)
    ours.now()
    now = ours.adopt_signed(NOON, MonoMs(machine.mono - 400))
    assert (now.utc, now.source) == (NOON + MINUTE_MS, ClockSource.NTP)
    assert ours.kept == KeptTime("first boot", MonoMs(machine.mono - 200), NOON, 400)


def test_a_slow_welcome_that_confirms_remembered_ntp_is_kept_as_it_is(machine: FakeMachine) -> None:
    machine.sync, machine.utc = CHRONY, UtcMs(NOON + 20_000)
    ours = station(machine, ntp=True)
    ours.now()
    machine.sync = NOT_SYNCHRONISED
    machine.go_on(HOLDOVER_AFTER_MS + 1)
    told = UtcMs(NOON + HOLDOVER_AFTER_MS)
    now = ours.adopt_signed(told, MonoMs(machine.mono - 28_000))
    assert (now.utc, now.source) == (NOON + 20_000 + HOLDOVER_AFTER_MS + 1, ClockSource.HOLDOVER)
    assert ours.kept == KeptTime("first boot", MonoMs(machine.mono - 14_000), told, 28_000)


def test_a_slow_welcome_is_kept_as_the_tighter_time_that_it_confirms(machine: FakeMachine) -> None:
    ours = station(machine)
    ours.adopt_signed(NOON, MonoMs(machine.mono - 20))
    machine.go_on(2_000)
    now = ours.adopt_signed(UtcMs(NOON + 1_500), MonoMs(machine.mono - 1_500))
    assert (now.utc, now.source, now.max_error_ms) == (NOON + 2_010, ClockSource.SIGNED, 22)
    assert ours.kept == KeptTime("first boot", MonoMs(machine.mono - 750), UtcMs(NOON + 1_260), 21)


# -- the real machine --------------------------------------------------------------------------------------------------


def test_a_boot_of_this_machine_has_one_name() -> None:
    name = kernel_boot_id()
    assert name is not None
    assert str(UUID(name)) == name == kernel_boot_id()


def test_the_boot_s_name_is_read_as_the_kernel_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    file.write_text("6C6d93ab-66ac-4cf0-a7b5-2f8a2f4c0c5d\n")
    assert kernel_boot_id(file) == "6c6d93ab-66ac-4cf0-a7b5-2f8a2f4c0c5d"


def test_a_unit_that_hides_proc_passes_the_boot_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOT_ID", "6c6d93ab66ac4cf0a7b52f8a2f4c0c5d")  # as systemd's %b has it
    assert kernel_boot_id(tmp_path / "absent") == "6c6d93ab-66ac-4cf0-a7b5-2f8a2f4c0c5d"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"6c6d93ab-66ac-4cf0", b"\xff\xfe\x00", b"hello"])
def test_a_boot_whose_name_cannot_be_read_has_none_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    file = tmp_path / "boot_id"
    if content is not None:
        file.write_bytes(content)
    assert kernel_boot_id(file) is None
    assert "boot id unreadable" in caplog.text


def test_boot_time_and_utc_are_read_in_milliseconds() -> None:
    assert abs(boot_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) < MINUTE_MS
    assert abs(system_utc_ms() - time.time() * 1000) < MINUTE_MS


def test_a_station_without_anybody_s_help_reads_this_machine() -> None:
    fitted = Readings(chip=lambda: Chip("rtc0", system_utc_ms()))  # few test machines have one
    ours = StationClock(ntp=False, rtc=True, floor=UtcMs(0), readings=fitted)
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
