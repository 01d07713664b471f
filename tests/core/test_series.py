"""Alerts as a series: the newest version sounds, repeats until its end, and is cleared where it was heard."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing, station
from edge_agent.core.events import (
    Connected,
    DeviceDown,
    DeviceUp,
    JobSaved,
    Mark,
    PlayProgress,
    Restored,
    SavedJob,
    SavedMark,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import ALL_CLEAR, ATTENTION, REHEARSAL, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, JobId, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work, audience
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def alert(bench: Bench, version: int, *, zones: tuple[str, ...] = (), **job: Any) -> JobId:
    given = {"job_id": f"so-tan-{version}", "series": "so-tan", "version": version, **EMERGENCY}
    given |= {"audience": audience(*zones), "not_after": bench.now.utc + 6 * HOUR_MS}
    return bench.order(**{**given, **job})


def repeating(bench: Bench, every_s: int = 900, for_s: int = 3_600, **job: Any) -> dict[str, Any]:
    return {"when": {"kind": "now", "every_s": every_s, "until": bench.now.utc + for_s * 1_000}, **job}


def sounds(bench: Bench, job: JobId, reason: Reason | None = None) -> None:
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING
    bench.pass_s(9)
    bench.end(job, reason)


def test_a_warning_is_repeated_until_its_end() -> None:
    bench = at_work()
    started = []
    warning = alert(bench, 1, **repeating(bench))
    for _ in range(4):
        sounds(bench, warning)
        started.append(bench.every(fx.StartPlay)[-1].at - bench.now.mono)
        bench.pass_s(890)
    assert [one for one in bench.outcomes() if one[0] == warning] == [(warning, "succeeded", None)] * 4
    planned = [effect.record.planned for effect in bench.every(fx.CommitRecord)]
    assert [later - first for first, later in pairwise(planned)] == [900_000] * 3
    assert bench.state.jobs == {}


def test_a_repetition_that_passed_meanwhile_is_not_caught_up() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench, every_s=60, for_s=3_600))
    sounds(bench, warning)
    bench.pass_s(600)
    sounds(bench, warning)
    assert bench.play(warning).planned - makers.NOON > 10 * MINUTE_MS
    assert len(bench.every(fx.StartPlay)) == 2


def test_a_warning_goes_on_after_a_restart_and_is_not_begun_anew() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    sounds(bench, warning)
    planned = bench.every(fx.CommitRecord)[-1].closes[1]
    again = Bench()
    again.now = replace(bench.now)
    again.send(Restored((replace(saved, base=planned),), (), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    again.pass_s(60)
    assert again.every(fx.StartPlay) == []
    assert again.play(warning).planned == planned + 900_000


def test_a_clock_that_is_put_back_lets_nobody_wait_longer_than_the_gap() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    sounds(bench, warning)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - DAY_MS))
    bench.pass_s(901)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


def test_a_newer_version_ends_the_older_one_that_sounds() -> None:
    bench = at_work()
    first = alert(bench, 1, **repeating(bench))
    bench.pass_s(1)
    second = alert(bench, 2)
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(first, Reason.SHUTDOWN, ms=500)
    assert (first, "interrupted", "superseded") in bench.outcomes()
    bench.pass_s(1)
    assert bench.phase(second) is Phase.PLAYING
    assert first not in bench.state.jobs


def test_a_newer_version_ends_the_older_one_that_waits() -> None:
    bench = at_work()
    first = alert(bench, 1, **repeating(bench))
    sounds(bench, first)
    alert(bench, 2)
    assert bench.outcomes()[-1] == (first, "superseded", "superseded")


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_or_the_same_again_never_sounds(version: int) -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    alert(bench, version, job_id="late")
    assert bench.answers()[-1] == ("refused", "superseded")


def test_an_older_version_never_sounds_after_a_restart_either() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    again = Bench()
    again.send(Restored((), (), {}, 0, 0, "e1", past=bench.state.past))
    again.send(DeviceUp())
    again.send(Connected(1, "ab" * 16))
    again.welcome()
    alert(again, 1)
    assert again.answers()[-1] == ("refused", "superseded")


def test_series_of_two_issuers_are_two() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    alert(bench, 1, issuer="province", job_id="theirs")
    assert bench.answers()[-1] == ("accepted", None)


def test_the_all_clear_is_heard_where_the_warning_was() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 1, zones=(CHO,)))
    clear = alert(bench, 2, all_clear=True)
    bench.pass_s(1)
    start = bench.every(fx.StartPlay)[-1]
    assert [feed.zone for feed in start.feeds] == [CHO]
    assert start.parts[0] == Sound(ALL_CLEAR, start.parts[0].duration_ms)
    assert bench.play(clear).zones.keys() == {CHO}


def test_the_all_clear_ends_the_warning_that_still_sounds_and_is_heard_there() -> None:
    bench = at_work()
    warning = alert(bench, 1, zones=(DINH,), **repeating(bench))
    bench.pass_s(1)
    clear = alert(bench, 2, all_clear=True)
    bench.end(warning, Reason.SHUTDOWN, ms=500)
    bench.pass_s(1)
    assert bench.play(clear).zones.keys() == {DINH}
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def test_nothing_is_cleared_where_nothing_was_heard() -> None:
    bench = at_work()
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("refused", "not_heard_here")


def test_a_correction_stops_what_it_corrects_and_sounds_where_that_was_heard() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong", audience=audience(CHO))
    bench.pass_s(1)
    right = bench.order(job_id="right", corrects="wrong", **{"class": "priority"})
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(wrong, Reason.SHUTDOWN, ms=500)
    assert (wrong, "interrupted", "corrected") in bench.outcomes()
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [CHO]
    bench.end(right)
    assert bench.every(fx.CommitRecord)[-1].record.corrects == "wrong"


def test_a_correction_of_what_was_played_goes_to_who_heard_it() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong", audience=audience(DINH))
    sounds(bench, wrong)
    bench.pass_s(3_600)
    bench.order(job_id="right", corrects="wrong")
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def rehearsal(bench: Bench, seconds: float) -> JobId:
    when = {"kind": "at", "utc": bench.now.utc + round(seconds * 1000)}
    return bench.order(job_id="drill", rehearsal=True, when=when, event="dien-tap", **EMERGENCY)


def test_a_rehearsal_has_its_own_chime_and_says_what_it_is_first_and_last() -> None:
    bench = at_work()
    drill = rehearsal(bench, 60)
    bench.pass_s(60)
    bench.pass_s(1)
    keys = [part.key for part in bench.every(fx.StartPlay)[-1].parts if isinstance(part, Sound)]
    assert keys[0] == REHEARSAL
    assert ATTENTION not in keys
    assert keys[1] == keys[-1]
    bench.end(drill)
    assert bench.every(fx.CommitRecord)[-1].record.rehearsal


def test_a_rehearsal_takes_nobodys_zone_and_no_night() -> None:
    bench = at_work()
    bench.order(
        job_id="drill", rehearsal=True, event="dien-tap", when=makers.rule_when(times=["03:15:00"]), **EMERGENCY
    )
    assert bench.answers()[-1] == ("refused", "quiet_hours")
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(1)
    rehearsal(bench, 1)
    bench.pass_s(2)
    assert bench.phase(bulletin) is Phase.PLAYING
    assert bench.phase(JobId("drill")) is Phase.QUEUED


def test_nobody_rehearses_while_a_real_warning_is_in_force() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench, for_s=7_200))
    sounds(bench, warning)
    drill = rehearsal(bench, 60)
    bench.pass_s(60)
    assert bench.outcomes()[-1] == (drill, "rejected", "emergency_in_force")


def test_a_warning_ends_a_rehearsal_that_sounds_elsewhere_too() -> None:
    bench = at_work()
    drill = rehearsal(bench, 60)
    bench.pass_s(60)
    bench.pass_s(1)
    assert bench.phase(drill) is Phase.PLAYING
    alert(bench, 1, zones=(CHO,))
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(drill, Reason.SHUTDOWN, ms=500)
    assert (drill, "interrupted", "emergency_in_force") in bench.outcomes()


def test_an_emergency_makes_no_more_sound_than_its_role_allows() -> None:
    bench = at_work()
    made = bench.make(**EMERGENCY, **repeating(bench, every_s=60, for_s=600), not_after=bench.now.utc + HOUR_MS)
    bench.arrive(replace(bench.accept(made), sound_max_ms=25_000))
    sounds(bench, made.job_id)
    bench.pass_s(51)
    sounds(bench, made.job_id)
    bench.pass_s(51)
    bench.pass_s(1)
    assert bench.outcomes()[-1] == (made.job_id, "rejected", "too_much_sound")


def test_a_key_orders_only_so_many_emergencies_a_day() -> None:
    bench = at_work()
    for number in range(3):
        made = bench.make(job_id=f"flood-{number}", **EMERGENCY)
        bench.arrive(replace(bench.accept(made), per_day=2))
        if number < 2:
            sounds(bench, made.job_id)
    assert bench.answers()[-1] == ("refused", "too_many_emergencies")
    bench.pass_s(86_400)
    made = bench.make(job_id="flood-3", **EMERGENCY)
    bench.arrive(replace(bench.accept(made), per_day=2))
    assert bench.answers()[-1] == ("accepted", None)


def test_an_all_clear_of_what_was_heard_nowhere_ends_what_waits() -> None:
    bench = at_work()
    bench.deaf = {fx.SpeakText}
    warning = alert(bench, 1)
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("refused", "not_heard_here")
    assert bench.outcomes()[-1] == (warning, "superseded", "superseded")


def test_a_warning_that_comes_after_its_all_clear_never_sounds() -> None:
    bench = at_work()
    alert(bench, 2, all_clear=True)
    alert(bench, 1)
    assert bench.answers()[-1] == ("refused", "superseded")


def test_a_correction_of_what_was_heard_nowhere_ends_what_waits() -> None:
    bench = at_work()
    wrong = bench.at(60, job_id="wrong")
    bench.order(job_id="right", corrects="wrong")
    assert bench.answers()[-1] == ("refused", "not_heard_here")
    assert bench.outcomes()[-1] == (wrong, "cancelled", "corrected")


def test_a_correction_of_what_was_stopped_before_anybody_heard_it_is_refused_by_name() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong")
    bench.pass_s(1)
    bench.deaf = {fx.SaveJob}
    right = bench.order(job_id="right", corrects="wrong")
    bench.end(wrong, Reason.SHUTDOWN, ms=0)
    bench.send(JobSaved(right))
    assert bench.outcomes()[-1] == (right, "rejected", "not_heard_here")


def test_what_was_corrected_while_it_waited_is_not_released() -> None:
    bench = Bench().boot(welcomed=False)
    bench.order(job_id="right", corrects="wrong")
    wrong = bench.at(60, job_id="wrong")
    bench.welcome()
    assert (wrong, "rejected", "corrected") in bench.outcomes()
    assert bench.state.jobs == {}


def test_what_is_only_offered_takes_nobodys_place() -> None:
    bench = at_work()
    wrong = bench.at(3_600, job_id="wrong")
    made = bench.make(job_id="right", corrects="wrong", when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(replace(bench.accept(made), offered=True))
    assert bench.phase(wrong) is Phase.STAGED


def test_an_older_version_that_the_journal_brings_back_is_over() -> None:
    bench = at_work()
    first = alert(bench, 1)
    bench.pass_s(1)
    second = alert(bench, 2)
    saved = tuple(effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    mark = SavedMark(first, bench.play(first).planned, Mark.FIRST_SAMPLE, 1)
    again.send(Restored(saved, (mark,), {}, 0, 0, "e1"))
    assert again.outcomes() == [(first, "interrupted", "power_cut")]
    assert [*again.state.jobs] == [second]


def test_a_repetition_that_is_due_stays_due_when_the_clock_is_put_back() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    sounds(bench, warning)
    other = bench.order(job_id="other", loops=20, gap_s=60, **EMERGENCY)
    bench.pass_s(889)
    assert bench.play(warning).held_by is Reason.ZONES_BUSY
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - DAY_MS))
    bench.end(other)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


def after_a_crash(bench: Bench, job: JobId, seconds: float) -> None:
    """The process is back so much later, and finds the mark of a first sample."""
    mark = SavedMark(job, bench.play(job).planned, Mark.FIRST_SAMPLE, 1)
    saved = tuple(SavedJob(known.accepted, known.base, known.held) for known in bench.state.jobs.values())
    seen, bench.state = bench.state.seen, station.start(bench.state.site)
    bench.pass_s(seconds)
    bench.send(Restored(saved, (mark,), seen, 0, 0, "e1"))
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()


def test_a_warning_cut_by_a_power_cut_that_comes_back_too_late_was_heard_and_can_be_cleared() -> None:
    bench = at_work()
    warning = alert(bench, 1, not_after=bench.now.utc + 10 * MINUTE_MS)
    bench.pass_s(3)
    assert bench.phase(warning) is Phase.PLAYING
    after_a_crash(bench, warning, 700)
    assert bench.outcomes()[-1] == (warning, "interrupted", "power_cut")
    assert bench.every(fx.CommitRecord)[-1].record.played_ms is None, "nobody saw for how long"
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_an_all_clear_that_comes_before_a_warning_begins_anew_after_a_power_cut_is_heard() -> None:
    bench = at_work()
    warning = alert(bench, 1)
    bench.pass_s(3)
    after_a_crash(bench, warning, 30)
    clear = alert(bench, 2, all_clear=True)
    assert bench.outcomes()[-1] == (warning, "interrupted", "superseded")
    bench.send(DeviceUp())
    bench.pass_s(1)
    assert bench.phase(clear) is Phase.PLAYING


def test_a_warning_that_is_begun_anew_after_a_power_cut_and_ends_was_heard_whole() -> None:
    bench = at_work()
    warning = alert(bench, 1)
    bench.pass_s(3)
    after_a_crash(bench, warning, 30)
    bench.send(DeviceUp())
    sounds(bench, warning)
    assert bench.outcomes()[-1] == (warning, "succeeded", None)
    assert bench.every(fx.CommitRecord)[-1].record.played_ms == 10_000


def test_a_warning_whose_device_stays_away_was_interrupted_and_did_not_just_expire() -> None:
    bench = at_work()
    warning = alert(bench, 1, not_after=bench.now.utc + 10 * MINUTE_MS)
    bench.pass_s(1)
    bench.send(PlayProgress(bench.play(warning).play_id, {CHO: 2_000, DINH: 2_000}, 0))
    bench.send(DeviceDown("killed"))
    bench.pass_s(601)
    assert bench.outcomes()[-1] == (warning, "interrupted", "device_failed")
    assert bench.every(fx.CommitRecord)[-1].record.played_ms == 2_000


def test_no_repetition_begins_after_its_end_because_the_device_was_away() -> None:
    bench = at_work()
    bench.send(DeviceDown("killed"))
    warning = alert(bench, 1, **repeating(bench, every_s=300, for_s=600))
    bench.pass_s(601)
    assert (warning, "expired", "device_failed") in bench.outcomes()
    bench.send(DeviceUp())
    bench.pass_s(1)
    assert bench.every(fx.StartPlay) == []


def test_what_every_try_of_a_warning_has_sounded_counts_in_its_bound() -> None:
    bench = at_work()
    given = {"not_after": bench.now.utc + 6 * HOUR_MS, **EMERGENCY}
    bounded = replace(bench.accept(bench.make(job_id="lu", **given)), sound_max_ms=15_000)
    bench.arrive(bounded)
    bench.pass_s(1)
    bench.send(PlayProgress(bench.play(JobId("lu")).play_id, {CHO: 8_000, DINH: 8_000}, 0))
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    bench.pass_s(11)
    assert bench.outcomes()[-1] == ("lu", "interrupted", "too_much_sound")


def test_a_zone_of_an_old_version_that_is_being_stopped_says_superseded() -> None:
    bench = at_work()
    alert(bench, 1)
    bench.pass_s(3)
    newer = alert(bench, 2)
    bench.pass_s(1)
    assert bench.phase(newer) is Phase.PLAYING
    bench.end(JobId("so-tan-1"), Reason.SHUTDOWN, ms=3_000)
    record = bench.every(fx.CommitRecord)[-1].record
    assert {zone.reason for zone in record.zones} == {Reason.SUPERSEDED}


def test_a_correction_finds_who_heard_what_was_wrong_weeks_ago() -> None:
    bench = at_work()
    wrong = bench.playing()
    bench.pass_s(9)
    bench.end(wrong)
    bench.pass_s(20 * 24 * 3_600)
    other = bench.playing(job_id="other")
    bench.pass_s(9)
    bench.end(other)
    bench.order(job_id="right", corrects=wrong)
    assert bench.answers()[-1] == ("accepted", None)


def test_who_heard_what_counts_in_no_limit_of_a_later_day() -> None:
    bench = at_work()
    for day in range(3):
        bench.end(bench.playing(job_id=f"day-{day}"))
        bench.pass_s(24 * 3_600)
    assert [sound.job_id for sound in bench.state.past] == ["day-0", "day-1", "day-2"]
    assert [sound.job_id for sound in standing.rules_of(bench.state, bench.now).past] == ["day-1", "day-2"]
