"""The acceptance report: a failure cannot be overlooked, what was absent is no success, what was seen is drawn."""

from __future__ import annotations

import json
from pathlib import Path

from hil_tests import report
from hil_tests.rig import read

RIG = read(Path(__file__).parents[2] / "hil_tests" / "rigs" / "virtual.toml")
JUNIT = """<testsuites><testsuite>
<testcase classname="hil_tests.on_target.test_a" name="test_good[one]" time="3.0">
<properties><property name="shows" value="S3"/><property name="shows" value="S1"/></properties></testcase>
<testcase classname="hil_tests.on_target.test_a" name="test_bad" time="1.5">
<properties><property name="shows" value="S3"/></properties><failure message="late &lt;by 2 s&gt;"/></testcase>
<testcase classname="hil_tests.on_target.test_b" name="test_none" time="0">
<properties><property name="shows" value="B7"/></properties><skipped message="absent: no line-in"/></testcase>
</testsuite></testsuites>"""
SEEN = {
    "edges": [{"zone": "c1", "on": True, "at_s": 1.0}, {"zone": "c1", "on": False, "at_s": 4.5}],
    "heard": [{"zone": "c1", "what": "a", "start_s": 2.0, "end_s": 4.0}],
}


def taken(folder: Path, junit: str = JUNIT) -> list[report.Result]:
    (folder / "junit.xml").write_text(junit)
    (folder / "test_good[one].json").write_text(json.dumps(SEEN))
    return report.results(folder / "junit.xml", folder)


def page(done: list[report.Result]) -> str:
    return report.html(RIG, done, ["B7", "S1", "S3"], "27/11/2026", "edge-agent 1")


def test_each_test_is_read_with_its_rows_its_reason_and_its_evidence(tmp_path: Path) -> None:
    good, bad, none = taken(tmp_path)
    assert (good.name, good.outcome, good.rows) == ("test_a::test_good[one]", "passed", ("S3", "S1"))
    assert (bad.outcome, bad.why) == ("failed", "late <by 2 s>")
    assert (none.outcome, none.why) == ("absent", "absent: no line-in")
    assert good.evidence == SEEN
    assert bad.evidence == {}


def test_one_failure_fails_the_bench(tmp_path: Path) -> None:
    text = page(taken(tmp_path))
    assert "Kết luận: <span class=failed>KHÔNG ĐẠT" in text
    assert "<td>S3</td><td><span class=failed>" in text
    assert "<td>S1</td><td><span class=passed>" in text
    assert "<td>B7</td><td><span class=absent>" in text
    assert "late &lt;by 2 s&gt;" in text


def test_a_bench_that_tried_nothing_has_not_passed(tmp_path: Path) -> None:
    assert "Kết luận: <span class=failed>" in page([])
    *_, none = taken(tmp_path)
    assert "Kết luận: <span class=failed>" in page([none]), "what was absent was not tried"


def test_tests_that_were_chosen_are_no_acceptance_of_the_rest(tmp_path: Path) -> None:
    good, *_ = taken(tmp_path)
    text = report.html(RIG, [good], ["S1"], "27/11/2026", "edge-agent 1", only="relay <and> cut")
    assert "CHỈ THỬ MỘT PHẦN / only a part was tried: relay &lt;and&gt; cut" in text
    assert "MỘT PHẦN" not in page([good])


def test_all_that_was_tried_and_passed_is_a_pass(tmp_path: Path) -> None:
    good, _, none = taken(tmp_path)
    assert "Kết luận: <span class=passed>ĐẠT" in page([good, none])


def test_relays_and_sounds_are_bars_over_the_seconds(tmp_path: Path) -> None:
    drawn = report.picture(taken(tmp_path)[0].evidence)
    assert "<title>đóng 1.000–4.500 s</title>" in drawn
    assert f'x="{report.LEFT_PX + 2 * report.SECOND_PX:.1f}"' in drawn
    assert report.picture({}) == ""


def test_a_persons_word_is_told_from_a_measurement_and_names_them(tmp_path: Path) -> None:
    word = {"who": "Nguyễn <An>", "asked": "Loa im? / silent?", "said": "c", "at": "09:12:00"}
    (tmp_path / "junit.xml").write_text(JUNIT)
    (tmp_path / "test_none.json").write_text(json.dumps({"words": [word]}))
    text = page(report.results(tmp_path / "junit.xml", tmp_path))
    assert "Lời của Nguyễn &lt;An&gt;, không phải số đo / by the word of Nguyễn &lt;An&gt;, not measured" in text
    assert "<li>09:12:00 Loa im? / silent? <b>c</b></li>" in text
    assert "test_none <i>(có lời người / with a person's word)</i></td>" in text
    assert text.count("có lời người") == 1


def test_a_relay_that_never_opened_is_drawn_to_the_end() -> None:
    drawn = report.picture({"edges": [{"zone": "c1", "on": True, "at_s": 1.0}]})
    assert "đóng từ 1.000 s" in drawn
