"""Entries of a timetable, and what of them is planned."""

from __future__ import annotations

from typing import Any

from edge_agent.core.units import JobId
from tests.core.bench import CHO, Bench, audience
from tests.trust import makers

SANG, TRUA, CHIEU = (JobId(name) for name in ("sang", "trua", "chieu"))
Entry = dict[str, Any]


def daily(name: str, at: str = "17:00:00", **over: Any) -> Entry:
    return makers.entry_dict(name, when=makers.rule_when(times=[at]), **over)


def once(bench: Bench, name: str, seconds: int, **over: Any) -> Entry:
    return makers.entry_dict(name, when={"kind": "at", "utc": bench.now.utc + seconds * 1_000}, **over)


def in_one_zone(name: str, zone: str = CHO) -> Entry:
    return daily(name, audience=audience(zone))


def jobs(bench: Bench) -> set[str]:
    """What is planned; an entry that waits for its commit is not."""
    return {job_id for job_id, known in bench.state.jobs.items() if known.may_sound}
