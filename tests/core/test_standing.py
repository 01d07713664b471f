"""Locks, all-stops and whatever else lasts: how it is obeyed, how it waits for a welcome, and how it ends by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing, waiting
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import DeviceUp, JournalFailed, PlayEnded, RecordSaved, Restored
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    AllStop,
    Amplify,
    Command,
    Lock,
    Pause,
    SetVolume,
)
from edge_agent.core.plays import ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, MonoMs, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.core.papers import LATER, regulation, silence, zone_reasons
from tests.trust import makers

EMERGENCY = {"class": "emergency"}
Lasting = Lock | AllStop | Pause | Amplify


@pytest.mark.parametrize("cls", ["normal", "emergency"])
def test_a_lock_silences_its_zone_at_once_and_the_neighbour_plays_on(cls: str) -> None:
    bench = at_work()
    job = bench.playing(**({"class": cls} if cls == "emergency" else {}))
    bench.rule(Lock(4 * HOUR_MS), zones=[CHO])
    assert [route.feeds[0].zone for route in bench.every(fx.RoutePlay)] == [DINH]
    assert bench.closed() == {DINH}
    bench.end(job)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    assert zone_reasons(bench) == {CHO: "zone_locked", DINH: None}


def test_a_lock_opens_its_relay_though_an_all_stop_has_told_the_sound_to_end_and_the_device_has_not() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(AllStop(60_000))
    assert bench.closed() == {CHO, DINH}, "it still ends"
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    assert bench.closed() == {DINH}
    bench.send(PlayEnded(bench.play(job).play_id, {CHO: 500, DINH: 600}, 600 * 48, 0, bench.now.mono, None))
    assert bench.outcomes()[-1] == (job, "interrupted", "all_stopped")
    assert zone_reasons(bench) == {CHO: "zone_locked", DINH: "all_stopped"}


def test_what_comes_while_everything_is_locked_is_refused_by_name() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS))
    warning = bench.order(**EMERGENCY)
    assert bench.answers()[-1] == ("refused", "zone_locked")
    assert bench.outcomes()[-1] == (warning, "rejected", "zone_locked")
    assert bench.closed() == set()


def test_a_lock_ends_by_itself() -> None:
    bench = at_work()
    lock = bench.rule(Lock(HOUR_MS), zones=[CHO])
    later = bench.at(2 * 3600)
    bench.pass_s(3600)
    assert bench.outcomes()[-1] == (lock, "expired", "expired")
    bench.pass_s(3600)
    bench.pass_s(1)
    assert bench.play(later).zones_in(ZonePart.HEARING) == (CHO, DINH)


def test_a_lock_outlives_a_restart_whatever_the_clock_says() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    again = Bench()
    again.now = replace(again.now, source=ClockSource.UNSET, utc=UtcMs(0))
    again.send(Restored((), (), {}, 0, 0, "e1", rules=(saved,)))
    again.send(DeviceUp())
    assert again.state.rules
    again.now = replace(bench.now, mono=again.now.mono, utc=UtcMs(bench.now.utc + 50 * MINUTE_MS))
    again.pass_s(9 * 60)
    assert again.state.rules
    again.pass_s(61)
    assert not again.state.rules


def test_an_all_stop_ends_emergencies_too_and_later_ones_sound() -> None:
    bench = at_work()
    warning = bench.playing(**EMERGENCY, job_id="first")
    bench.pass_s(1)
    bench.rule(AllStop(15 * MINUTE_MS))
    bench.end(warning, Reason.SHUTDOWN, ms=1_000)
    assert bench.outcomes()[-1] == (warning, "interrupted", "all_stopped")
    bench.pass_s(1)
    later = bench.playing(**EMERGENCY, job_id="second")
    assert bench.phase(later) is Phase.PLAYING


def test_what_was_due_during_an_all_stop_is_refused_by_name_and_what_is_due_later_sounds() -> None:
    bench = at_work()
    during, after = bench.at(60, job_id="during"), bench.at(3600, job_id="after")
    bench.rule(AllStop(15 * MINUTE_MS))
    bench.pass_s(60)
    assert bench.outcomes()[-1] == (during, "rejected", "all_stopped")
    bench.pass_s(3540)
    bench.pass_s(1)
    assert bench.phase(after) is Phase.PLAYING


def test_a_rule_waits_for_the_welcome_as_every_new_order_does() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(silence(0, 3600), not_after=LATER)
    assert bench.answers()[-1] == ("accepted", None)
    assert all(rule.held for rule in bench.state.rules.values())
    bench.welcome()
    assert not any(rule.held for rule in bench.state.rules.values())
    bench.order()
    assert bench.answers()[-1] == ("refused", "zone_silenced")


def test_a_stale_command_is_refused() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), not_after=UtcMs(makers.NOON - 1))
    assert bench.answers()[-1] == ("refused", "expired")
    assert not bench.state.rules


def test_a_rule_that_the_disk_refuses_is_refused_by_name() -> None:
    bench = at_work()
    bench.deaf = {fx.SaveJob}
    lock = bench.rule(Lock(HOUR_MS))
    bench.send(JournalFailed("job", lock, "no space"))
    assert bench.answers()[-1] == ("refused", "not_saved")
    assert not bench.state.rules


def test_records_of_rules_are_counted_like_any_other() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS))
    bench.send(RecordSaved(1))
    assert bench.state.link.last_seq == 1


def test_a_lock_opens_the_relay_of_what_is_about_to_sound() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    job = bench.order()
    assert bench.closed() == {CHO, DINH}
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    assert bench.closed() == {DINH}
    assert bench.play(job).zones_in(ZonePart.OUT) == (CHO,)


def test_what_begins_just_after_a_lock_closes_no_relay_under_it() -> None:
    bench = at_work()
    job = bench.at(10)
    bench.pass_s(8.7)
    bench.rule(Lock(1_000))
    bench.pass_s(0.1)
    assert bench.closed() == set()
    assert bench.outcomes()[-1] == (job, "rejected", "zone_locked")


def test_a_lock_that_comes_while_it_stops_for_a_pause_is_obeyed_at_once() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(60_000))
    bench.rule(Lock(HOUR_MS))
    assert bench.closed() == set()
    bench.end(job, Reason.SHUTDOWN, ms=1_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "zone_locked")


def test_a_clock_that_is_put_back_prolongs_no_all_stop() -> None:
    bench = at_work()
    stop = bench.rule(AllStop(15 * MINUTE_MS))
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 10 * HOUR_MS))
    bench.pass_s(15 * 60 - 1)
    assert [*bench.state.rules] == [stop]
    bench.pass_s(1)
    assert bench.state.rules == {}


@pytest.mark.parametrize("action", [AllStop(15 * MINUTE_MS), Pause(HOUR_MS), SetVolume(10), Amplify(True, MINUTE_MS)])
def test_a_clock_that_is_put_back_before_a_command_was_signed_takes_nothing_of_it_away(action: Any) -> None:
    bench = at_work()
    bench.rule(action)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 10 * MINUTE_MS))
    holding = [order.action for order in standing.in_force(bench.state, bench.now) if isinstance(order, Command)]
    assert holding == [action]


def test_a_clock_that_is_put_back_lifts_no_lock() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 10 * MINUTE_MS))
    job = bench.playing(not_before=bench.now.utc)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, 10 * 365 * makers.DAY_MS])
@pytest.mark.parametrize(
    "action", [Lock(HOUR_MS), AllStop(15 * MINUTE_MS), Pause(HOUR_MS), Amplify(True, 10 * MINUTE_MS)]
)
@pytest.mark.parametrize("waited", [False, True])
def test_a_welcome_that_tells_a_time_far_ahead_ends_nothing_that_was_ordered_for_a_while(
    action: Lasting, ahead_ms: int, waited: bool
) -> None:
    """Whoever has the welcome key, or a server whose clock is wrong, closed a relay under a technician."""
    bench = Bench().boot(welcomed=not waited)
    rule = bench.rule(action)
    if waited:
        bench.welcome()
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + ahead_ms))
    bench.pass_s(action.for_ms / 1_000 - 1)
    assert [*bench.state.rules] == [rule]
    bench.pass_s(1)
    assert bench.state.rules == {}


LOCKED = UtcMs(makers.NOON + 1_000)
JUST_OVER = UtcMs(LOCKED + HOUR_MS + 10_000)
"""A lock of an hour is over by it, and that was no earlier than the machine was switched on."""
SIGNED = {"source": ClockSource.SIGNED, "signed": True}


def locked_before_a_restart(**clock: Any) -> Bench:
    """For an hour, by a station whose power has been back for a minute, and whose clock says this now."""
    before = at_work()
    assert before.now.utc == LOCKED
    before.rule(Lock(HOUR_MS), zones=[CHO])
    rules = tuple(effect.saved for effect in before.every(fx.SaveJob))
    bench = Bench()
    bench.now = replace(before.now, mono=MonoMs(60_000), **clock)
    bench.send(Restored((), (), {}, 0, 0, "e1", rules=rules))
    bench.send(DeviceUp())
    return bench


def told_that_it_is(bench: Bench, since_ms: int) -> None:
    """A welcome tells that it is so long after the lock was taken."""
    bench.now = replace(bench.now, utc=UtcMs(LOCKED + since_ms), **SIGNED)
    bench.pass_s(0)


def minutes_left(bench: Bench) -> int:
    """Until the lock is over, if nothing else happens."""
    for minute in range(10 * 60):
        if not standing.locked(bench.state, bench.now):
            return minute
        bench.pass_s(60)
    return 10 * 60


@pytest.mark.parametrize(
    "clock",
    [
        {"source": ClockSource.UNSET, "utc": UtcMs(0), "signed": False},
        {"source": ClockSource.FLOOR, "utc": JUST_OVER, "signed": False},
        {"source": ClockSource.RTC, "utc": JUST_OVER, "signed": False},
        {"source": ClockSource.NTP, "utc": JUST_OVER, "signed": False},
        {"source": ClockSource.DISPUTED, "utc": JUST_OVER},
    ],
)
def test_after_a_restart_no_time_but_a_signed_one_that_nothing_disputes_shortens_a_lock(clock: dict[str, Any]) -> None:
    """Nor does it last for ever: for as long as was ordered, from the restart on."""
    assert minutes_left(locked_before_a_restart(**clock)) == 60
    bench = locked_before_a_restart(**clock)
    bench.pass_s(5 * 60)
    told_that_it_is(bench, 50 * MINUTE_MS)
    assert minutes_left(bench) == 10


@pytest.mark.parametrize(("minutes", "left"), [(0, 60), (50, 10), (60, 0), (600, 0), (-60, 60)])
def test_after_a_restart_signed_time_tells_what_is_left_of_a_lock_and_never_more_than_was_ordered(
    minutes: int, left: int
) -> None:
    bench = locked_before_a_restart(utc=UtcMs(LOCKED + minutes * MINUTE_MS), **SIGNED)
    assert minutes_left(bench) == left


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS, 10 * 365 * makers.DAY_MS])
def test_after_a_restart_what_the_first_signed_time_has_left_of_a_lock_no_later_one_changes(ahead_ms: int) -> None:
    bench = locked_before_a_restart(source=ClockSource.UNSET, utc=UtcMs(0), signed=False)
    bench.pass_s(60)
    told_that_it_is(bench, 30 * MINUTE_MS)
    told_that_it_is(bench, ahead_ms)
    assert minutes_left(bench) == 30


def test_a_lock_whose_signer_has_a_fast_clock_holds_at_once() -> None:
    bench = at_work()
    job = bench.playing()
    ahead = UtcMs(bench.now.utc + 90_000)
    bench.rule(Lock(HOUR_MS), zones=[CHO], not_before=ahead, not_after=UtcMs(ahead + 120_000))
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


@pytest.mark.parametrize("kind", ["regulation", "volume"])
def test_what_the_disk_refuses_takes_nobodys_place(kind: str) -> None:
    bench = at_work()
    older, newer = (regulation(1), regulation(2)) if kind == "regulation" else (SetVolume(30), SetVolume(90))
    kept = bench.rule(older, not_after=LATER)
    bench.deaf = {fx.SaveJob}
    refused = bench.rule(newer, not_after=LATER)
    bench.pass_s(1)
    bench.send(JournalFailed("job", refused, "no space"))
    bench.pass_s(1)
    assert [*bench.state.rules] == [kept]


def test_a_rule_that_waits_for_a_welcome_in_vain_is_let_go_of_in_time() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(Lock(HOUR_MS))
    assert waiting.next_wake(bench.state, bench.now) == [bench.now.mono + 120_001]
    bench.pass_s(120.001)
    assert bench.state.rules == {}


def test_what_fell_due_while_nobody_knew_the_time_says_so_and_what_came_before_does_not() -> None:
    bench = at_work()
    job = bench.order(when=makers.rule_when(times=["12:30:00", "13:30:00"], weekdays=[4, 5, 6]))
    trusted = bench.now
    bench.now = replace(trusted, source=ClockSource.UNSET)
    bench.pass_s(1)
    bench.pass_s(24 * 3_600)
    bench.now = replace(bench.now, source=trusted.source)
    bench.pass_s(1)
    reasons = [reason for name, _, reason in bench.outcomes() if name == job]
    assert reasons == ["clock_not_trusted"] * 2
