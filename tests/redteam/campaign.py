"""What a campaign counts, and how one of its lives is played in a process of its own."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.redteam.life import Life
from tests.redteam.script import campaign
from tests.soak.life import Failure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one campaign; ``done`` counts the attacker's moves and rewritings, ``sounds`` what was heard."""

    seed: int
    cpu_s: float
    done: Counter[str]
    brought: int
    answers: Counter[str]
    sounds: int
    failure: Failure | None


@dataclass
class Tally:
    """What all of them came to."""

    campaigns: int = 0
    cpu_s: float = 0.0
    brought: int = 0
    sounds: int = 0
    done: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more is over."""
        self.campaigns += 1
        self.cpu_s += outcome.cpu_s
        self.brought += outcome.brought
        self.sounds += outcome.sounds
        self.done += outcome.done
        self.answers += outcome.answers
        if outcome.failure is not None:
            self.failures.append(outcome)

    def figures(self, seed: int, wall_s: float) -> str:
        """One line. ``refused`` counts answers, ``ways`` the different moves and rewritings."""
        return (
            f"redteam seed={seed} minutes={wall_s / 60:.1f} campaigns={self.campaigns} cpu-s={self.cpu_s:.0f} "
            f"messages={self.brought} ways={len(self.done)} "
            f"refused={self.answers['refused']} known={self.answers['known']} accepted={self.answers['accepted']} "
            f"sounds={self.sounds} unauthorised={len(self.failures)}"
        )


def play(seed: int) -> Outcome:
    """One campaign."""
    begun = time.process_time()
    life = Life(campaign(seed))
    failure = life.live()
    answers = Counter(answer["verdict"] for world in life.worlds.values() for answer in world.headend.answers)
    sounds = sum(run.ends > run.begins for world in life.worlds.values() for run in world.runs)
    spent_s = time.process_time() - begun
    return Outcome(seed, spent_s, life.enemy.done, life.enemy.brought, answers, sounds, failure)
