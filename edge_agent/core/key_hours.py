"""Decide how many new orders of one key, and trust documents of one area, a station takes in an hour: its card pays.

Whoever has stolen a key signs as many as he likes, and the broker that brings them may be his. What silences and what
warns is counted apart, so that no heap of other orders keeps anybody from it; and each key for itself, so that it keeps
nobody else from anything. Counted by boot time, which nobody can set, and over restarts of the agent (``spent``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edge_agent.core import standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule, is_urgent
from edge_agent.core.spent import Given, Sort
from edge_agent.core.state import State, Turn
from edge_agent.core.units import HOUR_MS, MonoMs

ORDERS_AN_HOUR = 500
# Of each sort, and each key. A ward gives some 20 a day, a central server that asks for the plan each minute 60 in an
# hour. A short order is 49 kB of writes (its own commit, its record's, and the centre's word for that), the longest
# timetable 1 MB: all day long 0.6 to 12 GB, which a card bears for a year or more (docs/adr/0035).

DOCUMENTS_AN_HOUR = 100
# Of each area. A ward's changes some times a year, and a ceremony that went wrong is held again some times a day. The
# longest are some 40 MB of writes an hour.


def sort_of(accepted: Accepted | AcceptedRule) -> Sort:
    """What it is counted among."""
    if is_urgent(accepted):
        return Sort.WARNING
    silences = isinstance(accepted, AcceptedRule) and standing.only_silences(accepted.order)
    return Sort.SILENCE if silences else Sort.OTHER


def has_room(state: State, accepted: Accepted | AcceptedRule, now: Now) -> bool:
    """Whether one of the keys that signed it may give one more now."""
    counts, sort = _of_this_hour(state.spent.given, now.mono).counts, sort_of(accepted)
    return any(counts.get((key, sort), 0) < ORDERS_AN_HOUR for key in accepted.signers)


def count(turn: Turn, accepted: Accepted | AcceptedRule) -> None:
    """It is taken."""
    given = _of_this_hour(turn.state.spent.given, turn.now.mono)
    counts = Counter(given.counts) + Counter((key, sort_of(accepted)) for key in accepted.signers)
    turn.spend(given=replace(given, counts=counts))


def has_document_left(state: State, area: str, now: Now) -> bool:
    """Whether one more trust document of the area may be taken now. One of another area, as that above it, is none."""
    return _of_this_hour(state.spent.given, now.mono).documents.get(area, 0) < DOCUMENTS_AN_HOUR


def count_document(turn: Turn, area: str) -> None:
    """It is taken."""
    given = _of_this_hour(turn.state.spent.given, turn.now.mono)
    documents = Counter(given.documents) + Counter([area])
    turn.spend(given=replace(given, documents=documents))


def _of_this_hour(given: Given, mono: MonoMs) -> Given:
    hour = mono // HOUR_MS
    return given if given.hour == hour else Given(hour)
