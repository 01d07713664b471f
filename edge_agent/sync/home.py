"""Ask the home content server for heads, manifests, envelopes and roots: bounded in bytes and time, into memory.

What the bytes are worth is decided by whoever asked: a head or a root by its signatures, all else by its SHA-256.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from edge_agent.sync.dial import Tally
from edge_agent.sync.https import HTTPS_TROUBLE, PATIENCE, Patience, Trust, Visit, is_the_lines, words_of
from edge_agent.sync.port import NotRead


class HttpsHome:
    """A ``sync.port.HomeServer``; ``base_url`` is ``https://host:port``."""

    def __init__(self, base_url: str, trust: Trust, patience: Patience = PATIENCE) -> None:
        self._base_url = base_url.rstrip("/")
        self._trust = trust
        self._patience = patience
        self._tally = Tally()

    @property
    def came_bytes(self) -> int:
        return self._tally.bytes

    def get(self, paths: Sequence[str], bytes_max: int) -> tuple[bytes | NotRead, ...]:
        deadline = time.monotonic() + self._patience.total_s(bytes_max * len(paths))
        visit = Visit(self._base_url, self._trust, self._patience.stall_s, deadline, self._tally)
        try:
            return tuple(self._read(visit, path, bytes_max) for path in paths)
        finally:
            visit.close()

    def post(self, path: str, body: bytes, bytes_max: int) -> bytes | NotRead:
        deadline = time.monotonic() + self._patience.total_s(bytes_max + len(body))
        visit = Visit(self._base_url, self._trust, self._patience.stall_s, deadline, self._tally)
        try:
            return self._read(visit, path, bytes_max, body)
        finally:
            visit.close()

    def _read(self, visit: Visit, path: str, bytes_max: int, body: bytes | None = None) -> bytes | NotRead:
        try:
            return visit.read(path, bytes_max, body)
        except HTTPS_TROUBLE as error:
            return NotRead(words_of(error, self._base_url), is_the_lines(error))
