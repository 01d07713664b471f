"""A server that answers, and what a station made of an order: for the tests of what it takes to be fresh."""

from __future__ import annotations

from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.job import Welcome
from edge_agent.core.units import JobId
from tests.core.bench import Bench
from tests.trust import makers

FLOOD: dict[str, Any] = {"class": "emergency", "event": "flood"}


def welcome(bench: Bench, **told: Any) -> list[fx.Effect]:
    """The server answers the last hello, and tells more than that it is there."""
    given: dict[str, Any] = {
        "utc": bench.now.utc,
        "trust": (),
        "serial_marks": (),
        "log_epoch": "",
        "log_seq": 0,
        "log_hash": "",
    }
    one = Welcome(nonce=bench.state.link.nonce, **(given | told))
    return bench.arrive(one, makers.WELCOME_TOPIC)


def verdict(bench: Bench, job_id: JobId) -> str:
    """Whether an order waits, is planned, or was refused, and why."""
    known = bench.state.jobs.get(job_id)
    if known is not None:
        return "waits" if known.held else "planned"
    return next(reason or "over" for job, _, reason in reversed(bench.outcomes()) if job == job_id)
