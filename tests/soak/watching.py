"""Watches the station at every step of a life: the core's own promises, and what a boot must find again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import Event, Judgement, Mark
from edge_agent.core.job import Accepted
from edge_agent.core.order import Command, RuleOrder
from edge_agent.core.state import State
from edge_agent.core.units import JobId, PlayId, UtcMs
from edge_agent.journal.port import Contents
from edge_agent.trust.keeper import Keeper
from tests.core.deadlines import Deadlines
from tests.core.watch import Durable, Watch, settled
from tests.soak.promises import Broken
from tests.ward.agent import Agent
from tests.ward.card import Run
from tests.ward.world import World

STEPS_A_MS_MAX = 400
# Ticks follow each other a ms apart; what a month of missed instants asks for at one instant is less.


@dataclass(frozen=True, slots=True)
class Belief:
    """What the station thought the time was when it ordered a sound; ``signed``: by a welcome of this boot."""

    utc: UtcMs
    true_utc: UtcMs
    source: ClockSource
    signed: bool


class StepWatch:
    """``beliefs`` by play; ``counts_from`` is the instant after which a job's occurrences count, ``obeyed_at`` the true
    time from which a rule is on disk and obeyed, as far as its clock can tell, ``again`` what may have come twice.

    ``thorough`` looks at every step with all of the core's promises, which takes thrice as long as the step.
    """

    def __init__(self, world: World, *, thorough: bool) -> None:
        self._world = world
        self._thorough = thorough
        self._watch = Watch()
        self._deadlines = Deadlines()
        self._at, self._steps = 0, 0
        self.beliefs: dict[PlayId, list[Belief]] = {}
        self.counts_from: dict[JobId, UtcMs] = {}
        self.obeyed_at: dict[str, int] = {}
        self.void: set[str] = set()
        self.again = self._watch.again.ever
        make = world.beside

        def beside(contents: Contents) -> tuple[Keeper, Contents]:
            made, counts = make(contents)
            judge = made.judge

            def judged(topic: str, payload: bytes) -> Judgement:
                judgement = judge(topic, payload)
                if isinstance(judgement, Accepted):
                    self._watch.accepted[judgement.digest] = judgement
                return judgement

            made.judge = judged  # type: ignore[method-assign]
            return made, counts

        world.beside = beside  # type: ignore[method-assign]
        world.watches.append(self)

    def booted(self, agent: Agent) -> None:
        """A new process: what the headend was told is accepted must be here."""
        contents = agent._ports.contents
        seen = {str(job_id) for job_id, _ in contents.seen}
        lost = self._accepted() - seen - self.void
        if lost:
            raise Broken("acknowledged_is_kept", f"accepted by the station, unknown after a boot: {sorted(lost)}")
        heard = {(mark.job_id, mark.planned) for mark in contents.marks if mark.mark is Mark.FIRST_SAMPLE}
        self._watch.restarted(Durable(self._closed(), heard, {job_id for job_id, _ in contents.seen}))
        self._deadlines = Deadlines()

    def _accepted(self) -> set[str]:
        """Orders that were accepted, and not given up since: what a card may have heard before is to be forgotten."""
        accepted: set[str] = set()
        for one in self._world.headend.answers:
            if one["verdict"] == "accepted":
                accepted.add(one["job_id"])
            elif one["reason"] == "maybe_heard":
                accepted.discard(one["job_id"])
        return accepted

    def stepped(self, agent: Agent, before: State, event: Event) -> None:
        """One step of it."""
        if self._thorough:
            self._look(agent, before, event)
        else:
            self._watch.again.see(before, agent.now(), agent.effects, agent.state)
        for order_id, rule in agent.state.rules.items():
            if rule.saved and not rule.held and order_id not in self.obeyed_at:
                self.obeyed_at[order_id] = self._world.mono + _ahead_ms(rule.accepted.order, agent.now())
        for effect in agent.effects:
            if isinstance(effect, fx.SaveJob) and not effect.saved.held:
                self.counts_from[effect.saved.accepted.order_id] = effect.saved.base
            elif isinstance(effect, fx.ReleaseJob):
                self.counts_from[effect.job_id] = effect.base
            elif isinstance(effect, fx.StartPlay):
                self.beliefs.setdefault(effect.play_id, []).append(self._belief(agent))

    def believed(self, run: Run) -> Belief | None:
        """Its belief when this was ordered from the card. Where no disk kept the intent, two runs have one name."""
        told = self.beliefs.get(run.play.play_id, [])
        return next((belief for belief in reversed(told) if belief.true_utc <= self._world.began + run.begins), None)

    def _belief(self, agent: Agent) -> Belief:
        now = agent.now()
        signed = agent._ports.clock._clock.signed_offset_ms is not None
        return Belief(now.utc, self._world.utc(), now.source, signed)

    def _look(self, agent: Agent, before: State, event: Event) -> None:
        self._busy()
        now = agent.now()
        self._watch.see(before, event, now, agent.effects, agent.state)
        if agent.wake is None or agent.wake > self._world.mono + 1:
            settled(agent.state, now)
            self._deadlines.at_rest(agent.state, now, station.next_wake(agent.state, now))

    def _busy(self) -> None:
        if self._world.mono > self._at + 1:
            self._steps = 0
        self._at = self._world.mono
        self._steps += 1
        if self._steps > STEPS_A_MS_MAX:
            raise Broken("comes_to_rest", f"{self._steps} steps without a pause: the agent spins")

    def _closed(self) -> set[tuple[JobId, UtcMs]]:
        bodies = [json.loads(record.body) for record, _ in self._world.disk.committed.records]
        return {(JobId(body["job_id"]), UtcMs(body["planned"])) for body in bodies if body["kind"] == "play"}


def _ahead_ms(order: RuleOrder, now: Now) -> int:
    """How long a slow clock lets what was signed just now wait for its first instant."""
    return 0 if isinstance(order, Command) or not now.trusted else max(0, order.heading.not_before - now.utc)
