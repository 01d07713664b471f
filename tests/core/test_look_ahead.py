"""Audio for later comes in the night, each station in its own moment, and no day costs more bytes than it may.

What is due today comes within minutes, in its own moment too, and none that a slow line would miss.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import time

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import effects as fx
from edge_agent.core import explain, look_ahead
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import ClipFailed
from edge_agent.core.look_ahead import ask_at
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.state import ClipStatus
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, ClipKey, MonoMs, StationId, UtcMs
from edge_agent.core.wall_time import local_time
from edge_agent.sync.https import PATIENCE
from tests.core.bench import Bench
from tests.trust import makers

SITE = makers.make_site()
KEY = ClipKey("ab" * 32)
LENGTH = 480_000  # a bulletin of a minute
NOON = Now(MonoMs(5_000_000), UtcMs(makers.NOON), ClockSource.SIGNED, 10)
TOMORROW = UtcMs(makers.NOON + DAY_MS)


def wall(at: MonoMs, now: Now = NOON) -> time:
    return local_time(now.utc_of(at), SITE.timezone).time()


def wake_until_asked(bench: Bench, times: int = 1) -> None:
    """From wake to wake until the sound has been asked for so often."""
    for _ in range(10):
        if len(bench.every(fx.FetchClip)) == times:
            return
        bench.pass_s(bench.wakes_in_ms() / 1000)
    raise AssertionError("it is never asked for")


def commune() -> list[Site]:
    return [replace(SITE, station=StationId(f"dt-{number}")) for number in range(200)]


def most_in_a_second(moments: list[MonoMs]) -> int:
    return max(Counter(at // 1_000 for at in moments).values())


def test_what_plays_now_is_fetched_at_once() -> None:
    assert ask_at(SITE, NOON, KEY, None, LENGTH) == NOON.mono


@given(st.text("abcdef0123456789", min_size=8, max_size=8), st.integers(-60, 12 * 3_600), st.integers(1, 60_000_000))
def test_what_is_due_today_comes_within_minutes_and_in_time_over_the_slowest_line(
    station: str, seconds: int, length: int
) -> None:
    due = UtcMs(NOON.utc + seconds * 1_000)
    waits_ms = ask_at(replace(SITE, station=StationId(station)), NOON, KEY, due, length) - NOON.mono
    slowest_ms = PATIENCE.total_s(length) * 1_000
    assert waits_ms == 0 or (0 < waits_ms <= look_ahead.SPREAD_MS and waits_ms + slowest_ms <= seconds * 1_000 + 1)


def test_a_commune_that_is_told_of_a_bulletin_in_half_an_hour_does_not_come_in_one_second() -> None:
    due = UtcMs(NOON.utc + HOUR_MS // 2)
    moments = [ask_at(site, NOON, KEY, due, LENGTH) for site in commune()]
    assert most_in_a_second(moments) <= 6, "one in three seconds in the mean"
    assert max(moments) - min(moments) > 9 * MINUTE_MS


def test_what_is_due_in_a_few_minutes_takes_what_the_slowest_line_leaves() -> None:
    due = UtcMs(NOON.utc + 5 * MINUTE_MS)
    moments = [ask_at(site, NOON, KEY, due, LENGTH) for site in commune()]
    left_ms = due - NOON.utc - look_ahead.fetch_ms_max(LENGTH)
    assert 0.9 * left_ms < max(moments) - NOON.mono <= left_ms


def test_without_a_clock_a_ward_whose_power_is_back_comes_within_minutes_and_nobody_waits_for_a_night() -> None:
    booting = replace(NOON, mono=MonoMs(20_000), source=ClockSource.UNSET)
    moments = [ask_at(site, booting, KEY, TOMORROW, LENGTH) for site in commune()]
    assert max(moments) <= look_ahead.SPREAD_MS
    assert sorted(moments)[100] > 4 * MINUTE_MS
    long_up = replace(booting, mono=MonoMs(DAY_MS))
    assert {ask_at(site, long_up, KEY, TOMORROW, LENGTH) for site in commune()} == {long_up.mono}


@given(st.text("abcdef0123456789", min_size=8, max_size=8), st.integers(13, 240))
def test_what_is_due_later_comes_in_the_night_and_hours_before_it_is_due(station: str, hours: int) -> None:
    site = replace(SITE, station=StationId(station))
    due = UtcMs(NOON.utc + hours * HOUR_MS)
    at = ask_at(site, NOON, KEY, due, LENGTH)
    assert NOON.utc_of(at) <= due - look_ahead.MARGIN_MS
    assert at == NOON.mono or wall(at) >= time(22) or wall(at) <= time(3)


def test_fifty_stations_of_a_commune_do_not_come_at_once() -> None:
    sites = [replace(SITE, station=StationId(f"dt-{number}")) for number in range(50)]
    moments = sorted(ask_at(site, NOON, KEY, TOMORROW, LENGTH) for site in sites)
    busiest = max(sum(1 for at in moments if first <= at < first + 10 * MINUTE_MS) for first in moments)
    assert busiest <= 10, "ten minutes of the five hours have their thirtieth, and some"
    assert moments[-1] - moments[0] > 4 * HOUR_MS


def test_in_the_night_itself_only_its_rest_is_left() -> None:
    late = Now(MonoMs(0), UtcMs(makers.NOON + 14 * HOUR_MS), ClockSource.SIGNED, 10)  # 02:00
    at = ask_at(SITE, late, KEY, UtcMs(late.utc + 20 * HOUR_MS), LENGTH)
    assert 0 <= at <= HOUR_MS


def test_a_sound_for_tomorrow_is_asked_for_in_the_night_and_played_in_time() -> None:
    bench = Bench().boot()
    job = bench.order(when={"kind": "at", "utc": makers.NOON + DAY_MS})
    assert bench.every(fx.FetchClip) == []
    assert bench.phase(job) is Phase.RECEIVED
    wake_until_asked(bench)
    assert wall(bench.now.mono, bench.now) >= time(22) or wall(bench.now.mono, bench.now) <= time(3)
    assert bench.phase(job) is Phase.STAGED


def test_another_job_that_needs_it_sooner_brings_it_sooner() -> None:
    bench = Bench().boot()
    bench.order(job_id="tomorrow", when={"kind": "at", "utc": makers.NOON + DAY_MS})
    bench.order(job_id="soon", when={"kind": "at", "utc": bench.now.utc + MINUTE_MS})
    assert len(bench.every(fx.FetchClip)) == 1
    assert {play.phase for play in bench.state.plays.values()} == {Phase.STAGED}


def test_a_day_that_has_used_up_its_bytes_leaves_the_rest_to_the_next_night() -> None:
    bench = Bench(fetch_bytes_per_day=100_000).boot()
    for number in range(3):
        clip = makers.clip_item(digest=f"{number}" * 64, length=80_000)
        bench.order(job_id=f"j-{number}", items=[clip], when={"kind": "at", "utc": makers.NOON + 4 * DAY_MS})
    fetched = []
    for _ in range(4 * 24):
        bench.pass_s(3_600)
        fetched.append(len(bench.every(fx.FetchAhead)))
    assert [fetched[15], fetched[39], fetched[63]] == [1, 2, 3], "one each night"


def test_what_is_due_today_is_fetched_whatever_it_costs() -> None:
    bench = Bench(fetch_bytes_per_day=1).boot()
    job = bench.order(when={"kind": "at", "utc": bench.now.utc + 2 * HOUR_MS})
    bench.pass_s(600)
    assert bench.phase(job) is Phase.STAGED
    warning = bench.order(job_id="warning", **{"class": "emergency"}, items=[makers.clip_item(digest="c" * 64)])
    assert warning in {play.job_id for play in bench.state.plays.values() if play.phase is not Phase.RECEIVED}


def test_a_night_without_a_network_is_tried_again_until_the_morning() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(when={"kind": "at", "utc": makers.NOON + DAY_MS})
    wake_until_asked(bench)
    for tries in range(2, 5):
        bench.send(ClipFailed(KEY, Reason.AUDIO_UNREACHABLE, again=True))
        wake_until_asked(bench, tries)


def test_other_bytes_count_among_the_days_each_time_they_come() -> None:
    bench = Bench(fetch_bytes_per_day=100_000).boot()
    bench.deaf.add(fx.FetchAhead)
    clip = makers.clip_item(length=80_000)
    bench.order(items=[clip], when=makers.rule_when(first_day="2026-10-20", weekdays=[1, 2, 3, 4, 5, 6, 7]))
    came = []
    for _ in range(4 * 24):
        bench.pass_s(3_600)
        asked = len(bench.every(fx.FetchAhead))
        if asked > (came[-1] if came else 0):
            asked_for = bench.every(fx.FetchAhead)[-1].key
            bench.send(ClipFailed(asked_for, Reason.AUDIO_ALTERED, again=False, came_bytes=80_000))
        came.append(asked)
    assert [came[15], came[39], came[63]] == [1, 2, 3], "one each night"


# -- what was fetched is made ready in its time ------------------------------------------------------------------------


def due_in(hours: float, **draft: object) -> dict[str, object]:
    return {"when": {"kind": "at", "utc": makers.NOON + round(hours * HOUR_MS)}, **draft}


def wake_until(bench: Bench, kind: type) -> None:
    """From wake to wake until something of the kind is asked for."""
    for _ in range(20):
        if bench.every(kind):
            return
        bench.pass_s(bench.wakes_in_ms() / 1000)
    raise AssertionError(f"{kind.__name__} never comes")


def test_what_is_due_next_week_keeps_its_original_and_is_made_ready_36_hours_before() -> None:
    bench = Bench().boot()
    job = bench.order(**due_in(7 * 24))
    wake_until(bench, fx.FetchAhead)
    assert bench.every(fx.FetchClip) == []
    assert bench.state.clips[KEY].status is ClipStatus.FETCHED
    wake_until(bench, fx.FetchClip)
    assert bench.now.utc == makers.NOON + 7 * DAY_MS - 36 * HOUR_MS
    assert bench.phase(job) is Phase.STAGED
    assert len(bench.every(fx.FetchAhead)) == len(bench.every(fx.FetchClip)) == 1


def test_what_waits_for_its_time_is_no_trouble_to_anybody() -> None:
    """It is not ready, and nothing is wrong with it."""
    bench = Bench().boot()
    bench.order(**due_in(7 * 24))
    wake_until(bench, fx.FetchAhead)
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert (shown.reason, shown.lasts_ms) == (None, 10_000)
    day = local_time(UtcMs(makers.NOON + 7 * DAY_MS), SITE.timezone).date()
    assert [one.reason for one in day_plan(bench.state, bench.now, day)] == [None]


def test_an_original_that_is_here_is_made_ready_at_once_for_whoever_needs_it_sooner() -> None:
    bench = Bench().boot()
    bench.order(job_id="later", **due_in(7 * 24))
    wake_until(bench, fx.FetchAhead)
    now = bench.order(job_id="now", **{"class": "emergency"}, items=[makers.clip_item()])
    assert len(bench.every(fx.FetchClip)) == 1
    assert bench.phase(now) is not Phase.RECEIVED


def test_text_is_spoken_at_once_whenever_it_is_due() -> None:
    """It needs no network, and a missing voice must be known the week before."""
    bench = Bench().boot()
    bench.order(**due_in(7 * 24), items=[makers.text_item()])
    assert len(bench.every(fx.SpeakText)) == 1


def test_an_original_that_could_not_be_had_is_asked_for_again_as_one() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchAhead)
    bench.order(**due_in(7 * 24))
    wake_until(bench, fx.FetchAhead)
    bench.send(ClipFailed(KEY, Reason.AUDIO_UNREACHABLE, again=True))
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert shown.reason is Reason.AUDIO_UNREACHABLE
    bench.pass_s(6)
    assert len(bench.every(fx.FetchAhead)) == 2
    assert bench.every(fx.FetchClip) == []


def test_after_a_restart_everything_is_asked_for_as_if_it_were_not_here() -> None:
    """Whoever looks finds what lies there: the sound of tomorrow, and the original for next week."""
    bench = Bench().boot()
    bench.order(job_id="tomorrow", **due_in(44), items=[makers.clip_item(digest="1" * 64)])
    bench.order(job_id="next-week", **due_in(7 * 24), items=[makers.clip_item(digest="2" * 64)])
    bench.pass_s(16 * 3_600)
    first = bench.every(fx.FetchClip), bench.every(fx.FetchAhead)
    bench.state, clips = replace(bench.state, clips={}), bench.state.clips
    bench.said.clear()
    for _ in range(24):
        bench.pass_s(3_600)
    assert [one.key for one in bench.every(fx.FetchClip)] == [one.key for one in first[0]] == ["1" * 64]
    assert [one.key for one in bench.every(fx.FetchAhead)] == [one.key for one in first[1]] == ["2" * 64]
    assert {key: clip.status for key, clip in bench.state.clips.items()} == {
        key: clip.status for key, clip in clips.items()
    }
