"""One thing after another, by a thief or by chance: neither undoes what the protocol promises of the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import (
    Connected,
    DeviceUp,
    HeadsFetched,
    JobSaved,
    JournalFailed,
    LogCompared,
    Mark,
    PaperRead,
    Restored,
    SavedJob,
    SavedMark,
    TimetableReleased,
    TrustChanged,
)
from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Choose
from edge_agent.core.past import Sounded, remember
from edge_agent.core.policy import Clause, LocalPolicy
from edge_agent.core.spent import Papers, Spent
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, JobId, MonoMs, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work, audience
from tests.core.entries import CHIEU, SANG, TRUA, daily, jobs, once
from tests.core.homed import WARD, Homed, listed
from tests.core.test_freshness import three_records
from tests.core.test_timetable_on_disk import Home
from tests.core.undated import TWO, find_the_time, lost_in_time, starts, warned
from tests.core.welcomes import FLOOD, verdict, welcome
from tests.trust import makers

NORMAL = frozenset({JobClass.NORMAL})
X = JobId("id-x")


def flood(bench: Bench, name: str, **over: Any) -> Job:
    return bench.make(**(FLOOD | {"job_id": name} | over))


def of_noon(bench: Bench, name: str, hours: int = 1, **over: Any) -> Job:
    valid = {"issued_at": makers.NOON, "not_before": makers.NOON, "not_after": makers.NOON + hours * HOUR_MS}
    return flood(bench, name, **(valid | over))


def booted(bench: Bench, restored: Restored) -> Bench:
    bench.send(restored)
    bench.send(DeviceUp())
    bench.send(Connected(1, "ab" * 16))
    return bench


def test_a_key_that_may_only_offer_plans_nothing_by_a_new_version() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "12:05:00"))
    bench.timetable(2, daily(SANG, "12:05:00"), by={"offered": NORMAL})
    bench.pass_s(301)
    assert starts(bench) == 0, "nobody has chosen it"


def test_what_was_offered_is_planned_by_a_version_of_who_may() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "12:05:00"), by={"offered": NORMAL})
    bench.timetable(2, daily(SANG, "12:05:00"))
    bench.pass_s(301)
    assert starts(bench) == 1


def test_who_may_only_broadcast_makes_no_station_forget_an_all_clear() -> None:
    bench = at_work()
    late = {"series": "lut", "not_after": bench.now.utc + 6 * HOUR_MS}
    old = flood(bench, "v1", version=1, **late)
    bench.arrive(bench.accept(flood(bench, "v2", version=2, all_clear=True, **late)))
    assert bench.answers()[-1] == ("refused", "not_heard_here")
    for number in range(100):
        job = bench.make(job_id=f"c-{number}", corrects=f"nothing-{number}")
        bench.arrive(replace(bench.accept(job), signers=("thief",)))
    bench.arrive(bench.accept(old))
    bench.pass_s(1)
    assert (bench.answers()[-1], starts(bench)) == (("refused", "superseded"), 0)


def test_an_older_version_does_not_go_on_behind_a_newer_one_that_has_sounded_without_a_time() -> None:
    bench = Bench()
    bench.now = Now(MonoMs(1_000_000), UtcMs(makers.NOON), ClockSource.FLOOR, 0)
    again = {"kind": "now", "every_s": 300, "until": makers.NOON + 6 * HOUR_MS}
    old = of_noon(bench, "v1", 6, series="lut", version=1, when=again)
    saved = SavedJob(bench.accept(old), UtcMs(makers.NOON - 300_000), False)
    booted(bench, Restored((saved,), (), {}, 0, 0, "e1", floor=UtcMs(makers.NOON)))
    bench.pass_s(1)
    bench.pass_s(10)
    bench.end(JobId("v1"))
    new = of_noon(bench, "v2", 6, series="lut", version=2, issued_at=makers.NOON + 1_000)
    bench.arrive(replace(bench.accept(new), signers=TWO))
    bench.pass_s(31)
    bench.pass_s(20)
    bench.end(JobId("v2"))
    bench.pass_s(400)
    bench.pass_s(5)
    assert [one.play_id.split(".")[0] for one in bench.every(fx.StartPlay)][-1] == "v2"


def test_a_warning_that_the_disk_refuses_is_not_kept_silent_by_its_repetition() -> None:
    bench = lost_in_time()
    bench.deaf.add(fx.SaveJob)
    accepted = replace(bench.accept(of_noon(bench, "lut")), signers=TWO)
    for _ in range(4):
        bench.arrive(accepted)
        bench.send(JournalFailed("save job", JobId("lut"), "full"))
        bench.pass_s(10)
    assert starts(bench) == 1


def test_warnings_of_days_ago_keep_none_silent_where_nobody_knows_the_time() -> None:
    floor, at = UtcMs(makers.NOON - 10 * DAY_MS), makers.NOON - 5 * DAY_MS
    zones = frozenset({CHO})
    past = tuple(
        Sounded(JobId(f"old-{n}"), JobClass.EMERGENCY, UtcMs(at + n), UtcMs(at + n + 10_000), zones, signers=TWO)
        for n in range(3)
    )
    bench = lost_in_time(utc=floor, source=ClockSource.FLOOR)
    bench.send(Restored((), (), {}, 0, 0, "e1", past=past, floor=floor))
    bench.arrive(replace(bench.accept(of_noon(bench, "lut")), signers=TWO, per_day=3))
    bench.pass_s(31)
    assert starts(bench) == 1


def test_what_sounded_without_a_time_counts_among_a_days_orders() -> None:
    bench = lost_in_time(utc=UtcMs(makers.NOON - 40 * DAY_MS), source=ClockSource.FLOOR)
    for number in range(6):
        if number == 3:
            find_the_time(bench, late_ms=600_000)
        job = of_noon(bench, f"w-{number}")
        bench.arrive(replace(bench.accept(job), signers=TWO, per_day=3))
        if job.job_id not in bench.state.jobs:
            break
        bench.pass_s(31 if number < 3 else 1)
        bench.pass_s(10)
        bench.end(job.job_id)
    assert starts(bench) == 3


def test_a_manifest_of_a_stolen_key_vouches_for_nothing_once_that_is_revoked() -> None:
    bench = Homed()
    bench.boot(welcomed=False)
    bench.pass_s(40)
    bench.send(HeadsFetched(()))
    bench.give(bench.head(), listed("old"), upto=9)
    made = bench.make(job_id="old", serial=5, when={"kind": "at", "utc": bench.now.utc + 600_000})
    bench._judgements[b"envelope"] = bench.accept(made)
    bench.send(PaperRead("sha old", makers.JOB_TOPIC, b"envelope"))
    bench.send(TrustChanged(TrustStanding(), frozenset(), frozenset({WARD})))
    assert bench.state.home.kept == {}
    welcome(bench, serial_marks=((makers.ISSUER, 9),), log_epoch="other", log_seq=7, log_hash="aa")
    assert verdict(bench, JobId("old")) == "maybe_heard"


def test_a_version_whose_day_comes_while_the_disk_takes_the_one_before_it_is_not_lost() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "12:05:00"))
    bench.timetable(5, daily(CHIEU), not_before=bench.now.utc + 60_000)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(59)
    bench.deaf.add(fx.SaveJob)
    four = bench.timetable(4, daily(SANG, "12:05:00"))
    bench.pass_s(1)
    bench.pass_s(0.2)
    bench.deaf.clear()
    bench.send(JobSaved(four))
    bench.pass_s(1)
    assert jobs(bench) == {CHIEU}, bench.answers()


@pytest.mark.parametrize("how", ["revoked", "cancelled"])
def test_a_version_that_ends_before_the_disk_has_it_leaves_the_older_one_whole(how: str) -> None:
    home = Home()
    home.boot()
    home.timetable(1, daily(SANG), daily(TRUA))
    home.commit()
    two = home.timetable(2, daily(SANG), daily(CHIEU))
    if how == "revoked":
        home.send(TrustChanged(home.state.trust, frozenset({two, CHIEU})))
    else:
        home.rule(Cancel(two, UtcMs(home.now.utc + DAY_MS)))
    home.commit()
    assert jobs(home) == {SANG, TRUA}
    assert jobs(home.cut()) == {SANG, TRUA}


def with_anothers_warning_under_a_timetables_id() -> Bench:
    bench = at_work()
    bench.timetable(1, once(bench, "dai", 10, audience=audience(CHO)), order_id=X)
    bench.pass_s(10)
    bench.pass_s(1)
    bench.timetable(2, order_id="id-y")
    job = flood(bench, X, issuer="tinh", audience=audience(DINH))
    bench.arrive(bench.accept(job, "the warning's"))
    bench.pass_s(1)
    assert bench.phase(X) is Phase.PLAYING
    return bench


def test_a_cancel_ends_no_other_issuers_warning() -> None:
    bench = with_anothers_warning_under_a_timetables_id()
    bench.rule(Cancel(X, UtcMs(bench.now.utc + HOUR_MS)))
    assert bench.play(X).ending is None


def test_nor_is_the_issuers_own_cancel_refused() -> None:
    bench = with_anothers_warning_under_a_timetables_id()
    bench.rule(Cancel(X, UtcMs(bench.now.utc + HOUR_MS)), issuer="tinh")
    assert bench.answers()[-1] == ("accepted", None)


def test_a_correction_is_heard_where_a_warning_sounded_a_minute_ago_without_a_time() -> None:
    bench = lost_in_time(utc=UtcMs(makers.NOON - 40 * DAY_MS), source=ClockSource.FLOOR)
    wrong = warned(bench)
    bench.pass_s(31)
    bench.pass_s(10)
    bench.end(wrong)
    find_the_time(bench, late_ms=120_000)
    welcome(bench)
    bulletin = bench.playing(job_id="tin")
    bench.pass_s(9)
    bench.end(bulletin)
    warned(bench, job_id="right", corrects=wrong, issued_at=bench.now.utc, not_before=bench.now.utc)
    bench.pass_s(1)
    assert (bench.answers()[-1], starts(bench)) == (("accepted", None), 3)


def test_a_station_whose_home_was_taken_out_of_its_configuration_sleeps() -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0, "e1", spent=Spent(papers=Papers(MonoMs(bench.now.mono + 1_000), 10))))
    bench.pass_s(2)
    assert bench.wakes_in_ms() > 0


def of_two_welcomes(same: bool) -> tuple[Bench, fx.CompareLog, fx.CompareLog]:
    bench = booted(Bench(), Restored((), (), {}, 5, 0, "e1", chain_from=0))
    bench.deaf.add(fx.CompareLog)
    bench.arrive(bench.accept(bench.make(job_id="old", serial=5)))
    welcome(bench, log_epoch="e1", log_seq=2, log_hash="aa")  # the thief's
    bench.send(TrustChanged(bench.state.trust, frozenset(), told_stands=False))
    welcome(bench, serial_marks=((makers.ISSUER, 9),), log_epoch="e1", log_seq=4, log_hash="bb")
    first, second = bench.every(fx.CompareLog)
    bench.send(LogCompared(first.epoch, first.seq, first.hash, same=same, word=b""))
    return bench, first, second


def test_what_a_revoked_welcome_had_compared_lets_no_old_order_sound() -> None:
    bench, _, second = of_two_welcomes(same=True)
    bench.send(LogCompared(second.epoch, second.seq, second.hash, same=False, word=b""))
    bench.pass_s(1)
    assert (starts(bench), verdict(bench, JobId("old"))) == (0, "maybe_heard")


def test_nor_does_it_begin_a_chain() -> None:
    bench, _, _ = of_two_welcomes(same=False)
    assert bench.state.forgotten == {}


def test_behind_a_thief_of_welcomes_the_honest_one_finds_a_card_that_was_put_back() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    welcome(bench, serial_marks=(), log_epoch="e9", log_seq=9, log_hash="h9")  # the thief's, without marks
    void = {"marks_stand": False, "told_stands": False, "floor_stands": False}
    bench.send(TrustChanged(bench.state.trust, frozenset(), **void))
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    replayed = bench.at(600, job_id="heard-before", serial=7)
    assert verdict(bench, replayed) == "maybe_heard"


def test_a_thousand_short_sounds_do_not_begin_the_day_anew() -> None:
    def third(number: int) -> tuple[Any, int]:
        past: tuple[Sounded, ...] = ()
        zones, morning = frozenset({CHO, DINH}), makers.NOON - 4 * HOUR_MS
        sounds = [("one", makers.NOON - 6 * HOUR_MS, 60_000)]
        sounds += [(f"s-{n % 200}", morning + n * 1_800, 1_000) for n in range(number)]
        for job, began, ms in sounds:
            past = remember(
                past, Sounded(JobId(job), JobClass.NORMAL, UtcMs(began), UtcMs(began + ms), zones), UtcMs(began + ms)
            )
        bench = Bench(policy=LocalPolicy((Clause(sessions_per_day=2),)))
        booted(bench, Restored((), (), {}, 0, 0, "e1", past=past)).welcome()
        bench.order(job_id="third")
        bench.pass_s(1)
        return bench.answers()[-1], starts(bench)

    assert third(10) == (("refused", "sessions_per_day"), 0)
    assert third(1_000) == (("refused", "sessions_per_day"), 0)


def test_what_waits_for_a_time_does_not_depend_on_the_order_of_arrival() -> None:
    def sounded(*order: int) -> int:
        bench = lost_in_time()
        versions: dict[int, dict[str, Any]] = {
            1: {"not_after": makers.NOON + 6 * HOUR_MS},
            2: {"not_after": makers.NOON + 10 * MINUTE_MS, "all_clear": True},
        }
        for version in order:
            warned(bench, job_id=f"v{version}", series="lut", version=version, **versions[version])
        bench.pass_s(5)
        find_the_time(bench, late_ms=20 * MINUTE_MS)
        bench.pass_s(5)
        return starts(bench)

    assert sounded(1, 2) == sounded(2, 1)


def test_a_choice_that_was_taken_back_does_not_come_back_with_the_power() -> None:
    home = Home()
    home.boot()
    made = home.make(job_id="offer", when=makers.rule_when(times=["17:00:00"]))
    home.arrive(replace(home.accept(made), offered=True))
    home.commit()
    choice = home.rule(Choose(made.job_id, PlayNow()))
    for _ in range(3):
        home.commit()
        home.pass_s(1)
    assert home.phase(made.job_id) is Phase.PLAYING
    home.rule(Cancel(choice, UtcMs(home.now.utc + HOUR_MS)))
    home.commit()
    after = home.cut()
    after.pass_s(5 * 3_600)
    after.commit()
    after.pass_s(1)
    after.commit()
    assert starts(after) == 0, "nobody has chosen it"


def test_a_time_a_month_ahead_makes_no_station_forget_a_correction() -> None:
    bench = at_work()
    root = TrustHead("", 0, 1, UtcMs(bench.now.utc + 60 * DAY_MS), bench.now.utc)
    bench.send(TrustChanged(TrustStanding((root,)), frozenset()))
    late = {"not_after": bench.now.utc + 6 * HOUR_MS}
    wrong = flood(bench, "wrong", **late)
    bench.arrive(bench.accept(flood(bench, "right", corrects="wrong", **late)))
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + 31 * DAY_MS))
    bulletin = bench.playing(job_id="tin")
    bench.pass_s(9)
    bench.end(bulletin)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 31 * DAY_MS))
    bench.arrive(bench.accept(wrong))
    assert bench.answers()[-1] == ("refused", "corrected")


def test_what_the_disk_says_of_a_timetables_release_is_not_taken_for_a_warnings() -> None:
    bench = at_work()
    whole = bench.timetable(1, daily(SANG), order_id=X, not_before=bench.now.utc + 10_000)
    bench.deaf |= {fx.ReleaseJob, fx.SaveJob}
    bench.pass_s(11)
    bench.rule(Cancel(whole, UtcMs(bench.now.utc + HOUR_MS)))
    bench.said.clear()
    bench.arrive(bench.accept(flood(bench, whole, issuer="tinh"), "the warning's"))
    bench.send(TimetableReleased(whole))
    assert bench.answers() == [], "it waits for its own commit"
    bench.send(JobSaved(whole))
    assert bench.answers() == [("accepted", None)]


def test_a_timetable_that_was_forgotten_and_sent_again_waits_for_its_own_commit() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(1, daily(SANG))
    bench.send(TimetableReleased(whole))
    assert bench.answers() == []
    bench.send(JobSaved(whole))
    assert bench.answers() == [("accepted", None)]


@pytest.mark.parametrize(
    ("mark", "outcome"),
    [(Mark.FIRST_SAMPLE, ("old", "interrupted", "power_cut")), (Mark.INTENT, ("old", "expired", "expired"))],
)
@pytest.mark.parametrize("known_to_be_over", [False, True])
def test_a_warning_that_a_welcome_has_shown_to_be_old_while_it_sounded_does_not_come_back_with_the_power(
    mark: Mark, outcome: tuple[str, str, str], known_to_be_over: bool
) -> None:
    """That was all of it. Where it may still be valid, it begins again."""
    bench = Bench()
    old = of_noon(bench, "old")
    floor = UtcMs(old.not_after + (1 if known_to_be_over else 0))
    bench.now = Now(MonoMs(1_000_000), floor, ClockSource.FLOOR, 0)
    saved = SavedJob(replace(bench.accept(old), signers=TWO), UtcMs(makers.NOON), True)
    marks = (SavedMark(old.job_id, UtcMs(makers.NOON), mark, 1),)
    booted(bench, Restored((saved,), marks, {}, 0, 0, "e1", floor=floor))
    bench.pass_s(60)
    assert starts(bench) == (0 if known_to_be_over else 1)
    if known_to_be_over:
        assert (bench.outcomes(), bench.state.jobs) == ([outcome], {})
