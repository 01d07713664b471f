"""Campaigns of one station that a test writes down by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.redteam.life import Life
from tests.redteam.script import HOUR_MS, Setting, campaign
from tests.soak.script import Happening
from tests.ward.card import Run

HERE = "dt-01"


def order(at_ms: int, serial: int, **what: Any) -> Happening:
    """The broker carries it as it should, but for what ``fate`` says."""
    return Happening(at_ms, "order", {"serial": serial, "ward": "here", "fate": {}, **what})


def life(*happenings: Happening, begins_ms: int = 0, clocks: tuple[str, ...] = ()) -> Life:
    """Of one station."""
    setting = Setting((HERE,), (), begins_ms, after_ms=HOUR_MS, clocks=clocks, epochs=True)
    return Life(replace(campaign(0), setting=setting, happenings=happenings))


def lived(*happenings: Happening, begins_ms: int = 0) -> Life:
    """To its end, and nothing was broken."""
    one = life(*happenings, begins_ms=begins_ms)
    assert one.live() is None
    return one


def run_of(one: Life, name: str) -> Run:
    """The first sound of that job."""
    return next(run for run in one.worlds[HERE].runs if run.job_id == name)
