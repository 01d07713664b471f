"""What a regulation, a window, a lock or an all-stop does to what sounds and what is to come, and how each ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import intake
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import DeviceUp, JournalFailed, RecordSaved, Restored
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    AllStop,
    Amplify,
    Cancel,
    Lock,
    Loosening,
    Pause,
    Rank,
    Regulation,
    SetVolume,
    Stop,
    Window,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, Clause, IntoQuiet, LocalPolicy
from edge_agent.core.standing import CANCELS_MAX
from edge_agent.core.state import ZonePart
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, JobId, MonoMs, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work
from tests.trust import makers

EMERGENCY = {"class": "emergency"}
LATER = UtcMs(makers.NOON + 30 * 24 * HOUR_MS)


def silence(begins_s: float, ends_s: float) -> Any:
    begins, ends = (UtcMs(makers.NOON + round(at * SECOND_MS)) for at in (begins_s, ends_s))
    return lambda heading: Window(heading, begins, ends, "Gia đình có tang", None)


def regulation(version: int, *clauses: Clause, into_quiet: IntoQuiet = IntoQuiet.REFUSE) -> Any:
    policy = LocalPolicy(clauses or (STANDARD,), into_quiet)
    return lambda heading: Regulation(heading, version, "12/2026/QĐ-UBND", date(2026, 10, 1), policy)


def zone_reasons(bench: Bench) -> dict[str, str | None]:
    record = bench.every(fx.CommitRecord)[-1].record
    return {zone.zone: zone.reason and zone.reason.value for zone in record.zones}


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


def test_a_silence_that_begins_ends_what_sounds_there() -> None:
    bench = at_work()
    bench.rule(silence(5, 3600), zones=[CHO], not_after=LATER)
    job = bench.playing(items=[makers.clip_item(duration_ms=CLIP_MS)])  # it touches the silence: not there at all
    assert bench.play(job).zones_in(ZonePart.OUT) == (CHO,)
    bench.end(job)
    assert zone_reasons(bench) == {CHO: "zone_silenced", DINH: None}


def test_a_silence_that_comes_while_it_sounds_takes_its_zone_when_it_begins() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(silence(5, 3600), zones=[CHO], not_after=LATER)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (CHO, DINH)
    assert bench.wakes_in_ms() <= 4_000
    bench.pass_s(4)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


def test_an_emergency_passes_a_silence() -> None:
    bench = at_work()
    bench.rule(silence(0, 3600), not_after=LATER)
    warning = bench.playing(**EMERGENCY)
    assert bench.play(warning).zones_in(ZonePart.HEARING) == (CHO, DINH)


def test_a_window_is_on_record_when_it_begins_to_hold_and_when_it_is_over() -> None:
    bench = at_work()
    order = bench.rule(silence(0, 60), zones=[CHO], not_after=LATER)
    bench.pass_s(60)
    told = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert [(one.kind, one.job_id, one.outcome, one.reason) for one in told] == [
        ("rule", order, Phase.SUCCEEDED, None),
        ("rule", order, Phase.EXPIRED, Reason.EXPIRED),
    ]
    assert told[0].detail.startswith(f"silence zones={CHO} begins={makers.NOON} ")
    assert [effect.job_over for effect in bench.every(fx.CommitRecord)] == [False, True]


def test_an_exception_lets_a_job_sound_at_night_and_the_record_names_it() -> None:
    bench = at_work()
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 11 * HOUR_MS)
    loosens = Loosening(frozenset({JobClass.NORMAL}), 10 * MINUTE_MS)
    window = bench.rule(lambda heading: Window(heading, begins, ends, "01/CV", loosens), not_after=LATER)
    job = bench.at(10 * 3600 + 60)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(10 * 3600 + 60)
    bench.pass_s(1)
    bench.end(job)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    assert bench.every(fx.CommitRecord)[-1].record.under == window


def test_a_newer_regulation_replaces_an_older_one_and_never_the_other_way() -> None:
    bench = at_work()
    first = bench.rule(regulation(1, Clause(sessions_per_day=0)), not_after=LATER)
    bench.order(job_id="a", when={"kind": "at", "utc": bench.now.utc + 60_000})
    assert bench.answers()[-1] == ("refused", "sessions_per_day")
    bench.rule(regulation(2, Clause(sessions_per_day=5)), not_after=LATER)
    assert (first, "superseded", "superseded") in bench.outcomes()
    bench.order(job_id="b", when={"kind": "at", "utc": bench.now.utc + 60_000})
    assert bench.answers()[-1] == ("accepted", None)
    bench.rule(regulation(1, Clause(sessions_per_day=0)), not_after=LATER)
    assert bench.answers()[-1] == ("refused", "superseded")


def test_a_regulation_that_is_over_gives_way_to_the_stations_own_policy() -> None:
    bench = at_work()
    bench.rule(regulation(1, Clause()), not_after=UtcMs(makers.NOON + HOUR_MS))
    bench.pass_s(3601)
    bench.order(when={"kind": "at", "utc": makers.NOON + 10 * HOUR_MS})
    assert bench.answers()[-1] == ("refused", "quiet_hours")


def test_a_programme_is_cut_where_the_quiet_hours_begin() -> None:
    bench = at_work()
    nap = Clause(quiet=(time(12, 1), time(14)))
    bench.rule(regulation(1, nap, into_quiet=IntoQuiet.CUT), not_after=LATER)
    job = bench.playing(items=[makers.clip_item(duration_ms=CLIP_MS)], loops=10)
    assert bench.play(job).cut_at is not None
    bench.pass_s(57.5)
    assert bench.every(fx.StopPlay) == []
    bench.pass_s(0.5)
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(job, Reason.SHUTDOWN, ms=57_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "quiet_hours")


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


def test_the_volume_that_was_set_holds_for_what_sounds_and_what_comes() -> None:
    bench = at_work()
    job = bench.playing(volume=70)
    bench.rule(SetVolume(30), zones=[CHO])
    assert {feed.zone: feed.volume for feed in bench.every(fx.RoutePlay)[-1].feeds} == {CHO: 30, DINH: 70}
    bench.end(job)
    bench.pass_s(120)
    bench.playing(volume=70, job_id="next")
    assert {feed.zone: feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds} == {CHO: 30, DINH: 70}
    bench.rule(SetVolume(100), zones=[CHO])
    assert {feed.zone: feed.volume for feed in bench.every(fx.RoutePlay)[-1].feeds} == {CHO: 70, DINH: 70}


def test_a_volume_is_no_limit_for_an_emergency() -> None:
    bench = at_work()
    bench.rule(SetVolume(0))
    bench.playing(**EMERGENCY, volume=90)
    assert {feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds} == {90}


def test_an_amplifier_that_was_switched_on_goes_off_by_itself_and_by_command() -> None:
    bench = at_work()
    bench.rule(Amplify(True, 60_000), zones=[CHO])
    assert bench.closed() == {CHO}
    assert bench.every(fx.SwitchRelay)[-1] == fx.SwitchRelay(CHO, True, 60_000)
    bench.pass_s(59)
    assert bench.closed() == {CHO}
    bench.pass_s(1)
    assert bench.closed() == set()
    bench.rule(Amplify(True, 60_000))
    bench.rule(Amplify(False, 1_000), zones=[CHO])
    assert bench.closed() == {DINH}


def test_the_order_that_the_commune_sets_decides_among_those_who_wait() -> None:
    bench = at_work()
    first = bench.playing(job_id="first")
    late = {"missed": {"policy": "late", "limit_s": 600}, "class": "priority"}
    bench.at(2, job_id="province", order=1, **late)
    bench.at(3, job_id="commune", order=2, **late)
    bench.pass_s(4)
    bench.rule(Rank((JobId("commune"), JobId("province"))))
    bench.end(first)
    bench.pass_s(1)
    assert bench.phase(JobId("commune")) is Phase.PLAYING
    assert bench.phase(JobId("province")) is Phase.QUEUED


def test_a_rule_waits_for_the_welcome_as_every_new_order_does() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(silence(0, 3600), not_after=LATER)
    assert bench.answers()[-1] == ("accepted", None)
    assert all(rule.held for rule in bench.state.rules.values())
    bench.welcome()
    assert not any(rule.held for rule in bench.state.rules.values())
    bench.order()
    assert bench.answers()[-1] == ("refused", "zone_silenced")


def test_a_regulation_that_waits_for_the_welcome_takes_effect_with_it() -> None:
    bench = Bench().boot(welcomed=False)
    first = bench.rule(regulation(1, Clause(sessions_per_day=0)), not_after=LATER)
    bench.welcome()
    assert (first, "succeeded", None) in bench.outcomes()
    bench.order(when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.pass_s(61)
    assert bench.outcomes()[-1][1:] == ("rejected", "sessions_per_day")


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_of_two_regulations_that_wait_for_the_welcome_the_newer_one_holds(versions: tuple[int, int]) -> None:
    bench = Bench().boot(welcomed=False)
    ids = {version: bench.rule(regulation(version), not_after=LATER) for version in versions}
    bench.welcome()
    assert [*bench.state.rules] == [ids[2]]
    assert bench.outcomes() == [(ids[2], "succeeded", None), (ids[1], "rejected", "superseded")]


def test_a_regulation_whose_time_is_up_when_the_welcome_comes_takes_nobodys_place() -> None:
    bench = Bench().boot(welcomed=False)
    first = bench.rule(regulation(1), not_after=LATER)
    bench.rule(regulation(2), not_after=UtcMs(bench.now.utc + 1_000))
    bench.now = replace(bench.now, mono=MonoMs(bench.now.mono + 2_000), utc=UtcMs(bench.now.utc + 2_000))
    bench.welcome()
    assert [*bench.state.rules] == [first]


def test_of_two_that_are_due_at_once_the_first_received_begins_whatever_it_has_played_before() -> None:
    bench = at_work()
    bench.order(job_id="first", when=makers.rule_when(times=["12:01:00", "17:00:00"], weekdays=[4]))
    bench.order(job_id="second", when=makers.rule_when(times=["17:00:00"], weekdays=[4]))
    bench.pass_s(60)
    bench.end(JobId("first"))
    bench.pass_s(5 * 3_600 - 70)
    bench.pass_s(10)
    assert bench.phase(JobId("first")) is Phase.PLAYING
    assert bench.phase(JobId("second")) is Phase.QUEUED


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


def test_no_amplifier_is_switched_on_under_whoever_is_at_the_horn() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.rule(Amplify(True, 60_000))
    assert bench.closed() == {DINH}


def test_a_lock_takes_off_an_amplifier_that_was_switched_on() -> None:
    bench = at_work()
    bench.rule(Amplify(True, 600_000))
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    assert bench.closed() == {DINH}


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


def test_a_clock_that_is_put_back_lifts_no_lock() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 10 * MINUTE_MS))
    job = bench.playing(not_before=bench.now.utc)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


def test_a_lock_whose_signer_has_a_fast_clock_holds_at_once() -> None:
    bench = at_work()
    job = bench.playing()
    ahead = UtcMs(bench.now.utc + 90_000)
    bench.rule(Lock(HOUR_MS), zones=[CHO], not_before=ahead, not_after=UtcMs(ahead + 120_000))
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


def test_a_clock_that_cannot_be_trusted_drops_no_regulation_for_one_that_is_ahead() -> None:
    bench = at_work()
    first = bench.rule(regulation(1), not_after=LATER)
    bench.rule(regulation(2), not_before=UtcMs(bench.now.utc + 24 * HOUR_MS), not_after=LATER)
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    bench.pass_s(1)
    assert first in bench.state.rules


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


def test_a_silence_that_ends_before_the_first_sample_takes_no_zone() -> None:
    bench = at_work()
    job = bench.at(10)
    bench.rule(silence(0, 10.5), not_after=LATER)  # the bench began a second after noon
    bench.pass_s(8.8)
    bench.pass_s(0.1)
    assert bench.phase(job) is Phase.PLAYING
    assert bench.play(job).zones_in(ZonePart.HEARING) == (CHO, DINH)


def test_a_rule_that_waits_for_a_welcome_in_vain_is_let_go_of_in_time() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(Lock(HOUR_MS))
    assert intake.next_wake(bench.state, bench.now) == [bench.now.mono + 120_001]
    bench.pass_s(120.001)
    assert bench.state.rules == {}


def test_an_exception_that_was_signed_ahead_lets_in_what_it_will_let_sound() -> None:
    """Refused on arrival it would be refused for good."""
    bench = at_work()
    loosens = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 11 * HOUR_MS)
    tonight = bench.rule(
        lambda heading: Window(heading, begins, ends, "Giao thừa", loosens),
        not_before=UtcMs(makers.NOON + HOUR_MS),
        not_after=ends,
    )
    job = bench.at(10 * 3_600 + 60)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(10 * 3_600 + 61)
    assert bench.phase(job) is Phase.PLAYING
    assert bench.play(job).under == tonight


def test_an_exception_lets_nothing_sound_before_it_may_be_obeyed() -> None:
    bench = at_work()
    loosens = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 12 * HOUR_MS)
    bench.rule(
        lambda heading: Window(heading, begins, ends, "Giao thừa", loosens),
        not_before=UtcMs(makers.NOON + 11 * HOUR_MS),
        not_after=ends,
    )
    bench.at(10 * 3_600 + 60)
    assert bench.answers()[-1] == ("refused", "quiet_hours")


def test_an_older_regulation_does_not_come_back_where_the_newer_one_ends() -> None:
    """Not in what is judged today of that day either."""
    bench = at_work()
    bench.rule(regulation(1, Clause(quiet=(time(0), time(1)))), not_after=LATER)
    begins, ends = (UtcMs(makers.NOON + days * 24 * HOUR_MS) for days in (2, 3))
    bench.rule(regulation(2, Clause(quiet=(time(0), time(1)))), not_before=begins, not_after=ends)
    at_ten = 10 * 3_600
    bench.at(24 * 3_600 + at_ten, job_id="under-1")
    bench.at(2 * 24 * 3_600 + at_ten, job_id="under-2")
    bench.at(4 * 24 * 3_600 + at_ten, job_id="under-none")
    assert bench.answers()[-3:] == [("accepted", None), ("accepted", None), ("refused", "quiet_hours")]


def test_a_rank_that_comes_before_its_programmes_orders_them_all_the_same() -> None:
    bench = at_work()
    bench.rule(Rank((JobId("second"), JobId("first"))))
    busy = bench.playing(job_id="busy")
    bench.order(job_id="first")
    bench.order(job_id="second")
    bench.pass_s(9)
    bench.end(busy)
    bench.pass_s(1)
    assert bench.phase(JobId("second")) is Phase.PLAYING


def test_a_rank_is_over_with_the_last_of_its_programmes() -> None:
    bench = at_work()
    rank = bench.rule(Rank((JobId("only"),)), not_after=LATER)
    assert rank in bench.state.rules
    bench.end(bench.playing(job_id="only"))
    bench.pass_s(1)
    assert rank not in bench.state.rules


def test_no_heap_of_other_orders_keeps_somebody_from_silence() -> None:
    bench = at_work()
    for number in range(CANCELS_MAX):
        bench.rule(Cancel(JobId(f"x-{number}"), LATER), order_id=JobId(f"huy-{number}"))
        assert bench.answers()[-1] == ("accepted", None)
    for action in (SetVolume(40), Cancel(JobId("x"), LATER)):
        bench.rule(action)
        assert bench.answers()[-1] == ("refused", "too_many_jobs")
    for action in (Stop(), AllStop(60_000), Lock(60_000)):
        bench.rule(action)
        assert bench.answers()[-1] == ("accepted", None)


def test_an_amplifier_that_is_on_is_kept_on_for_as_long_as_the_later_order_says() -> None:
    bench = at_work()
    bench.rule(Amplify(True, 60_000))
    bench.rule(Amplify(True, 600_000))
    assert [one.off_after_ms for one in bench.every(fx.SwitchRelay)[-2:]] == [600_000, 600_000]


def test_a_sound_that_ends_early_does_not_shorten_how_long_the_amplifier_is_on() -> None:
    """The device process opens a relay by itself when the time of its last closing is over."""
    bench = at_work()
    bench.rule(Amplify(True, 900_000))
    bench.end(bench.playing())
    assert bench.closed() == {CHO, DINH}
    last = {one.zone: one.off_after_ms for one in bench.every(fx.SwitchRelay)}
    assert min(last.values()) > 890_000


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
