"""Gather what stations answer when they are asked for several days at once: for each day a plan, or a refusal. Pure.

A plan counts only if it was made for this question. One that was made before, signed as it is, may be somebody's who
wants an old timetable to hang on the wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from edge_agent.core.commands import CLOCKS_APART_MS
from edge_agent.core.effects import Verdict
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import AnswerMsg, PlanMsg

StationDay = tuple[StationId, date]


@dataclass(slots=True)
class Replies:
    """What has come so far: ``asked`` are the days by the digest of the command that asks for each."""

    asked: Mapping[str, date]
    stations: frozenset[StationId]
    asked_at: UtcMs
    plans: dict[StationDay, PlanMsg] = field(default_factory=dict)
    refusals: dict[StationDay, Reason | None] = field(default_factory=dict)
    _missing: set[StationDay] = field(init=False)

    def __post_init__(self) -> None:
        self._missing = set(product(self.stations, self.asked.values()))

    def take(self, heard: Heard) -> None:
        """Keep it if it answers one of our questions."""
        if heard.station not in self.stations:
            return
        match heard.said:
            case PlanMsg() as plan if plan.day in self.asked.values() and self._is_fresh(plan):
                self.plans[heard.station, plan.day] = plan
                self._missing.discard((heard.station, plan.day))
            case AnswerMsg(verdict=Verdict.REFUSED) as answer if answer.digest in self.asked:
                self.refusals[heard.station, self.asked[answer.digest]] = answer.reason
                self._missing.discard((heard.station, self.asked[answer.digest]))

    @property
    def whole(self) -> bool:
        """Whether there is nobody left to wait for."""
        return not self._missing

    def _is_fresh(self, plan: PlanMsg) -> bool:
        return plan.now >= self.asked_at - CLOCKS_APART_MS
