"""Which instants the street's judges call night."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.sim import TIMEZONE
from tests.ward.ears import at_night


@pytest.mark.parametrize(
    ("begins", "ends", "night"),
    [
        ("20:59:00", "21:00:00", False),
        ("20:59:00", "21:00:01", True),
        ("21:00:00", "21:00:01", True),
        ("00:00:00", "00:00:01", True),
        ("04:59:59", "05:00:00", True),
        ("05:00:00", "20:00:00", False),
        ("03:00:00", "03:00:00", False),
    ],
)
def test_night_is_from_nine_to_five(begins: str, ends: str, night: bool) -> None:
    assert at_night(_utc(begins), _utc(ends)) is night


def _utc(wall: str) -> int:
    return int(datetime.fromisoformat(f"2026-10-01T{wall}").replace(tzinfo=ZoneInfo(TIMEZONE)).timestamp() * 1000)
