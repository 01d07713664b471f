"""Which lives a campaign plays, and what it counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.soak.life import Failure, Life
from tests.soak.script import (
    ALONE,
    CALM_MS,
    DAY_MS,
    FITTED,
    RELAYS,
    Script,
    alone,
    calm,
    clocks,
    evening,
    fitted,
    relays,
    ten_days,
)

KINDS: dict[str, Callable[[int], Script]] = {
    "evening": evening,
    "ten-days": ten_days,
    "clocks": clocks,
    ALONE: alone,
    FITTED: fitted,
    RELAYS: relays,
    "calm": calm,
}
OTHERS = {
    1: FITTED,
    2: RELAYS,
    4: FITTED,
    5: "ten-days",
    7: FITTED,
    8: RELAYS,
    10: FITTED,
    11: "ten-days",
    14: "clocks",
    17: ALONE,
}
# Of so many lives in a row these are no evenings: more than half of the time goes to the long ones.
YEAR_MS = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one life; ``virtual_ms`` is how long it was, ``cpu_s`` what it took."""

    kind: str
    seed: int
    virtual_ms: int
    cpu_s: float
    happened: Counter[str]
    failure: Failure | None


@dataclass
class Tally:
    """What a campaign has seen."""

    lives: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)
    virtual_ms: int = 0
    cpu_s: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more life is over."""
        self.lives[outcome.kind] += 1
        self.happened += outcome.happened
        self.virtual_ms += outcome.virtual_ms
        self.cpu_s += outcome.cpu_s
        if outcome.failure is not None:
            self.failures.append(outcome)

    def figures(self, name: str, wall_s: float) -> str:
        """One line."""
        lives = " ".join(f"{kind}={count}" for kind, count in sorted(self.lives.items()))
        faults = self.happened.total() - self.happened["order"]
        pace = self.virtual_ms / 1000 / self.cpu_s if self.cpu_s else 0
        return (
            f"{name} minutes={wall_s / 60:.1f} {lives} station-years={self.virtual_ms / YEAR_MS:.2f} "
            f"orders={self.happened['order']} faults={faults} kinds={len(self.happened)} "
            f"times-real-time={pace:,.0f} failed={len(self.failures)}"
        )


def kind_of(number: int) -> str:
    """Which kind the campaign's life of that number is."""
    return OTHERS.get(number % (max(OTHERS) + 1), "evening")


def play(kind: str, seed: int) -> Outcome:
    """One life; runs in a process of its own."""
    script = KINDS[kind](seed)
    begun = time.process_time()
    failure = Life(script).live()
    happened = Counter(happening.what for happening in script.happenings)
    virtual_ms = script.setting.chaos_until_ms + CALM_MS - script.setting.begins_ms
    return Outcome(kind, seed, virtual_ms, time.process_time() - begun, happened, failure)
