"""What regulations, exceptions and silences do to what sounds and what is to come, and how each ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    Loosening,
    Window,
)
from edge_agent.core.plays import ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, IntoQuiet
from edge_agent.core.units import HOUR_MS, MINUTE_MS, MonoMs, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work
from tests.core.papers import LATER, regulation, silence, zone_reasons
from tests.trust import makers


def test_a_silence_that_begins_ends_what_sounds_there() -> None:
    bench = at_work()
    bench.rule(silence(5, 3600), zones=[CHO], not_after=LATER)
    job = bench.playing(items=[makers.clip_item(duration_ms=CLIP_MS)])  # it touches the silence: not there at all
    assert bench.play(job).zones_in(ZonePart.OUT) == (CHO,)
    bench.end(job)
    assert zone_reasons(bench) == {CHO: "zone_silenced", DINH: None}


def test_a_silence_that_comes_while_it_sounds_takes_its_zone_when_it_begins() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(silence(5, 3600), zones=[CHO], not_after=LATER)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (CHO, DINH)
    assert bench.wakes_in_ms() <= 4_000
    bench.pass_s(4)
    assert bench.play(job).zones_in(ZonePart.HEARING) == (DINH,)


def test_an_emergency_passes_a_silence() -> None:
    bench = at_work()
    bench.rule(silence(0, 3600), not_after=LATER)
    warning = bench.playing(**{"class": "emergency"})
    assert bench.play(warning).zones_in(ZonePart.HEARING) == (CHO, DINH)


def test_a_window_is_on_record_when_it_begins_to_hold_and_when_it_is_over() -> None:
    bench = at_work()
    order = bench.rule(silence(0, 60), zones=[CHO], not_after=LATER)
    bench.pass_s(60)
    told = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert [(one.kind, one.job_id, one.outcome, one.reason) for one in told] == [
        ("rule", order, Phase.SUCCEEDED, None),
        ("rule", order, Phase.EXPIRED, Reason.EXPIRED),
    ]
    assert told[0].detail.startswith(f"silence zones={CHO} begins={makers.NOON} ")
    assert [effect.job_over for effect in bench.every(fx.CommitRecord)] == [False, True]


def test_an_exception_lets_a_job_sound_at_night_and_the_record_names_it() -> None:
    bench = at_work()
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 11 * HOUR_MS)
    loosens = Loosening(frozenset({JobClass.NORMAL}), 10 * MINUTE_MS)
    window = bench.rule(lambda heading: Window(heading, begins, ends, "01/CV", loosens), not_after=LATER)
    job = bench.at(10 * 3600 + 60)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(10 * 3600 + 60)
    bench.pass_s(1)
    bench.end(job)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    assert bench.every(fx.CommitRecord)[-1].record.under == window


def test_a_newer_regulation_replaces_an_older_one_and_never_the_other_way() -> None:
    bench = at_work()
    first = bench.rule(regulation(1, Clause(sessions_per_day=0)), not_after=LATER)
    bench.order(job_id="a", when={"kind": "at", "utc": bench.now.utc + 60_000})
    assert bench.answers()[-1] == ("refused", "sessions_per_day")
    bench.rule(regulation(2, Clause(sessions_per_day=5)), not_after=LATER)
    assert (first, "superseded", "superseded") in bench.outcomes()
    bench.order(job_id="b", when={"kind": "at", "utc": bench.now.utc + 60_000})
    assert bench.answers()[-1] == ("accepted", None)
    for version in (1, 2):  # one of the same number comes after the one that is here, whatever it says
        bench.rule(regulation(version, Clause(sessions_per_day=0)), not_after=LATER)
        assert bench.answers()[-1] == ("refused", "superseded")


def test_a_regulation_that_is_over_gives_way_to_the_stations_own_policy() -> None:
    bench = at_work()
    bench.rule(regulation(1, Clause()), not_after=UtcMs(makers.NOON + HOUR_MS))
    bench.pass_s(3601)
    bench.order(when={"kind": "at", "utc": makers.NOON + 10 * HOUR_MS})
    assert bench.answers()[-1] == ("refused", "quiet_hours")


def test_a_programme_is_cut_where_the_quiet_hours_begin() -> None:
    bench = at_work()
    nap = Clause(quiet=(time(12, 1), time(14)))
    bench.rule(regulation(1, nap, into_quiet=IntoQuiet.CUT), not_after=LATER)
    job = bench.playing(items=[makers.clip_item(duration_ms=CLIP_MS)], loops=10)
    assert bench.play(job).cut_at is not None
    bench.pass_s(57.5)
    assert bench.every(fx.StopPlay) == []
    bench.pass_s(0.5)
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(job, Reason.SHUTDOWN, ms=57_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "quiet_hours")


def test_a_regulation_that_waits_for_the_welcome_takes_effect_with_it() -> None:
    bench = Bench().boot(welcomed=False)
    first = bench.rule(regulation(1, Clause(sessions_per_day=0)), not_after=LATER)
    bench.welcome()
    assert (first, "succeeded", None) in bench.outcomes()
    bench.order(when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.pass_s(61)
    assert bench.outcomes()[-1][1:] == ("rejected", "sessions_per_day")


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_of_two_regulations_that_wait_for_the_welcome_the_newer_one_holds(versions: tuple[int, int]) -> None:
    bench = Bench().boot(welcomed=False)
    ids = {version: bench.rule(regulation(version), not_after=LATER) for version in versions}
    bench.welcome()
    assert [*bench.state.rules] == [ids[2]]
    assert bench.outcomes() == [(ids[2], "succeeded", None), (ids[1], "rejected", "superseded")]


def test_a_regulation_whose_time_is_up_when_the_welcome_comes_takes_nobodys_place() -> None:
    bench = Bench().boot(welcomed=False)
    first = bench.rule(regulation(1), not_after=LATER)
    bench.rule(regulation(2), not_after=UtcMs(bench.now.utc + 1_000))
    bench.now = replace(bench.now, mono=MonoMs(bench.now.mono + 2_000), utc=UtcMs(bench.now.utc + 2_000))
    bench.welcome()
    assert [*bench.state.rules] == [first]


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_a_regulation_that_was_replaced_while_the_station_was_off_does_not_come_back(versions: tuple[int, int]) -> None:
    """Its power was off from before the newer one began until that was over, whichever of them came first."""
    bench = at_work()
    week = {"not_before": UtcMs(makers.NOON + HOUR_MS), "not_after": UtcMs(makers.NOON + 2 * HOUR_MS)}
    ids = {
        version: bench.rule(regulation(version), **(week if version == 2 else {"not_after": LATER}))
        for version in versions
    }
    bench.said.clear()
    bench.pass_s(3 * 3_600)
    assert not bench.state.rules
    assert {*bench.outcomes()} == {(ids[1], "superseded", "superseded"), (ids[2], "expired", "expired")}


def test_a_clock_that_cannot_be_trusted_drops_no_regulation_for_one_that_is_ahead() -> None:
    bench = at_work()
    first = bench.rule(regulation(1), not_after=LATER)
    bench.rule(regulation(2), not_before=UtcMs(bench.now.utc + 24 * HOUR_MS), not_after=LATER)
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    bench.pass_s(1)
    assert first in bench.state.rules


def test_a_silence_that_ends_before_the_first_sample_takes_no_zone() -> None:
    bench = at_work()
    job = bench.at(10)
    bench.rule(silence(0, 10.5), not_after=LATER)  # the bench began a second after noon
    bench.pass_s(8.8)
    bench.pass_s(0.1)
    assert bench.phase(job) is Phase.PLAYING
    assert bench.play(job).zones_in(ZonePart.HEARING) == (CHO, DINH)


def test_an_exception_that_was_signed_ahead_lets_in_what_it_will_let_sound() -> None:
    """Refused on arrival it would be refused for good."""
    bench = at_work()
    loosens = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 11 * HOUR_MS)
    tonight = bench.rule(
        lambda heading: Window(heading, begins, ends, "Giao thừa", loosens),
        not_before=UtcMs(makers.NOON + HOUR_MS),
        not_after=ends,
    )
    job = bench.at(10 * 3_600 + 60)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(10 * 3_600 + 61)
    assert bench.phase(job) is Phase.PLAYING
    assert bench.play(job).under == tonight


def test_an_exception_lets_nothing_sound_before_it_may_be_obeyed() -> None:
    bench = at_work()
    loosens = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    begins, ends = UtcMs(makers.NOON + 10 * HOUR_MS), UtcMs(makers.NOON + 12 * HOUR_MS)
    bench.rule(
        lambda heading: Window(heading, begins, ends, "Giao thừa", loosens),
        not_before=UtcMs(makers.NOON + 11 * HOUR_MS),
        not_after=ends,
    )
    bench.at(10 * 3_600 + 60)
    assert bench.answers()[-1] == ("refused", "quiet_hours")


def test_an_older_regulation_does_not_come_back_where_the_newer_one_ends() -> None:
    """Not in what is judged today of that day either."""
    bench = at_work()
    bench.rule(regulation(1, Clause(quiet=(time(0), time(1)))), not_after=LATER)
    begins, ends = (UtcMs(makers.NOON + days * 24 * HOUR_MS) for days in (2, 3))
    bench.rule(regulation(2, Clause(quiet=(time(0), time(1)))), not_before=begins, not_after=ends)
    at_ten = 10 * 3_600
    bench.at(24 * 3_600 + at_ten, job_id="under-1")
    bench.at(2 * 24 * 3_600 + at_ten, job_id="under-2")
    bench.at(4 * 24 * 3_600 + at_ten, job_id="under-none")
    assert bench.answers()[-3:] == [("accepted", None), ("accepted", None), ("refused", "quiet_hours")]
