"""A ward that the commands themselves have made, for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

from edge_agent.headend.cli import main
from tests.headend.fake_station import AREA

DRAFT = """
class = "emergency"
event = "lu-quet"
areas = ["vn/ha-noi/dong-thanh"]
volume = 100
[[items]]
title = "Cảnh báo lũ quét"
text = "Nước đang lên."
"""

TIMETABLE = """
class = "normal"
areas = ["vn/ha-noi/dong-thanh"]
volume = 70
not_before = 2098-12-31T00:00:00+07:00
when = { first_day = 2099-01-01, last_day = 2099-03-31, times = ["05:30"] }
items = [{ title = "Tin", text = "Xin chào." }]
"""


def make_ward(folder: Path) -> Path:
    """New keys, one station, and beside the ward's folder the draft of a warning."""
    place = folder / "ward"
    assert main(["keys", "init", "--dir", str(place), "--realm", "demo", "--area", AREA]) == 0
    assert main(["keys", "station", "--dir", str(place), "--id", "tram-01", "--area", AREA, "--name", "Chợ"]) == 0
    (folder / "draft.toml").write_text(DRAFT)
    return place


def sign(ward: Path, *more: str) -> int:
    """The exit status; what was signed lies beside the ward's folder, as ``order.json``."""
    return main(["sign", "--dir", str(ward), "--out", str(ward.parent / "order.json"), *more])
