"""Decide whether a station's state counts, or is an old one that is shown again (protocol, 9.2 and 9.5).

A broker keeps the order within the topic of states: so a state, and nothing else, makes the boot before it a past one.
Reads no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import StateMsg, Why

PAST_MAX = 16
# More starts of a station than a broker can still hold states of: it keeps one, and what it had not delivered.
CONNECTING_MS_MAX = 60 * SECOND_MS
# A will is made when the connection is attempted; its own birth follows within the station's patience (protocol, 1.1).


@dataclass(slots=True)
class Boots:
    """What is remembered of one station: the boot of its last word, that of its last state, and those before it."""

    last: str = ""
    current: str = ""
    born: UtcMs | None = None
    past: deque[str] = field(default_factory=lambda: deque(maxlen=PAST_MAX))

    def counts(self, heard: Heard) -> bool:
        """Whether to believe a message; one that counts is remembered."""
        state = heard.said if isinstance(heard.said, StateMsg) else None
        will = state is not None and state.why is Why.CONNECTION_LOST
        if state is not None and (heard.boot_id in self.past or (will and self._of_earlier_connection(heard))):
            return False
        if heard.boot_id and heard.boot_id not in self.past:
            self.last = heard.boot_id
        if state is not None and not will:
            self._follow(heard, state)
        return True

    def comes_back(self, boot_id: str) -> bool:
        """Whether another boot has followed this one, so that there are two boxes, or an old word is said again."""
        return boot_id in self.past

    def _of_earlier_connection(self, will: Heard) -> bool:
        if self.last not in ("", will.boot_id):
            return True
        if self.born is None or will.made_at is None or will.boot_id != self.current:
            return False
        return self.born - will.made_at > CONNECTING_MS_MAX

    def _follow(self, heard: Heard, state: StateMsg) -> None:
        if self.current not in ("", heard.boot_id):
            self.past.append(self.current)
            self.born = None
        self.current = heard.boot_id
        if state.why is Why.BIRTH:
            self.born = heard.made_at
