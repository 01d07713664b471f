"""An order is acknowledged when the card has it; what the card refuses is refused by name, and a warning sounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    DeviceDown,
    JobSaved,
    JournalFailed,
    Mark,
)
from edge_agent.core.order import Cancel, Pause, Resume
from edge_agent.core.units import SECOND_MS, JobId
from edge_agent.core.waiting import SAVE_WAIT_MS
from tests.core.bench import Bench


def answers_to(bench: Bench, order_id: JobId) -> list[tuple[str, str | None]]:
    """(verdict, reason) of every answer to this very order so far."""
    ours = [one for one in bench.every(fx.SendAnswer) if one.digest == f"digest of {order_id}"]
    return [(one.verdict.value, one.reason.value if one.reason else None) for one in ours]


def test_an_order_is_acknowledged_only_after_it_is_saved() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    bench.at(60)
    assert bench.every(fx.Ack) == []
    bench.send(JobSaved(JobId("job-1")))
    assert len(bench.every(fx.Ack)) == 1
    assert bench.answers() == [("accepted", None)]


def test_every_delivery_of_an_order_that_is_being_saved_is_acknowledged_after_the_save() -> None:
    """Two topics bring the same order; an unacknowledged one would hold one of ten places for good."""
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(job))
    bench.arrive(bench.accept(job))
    assert bench.every(fx.Ack) == []
    bench.send(JobSaved(job.job_id))
    assert [ack.token.mid for ack in bench.every(fx.Ack)] == [2, 3]
    assert len(bench.every(fx.SaveJob)) == 1


def test_a_disk_that_refuses_an_order_refuses_it_by_name_and_takes_it_later() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(job))
    bench.send(JournalFailed("save job", job.job_id, "disk full"))
    assert bench.answers() == [("refused", "not_saved")]
    assert len(bench.every(fx.Ack)) == 1, "its place is free for an emergency"
    bench.deaf.clear()
    bench.arrive(bench.accept(job))
    assert bench.answers()[1:] == [("accepted", None)]


def test_a_disk_that_refuses_an_emergency_does_not_silence_it() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**{"class": "emergency"})
    bench.send(JournalFailed("save job", flood, "disk full"))
    assert bench.phase(flood).value == "playing"
    assert bench.answers() == [], "what no power cut would survive is not called accepted"


def test_an_emergency_that_the_disk_refused_leaves_no_marks_to_haunt_it_when_it_is_sent_again() -> None:
    """A boot later the same order, saved at last, had two occurrences: its own and the marks' one."""
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**{"class": "emergency"})
    bench.send(JournalFailed("save job", flood, "disk full"))
    bench.pass_s(1)
    assert bench.play(flood).started is not None
    assert bench.every(fx.SaveMark) == []


def test_an_emergency_that_the_disk_takes_while_it_sounds_has_its_mark_then() -> None:
    """Else a power cut leaves no trace of what was heard, and it begins anew as often as if it never had."""
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**{"class": "emergency"})
    bench.pass_s(SAVE_WAIT_MS / SECOND_MS)
    bench.pass_s(1)
    play = bench.play(flood)
    assert play.started is not None
    bench.send(JobSaved(flood))
    assert bench.every(fx.SaveMark) == [fx.SaveMark(flood, play.planned, Mark.FIRST_SAMPLE, 1)]


def test_an_emergency_that_the_disk_takes_before_it_sounds_is_not_marked_as_heard() -> None:
    """Behind power cuts in its warm-up it would be given up without ever having been heard."""
    bench = Bench().boot()
    bench.deaf.update((fx.SaveJob, fx.SwitchRelay))
    flood = bench.order(**{"class": "emergency"})
    bench.pass_s(SAVE_WAIT_MS / SECOND_MS)
    assert bench.closed() != set()
    bench.send(JobSaved(flood))
    assert bench.every(fx.SaveMark) == []


def test_nor_is_one_forgotten_that_was_heard_and_waits_for_the_device_when_the_disk_takes_it() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**{"class": "emergency"})
    bench.pass_s(SAVE_WAIT_MS / SECOND_MS)
    bench.pass_s(1)
    bench.send(DeviceDown("gone"))
    assert bench.play(flood).started is None
    bench.send(JobSaved(flood))
    assert [mark.mark for mark in bench.every(fx.SaveMark)] == [Mark.FIRST_SAMPLE]


def test_an_emergency_that_the_disk_refused_is_saved_when_it_is_sent_again() -> None:
    """Called known, the centre would stop sending it, and the next power cut would end it."""
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.accept(bench.make(**{"class": "emergency"}))
    bench.arrive(flood)
    bench.send(JournalFailed("save job", flood.job.job_id, "disk full"))
    planned = bench.play(flood.job.job_id).planned
    bench.deaf.clear()
    bench.pass_s(1)
    bench.arrive(flood)
    first, second = bench.every(fx.SaveJob)
    assert first.saved == second.saved, "the same occurrence"
    assert bench.answers() == [("accepted", None)]
    assert bench.play(flood.job.job_id).planned == planned


def cancelled(bench: Bench) -> JobId:
    job = bench.at(60)
    bench.rule(Cancel(job, bench.now.utc))
    return job


def resumed(bench: Bench) -> JobId:
    pause = bench.rule(Pause(60_000))
    bench.rule(Resume())
    return pause


def heard_unsaved(bench: Bench) -> JobId:
    flood = bench.order(**{"class": "emergency"})
    bench.pass_s(SAVE_WAIT_MS / SECOND_MS)
    bench.pass_s(3_600)
    return flood


ENDED = pytest.mark.parametrize("ended", [cancelled, resumed, heard_unsaved])


@ENDED
def test_an_order_that_ended_while_the_disk_took_it_is_answered_all_the_same(ended: Callable[[Bench], JobId]) -> None:
    """Its server had a record of it and no answer, and would have published it until somebody looked."""
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    order = ended(bench)
    assert order in [one for one, _, _ in bench.outcomes()]
    assert answers_to(bench, order) == []
    bench.send(JobSaved(order))
    assert answers_to(bench, order) == [("accepted", None)]
    bench.send(JobSaved(order))
    assert len(answers_to(bench, order)) == 1


@ENDED
def test_one_that_ended_before_the_disk_refused_it_is_refused(ended: Callable[[Bench], JobId]) -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    order = ended(bench)
    bench.send(JournalFailed("save job", order, "disk full"))
    assert answers_to(bench, order) == [("refused", "not_saved")]


def test_what_has_the_id_of_an_order_that_the_disk_takes_gives_no_answer_to_that_one() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    job = bench.at(60)
    bench.arrive(bench.accept(bench.make(job_id=job), digest="another order"))
    assert bench.answers() == [("refused", "id_reused")]
    bench.rule(Cancel(job, bench.now.utc))
    bench.send(JobSaved(job))
    assert answers_to(bench, job) == [("accepted", None)]


def test_an_order_refused_by_the_welcome_before_it_was_saved_is_acknowledged() -> None:
    """It would have held one of ten places until the connection ended."""
    bench = Bench().boot(welcomed=False)
    bench.deaf.add(fx.SaveJob)
    bench.order(job_id="old", not_after=bench.now.utc + 1_000)
    bench.pass_s(2)
    bench.welcome()
    bench.said.clear()
    bench.send(JobSaved(JobId("old")))
    assert [type(one) for one in bench.said] == [fx.Ack]


def test_a_disk_that_takes_back_what_it_saved_is_not_believed() -> None:
    bench = Bench().boot()
    job = bench.at(60)
    bench.send(JournalFailed("save job", job, "late"))
    assert bench.phase(job).value == "staged"
    assert bench.answers() == [("accepted", None)]


@pytest.mark.parametrize("job_id", [None, JobId("unknown")])
def test_a_journal_failure_about_nothing_we_hold_is_only_said(job_id: JobId | None) -> None:
    bench = Bench().boot()
    said = bench.send(JournalFailed("record", job_id, "disk full"))
    assert [type(one) for one in said] == [fx.Note]


def test_a_save_of_a_job_that_is_gone_is_ignored() -> None:
    bench = Bench().boot()
    assert bench.send(JobSaved(JobId("unknown"))) == []
