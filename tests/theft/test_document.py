"""The table that people read (docs/protocol.md 12.30) and the one that is tried out are one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.theft.table import THIEVES

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/theft/"
TRIED = "test_signing_keys.py::test_a_thief_can_do_what_the_table_says_and_no_more"
REFERENCE = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<test>test_\w+)(\[(?P<case>[^\]]+)\])?`")
EVERY_KEY = (
    "officer",
    "policy",
    "province",
    "nation",
    "root",
    "welcome",
    "ack",
    "head",
    "signing key",
    "TLS authority",
)


def rows() -> list[list[str]]:
    """The cells of each thief."""
    told = (ROOT / "docs/protocol.md").read_text("utf-8").partition("### What a stolen key can do")[2]
    lines = [line for line in told.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def shown_by(row: list[str]) -> list[re.Match[str]]:
    return [*REFERENCE.finditer(row[-1])]


def test_each_row_says_what_he_can_what_ends_it_and_what_shows_it() -> None:
    for row in rows():
        assert len(row) == 5, row
        stolen, can, cannot, ends, _ = row
        assert can, stolen
        assert ends, stolen
        assert cannot or can.startswith(("nothing", "everything")), stolen
        assert shown_by(row), stolen


def test_each_test_that_a_row_names_exists() -> None:
    for row in rows():
        for named in shown_by(row):
            file = named["file"] if "/" in named["file"] else HERE + named["file"]
            tree = ast.parse((ROOT / file).read_text("utf-8"))
            tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert named["test"] in tests, named[0]


def test_each_thief_who_tries_everything_has_his_row_and_each_such_row_its_thief() -> None:
    named = [one["case"] for row in rows() for one in shown_by(row) if one[0].startswith(f"`{TRIED}")]
    assert sorted(named) == sorted(thief.name.replace(" ", "-") for thief in THIEVES)


def test_every_kind_of_key_has_a_row() -> None:
    stolen = "\n".join(row[0] for row in rows())
    assert [kind for kind in EVERY_KEY if kind not in stolen] == []
