"""What time it is, and how far it is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core.clock_trust import (
    DISPUTE_MS,
    HOLDOVER_AFTER_MS,
    TIMETABLE_ERROR_MAX_MS,
    ClockSource,
    ClockState,
    KeptTime,
    Now,
    adopt_ntp,
    adopt_signed,
    at_floor,
    from_rtc,
    resumed,
)
from edge_agent.core.units import DAY_MS, MINUTE_MS, MonoMs, UtcMs

UTC = UtcMs(1_790_830_800_000)
BOOT = MonoMs(5_000)
A_DAYS_DRIFT_MS = 8_640
KEPT = KeptTime("this boot", BOOT, UTC, 300)


def later(ms: int) -> MonoMs:
    return MonoMs(BOOT + ms)


def test_an_unset_clock_is_not_trusted() -> None:
    assert not ClockState(set_at=BOOT).read(BOOT).trusted


def test_the_floor_says_only_that_it_is_not_earlier() -> None:
    now = at_floor(UTC, BOOT).read(later(1_000))
    assert (now.utc, now.source, now.trusted) == (UTC + 1_000, ClockSource.FLOOR, False)


def test_a_clock_chip_is_trusted_within_its_error() -> None:
    now = from_rtc(UTC, BOOT, 30_000).read(BOOT)
    assert (now.utc, now.trusted) == (UTC, True)
    assert from_rtc(UTC, BOOT, TIMETABLE_ERROR_MAX_MS).read(BOOT).trusted
    assert not from_rtc(UTC, BOOT, TIMETABLE_ERROR_MAX_MS + 1).read(BOOT).trusted


def test_signed_time_is_as_good_as_its_round_trip() -> None:
    now = adopt_signed(ClockState(), UTC, BOOT, 300).read(BOOT)
    assert (now.utc, now.source, now.max_error_ms, now.trusted) == (UTC, ClockSource.SIGNED, 300, True)


def test_losing_every_source_becomes_holdover_that_lasts_over_tet() -> None:
    clock = adopt_signed(ClockState(), UTC, BOOT, 300)
    assert clock.read(later(HOLDOVER_AFTER_MS)).source is ClockSource.SIGNED
    nine_days = clock.read(later(9 * DAY_MS))
    assert (nine_days.source, nine_days.trusted) == (ClockSource.HOLDOVER, True)
    assert not clock.read(later(14 * DAY_MS)).trusted


def test_present_ntp_keeps_the_offset_and_a_welcome_only_confirms_it() -> None:
    clock = adopt_signed(adopt_ntp(ClockState(), UTC, BOOT, 5), UtcMs(UTC + 400), later(0), 900)
    now = clock.read(later(0))
    assert (now.utc, now.source, now.max_error_ms) == (UTC, ClockSource.NTP, 5)


def test_a_welcome_tighter_than_ntp_takes_over() -> None:
    clock = adopt_signed(adopt_ntp(ClockState(), UTC, BOOT, 2_000), UtcMs(UTC + 400), BOOT, 90)
    assert clock.read(BOOT).source is ClockSource.SIGNED


@pytest.mark.parametrize(("welcome_ms", "ours_ms"), [(240, 0), (-240, 0), (900 + 29, 0), (900 + 30, 930), (-930, -930)])
def test_a_slow_welcome_confirms_tighter_signed_time_unless_it_contradicts_it(welcome_ms: int, ours_ms: int) -> None:
    """A session comes back over a slow line just before a programme: half its round trip must not move that."""
    clock = adopt_signed(adopt_signed(ClockState(), UTC, BOOT, 29), UtcMs(UTC + welcome_ms), BOOT, 900)
    now = clock.read(BOOT)
    assert (now.utc - UTC, now.source) == (ours_ms, ClockSource.SIGNED)
    assert now.max_error_ms == (29 if ours_ms == 0 else 900)


def test_a_welcome_that_is_held_back_does_not_make_signed_time_of_network_time() -> None:
    """NTP lies by 25 s and goes away; then a welcome is kept for 28 s, which agrees with anything."""
    clock = adopt_ntp(ClockState(), UtcMs(UTC + 25_000), BOOT, 5)
    at = later(HOLDOVER_AFTER_MS + 1)
    clock = adopt_signed(clock, UtcMs(UTC + HOLDOVER_AFTER_MS + 1), at, 28_000)
    now = clock.read(at)
    assert (now.utc, now.source) == (UTC + 25_000 + HOLDOVER_AFTER_MS + 1, ClockSource.HOLDOVER)
    lie = UtcMs(UTC + HOLDOVER_AFTER_MS + 1 + DISPUTE_MS + 1_000)
    assert adopt_ntp(clock, lie, at, 5).read(at).source is ClockSource.DISPUTED, "what was signed stays what it was"


def test_a_slow_welcome_does_not_move_remembered_network_time_either() -> None:
    clock = adopt_ntp(ClockState(), UTC, BOOT, 5)
    at = later(HOLDOVER_AFTER_MS + 1)
    clock = adopt_signed(clock, UtcMs(UTC + HOLDOVER_AFTER_MS + 1 + 400), at, 900)
    assert clock.read(at) == Now(at, UtcMs(UTC + HOLDOVER_AFTER_MS + 1), ClockSource.HOLDOVER, 5 + 91)
    tight = adopt_signed(clock, UtcMs(UTC + HOLDOVER_AFTER_MS + 1 + 40), at, 90).read(at)
    assert (tight.utc, tight.source) == (UTC + HOLDOVER_AFTER_MS + 1 + 40, ClockSource.SIGNED)


def test_confirmed_time_is_present_again_and_its_error_goes_on_growing() -> None:
    clock = adopt_signed(ClockState(), UTC, BOOT, 29)
    for minute in range(1, 61):
        at = later(minute * MINUTE_MS)
        clock = adopt_signed(clock, UtcMs(UTC + minute * MINUTE_MS + 100), at, 900)
        assert clock.read(at) == Now(at, UtcMs(UTC + minute * MINUTE_MS), ClockSource.SIGNED, 29 + 6 * minute)


def test_a_welcome_takes_over_once_what_is_held_has_become_as_wide() -> None:
    clock = adopt_signed(ClockState(), UTC, BOOT, 29)
    as_wide = later(10_000_000)  # 1,000 ms at 100 ppm
    assert adopt_signed(clock, UtcMs(UTC + 10_000_000 + 200), as_wide, 1_030).read(as_wide).utc == UTC + 10_000_000
    assert adopt_signed(clock, UtcMs(UTC + 10_000_000 + 200), as_wide, 1_029).read(as_wide).utc == UTC + 10_000_200


def test_a_clock_chip_and_a_floor_confirm_nothing() -> None:
    for clock in (from_rtc(UTC, BOOT, 100), at_floor(UTC, BOOT)):
        now = adopt_signed(clock, UtcMs(UTC + 200), BOOT, 900).read(BOOT)
        assert (now.utc, now.source, now.max_error_ms) == (UTC + 200, ClockSource.SIGNED, 900)


def test_ntp_and_signed_time_far_apart_are_disputed_and_signed_time_keeps_the_offset() -> None:
    signed = adopt_signed(ClockState(), UTC, BOOT, 90)
    clock = adopt_ntp(signed, UtcMs(UTC + DISPUTE_MS + 1), BOOT, 5)
    now = clock.read(BOOT)
    assert (now.utc, now.source, now.trusted) == (UTC, ClockSource.DISPUTED, False)


def test_a_welcome_that_contradicts_present_ntp_is_disputed_too() -> None:
    ntp = adopt_ntp(ClockState(), UTC, BOOT, 5)
    now = adopt_signed(ntp, UtcMs(UTC + DISPUTE_MS + 1), BOOT, 90).read(BOOT)
    assert (now.utc, now.source) == (UTC + DISPUTE_MS + 1, ClockSource.DISPUTED)


def test_agreement_ends_a_dispute() -> None:
    signed = adopt_signed(ClockState(), UTC, BOOT, 90)
    disputed = adopt_ntp(signed, UtcMs(UTC + DISPUTE_MS + 1), BOOT, 5)
    assert adopt_ntp(disputed, UTC, BOOT, 5).read(BOOT).trusted


def test_boot_time_and_utc_translate_both_ways() -> None:
    now = adopt_signed(ClockState(), UTC, BOOT, 0).read(BOOT)
    assert now.mono_of(UtcMs(UTC + 7_000)) == BOOT + 7_000
    assert now.utc_of(later(7_000)) == UTC + 7_000


def test_a_clock_in_dispute_still_says_whether_an_emergency_is_valid() -> None:
    signed = adopt_signed(ClockState(), UTC, BOOT, 90)
    disputed = adopt_ntp(signed, UtcMs(UTC + DISPUTE_MS + 1), BOOT, 5).read(BOOT)
    assert (disputed.trusted, disputed.tells_validity) == (False, True)
    assert replace(disputed, max_error_ms=TIMETABLE_ERROR_MAX_MS).tells_validity
    assert not replace(disputed, max_error_ms=TIMETABLE_ERROR_MAX_MS + 1).tells_validity
    assert signed.read(BOOT).tells_validity
    assert not at_floor(UTC, BOOT).read(BOOT).tells_validity


def test_the_last_millisecond_of_agreement_is_no_dispute() -> None:
    signed = adopt_signed(ClockState(), UTC, BOOT, 90)
    assert adopt_ntp(signed, UtcMs(UTC + DISPUTE_MS), BOOT, 5).read(BOOT).trusted
    ntp = adopt_ntp(ClockState(), UTC, BOOT, 5)
    assert adopt_signed(ntp, UtcMs(UTC + DISPUTE_MS), BOOT, 5).read(BOOT).source is ClockSource.NTP


def test_a_new_process_in_the_same_boot_has_the_clock_of_the_one_that_ended() -> None:
    clock = resumed(KEPT, "this boot", later(DAY_MS))
    assert clock == adopt_signed(ClockState(), UTC, BOOT, 300)
    assert resumed(KEPT, "this boot", BOOT) == clock, "the very millisecond is not before it"


def test_what_is_kept_is_worth_nothing_in_another_boot_or_before_its_own_boot_time() -> None:
    assert resumed(KEPT, "another boot", later(DAY_MS)) is None
    assert resumed(KEPT, None, later(DAY_MS)) is None
    assert resumed(KEPT, "this boot", later(-1)) is None
    assert resumed(None, None, later(DAY_MS)) is None


def test_kept_time_is_still_held_against_ntp() -> None:
    clock = resumed(KEPT, "this boot", later(DAY_MS))
    assert clock is not None
    apart_ms = DISPUTE_MS + A_DAYS_DRIFT_MS
    now = adopt_ntp(clock, UtcMs(UTC + DAY_MS + apart_ms), later(DAY_MS), 5).read(later(DAY_MS))
    assert (now.utc, now.source) == (UTC + DAY_MS + apart_ms, ClockSource.NTP)
    now = adopt_ntp(clock, UtcMs(UTC + DAY_MS + apart_ms + 1), later(DAY_MS), 5).read(later(DAY_MS))
    assert (now.utc, now.source) == (UTC + DAY_MS, ClockSource.DISPUTED)


def test_ntp_that_went_away_long_ago_is_not_held_against_a_crystal() -> None:
    """A station heard NTP once, and then welcomes alone: after months these two minutes are its oscillator's."""
    clock = adopt_ntp(ClockState(), UTC, BOOT, 5)
    for day in range(1, 400):
        boot_ms = day * DAY_MS * 1_000_050 // 1_000_000
        clock = adopt_signed(clock, UtcMs(UTC + day * DAY_MS), later(boot_ms), 300)
        assert clock.read(later(boot_ms)).source is ClockSource.SIGNED, day


def test_a_welcome_from_long_ago_is_not_held_against_a_crystal() -> None:
    """And the other way round: the centre is away for two months, and so was NTP."""
    clock = adopt_signed(ClockState(), UTC, BOOT, 300)
    boot_ms = 60 * DAY_MS * 1_000_050 // 1_000_000
    assert adopt_ntp(clock, UtcMs(UTC + 60 * DAY_MS), later(boot_ms), 5).read(later(boot_ms)).trusted


def test_years_are_disputed_however_old_the_other_word_is() -> None:
    clock = adopt_ntp(ClockState(), UTC, BOOT, 5)
    now = adopt_signed(clock, UtcMs(UTC + 10 * 365 * DAY_MS), later(400 * DAY_MS), 300).read(later(400 * DAY_MS))
    assert now.source is ClockSource.DISPUTED
