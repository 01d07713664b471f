"""Draw the demo as one picture: jobs, relays and the level heard in each zone, over one axis of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from demo.acts import Story
from demo.ear import ATTENTION
from demo.verdict import Evidence, closings
from demo.ward import ZONES, Ward
from edge_agent.core.reasons import WORDS_VI

WIDTH, LEFT, TOP, ROW = 1320, 190, 96, 92
PLOT = WIDTH - LEFT - 24
FLOOR_DB = -60.0
POINTS_PER_S = 20
FONT = "font-family='DejaVu Sans, Noto Sans, sans-serif'"
BLUE, RED, GREY, GREEN = "#2b6cb0", "#c53030", "#718096", "#2f855a"


def draw(ward: Ward, story: Story, evidence: Evidence) -> str:
    """The picture as SVG."""
    begin_ms = story.due_ms - 10_000
    end_ms = max(story.killed_ms + 8_000, *(move.at_ms + 2_000 for move in evidence.moves))
    axis = _Axis(begin_ms, end_ms)
    body = "\n".join(
        [*_grid(axis, story), *_jobs(axis, ward, story, evidence), *_zones(axis, evidence), *_refused(story)]
    )
    height = TOP + ROW * (1 + len(ZONES)) + 40 + 22 * len(story.refused) + 60
    size = f"viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'"
    subtitle = "One signed broadcast, from order to sound: jobs, relays, and the level recorded behind alsa-lib"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} {FONT}>"
        f"<rect width='100%' height='100%' fill='white'/>"
        f"{_text(24, 34, 'Một buổi phát, từ lệnh đã ký số đến tiếng loa', 20, weight='bold')}"
        f"{_text(24, 58, subtitle, 13, GREY)}"
        f"{body}</svg>\n"
    )


class _Axis:
    """Boot time to pixels."""

    def __init__(self, begin_ms: float, end_ms: float) -> None:
        self.begin_ms, self.end_ms = begin_ms, end_ms

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.begin_ms) / (self.end_ms - self.begin_ms)
        return LEFT + PLOT * min(max(share, 0.0), 1.0)


def _grid(axis: _Axis, story: Story) -> Iterator[str]:
    bottom = TOP + ROW * (1 + len(ZONES)) + 8
    for second in range(-10, int((axis.end_ms - story.due_ms) / 1000) + 1, 5):
        x = axis.x(story.due_ms + second * 1000)
        yield f"<line x1='{x:.1f}' y1='{TOP - 8}' x2='{x:.1f}' y2='{bottom}' stroke='#e2e8f0'/>"
        yield _text(x - 10, bottom + 16, f"{second:+d} s", 11, GREY)


def _jobs(axis: _Axis, ward: Ward, story: Story, evidence: Evidence) -> Iterator[str]:
    yield _text(24, TOP + 30, "Lệnh phát", 14, weight="bold")
    yield _text(24, TOP + 48, "jobs", 12, GREY)
    rows = {row["job_id"]: row for row in ward.rows() if row["kind"] == "play"}
    for job, y, color in ((story.bulletin, 4, BLUE), (story.flood, 32, RED), (story.second, 4, GREY)):
        row = rows[job]
        start = row["ended_mono"] - _sounded_ms(row)
        if job == story.second:
            start = min(move.at_ms for move in evidence.moves if move.on and move.at_ms > story.first_off_ms)
            row = {**row, "ended_mono": story.killed_ms}
        x, end = axis.x(start), axis.x(row["ended_mono"])
        title = escape(f"{row['items'][0]['title']}: {row['outcome']} {row['reason'] or ''}")
        yield f"<rect x='{x:.1f}' y='{TOP + y}' width='{max(end - x, 2):.1f}' height='24' rx='3' fill='{color}'/>"
        yield _text(x + 6, TOP + y + 16, title, 12, "white" if end - x > 150 else "black")


def _sounded_ms(row: dict[str, object]) -> int:
    played = row["played_ms"]
    return played if isinstance(played, int) else 0


def _zones(axis: _Axis, evidence: Evidence) -> Iterator[str]:
    for index, (zone, name) in enumerate(ZONES.items()):
        top = TOP + ROW * (index + 1)
        yield _text(24, top + 22, f"Cụm {zone}", 14, weight="bold")
        yield _text(24, top + 40, escape(name), 11, GREY)
        yield _text(24, top + 58, "xanh: rơ-le đóng / relay on", 11, GREEN)
        for start, end in closings(evidence.moves, zone, evidence.recording):
            x, until = (axis.x(evidence.recording.instant_ms(frame)) for frame in (start, end))
            box = f"x='{x:.1f}' y='{top + 2}' width='{until - x:.1f}' height='{ROW - 14}'"
            yield f"<rect {box} fill='{GREEN}' opacity='0.14'/>"
            yield f"<rect x='{x:.1f}' y='{top + ROW - 14}' width='{until - x:.1f}' height='4' fill='{GREEN}'/>"
        yield _level(axis, evidence, index, top)
        for one in evidence.soundings[index]:
            if one.what == ATTENTION:
                x = axis.x(evidence.recording.instant_ms(round(one.start_s * evidence.recording.rate)))
                yield _text(x + 4, top + 14, "âm báo hiệu", 11, RED)


def _level(axis: _Axis, evidence: Evidence, channel: int, top: int) -> str:
    """The peak of every 50 ms in dB, as an area."""
    recording = evidence.recording
    step = recording.rate // POINTS_PER_S
    samples = np.abs(recording.samples[:, channel].astype(np.float64)) / 32_768
    count = len(samples) // step
    peaks = samples[: count * step].reshape(count, step).max(axis=1)
    levels = np.clip(20 * np.log10(np.maximum(peaks, 1e-6)), FLOOR_DB, 0)
    base = top + ROW - 14
    height = ROW - 34
    points = [f"{axis.x(axis.begin_ms):.1f},{base}"]
    for index, level in enumerate(levels):
        at = recording.instant_ms(index * step)
        if axis.begin_ms <= at <= axis.end_ms:
            points.append(f"{axis.x(at):.1f},{base - height * (1 - level / FLOOR_DB):.1f}")
    points.append(f"{axis.x(axis.end_ms):.1f},{base}")
    return f"<polygon points='{' '.join(points)}' fill='{BLUE}' opacity='0.75'/>"


def _refused(story: Story) -> Iterator[str]:
    y = TOP + ROW * (1 + len(ZONES)) + 56
    yield _text(24, y, "Bị từ chối, không rơ-le nào đóng / refused, no relay moved:", 13, weight="bold")
    for index, (name, (_, reason)) in enumerate(story.refused.items()):
        yield _text(40, y + 22 * (index + 1), escape(f"✗ {name}: {WORDS_VI[reason]} ({reason.value})"), 12, RED)


def _text(x: float, y: float, text: str, size: int, color: str = "black", weight: str = "normal") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{color}' font-weight='{weight}'>{text}</text>"
