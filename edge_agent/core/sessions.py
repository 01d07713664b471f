"""Decide which sounds make one session (buổi phát), and for how long something sounded: what a day's limits count.

``spans``, in any order, are [first sample, last sample) of each sound in UTC ms, as it counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.core.units import SECOND_MS, UtcMs

SESSION_GAP_MS = 60 * SECOND_MS
# What starts sooner than this after the sound before it ended belongs to the same session.

Span = tuple[UtcMs, UtcMs]


def sessions(spans: Iterable[Span]) -> list[Span]:
    """From the first sample of each session to its last, in order."""
    return _joined(spans, SESSION_GAP_MS)


def session_start(spans: Iterable[Span], at: UtcMs) -> UtcMs:
    """When the session began with which a sound at ``at`` would go on; ``at`` where it begins one."""
    before = [session for session in sessions(spans) if session[0] <= at]
    goes_on = bool(before) and at < before[-1][1] + SESSION_GAP_MS
    return before[-1][0] if goes_on else at


def sounding_ms(spans: Iterable[Span]) -> int:
    """How long something sounded, what sounds at the same time counted once."""
    return sum(last - first for first, last in _joined(spans, 0))


def _joined(spans: Iterable[Span], gap_ms: int) -> list[Span]:
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first < joined[-1][1] + gap_ms:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
