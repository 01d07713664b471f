"""Single clauses without a broker: what each makes of a station that does the wrong thing, or nothing at all."""

from __future__ import annotations

import pytest

from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.clauses import chosen
from edge_agent.headend.conform.kit import attempt
from edge_agent.headend.conform.scene_silent import Ordered, Silent, Wrong, order_in_silence, silent
from edge_agent.headend.conform.verdicts import NotTried, Verdict
from tests.headend.conform.test_bench import Rig, rig, ward

__all__ = ["rig", "ward"]


def verdict(bench: Bench, number: str) -> Verdict:
    (clause,) = chosen([number])
    return attempt(bench, clause)


def heard_nothing(bench: Bench) -> None:
    """The silent orders were sent, and of none a record came."""
    once, timetable, altered, longer, absent = (bench.orders.normal() for _ in range(5))
    ordered = Ordered(once, None, timetable, Wrong(altered, longer, absent, "", ""))
    bench.content = object()  # type: ignore[assignment]
    bench._acts |= {order_in_silence: ordered, silent: Silent(ordered, {one.digest: [] for one in ordered.all()})}


@pytest.mark.parametrize("number", ["LOG-5", "LOG-6", "LOG-7", "AUD-5"])
def test_who_writes_no_record_has_not_shown_what_stands_in_one(rig: Rig, number: str) -> None:
    heard_nothing(rig.bench)
    assert verdict(rig.bench, number) == NotTried("there was no record")


@pytest.mark.parametrize("number", ["LOG-14", "LOG-15", "LOG-16", "LOG-17", "HEL-2", "ANS-2"])
def test_who_says_nothing_passes_nothing(rig: Rig, number: str) -> None:
    assert isinstance(verdict(rig.bench, number), NotTried)
