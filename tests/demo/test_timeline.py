"""The picture of the demo: well-formed whatever a title says, nothing left out, and true to the instants."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from demo import timeline
from demo.ward import RelayMove
from edge_agent.core.reasons import WORDS_VI
from tests.demo.rehearsal import (
    AGAIN_S,
    BACK_S,
    KILLED_S,
    PLANNED_S,
    SIGNAL_S,
    SILENT_S,
    TAIL_S,
    WARM_S,
    Rehearsal,
    at_ms,
    zone_row,
)

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "Tiêm chủng <b>&amp; \"miễn phí\" ]]> '1'"


def drawn(ward: Rehearsal) -> ET.Element:
    return ET.fromstring(timeline.draw(ward.story, ward.evidence()))


def words(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def filled(picture: ET.Element, color: str, tag: str) -> list[ET.Element]:
    return [one for one in picture.iter(f"{SVG}{tag}") if one.get("fill") == color]


def seconds_of(picture: ET.Element, x: float) -> float:
    """The second of the recording that lies at an x, by the picture's own labels of its axis."""
    marks = {text.text: float(text.get("x", "nan")) + 10 for text in picture.iter(f"{SVG}text")}
    zero, thirty = marks["giờ phát"], marks["+30 s"]
    return PLANNED_S + (x - zero) / (thirty - zero) * 30


def edges(picture: ET.Element, polygon: ET.Element) -> tuple[float, float]:
    """From and to of a level, in seconds."""
    xs = [float(point.split(",")[0]) for point in polygon.get("points", "").split()]
    return seconds_of(picture, min(xs)), seconds_of(picture, max(xs))


def test_every_job_and_every_refusal_is_in_it() -> None:
    ward = Rehearsal()
    told = words(drawn(ward))
    for job in ("bulletin", "flood", "second"):
        assert any(line.startswith(f"Bản tin {job}: ") for line in told)
    assert "Bản tin second: bị cắt trước khi hết (power_cut)" in told
    for name, (_, reason) in ward.story.refused.items():
        assert f"✗ {name}: {WORDS_VI[reason]} ({reason.value})" in told


def test_a_title_cannot_break_out_of_its_place() -> None:
    ward = Rehearsal()
    ward.rows[0]["items"][0]["title"] = NASTY
    ward.story.refused[NASTY] = ward.story.refused.pop("forged")
    told = words(drawn(ward))
    assert any(line.startswith(NASTY) for line in told)
    assert any(line.startswith(f"✗ {NASTY}: ") for line in told)


def test_the_span_that_the_emergency_took_is_red_and_only_in_its_zone() -> None:
    picture = drawn(Rehearsal())
    (level,) = filled(picture, timeline.RED, "polygon")
    start, end = edges(picture, level)
    assert (start, end) == (pytest.approx(SIGNAL_S, abs=0.15), pytest.approx(BACK_S, abs=0.15))
    assert words(picture).count("âm báo hiệu") == 1
    assert words(picture).count("nhạc hiệu") == 4, "before and behind the bulletin, in both zones"


def test_an_emergency_for_both_zones_is_red_in_both() -> None:
    ward = Rehearsal()
    ward.rows[1]["zones"].append(zone_row("c2"))
    assert len(filled(drawn(ward), timeline.RED, "polygon")) == 2


def test_an_emergency_of_which_no_sample_left_takes_no_span() -> None:
    ward = Rehearsal()
    ward.rows[1]["zones"][0]["evidence"] = 2
    assert filled(drawn(ward), timeline.RED, "polygon") == []


def test_the_kill_is_a_labelled_line_at_its_instant() -> None:
    picture = drawn(Rehearsal())
    (line,) = [one for one in picture.iter(f"{SVG}line") if one.get("stroke-dasharray")]
    assert line.get("x1") == line.get("x2")
    assert seconds_of(picture, float(line.get("x1", "nan"))) == pytest.approx(KILLED_S, abs=0.1)
    assert "SIGKILL" in words(picture)


def test_a_story_without_a_kill_has_no_such_line() -> None:
    ward = Rehearsal()
    ward.story.killed_ms = 0
    assert "SIGKILL" not in words(drawn(ward))


def test_each_closing_of_a_relay_is_a_green_bar_of_its_length() -> None:
    ward = Rehearsal()
    picture = drawn(ward)
    bars = [one for one in filled(picture, timeline.GREEN, "rect") if one.get("height") == "4"]
    spans = {
        (
            round(seconds_of(picture, float(bar.get("x", "nan"))), 1),
            round(seconds_of(picture, float(bar.get("x", "nan")) + float(bar.get("width", "nan"))), 1),
        )
        for bar in bars
    }
    meant = [(PLANNED_S - WARM_S, SILENT_S + TAIL_S), (AGAIN_S, KILLED_S)]
    assert {(round(a), round(b)) for a, b in meant} <= {(round(a), round(b)) for a, b in spans}


def test_a_relay_that_never_opened_is_drawn_to_the_edge() -> None:
    ward = Rehearsal()
    ward.moves = [RelayMove("c1", True, at_ms(PLANNED_S - 1), "switch")]
    assert any(one.get("height") == "4" for one in filled(drawn(ward), timeline.GREEN, "rect"))


def test_what_is_drawn_lies_within_the_picture() -> None:
    picture = drawn(Rehearsal())
    width, height = float(picture.get("width", "0")), float(picture.get("height", "0"))
    for text in picture.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", "-1")) <= width
        assert 0 <= float(text.get("y", "-1")) <= height - 4
