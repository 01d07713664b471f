"""The agent's end of the line: connects and reconnects for ever, and turns what arrives into the core's events.

It never renews the lease by itself. ``renew`` is called by the runtime after the core has stepped, so that a renewal
shows a living core and not a living thread.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from edge_agent.core.events import DeviceDown, DeviceUp, Event
from edge_agent.link.messages import PACKET_BYTES_MAX, LinkError, Renew, ToCore, ToDevice, decode_to_core, encode

RETRY_S = 0.5
# A restarted device process is found again well within a lease; twice a second costs nothing on a Unix socket.
ANSWER_S = 3.0
# DeviceUp is sent the moment a connection is accepted; a device process silent for a whole lease hangs.
SEND_BYTES = 8 * PACKET_BYTES_MAX
# The longest programmes of all of a station's zones may begin at once, and are said faster than they are read
# (``device.loop``). A kernel gives what it allows, as Debian has it 416 kB: eight of them, or five in which groups take
# turns; of what a socket has by itself, four and three.

log = logging.getLogger(__name__)


class DeviceClient:
    """The agent's line to the device process. ``post`` gets DeviceUp, the device's reports, DeviceDown, in order."""

    def __init__(self, path: Path, post: Callable[[Event], None]) -> None:
        self._path = path
        self._post = post
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="device-link", daemon=True)

    def start(self) -> None:
        """Begin to connect. Returns at once."""
        self._thread.start()

    def send(self, order: ToDevice) -> bool:
        """Hand an order over. False where the device process is not there: DeviceDown has been or will be posted."""
        packet = encode(order)
        with self._lock:
            if self._line is None:
                return False
            try:
                self._line.send(packet, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except OSError as exc:  # BlockingIOError too: a device process that stopped reading
                log.warning("device link broken sending=%s error=%s", type(order).__name__, exc)
                self._line.shutdown(socket.SHUT_RDWR)
                self._line = None
                return False
            return True

    def renew(self) -> bool:
        """Say that the core has stepped. To be called at least once a second."""
        return self.send(Renew())

    def stop(self) -> None:
        """Hang up and end the thread. The device process opens its relays."""
        self._stop.set()
        with self._lock:
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)
                self._line = None
        self._thread.join()

    def _run(self) -> None:
        trouble = ""
        while not self._stop.is_set():
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
                    self._converse(line)
                trouble = ""
            except (OSError, LinkError) as exc:
                if str(exc) != trouble:  # once, not twice a second
                    trouble = str(exc)
                    log.warning("device not there path=%s error=%s next=retry", self._path, trouble)
            self._stop.wait(RETRY_S)

    def _converse(self, line: socket.socket) -> None:
        """Connect, wait for DeviceUp, pass on what comes until the line breaks; only then is there a DeviceDown."""
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        line.settimeout(ANSWER_S)
        line.connect(os.fspath(self._path))
        first = _receive(line)
        if not isinstance(first, DeviceUp):
            raise LinkError(f"began with {type(first).__name__}")
        line.settimeout(None)
        with self._lock:
            if self._stop.is_set():
                return
            self._line = line
        self._post(first)
        self._post(DeviceDown(self._listen(line)))

    def _listen(self, line: socket.socket) -> str:
        """Pass on reports until the line breaks; returns why it did."""
        try:
            while True:
                self._post(_receive(line))
        except (OSError, LinkError) as exc:
            return str(exc)
        finally:
            with self._lock:
                self._line = None


def _receive(line: socket.socket) -> ToCore:
    packet = line.recv(PACKET_BYTES_MAX + 1)
    if not packet:
        raise LinkError("the device process hung up")
    return decode_to_core(packet)
