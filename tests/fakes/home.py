"""A home content server in memory: paths and what lies there; the same answers as ``sync.home``, for virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge_agent.sync.port import NotRead


@dataclass
class FakeHome:
    """A ``sync.port.HomeServer``. ``down``: it gives nothing; ``cut``: there is no way to it; ``slow_ms``: for who lets
    time pass.

    ``asked`` keeps every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    cut: bool = False
    asked: list[str] = field(default_factory=list)
    answer: Callable[[str, bytes], bytes | None] = lambda path, body: None
    came_bytes: int = 0
    slow_ms: int = 0

    def get(self, paths: Sequence[str], bytes_max: int) -> tuple[bytes | NotRead, ...]:
        return tuple(self._one(path, bytes_max) for path in paths)

    def post(self, path: str, body: bytes, bytes_max: int) -> bytes | NotRead:
        self.asked.append(path)
        content = None if self.down else self.answer(path, body)
        return self._given(content, bytes_max, "HTTP 403")

    def _one(self, path: str, bytes_max: int) -> bytes | NotRead:
        self.asked.append(path)
        content = None if self.down else self.files.get(path)
        return self._given(content, bytes_max, "HTTP 404")

    def _given(self, content: bytes | None, bytes_max: int, nothing: str) -> bytes | NotRead:
        if self.cut:
            return NotRead("nobody there", broke_off=True)
        if content is None:
            return NotRead(nothing)
        self.came_bytes += len(content)
        return content if len(content) <= bytes_max else NotRead(f"more than {bytes_max} bytes")
