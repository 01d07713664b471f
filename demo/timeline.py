"""Draw the demo as one picture: jobs, relays and the level heard in each zone, over one axis of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from demo.acts import Story
from demo.ear import ATTENTION
from demo.evidence import Evidence
from demo.ward import ZONES
from edge_agent.core.as_run import Evidence as Seen
from edge_agent.core.reasons import WORDS_VI
from edge_agent.headend.words import PHASES

WIDTH, LEFT, TOP, ROW = 1320, 190, 118, 96
PLOT = WIDTH - LEFT - 24
FLOOR_DB = -60.0
POINTS_PER_S = 20
LETTER = 0.62
# Width of a letter of this font, as a share of its size.
BEFORE_MS, AFTER_MS, BEHIND_KILL_MS = 10_000, 2_000, 8_000
FONT = "font-family='DejaVu Sans, Noto Sans, sans-serif'"
BLUE, RED, VIOLET, GREY, GREEN = "#2b6cb0", "#c53030", "#6b46c1", "#718096", "#2f855a"

Span = tuple[float, float]


def draw(story: Story, evidence: Evidence) -> str:
    """The picture as SVG."""
    axis = _Axis(story.due_ms - BEFORE_MS, _end_ms(story, evidence))
    bottom = TOP + ROW * (1 + len(ZONES))
    rows = {row["job_id"]: row for row in evidence.told.rows if row["kind"] == "play"}
    parts = [*_grid(axis, story, bottom), *_zones(axis, story, evidence, rows), *_jobs(axis, story, evidence, rows)]
    parts += [*_kill(axis, story, bottom), *_refused(story, bottom)]
    height = bottom + 64 + 22 * len(story.refused) + 24
    size = f"viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'"
    subtitle = "One signed broadcast, from order to sound: jobs, relays, and the level recorded behind alsa-lib"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} {FONT}>"
        f"<rect width='100%' height='100%' fill='white'/>"
        f"{_text(24, 34, 'Một buổi phát, từ lệnh đã ký số đến tiếng loa', 20, weight='bold')}"
        f"{_text(24, 56, subtitle, 13, GREY)}"
        f"{''.join(_legend())}" + "\n".join(parts) + "</svg>\n"
    )


class _Axis:
    """Boot time to pixels."""

    def __init__(self, begin_ms: float, end_ms: float) -> None:
        self.begin_ms, self.end_ms = begin_ms, end_ms

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.begin_ms) / (self.end_ms - self.begin_ms)
        return LEFT + PLOT * min(max(share, 0.0), 1.0)


def _end_ms(story: Story, evidence: Evidence) -> float:
    return max(story.killed_ms + BEHIND_KILL_MS, *(move.at_ms + AFTER_MS for move in evidence.moves), 0)


def _legend() -> Iterator[str]:
    x = 24.0
    for color, words in (
        (BLUE, "bản tin / bulletin"),
        (RED, "khẩn cấp / emergency"),
        (VIOLET, "lần hai, bị giết / second run, killed"),
        (GREEN, "rơ-le đóng / relay closed"),
    ):
        yield f"<rect x='{x:.1f}' y='70' width='14' height='14' rx='2' fill='{color}'/>"
        yield _text(x + 20, 82, words, 12)
        x += 44 + len(words) * 12 * LETTER


def _grid(axis: _Axis, story: Story, bottom: int) -> Iterator[str]:
    for second in range(-BEFORE_MS // 1000, int((axis.end_ms - story.due_ms) / 1000) + 1, 5):
        x = axis.x(story.due_ms + second * 1000)
        yield f"<line x1='{x:.1f}' y1='{TOP - 8}' x2='{x:.1f}' y2='{bottom}' stroke='#e2e8f0'/>"
        yield _text(x - 10, bottom + 16, f"{second:+d} s" if second else "giờ phát", 11, GREY)


def _jobs(axis: _Axis, story: Story, evidence: Evidence, rows: dict[str, Any]) -> Iterator[str]:
    yield _text(24, TOP + 30, "Lệnh phát", 14, weight="bold")
    yield _text(24, TOP + 48, "jobs", 12, GREY)
    for job, y, color in ((story.bulletin, 4, BLUE), (story.flood, 36, RED), (story.second, 4, VIOLET)):
        if job in rows:
            start, end = _span(rows[job], story, evidence)
            yield _bar(axis.x(start), axis.x(end), TOP + y, _title(rows[job]), color)


def _title(row: dict[str, Any]) -> str:
    return f"{row['items'][0]['title']}: {PHASES[row['outcome']]}{' (' + row['reason'] + ')' if row['reason'] else ''}"


def _bar(x: float, end: float, y: float, title: str, color: str) -> str:
    """A bar with its title inside, or under it, ending where it ends, where that is too short."""
    width = max(end - x, 2.0)
    if len(title) * 12 * LETTER + 12 <= width:
        words = _text(x + 6, y + 17, title, 12, "white")
    else:
        words = _text(end, y + 40, title, 12, color, anchor="end")
    return f"<rect x='{x:.1f}' y='{y}' width='{width:.1f}' height='24' rx='3' fill='{color}'/>{words}"


def _span(row: dict[str, Any], story: Story, evidence: Evidence) -> Span:
    """From where to where an occurrence sounded, by its record; of the killed one nobody but the relays knows."""
    if row["job_id"] == story.second:
        closed = [move.at_ms for move in evidence.moves if move.on and move.at_ms > story.first_off_ms]
        return min(closed, default=story.killed_ms), story.killed_ms
    played_ms = row["played_ms"]
    return row["ended_mono"] - (played_ms if isinstance(played_ms, int) else 0), row["ended_mono"]


def _zones(axis: _Axis, story: Story, evidence: Evidence, rows: dict[str, Any]) -> Iterator[str]:
    for index, (zone, name) in enumerate(ZONES.items()):
        top = TOP + ROW * (index + 1)
        yield _text(24, top + 22, f"Cụm {zone}", 14, weight="bold")
        yield _text(24, top + 40, name, 11, GREY)
        for closed_ms, open_ms in evidence.closings(zone):
            x, until = axis.x(closed_ms), axis.x(open_ms)
            box = f"x='{x:.1f}' y='{top + 2}' width='{until - x:.1f}' height='{ROW - 14}'"
            yield f"<rect {box} fill='{GREEN}' opacity='0.12'/>"
            yield f"<rect x='{x:.1f}' y='{top + ROW - 12}' width='{until - x:.1f}' height='4' fill='{GREEN}'/>"
        yield _level(axis, evidence, index, top, (axis.begin_ms, story.first_off_ms or axis.end_ms), BLUE)
        if story.first_off_ms:
            yield _level(axis, evidence, index, top, (story.first_off_ms, axis.end_ms), VIOLET)
        for one in evidence.chimes(index):
            yield _text(axis.x(evidence.at_ms(one.start_s)), top + 14, "nhạc hiệu", 11, GREY)
        yield from _taken(axis, evidence, index, zone, rows.get(story.flood))


def _taken(axis: _Axis, evidence: Evidence, index: int, zone: str, row: dict[str, Any] | None) -> Iterator[str]:
    """The span that the emergency took from this zone, in its own colour over the bulletin's."""
    if row is None or not any(one["zone"] == zone and one["evidence"] >= Seen.SAMPLES_OUT for one in row["zones"]):
        return
    top = TOP + ROW * (index + 1)
    start, end = row["ended_mono"] - (row["played_ms"] or 0), row["ended_mono"]
    x, until = axis.x(start), axis.x(end)
    yield f"<rect x='{x:.1f}' y='{top + 2}' width='{until - x:.1f}' height='{ROW - 14}' fill='#fff5f5'/>"
    yield _level(axis, evidence, index, top, (start, end), RED)
    yield f"<rect x='{x:.1f}' y='{top + ROW - 12}' width='{until - x:.1f}' height='4' fill='{GREEN}'/>"
    for one in evidence.soundings[index]:
        if one.what == ATTENTION:
            yield _text(axis.x(evidence.at_ms(one.start_s)) + 4, top + 14, "âm báo hiệu", 11, RED)
            yield _text(axis.x(evidence.at_ms(one.end_s)) + 4, top + 14, "lời tin khẩn cấp", 11, RED)


def _level(axis: _Axis, evidence: Evidence, channel: int, top: int, span: Span, color: str) -> str:
    """The peak of every 50 ms of a span in dB, as an area."""
    recording = evidence.recording
    step = recording.rate // POINTS_PER_S
    first = max(0, recording.frame_at(span[0]))
    samples = (
        np.abs(recording.samples[first : max(0, recording.frame_at(span[1])), channel].astype(np.float64)) / 32_768
    )
    count = len(samples) // step
    peaks = samples[: count * step].reshape(count, step).max(axis=1) if count else np.zeros(0)
    levels = np.clip(20 * np.log10(np.maximum(peaks, 1e-6)), FLOOR_DB, 0)
    base, height = top + ROW - 14, ROW - 34
    points = [
        (axis.x(recording.instant_ms(first + (index + 0.5) * step)), base - height * (1 - level / FLOOR_DB))
        for index, level in enumerate(levels)
    ]
    if not points:
        return ""
    outline = [(points[0][0], base), *points, (points[-1][0], base)]
    return f"<polygon points='{' '.join(f'{x:.1f},{y:.1f}' for x, y in outline)}' fill='{color}'/>"


def _kill(axis: _Axis, story: Story, bottom: int) -> Iterator[str]:
    if story.killed_ms:
        x = axis.x(story.killed_ms)
        yield f"<line x1='{x:.1f}' y1='{TOP - 14}' x2='{x:.1f}' y2='{bottom}' stroke='black' stroke-dasharray='5 4'/>"
        yield _text(x + 6, TOP - 8, "SIGKILL", 13, weight="bold")
        yield _text(x + 6, TOP + 44, "giết tiến trình:", 11)
        yield _text(x + 6, TOP + 58, "rơ-le mở ngay", 11)


def _refused(story: Story, bottom: int) -> Iterator[str]:
    y = bottom + 52
    yield _text(24, y, "Bị từ chối, không rơ-le nào đóng / refused, no relay moved:", 13, weight="bold")
    for index, (name, (_, reason)) in enumerate(story.refused.items()):
        yield _text(40, y + 22 * (index + 1), f"✗ {name}: {WORDS_VI[reason]} ({reason.value})", 12, RED)


def _text(
    x: float, y: float, text: str, size: int, color: str = "black", weight: str = "normal", anchor: str = "start"
) -> str:
    how = f"font-size='{size}' fill='{color}' font-weight='{weight}' text-anchor='{anchor}'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {how}>{escape(text)}</text>"
