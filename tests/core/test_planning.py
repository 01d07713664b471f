"""What is planned by a clock that nobody has signed, and what such a clock may not end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import explain, standing
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import ClipFailed, ClipStaged, Mark, Restored, SavedJob, SavedMark
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Lock
from edge_agent.core.planning import TWICE_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import next_instant
from edge_agent.core.units import DAY_MS, HOUR_MS, SECOND_MS, MonoMs, UtcMs
from tests.core.bench import SPEECH_MS, Bench
from tests.core.papers import regulation, silence
from tests.trust import makers

MONTH_MS = 30 * DAY_MS
EMERGENCY = {"class": "emergency"}
EVERY_DAY = makers.rule_when(first_day="2026-10-01", last_day="2026-12-31", weekdays=[1, 2, 3, 4, 5, 6, 7], excluded=[])


def told_by_ntp(bench: Bench, ahead_ms: int = MONTH_MS) -> None:
    """It has started a moment ago, and NTP says that it is so much later."""
    utc = UtcMs(bench.now.utc + ahead_ms)
    bench.now = replace(bench.now, mono=MonoMs(60_000), utc=utc, source=ClockSource.NTP, signed=False)
    bench.pass_s(1)


def told_by_a_welcome(bench: Bench, back_ms: int = MONTH_MS) -> None:
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - back_ms), source=ClockSource.SIGNED, signed=True)
    bench.pass_s(1)


def just_started(**site: Any) -> Bench:
    """Welcomed, and on for a minute."""
    bench = Bench(**site)
    bench.now = replace(bench.now, mono=MonoMs(60_000))
    return bench.boot()


ORDERS: dict[str, dict[str, Any]] = {
    "once": {"when": {"kind": "at", "utc": makers.NOON + HOUR_MS}},
    "every day": {"when": EVERY_DAY},
    "to its last day": {"when": makers.rule_when(first_day="2026-10-01", last_day="2026-10-20")},
    "a warning": {**EMERGENCY, "not_after": makers.NOON + HOUR_MS},
    "a warning again and again": {
        **EMERGENCY,
        "when": {"kind": "now", "every_s": 600, "until": makers.NOON + HOUR_MS},
        "not_after": makers.NOON + HOUR_MS,
    },
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=[*ORDERS])
def test_a_time_that_nobody_has_signed_ends_nothing(order: dict[str, Any]) -> None:
    bench = just_started()
    bench.deaf = {fx.SpeakText}  # or a warning has sounded before
    job = bench.order(**order)
    before = dict(bench.state.jobs)
    told_by_ntp(bench)
    bench.pass_s(1)
    assert bench.outcomes() == []
    assert bench.state.jobs == before
    assert bench.every(fx.StartPlay) == []
    assert bench.wakes_in_ms() > 0, "it is not asked again and again"
    told_by_a_welcome(bench)
    assert (bench.outcomes(), bench.state.jobs) == ([], before)
    planned = next_instant(bench.state.jobs[job].job, bench.state.jobs[job].base)
    assert bench.play(job).planned == planned


@pytest.mark.parametrize("order", ORDERS.values(), ids=[*ORDERS])
def test_once_it_is_signed_it_ends_what_is_over(order: dict[str, Any]) -> None:
    bench = just_started()
    bench.deaf = {fx.SpeakText}
    bench.order(**order)
    told_by_ntp(bench)
    told_by_a_welcome(bench, back_ms=0)
    ended = {outcome for _, outcome, _ in bench.outcomes()}
    assert ended == ({"expired"} if order.get("class") == "emergency" else {"missed"})


def test_what_recurs_goes_on_with_its_next_instant_and_then_says_what_it_passed_over() -> None:
    bench = just_started()
    job = bench.order(when=EVERY_DAY)
    told_by_ntp(bench, 2 * DAY_MS)
    assert bench.outcomes() == []
    until = bench.play(job).planned
    assert bench.now.utc < until <= bench.now.utc + DAY_MS
    bench.pass_s((until - bench.now.utc) / SECOND_MS)
    bench.end(job)
    assert [outcome for _, outcome, _ in bench.outcomes()] == ["missed"] * 4 + ["succeeded"]
    closed = [effect.closes for effect in bench.every(fx.CommitRecord)]
    assert closed == sorted(closed)
    told_by_a_welcome(bench, back_ms=0)
    assert len(bench.outcomes()) == 5, "nothing is said twice"


def test_what_recurs_does_not_wait_for_a_day_that_only_a_wrong_chip_said_it_was() -> None:
    """NTP put it right; the day it had been planned for was the only one that it waited for, where no centre is."""
    bench = Bench()
    job = bench.make(when=EVERY_DAY)
    bench.now = replace(bench.now, mono=MonoMs(60_000), source=ClockSource.RTC, signed=False)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + MONTH_MS))
    bench.send(Restored((SavedJob(bench.accept(job), UtcMs(makers.NOON), held=False),), (), {}, 0, 0))
    assert bench.play(job.job_id).planned > makers.NOON + MONTH_MS
    told_by_ntp(bench, -MONTH_MS)
    assert bench.now.utc < bench.play(job.job_id).planned <= bench.now.utc + DAY_MS
    assert bench.outcomes() == []


def test_nor_for_that_of_an_intent_that_a_start_without_a_time_has_found() -> None:
    bench = Bench()
    job = bench.make(when=EVERY_DAY)
    far = next_instant(job, UtcMs(makers.NOON + MONTH_MS))
    assert far is not None
    bench.now = replace(bench.now, mono=MonoMs(60_000), utc=UtcMs(0), source=ClockSource.UNSET, signed=False)
    saved = SavedJob(bench.accept(job), UtcMs(makers.NOON), held=False)
    bench.send(Restored((saved,), (SavedMark(job.job_id, far, Mark.INTENT, 1),), {}, 0, 0))
    told_by_ntp(bench, makers.NOON)
    assert bench.now.utc < bench.play(job.job_id).planned <= bench.now.utc + DAY_MS


ITEMS: dict[str, list[dict[str, Any]]] = {
    "a recording": [makers.clip_item()],
    "a relay and what stands in for it": [makers.live_item(stand_in=makers.clip_item())],
}


@pytest.mark.parametrize("items", ITEMS.values(), ids=[*ITEMS])
def test_what_waits_for_signed_time_asks_again_for_the_sound_that_it_lacks(items: list[dict[str, Any]]) -> None:
    """Its try that was due woke the station without end, for nobody made it: a processor that never rests."""
    bench = just_started()
    bench.deaf = {fx.FetchClip}
    bench.order(when=ORDERS["once"]["when"], items=items)
    told_by_ntp(bench)
    for tries in range(1, 4):
        (key,) = {order.key for order in bench.every(fx.FetchClip)}
        assert len(bench.every(fx.FetchClip)) == tries
        bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True))
        due = bench.state.clips[key].retry_at
        assert due is not None
        bench.pass_s((due - bench.now.mono) / SECOND_MS)
        assert bench.wakes_in_ms() > 0
    assert (bench.every(fx.StartPlay), bench.outcomes()) == ([], [])


def test_nobody_pays_for_a_live_source_while_its_relay_waits_for_signed_time() -> None:
    """It was open for as long as no welcome came: a gigabyte a day."""
    bench = just_started()
    job = bench.order(when=ORDERS["once"]["when"], items=[makers.live_item(duration_ms=60_000)])
    told_by_ntp(bench, HOUR_MS + 300 * SECOND_MS)
    assert bench.every(fx.OpenLive) == []
    told_by_a_welcome(bench, 312 * SECOND_MS)
    assert (len(bench.every(fx.OpenLive)), bench.every(fx.CloseLive)) == (1, [])
    bench.pass_s(15)
    assert bench.phase(job) is Phase.PLAYING


def test_the_words_of_a_warning_that_waits_for_signed_time_are_ready_when_it_comes() -> None:
    bench = just_started()
    bench.deaf = {fx.SpeakText}
    job = bench.order(**ORDERS["a warning"])
    told_by_ntp(bench)
    bench.send(ClipStaged(bench.every(fx.SpeakText)[0].key, SPEECH_MS))
    assert (bench.phase(job), bench.every(fx.StartPlay)) == (Phase.STAGED, [])
    told_by_a_welcome(bench)
    assert bench.phase(job) is Phase.PLAYING


def test_what_has_waited_for_its_sound_does_not_wait_for_an_instant_that_is_said_to_be_over() -> None:
    bench = just_started()
    bench.deaf = {fx.FetchClip}
    job = bench.order(when=EVERY_DAY)
    first = bench.play(job)
    told_by_ntp(bench, 2 * DAY_MS)
    assert first.phase is Phase.RECEIVED
    assert bench.play(job).planned > first.planned


@pytest.mark.parametrize(("ahead_ms", "again"), [(TWICE_MS + 2 * DAY_MS, True), (TWICE_MS // 2, False)])
def test_what_has_sounded_by_a_wrong_time_sounds_again_if_that_was_more_than_a_day_ahead(
    ahead_ms: int, again: bool
) -> None:
    bench = just_started()
    job = bench.order(when=EVERY_DAY)
    told_by_ntp(bench, ahead_ms)
    sounded = bench.play(job).planned
    bench.pass_s((sounded - bench.now.utc) / SECOND_MS)
    bench.end(job)
    bench.said.clear()
    told_by_a_welcome(bench, ahead_ms)
    known = bench.state.jobs[job]
    if again:
        assert bench.now.utc <= bench.play(job).planned <= bench.now.utc + DAY_MS
        assert bench.every(fx.ReleaseJob) == [fx.ReleaseJob(job, known.base)], "the disk counts from there too"
    else:
        assert bench.play(job).planned > sounded
        assert bench.every(fx.ReleaseJob) == []


def test_nothing_comes_again_that_had_its_time_before_the_last_order() -> None:
    """Or who has stolen the key of the welcomes has a week's programmes played over, by a time of before them."""
    bench = just_started()
    job = bench.order(when=EVERY_DAY)
    for _ in range(7):
        bench.pass_s((bench.play(job).planned - bench.now.utc) / SECOND_MS)
        bench.end(job)
    assert len(bench.outcomes()) == 7
    last = bench.now.utc
    bench.order(job_id="newest", when={"kind": "at", "utc": last + HOUR_MS})
    told_by_ntp(bench, 0)
    told_by_a_welcome(bench, 5 * DAY_MS)
    assert bench.play(job).planned > last


def test_a_process_that_begins_with_signed_time_finds_what_one_before_it_left_to_a_wrong_one() -> None:
    """It ended between the welcome and the disk: the journal says that the next month is over."""
    before = just_started()
    job = before.make(when=EVERY_DAY)
    saved = SavedJob(before.accept(job), UtcMs(before.now.utc + MONTH_MS), held=False)
    bench = Bench()
    bench.send(Restored((saved,), (), {}, 0, 0, floor=bench.now.utc))
    assert bench.play(job.job_id).planned <= bench.now.utc + DAY_MS
    assert bench.every(fx.ReleaseJob) == [fx.ReleaseJob(job.job_id, job.issued_at)], "it cannot be earlier than that"


def test_what_waits_for_a_welcome_waits_on_when_only_the_time_is_put_right() -> None:
    bench = Bench()
    bench.now = replace(bench.now, mono=MonoMs(60_000))
    bench.boot(welcomed=False)
    told_by_ntp(bench)
    job = bench.make(when=EVERY_DAY, issued_at=bench.now.utc, not_before=bench.now.utc)
    bench.arrive(bench.accept(job))
    told_by_a_welcome(bench)
    assert bench.state.jobs[job.job_id].held
    assert bench.every(fx.ReleaseJob) == [], "or a restart would take it for released"


def test_what_has_begun_is_not_planned_anew() -> None:
    bench = just_started()
    job = bench.order(when=EVERY_DAY)
    planned = bench.play(job).planned
    bench.pass_s((planned - bench.now.utc) / SECOND_MS)
    assert bench.phase(job) is Phase.PLAYING
    told_by_ntp(bench)
    told_by_a_welcome(bench)
    assert (bench.phase(job), bench.play(job).planned) == (Phase.PLAYING, planned)


def test_a_warning_whose_relays_close_waits_when_the_clock_leaps_and_is_not_over() -> None:
    bench = just_started()
    bench.deaf = {fx.SwitchRelay}
    job = bench.order(**EMERGENCY, not_after=makers.NOON + HOUR_MS)
    assert bench.phase(job) is Phase.ARMED
    told_by_ntp(bench)
    bench.confirm_relays()
    assert bench.play(job).held_by is Reason.CLOCK_NOT_TRUSTED
    assert bench.every(fx.StartPlay) == []
    bench.deaf.clear()
    told_by_a_welcome(bench)
    bench.pass_s(5)
    assert bench.phase(job) is Phase.PLAYING


def test_a_warning_that_waits_for_the_time_is_not_over_by_a_time_that_nobody_has_signed() -> None:
    bench = Bench()
    bench.now = replace(bench.now, mono=MonoMs(60_000), source=ClockSource.UNSET, signed=False)
    bench.boot(welcomed=False)
    job = bench.order(**EMERGENCY, not_after=makers.NOON + HOUR_MS)
    told_by_ntp(bench)
    assert bench.state.jobs[job].held
    assert bench.wakes_in_ms() > 0
    told_by_a_welcome(bench)
    assert bench.phase(job) is Phase.PLAYING


def test_nor_is_one_that_comes_just_then() -> None:
    bench = just_started()
    warning = bench.make(**EMERGENCY, not_after=makers.NOON + HOUR_MS)
    told_by_ntp(bench)
    bench.arrive(bench.accept(warning))
    assert bench.answers() == [("accepted", None)]
    told_by_a_welcome(bench)
    assert bench.phase(warning.job_id) is Phase.PLAYING


def test_what_waits_for_a_welcome_is_judged_by_its_time_and_not_by_that_of_before() -> None:
    """The step that takes the welcome in still has the old time; the next one has the new."""
    bench = Bench()
    bench.now = replace(bench.now, mono=MonoMs(60_000), source=ClockSource.NTP, signed=False)
    bench.boot(welcomed=False)
    job = bench.make(when={"kind": "at", "utc": makers.NOON + HOUR_MS}, not_after=makers.NOON + 2 * HOUR_MS)
    order = bench.make(job_id="every-day", when=EVERY_DAY, not_after=makers.NOON + 20 * DAY_MS)
    bench.arrive(bench.accept(job))
    bench.arrive(bench.accept(order))
    held = bench.rule(silence(60, 3_600), not_after=UtcMs(makers.NOON + HOUR_MS))
    told_by_ntp(bench)
    bench.welcome()
    assert bench.outcomes() == []
    told_by_a_welcome(bench)
    assert {job.job_id, order.job_id} == {one for one, known in bench.state.jobs.items() if not known.held}
    assert not bench.state.rules[held].held


RULES = {
    "silence": silence(60, 3_600),
    "lock": Lock(4 * HOUR_MS),
    "all-stop": AllStop(15 * 60_000),
    "regulation": regulation(1),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=[*RULES])
def test_rules_hold_on(rule: Any) -> None:
    bench = just_started()
    order = bench.rule(rule, not_after=UtcMs(bench.now.utc + 5 * HOUR_MS))
    bench.said.clear()
    told_by_ntp(bench)
    assert order in bench.state.rules
    assert bench.outcomes() == []
    assert bench.wakes_in_ms() > 0
    told_by_a_welcome(bench)
    assert order in bench.state.rules
    bench.pass_s(6 * 3_600)
    assert order not in bench.state.rules


def test_a_lock_ends_by_boot_time_where_nobody_signs_the_other() -> None:
    bench = just_started()
    order = bench.rule(Lock(HOUR_MS))
    told_by_ntp(bench)
    bench.pass_s(3_500)
    assert order in bench.state.rules
    bench.pass_s(200)
    assert order not in bench.state.rules


def in_force(bench: Bench) -> int:
    """The version of the regulation that holds."""
    found = standing.regulation_in_force(bench.state, bench.now)
    return 0 if found is None else found.version


def test_a_regulation_of_next_month_holds_and_ends_the_one_of_today_when_the_time_is_signed() -> None:
    bench = just_started()
    older = bench.rule(regulation(1), not_after=UtcMs(bench.now.utc + 90 * DAY_MS))
    ahead = UtcMs(bench.now.utc + 10 * DAY_MS)
    newer = bench.rule(regulation(2), not_before=ahead, not_after=UtcMs(ahead + 90 * DAY_MS))
    told_by_ntp(bench)
    assert {older, newer} <= bench.state.rules.keys()
    assert in_force(bench) == 2
    told_by_a_welcome(bench)
    assert {older, newer} <= bench.state.rules.keys()
    assert in_force(bench) == 1
    bench.pass_s(11 * 86_400)
    assert older not in bench.state.rules


def test_an_offer_still_waits_to_be_chosen() -> None:
    bench = just_started()
    made = bench.make(not_after=bench.now.utc + HOUR_MS)
    bench.arrive(replace(bench.accept(made), offered=True))
    told_by_ntp(bench)
    assert bench.state.jobs[made.job_id].offered
    assert bench.wakes_in_ms() > 0


def test_who_asks_is_told_that_it_waits_for_the_centre_and_no_day_lists_it() -> None:
    bench = just_started()
    job = bench.at(3_600)
    bench.order(job_id="every-day", when=EVERY_DAY)
    bench.order(job_id="to-its-last-day", when=makers.rule_when(first_day="2026-10-01", last_day="2026-10-20"))
    told_by_ntp(bench)
    shown = {one.job_id: one.reason for one in explain.upcoming(bench.state, bench.now)}
    assert shown == {job: Reason.NOT_WELCOMED, "every-day": None}
    today = date.fromtimestamp(bench.now.utc / SECOND_MS)
    for day in (today, date(2026, 10, 1), date(2026, 10, 2)):
        listed = explain.day_sheet(bench.state, bench.now, day).plan
        assert {one.job_id for one in listed} <= {"every-day"}
    assert explain.day_sheet(bench.state, bench.now, today).plan
