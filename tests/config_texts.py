"""The example of a station's file as the tests change it, and what comes of reading it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.config import Config, ConfigError, parse
from edge_agent.config.reader import Problem

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLE = (DOCS / "edge-agent.example.toml").read_text(encoding="utf-8")
FULL = re.sub(r"(?m)^# (?=\[?[a-z_.]+\]?( = |$))", "", EXAMPLE).replace(
    'driver = "gpio" ', 'driver = "simulated" '
)  # the example with every commented key switched on
FOLDER = Path("/etc/edge-agent")


def read(text: str) -> Config:
    return parse(text, FOLDER, "station.toml")


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return list(caught.value.problems)


def refusal_of(text: str) -> ConfigError | None:
    """What is wrong with the text, if anything; any other exception is a fault of ours and goes through."""
    try:
        read(text)
    except ConfigError as refusal:
        return refusal
    return None


def changed(old: str, new: str, text: str = EXAMPLE) -> str:
    assert old in text
    return text.replace(old, new, 1)


def line_number(text: str, fragment: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if fragment in line)


def only_problem(old: str, new: str, at: str | None = None) -> Problem:
    """The one problem after a change of the example; it stands on the line of ``at`` (the changed one by default)."""
    text = changed(old, new)
    (problem,) = problems_of(text)
    assert problem.line == line_number(text, at or new)
    assert problem.remedy
    return problem
