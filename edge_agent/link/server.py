"""The device process's end of the line: one agent at a time, known by its user id, never waited for.

Decides who may speak and when the line is lost; what a lost line means for relays is ``edge_agent.device``'s business.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import struct
from pathlib import Path

from edge_agent.link.messages import PACKET_BYTES_MAX, LinkError, ToCore, ToDevice, decode_to_device, encode

AGENT_USER = "edge-agent"
# The agent's user in systemd/; the device process runs as another one.
SOCKET_MODE = 0o660
# Own user and group: the agent is a member of the group.
UCRED = struct.Struct("3i")
# struct ucred of SO_PEERCRED: pid, uid, gid.


class LinkLost(Exception):
    """The agent is gone, does not read, or spoke nonsense. The message says which."""


def agent_uids() -> frozenset[int]:
    """Who may command relays: this process's own user (a laptop, a demo) and the installed agent's."""
    own = os.geteuid()
    try:
        return frozenset({own, pwd.getpwnam(AGENT_USER).pw_uid})
    except KeyError:
        return frozenset({own})


class DeviceServer:
    """Listens on a Unix socket of packets. Poll ``listener`` and, while it is not None, ``client`` for reading."""

    def __init__(self, path: Path, uids: frozenset[int]) -> None:
        """Bind ``path``, replacing what a dead process left. Raises LinkError where that is impossible."""
        self._path = path
        self._uids = uids
        self.client: socket.socket | None = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            _bind(self.listener, path)
        except OSError as exc:
            self.listener.close()
            raise LinkError(f"cannot listen at {path}: {exc.strerror or exc}") from exc

    def accept(self) -> str | None:
        """Admit whoever knocks. None when an agent was admitted, else why not."""
        try:
            peer, _ = self.listener.accept()
        except BlockingIOError:
            return "it went away again"
        _, uid, _ = UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
        refusal = None
        if self.client is not None:
            refusal = "another agent is connected"
        elif uid not in self._uids:
            refusal = f"uid {uid} may not command relays"
        if refusal is not None:
            peer.close()
            return refusal
        peer.setblocking(False)
        self.client = peer
        return None

    def receive(self) -> ToDevice | None:
        """The next order, None when there is none yet. Raises LinkLost."""
        if self.client is None:
            return None
        try:
            packet = self.client.recv(PACKET_BYTES_MAX + 1)
            if not packet:
                raise LinkLost("the agent hung up")
            return decode_to_device(packet)
        except BlockingIOError:
            return None
        except (OSError, LinkError) as exc:
            raise LinkLost(str(exc)) from exc

    def send(self, message: ToCore) -> None:
        """Tell the agent, if there is one. Raises LinkLost, also where the agent no longer reads."""
        if self.client is None:
            return
        try:
            self.client.send(encode(message), socket.MSG_NOSIGNAL)
        except OSError as exc:  # BlockingIOError too: its buffer is full because it has stopped reading
            raise LinkLost(str(exc)) from exc

    def drop(self) -> None:
        """Hang up on the agent."""
        if self.client is not None:
            self.client.close()
            self.client = None

    def close(self) -> None:
        """Hang up and stop listening."""
        self.drop()
        self.listener.close()
        self._path.unlink(missing_ok=True)


def _bind(listener: socket.socket, path: Path) -> None:
    try:
        listener.bind(os.fspath(path))
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE or _answers(path):
            raise
        path.unlink()
        listener.bind(os.fspath(path))
    # Between bind and listen nobody can connect, so the mode is right before the first peer.
    path.chmod(SOCKET_MODE)
    listener.listen(1)


def _answers(path: Path) -> bool:
    """Whether a living process listens at ``path``: two device processes must not share relays."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock:
        try:
            knock.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        return True
