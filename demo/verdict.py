"""Judge the demo: what was heard, against what was ordered. Listens to the recording and never asks the player.

Each check is one line with what was measured; the demo succeeds only when all of them hold. Pure: ``evidence`` gathers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from demo import match
from demo.acts import CUT_IN_AFTER_S, Story
from demo.ear import Sounding
from demo.evidence import LEFT, RIGHT, Evidence
from demo.ward import WARM_UP_MS, ZONES
from edge_agent.core.programme import ATTENTION_GAP_MS, ATTENTION_MS
from edge_agent.journal.record import verify_chain

ON_TIME_MS = 150
# Host timing: a null sink and two busy cores; the bench measures finer.
CUT_IN_MS = 1_400
# The words are spoken by the station itself before the signal may begin, and an espeak-ng child takes its time.
ATTENTION_OFF_MS = 60
OPEN_AFTER_MS = 1_500
KILLED_OPEN_MS = 1_500
EARLY_MS = 100
# A process dies some milliseconds before the clock is read that says when it was killed.
EDGE_MS = 5
# How exactly a recording behind a sound server tells an instant.
QUEUED_MS = 250
# SIGKILL: what was queued in the card sounds on behind a relay that has fallen open; the amplifier is off for it.
CONTENT_SHARE = 0.95
# Of the half seconds that hold sound, those that must be found again, and never two missing in a row: a late writer
# leaves a seam in one of them.
MARGIN_S = 0.6
LEAK_MAX = 0.5
LEAK_MAX_OVER_ALL = 0.1
# How much of c2 may be found in c1 during the emergency: of half a second (chance makes 0.2, measured), and of it all.
SECOND_RUN_S = 1.0
WRONG_ORDERS = 5


@dataclass(frozen=True)
class Check:
    """One thing that was promised, whether it held, and what was measured."""

    held: bool
    vietnamese: str
    english: str
    measured: str


def checks(story: Story, evidence: Evidence) -> Iterator[Check]:
    """Every promise of the demo."""
    yield _on_time(story, evidence)
    yield _whole_on_the_right(evidence)
    yield _cut_in_time(story, evidence)
    yield _attention(evidence)
    yield _words(evidence)
    yield _before_and_after(evidence)
    yield _nothing_else_during(evidence)
    yield _warm(evidence)
    yield _no_sound_without_relay(story, evidence)
    yield _opened_after_last_sample(evidence)
    yield _killed(story, evidence)
    yield _no_other_move(story, evidence)
    yield _outcomes(story, evidence)
    yield _whole_chain(evidence)
    yield _refusals(story, evidence)
    yield _seen(story)


def _on_time(story: Story, evidence: Evidence) -> Check:
    off = evidence.recording.instant_ms(evidence.bulletin_at) - story.due_ms
    return Check(abs(off) <= ON_TIME_MS, "bản tin bắt đầu đúng giờ", "the bulletin starts on time", f"{off:+.1f} ms")


def _whole_on_the_right(evidence: Evidence) -> Check:
    found = _windows(evidence, RIGHT)
    return Check(_enough(found), "cụm c2 nghe trọn bản tin", "c2 heard the whole bulletin", _share(found))


def _cut_in_time(story: Story, evidence: Evidence) -> Check:
    signal = _signal(evidence)
    late = evidence.at_ms(signal.start_s) - story.flood_ms if signal else None
    return Check(
        late is not None and 0 <= late <= CUT_IN_MS,
        "tin khẩn cấp cắt vào c1",
        "the emergency cuts in on c1",
        "-" if late is None else f"{late:.0f} ms after signing began",
    )


def _attention(evidence: Evidence) -> Check:
    lasts = [
        [round((one.end_s - one.start_s) * 1000) for one in evidence.attentions(channel)] for channel in (LEFT, RIGHT)
    ]
    held = len(lasts[LEFT]) == 1 and abs(lasts[LEFT][0] - ATTENTION_MS) <= ATTENTION_OFF_MS and not lasts[RIGHT]
    shown = f"c1 {lasts[LEFT]} ms, c2 {lasts[RIGHT]} ms"
    return Check(held, "âm báo hiệu 6 giây, một lần, chỉ ở c1", "the attention signal, once, on c1 only", shown)


def _words(evidence: Evidence) -> Check:
    """The station spoke: its words are those of the order, told by speaking them again here and comparing."""
    found = _spoken(evidence)
    vietnamese, english = "trạm tự đọc đúng lời tin khẩn cấp", "the station spoke the emergency's words"
    return Check(_enough(found), vietnamese, english, _share(found))


def _before_and_after(evidence: Evidence) -> Check:
    """What c1 heard of the bulletin outside the emergency, at the very place where c2 heard it."""
    cut_s, back_s = _emergency(evidence)
    found = _windows(evidence, LEFT)
    before = [window for window in found if window.at_s + match.WINDOW_S <= cut_s - 0.05]
    after = [window for window in found if window.at_s >= back_s + MARGIN_S]
    return Check(
        bool(before) and bool(after) and all(one.present for one in [*before, *after]),
        "c1 nghe bản tin trước và sau tin khẩn cấp, đúng chỗ của chương trình",
        "c1 heard the bulletin before and after, at the programme's own place",
        f"{_share(before)}, {_share(after)}",
    )


def _nothing_else_during(evidence: Evidence) -> Check:
    """Both channels come out of one card, so whatever of c2 leaks into c1 lies at the very same frames."""
    cut_s, back_s = _emergency(evidence)
    first, last = (evidence.bulletin_at + round(at * evidence.recording.rate) for at in (cut_s, back_s))
    here, there = (evidence.recording.samples[max(first, 0) : last, channel] for channel in (LEFT, RIGHT))
    leaks = [leak for _, leak in match.leaks(there, here, evidence.recording.rate)]
    over_all = abs(match.leak(there, here) or 0.0)
    worst = max((abs(leak) for leak in leaks), default=1.0)
    return Check(
        worst <= LEAK_MAX and over_all <= LEAK_MAX_OVER_ALL and cut_s >= CUT_IN_AFTER_S - 1,
        "trong lúc khẩn cấp, c1 không nghe bản tin",
        "during the emergency c1 heard none of the bulletin",
        f"{over_all:.3f} of it, {worst:.2f} at worst",
    )


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
    return Check(held, "rơ-le đóng đủ sớm trước mẫu đầu", f"relays closed ≥ {WARM_UP_MS} ms before sound", f"{shown} ms")


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


def _outcomes(story: Story, evidence: Evidence) -> Check:
    plays = [row for row in evidence.told.rows if row["kind"] == "play"]
    outcomes = {row["job_id"]: (row["outcome"], row["reason"]) for row in plays}
    held = outcomes.get(story.bulletin) == outcomes.get(story.flood) == ("succeeded", None)
    held = held and outcomes.get(story.second) == ("interrupted", "power_cut")
    vietnamese, english = "nhật ký ở máy chủ ghi đúng điều đã xảy ra", "the headend's log says what happened"
    return Check(held, vietnamese, english, f"{len(plays)} plays")


def _whole_chain(evidence: Evidence) -> Check:
    fault = verify_chain(evidence.told.chain)
    held = fault is None and bool(evidence.told.chain)
    return Check(held, "chuỗi băm của nhật ký nguyên vẹn", "the log's hash chain holds", str(fault or "whole"))


def _refusals(story: Story, evidence: Evidence) -> Check:
    outcomes = {(row["job_id"], row["reason"]) for row in evidence.told.rows}
    missing = [
        name
        for name, (job_id, reason) in story.refused.items()
        if (job_id, reason) not in evidence.told.answers and (job_id, reason.value) not in outcomes
    ]
    told = f"{len(story.refused) - len(missing)}/{WRONG_ORDERS}"
    held = not missing and len(story.refused) == WRONG_ORDERS
    return Check(held, "năm lệnh sai bị từ chối đúng lý do", "five wrong orders, each refused by name", told)


def _seen(story: Story) -> Check:
    seen = (story.birth_seen, story.heartbeats > 0, story.goodbye_seen, story.will_seen)
    vietnamese = "báo bắt đầu, báo trạng thái định kỳ, tắt đúng cách, di chúc"
    return Check(all(seen), vietnamese, "birth, heartbeat, goodbye and will were seen", str(seen))


def _signal(evidence: Evidence) -> Sounding | None:
    """The first attention signal in c1."""
    return next(iter(evidence.attentions(LEFT)), None)


def _spoken(evidence: Evidence) -> list[match.Window]:
    """The words of the order, half second by half second, as they were heard behind the signal."""
    signal, rate = _signal(evidence), evidence.recording.rate
    if signal is None:
        return []
    begins = round((signal.end_s + ATTENTION_GAP_MS / 1000 - 0.2) * rate)
    part = evidence.recording.samples[begins : begins + len(evidence.flood) + rate, LEFT]
    if not len(part):
        return []
    found = match.windows(evidence.flood, part, match.place(evidence.flood, part), rate)
    return [one for one in found if one.likeness is not None]


def _emergency(evidence: Evidence) -> tuple[float, float]:
    """From where to where c1 was away, in seconds of the bulletin; nowhere if no signal was heard."""
    signal = _signal(evidence)
    if signal is None:
        return 0.0, 0.0
    zero_s = evidence.bulletin_at / evidence.recording.rate
    spoken_s = len(evidence.flood) / evidence.recording.rate
    return signal.start_s - zero_s, signal.end_s - zero_s + ATTENTION_GAP_MS / 1000 + spoken_s


def _windows(evidence: Evidence, channel: int) -> list[match.Window]:
    recording = evidence.recording
    found = match.windows(evidence.bulletin, recording.samples[:, channel], evidence.bulletin_at, recording.rate)
    return [window for window in found if window.likeness is not None]


def _enough(found: list[match.Window]) -> bool:
    """As good as all of it is there."""
    present = [window.present for window in found]
    gap = any(not one and not other for one, other in zip(present, present[1:], strict=False))
    return sum(present) >= max(1, min(len(found) - 1, CONTENT_SHARE * len(found))) and not gap


def _share(found: list[match.Window]) -> str:
    return f"{sum(window.present for window in found)}/{len(found)} half seconds"
