"""A cache of originals that fetches from a server in memory, for virtual time."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.sync.port import Fetched, FetchFailed


@dataclass
class FakeServer:
    """URLs and what they give. ``down``: for now they give nothing, or break off; ``asked`` keeps every request."""

    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def put(self, url: str, content: bytes) -> ClipKey:
        """Lay a file on the server; returns its SHA-256 in hex."""
        self.files[url] = content
        return ClipKey(hashlib.sha256(content).hexdigest())


class FakeFetcher:
    """A ``sync.port.Fetcher`` that writes real files under ``root``; ``disk_bytes`` is the room that it has."""

    def __init__(self, root: Path, server: FakeServer, disk_bytes: int = 10**9) -> None:
        self._root = root
        self._server = server
        self.disk_bytes = disk_bytes
        self.urgent: list[ClipKey] = []

    def fetch(
        self, key: ClipKey, length_bytes: int, urls: tuple[str, ...], *, urgent: bool = False
    ) -> Fetched | FetchFailed:
        self.urgent += [key] if urgent else []
        final = self._root / key
        if self.lying(key, length_bytes):
            return Fetched(final)
        if length_bytes > self.disk_bytes:
            return FetchFailed(Reason.CACHE_FULL, True, "no room")
        reached: list[bytes | None] = []
        for url in urls:
            content = self._ask(url)
            if content is not None and _is(content, key, length_bytes):
                return self._keep(final, content, _sum(reached) + len(content))
            reached.append(content)
        came_bytes = _sum(reached)
        if reached and None not in reached:
            return FetchFailed(Reason.AUDIO_ALTERED, False, "wrong bytes", came_bytes)
        return FetchFailed(Reason.AUDIO_UNREACHABLE, True, "no answer", came_bytes)

    def lying(self, key: ClipKey, length_bytes: int) -> Path | None:
        final = self._root / key
        return final if final.exists() and _is(final.read_bytes(), key, length_bytes) else None

    def sweep(self, keep: Container[ClipKey]) -> int:
        gone = [path for path in self._root.glob("*") if path.name.removesuffix(".part") not in keep]
        for path in gone:
            path.unlink()
        return len(gone)

    def _keep(self, final: Path, content: bytes, came_bytes: int) -> Fetched:
        self._root.mkdir(parents=True, exist_ok=True)
        final.write_bytes(content)
        self.disk_bytes -= len(content)
        return Fetched(final, came_bytes)

    def _ask(self, url: str) -> bytes | None:
        self._server.asked.append(url)
        return None if self._server.down else self._server.files.get(url)


def _sum(reached: list[bytes | None]) -> int:
    return sum(len(content) for content in reached if content is not None)


def _is(content: bytes, key: str, length_bytes: int) -> bool:
    return len(content) == length_bytes and hashlib.sha256(content).hexdigest() == key
