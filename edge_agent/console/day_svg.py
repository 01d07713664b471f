"""Draw a day's plan as a picture: a row for each zone, a bar for each sound, the hours across. Pure; judges nothing.

To be read on a phone, in a browser and from black and white paper: classes differ by pattern as well as by colour, what
is refused is a dashed outline with its reason below the pointer, and every label is Vietnamese. Plain SVG 1.1, the same
bytes for the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from edge_agent.console.catalogue import CLASSES, class_words, reason_words
from edge_agent.console.times import wall, weekday
from edge_agent.console.words import printable
from edge_agent.core.clock_trust import Now
from edge_agent.core.day_ahead import day_begins
from edge_agent.core.job import JobClass
from edge_agent.core.order import Window
from edge_agent.core.outlook import Planned
from edge_agent.core.policy import Rules
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import UtcMs, ZoneId
from edge_agent.core.wall_time import local_time

LEFT, TOP, RIGHT, ROW, BAR = 150, 64, 16, 76, 22
# Names of zones on the left, title and hours above; a row holds a bar, two lines of titles, and the words of a band.
LANES, LANE_PX, LETTER_PX = 2, 14, 7
# A title that would run into the one before it goes one line down; with no room there either, it stands in the tooltip.
DAY_HOURS = (5, 22)
DAY_HOUR_PX, NIGHT_HOUR_PX = 60, 22
# The hours in which a ward is spoken to are drawn wide, the night narrow.
BAR_PX_MIN = 3
# What lasts a minute must be seen.
NAME_CHARS, LABEL_CHARS = 20, 22
LEGEND_PX = 64

FILLS = {JobClass.NORMAL: "#8fb8de", JobClass.PRIORITY: "url(#priority)", JobClass.EMERGENCY: "url(#emergency)"}
PATTERNS = (
    "<defs>"
    '<pattern id="priority" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#f4b860"/><line x1="0" y1="0" x2="0" y2="6" stroke="#7a4a00" stroke-width="2"/>'
    "</pattern>"
    '<pattern id="emergency" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" fill="#c0271d"/><circle cx="3" cy="3" r="1" fill="#ffffff"/></pattern>'
    '<pattern id="quiet" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="8" height="8" fill="#f1f1f1"/><line x1="0" y1="0" x2="0" y2="8" stroke="#d5d5d5" stroke-width="2"/>'
    "</pattern>"
    '<pattern id="silence" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect width="5" height="5" fill="#ffffff"/><path d="M0 0L5 5M5 0L0 5" stroke="#b9b9b9" stroke-width="0.6"/>'
    "</pattern>"
    "</defs>"
)


def day_svg(
    plan: tuple[Planned, ...], site: Site, rules: Rules, day: date, now: Now, only: ZoneId | None = None
) -> str:
    """The picture of one local day, as a whole SVG document; of one zone, or of all."""
    drawn = site.zones if only is None else [only]
    rows = {zone: TOP + ROW * number for number, zone in enumerate(drawn)}
    axis = _Axis(day, site.timezone)
    height = TOP + ROW * len(rows) + LEGEND_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{axis.width}" height="{height}" '
        f'viewBox="0 0 {axis.width} {height}" font-family="sans-serif" font-size="12">',
        PATTERNS,
        f'<rect width="{axis.width}" height="{height}" fill="#ffffff"/>',
        _text(LEFT, 20, f"Lịch phát {weekday(day).vi} {day:%d/%m/%Y} – {site.station}", 'font-size="16"'),
        *_quiet(rules, axis, rows),
        *_windows(rules, axis, rows),
        *_grid(site, axis, rows),
        *(bar for one in plan for bar in _bars(one, axis, rows)),
        *_labels(plan, axis, rows),
        *_now_line(now, axis, rows),
        *_legend(height - LEGEND_PX + 26),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Axis:
    """Where an instant of the day stands, in whole pixels; by the wall clock, so each day is drawn alike."""

    def __init__(self, day: date, timezone: str) -> None:
        self.timezone = timezone
        self.first, self.last = (day_begins(at, timezone) for at in (day, day + timedelta(days=1)))
        self.width = LEFT + self.of_hours(24) + RIGHT

    def of_hours(self, hours: float) -> int:
        """Pixels from midnight."""
        wide = min(max(hours - DAY_HOURS[0], 0), DAY_HOURS[1] - DAY_HOURS[0])
        return round(wide * DAY_HOUR_PX + (hours - wide) * NIGHT_HOUR_PX)

    def x(self, utc: UtcMs) -> int:
        """Where an instant stands; what lies outside of the day stands at its edge."""
        if utc <= self.first:
            return LEFT
        if utc >= self.last:
            return LEFT + self.of_hours(24)
        local = local_time(utc, self.timezone)
        return LEFT + self.of_hours(local.hour + (local.minute * 60 + local.second) / 3_600)


def _quiet(rules: Rules, axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    """Hours in which nothing ordinary sounds, of the clauses that speak of every class."""
    for clause in rules.policy.clauses:
        if clause.quiet is None or clause.classes:
            continue
        begins, ends = (at.hour + at.minute / 60 for at in clause.quiet)
        spans = [(begins, ends)] if begins < ends else [(0.0, ends), (begins, 24.0)]
        words = f"Giờ không phát {wall(clause.quiet[0]).vi} – {wall(clause.quiet[1]).vi}"
        for zone, y in rows.items():
            if not clause.zones or zone in clause.zones:
                for first, last in spans:
                    x = LEFT + axis.of_hours(first)
                    width = LEFT + axis.of_hours(last) - x
                    yield _rect(x, y, width, ROW, 'fill="url(#quiet)" class="quiet"', words)


def _windows(rules: Rules, axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    """Dated silences and exceptions as bands with their basis."""
    for window in sorted(rules.windows, key=lambda window: (window.begins, window.heading.order_id)):
        x, end = axis.x(window.begins), axis.x(window.ends)
        if end <= x:
            continue
        label, look = _look_of(window)
        named = window.heading.audience.zones
        for y in (y for zone, y in rows.items() if not named or zone in named):
            yield _rect(x, y, end - x, ROW, look, f"{label}: {window.basis}")
            yield _text(x + 3, y + ROW - 4, _short(f"{label}: {window.basis}", end - x), 'fill="#444444"')


def _look_of(window: Window) -> tuple[str, str]:
    if window.loosens is None:
        return "Tạm ngừng phát", 'fill="url(#silence)" stroke="#666666" class="silence"'
    return "Trường hợp đặc biệt", 'fill="#e6f3e1" stroke="#4a7a3a" stroke-dasharray="2 2" class="exception"'


def _grid(site: Site, axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    bottom = TOP + ROW * len(rows)
    for hour in range(25):
        x = LEFT + axis.of_hours(hour)
        weight = "#999999" if DAY_HOURS[0] <= hour <= DAY_HOURS[1] else "#dddddd"
        yield f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" stroke="{weight}" stroke-width="0.5"/>'
        if DAY_HOURS[0] <= hour <= DAY_HOURS[1] or hour in (0, 24):
            yield _text(x, TOP - 10, f"{hour}h", 'text-anchor="middle"')
    for zone, y in rows.items():
        yield f'<line x1="0" y1="{y}" x2="{axis.width}" y2="{y}" stroke="#999999" stroke-width="0.5"/>'
        yield _text(6, y + ROW // 2 + 4, _cut(site.zones[zone].name, NAME_CHARS), 'font-weight="bold"')


def _bars(one: Planned, axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    """One bar in each row that it is for."""
    x = axis.x(one.starts)
    width = max(axis.x(one.ends) - x, BAR_PX_MIN)
    for zone in _rows_of(one, rows):
        y = rows[zone] + 4
        reason = one.out.get(zone) if one.reason is None else one.reason
        if reason is not None:
            yield from _refused(one, reason, x, y, width, axis)
            continue
        fill = f'fill="{FILLS[one.cls]}" stroke="#222222" class="{one.cls.value}"'
        words = f"{_times(one, axis)} {one.title} ({class_words(one).vi}), âm lượng {one.volumes.get(zone, 0)}"
        yield _rect(x, y, width, BAR, fill, f"{words}; bị cắt: bắt đầu giờ không phát" if one.cut else words)


def _rows_of(one: Planned, rows: dict[ZoneId, int]) -> tuple[ZoneId, ...]:
    return tuple(zone for zone in one.zones if zone in rows)


def _labels(plan: tuple[Planned, ...], axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    """Beginning and title below each bar that has room for them."""
    taken = {zone: [0] * LANES for zone in rows}
    for one in plan:
        x = axis.x(one.starts)
        for zone in _rows_of(one, rows):
            refused = one.reason is not None or zone in one.out
            begins = wall(local_time(one.starts, axis.timezone).time()).vi
            words = _cut(f"{'✕ ' if refused else ''}{begins} {one.title}", LABEL_CHARS)
            lane = next((number for number in range(LANES) if taken[zone][number] <= x), None)
            if lane is not None:
                taken[zone][lane] = x + LETTER_PX * len(words)
                y = rows[zone] + 4 + BAR + LANE_PX * lane + 12
                yield _text(x, y, words, 'font-style="italic"' if refused else "")


def _refused(one: Planned, reason: Reason, x: int, y: int, width: int, axis: _Axis) -> Iterator[str]:
    look = 'fill="#ffffff" stroke="#222222" stroke-dasharray="3 2" class="refused"'
    yield _rect(x, y, width, BAR, look, f"{_times(one, axis)} {one.title}: KHÔNG PHÁT, {reason_words(reason).vi}")
    cross = f"M{x} {y}L{x + width} {y + BAR}M{x + width} {y}L{x} {y + BAR}"
    yield f'<path d="{cross}" stroke="#222222" stroke-width="0.8"/>'


def _times(one: Planned, axis: _Axis) -> str:
    begins, ends = (wall(local_time(at, axis.timezone).time()).vi for at in (one.starts, one.ends))
    return f"{begins}–{ends}"


def _now_line(now: Now, axis: _Axis, rows: dict[ZoneId, int]) -> Iterator[str]:
    if not axis.first <= now.utc < axis.last:
        return
    x, bottom = axis.x(now.utc), TOP + ROW * len(rows)
    yield f'<line class="now" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" stroke="#000000" stroke-width="2"/>'
    yield _text(x, TOP - 24, f"bây giờ {wall(local_time(now.utc, axis.timezone).time()).vi}", 'text-anchor="middle"')


def _legend(y: int) -> Iterator[str]:
    looks = [(f'fill="{FILLS[cls]}" stroke="#222222"', CLASSES[cls].vi) for cls in JobClass]
    looks += [
        ('fill="#ffffff" stroke="#222222" stroke-dasharray="3 2"', "không phát"),
        ('fill="url(#quiet)" stroke="#999999"', "giờ không phát"),
        ('fill="url(#silence)" stroke="#666666"', "tạm ngừng phát"),
        ('fill="#e6f3e1" stroke="#4a7a3a" stroke-dasharray="2 2"', "trường hợp đặc biệt"),
    ]
    for number, (look, words) in enumerate(looks):
        x = LEFT + number * 150
        yield _rect(x, y, 22, 14, look, words)
        yield _text(x + 28, y + 12, words, "")


def _rect(x: int, y: int, width: int, height: int, look: str, title: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {look}><title>{_escaped(title)}</title></rect>'


def _text(x: int, y: int, words: str, look: str) -> str:
    return f'<text x="{x}" y="{y}"{" " if look else ""}{look}>{_escaped(words)}</text>'


def _short(words: str, width: int) -> str:
    """As much of it as a band has room for."""
    return _cut(words, max(width // LETTER_PX, 1))


def _cut(words: str, chars: int) -> str:
    return words if len(words) <= chars else words[: max(chars - 1, 0)] + "…"


def _escaped(words: str) -> str:
    """A title is somebody's words: nothing in it is markup, and nothing that XML forbids gets in."""
    plain = printable(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace('"', "&quot;")
