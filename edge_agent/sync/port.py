"""What the runtime needs of the network, whoever speaks it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edge_agent.core.events import AckToken
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.sync.closing import Closing


class Session(Protocol):
    """A broker session. Its own thread posts what arrives: Connected, Disconnected, MessageArrived."""

    def start(self) -> None:
        """Begin to connect, and to reconnect for ever. Returns at once."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        """Hand a message over; False when there is no session (the caller sends again after the next Connected)."""
        ...

    def ack(self, token: AckToken) -> None:
        """Acknowledge a delivery; a token of an earlier connection is ignored (the broker will deliver again)."""
        ...

    def stop(self) -> None:
        """Say goodbye properly (no will) and end the thread."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole file, its length and SHA-256 checked, durable under its final name; ``came_bytes`` as in the other."""

    path: Path
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why not; ``again`` says whether another try may help, ``came_bytes`` what the line has carried for it."""

    reason: Reason
    again: bool
    detail: str
    came_bytes: int = field(default=0, compare=False)


class Fetcher(Protocol):
    """Downloads signed audio into the cache of originals. Blocks; called from worker threads.

    Of one key an urgent call may be beside one that is not.
    """

    def fetch(
        self, key: ClipKey, length_bytes: int, urls: tuple[str, ...], *, urgent: bool = False
    ) -> Fetched | FetchFailed:
        """``urgent``: a warning needs it. Whatever else is under way stands back meanwhile; of this key too."""
        ...

    def lying(self, key: ClipKey, length_bytes: int) -> Path | None:
        """The original, if it lies here whole: asks nobody. Never beside a ``fetch`` of the same key."""
        ...

    def sweep(self, keep: Container[ClipKey]) -> int:
        """Delete originals, begun ones too, that no known job needs; returns how many. Never beside a ``fetch``."""
        ...


@dataclass(frozen=True, slots=True)
class NotRead:
    """Why something small could not be had; ``broke_off``: the line's fault, as far as can be told."""

    detail: str
    broke_off: bool = False


class HomeServer(Protocol):
    """The content server that keeps heads, manifests and envelopes. Blocks; called from a worker thread."""

    @property
    def came_bytes(self) -> int:
        """What the line has carried from there so far, whatever became of it."""
        ...

    def get(self, paths: Sequence[str], bytes_max: int) -> tuple[bytes | NotRead, ...]:
        """What lies at each path, whole and in memory; of more than ``bytes_max`` nothing. Nothing is checked here."""
        ...

    def post(self, path: str, body: bytes, bytes_max: int) -> bytes | NotRead:
        """What is answered to ``body``, in the same way."""
        ...


class Taker(Protocol):
    """What becomes of the bytes of one connection to a live source. For one thread."""

    @property
    def sounded_ms(self) -> int:
        """How much sound has come of them so far."""
        ...

    def feed(self, block: bytes) -> str:
        """Take what has arrived; "", or why this connection is worth nothing more."""
        ...

    def end(self) -> str:
        """Nothing more comes. "", or why no good came of what did; called once, whatever ``feed`` has said."""
        ...


class LiveLine(Protocol):
    """Fetches a live source until it is closed, whatever happens to it. Blocks; called from a thread of its own."""

    def relay(self, urls: tuple[str, ...], begin: Callable[[], Taker], closing: Closing) -> None:
        """Each connection's bytes go to a taker of its own."""
        ...
