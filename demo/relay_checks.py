"""Judge how the relays moved, against what was heard behind them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from demo import match
from demo.acts import Story
from demo.check import Check
from demo.evidence import Evidence
from demo.ward import WARM_UP_MS, ZONES
from edge_agent.audio.card import PERIOD_MS, PERIODS

OPEN_AFTER_MS = 1_500
KILLED_OPEN_MS = 1_500
EARLY_MS = 100
# A process dies some milliseconds before the clock is read that says when it was killed.
EDGE_MS = 5
# How exactly a recording behind a sound server tells an instant.
QUEUED_MS = PERIOD_MS * PERIODS + 50
# SIGKILL: what was queued in the card sounds on behind a relay that has fallen open; the amplifier is off for it.


def checks(story: Story, evidence: Evidence) -> Iterator[Check]:
    """Closed before the sound, open behind it, and at no other time."""
    yield _warm(evidence)
    yield _no_sound_without_relay(story, evidence)
    yield _opened_after_last_sample(evidence)
    yield _killed(story, evidence)
    yield _no_other_move(story, evidence)


def _warm(evidence: Evidence) -> Check:
    """S2: whenever a relay closes, the first sample comes at least the warm-up later."""
    leads = []
    for channel, zone in enumerate(ZONES):
        for closed_ms, open_ms in evidence.closings(zone):
            first = max(0, evidence.recording.frame_at(closed_ms))
            onset = evidence.recording.onset(channel, above=match.SILENT, start=first)
            sounds_ms = evidence.recording.instant_ms(onset) if onset is not None else float("inf")
            leads.append(sounds_ms - closed_ms if sounds_ms < open_ms else -1.0)
    held = len(leads) >= 2 * len(ZONES) and min(leads) >= WARM_UP_MS
    shown = ", ".join(f"{lead:.0f}" for lead in leads)
    return Check(
        held, "rơ-le đóng đủ sớm trước mẫu đầu", f"relays closed ≥ {WARM_UP_MS} ms before sound", f"{shown} ms"
    )


def _no_sound_without_relay(story: Story, evidence: Evidence) -> Check:
    """Nothing sounds while a zone's relay is open, so nothing refused sounded either."""
    recording, stray = evidence.recording, 0
    for channel, zone in enumerate(ZONES):
        size = np.abs(recording.samples[:, channel].astype(np.int32))
        for closed_ms, open_ms in evidence.closings(zone):
            killed = open_ms >= story.killed_ms - EARLY_MS
            until_ms = min(open_ms + (QUEUED_MS if killed else EDGE_MS), recording.instant_ms(len(size)))
            size[max(0, recording.frame_at(closed_ms)) : max(0, recording.frame_at(until_ms))] = 0
        stray += int((size > match.SILENT).sum())
    return Check(stray == 0, "không có tiếng khi rơ-le mở", "no sound while a relay is open", f"{stray} samples")


def _opened_after_last_sample(evidence: Evidence) -> Check:
    """S2: of the first run, each relay opens after the last sample and soon."""
    waits = []
    for channel, zone in enumerate(ZONES):
        for _, open_ms in list(evidence.closings(zone))[:1]:
            listened = evidence.recording.frame_at(min(open_ms + QUEUED_MS, 2**53))
            last = evidence.recording.last(channel, above=match.SILENT, end=max(0, listened))
            waits.append(open_ms - evidence.recording.instant_ms(last or 0))
    held = len(waits) == len(ZONES) and all(-EDGE_MS <= wait <= OPEN_AFTER_MS for wait in waits)
    shown = ", ".join(f"{wait:.0f}" for wait in waits)
    return Check(held, "rơ-le mở sau mẫu cuối", "relays open after the last sample", f"{shown} ms")


def _killed(story: Story, evidence: Evidence) -> Check:
    waits = [
        open_ms - story.killed_ms
        for zone in ZONES
        for closed_ms, open_ms in evidence.closings(zone)
        if closed_ms < story.killed_ms and open_ms >= story.killed_ms - EARLY_MS
    ]
    held = len(waits) == len(ZONES) and all(wait <= KILLED_OPEN_MS for wait in waits)
    shown = ", ".join(f"{wait:.0f}" for wait in waits)
    return Check(held, "giết tiến trình: rơ-le mở ngay", "SIGKILL: relays open at once", f"{shown} ms")


def _no_other_move(story: Story, evidence: Evidence) -> Check:
    """One closing a zone for the bulletin (the emergency takes over a warm relay), one for the second run."""
    counts = [len(list(evidence.closings(zone))) for zone in ZONES]
    early = [move for move in evidence.moves if move.on and move.at_ms < story.due_ms - WARM_UP_MS - OPEN_AFTER_MS]
    held = counts == [2] * len(ZONES) and not early
    shown = f"{counts} closings, {len(early)} before the bulletin"
    return Check(held, "năm lệnh sai không đóng rơ-le nào", "no relay moved for the wrong orders", shown)
