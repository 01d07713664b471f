"""A tap on real traffic: every message that crosses a broker, virtual or real, is held to its JSON Schema.

What a test forges is well-formed too, so it passes here; what nobody can read is nobody's traffic and is only counted.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from edge_agent.headend.schemas import UP, faults
from tests.headend.schema_walk import strangers


class Tap:
    """Call it with each (topic, message). ``seen`` counts by type, ``faults`` says what is not as its schema says."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []

    def __call__(self, topic: str, message: bytes) -> None:
        envelope = json.loads(message)
        kind = _kind(topic, envelope)
        self.seen[kind] += 1
        self.faults += [f"{topic}: {fault}" for fault in _wrong(kind, envelope)]


def _kind(topic: str, envelope: dict[str, Any]) -> str:
    """What a topic's messages are; on that of jobs whatever people order travels."""
    last = topic.rpartition("/")[2]
    if last != "job":
        return last
    kind = json.loads(base64.b64decode(envelope["payload"])).get("type")
    return kind if kind in ("regulation", "window", "command", "timetable") else last


def _wrong(kind: str, envelope: dict[str, Any]) -> Iterator[str]:
    yield from faults("envelope", envelope)
    payload = json.loads(base64.b64decode(envelope["payload"]))
    yield from faults(kind, payload)
    if envelope["payloadType"] != f"application/vnd.loa.{kind}+json":
        yield f"payloadType {envelope['payloadType']}"
    if kind in UP:
        # A server's field that we do not know is ignored; one of our own that nobody has written down is a fault.
        yield from (f"{field}: is in no schema" for field in strangers(kind, payload))
