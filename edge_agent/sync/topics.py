"""Decide which topics a station speaks on and listens to. Pure: the session subscribes, ``messages`` publishes."""

from __future__ import annotations

import re
from enum import StrEnum

from edge_agent.core.units import StationId

ROOT = "loa/1"
SEGMENT = re.compile(r"[a-z0-9-]{1,64}")
AREA_DEPTH_MAX = 6
# Country, province, commune, village and two to spare; with our own three topics this keeps us under 12 subscriptions.


class Up(StrEnum):
    """The kinds of message that a station sends; also the last segment of their topics."""

    HELLO = "hello"
    STATE = "state"
    HEARTBEAT = "heartbeat"
    LOG = "log"
    ANSWER = "answer"
    PLAN = "plan"


class Down(StrEnum):
    """The kinds of message that come to a station; also the last segment of their topics."""

    JOB = "job"
    WELCOME = "welcome"
    ACK = "ack"


def up_topic(station: StationId, kind: Up) -> str:
    """Where a station publishes: ``loa/1/u/<station>/<kind>``."""
    return f"{ROOT}/u/{_segment(station)}/{kind}"


def down_topic(station: StationId, kind: Down) -> str:
    """Where one station is written to: ``loa/1/d/<station>/<kind>``."""
    return f"{ROOT}/d/{_segment(station)}/{kind}"


def area_job_topic(area: str) -> str:
    """Where orders for every station of an area come; ``area`` is a path such as ``vn/ha-noi``."""
    return f"{ROOT}/area/{'/'.join(_segment(part) for part in area.split('/'))}/{Down.JOB}"


def subscriptions(station: StationId, area: str) -> tuple[str, ...]:
    """The exact filters of a station: its own three, and one for its area and each area around it."""
    parts = area.split("/")
    if len(parts) > AREA_DEPTH_MAX:
        raise ValueError(f"area {area!r} is deeper than {AREA_DEPTH_MAX} levels")
    around = tuple(area_job_topic("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))
    return (*(down_topic(station, kind) for kind in Down), *around)


def _segment(text: str) -> str:
    """A topic segment; anything else (wildcards, slashes, capitals) is a broken configuration, so it raises."""
    if SEGMENT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no topic segment ({SEGMENT.pattern})")
    return text
