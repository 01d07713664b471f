"""The line between an agent's process and the street around it: whole frames, in order, for as long as both live.

What has left the process counts as said, whatever becomes of the process; a process that dies shows as the line's end.
Messages outward are written with ``write``, which the shim counts; "nothing more to do" is not a message.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
from dataclasses import dataclass
from typing import Any

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import AckToken, Event

FRAME_BYTES_MAX = 1 << 20
# Far above a packet of 64 KiB.


@dataclass(frozen=True, slots=True)
class Turn:
    """To the agent: boot time is ``mono`` now, and this happened (None: time passed); ``network``: is there one."""

    mono: int
    event: Event | None
    network: bool


@dataclass(frozen=True, slots=True)
class Published:
    """From the agent: a message for the broker."""

    topic: str
    payload: bytes
    retain: bool


@dataclass(frozen=True, slots=True)
class Acked:
    """From the agent: the broker may forget this delivery."""

    token: AckToken


@dataclass(frozen=True, slots=True)
class Ordered:
    """From the agent: an order to the device process."""

    order: SwitchRelay | StartPlay | RoutePlay | StopPlay


@dataclass(frozen=True, slots=True)
class Up:
    """From the agent: it runs, and this is its will."""

    will: bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """From the agent: nothing more to do now; it wants to go on at ``wake`` (None: when something comes)."""

    wake: int | None


class Line:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @property
    def fd(self) -> int:
        return self._end.fileno()

    def say(self, frame: Any) -> None:
        """A message that somebody acts upon."""
        os.write(self.fd, pickle.dumps(frame))

    def pass_turn(self, frame: Turn | Up | Idle) -> None:
        """Let the other end go on. If it has died between two turns, ``hear`` says so."""
        with contextlib.suppress(BrokenPipeError):
            self._end.send(pickle.dumps(frame))

    def hear(self) -> Any:
        """The next frame; None when the other end is gone."""
        try:
            data = self._end.recv(FRAME_BYTES_MAX)
        except ConnectionResetError:
            return None
        return pickle.loads(data) if data else None

    def close(self) -> None:
        self._end.close()


def pair() -> tuple[Line, Line]:
    """A street's end and an agent's end."""
    street, agent = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Line(street), Line(agent)
