"""The table of clauses, the document made from it, and how results are told."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
from collections.abc import Sequence
from datetime import time
from pathlib import Path

import pytest

from edge_agent.headend.cli import build_parser, main
from edge_agent.headend.cli.conform import quiet
from edge_agent.headend.cli.conforming import exit_status
from edge_agent.headend.conform import report
from edge_agent.headend.conform.clause import Clause, Result
from edge_agent.headend.conform.clauses import ALL, GROUPS, UnknownClause, chosen
from edge_agent.headend.conform.verdicts import Failed, NotTried, Passed, Verdict
from edge_agent.headend.headend_lock import HeadendBusy, headend_lock
from tools import clauses_table

ROOT = Path(__file__).parents[3]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
STEPS = re.findall(r"^\| (\d+) \|", PROTOCOL.partition("## 5.")[2].partition("## 6.")[0], re.MULTILINE)


def test_numbers_are_given_once_and_without_a_gap() -> None:
    numbers = [clause.number for clause in ALL]
    assert len(set(numbers)) == len(numbers) >= 150
    for group in GROUPS:
        mine = sorted(int(clause.number.partition("-")[2]) for clause in ALL if clause.group == group)
        assert mine == list(range(1, len(mine) + 1)), group


def test_every_clause_belongs_to_a_group_and_says_what_it_is_about() -> None:
    for clause in ALL:
        assert clause.group in GROUPS, clause.number
        assert all((clause.vi, clause.says, clause.how)), clause.number
        assert len(clause.vi) <= 60, clause.number


@pytest.mark.parametrize("clause", ALL, ids=lambda clause: clause.number)
def test_every_section_exists_in_the_protocol(clause: Clause) -> None:
    section, _, part = clause.section.partition(", ")
    assert re.search(rf"^## {section}\.", PROTOCOL, re.MULTILINE), clause.section
    if part.startswith("step "):
        assert part.removeprefix("step ") in STEPS
    elif part:
        assert re.search(rf"^### `{part}`", PROTOCOL, re.MULTILINE), clause.section


def test_the_document_is_the_table() -> None:
    text = clauses_table.DOCUMENT.read_text("utf-8")
    assert text == clauses_table.with_table(text), "run python -m tools.clauses_table"


def test_the_commands_of_the_document_are_understood() -> None:
    text = clauses_table.DOCUMENT.read_text("utf-8").replace("\\\n", " ")
    commands = [line.split()[1:] for line in text.splitlines() if line.startswith("    edge-agent-headend ")]
    assert [words[0] for words in commands] == ["keys", "keys", "broker", "conform"]
    for words in commands:
        build_parser().parse_args(words)  # an unknown option ends in SystemExit


def test_every_option_of_the_document_exists() -> None:
    text = clauses_table.DOCUMENT.read_text("utf-8")
    helps = (_help("conform"), _help("broker"), _help("keys", "init"), _help("keys", "station"))
    assert set(re.findall(r"--[a-z]+", text)) <= set(re.findall(r"--[a-z]+", " ".join(helps)))


def _help(*words: str) -> str:
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as told:
        main([*words, "--help"])
    return told.getvalue()


def test_groups_and_single_clauses_can_be_chosen() -> None:
    picked = chosen(["CLK", "JOB-3"])
    assert {clause.number for clause in picked} == {"CLK-1", "CLK-2", "CLK-3", "JOB-3"}
    assert chosen() == ALL


def test_an_unknown_clause_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownClause, match=r"JOB-999.*SES"):
        chosen(["JOB-999", "ENV"])


def results(*verdicts: Verdict) -> Sequence[Result]:
    return [Result(clause, verdict) for clause, verdict in zip(ALL, verdicts, strict=False)]


def test_a_failure_says_what_was_expected_what_was_seen_and_where_it_stands() -> None:
    (result,) = results(Failed("accepted", "no answer"))
    first, *more = report.line(result).splitlines()
    assert first.split()[:3] == [result.clause.number, "KHÔNG", "ĐẠT"]
    assert [line.strip() for line in more] == [
        "phải / expected: accepted",
        "đã thấy / seen: no answer",
        f"docs/protocol.md, mục / section {result.clause.section}: {result.clause.says}",
    ]


def test_what_passed_or_was_not_tried_is_one_line() -> None:
    for result in results(Passed("x"), NotTried("no key")):
        assert len(report.line(result).splitlines()) == 1
    assert report.line(results(NotTried("no key"))[0]).endswith(": no key")


def test_the_last_line_counts() -> None:
    told = report.closing(results(Passed("x"), Passed("y"), Failed("a", "b"), NotTried("c")))
    assert told == "4 điều / clauses: 2 đạt / passed, 1 không đạt / failed, 1 chưa thử / not tried"


def test_machines_are_told_the_same() -> None:
    told = json.loads(report.as_json("tram-01", results(Passed("x"), Failed("a", "b"), NotTried("c"))))
    assert [clause["result"] for clause in told["clauses"]] == ["passed", "failed", "not_tried"]
    assert (told["clauses"][1]["expected"], told["clauses"][1]["seen"]) == ("a", "b")


def test_only_a_failure_makes_the_exit_status_bad() -> None:
    assert exit_status(results(Passed("x"), NotTried("c"))) == 0
    assert exit_status(results(Passed("x"), Failed("a", "b"))) == 1


def test_quiet_hours_are_read_as_people_write_them() -> None:
    assert quiet("22:00-04:30") == (time(22), time(4, 30))
    assert quiet("none") is None
    for wrong in ("22-4", "25:00-05:00", "22:00", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            quiet(wrong)


def test_what_the_station_does_where_the_night_begins_is_told_to_the_kit() -> None:
    asked = ["conform", "--dir", "ward", "--broker", "localhost:1", "--station", "tram-01"]
    assert build_parser().parse_args(asked).into_quiet == "refuse"
    assert build_parser().parse_args([*asked, "--into-quiet", "cut"]).into_quiet == "cut"


def test_two_watches_of_a_ward_may_run_but_no_kit_beside_them(tmp_path: Path) -> None:
    with (
        headend_lock(tmp_path, alone=False),
        headend_lock(tmp_path, alone=False),
        pytest.raises(HeadendBusy, match="`watch`"),
        headend_lock(tmp_path, alone=True),
    ):
        raise AssertionError("both run")


def test_no_watch_begins_beside_the_kit(tmp_path: Path) -> None:
    with (
        headend_lock(tmp_path, alone=True),
        pytest.raises(HeadendBusy, match="`conform`"),
        headend_lock(tmp_path, alone=False),
    ):
        raise AssertionError("both run")


def test_a_station_that_is_not_enrolled_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ward = str(tmp_path / "ward")
    assert main(["keys", "init", "--dir", ward, "--realm", "demo", "--area", "vn/ha-noi/dong-thanh"]) == 0
    assert main(["conform", "--dir", ward, "--broker", "localhost:1", "--station", "tram-09"]) == 1
    assert "--station tram-09: trạm chưa đăng ký ở đây / not enrolled here" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_told_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not after four minutes, when they are lost."""
    ward = str(tmp_path / "ward")
    assert main(["keys", "init", "--dir", ward, "--realm", "demo", "--area", "vn/ha-noi/dong-thanh"]) == 0
    capsys.readouterr()
    wanted = ["conform", "--dir", ward, "--broker", "localhost:1", "--station", "tram-09", "--json", str(tmp_path)]
    assert main(wanted) == 1
    told = capsys.readouterr()
    assert "--json" in told.err
    assert told.out == "", "nothing was begun"
