"""Read a ward's day (``docs/days/*.toml``): what is laid down, what is sent when, and what is expected of it.

Times stay as they are written: local time of Asia/Ho_Chi_Minh (+07:00). Every key that nobody reads is refused, so that
no expectation is overlooked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "days"
HANOI = timezone(timedelta(hours=7))
EVENING = timedelta(hours=-6)
# What nobody says when it was sent was sent at 18:00 of the evening before the first day.

KEYS = {
    "play": {
        *("id", "at", "cls", "order", "level", "zones", "items", "loops", "gap_s", "series", "version", "event"),
        *("repeat_s", "until", "sent", "arrives", "via", "not_after", "cancel_at", "preemption", "zones_s", "weekly"),
        *("all_clear", "rehearsal", "corrects", "offered", "expect", "volume", "late_s"),
    },
    "exception": {"id", "sent", "from", "to", "classes", "zones", "session_s", "total_s", "volume", "basis"},
    "silence": {"zone", "sent", "from", "to", "why"},
    "lock": {"zone", "from", "to"},
    "command": {"at", "do", "zones", "target", "for_s", "volume", "when", "job_ids", "expect"},
    "fault": {"kind", "from", "to", "zone", "what"},
}
EXPECTED = {
    *("outcome", "reason", "played_s", "plays", "last_play", "relay_on", "volume", "zone_volume", "zone_reason"),
    *("starts", "heard", "rehearsal", "chimes", "live_s", "stand_in_s", "zone_heard"),
}


@dataclass(frozen=True)
class Day:
    """One file. ``lines`` are the tables of each kind, as written."""

    name: str
    policy: Mapping[str, Any]
    station: Mapping[str, Any]
    head: Mapping[str, Any]
    lines: Mapping[str, tuple[Mapping[str, Any], ...]]

    @property
    def first(self) -> datetime:
        """Midnight of the first day."""
        return datetime.fromisoformat(self.head["dates"][0]).replace(tzinfo=HANOI)

    @property
    def last(self) -> datetime:
        """Midnight after the last day."""
        return datetime.fromisoformat(self.head["dates"][-1]).replace(tzinfo=HANOI) + timedelta(days=1)

    def sent(self, line: Mapping[str, Any]) -> datetime:
        """When a line was sent: at once what is urgent, the evening before what is not."""
        if "arrives" in line or "sent" in line:
            return moment(line.get("arrives", line.get("sent")))
        return (
            moment(line["at"]) if line.get("cls") == "emergency" and not line.get("rehearsal") else self.first + EVENING
        )


def read(name: str) -> Day:
    """The file of that name."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    lines = {kind: tuple(table.get(kind, ())) for kind in KEYS}
    for kind, known in KEYS.items():
        for line in lines[kind]:
            assert line.keys() <= known, f"{name}: [[{kind}]] {line}: nobody reads {line.keys() - known}"
            assert line.get("expect", {}).keys() <= EXPECTED, f"{name}: {line['expect']}"
    return Day(name, table["policy"], table["station"], table["day"], lines)


def names() -> list[str]:
    """Every day there is."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def moment(text: str) -> datetime:
    """A local time as written."""
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


def utc_ms(at: datetime) -> int:
    """What the wire wants."""
    return round(at.timestamp() * 1000)
