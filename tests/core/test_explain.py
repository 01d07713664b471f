"""What plays next, where, and why not."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core import explain
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import ClipFailed, DeviceDown
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from tests.core.bench import CHO, DINH, Bench
from tests.trust import makers


def test_what_sounds_comes_first_then_by_instant() -> None:
    bench = Bench().boot()
    bench.at(600, job_id="second")
    bench.at(300, job_id="first")
    bench.order(job_id="playing", audience={"areas": [makers.AREA], "zones": [CHO]})
    shown = explain.upcoming(bench.state, bench.now)
    assert [one.job_id for one in shown] == ["playing", "first", "second"]
    assert shown[0].hearing == (CHO,)
    assert (shown[1].zones, shown[1].reason, shown[1].phase) == ((CHO, DINH), None, Phase.STAGED)
    assert explain.sounding_in(bench.state, CHO) == "playing"
    assert explain.sounding_in(bench.state, DINH) is None


def test_a_rule_that_falls_into_the_quiet_hours_says_so_beforehand() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when(times=["17:00:00", "23:00:00"], weekdays=[1, 2, 3, 4, 5, 6, 7]))
    bench.pass_s(5 * 3600 - 1)
    bench.end(job)
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert shown.reason is Reason.QUIET_HOURS


def test_an_untrusted_clock_is_named() -> None:
    bench = Bench().boot()
    bench.at(600)
    blind = replace(bench.now, source=ClockSource.UNSET)
    (shown,) = explain.upcoming(bench.state, blind)
    assert shown.reason is Reason.CLOCK_NOT_TRUSTED


def test_missing_audio_is_named() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(600)
    bench.send(ClipFailed(bench.every(fx.FetchClip)[0].key, Reason.AUDIO_UNREACHABLE, again=True))
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert (shown.reason, shown.lasts_ms) == (Reason.AUDIO_UNREACHABLE, 10_000)


def test_a_lost_device_is_named() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    bench.order()
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert shown.reason is Reason.DEVICE_FAILED
