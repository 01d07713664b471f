"""What an ear at a horn says of a broadcast: in its record, in the zone's state, and never a reason to stop it (S5)."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.as_run import Evidence, ZoneAsRun
from edge_agent.core.events import ZoneHeard
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Heard
from edge_agent.core.units import JobId
from tests.core.bench import CHO, DINH, Bench, audience

LOUD, STREET = -12, -58


def zones_of(bench: Bench, job: JobId) -> dict[str, ZoneAsRun]:
    (record,) = [commit.record for commit in bench.every(fx.CommitRecord) if commit.record.job_id == job]
    return {zone.zone: zone for zone in record.zones}


def test_what_was_heard_at_the_horn_is_the_highest_evidence() -> None:
    bench = Bench().boot()
    job = bench.playing()
    bench.send(ZoneHeard(CHO, True, LOUD))
    bench.end(job)
    cho, dinh = zones_of(bench, job).values()
    assert (cho.evidence, cho.reason, cho.level_db) == (Evidence.HEARD, None, LOUD)
    assert (dinh.evidence, dinh.reason, dinh.level_db) == (Evidence.SAMPLES_OUT, None, None), "it has no ear"
    assert bench.every(fx.CommitRecord)[-1].record.evidence is Evidence.HEARD


def test_what_was_played_and_not_heard_says_so_in_its_zone_and_has_succeeded_all_the_same() -> None:
    """The others heard it, and what was ordered was done: only nobody may claim that this zone heard it."""
    bench = Bench().boot()
    job = bench.playing()
    bench.send(ZoneHeard(CHO, False, STREET))
    bench.send(ZoneHeard(DINH, True, LOUD))
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]
    cho, dinh = zones_of(bench, job).values()
    assert (cho.evidence, cho.reason, cho.level_db) == (Evidence.SAMPLES_OUT, Reason.NOT_HEARD, STREET)
    assert (dinh.evidence, dinh.reason) == (Evidence.HEARD, None)


def test_a_broadcast_that_is_not_heard_is_neither_stopped_nor_rerouted_nor_begun_again() -> None:
    bench = Bench().boot()
    job = bench.playing(**{"class": "emergency"})
    bench.said.clear()
    effects = [effect for _ in range(5) for effect in bench.send(ZoneHeard(CHO, False, STREET))]
    assert {type(effect) for effect in effects} <= {fx.Note, fx.SendState}
    assert bench.phase(job) is Phase.PLAYING
    assert bench.closed() == {CHO, DINH}


def test_the_newest_word_holds() -> None:
    """A cable that breaks in the middle of a bulletin: it was heard, and is not any more."""
    for words, evidence, reason in (
        ((True, False), Evidence.SAMPLES_OUT, Reason.NOT_HEARD),
        ((False, True), Evidence.HEARD, None),
    ):
        bench = Bench().boot()
        job = bench.playing()
        for heard in words:
            bench.send(ZoneHeard(CHO, heard, LOUD))
        bench.end(job)
        cho = zones_of(bench, job)[CHO]
        assert (cho.evidence, cho.reason) == (evidence, reason)


def test_each_broadcast_has_its_own_word() -> None:
    bench = Bench().boot()
    first = bench.playing(job_id="first", audience=audience(CHO))
    bench.send(ZoneHeard(CHO, False, STREET))
    bench.end(first)
    second = bench.playing(job_id="second", audience=audience(CHO))
    bench.end(second)
    assert zones_of(bench, first)[CHO].reason is Reason.NOT_HEARD
    assert (zones_of(bench, second)[CHO].reason, zones_of(bench, second)[CHO].level_db) == (None, None)


def test_a_word_counts_for_what_sounds_in_that_zone_and_for_nothing_else() -> None:
    """An emergency has taken the zone: what the ear hears there is the emergency's."""
    bench = Bench().boot()
    bulletin = bench.playing(job_id="bulletin")
    flood = bench.playing(job_id="flood", audience=audience(CHO), **{"class": "emergency"})
    bench.send(ZoneHeard(CHO, True, LOUD))
    bench.end(flood, ms=3_000)
    bench.end(bulletin)
    assert zones_of(bench, flood)[CHO].evidence is Evidence.HEARD
    assert zones_of(bench, bulletin)[CHO].level_db is None


def test_what_ended_early_keeps_its_own_reason() -> None:
    bench = Bench().boot()
    job = bench.playing()
    bench.send(ZoneHeard(CHO, False, STREET))
    bench.end(job, Reason.DEVICE_FAILED, ms=4_000)
    assert zones_of(bench, job)[CHO].reason is Reason.DEVICE_FAILED


def test_an_ear_that_speaks_where_nothing_sounds_changes_no_record() -> None:
    bench = Bench().boot()
    bench.send(ZoneHeard(CHO, False, STREET))
    job = bench.playing()
    bench.end(job)
    assert zones_of(bench, job)[CHO].reason is None


def test_the_office_is_told_at_once_and_the_alarm_stays_until_it_is_heard_again() -> None:
    bench = Bench().boot()
    job = bench.playing()
    bench.pass_s(2)
    bench.said.clear()
    for heard in (True, False):
        bench.pass_s(2)
        bench.said.clear()
        bench.send(ZoneHeard(CHO, heard, STREET))
        assert bench.every(fx.SendState) == [fx.SendState()], heard
    bench.end(job)
    bench.pass_s(3_600)
    assert dict(bench.state.heard) == {CHO: Heard(False, STREET)}
    again = bench.playing(job_id="again")
    bench.send(ZoneHeard(CHO, True, LOUD))
    bench.end(again)
    assert dict(bench.state.heard) == {CHO: Heard(True, LOUD)}


def test_the_log_says_it_once_and_says_when_it_is_heard_again() -> None:
    bench = Bench().boot()
    bench.playing()
    for heard in (False, False, True, True):
        bench.send(ZoneHeard(CHO, heard, LOUD))
    notes = [(note.level, note.what) for note in bench.every(fx.Note) if "at the horn" in note.what]
    assert notes == [(fx.Level.ERROR, "not heard at the horn"), (fx.Level.INFO, "heard at the horn")]
