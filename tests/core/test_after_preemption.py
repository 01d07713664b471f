"""After an emergency: rejoin, resume, restart or drop, and later in the zones that missed it; nothing else starts."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import ClipFailed, ClipStaged, PlayEnded, PlayStarted, RelayChanged
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import NextItem, Pause, Resume, Window
from edge_agent.core.plays import ZonePart
from edge_agent.core.programme import Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.record import Origin, body_of, sounded_in
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work, audience


def flood(bench: Bench, *zones: str, job_id: str = "flood", loops: int = 1) -> JobId:
    """A warning; with ``loops`` one of several minutes."""
    urgent = {"class": "emergency", "loops": loops, "gap_s": 300}
    return bench.order(job_id=job_id, audience=audience(*zones), **urgent)


def cut_into(bench: Bench, *zones: str, calls: int = 1, **job: Any) -> tuple[JobId, JobId]:
    """After 4 s of a bulletin a warning of so many calls takes these zones of it; or all, and the bulletin stops."""
    bulletin = bench.order(job_id="bulletin", **job)
    bench.pass_s(4)
    warning = flood(bench, *zones, loops=calls)
    if not zones:
        bench.end(bulletin, Reason.SHUTDOWN, ms=4_000)
    return bulletin, warning


def taken_everywhere(bench: Bench, preemption: str) -> JobId:
    """The bulletin, when the warning that took all of its zones is over."""
    bulletin, warning = cut_into(bench, preemption=preemption)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    bench.end(warning)
    return bulletin


def missed_in_a_zone(bench: Bench, zones_s: int, calls: int = 1) -> tuple[JobId, JobId]:
    """The bulletin has ended in one zone, while the warning still has the other; that may be made up for so long."""
    missed = {"policy": "skip", "zones_s": zones_s}
    bulletin, warning = cut_into(bench, CHO, calls=calls, preemption="drop", missed=missed)
    bench.pass_s(6)
    bench.end(bulletin)
    return bulletin, warning


def heard_in_two_parts(bench: Bench, bulletin: JobId, first_ms: int) -> None:
    """A pause cuts it off after so long, and the rest sounds to its end."""
    bench.rule(Pause(60_000))
    bench.end(bulletin, Reason.SHUTDOWN, ms=first_ms)
    bench.rule(Resume())
    bench.pass_s(1)
    bench.end(bulletin, ms=CLIP_MS - first_ms)


def test_it_resumes_where_it_was_cut_off() -> None:
    bench = at_work()
    bulletin = taken_everywhere(bench, "resume")
    bench.pass_s(1)
    (part,) = bench.every(fx.StartPlay)[-1].parts
    assert part == Sound(part.key, CLIP_MS - 4_000, 4_000)
    bench.end(bulletin, ms=6_000)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.played_ms, record.planned_ms) == (CLIP_MS, CLIP_MS)


def test_it_restarts_from_its_beginning() -> None:
    bench = at_work()
    bulletin = taken_everywhere(bench, "restart")
    bench.pass_s(1)
    (part,) = bench.every(fx.StartPlay)[-1].parts
    assert part == Sound(part.key, CLIP_MS)
    bench.end(bulletin)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)


@pytest.mark.parametrize("preemption", ["rejoin", "drop"])
def test_it_is_over_where_nobody_is_left_to_rejoin(preemption: str) -> None:
    bench = at_work()
    bulletin = taken_everywhere(bench, preemption)
    assert (bulletin, "interrupted", "preempted") in bench.outcomes()
    bench.pass_s(1)
    assert bench.state.plays == {}


def test_what_was_cut_off_twice_is_recorded_as_begun_when_it_first_was() -> None:
    bench = at_work()
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(1)
    began = bench.now.utc_of(bench.every(fx.StartPlay)[0].at)
    for heard_ms in (2_000, 3_000):
        bench.rule(Pause(60_000))
        bench.end(bulletin, Reason.SHUTDOWN, ms=heard_ms)
        bench.pass_s(10)
        bench.rule(Resume())
        bench.pass_s(1)
    bench.end(bulletin, ms=CLIP_MS - 5_000)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.job_id, record.outcome, record.started) == (bulletin, "succeeded", began)


def test_what_was_heard_before_it_restarted_counts_after_a_restart_of_the_station_too() -> None:
    bench = at_work()
    bulletin = taken_everywhere(bench, "restart")
    bench.pass_s(1)
    bench.end(bulletin)
    lasted = [sound.ended - sound.started for sound in bench.state.past if sound.job_id == bulletin]
    record = bench.every(fx.CommitRecord)[-1].record
    restored = sounded_in(body_of(record, Origin("s", "1", "b")))
    assert restored is not None
    assert restored.ended - restored.started == sum(lasted) == 4_000 + CLIP_MS


@pytest.mark.parametrize("preemption", ["resume", "restart", "rejoin"])
def test_while_others_play_on_the_zone_rejoins(preemption: str) -> None:
    bench = at_work()
    bulletin, warning = cut_into(bench, CHO, preemption=preemption)
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [DINH]
    bench.end(warning)
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [CHO, DINH]
    assert bench.every(fx.StopPlay) == []
    assert bench.phase(bulletin) is Phase.PLAYING


def test_stacked_calls_are_played_first_and_then_it_goes_on() -> None:
    bench = at_work()
    bulletin, first = cut_into(bench, preemption="resume")
    bench.pass_s(1)
    second = flood(bench, job_id="second")
    bench.end(first)
    bench.pass_s(1)
    assert bench.phase(second) is Phase.PLAYING
    assert bench.phase(bulletin) is Phase.QUEUED
    bench.end(second)
    bench.pass_s(1)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_what_waits_too_long_to_go_on_is_over() -> None:
    bench = at_work()
    bulletin, _ = cut_into(bench, calls=4, preemption="resume")
    bench.pass_s(1)
    bench.pass_s(601)
    assert (bulletin, "interrupted", "preempted") in bench.outcomes()


def test_what_may_not_sound_by_then_is_cut_off_for_that() -> None:
    bench = at_work()
    bench.pass_s(9 * 3600 - 60)  # a minute before the quiet hours
    bulletin, warning = cut_into(bench, preemption="resume", loops=4)
    bench.pass_s(60)
    bench.end(warning)
    assert (bulletin, "interrupted", "quiet_hours") in bench.outcomes()


def test_nothing_starts_that_was_not_playing() -> None:
    bench = at_work()
    warning = flood(bench, loops=4)
    bench.pass_s(1)
    bench.order(job_id="bulletin", preemption="resume")
    bench.pass_s(11 * 60)
    bench.end(warning)
    bench.pass_s(1)
    assert bench.state.plays == {}
    assert ("bulletin", "expired", "zones_busy") in bench.outcomes()


def test_zones_that_missed_it_hear_it_later() -> None:
    bench = at_work()
    bulletin, warning = missed_in_a_zone(bench, 1800)
    assert bench.phase(bulletin) is Phase.QUEUED
    bench.end(warning)
    bench.pass_s(1)
    start = bench.every(fx.StartPlay)[-1]
    assert [feed.zone for feed in start.feeds] == [CHO]
    assert start.parts == bench.every(fx.StartPlay)[0].parts
    play = bench.play(bulletin)
    assert play.segment == 1
    bench.end(bulletin)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)
    assert [zone.reason for zone in bench.every(fx.CommitRecord)[-1].record.zones] == [None, None]


def test_zones_that_cannot_hear_it_later_either_are_named() -> None:
    bench = at_work()
    bulletin, _ = missed_in_a_zone(bench, 600, calls=4)
    bench.pass_s(601)
    assert (bulletin, "succeeded", None) in bench.outcomes()
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord) if effect.record.job_id == bulletin]
    assert [zone.reason for zone in record.zones] == [Reason.PREEMPTED, None]


def test_zones_that_missed_it_wait_no_longer_than_was_signed() -> None:
    bench = at_work()
    bulletin, _ = missed_in_a_zone(bench, 60, calls=4)
    bench.pass_s(61)
    assert (bulletin, "succeeded", None) in bench.outcomes()


def test_sound_that_is_staged_anew_is_not_begun_anew() -> None:
    bench = at_work()
    bulletin, warning = cut_into(bench, preemption="resume")
    bench.pass_s(1)
    key = bench.play(bulletin).parts[0].key
    bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True))
    assert bench.phase(bulletin) is Phase.RECEIVED
    bench.send(ClipStaged(key, CLIP_MS))
    bench.end(warning)
    bench.pass_s(1)
    assert bench.every(fx.StartPlay)[-1].parts == (Sound(key, CLIP_MS - 4_000, 4_000),)


def test_what_was_heard_whole_has_succeeded_whatever_becomes_of_the_rest() -> None:
    bench = at_work()
    bulletin, warning = missed_in_a_zone(bench, 1800)
    bench.end(warning)
    bench.pass_s(1)
    bench.end(bulletin, Reason.DEVICE_FAILED, ms=2_000)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)
    assert [zone.reason for zone in bench.every(fx.CommitRecord)[-1].record.zones] == [Reason.DEVICE_FAILED, None]


def test_what_has_begun_in_time_goes_on_after_its_validity() -> None:
    bench = at_work()
    bulletin, warning = cut_into(bench, preemption="resume", not_after=bench.now.utc + 10_000)
    bench.pass_s(60)
    bench.end(warning)
    bench.pass_s(1)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_a_zone_that_missed_some_before_the_rest_says_so() -> None:
    bench = at_work()
    bulletin, warning = cut_into(bench, CHO, preemption="resume")
    bench.pass_s(1)
    bench.end(warning)
    bench.pass_s(1)
    heard_in_two_parts(bench, bulletin, 4_000)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)
    assert [zone.reason for zone in bench.every(fx.CommitRecord)[-1].record.zones] == [Reason.PREEMPTED, None]


def test_nothing_starts_that_nobody_would_hear() -> None:
    bench = at_work()
    warning = flood(bench, CHO, loops=4)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    bench.deaf = {fx.SwitchRelay}
    bulletin = bench.order(job_id="bulletin")
    assert bench.phase(bulletin) is Phase.ARMED
    begins, ends = bench.now.utc, UtcMs(bench.now.utc + 3_600_000)
    bench.rule(lambda heading: Window(heading, begins, ends, "tang", None), zones=[DINH], not_after=ends)
    bench.send(RelayChanged(DINH, True, "order", bench.now.mono))
    assert len(bench.every(fx.StartPlay)) == 1
    assert bench.phase(bulletin) is Phase.QUEUED


def test_two_parts_of_a_programme_count_twice_where_the_second_begins_soon() -> None:
    bench = at_work()
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(4)
    heard_in_two_parts(bench, bulletin, 3_000)
    first, second = bench.state.past
    assert (first.ended - first.started, second.ended - second.started) == (3_000, 7_000)
    assert second.started >= first.ended


def test_a_first_sample_that_is_told_after_the_emergency_makes_nobody_miss_it() -> None:
    bench = at_work()
    bench.deaf = {fx.StartPlay}
    bulletin = bench.order(job_id="bulletin", preemption="resume", missed={"policy": "skip", "zones_s": 1800})
    begun = bench.every(fx.StartPlay)[-1]
    bench.deaf = set()
    warning = flood(bench)
    bench.send(PlayStarted(begun.play_id, bench.now.mono))
    bench.end(bulletin, Reason.SHUTDOWN, ms=0)
    bench.end(warning)
    bench.pass_s(1)
    bench.end(bulletin)
    assert bench.outcomes()[-1] == (bulletin, "succeeded", None)


def test_what_was_seen_of_every_part_is_on_record() -> None:
    bench = at_work()
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(4)
    bench.rule(Pause(60_000))
    bench.send(PlayEnded(bench.play(bulletin).play_id, {CHO: 4_000}, 192_000, 2, bench.now.mono, Reason.SHUTDOWN))
    bench.rule(Resume())
    bench.pass_s(1)
    bench.send(PlayEnded(bench.play(bulletin).play_id, {CHO: 6_000}, 288_000, 1, bench.now.mono, None))
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.frames, record.underruns, record.zones[0].played_ms) == (480_000, 3, 10_000)


def test_an_equal_does_not_take_the_zone_that_a_running_programme_comes_back_into() -> None:
    bench = at_work()
    bulletin = bench.playing(job_id="bulletin", loops=10)
    warning = flood(bench, CHO)
    bench.pass_s(1)
    equal = bench.order(job_id="equal", audience=audience(CHO))
    bench.pass_s(2)
    bench.end(warning)
    bench.pass_s(2)
    assert bench.play(bulletin).zones_in(ZonePart.HEARING) == (CHO, DINH)
    assert bench.phase(equal) is Phase.QUEUED


def test_an_equal_takes_the_zone_that_a_programme_has_dropped() -> None:
    bench = at_work()
    bench.playing(job_id="bulletin", loops=10, preemption="drop")
    warning = flood(bench, CHO)
    bench.pass_s(1)
    equal = bench.order(job_id="equal", audience=audience(CHO))
    bench.end(warning)
    bench.pass_s(2)
    assert bench.phase(equal) is Phase.PLAYING


def test_an_emergency_that_meets_a_programme_which_is_being_paused_takes_nothing_from_it() -> None:
    """The zone would hear the rest after the pause, and then the whole again as one that had missed it."""
    bench = at_work()
    bulletin = bench.playing(job_id="bulletin", missed={"policy": "skip", "zones_s": 3_600})
    bench.rule(Pause(600_000))
    warning = flood(bench, CHO)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    bench.end(bulletin, Reason.SHUTDOWN, ms=2_500)
    bench.end(warning)
    bench.rule(Resume())
    bench.pass_s(1)
    bench.end(bulletin, ms=7_500)
    assert (bulletin, "succeeded", None) in bench.outcomes()
    assert bench.state.plays == {}


def test_zones_that_missed_a_programme_hear_it_even_if_its_last_item_was_passed_over() -> None:
    bench = at_work()
    bulletin = bench.playing(job_id="bulletin", preemption="drop", missed={"policy": "skip", "zones_s": 3_600})
    warning = flood(bench, CHO)
    bench.pass_s(1)
    bench.rule(NextItem())
    bench.end(bulletin, Reason.SHUTDOWN, ms=4_000)
    bench.end(warning)
    bench.pass_s(2)
    assert bench.play(bulletin).zones_in(ZonePart.HEARING) == (CHO,)
