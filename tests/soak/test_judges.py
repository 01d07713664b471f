"""Every judge of a life can complain: a quiet morning passes, and does not once its evidence was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.core.effects import OpenLive
from edge_agent.core.programme import Live
from edge_agent.core.units import HOUR_MS, MINUTE_MS, ClipKey, UtcMs, ZoneId
from tests.rig import Relay, Tone
from tests.soak import judges
from tests.soak.judges import JUDGES
from tests.soak.life import Life
from tests.soak.script import ALONE, ALONE_MS, EVENING_MS, Happening, Script, evening

LEFT = ZoneId("c1")
DRIVEN_FOR_LONG = [(LEFT, True, 1_000), (LEFT, False, 20_000)]


def morning() -> Life:
    """One bulletin, and nothing else."""
    setting = replace(evening(0).setting, begins_ms=0, chaos_until_ms=EVENING_MS, welcome=True, wired=True)
    order = {"serial": 1, "cls": "normal", "in_s": 5, "tone": "a", "seconds": 12.0}
    life = Life(Script("evening", setting, (Happening(1_000, "order", order),)))
    assert life.live() is None
    return life


def _nobody_ordered(life: Life) -> None:
    life.orders.clear()


def _no_agent(life: Life) -> None:
    life.world.relays.driven[:] = DRIVEN_FOR_LONG
    life.world.absences.append((2_000, 19_000))


def _agent_killed(life: Life) -> None:
    life.world.relays.driven[:] = DRIVEN_FOR_LONG
    life.world.kills.append(2_000)


def _stuck(life: Life) -> None:
    life.world.relays.contacts[LEFT] = True


def _never_closed(life: Life) -> None:
    life.world.relays.moved.clear()


def _played_twice(life: Life) -> None:
    life.world.runs.append(life.world.runs[0])


def _played_at_night(life: Life) -> None:
    life.world.mono += 24 * HOUR_MS
    run = life.world.runs[0]
    run.begins += 12 * HOUR_MS
    run.stopped = None


def _began_early(life: Life) -> None:
    life.world.runs[0].begins -= MINUTE_MS


def _was_alone_and_silent(life: Life) -> None:
    """As if it had been for these minutes, with a bulletin that recurs."""
    life.script = replace(life.script, name=ALONE, setting=replace(life.script.setting, chaos_until_ms=ALONE_MS))
    for job_id, ordered in life.orders.items():
        life.orders[job_id] = replace(ordered, order=replace(ordered.order, recurring=True))
    life.world.headend.records.clear()


def _somebody_asked_for_silence(life: Life) -> None:
    life.hushed("lock", LEFT, 24 * HOUR_MS, everybody=True)
    life.watch.obeyed_at["lock"] = 0


def _no_records(life: Life) -> None:
    life.world.headend.records.clear()


def _silence(life: Life) -> None:
    life.world.headend.records.clear()
    life.world.headend.answers.clear()


def _a_reason_of_our_own(life: Life) -> None:
    life.world.headend.records[-1]["reason"] = "weather"


def _open_for_an_hour(life: Life) -> None:
    life.world.air.order(OpenLive(ClipKey("vov1"), ()))
    life.world.run_until(life.world.mono + HOUR_MS)


def _relayed_for_an_hour(life: Life) -> None:
    run = life.world.runs[0]
    run.play = replace(run.play, parts=(Live(ClipKey("vov1"), HOUR_MS),))
    ordered = life.orders[run.job_id]
    relayed = replace(ordered.order, relay=Relay("vov1", 12.0, Tone("e", 5.0)))
    life.orders[run.job_id] = replace(ordered, order=relayed)


def _another_record_of_it(life: Life) -> None:
    """As if its source had been heard for a second that nobody gave."""
    _relayed_for_an_hour(life)
    life.world.headend.records[-1]["relayed"] = {"live_ms": 1_000, "stand_in_ms": 0, "silent_ms": 0}


def _told_too_much(life: Life) -> None:
    life.world.headend.records[-1]["zones"][0]["played_ms"] += 1


def _station_gone(life: Life) -> None:
    life.world.agent = None


TAMPERED: dict[str, Callable[[Life], None]] = {
    "only_honest_orders_sound": _nobody_ordered,
    "relays_need_a_lease": _no_agent,
    "relays_open_when_the_agent_dies": _agent_killed,
    "relays_are_open_in_the_end": _stuck,
    "nobody_hears_a_cold_amplifier": _never_closed,
    "one_programme_at_a_time_in_a_zone": _played_twice,
    "quiet_hours_are_quiet": _played_at_night,
    "nothing_sounds_early": _began_early,
    "who_is_alone_plays_on": _was_alone_and_silent,
    "who_asks_for_silence_gets_it": _somebody_asked_for_silence,
    "nothing_sounds_twice": _played_twice,
    "one_outcome_and_one_record_each": _no_records,
    "no_order_vanishes": _silence,
    "every_silence_has_a_name": _a_reason_of_our_own,
    "a_source_is_asked_for_to_be_heard": _open_for_an_hour,
    "what_is_relayed_is_over_in_time": _relayed_for_an_hour,
    "records_tell_what_was_heard": _told_too_much,
    "records_tell_what_was_relayed": _another_record_of_it,
    "the_log_is_whole": _no_records,
    "nothing_hangs_in_the_end": _station_gone,
}


def test_each_judge_has_its_tampering() -> None:
    assert list(TAMPERED) == [judge.__name__ for judge in JUDGES]


@pytest.mark.parametrize("name", TAMPERED)
def test_a_judge_passes_a_quiet_morning_and_complains_of_a_tampered_one(name: str) -> None:
    judge, life = getattr(judges, name), morning()
    assert list(judge(life)) == []
    TAMPERED[name](life)
    assert list(judge(life)) != []


@pytest.mark.parametrize(("liar", "complains"), [("", True), ("ntp", False), ("chip", False)])
def test_a_clock_that_is_off_is_excused_only_where_somebody_could_have_lied_to_it(liar: str, complains: bool) -> None:
    life = morning()
    for play_id, told in life.watch.beliefs.items():
        late = [replace(belief, utc=UtcMs(belief.utc + HOUR_MS), signed=False) for belief in told]
        life.watch.beliefs[play_id] = late
    for source in ("ntp", "chip"):
        setattr(life.world.machine, source, source == liar)
    assert bool(list(judges.quiet_hours_are_quiet(life))) is complains


def test_of_two_runs_of_one_name_each_is_held_to_what_was_believed_when_it_began() -> None:
    """Where no disk keeps an intent the next process counts anew: what a crash cut off was said to end much later."""
    life = morning()
    run = life.world.runs[0]
    told = life.watch.beliefs[run.play.play_id]
    before = life.watch.believed(run)
    assert before is not None
    told.append(replace(before, utc=UtcMs(before.utc + HOUR_MS), true_utc=UtcMs(before.true_utc + HOUR_MS)))
    assert life.watch.believed(run) == before


def test_a_station_that_wakes_at_every_millisecond_is_found_out() -> None:
    life = morning()
    life.world.after(1, lambda: _again(life))
    with pytest.raises(AssertionError, match="a processor never rests"):
        life.world.run_until(life.world.mono + MINUTE_MS)


def _again(life: Life) -> None:
    life.world.after(1, lambda: _again(life))
