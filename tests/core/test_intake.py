"""What becomes of an order on arrival: refused by name and once, or known, or taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    JobSaved,
    Rejected,
    Restored,
    SavedJob,
    SweepDue,
    TrustChanged,
)
from edge_agent.core.heads import Head
from edge_agent.core.intake import JOBS_MAX, OVER_AT_ONCE, REFUSALS_A_DAY, REFUSED_KEPT
from edge_agent.core.job import OVER_MAX, JobClass, Seen
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Lock, SelfTest
from edge_agent.core.past import Sounded
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, UtcMs
from tests.core.bench import CHO, Bench
from tests.core.entries import SANG, jobs, once
from tests.trust import makers


def test_a_replay_is_known_and_has_no_effect() -> None:
    bench = Bench().boot()
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(job))
    bench.arrive(bench.accept(job))
    assert bench.answers() == [("accepted", None), ("known", "replayed")]
    assert bench.outcomes() == []


def test_an_id_used_for_another_content_is_refused_and_the_first_job_lives() -> None:
    bench = Bench().boot()
    first = bench.at(60)
    other = bench.make(volume=50)
    bench.arrive(bench.accept(other, "another digest"))
    assert bench.answers()[-1] == ("refused", "id_reused")
    (commit,) = bench.every(fx.CommitRecord)
    assert not commit.job_over
    assert bench.play(first)


def test_an_expired_order_is_refused_with_a_record() -> None:
    bench = Bench().boot()
    bench.order(not_before=bench.now.utc - 900_000, not_after=bench.now.utc - 300_000)
    assert bench.outcomes() == [("job-1", "expired", "expired")]
    assert bench.answers() == [("refused", "expired")]


@pytest.mark.parametrize(("over_ms", "answer"), [(0, ("accepted", None)), (1, ("refused", "expired"))])
def test_an_order_is_good_up_to_the_last_moment_that_was_signed_and_no_longer(
    over_ms: int, answer: tuple[str, str | None]
) -> None:
    bench = Bench().boot()
    ends = UtcMs(bench.now.utc - over_ms)
    bench.order(not_before=ends - HOUR_MS, not_after=ends, **{"class": "emergency", "event": "flood"})
    assert bench.answers()[-1] == answer


def test_a_correctly_signed_order_for_a_quarter_past_three_is_refused() -> None:
    bench = Bench().boot()
    bench.at(15.25 * 3600)
    assert bench.outcomes() == [("job-1", "rejected", "quiet_hours")]
    assert bench.state.jobs == {}


def test_a_rule_that_could_only_sound_at_night_is_refused_on_arrival() -> None:
    bench = Bench().boot()
    bench.order(when=makers.rule_when(times=["03:15:00", "23:00:00"]))
    assert bench.answers() == [("refused", "quiet_hours")]


def test_a_rule_with_one_allowed_time_is_accepted() -> None:
    bench = Bench().boot()
    bench.order(when=makers.rule_when(times=["03:15:00", "17:00:00"]))
    assert bench.answers() == [("accepted", None)]


def test_a_rule_that_is_over_has_nothing_left() -> None:
    bench = Bench().boot()
    bench.order(when=makers.rule_when(first_day="2026-09-01", last_day="2026-09-30"))
    assert bench.answers() == [("refused", "nothing_left")]


def test_an_instant_outside_the_validity_has_nothing_left() -> None:
    bench = Bench().boot()
    bench.at(3600, not_after=bench.now.utc + 600_000)
    assert bench.answers() == [("refused", "nothing_left")]


def test_a_full_station_takes_no_more_jobs_but_emergencies() -> None:
    bench = Bench()
    later = {"kind": "at", "utc": bench.now.utc + HOUR_MS}
    waiting = [bench.make(job_id=f"n-{number}", when=later) for number in range(JOBS_MAX)]
    kept = tuple(SavedJob(bench.accept(job), bench.now.utc, held=False) for job in waiting[1:])
    bench.send(Restored(kept, (), {}, 0, 0, "e1"))
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    bench.arrive(bench.accept(waiting[0]))
    assert bench.answers()[-1] == ("accepted", None)
    bench.at(7200, job_id="one-too-many")
    assert bench.answers()[-1] == ("refused", "too_many_jobs")
    bench.order(**{"class": "emergency"}, job_id="flood")
    assert bench.answers()[-1] == ("accepted", None)


def test_strangers_bytes_are_counted_and_acknowledged_but_never_journalled() -> None:
    bench = Bench().boot()
    bench.arrive(Rejected(Reason.SIGNATURE_INVALID, digest="d1"))
    assert bench.state.unauthenticated == 1
    assert bench.outcomes() == []
    assert len(bench.every(fx.Ack)) == 1
    assert bench.answers() == [("refused", "signature_invalid")]


def test_an_authentic_order_for_another_ward_is_recorded_once_however_often_it_comes() -> None:
    bench = Bench().boot()
    for _ in range(3):
        bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest="d1", job_id="theirs", issuer="tay-thanh"))
    assert bench.outcomes() == [("theirs", "rejected", "wrong_audience")]
    assert bench.answers() == [("refused", "wrong_audience")] * 3


def test_a_refusal_that_is_on_record_is_not_recorded_again_after_a_crash() -> None:
    """The process died between the record's commit and the acknowledgement, so the broker delivers once more."""
    bench = Bench()
    bench.send(Restored((), (), {}, 1, 0, "e1", refused=("on record",)))
    bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest="on record"))
    assert (bench.every(fx.CommitRecord), len(bench.every(fx.Ack))) == ([], 1)
    assert bench.answers() == [("refused", "wrong_audience")]


def test_the_memory_of_refused_orders_is_bounded_and_keeps_the_newest() -> None:
    bench = Bench()
    on_record = tuple(f"d{number}" for number in range(REFUSED_KEPT))
    bench.send(Restored((), (), {}, 1, 0, "e1", refused=on_record))
    bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest="new"))
    assert bench.state.refused == (*on_record[1:], "new")


def test_of_each_reason_so_many_refusals_a_day_are_recorded_and_all_are_answered() -> None:
    """A broker has more old orders, and answers to other stations, than anybody remembers: each was a write."""
    bench = Bench().boot()
    for number in range(REFUSALS_A_DAY + 5):
        bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest=f"d{number}"))
    assert len(bench.outcomes()) == REFUSALS_A_DAY
    assert bench.answers() == [("refused", "wrong_audience")] * (REFUSALS_A_DAY + 5)
    assert [note.level for note in bench.every(fx.Note) if "no more of it" in note.what] == [fx.Level.ERROR]
    bench.arrive(Rejected(Reason.WRONG_REALM, digest="of another reason"))
    assert len(bench.outcomes()) == REFUSALS_A_DAY + 1
    bench.pass_s(DAY_MS / 1000)
    bench.arrive(Rejected(Reason.WRONG_AUDIENCE, digest="tomorrow"))
    assert len(bench.outcomes()) == REFUSALS_A_DAY + 2


def test_what_nobody_heard_is_none_of_the_warnings_that_a_key_has_had_in_a_day() -> None:
    """An all-clear where no warning was is refused, and remembered for its series; after a restart with its signers."""
    bench = Bench().boot()
    warning = replace(bench.accept(bench.make(**{"class": "emergency"}, job_id="flood")), per_day=1)
    was = Sounded(JobId("clear"), JobClass.EMERGENCY, bench.now.utc, bench.now.utc, frozenset(), series="lu", version=2)
    for zones, answer in ((frozenset(), ("accepted", None)), (frozenset({CHO}), ("refused", "too_many_emergencies"))):
        again = Bench()
        past = (replace(was, issuer=makers.ISSUER, signers=warning.signers, zones=zones),)
        again.send(Restored((), (), {}, 0, 0, "e1", past=past))
        again.arrive(warning)
        assert again.answers()[-1] == answer


@pytest.mark.parametrize(
    ("ago_ms", "answer"), [(DAY_MS - 1, ("refused", "too_many_emergencies")), (DAY_MS, ("accepted", None))]
)
def test_a_key_has_no_more_warnings_than_its_role_allows_in_any_24_hours(
    ago_ms: int, answer: tuple[str, str | None]
) -> None:
    bench = Bench()
    warning = replace(bench.accept(bench.make(**{"class": "emergency"})), per_day=1)
    ended = UtcMs(bench.now.utc - ago_ms)
    was = Sounded(JobId("flood"), JobClass.EMERGENCY, ended, ended, frozenset({CHO}), signers=warning.signers)
    bench.send(Restored((), (), {}, 0, 0, "e1", past=(was,)))
    bench.arrive(warning)
    assert bench.answers()[-1] == answer


def test_a_key_that_signs_without_end_fills_no_memory_and_what_may_come_again_for_longest_stays_known() -> None:
    """The thief of one key must not leave a station that dies at each start, long after the key was revoked."""
    bench = Bench().boot()
    kept, now = bench.at(3_600, job_id="kept"), bench.now.utc
    ended = {JobId(f"ended-{number}"): Seen(f"e{number}", UtcMs(now - number)) for number in range(OVER_AT_ONCE)}
    valid = {JobId(f"valid-{number}"): Seen(f"v{number}", UtcMs(now + DAY_MS)) for number in range(OVER_MAX)}
    bench.state = replace(bench.state, seen={**ended, **valid, **bench.state.seen})
    bench.at(3_600, job_id="one-more")
    assert bench.state.seen.keys() == {*valid, kept, "one-more"}
    assert len(bench.every(fx.Sweep)) == 1, "the journal follows"


def test_whoever_may_sign_bulletins_alone_has_no_warning_heard_again() -> None:
    """It ends sooner than any of what he signs, and would be the first to be forgotten."""
    bench = Bench().boot()
    warning = bench.accept(bench.make(**{"class": "emergency", "not_after": bench.now.utc + 6 * HOUR_MS}))
    bench.arrive(warning)
    bench.pass_s(1)
    bench.end(warning.order_id)
    until = UtcMs(bench.now.utc + 90 * DAY_MS)
    heap = {JobId(f"tin-{number}"): Seen(f"e{number}", until) for number in range(OVER_MAX + OVER_AT_ONCE)}
    bench.state = replace(bench.state, seen={**bench.state.seen, **heap})
    bench.order(job_id="one-more")
    bench.arrive(warning)
    assert bench.answers()[-1] == ("known", "replayed")


def test_an_order_for_now_that_is_not_valid_yet_is_refused() -> None:
    """Or a validity in the future would be a way round the ten minutes that such an order may live."""
    bench = Bench().boot()
    bench.order(not_before=bench.now.utc + 3_600_000, not_after=bench.now.utc + 4_000_000)
    assert bench.answers() == [("refused", "not_yet_valid")]


def test_a_centre_whose_clock_is_a_little_ahead_is_understood() -> None:
    bench = Bench().boot()
    bench.order(not_before=bench.now.utc + 60_000, not_after=bench.now.utc + 600_000)
    assert bench.answers() == [("accepted", None)]


def test_a_refused_order_that_comes_again_is_recorded_once() -> None:
    bench = Bench().boot()
    expired = bench.make(not_before=bench.now.utc - 900_000, not_after=bench.now.utc - 300_000)
    bench.arrive(bench.accept(expired))
    bench.arrive(bench.accept(expired))
    assert len(bench.outcomes()) == 1
    assert bench.answers() == [("refused", "expired")] * 2


def test_a_head_that_a_broker_brings_is_acknowledged_and_nothing_else() -> None:
    """Heads are asked for by HTTPS; one that was kept back, and is brought now, withdraws nothing."""
    bench = Bench().boot()
    bench.order(job_id="news", when={"kind": "at", "utc": bench.now.utc + HOUR_MS})
    bench.said.clear()
    bench.arrive(Head(makers.AREA, 9, 9, bench.now.utc, "ab" * 32, 100))  # type: ignore[arg-type]
    assert [type(one) for one in bench.said] == [fx.Ack]


@pytest.mark.parametrize("source", [ClockSource.UNSET, ClockSource.FLOOR, ClockSource.DISPUTED])
def test_a_clock_that_nobody_trusts_lets_no_id_be_forgotten(source: ClockSource) -> None:
    """Or whoever spoils the clock for a day could replay what has sounded, as soon as the time is right again."""
    bench = Bench().boot()
    job = bench.order()
    bench.pass_s(1)
    bench.end(job)
    right = bench.now
    bench.now = replace(right, utc=UtcMs(right.utc + 400 * DAY_MS), source=source)
    bench.send(SweepDue())
    bench.now = right
    assert job in bench.state.seen


def test_a_welcome_that_tells_a_time_far_ahead_lets_no_id_be_forgotten_that_no_document_has_outlived() -> None:
    """Or whoever has its key could have replayed what has sounded, as soon as he tells the right time again."""
    bench = Bench().boot()
    signed = UtcMs(bench.now.utc - DAY_MS)
    bench.send(TrustChanged(TrustStanding((TrustHead("", 0, 1, UtcMs(2**42), issued_at=signed),)), frozenset()))
    job = bench.order()
    bench.pass_s(1)
    bench.end(job)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + 400 * DAY_MS))
    bench.send(SweepDue())
    assert job in bench.state.seen


def test_an_id_is_remembered_for_a_month_after_its_order_can_no_longer_come_and_no_longer() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.pass_s(1)
    bench.end(job)
    bench.order(job_id="recurs", when=makers.rule_when())
    bench.pass_s(29 * 24 * 3_600)
    bench.send(SweepDue())
    assert job in bench.state.seen
    bench.pass_s(2 * 24 * 3_600)
    bench.send(SweepDue())
    assert set(bench.state.seen) == {"recurs"}


def warns(bench: Bench, job_id: str, digest: str = "a warning") -> None:
    """Another message with that id arrives, an emergency."""
    bench.arrive(bench.accept(bench.make(**{"class": "emergency"}, job_id=job_id), digest))


@pytest.mark.parametrize("over", [False, True], ids=["that waits", "that is over"])
def test_an_order_with_the_id_of_a_warning_keeps_no_warning_out(over: bool) -> None:
    """Its id was read on the way, or guessed: one message of a key for bulletins would have kept it out for a month."""
    bench = Bench().boot()
    at = bench.now.utc + (20_000 if over else HOUR_MS)
    squat = bench.accept(bench.make(job_id="lu-1", when={"kind": "at", "utc": at}))
    bench.arrive(squat)
    if over:
        bench.pass_s(25)
        bench.end(JobId("lu-1"))
    warns(bench, "lu-1")
    bench.arrive(squat)
    bench.pass_s(3)
    assert bench.answers()[-2:] == [("accepted", None), ("refused", "id_reused")]
    assert bench.phase(JobId("lu-1")) is Phase.PLAYING
    assert bench.outcomes()[0] == ("lu-1", "succeeded" if over else "cancelled", None if over else "id_reused")


def test_what_sounds_is_not_taken_for_the_warning_that_has_its_id() -> None:
    bench = Bench().boot()
    bench.order(job_id="lu-1")
    bench.pass_s(3)
    assert bench.phase(JobId("lu-1")) is Phase.PLAYING
    warns(bench, "lu-1")
    assert bench.answers()[-1] == ("refused", "id_reused")


@pytest.mark.parametrize("over", [False, True], ids=["that sounds", "that is over"])
def test_a_warning_keeps_its_id_from_another_warning_and_a_rule_keeps_its_own(over: bool) -> None:
    bench = Bench().boot()
    warns(bench, "lu-1")
    if over:
        bench.pass_s(3)
        bench.end(JobId("lu-1"))
    warns(bench, "lu-1", "another warning")
    assert bench.answers()[-2:] == [("accepted", None), ("refused", "id_reused")]
    warns(bench, bench.rule(Lock(HOUR_MS)))
    assert bench.answers()[-2:] == [("accepted", None), ("refused", "id_reused")]


def test_a_warning_waits_for_its_id_while_a_self_test_has_it_whose_record_would_end_it() -> None:
    """Behind a power cut it would have been over, without a record of its own."""
    bench = Bench().boot()
    test = bench.rule(SelfTest())
    warns(bench, test)
    for _ in range(3):
        bench.pass_s(1)
    warns(bench, test)
    assert bench.answers() == [("accepted", None), ("refused", "id_reused"), ("accepted", None)]
    assert (test, "succeeded", None) in bench.outcomes()


def test_a_warning_waits_for_its_id_while_the_disk_takes_what_had_it() -> None:
    """The disk's answer would be taken for its own, and it would be acknowledged before it is saved."""
    bench = Bench().boot()
    bench.deaf = {fx.SaveJob}
    squat = bench.at(60, job_id="lu-1")
    bench.order(job_id="right", corrects=squat)
    warns(bench, squat)
    assert bench.answers() == [("refused", "not_heard_here"), ("refused", "id_reused")]
    bench.send(JobSaved(squat))
    assert bench.answers()[2:] == [("accepted", None)], "of what had the id"
    warns(bench, squat)
    assert len(bench.answers()) == 3, "the second one is with the disk"
    bench.send(JobSaved(squat))
    assert bench.answers()[3:] == [("accepted", None)]


def test_a_warning_waits_for_no_id_that_another_ones_self_test_has() -> None:
    bench = Bench().boot()
    squat = bench.at(3_600)
    bench.rule(SelfTest())
    assert bench.state.testing is not None
    warns(bench, squat)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_warning_waits_for_its_id_while_the_disk_takes_the_timetable_that_lists_it() -> None:
    """An entry that was over and is listed again has no answer of its own to come, and is not planned before that."""
    bench = Bench().boot()
    bench.timetable(1, once(bench, SANG, 5))
    bench.pass_s(6)
    bench.end(SANG)
    assert jobs(bench) == set()
    bench.deaf = {fx.SaveJob}
    again = bench.timetable(2, once(bench, SANG, 3_600))
    warns(bench, SANG)
    assert bench.answers()[-1] == ("refused", "id_reused")
    bench.send(JobSaved(again))
    warns(bench, SANG)
    bench.send(JobSaved(SANG))
    assert bench.answers()[-1] == ("accepted", None)
