"""Races of commands: what may be done twice is done at least once, and what may not at most once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import Connected, DeviceUp, JournalFailed, Restored
from edge_agent.core.job import Seen
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Action, AllStop, Ask, NextItem, Restart, SelfTest, Stop
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, UtcMs
from tests.core.arrivals import (
    after,
    command,
)
from tests.core.bench import Bench, at_work
from tests.trust import makers
from tests.trust.makers import AREA

URGENT = {"class": "emergency"}
TWO_ITEMS = [makers.clip_item(digest=digit * 64) for digit in "12"]
_CHO, _DINH = ({"areas": [AREA], "zones": [zone]} for zone in makers.ZONES)


def test_a_stop_that_the_disk_did_not_take_is_obeyed_at_once_and_again_when_it_comes_again() -> None:
    bench = at_work()
    first = bench.playing()
    bench.deaf.add(fx.SaveJob)
    order = bench.rule(Stop())
    assert len(bench.every(fx.StopPlay)) == 1, "before the disk has it"
    bench.end(first, Reason.SHUTDOWN, ms=1_000)
    bench.send(JournalFailed("save order", order, "full"))
    assert bench.answers()[-1] == ("refused", "not_saved")
    bench.deaf.clear()
    bench.playing(job_id="job-2")
    bench.rule(Stop(), order_id=order)
    assert len(bench.every(fx.StopPlay)) == 2
    assert bench.answers()[-1] == ("accepted", None)


DONE = (fx.SendPlan, fx.EndProcess, fx.SwitchRelay, fx.StopPlay)


@pytest.mark.parametrize("action", [Ask(date(2026, 10, 2)), Restart(), SelfTest(), NextItem()])
def test_what_must_not_be_done_twice_waits_for_its_commit_and_is_not_done_after_a_power_cut(action: Action) -> None:
    bench = at_work()
    bench.playing(items=TWO_ITEMS)
    bench.said.clear()
    bench.deaf.add(fx.SaveJob)
    bench.rule(action)
    assert not [one for one in bench.said if isinstance(one, DONE)], "not before the disk has it"
    saved = bench.every(fx.SaveJob)[-1].saved  # the disk has it, and the power fails before anybody hears of that
    again = Bench()
    again.send(Restored((), (), {saved.accepted.order_id: Seen("d", saved.accepted.not_after)}, 0, 0, rules=(saved,)))
    again.send(DeviceUp())
    again.send(Connected(2, "cd" * 16))
    again.welcome()
    again.pass_s(5)
    assert not [one for one in again.said if isinstance(one, DONE)]
    assert [record.record.job_id for record in again.every(fx.CommitRecord)] == [saved.accepted.order_id]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("paused_s", "resumed_s", "zones", "holds"),
    [
        (40, 20, {}, False),
        (40, 40, {}, False),
        (20, 40, {}, True),
        (40, 20, {"audience": _CHO}, False),
        (40, 20, {"audience": _DINH}, True),
    ],
)
def test_a_resume_ends_the_pauses_that_were_signed_before_it_whatever_comes_first(
    paused_s: int, resumed_s: int, zones: dict[str, Any], holds: bool, restarted: bool
) -> None:
    pause = command("ngung", {"what": "pause", "for_s": 600}, paused_s, audience=_CHO)
    resume = command("tiep", {"what": "resume"}, resumed_s, **zones)
    for first, second in ((pause, resume), (resume, pause)):
        station = after(first)
        station = station.restarted() if restarted else station
        station.deliver(second)
        assert ("ngung" in station.state.rules) == holds


def test_a_resume_is_known_for_as_long_as_an_older_pause_can_come() -> None:
    station = after(command("tiep", {"what": "resume"}, 20))
    station.pass_s(100)
    assert "tiep" in station.state.rules
    station.pass_s(1)
    assert "tiep" not in station.state.rules


@pytest.mark.parametrize("name", ["issued_at", "not_before"])
def test_no_all_stop_is_signed_ahead_of_the_warnings_that_it_would_silence(name: str) -> None:
    bench = at_work()
    ahead_ms = (120_000, 120_001, HOUR_MS)
    for ahead in ahead_ms:
        at = UtcMs(bench.now.utc + ahead)
        bench.rule(AllStop(600_000), **{name: at}, not_after=UtcMs(at + 120_000))
    assert bench.answers() == [("accepted", None), *[("refused", "not_yet_valid")] * 2]
    bench.pass_s(121)
    warning = bench.order(job_id="lut", **URGENT)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


@pytest.mark.parametrize("job", [URGENT, {"when": makers.rule_when()}])
def test_no_order_is_signed_ahead_of_the_all_stop_that_would_silence_it(job: dict[str, Any]) -> None:
    bench = at_work()
    bench.order(job_id="lut", issued_at=UtcMs(bench.now.utc + HOUR_MS), **job)
    assert bench.answers() == [("refused", "not_yet_valid")]
    bench.pass_s(3_500)
    bench.order(job_id="lut", issued_at=UtcMs(bench.now.utc + 100_000), **job)
    assert bench.answers()[-1] == ("accepted", None), "sent again when its hour has come"


def test_what_was_signed_ahead_and_waited_for_the_time_is_refused_when_that_is_known() -> None:
    bench = Bench()
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    bench.boot(welcomed=False)
    bench.order(job_id="lut", issued_at=UtcMs(bench.now.utc + HOUR_MS), **URGENT)
    bench.rule(AllStop(600_000), issued_at=UtcMs(bench.now.utc + HOUR_MS))
    assert bench.answers() == [("accepted", None)] * 2
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    bench.welcome()
    assert [answer for answer in bench.answers() if answer[0] == "refused"] == [("refused", "not_yet_valid")] * 2


@pytest.mark.parametrize("first", ["the order", "the all-stop"])
@pytest.mark.parametrize(("issued_s", "sounds"), [(-60, False), (-1, True)])
def test_an_all_stop_stops_what_was_issued_before_it_and_nothing_else_whatever_comes_first(
    first: str, issued_s: int, sounds: bool
) -> None:
    bench = at_work()
    made = bench.make(job_id="mot", issued_at=bench.now.utc + issued_s * 1_000)
    if first == "the order":
        bench.arrive(bench.accept(made))
        bench.pass_s(1)
    bench.rule(AllStop(600_000), issued_at=bench.now.utc - 30_000)
    if first == "the all-stop":
        bench.arrive(bench.accept(made))
    bench.pass_s(2)
    assert [play.job_id for play in bench.state.plays.values() if play.phase is Phase.PLAYING and not play.ending] == (
        [made.job_id] if sounds else []
    )
