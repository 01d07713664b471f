"""A station that has booted without a time, where nobody answers its hello, and a warning that comes to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.programme import ATTENTION, ATTENTION_GAP_MS, SIGNAL_MS
from edge_agent.core.units import HOUR_MS, JobId, MonoMs, UtcMs
from tests.core.bench import SPEECH_MS, Bench
from tests.core.welcomes import FLOOD, welcome
from tests.trust import makers

TWO = ("k1", "k2")
ORDERED_MS = SIGNAL_MS[ATTENTION] + ATTENTION_GAP_MS + SPEECH_MS


def lost_in_time(**now: Any) -> Bench:
    """A station that has booted without a clock, on a network where nobody answers its hello."""
    bench = Bench()
    bench.now = Now(MonoMs(1_000_000), UtcMs(1_000_000), ClockSource.UNSET, 0)
    bench.now = replace(bench.now, **now)
    bench.boot(welcomed=False)
    return bench


def warned(bench: Bench, signers: tuple[str, ...] = TWO, sound_max_ms: int = 0, **over: Any) -> JobId:
    """A flood warning of today arrives, signed by these, and may sound for so long in all (0: for any time)."""
    given = {"job_id": "lut", "issued_at": makers.NOON, "not_before": makers.NOON, "not_after": makers.NOON + HOUR_MS}
    job = bench.make(**{name: value for name, value in (FLOOD | given | over).items() if value is not None})
    bench.arrive(replace(bench.accept(job), signers=signers, sound_max_ms=sound_max_ms))
    return job.job_id


def starts(bench: Bench) -> int:
    """How often sound has begun."""
    return len(bench.every(fx.StartPlay))


def find_the_time(bench: Bench, late_ms: int = 60_000) -> None:
    """The server answers after all: it is so long after noon."""
    bench.now = replace(bench.now, utc=UtcMs(makers.NOON + late_ms), source=ClockSource.SIGNED, signed=True)
    welcome(bench)
