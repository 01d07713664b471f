"""A whole timetable replaced by one order: all of it or nothing, and nobody in the street hears the seam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import conflicts
from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import Now
from edge_agent.core.conflicts import INSTANTS_MAX
from edge_agent.core.day_ahead import Planned, day_plan
from edge_agent.core.events import AckToken, Connected, DeviceDown, DeviceUp, JobSaved, JournalFailed, MessageArrived
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Choose
from edge_agent.core.reasons import Reason
from edge_agent.core.state import JOBS_MAX, State
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, UtcMs
from edge_agent.runtime import restored
from tests.core.bench import CHO, DINH, Bench
from tests.core.slow_disk import SlowDisk
from tests.trust import makers

SANG, TRUA, CHIEU = (JobId(name) for name in ("sang", "trua", "chieu"))
Entry = dict[str, Any]


def at_work() -> Bench:
    return Bench().boot()


def daily(name: str, at: str = "17:00:00", **over: Any) -> Entry:
    return makers.entry_dict(name, when=makers.rule_when(times=[at]), **over)


def once(bench: Bench, name: str, seconds: int, **over: Any) -> Entry:
    return makers.entry_dict(name, when={"kind": "at", "utc": bench.now.utc + seconds * 1_000}, **over)


def in_one_zone(name: str, zone: str = CHO) -> Entry:
    return daily(name, audience={"areas": [makers.AREA], "zones": [zone]})


def jobs(bench: Bench) -> set[str]:
    """What is planned; an entry that waits for its commit is not."""
    return {job_id for job_id, known in bench.state.jobs.items() if known.may_sound}


# The switch


def test_the_old_timetable_is_in_force_until_the_new_one_is_on_the_disk() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(CHIEU))
    assert jobs(bench) == {SANG, TRUA}
    assert {play.job_id for play in bench.state.plays.values()} == {SANG, TRUA}
    assert bench.answers() == [("accepted", None)]
    bench.send(JobSaved(whole))
    assert jobs(bench) == {CHIEU}
    assert {play.job_id for play in bench.state.plays.values()} == {CHIEU}
    assert bench.answers() == [("accepted", None)] * 2
    assert len(bench.every(fx.Ack)) == 2


def test_its_answer_names_the_entries_that_will_not_sound_as_the_new_timetable_has_them() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "22:00:00"), daily(TRUA))
    bench.timetable(2, daily(TRUA), daily(CHIEU, "22:30:00"))
    first, second = bench.every(fx.SendAnswer)
    assert {(one.job_id, one.reason) for one in first.conflicts} == {(SANG, Reason.QUIET_HOURS)}
    assert {(one.job_id, one.reason) for one in second.conflicts} == {(CHIEU, Reason.QUIET_HOURS)}
    assert len(second.conflicts) == INSTANTS_MAX


def test_a_full_timetable_is_not_looked_at_day_after_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emergency that comes meanwhile would wait for it."""
    days: list[date] = []

    def counted(state: State, now: Now, day: date) -> tuple[Planned, ...]:
        days.append(day)
        return day_plan(state, now, day)

    monkeypatch.setattr(conflicts, "day_plan", counted)
    bench = at_work()
    bench.timetable(1, *(in_one_zone(f"ngan-{number}") for number in range(3)))
    ordinary = len(days)
    hourly = makers.rule_when(times=[f"{hour:02}:00:00" for hour in range(5, 21)])
    bench.timetable(2, *(makers.entry_dict(f"day-{number}", when=hourly) for number in range(20)))
    assert (ordinary, len(days) - ordinary) == (INSTANTS_MAX, 1)


def test_a_timetable_that_is_still_ahead_foresees_nothing_before_its_day() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "22:00:00"), not_before=bench.now.utc + DAY_MS)
    bench.pass_s(24 * 3_600 + 60)
    ahead, in_force = bench.every(fx.SendAnswer)
    assert ahead.conflicts == ()
    assert {one.job_id for one in in_force.conflicts} == {SANG}


def test_the_log_tells_what_waited_and_what_took_its_place() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(TRUA), daily(CHIEU))
    assert bench.outcomes() == [
        ("lich-1", "succeeded", None),
        (SANG, "superseded", "superseded"),
        ("lich-2", "succeeded", None),
        ("lich-1", "superseded", "superseded"),
    ]
    told = [effect.record.detail for effect in bench.every(fx.CommitRecord)]
    assert told[2:] == ["timetable name=main version=2 entries=2", "timetable name=main version=1 entries=1"]


def test_an_entry_that_both_versions_have_goes_on_undisturbed() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.pass_s(7_200)
    known, play = bench.state.jobs[SANG], bench.play(SANG)
    bench.timetable(2, daily(SANG), serial=9, not_after=UtcMs(makers.NOON + 99 * DAY_MS))
    assert bench.state.jobs[SANG].base == known.base
    assert bench.play(SANG) == play
    assert bench.state.jobs[SANG].job.not_after == makers.NOON + 99 * DAY_MS


def test_an_entry_that_sounds_and_stays_is_not_touched() -> None:
    bench = at_work()
    entry = once(bench, SANG, 60)
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    play = bench.play(SANG)
    assert play.phase is Phase.PLAYING
    bench.timetable(2, entry, daily(TRUA))
    assert bench.play(SANG) == play
    assert bench.every(fx.StopPlay) == []
    bench.end(SANG)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.job_id, record.outcome, record.digest) == (SANG, Phase.SUCCEEDED, "digest of lich-2")


def test_what_sounds_and_is_gone_is_heard_to_its_end_and_never_again() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "12:01:00"))
    bench.pass_s(60)
    bench.pass_s(1)
    bench.timetable(2)
    assert bench.phase(SANG) is Phase.PLAYING
    assert (bench.every(fx.StopPlay), bench.every(fx.RoutePlay)) == ([], [])
    bench.end(SANG)
    commit = bench.every(fx.CommitRecord)[-1]
    assert (commit.record.job_id, commit.record.outcome, commit.job_over) == (SANG, Phase.SUCCEEDED, True)
    assert bench.state.jobs == {}


def test_what_sounds_was_dropped_and_is_listed_again_stays() -> None:
    bench = at_work()
    entry = daily(SANG, "12:01:00")
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    bench.timetable(2)
    bench.timetable(3, entry)
    bench.end(SANG)
    assert not bench.every(fx.CommitRecord)[-1].job_over
    assert jobs(bench) == {SANG}


def test_the_empty_timetable_ends_all_of_it_and_nothing_else() -> None:
    bench = at_work()
    alone = bench.at(3_600)
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.timetable(2)
    assert jobs(bench) == {alone}


def test_an_issuer_keeps_several_timetables_apart_by_name() -> None:
    bench = at_work()
    bench.timetable(7, daily(SANG))
    bench.timetable(1, daily(TRUA), name="loa-cho")
    assert jobs(bench) == {SANG, TRUA}
    bench.timetable(2, name="loa-cho")
    assert jobs(bench) == {SANG}


def test_timetables_of_two_issuers_are_two() -> None:
    bench = at_work()
    bench.timetable(7, daily(SANG))
    bench.timetable(1, issuer="province")
    assert jobs(bench) == {SANG}


# What is refused


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_or_another_of_the_same_number_is_refused(version: int) -> None:
    bench = at_work()
    bench.timetable(2, daily(SANG))
    bench.timetable(version, order_id="late")
    assert bench.answers()[-1] == ("refused", "superseded")
    assert jobs(bench) == {SANG}


def test_an_expired_one_changes_nothing() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, not_before=makers.NOON - DAY_MS, not_after=makers.NOON - 1)
    assert bench.answers()[-1] == ("refused", "expired")
    assert jobs(bench) == {SANG}


def test_the_places_for_jobs_are_counted_as_they_will_be() -> None:
    bench = at_work()
    bench.timetable(1, *(daily(f"cu-{number}") for number in range(60)))
    for number in range(JOBS_MAX - 100):
        bench.at(3_600, job_id=f"job-{number}")
    bench.timetable(2, *(daily(f"moi-{number}") for number in range(60)))
    assert bench.answers()[-1] == ("accepted", None)
    for number in range(40):
        bench.at(3_600, job_id=f"more-{number}")
    bench.timetable(1, daily(SANG), name="loa-cho", order_id="one-more")
    assert bench.answers()[-1] == ("refused", "too_many_jobs")


def test_an_id_keeps_its_meaning_from_version_to_version() -> None:
    """Or the record of what sounds would tell of another programme."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG, volume=40), daily(TRUA))
    assert bench.answers()[-1] == ("refused", "id_reused")
    assert jobs(bench) == {SANG}
    assert bench.state.jobs[SANG].job.volume == 70


def test_an_entry_and_a_single_order_cannot_have_one_id() -> None:
    bench = at_work()
    alone = bench.at(3_600, job_id="tin-1")
    bench.timetable(1, daily(alone))
    assert bench.answers()[-1] == ("refused", "id_reused")
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(SANG))
    bench.at(3_600, job_id=SANG)
    assert bench.answers()[-1] == ("refused", "id_reused")
    bench.send(JobSaved(whole))
    bench.at(3_600, job_id=SANG)
    assert bench.answers()[-1] == ("refused", "id_reused")


def test_of_the_audience_only_the_zones_make_another_programme() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG), audience={"areas": [makers.AREA, "vn/ha-noi/an-khanh"]})
    assert bench.answers()[-1] == ("accepted", None)
    bench.timetable(3, in_one_zone(SANG))
    assert bench.answers()[-1] == ("refused", "id_reused")


# The disk


def test_where_the_disk_refuses_the_old_one_stays_and_the_new_one_may_come_again() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(TRUA))
    bench.send(JournalFailed("save job", whole, "full"))
    assert bench.answers()[-1] == ("refused", "not_saved")
    assert bench.state.jobs.keys() == {SANG}
    bench.deaf.clear()
    bench.timetable(2, daily(TRUA))
    assert bench.answers()[-1] == ("accepted", None)
    assert jobs(bench) == {TRUA}


def test_two_versions_do_not_wait_for_the_disk_at_once() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG))
    assert bench.answers()[-1] == ("refused", "not_saved")


def test_a_delivery_that_is_repeated_has_no_effect() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(1, daily(SANG))
    bench.timetable(1, daily(SANG))
    assert len(bench.every(fx.SaveJob)) == 1
    bench.send(JobSaved(whole))
    assert len(bench.every(fx.Ack)) == 2
    bench.timetable(1, daily(SANG))
    assert bench.answers() == [("accepted", None), ("known", "replayed")]


# Before its time


def test_before_the_welcome_it_waits_and_the_old_one_holds() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.state = replace(bench.state, welcomed=False)
    bench.timetable(2, daily(TRUA))
    bench.timetable(3, daily(CHIEU))
    assert jobs(bench) == {SANG}
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()
    bench.pass_s(1)
    assert jobs(bench) == {CHIEU}
    assert ("lich-2", "rejected", "superseded") in bench.outcomes()


def test_one_signed_ahead_waits_for_its_day() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(TRUA), not_before=bench.now.utc + HOUR_MS)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(3_599)
    assert jobs(bench) == {SANG}
    assert bench.wakes_in_ms() <= 1_000
    bench.pass_s(1)
    assert jobs(bench) == {TRUA}


def test_one_signed_ahead_that_a_newer_one_overtakes_is_refused_at_once() -> None:
    bench = at_work()
    bench.timetable(2, daily(TRUA), not_before=makers.NOON + HOUR_MS)
    bench.timetable(3, daily(CHIEU))
    assert bench.answers()[-1] == ("refused", "superseded")
    assert jobs(bench) == {CHIEU}


def test_where_the_disk_refuses_its_release_the_old_one_stays() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    whole = bench.timetable(2, daily(TRUA), not_before=makers.NOON + HOUR_MS)
    bench.deaf.add(fx.ReleaseJob)
    bench.pass_s(3_600)
    assert jobs(bench) == {SANG}
    bench.send(JournalFailed("release timetable", whole, "full"))
    assert bench.answers()[-1] == ("refused", "not_saved")
    assert bench.state.jobs.keys() == {SANG}


def test_at_the_end_of_its_validity_it_says_so() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), not_after=makers.NOON + HOUR_MS)
    bench.pass_s(3_601)
    assert bench.outcomes()[-1] == ("lich-1", "expired", "expired")


def test_a_version_that_ends_sooner_lets_go_of_what_would_come_later() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG), not_after=makers.NOON + HOUR_MS)
    assert (SANG, "superseded", "superseded") in bench.outcomes()
    assert bench.state.plays == {}


# One entry


def cancel(bench: Bench, target: str) -> None:
    bench.rule(Cancel(JobId(target), UtcMs(bench.now.utc + 90 * DAY_MS)))


def test_one_entry_is_cancelled_by_its_own_id_and_stays_so() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    cancel(bench, SANG)
    assert jobs(bench) == {TRUA}
    bench.timetable(2, daily(SANG), daily(TRUA))
    assert jobs(bench) == {TRUA}


def test_the_whole_is_cancelled_by_its_id() -> None:
    bench = at_work()
    alone = bench.at(3_600)
    whole = bench.timetable(1, daily(SANG), daily(TRUA))
    cancel(bench, whole)
    assert jobs(bench) == {alone}
    assert ("lich-1", "cancelled", "cancelled") in bench.outcomes()


def test_what_was_dropped_and_is_listed_again_comes_back() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2)
    bench.timetable(3, daily(SANG))
    assert jobs(bench) == {SANG}


def test_what_was_played_is_not_played_again_because_it_is_still_listed() -> None:
    bench = at_work()
    entry = once(bench, SANG, 60, missed={"policy": "late", "limit_s": 600})
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    bench.end(SANG)
    bench.timetable(2, entry, daily(TRUA), not_before=makers.NOON)
    assert jobs(bench) == {TRUA}
    assert len(bench.every(fx.StartPlay)) == 1


def test_an_entry_that_the_role_may_only_offer_is_chosen_and_stays_chosen() -> None:
    bench = at_work()
    offered = {"offered": frozenset({JobClass.NORMAL})}
    bench.timetable(1, daily(SANG), daily(TRUA, **{"class": "priority"}), by=offered)
    assert jobs(bench) == {TRUA}
    chosen = makers.make_job(when=makers.rule_when(times=["18:00:00"])).when
    bench.rule(Choose(SANG, chosen))
    assert jobs(bench) == {SANG, TRUA}
    bench.timetable(2, daily(SANG), by=offered)
    assert jobs(bench) == {SANG}
    assert bench.state.jobs[SANG].job.when == chosen


# The power


class Home(Bench):
    """A station with a disk that commits as much as it is told to, and then loses its power."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SlowDisk()
        self.commits = 0

    def _answers(self, effect: fx.Effect) -> list[Any]:
        if isinstance(effect, fx.SaveJob | fx.ReleaseJob | fx.SaveMark | fx.CommitRecord):
            self.disk.waiting.append(effect)
            return []
        return super()._answers(effect)

    def commit(self, most: int = 1_000) -> None:
        """One write after the other, each of them answered."""
        for _ in range(most):
            if not self.disk.waiting:
                return
            self.disk.commit(1)
            self.commits += 1
            self._hear()

    def refuse(self, most: int) -> None:
        """The disk takes none of these."""
        self.disk.refuse(most)
        self._hear()

    def _hear(self) -> None:
        while self.disk.answers:
            self.send(self.disk.answers.popleft())

    def cut(self) -> Home:
        """The next boot."""
        again = Home()
        again.now, again.disk.disk, again._judgements = self.now, self.disk.disk, self._judgements
        again._mid = self._mid
        again.send(restored(again.disk.boot(), lambda _, payload: again._judgements[payload]))
        again.send(DeviceUp())
        again.send(Connected(1, "ab" * 16))
        again.welcome()
        again.commit()
        again.pass_s(1)
        return again


def a_day_of_two(home: Home, *, ahead: bool) -> Iterator[None]:
    """Version 1, of which one entry begins to sound; then version 2, at once or signed ahead."""
    home.timetable(1, daily(SANG, "12:01:00"), daily(TRUA), daily("gone"))
    yield
    home.pass_s(60)
    yield
    home.pass_s(1)
    yield
    when = {"not_before": home.now.utc + 2_000} if ahead else {}
    home.timetable(2, daily(TRUA), daily(CHIEU), **when)
    yield
    home.pass_s(3)
    yield
    home.end(SANG)
    yield


@pytest.mark.parametrize("ahead", [False, True])
def test_a_power_cut_after_any_write_leaves_the_old_timetable_or_the_new_one(ahead: bool) -> None:
    whole = Home()
    whole.boot()
    for _ in a_day_of_two(whole, ahead=ahead):
        whole.commit()
    seen = set()
    for writes in range(whole.commits + 1):
        home = Home()
        home.boot()
        for _ in a_day_of_two(home, ahead=ahead):
            home.commit(writes - home.commits)
            if home.commits == writes:
                break
        after = home.cut()
        kept = frozenset(jobs(after))
        assert kept in (frozenset(), {SANG, TRUA, "gone"}, {TRUA, CHIEU}), writes
        seen.add(kept)
        told = [one.job_id for one in after.disk.told() if one.planned is not None]
        assert len(told) == len(set(told)), "a record too many"
        if kept == {TRUA, CHIEU}:
            assert "gone" in {one.job_id for one in after.disk.told()}, "it went, and no record tells of it"
        after.timetable(3, daily(DINH))
        after.commit()
        assert jobs(after) == {DINH}
    assert len(seen) == 3


def test_a_version_older_than_the_one_on_the_disk_is_refused_after_a_restart() -> None:
    home = Home()
    home.boot()
    home.timetable(5)
    home.commit()
    again = home.cut()
    again.timetable(4, daily(SANG))
    assert again.answers()[-1] == ("refused", "superseded")


def test_what_waits_to_begin_late_still_does_after_a_new_version_and_a_power_cut() -> None:
    home = Home()
    home.boot()
    late = daily(SANG, "12:01:00", missed={"policy": "late", "limit_s": 600})
    home.timetable(1, late)
    home.commit()
    home.send(DeviceDown("unplugged"))
    home.pass_s(120)
    home.timetable(2, late, daily(TRUA))
    home.commit()
    again = home.cut()
    again.commit()
    again.pass_s(1)
    assert again.phase(SANG) is Phase.PLAYING


def test_what_was_dropped_while_it_sounded_does_not_come_back_when_nothing_is_in_force() -> None:
    home = Home()
    home.boot()
    home.timetable(1, daily(SANG, "12:01:00"))
    home.commit()
    home.pass_s(60)
    home.commit()
    home.pass_s(1)
    home.timetable(2, not_after=home.now.utc + 2_000)
    home.commit()
    home.pass_s(3)
    home.commit()
    assert home.phase(SANG) is Phase.PLAYING
    again = home.cut()
    assert again.state.jobs == {}
    assert (SANG, "interrupted", "power_cut") in again.outcomes()


def test_the_same_bytes_are_known_after_a_restart() -> None:
    home = Home()
    home.boot()
    home.timetable(1, daily(SANG))
    home.commit()
    again = home.cut()
    again.send(MessageArrived(makers.JOB_TOPIC, str(home._mid).encode(), AckToken(2, 1)))
    assert again.answers()[-1] == ("known", "replayed")
    assert jobs(again) == {SANG}


names = st.sets(st.sampled_from("abcdef"))
happenings = st.one_of(
    st.tuples(st.just("replace"), names),
    st.tuples(st.just("replace ahead"), names),
    st.tuples(st.just("commit"), st.integers(1, 6)),
    st.tuples(st.just("refuse"), st.integers(1, 6)),
    st.tuples(st.just("cut"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(happenings, max_size=25))
def test_whatever_happens_it_is_one_version_or_another_and_never_some_of_each(script: list[tuple[str, Any]]) -> None:
    home, version = Home(), 0
    home.boot()
    versions: list[set[str]] = [set()]
    for what, more in script:
        match what:
            case "replace" | "replace ahead":
                version += 1
                ahead = {"not_before": home.now.utc + 60_000} if what == "replace ahead" else {}
                home.timetable(version, *(daily(name) for name in sorted(more)), **ahead)
                versions.append(more)
            case "commit":
                home.commit(more)
            case "refuse":
                home.refuse(more)
            case "cut":
                home = home.cut()
            case _:
                home.pass_s(more)
        assert jobs(home) in versions
    home.commit()
    home.pass_s(61)
    home.commit()
    home.timetable(version + 1, daily("a"), daily("g"))
    home.commit()
    assert jobs(home) == jobs(home.cut()) == {"a", "g"}
