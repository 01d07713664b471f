"""Lay the public timetable out as one HTML page: for the notice board, A4 and black and white, or the web. Pure.

It needs nothing else and may do nothing: no script, nothing fetched from anywhere, and the policy in its head forbids
both. Titles and names are somebody else's words, so that every one is escaped: what is not made by ``_tag`` is text.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from edge_agent.console.words import Text
from edge_agent.headend import week_words as words
from edge_agent.headend.week import Day, Kind, Line, Week

STYLE = """\
@page { size: A4; margin: 15mm }
body { font: 12pt/1.35 sans-serif; max-width: 180mm; margin: 0 auto; padding: 4mm; color: #000; background: #fff }
h1 { font-size: 20pt; margin: 0 } h2 { font-size: 13pt; margin: 5mm 0 1mm; break-after: avoid }
small { color: #444; font-size: 75%; font-weight: normal }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid }
th, td { border: 0.3mm solid #000; padding: 1mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
.time { width: 30mm } .place { width: 62mm }
.always { border: 0.6mm solid #000; padding: 2mm; font-weight: bold } .notice { margin: 1mm 0 }"""
NOTHING_ELSE = "default-src 'none'; style-src 'unsafe-inline'"
COLUMNS = (("time", Text("Giờ", "Time")), ("", Text("Chương trình", "Programme")), ("place", Text("Nơi nghe", "Where")))


def as_page(week: Week) -> str:
    """The whole document."""
    title = escape(f"{words.HEADING.vi} {words.span(week)}")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="vi">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_ELSE}">',
        f"<title>{title}</title>",
        f"<style>\n{STYLE}\n</style></head>",
        "<body>",
        _tag("h1", _both(words.HEADING)),
        _tag("p", escape(words.span(week))),
        _tag("p", _both(words.AT_ANY_TIME), "always"),
        *(line for day in week.days for line in _day(day)),
        *_foot(week),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _day(day: Day) -> Iterator[str]:
    yield _tag("h2", _both(words.weekday(day)))
    if day.lines:
        heads = "".join(_tag("th", _both(text), name) for name, text in COLUMNS)
        yield f"<table>\n<thead>{_tag('tr', heads)}</thead>\n<tbody>"
        yield from (_row(line, day) for line in day.lines)
        yield "</tbody>\n</table>"
    yield from (_tag("p", notice, "notice") for notice in _notices(day))


def _row(line: Line, day: Day) -> str:
    title = escape(words.title(line))
    cells = (words.times(line, day), _mark(line.kind) + title, words.places(line))
    return _tag("tr", _tag("td", escape(cells[0])) + _tag("td", cells[1]) + _tag("td", escape(cells[2])))


def _mark(kind: Kind) -> str:
    return f"{_tag('strong', _both(words.KINDS[kind]))}: " if kind in words.KINDS else ""


def _notices(day: Day) -> Iterator[str]:
    """Why a station refused is its officer's business: here nothing is known of its day, and that is said."""
    if day.nothing:
        yield _both(words.NOTHING_ELSEWHERE if day.missing else words.NOTHING)
    if day.cut_short:
        yield f"{_both(words.CUT_SHORT)}: {escape(words.stations(day.cut_short))}"
    if day.missing:
        yield f"{_both(words.UNANSWERED)}: {escape(words.stations(day.missing))}"


def _foot(week: Week) -> Iterator[str]:
    yield _tag("p", f"{_both(words.made(week))} {_both(words.LATER)}", "notice")
    for one in week.papers:
        yield _tag("p", _both(words.paper(one, alone=len(week.papers) == 1)), "notice")


def _both(text: Text) -> str:
    return f'{escape(text.vi)} <small lang="en">{escape(text.en)}</small>'


def _tag(name: str, inner: str, role: str = "") -> str:
    opened = f'{name} class="{role}"' if role else name
    return f"<{opened}>{inner}</{name}>"
