"""The acceptance report of a bench: what was tried, what came of it, which requirements that shows, and who signs.

Vietnamese first, on paper too. Each test that moved relays or was heard has its picture: a bar for every time that a
relay was closed, and one for every sound, over the seconds of the test. What a person said stands there as their word.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from hil_tests.rig import RigFile

WORDS = {
    "passed": ("ĐẠT", "passed"),
    "failed": ("KHÔNG ĐẠT", "failed"),
    "absent": ("KHÔNG CÓ TRÊN BÀN THỬ", "absent on this bench"),
}
COLOURS = {"a": "#8fb8de", "b": "#7bc47f", "c": "#f4b860", "attention": "#c0271d", "chime": "#b9b9b9", "speech": "#444"}
SECOND_PX, ROW_PX, LEFT_PX = 14, 20, 60
STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #111 }
table { border-collapse: collapse; width: 100% } td, th { border: 1px solid #999; padding: .3em .6em; text-align: left }
.passed { color: #1a6b1a } .failed { color: #b00020; font-weight: bold } .absent { color: #666 }
.en { color: #555 } pre { white-space: pre-wrap; background: #f4f4f4; padding: .6em }
.word { background: #fff6e0; padding: .3em .6em }
figure { margin: .5em 0 1.5em; overflow-x: auto } .sign td { height: 5em; vertical-align: top; width: 33% }
@media print { figure, tr { break-inside: avoid } }
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One test. ``outcome`` is a key of WORDS, ``why`` says more where it is not "passed"."""

    name: str
    outcome: str
    seconds: float
    rows: tuple[str, ...]
    why: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def results(junit: Path, evidence: Path) -> list[Result]:
    """What pytest wrote of a run, with the evidence that the tests left behind (one JSON file a test)."""
    return [_result(case, evidence) for case in ET.parse(junit).iter("testcase")]


def passed(done: Iterable[Result]) -> bool:
    """Whether anything was shown and nothing failed: what is absent was not tried."""
    return {one.outcome for one in done} - {"absent"} == {"passed"}


def html(rig: RigFile, done: Sequence[Result], rows: Sequence[str], when: str, version: str, *, only: str = "") -> str:
    """The whole page. ``rows`` are the numbers of the requirements that anything shows, in their order.

    ``only`` is what was chosen of the tests, "" where all were to run: people sign for what stands on the paper.
    """
    part = f"<p class=failed>CHỈ THỬ MỘT PHẦN / only a part was tried: {escape(only)}</p>" if only else ""
    parts = [
        f"<!doctype html><html lang=vi><meta charset=utf-8><title>{escape(rig.title_vi)}</title><style>{STYLE}</style>",
        "<h1>Biên bản nghiệm thu trạm loa <span class=en>/ acceptance report</span></h1>",
        f"<p>Bàn thử: <b>{escape(rig.title_vi)}</b> <span class=en>/ {escape(rig.title_en)}</span><br>",
        f"Phần mềm <span class=en>/ software</span>: {escape(version)}<br>",
        f"Lúc <span class=en>/ at</span>: {escape(when)}</p>",
        f"<h2>Kết luận: {_verdict('passed' if passed(done) else 'failed')}</h2>",
        part,
        _requirements(done, rows),
        _absent(rig),
        "<h2>Từng phép thử <span class=en>/ each test</span></h2>",
        *[_test(one) for one in done],
        _signatures(),
        "</html>",
    ]
    return "\n".join(parts)


def _result(case: ET.Element, evidence: Path) -> Result:
    name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
    rows = tuple(str(one.get("value")) for one in case.iter("property") if one.get("name") == "shows")
    outcome, why = "passed", ""
    for tag, meaning in (("failure", "failed"), ("error", "failed"), ("skipped", "absent")):
        if (found := case.find(tag)) is not None:
            outcome, why = meaning, found.get("message") or found.text or ""
    file = evidence / f"{case.get('name')}.json"
    left = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return Result(name, outcome, float(case.get("time", 0)), rows, why, left)


def _verdict(outcome: str) -> str:
    vi, en = WORDS[outcome]
    return f"<span class={outcome}>{vi} <span class=en>/ {en}</span></span>"


def _requirements(done: Iterable[Result], rows: Sequence[str]) -> str:
    lines = []
    for row in rows:
        about = [one for one in done if row in one.rows]
        outcomes = {one.outcome for one in about}
        outcome = "failed" if "failed" in outcomes else "passed" if "passed" in outcomes else "absent"
        names = ", ".join(escape(one.name.rpartition("::")[2]) + _by_word(one) for one in about)
        lines.append(f"<tr><td>{escape(row)}</td><td>{_verdict(outcome)}</td><td>{names}</td></tr>")
    head = "<tr><th>Yêu cầu / requirement<th>Kết quả / result<th>Phép thử / tests</tr>"
    return f"<h2>Theo từng yêu cầu <span class=en>/ by requirement</span></h2><table>{head}{''.join(lines)}</table>"


def _by_word(one: Result) -> str:
    return " <i>(có lời người / with a person's word)</i>" if one.evidence.get("words") else ""


def _absent(rig: RigFile) -> str:
    if not rig.absent:
        return ""
    items = "".join(f"<li><b>{escape(part)}</b>: {escape(why)}</li>" for part, why in rig.absent.items())
    return f"<h2>Không có trên bàn thử này <span class=en>/ not on this bench</span></h2><ul>{items}</ul>"


def _test(one: Result) -> str:
    why = f"<pre>{escape(one.why)}</pre>" if one.why else ""
    rows = f" ({escape(', '.join(one.rows))})" if one.rows else ""
    head = f"<h3>{_verdict(one.outcome)} {escape(one.name)}{rows}, {one.seconds:.1f} s</h3>"
    return f"{head}{why}{_words(one.evidence)}{picture(one.evidence)}"


def _words(evidence: Mapping[str, Any]) -> str:
    """What a person said; nothing where nobody was asked."""
    said = evidence.get("words", [])
    if not said:
        return ""
    who = escape(", ".join(sorted({one["who"] for one in said})))
    items = "".join(f"<li>{escape(one['at'])} {escape(one['asked'])} <b>{escape(one['said'])}</b></li>" for one in said)
    head = f"<b>Lời của {who}, không phải số đo / by the word of {who}, not measured</b>"
    return f"<div class=word>{head}<ul>{items}</ul></div>"


def picture(evidence: Mapping[str, Any]) -> str:
    """Relays and sounds over time, as SVG; nothing where a test left nothing."""
    edges, heard = evidence.get("edges", []), evidence.get("heard", [])
    if not edges and not heard:
        return ""
    end = max([one["at_s"] for one in edges] + [one["end_s"] for one in heard]) + 2
    zones = sorted({one["zone"] for one in (*edges, *heard)})
    bars, y = [], 0
    for zone in zones:
        for label, spans in (("rơ-le", _closed(edges, zone, end)), ("loa", _sounds(heard, zone))):
            bars.append(f'<text x="0" y="{y + 14}" font-size="11">{escape(zone)} {label}</text>')
            for begin, stop, colour, words in spans:
                bars.append(
                    f'<rect x="{LEFT_PX + begin * SECOND_PX:.1f}" y="{y + 3}" width="{(stop - begin) * SECOND_PX:.2f}" '
                    f'height="{ROW_PX - 6}" fill="{colour}"><title>{escape(words)}</title></rect>'
                )
            y += ROW_PX
    for second in range(0, int(end) + 1, 5):
        x = LEFT_PX + second * SECOND_PX
        bars.append(
            f'<line x1="{x}" y1="0" x2="{x}" y2="{y}" stroke="#ccc"/><text x="{x}" y="{y + 12}" font-size="10">'
        )
        bars.append(f"{second} s</text>")
    width, height = LEFT_PX + end * SECOND_PX, y + 16
    drawn = "".join(bars)
    return (
        f'<figure><svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}">{drawn}</svg></figure>'
    )


def _closed(edges: Sequence[Mapping[str, Any]], zone: str, end: float) -> list[tuple[float, float, str, str]]:
    spans, since = [], None
    for edge in (one for one in edges if one["zone"] == zone):
        if edge["on"]:
            since = edge["at_s"]
        elif since is not None:
            spans.append((since, edge["at_s"], "#222", f"đóng {since:.3f}–{edge['at_s']:.3f} s"))
            since = None
    return spans if since is None else [*spans, (since, end, "#222", f"đóng từ {since:.3f} s")]


def _sounds(heard: Sequence[Mapping[str, Any]], zone: str) -> list[tuple[float, float, str, str]]:
    return [
        (one["start_s"], one["end_s"], COLOURS.get(one["what"], "#888"), f"{one['what']} {one['start_s']:.3f} s")
        for one in heard
        if one["zone"] == zone
    ]


def _signatures() -> str:
    people = ("Đơn vị thi công / installer", "Phường, xã / the ward", "Giám sát / supervisor")
    cells = "".join(f"<td>{escape(one)}<br>(ký, ghi rõ họ tên / signature and name)</td>" for one in people)
    return f"<h2>Chữ ký <span class=en>/ signatures</span></h2><table class=sign><tr>{cells}</tr></table>"
