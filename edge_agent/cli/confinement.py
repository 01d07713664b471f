"""Choose what confines programs that read sound from outside: the service manager's worker or bubblewrap."""

from __future__ import annotations

from pathlib import Path

from edge_agent.audio.decode_service import SOCKET, DecodeService
from edge_agent.audio.sandbox import Sandbox as Bubblewrap
from edge_agent.config import Sandbox

Walls = DecodeService | Bubblewrap
# There is no third: without them nothing is decoded.


def confinement(wish: Sandbox, socket: Path = SOCKET) -> Walls:
    """As configured. ``AUTO`` looks whether the socket is there: once, as it is made before the agent starts."""
    if wish is Sandbox.UNIT or (wish is Sandbox.AUTO and socket.exists()):
        return DecodeService(socket)
    return Bubblewrap()
