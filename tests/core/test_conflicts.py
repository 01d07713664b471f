"""What of an order will not sound is told on receipt: of a job, and of a whole timetable's entries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.conflicts import INSTANTS_MAX
from edge_agent.core.order import Window
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy
from edge_agent.core.street_ahead import Open
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, UtcMs
from tests.core.bench import Bench, at_work
from tests.core.entries import CHIEU, SANG, TRUA, Entry, daily
from tests.core.long_day import Ward
from tests.trust import makers


def test_what_will_not_sound_is_told_on_receipt() -> None:
    bench = at_work()
    long = [makers.clip_item(digest="1" * 64, duration_ms=60_000)]
    bench.order(job_id="first", when=makers.rule_when(times=["13:00:00"], weekdays=[4]), items=long, loops=20)
    bench.order(job_id="second", when=makers.rule_when(times=["13:02:00", "22:00:00"], weekdays=[4, 5]))
    answer = bench.every(fx.SendAnswer)[-1]
    assert answer.verdict is fx.Verdict.ACCEPTED
    told = [(one.planned - makers.NOON, one.reason, one.zones) for one in answer.conflicts[:2]]
    assert told == [(62 * MINUTE_MS, Reason.ZONES_BUSY, ()), (10 * HOUR_MS, Reason.QUIET_HOURS, ())]


def test_a_job_that_meets_nothing_is_accepted_without_a_word() -> None:
    bench = at_work()
    bench.order(when=makers.rule_when())
    assert bench.every(fx.SendAnswer)[-1].conflicts == ()


def test_whoever_waits_is_not_looked_for_among_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two hundred jobs that was a third of what an order's arrival took."""
    bench = at_work()
    for number in range(30):
        bench.at(3_600, job_id=f"job-{number}")
    compared: list[Open] = []

    def counted(one: Open, other: object) -> bool:
        compared.append(one)
        return one is other

    monkeypatch.setattr(Open, "__eq__", counted)
    bench.at(3_600, job_id="one-more")
    assert len(bench.every(fx.SendAnswer)[-1].conflicts) > 0, "it waits for the others"
    assert len(compared) <= 31


def test_a_line_in_that_is_not_plugged_in_here_is_told_on_receipt() -> None:
    """It plays all the same, with what stands in for it: so nobody else would hear of a slip of the pen."""
    for line_ins, reasons in ((frozenset[str](), [Reason.LIVE_UNREACHABLE]), (frozenset({"line-in:mic"}), [])):
        bench = Bench(line_ins=line_ins).boot()
        mic = [makers.live_item(urls=["line-in:mic"])]
        for when in ({"kind": "now"}, {"kind": "at", "utc": makers.NOON + HOUR_MS}, makers.rule_when()):
            bench.order(job_id=f"job-{when['kind']}", when=when, items=mic)
            answer = bench.every(fx.SendAnswer)[-1]
            assert answer.verdict is fx.Verdict.ACCEPTED
            assert [one.reason for one in answer.conflicts if one.reason is Reason.LIVE_UNREACHABLE] == reasons
        bench.timetable(1, makers.entry_dict(items=mic))
        conflicts = bench.every(fx.SendAnswer)[-1].conflicts
        assert [one.reason for one in conflicts if one.reason is Reason.LIVE_UNREACHABLE] == reasons


def test_its_answer_names_the_entries_that_will_not_sound_as_the_new_timetable_has_them() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "22:00:00"), daily(TRUA))
    bench.timetable(2, daily(TRUA), daily(CHIEU, "22:30:00"))
    first, second = bench.every(fx.SendAnswer)
    assert {(one.job_id, one.reason) for one in first.conflicts} == {(SANG, Reason.QUIET_HOURS)}
    assert {(one.job_id, one.reason) for one in second.conflicts} == {(CHIEU, Reason.QUIET_HOURS)}
    assert len(second.conflicts) == INSTANTS_MAX


def minute_of_silence(begins: UtcMs) -> Any:
    return lambda heading: Window(heading, begins, UtcMs(begins + MINUTE_MS), "Phút mặc niệm", None)


def all_day_long(minute: int) -> Entry:
    """Sixteen times a day, and at none of them does it meet what has other minutes."""
    times = [f"{hour:02}:{minute:02}:00" for hour in range(5, 21)]
    return makers.entry_dict(f"phut-{minute}", when=makers.rule_when(times=times))


def test_a_full_timetable_is_not_looked_at_day_after_day() -> None:
    """An emergency that comes meanwhile would wait for it."""
    four, five_past_five = UtcMs(makers.NOON - 8 * HOUR_MS), UtcMs(makers.NOON + 5 * HOUR_MS + 5 * MINUTE_MS)
    bench = Ward(policy=LocalPolicy((Clause(),))).wake_at(four)
    silences = [five_past_five, UtcMs(five_past_five + DAY_MS)]
    for begins in silences:
        bench.rule(minute_of_silence(begins), not_after=UtcMs(begins + DAY_MS))
    silenced = daily(CHIEU, "17:05:00")
    bench.timetable(1, silenced)
    bench.timetable(2, silenced, *(all_day_long(minute) for minute in range(0, 60, 3)))
    small, full = bench.every(fx.SendAnswer)[-2:]
    assert [(one.job_id, one.planned) for one in small.conflicts] == [(CHIEU, begins) for begins in silences]
    assert [(one.job_id, one.planned) for one in full.conflicts] == [(CHIEU, silences[0])]


def test_a_timetable_that_was_signed_ahead_is_told_its_conflicts_on_receipt_and_on_its_day() -> None:
    bench = at_work()
    bench.timetable(1, daily(TRUA, "22:30:00"))
    begins = UtcMs(bench.now.utc + DAY_MS)
    bench.timetable(2, daily(SANG, "22:00:00"), not_before=begins)
    bench.pass_s(24 * 3_600 + 60)
    _, ahead, in_force = bench.every(fx.SendAnswer)
    assert {(one.job_id, one.reason) for one in ahead.conflicts} == {(SANG, Reason.QUIET_HOURS)}
    assert min(one.planned for one in ahead.conflicts) > begins
    assert ahead.conflicts == in_force.conflicts


def test_one_that_waits_for_the_welcome_foresees_nothing_that_nobody_can_know() -> None:
    bench = at_work()
    bench.state = replace(bench.state, welcomed=False)
    bench.timetable(1, daily(SANG, "22:00:00"), not_before=bench.now.utc + DAY_MS)
    assert bench.every(fx.SendAnswer)[-1].conflicts == ()
