"""An order is acknowledged when the card has it; what the card refuses is refused by name, and a warning sounds."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    JobSaved,
    JournalFailed,
    Mark,
)
from edge_agent.core.units import SECOND_MS, JobId
from edge_agent.core.waiting import SAVE_WAIT_MS
from tests.core.bench import Bench


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
