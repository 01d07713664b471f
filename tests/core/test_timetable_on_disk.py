"""A disk that is slow or refuses, and a power cut after any write: one timetable or the other, never some of each.

The suite tries some new scripts each time; ``TIMETABLE_EXAMPLES=5000`` tries that many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import effects as fx
from edge_agent.core.events import AckToken, Connected, DeviceDown, DeviceUp, JobSaved, JournalFailed, MessageArrived
from edge_agent.core.occurrence import Phase
from edge_agent.restoring import restored
from tests.core.bench import DINH, Bench, at_work
from tests.core.entries import CHIEU, SANG, TRUA, daily, jobs
from tests.core.slow_disk import SlowDisk
from tests.trust import makers


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
    assert bench.outcomes() == []  # it is sent again as it is: nothing to put on record


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


# The power


class Home(Bench):
    """A station with a disk that commits as much as it is told to, and then loses its power."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SlowDisk()
        self.commits = 0

    def _answers(self, effect: fx.Effect) -> list[Any]:
        if isinstance(effect, fx.SaveJob | fx.ReleaseJob | fx.SaveMark | fx.DropMark | fx.CommitRecord):
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


EXAMPLES = int(os.environ.get("TIMETABLE_EXAMPLES", "50"))
names = st.sets(st.sampled_from("abcdef"))
happenings = st.one_of(
    st.tuples(st.just("replace"), names),
    st.tuples(st.just("replace ahead"), names),
    st.tuples(st.just("commit"), st.integers(1, 6)),
    st.tuples(st.just("refuse"), st.integers(1, 6)),
    st.tuples(st.just("cut"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
)


@settings(max_examples=EXAMPLES, deadline=None)
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
