"""When a live source is opened and closed, and what becomes of a programme that relays one."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import ClipFailed, ClipStaged, PlayEnded, PlayProgress
from edge_agent.core.live import LEAD_MS
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, NextItem
from edge_agent.core.programme import (
    CLOSING,
    OPENING,
    Live,
    Pause,
    Relayed,
    Sound,
    live_key,
    parts_of,
    rest_of,
    source_key,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Frame
from edge_agent.core.units import MINUTE_MS, SECOND_MS, ClipKey, JobId, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work
from tests.trust.makers import clip_item, live_item, make_job, text_item

EMERGENCY: dict[str, Any] = {"class": "emergency"}
RELAY_MS = 60_000
SOURCE = live_item(duration_ms=RELAY_MS)
WITH_STAND_IN = live_item(duration_ms=RELAY_MS, stand_in=clip_item(digest="cd" * 32))
KEY = live_key(make_job(items=[SOURCE]).items[0])


def opened(bench: Bench) -> list[str]:
    """What was opened and closed, in order."""
    orders = [effect for effect in bench.said if isinstance(effect, fx.OpenLive | fx.CloseLive)]
    return [("+" if isinstance(one, fx.OpenLive) else "-") + one.key[:6] for one in orders]


def end(bench: Bench, job_id: JobId, relayed: Relayed, ms: int = RELAY_MS, reason: Reason | None = None) -> None:
    play = bench.play(job_id)
    zone_ms = dict.fromkeys(play.zones, ms)
    bench.send(PlayEnded(play.play_id, zone_ms, ms * 48, 0, bench.now.mono, reason, relayed))


def record(bench: Bench) -> Any:
    return bench.every(fx.CommitRecord)[-1].record


def test_a_source_is_opened_shortly_before_it_is_heard_and_closed_after_it() -> None:
    bench = at_work()
    job = bench.at(3_600, items=[SOURCE])
    bench.pass_s(3_600 - LEAD_MS / 1_000 - 1)
    assert opened(bench) == []
    assert bench.wakes_in_ms() <= SECOND_MS
    bench.pass_s(1)
    assert opened(bench) == ["+" + KEY[:6]]
    assert bench.every(fx.OpenLive) == [fx.OpenLive(KEY, ("https://live.test/vov1.mp3",))]
    bench.pass_s(LEAD_MS / 1_000)
    assert bench.phase(job) is Phase.PLAYING
    bench.pass_s(RELAY_MS / 1_000 - 1)
    assert opened(bench) == ["+" + KEY[:6]]
    end(bench, job, Relayed(RELAY_MS))
    assert opened(bench) == ["+" + KEY[:6], "-" + KEY[:6]]


def test_what_comes_later_in_a_programme_is_opened_later() -> None:
    bench = at_work()
    bench.at(100, items=[clip_item(duration_ms=CLIP_MS), SOURCE, clip_item(duration_ms=CLIP_MS, digest="ef" * 32)])
    bench.pass_s(94)
    assert opened(bench) == []
    bench.pass_s(2)
    assert opened(bench) == ["+" + KEY[:6]], "ten seconds of a clip come first"
    bench.pass_s(3)
    bench.pass_s(1 + 10 + 59)
    assert opened(bench) == ["+" + KEY[:6]]
    bench.pass_s(2)
    assert opened(bench) == ["+" + KEY[:6], "-" + KEY[:6]], "its time is over, the last clip still sounds"


def test_a_line_in_is_the_device_processs_own() -> None:
    bench = at_work()
    job = bench.playing(items=[live_item(duration_ms=RELAY_MS, urls=["line-in:mic"])])
    assert bench.every(fx.StartPlay)[-1].parts == (Live(source_key(("line-in:mic",)), RELAY_MS),)
    end(bench, job, Relayed(RELAY_MS))
    assert bench.outcomes() == [(job, "succeeded", None)]
    assert opened(bench) == []


def test_two_programmes_of_one_source_in_a_row_keep_it_open() -> None:
    bench = at_work()
    first = bench.at(100, items=[SOURCE])
    bench.at(100 + RELAY_MS / 1_000, items=[SOURCE], job_id="job-2")
    bench.pass_s(99)
    bench.pass_s(60)
    end(bench, first, Relayed(RELAY_MS))
    bench.pass_s(2)
    assert opened(bench) == ["+" + KEY[:6]]


def test_the_instant_does_not_wait_for_the_source() -> None:
    bench = at_work()
    job = bench.at(60, items=[SOURCE])
    bench.pass_s(59)
    (start,) = bench.every(fx.StartPlay)
    assert start.at == bench.now.mono_of(bench.play(job).planned)
    assert start.parts == (Live(KEY, RELAY_MS, None),)


def test_a_relay_that_the_rules_will_refuse_asks_for_no_source() -> None:
    bench = at_work()
    bench.playing(items=[live_item(duration_ms=30 * MINUTE_MS)], job_id="tiep-am-1")
    bench.at(3_600, items=[live_item(duration_ms=40 * MINUTE_MS)], job_id="tiep-am-2")
    bench.pass_s(1_800)
    end(bench, JobId("tiep-am-1"), Relayed(30 * MINUTE_MS), ms=30 * MINUTE_MS)
    before = opened(bench)
    bench.pass_s(1_800 - LEAD_MS / 1_000)
    bench.pass_s(LEAD_MS / 1_000 + 1)
    assert bench.outcomes()[-1] == ("tiep-am-2", "rejected", "live_minutes_per_day")
    assert opened(bench) == before


def test_a_cancelled_relay_closes_its_source() -> None:
    bench = at_work()
    job = bench.at(60, items=[SOURCE])
    bench.pass_s(50)
    assert opened(bench) == ["+" + KEY[:6]]
    bench.rule(Cancel(job, until=UtcMs(bench.now.utc + 120_000)))
    assert opened(bench) == ["+" + KEY[:6], "-" + KEY[:6]]
    assert (job, "cancelled", "cancelled") in bench.outcomes()


def test_seconds_from_the_source_from_the_stand_in_and_of_silence_are_recorded() -> None:
    bench = at_work()
    job = bench.playing(items=[WITH_STAND_IN])
    end(bench, job, Relayed(40_000, 15_000, 5_000))
    assert bench.outcomes() == [(job, "succeeded", None)]
    assert record(bench).relayed == Relayed(40_000, 15_000, 5_000)


def test_a_record_of_recorded_sound_says_nothing_of_relaying() -> None:
    bench = at_work()
    job = bench.playing()
    bench.end(job)
    assert record(bench).relayed is None


def test_nothing_but_silence_is_no_success() -> None:
    bench = at_work()
    job = bench.playing(items=[SOURCE])
    end(bench, job, Relayed(silent_ms=RELAY_MS))
    assert bench.outcomes() == [(job, "failed", "live_unreachable")]


@pytest.mark.parametrize("relayed", [Relayed(live_ms=1, silent_ms=59_999), Relayed(0, 1, 59_999)])
def test_a_little_sound_is_told_in_the_record_and_is_no_failure(relayed: Relayed) -> None:
    bench = at_work()
    job = bench.playing(items=[WITH_STAND_IN])
    end(bench, job, relayed)
    assert bench.outcomes() == [(job, "succeeded", None)]


def test_a_stand_in_that_cannot_be_had_keeps_no_source_silent() -> None:
    bench = at_work()
    bench.deaf = {fx.FetchClip}
    job = bench.at(600, items=[WITH_STAND_IN])
    bench.pass_s(400)
    (asked,) = bench.every(fx.FetchClip)
    assert asked.key == "cd" * 32
    bench.send(ClipFailed(asked.key, Reason.AUDIO_UNREACHABLE, again=True))
    bench.pass_s(199)
    assert len(bench.every(fx.FetchClip)) == 2, "it is tried again meanwhile"
    assert bench.phase(job) is Phase.PLAYING
    (start,) = bench.every(fx.StartPlay)
    assert start.parts == (Live(KEY, RELAY_MS, ClipKey("cd" * 32)),)


def test_a_stand_in_is_fetched_ahead_as_any_sound_is() -> None:
    bench = at_work()
    bench.deaf = {fx.FetchClip}
    bench.at(20 * 3_600, items=[WITH_STAND_IN])
    assert bench.every(fx.FetchClip) == [], "the night is for that"
    bench.pass_s(15 * 3_600)
    (asked,) = bench.every(fx.FetchClip)
    bench.send(ClipStaged(asked.key, CLIP_MS))
    bench.pass_s(3_600)
    assert len(bench.every(fx.FetchClip)) == 1
    assert ClipKey("cd" * 32) in bench.state.clips, "it is kept as long as the job is known"


def test_what_was_relayed_before_a_warning_counts_with_what_comes_after_it() -> None:
    bench = at_work()
    job = bench.playing(items=[WITH_STAND_IN], preemption="resume")
    bench.pass_s(20)
    bench.send(PlayProgress(bench.play(job).play_id, {CHO: 20_000, DINH: 20_000}, 0, Relayed(20_000)))
    flood = bench.order(**EMERGENCY, job_id="lu", items=[text_item()])
    bench.pass_s(1)
    end(bench, job, Relayed(20_500), ms=20_500, reason=Reason.SHUTDOWN)
    bench.pass_s(1)
    assert opened(bench) == ["+" + KEY[:6]], "it goes on soon"
    bench.end(flood, ms=3_000)
    bench.pass_s(2)
    assert bench.phase(job) is Phase.PLAYING
    assert bench.every(fx.StartPlay)[-1].parts == (Live(KEY, RELAY_MS - 20_500, ClipKey("cd" * 32)),)
    end(bench, job, Relayed(30_000, 9_500), ms=39_500)
    assert record(bench).relayed == Relayed(50_500, 9_500)


def test_a_clip_that_was_heard_beside_a_dead_source_is_a_success_that_tells_of_the_silence() -> None:
    for items in ([clip_item(duration_ms=CLIP_MS), SOURCE], [SOURCE, clip_item(duration_ms=CLIP_MS)]):
        bench = at_work()
        job = bench.playing(items=items)
        end(bench, job, Relayed(silent_ms=RELAY_MS), ms=RELAY_MS + CLIP_MS)
        assert bench.outcomes() == [(job, "succeeded", None)]
        assert record(bench).relayed == Relayed(silent_ms=RELAY_MS)


def test_who_goes_on_from_a_dead_source_to_a_clip_has_heard_that() -> None:
    bench = at_work()
    job = bench.playing(items=[SOURCE, clip_item(duration_ms=CLIP_MS)])
    bench.pass_s(20)
    bench.rule(NextItem())
    end(bench, job, Relayed(silent_ms=20_000), ms=20_000, reason=Reason.SKIPPED)
    bench.pass_s(1)
    end(bench, job, Relayed(), ms=CLIP_MS)
    assert (job, "succeeded", None) in bench.outcomes()


def test_a_live_part_stands_where_its_item_stands() -> None:
    job = make_job(items=[clip_item(), SOURCE, text_item(text="Hết.")])
    clip, words = ClipKey("ab" * 32), [part for part in parts_of(job, _Any()) if isinstance(part, Sound)][-1].key
    parts = parts_of(job, {clip: 10_000, words: 1_000})
    assert parts == (Sound(clip, 10_000), Live(KEY, RELAY_MS, None), Pause(300), Sound(words, 1_000))
    assert rest_of(parts, 12_000)[0] == Live(KEY, RELAY_MS - 2_000, None)


def test_the_wards_chimes_leave_a_source_its_own_time() -> None:
    clip = clip_item()
    frame = Frame(opening=True, closing=True)
    first = parts_of(make_job(items=[SOURCE, clip]), _Any(), frame)
    last = parts_of(make_job(items=[clip, SOURCE]), _Any(), frame)
    assert (first[0], first[-1].key) == (Live(KEY, RELAY_MS), CLOSING)
    assert (last[0].key, last[-1]) == (OPENING, Live(KEY, RELAY_MS))
    assert parts_of(make_job(items=[SOURCE]), _Any(), frame) == (Live(KEY, RELAY_MS),)


class _Any(dict[ClipKey, int]):
    def __missing__(self, key: ClipKey) -> int:
        return 1_000

    def __contains__(self, key: object) -> bool:
        return True


def test_relays_have_minutes_of_their_own() -> None:
    """Sixty minutes a day of the ward's own, and sixty of others': neither uses up the other's."""
    bench = at_work()
    half = live_item(duration_ms=30 * MINUTE_MS)
    for number in range(2):
        job = bench.playing(items=[half], job_id=f"tiep-am-{number}")
        bench.pass_s(1_800)
        end(bench, job, Relayed(30 * MINUTE_MS), ms=30 * MINUTE_MS)
        bench.pass_s(600)
    third = bench.order(items=[live_item(duration_ms=SECOND_MS)], job_id="tiep-am-2")
    bench.pass_s(2)
    assert bench.outcomes()[-1] == (third, "rejected", "live_minutes_per_day")
    own = bench.playing(job_id="cua-xa")
    bench.end(own)
    assert bench.outcomes()[-1] == (own, "succeeded", None)
