"""Faults to be planted in parsers: each must be found by a guided campaign, or the campaign is worth nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_agent.config import reader
from edge_agent.link import messages
from edge_agent.trust import envelope, orders


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, and the parser whose promise it breaks."""

    parser: str
    put: Callable[[], None]


def _set(where: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(where, name, value)


def _lax_base64() -> None:
    def decode(fields: Any, name: str) -> bytes:
        return envelope.base64.b64decode(fields.text(name, envelope._BASE64))

    envelope._decode = decode  # type: ignore[assignment]


def _error_of_ours_in_a_job() -> None:
    check = orders.check_together

    def check_together(job: Any, fields: Any) -> None:
        check(job, fields)
        assert 100 // job.volume

    orders.check_together = check_together


PLANTS = {
    "base64 is taken as it comes": Plant("envelope", _lax_base64),
    "a job without volume is met by an error of ours": Plant("order-job", _error_of_ours_in_a_job),
    "half a character is taken from the other process": Plant(
        "link-to-core", _set(messages, "_read_scalar", lambda kind, value, where: value)
    ),
    "a mistake is blamed on a line that is not there": Plant("config", _set(reader, "line_of", lambda *_: 10**9)),
}
