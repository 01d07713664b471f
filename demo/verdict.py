"""Judge the demo: what was heard, against what was ordered. Listens to the recording and never asks the player.

Each check is one line with what was measured; the demo succeeds only when all of them hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo import match, sounds
from demo.acts import CUT_IN_AFTER_S, Story, recorded
from demo.ear import ATTENTION, Sounding, listen
from demo.ward import STATION, WARM_UP_MS, RelayMove, Ward
from edge_agent.core.programme import ATTENTION_GAP_MS, ATTENTION_MS
from edge_agent.journal.record import verify_chain
from tests.host.recording import Recording

LEFT, RIGHT = 0, 1
ON_TIME_MS = 150
# Host timing: a null sink and two busy cores; the bench measures finer.
CUT_IN_MS = 400
OPEN_AFTER_MS = 1_500
KILLED_OPEN_MS = 1_500
CONTENT_SHARE = 0.95
# Of the half seconds that hold sound, those that must be found again; one may always hold an underrun's seam.
MARGIN_S = 0.6


@dataclass(frozen=True)
class Check:
    """One thing that was promised, whether it held, and what was measured."""

    held: bool
    vietnamese: str
    english: str
    measured: str


@dataclass(frozen=True)
class Evidence:
    """The recording, where each sound lies in it, and the relays."""

    recording: Recording
    bulletin: np.ndarray
    bulletin_at: int
    soundings: tuple[list[Sounding], list[Sounding]]
    moves: list[RelayMove]


def gather(ward: Ward, folder: Path, recording: Recording) -> Evidence:
    """Look at the recording once."""
    bulletin = sounds.samples_of(folder / "bulletin.mp3")
    at = match.place(bulletin, recording.samples[:, RIGHT])
    soundings = tuple(listen(recording.samples[:, channel], recording.rate, {}) for channel in (LEFT, RIGHT))
    return Evidence(recording, bulletin, at, (soundings[0], soundings[1]), ward.moves())


def checks(ward: Ward, story: Story, folder: Path, evidence: Evidence) -> Iterator[Check]:
    """Every promise of the demo."""
    yield _on_time(story, evidence)
    yield _whole_on_the_right(evidence)
    yield _cut_in_time(story, evidence)
    yield _attention(evidence)
    yield _words(folder, evidence)
    yield from _left_channel(folder, evidence)
    yield _warm(evidence)
    yield _no_sound_without_relay(evidence)
    yield _opened_after_last_sample(evidence)
    yield _killed(story, evidence)
    yield from _told(ward, story)


def _on_time(story: Story, evidence: Evidence) -> Check:
    off = evidence.recording.instant_ms(evidence.bulletin_at) - story.due_ms
    return Check(abs(off) <= ON_TIME_MS, "bản tin bắt đầu đúng giờ", "the bulletin starts on time", f"{off:+.1f} ms")


def _whole_on_the_right(evidence: Evidence) -> Check:
    found = _windows(evidence, RIGHT)
    present = [window for window in found if window.present]
    return Check(
        _enough(len(present), len(found)),
        "cụm c2 nghe trọn bản tin",
        "c2 heard the whole bulletin",
        f"{len(present)}/{len(found)} half seconds",
    )


def _cut_in_time(story: Story, evidence: Evidence) -> Check:
    (signal,) = _attentions(evidence) or [Sounding(ATTENTION, 0, 0)]
    late = evidence.recording.instant_ms(round(signal.start_s * evidence.recording.rate)) - story.flood_ms
    # The words are spoken by the station itself before the signal may begin: an espeak-ng child takes its time.
    return Check(
        0 <= late <= CUT_IN_MS + 1_000,
        "tin khẩn cấp cắt vào c1",
        "the emergency cuts in on c1",
        f"{late:.0f} ms after signing began",
    )


def _attention(evidence: Evidence) -> Check:
    found = _attentions(evidence)
    lasts = [round((one.end_s - one.start_s) * 1000) for one in found]
    held = len(lasts) == 1 and abs(lasts[0] - ATTENTION_MS) <= 60
    return Check(held, "âm báo hiệu 6 giây, một lần, chỉ ở c1", "the attention signal, once, on c1 only", f"{lasts} ms")


def _words(folder: Path, evidence: Evidence) -> Check:
    """The station spoke: its words are those of the order, told by speaking them again here and comparing."""
    spoken = sounds.samples_of(folder / "flood.wav")
    (signal,) = _attentions(evidence) or [Sounding(ATTENTION, 0, 0)]
    begins = round((signal.end_s + ATTENTION_GAP_MS / 1000 - 0.2) * evidence.recording.rate)
    part = evidence.recording.samples[begins : begins + len(spoken) + evidence.recording.rate, LEFT]
    at = match.place(spoken, part)
    found = [one for one in match.windows(spoken, part, at, sounds.RATE) if one.likeness is not None]
    present = [one for one in found if one.present]
    return Check(
        _enough(len(present), len(found)),
        "trạm tự đọc đúng lời tin khẩn cấp",
        "the station spoke the emergency's words",
        f"{len(present)}/{len(found)} half seconds",
    )


def _left_channel(folder: Path, evidence: Evidence) -> Iterator[Check]:
    (signal,) = _attentions(evidence) or [Sounding(ATTENTION, 0, 0)]
    zero_s = evidence.bulletin_at / evidence.recording.rate
    cut_s = signal.start_s - zero_s
    spoken_s = len(sounds.samples_of(folder / "flood.wav")) / sounds.RATE
    back_s = signal.end_s - zero_s + ATTENTION_GAP_MS / 1000 + spoken_s
    found = _windows(evidence, LEFT)
    before = [window for window in found if window.at_s + match.WINDOW_S <= cut_s - 0.05]
    during = [window for window in found if cut_s <= window.at_s and window.at_s + match.WINDOW_S <= back_s - MARGIN_S]
    after = [window for window in found if window.at_s >= back_s + MARGIN_S]
    heard = f"{sum(one.present for one in before)}/{len(before)}, {sum(one.present for one in after)}/{len(after)}"
    yield Check(
        all(one.present for one in before) and all(one.present for one in after) and bool(before) and bool(after),
        "c1 nghe bản tin trước và sau tin khẩn cấp, đúng chỗ của chương trình",
        "c1 heard the bulletin before and after, at the programme's own place",
        f"{heard} half seconds",
    )
    yield Check(
        bool(during) and not any(one.present for one in during) and cut_s >= CUT_IN_AFTER_S - 1,
        "trong lúc khẩn cấp, c1 không nghe bản tin",
        "during the emergency c1 heard none of the bulletin",
        f"{sum(one.present for one in during)}/{len(during)} half seconds",
    )


def _warm(evidence: Evidence) -> Check:
    """S2: the relay closes at least the warm-up before the first sample."""
    leads = []
    for channel, zone in ((LEFT, "c1"), (RIGHT, "c2")):
        first_on = min(move.at_ms for move in evidence.moves if move.on and move.zone == zone)
        first_sound = evidence.recording.instant_ms(evidence.recording.onset(channel, above=match.SILENT) or 0)
        leads.append(first_sound - first_on)
    shown = ", ".join(f"{lead:.0f} ms" for lead in leads)
    held = min(leads) >= WARM_UP_MS
    return Check(held, "rơ-le đóng đủ sớm trước mẫu đầu", f"relays closed ≥ {WARM_UP_MS} ms before sound", shown)


def _no_sound_without_relay(evidence: Evidence) -> Check:
    """Nothing sounds while a zone's relay is open, so nothing refused sounded either."""
    stray = 0
    for channel, zone in ((LEFT, "c1"), (RIGHT, "c2")):
        loud = np.flatnonzero(np.abs(evidence.recording.samples[:, channel].astype(np.int32)) > match.SILENT)
        closed = np.zeros(len(evidence.recording.samples), bool)
        for start, end in closings(evidence.moves, zone, evidence.recording):
            closed[max(0, start) : max(0, end)] = True
        stray += int((~closed[loud]).sum())
    # SIGKILL: up to one buffer of 80 ms was queued in the card when the relay fell open; the amplifier was off for it.
    queued = round(0.25 * evidence.recording.rate) * 2
    held = stray <= queued
    return Check(held, "không có tiếng khi rơ-le mở", "no sound while a relay is open", f"{stray} samples")


def _opened_after_last_sample(evidence: Evidence) -> Check:
    """S2: of the first run, each relay opens after the last sample and soon."""
    waits = []
    for channel, zone in ((LEFT, "c1"), (RIGHT, "c2")):
        first_off = min(move.at_ms for move in evidence.moves if not move.on and move.zone == zone)
        end = evidence.recording.frame_at(first_off)
        last = evidence.recording.last(channel, above=match.SILENT, end=end + evidence.recording.rate // 4) or 0
        waits.append(first_off - evidence.recording.instant_ms(last))
    held = all(-5 <= wait <= OPEN_AFTER_MS for wait in waits)
    return Check(held, "rơ-le mở sau mẫu cuối", "relays open after the last sample", f"{[round(w) for w in waits]} ms")


def _killed(story: Story, evidence: Evidence) -> Check:
    opened = [move.at_ms - story.killed_ms for move in evidence.moves if not move.on][-2:]
    held = len(opened) == 2 and all(-100 <= wait <= KILLED_OPEN_MS for wait in opened)
    return Check(held, "giết tiến trình: rơ-le mở ngay", "SIGKILL: relays open at once", f"{opened} ms")


def _told(ward: Ward, story: Story) -> Iterator[Check]:
    outcomes = {row["job_id"]: (row["outcome"], row["reason"]) for row in ward.rows() if row["kind"] == "play"}
    yield Check(
        outcomes.get(story.bulletin) == outcomes.get(story.flood) == ("succeeded", None)
        and outcomes.get(story.second) == ("interrupted", "power_cut"),
        "nhật ký ở máy chủ ghi đúng điều đã xảy ra",
        "the headend's log says what happened",
        f"{len(recorded(ward))} plays",
    )
    fault = verify_chain(ward.headend.records(STATION))
    yield Check(fault is None, "chuỗi băm của nhật ký nguyên vẹn", "the log's hash chain holds", str(fault or "whole"))
    yield _refusals(ward, story)
    seen = (story.birth_seen, story.heartbeats > 0, story.goodbye_seen, story.will_seen)
    words = "báo bắt đầu, báo trạng thái định kỳ, tắt đúng cách, di chúc"
    yield Check(all(seen), words, "birth, heartbeat, goodbye and will were seen", str(seen))


def _refusals(ward: Ward, story: Story) -> Check:
    answers = {(answer.job_id, answer.reason) for _, answer in ward.headend.answers()}
    outcomes = {(row["job_id"], row["reason"]) for row in ward.rows()}
    missing = [
        name
        for name, (job_id, reason) in story.refused.items()
        if (job_id, reason) not in answers and (job_id, reason.value) not in outcomes
    ]
    told = f"{len(story.refused) - len(missing)}/{len(story.refused)}"
    held = not missing and len(story.refused) == 5
    return Check(held, "năm lệnh sai bị từ chối đúng lý do", "five wrong orders, each refused by name", told)


def closings(moves: list[RelayMove], zone: str, recording: Recording) -> Iterator[tuple[int, int]]:
    """The frames between which a zone's relay was closed."""
    since = None
    for move in (move for move in moves if move.zone == zone):
        if move.on and since is None:
            since = recording.frame_at(move.at_ms)
        elif not move.on and since is not None:
            yield since, recording.frame_at(move.at_ms)
            since = None


def _enough(present: int, found: int) -> bool:
    return found > 0 and present >= min(found - 1, CONTENT_SHARE * found)


def _windows(evidence: Evidence, channel: int) -> list[match.Window]:
    recording = evidence.recording
    found = match.windows(evidence.bulletin, recording.samples[:, channel], evidence.bulletin_at, recording.rate)
    return [window for window in found if window.likeness is not None]


def _attentions(evidence: Evidence) -> list[Sounding]:
    both = [one for channel in evidence.soundings for one in channel if one.what == ATTENTION]
    return [one for one in both if one in evidence.soundings[LEFT]]
