"""Which occurrences may come again: those that were over by a clock that nobody had signed, and that was far ahead.

Kept by our own count of what closed when, and by whose time, over all lives of a station's process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Rule
from edge_agent.core.plays import OccurrenceKey
from edge_agent.core.state import State
from edge_agent.core.units import DAY_MS


@dataclass
class Again:
    """``due`` may be planned and closed once more; ``ever`` is all that ever might."""

    by_hearsay: set[OccurrenceKey] = field(default_factory=set)
    due: set[OccurrenceKey] = field(default_factory=set)
    ever: set[OccurrenceKey] = field(default_factory=set)
    just_over: set[OccurrenceKey] = field(default_factory=set)

    def see(self, before: State, now: Now, effects: tuple[fx.Effect, ...], after: State) -> set[OccurrenceKey]:
        """Look at one step; says what may come again from here on."""
        latest = max(now.utc, before.floor)
        far = {job_id for job_id, planned in self.by_hearsay if now.signed and planned > latest + DAY_MS}
        back = {key for key in self.by_hearsay if key[0] in far and key[1] > latest}
        back |= self.just_over
        self.due |= back
        self.ever |= back
        self.just_over = set()
        if now.signed:
            self.by_hearsay.clear()
        for effect in effects:
            if isinstance(effect, fx.CommitRecord) and effect.closes is not None:
                self.due.discard(effect.closes)
                known = after.jobs.get(effect.closes[0], before.jobs.get(effect.closes[0]))  # one that a restart finds
                if known is None or not isinstance(known.job.when, Rule):
                    continue
                if not now.signed:
                    self.by_hearsay.add(effect.closes)
                elif effect.closes[1] > latest + DAY_MS:  # it sounded by hearsay when the time was signed
                    self.just_over.add(effect.closes)
                    self.due.add(effect.closes)
                    self.ever.add(effect.closes)
        return back
