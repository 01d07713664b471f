"""Every expectation of every ward's day in ``docs/days`` holds."""

from __future__ import annotations

from functools import cache

import pytest

from tests.days.living import Living
from tests.days.reading import names, read
from tests.days.seen import differs

LINES = [(name, line["id"]) for name in names() for line in read(name).lines["play"]]


@cache
def lived(name: str) -> Living:
    living = Living(read(name))
    living.live()
    return living


@pytest.mark.parametrize(("name", "job_id"), LINES)
def test_what_is_expected_of_a_line_happens(name: str, job_id: str) -> None:
    living = lived(name)
    (line,) = [line for line in living.day.lines["play"] if line["id"] == job_id]
    assert line["expect"]
    assert [*differs(living, line)] == []


@pytest.mark.parametrize("name", names())
def test_nothing_else_sounds(name: str) -> None:
    living = lived(name)
    ordered = {line["id"] for line in living.day.lines["play"]}
    assert {run.job_id for run in living.world.runs} <= ordered


@pytest.mark.parametrize("name", names())
def test_what_is_commanded_is_answered_as_expected(name: str) -> None:
    living = lived(name)
    told = {answer["job_id"]: answer for answer in living.world.headend.answers}
    for number, line in enumerate(living.day.lines["command"]):
        answer = told[f"command-{number}"]
        assert (answer["verdict"], answer["reason"]) == tuple(line.get("expect", ("accepted", None)))


def test_every_kind_of_line_is_in_some_day() -> None:
    used = {kind for name in names() for kind, lines in read(name).lines.items() if lines}
    assert used >= {"play", "exception", "silence", "lock", "command"}
