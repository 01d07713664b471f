"""Warnings as a series: one version, its repetitions, and one whole sounding of it."""

from __future__ import annotations

from typing import Any

from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, JobId
from tests.core.bench import Bench, audience

EMERGENCY = {"class": "emergency"}


def alert(bench: Bench, version: int, *, zones: tuple[str, ...] = (), **job: Any) -> JobId:
    given = {"job_id": f"so-tan-{version}", "series": "so-tan", "version": version, **EMERGENCY}
    given |= {"audience": audience(*zones), "not_after": bench.now.utc + 6 * HOUR_MS}
    return bench.order(**{**given, **job})


def repeating(bench: Bench, every_s: int = 900, for_s: int = 3_600, **job: Any) -> dict[str, Any]:
    return {"when": {"kind": "now", "every_s": every_s, "until": bench.now.utc + for_s * 1_000}, **job}


def sounds(bench: Bench, job: JobId, reason: Reason | None = None) -> None:
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING
    bench.pass_s(9)
    bench.end(job, reason)
