"""What the policy's owner signs, a silence and a regulation, and what the last record says of each zone."""

from __future__ import annotations

from datetime import date
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.order import Regulation, Window
from edge_agent.core.site import STANDARD, Clause, IntoQuiet, LocalPolicy
from edge_agent.core.units import HOUR_MS, SECOND_MS, UtcMs
from tests.core.bench import Bench
from tests.trust import makers

LATER = UtcMs(makers.NOON + 30 * 24 * HOUR_MS)


def silence(begins_s: float, ends_s: float) -> Any:
    begins, ends = (UtcMs(makers.NOON + round(at * SECOND_MS)) for at in (begins_s, ends_s))
    return lambda heading: Window(heading, begins, ends, "Gia đình có tang", None)


def regulation(version: int, *clauses: Clause, into_quiet: IntoQuiet = IntoQuiet.REFUSE) -> Any:
    policy = LocalPolicy(clauses or (STANDARD,), into_quiet)
    return lambda heading: Regulation(heading, version, "12/2026/QĐ-UBND", date(2026, 10, 1), policy)


def zone_reasons(bench: Bench) -> dict[str, str | None]:
    record = bench.every(fx.CommitRecord)[-1].record
    return {zone.zone: zone.reason and zone.reason.value for zone in record.zones}
