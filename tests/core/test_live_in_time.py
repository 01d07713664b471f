"""A live source is over when it was ordered to be, and nobody pays for it while nobody knows when it is heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.events import DeviceDown, PlayProgress, PlayStarted
from edge_agent.core.live import LEAD_MS
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Pause, Resume
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.programme import Live, Sound, live_key, source_key
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, ClipKey, JobId, MonoMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work
from tests.trust.makers import clip_item, live_item, make_job

RELAY_MS = 60_000
SOURCE = live_item(duration_ms=RELAY_MS)
KEY = live_key(make_job(items=[SOURCE]).items[0])
OTHER_URL = "https://live.test/tinh.mp3"
OTHER = source_key((OTHER_URL,))
LATE: dict[str, Any] = {"policy": "late", "limit_s": 600}


def heard(bench: Bench) -> tuple[Any, ...]:
    """The parts that were last given to the device."""
    return bench.every(fx.StartPlay)[-1].parts


def opened(bench: Bench, key: ClipKey = KEY) -> list[str]:
    """When a source was opened and closed."""
    orders = [effect for effect in bench.said if isinstance(effect, fx.OpenLive | fx.CloseLive) and effect.key == key]
    return ["opened" if isinstance(one, fx.OpenLive) else "closed" for one in orders]


def late_by(bench: Bench, seconds: int, items: list[dict[str, Any]]) -> tuple[JobId, int]:
    """A relay that was planned in a minute, behind a programme that sounds longer; and how many ms late it begins."""
    before = bench.playing(job_id="truoc", items=[clip_item(digest="ef" * 32, duration_ms=(60 + seconds) * SECOND_MS)])
    late = bench.at(60, job_id="tiep-am", items=items, missed=LATE)
    bench.pass_s(60 + seconds - 1)
    bench.end(before)
    bench.pass_s(2)
    plays = [play for play in bench.state.plays.values() if play.job_id == late]
    return late, plays[0].start_at - bench.now.mono_of(plays[0].planned) if plays else 0


def cut_off_after_20_s(bench: Bench) -> JobId:
    """A relay that is being paused; the device has answered."""
    job_id = bench.playing(items=[SOURCE])
    bench.pass_s(20)
    bench.send(PlayProgress(bench.play(job_id).play_id, {CHO: 20_000, DINH: 20_000}, 0))
    bench.rule(Pause(HOUR_MS))
    bench.end(job_id, Reason.SHUTDOWN, ms=20_000)
    return job_id


def test_a_relay_that_begins_late_ends_when_it_was_ordered_to() -> None:
    bench = at_work()
    _, late_ms = late_by(bench, 25, [SOURCE])
    assert 23_000 < late_ms < 28_000
    assert heard(bench) == (Live(KEY, RELAY_MS - (late_ms - LATE_GRACE_MS)),)


def test_what_is_recorded_in_a_late_relay_is_heard_whole_and_the_next_source_is_shortened() -> None:
    bench = at_work()
    items = [SOURCE, clip_item(duration_ms=CLIP_MS), live_item(duration_ms=20_000, urls=[OTHER_URL])]
    _, late_ms = late_by(bench, 75, items)
    over_ms = late_ms - LATE_GRACE_MS
    assert RELAY_MS < over_ms < RELAY_MS + 20_000
    assert heard(bench) == (Sound(ClipKey("ab" * 32), CLIP_MS), Live(OTHER, 20_000 - (over_ms - RELAY_MS)))


def test_a_relay_that_begins_on_time_is_as_long_as_ordered() -> None:
    bench = at_work()
    _, late_ms = late_by(bench, 9, [SOURCE])
    assert 0 < late_ms <= LATE_GRACE_MS
    assert heard(bench) == (Live(KEY, RELAY_MS),)


def test_a_relay_whose_time_is_over_is_missed_and_relays_nothing_else() -> None:
    bench = at_work()
    job, _ = late_by(bench, 71, [SOURCE])
    assert bench.outcomes()[-1] == (job, "missed", "zones_busy")
    assert opened(bench) == ["opened", "closed"]


def test_a_relay_that_was_ordered_for_now_is_as_long_as_ordered_whenever_it_begins() -> None:
    bench = at_work()
    before = bench.playing(job_id="truoc", items=[clip_item(digest="ef" * 32, duration_ms=30_000)])
    bench.order(job_id="tiep-am", items=[SOURCE])
    bench.pass_s(30)
    bench.end(before)
    bench.pass_s(2)
    assert heard(bench) == (Live(KEY, RELAY_MS),)


def test_a_relay_that_is_tried_again_loses_what_it_is_late_by_and_no_more() -> None:
    bench = at_work()
    job = bench.at(60, items=[SOURCE], missed=LATE)
    bench.deaf = {fx.StartPlay}
    bench.pass_s(59)
    assert heard(bench) == (Live(KEY, RELAY_MS),)
    bench.pass_s(1)
    bench.deaf = set()
    for _ in range(4):
        bench.pass_s(8)
    play = bench.play(job)
    late_ms = play.start_at - bench.now.mono_of(play.planned)
    assert play.attempt == 2
    assert late_ms > LATE_GRACE_MS
    assert heard(bench) == (Live(KEY, RELAY_MS - (late_ms - LATE_GRACE_MS)),)


def test_a_relay_that_goes_on_after_a_pause_ends_when_it_was_ordered_to() -> None:
    bench = at_work()
    job = cut_off_after_20_s(bench)
    began = bench.now.mono - 20_000
    bench.pass_s(25)
    bench.rule(Resume())
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING
    (left,) = heard(bench)
    assert abs(bench.play(job).start_at + left.duration_ms - (began + RELAY_MS + LATE_GRACE_MS)) <= 1_000


def test_a_relay_that_is_paused_beyond_its_end_is_over() -> None:
    bench = at_work()
    job = cut_off_after_20_s(bench)
    bench.pass_s(55)
    bench.rule(Resume())
    bench.pass_s(1)
    assert (job, "interrupted", "paused") in bench.outcomes()


def test_a_relay_that_is_paused_costs_nothing_meanwhile() -> None:
    bench = at_work()
    cut_off_after_20_s(bench)
    assert opened(bench) == ["opened", "closed"]
    bench.pass_s(10)
    assert opened(bench) == ["opened", "closed"]
    bench.rule(Resume())
    bench.pass_s(1)
    assert opened(bench) == ["opened", "closed", "opened"]


def test_a_relay_that_waits_for_a_device_or_a_clock_costs_nothing_meanwhile() -> None:
    bench = at_work()
    bench.at(60, items=[SOURCE], missed=LATE)
    bench.pass_s(50)
    bench.send(DeviceDown(""))
    bench.pass_s(10)
    assert bench.state.plays[next(iter(bench.state.plays))].held_by is Reason.DEVICE_FAILED
    assert opened(bench) == ["opened", "closed"]


def test_a_relay_behind_a_long_programme_is_opened_shortly_before_that_ends() -> None:
    bench = at_work()
    bench.playing(job_id="truoc", items=[clip_item(digest="ef" * 32, duration_ms=5 * MINUTE_MS)])
    bench.at(60, items=[live_item(duration_ms=10 * MINUTE_MS)], missed=LATE)
    bench.pass_s(200)
    assert opened(bench) == []
    assert bench.wakes_in_ms() <= (300 - 200) * SECOND_MS - LEAD_MS
    bench.pass_s(90)
    assert opened(bench) == ["opened"]


def test_a_relay_whose_first_sample_was_late_stays_open_to_its_end() -> None:
    bench = at_work()
    bench.deaf = {fx.StartPlay}
    job = bench.order(items=[SOURCE])
    bench.pass_s(1)
    play = bench.play(job)
    started = MonoMs(play.start_at + 1_500)
    bench.now = replace(bench.now, mono=started, utc=bench.now.utc_of(started))
    bench.send(PlayStarted(play.play_id, started))
    bench.pass_s(RELAY_MS / 1_000 - 1)
    assert opened(bench) == ["opened"]
    bench.pass_s(1)
    assert opened(bench) == ["opened", "closed"]
