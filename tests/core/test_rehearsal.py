"""A rehearsal takes the path of an emergency, and nobody takes it for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import ATTENTION, REHEARSAL, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId
from edge_agent.journal.record import Origin, body_of, sounded_in
from tests.core.bench import CHO, Bench, at_work
from tests.core.series import EMERGENCY, alert, repeating, sounds
from tests.trust import makers


def rehearsal(bench: Bench, seconds: float, **job: Any) -> JobId:
    when = {"kind": "at", "utc": bench.now.utc + round(seconds * 1000)}
    return bench.order(job_id="drill", rehearsal=True, when=when, event="dien-tap", **EMERGENCY, **job)


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


def test_after_a_restart_it_was_no_warning_either() -> None:
    """The log has the class that was ordered: by that it kept warnings of its series out, and used up the day's."""
    bench = at_work()
    drill = rehearsal(bench, 60, series="so-tan", version=2)
    bench.pass_s(60)
    bench.pass_s(1)
    bench.end(drill)
    record = bench.every(fx.CommitRecord)[-1].record
    restored = sounded_in(body_of(record, Origin("s", "1", "b")))
    assert restored is not None
    assert (restored,) == bench.state.past
    bench.state = replace(bench.state, past=(restored,))
    warning = bench.make(**EMERGENCY, job_id="so-tan-1", series="so-tan", version=1, event="lu-quet")
    bench.arrive(replace(bench.accept(warning), per_day=1))
    assert bench.answers()[-1] == ("accepted", None)
