"""Stand between the station and the broker, so that the line can be cut. Passes bytes on and understands none: what
the station and the broker say to each other stays theirs."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from edge_agent.headend.session import BrokerAddress

BLOCK_BYTES = 64 * 1024
LOOK_S = 0.2
# How soon the end of a run is noticed.
CONNECT_S = 10


class Relay(AbstractContextManager["Relay"]):
    """Listens from construction on; ``joined`` counts the connections that were passed on."""

    def __init__(self, listen: BrokerAddress, broker: BrokerAddress) -> None:
        self._broker = broker
        self._listener = socket.create_server((listen.host, listen.port))
        self._listener.settimeout(LOOK_S)
        self._lock = threading.Lock()  # guards _ends and _whole: a cut reaches a connection that is just being joined
        self._ends: list[socket.socket] = []
        self._ended = False
        self._whole = threading.Event()
        self._whole.set()
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self.port = int(self._listener.getsockname()[1])
        self.joined = 0

    def cut(self) -> None:
        """Break the line, and take nobody until ``mend``."""
        with self._lock:
            self._whole.clear()
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def mend(self) -> None:
        """Let the station through again."""
        self._whole.set()

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._ended = True
        self._thread.join()
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while not self._ended:
            with suppress(TimeoutError):
                station, _ = self._listener.accept()
                self._join(station)

    def _join(self, station: socket.socket) -> None:
        try:
            if not self._whole.is_set():
                raise ConnectionRefusedError
            broker = socket.create_connection((self._broker.host, self._broker.port), CONNECT_S)
        except OSError:
            station.close()
            return
        broker.settimeout(None)
        with self._lock:
            if whole := self._whole.is_set():
                self._ends += [station, broker]
                self.joined += 1
        if not whole:
            station.close()
            broker.close()
            return
        for source, sink in ((station, broker), (broker, station)):
            threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK_BYTES):
            sink.sendall(block)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
