"""A TCP proxy on loopback that breaks: cuts, refuses, swallows everything (half-open), or takes no more (congested)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BLOCK_BYTES = 64 * 1024
TICK_S = 0.02


class Proxy:
    """Forwards ``port`` to ``target``. ``open`` False refuses; ``frozen`` swallows, ``congested`` takes nothing."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TICK_S)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._ended = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.port = int(self._listener.getsockname()[1])
        self.open = True
        self.frozen = False
        self.congested = False
        self._thread.start()

    def cut(self) -> None:
        """Break every connection; new ones are taken if ``open``."""
        pairs, self._pairs = self._pairs, []
        for ends in pairs:
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._ended:
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            if not self.open:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self._pairs.append((client, server))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK_BYTES):
                while self.congested:
                    time.sleep(TICK_S)
                if not self.frozen:
                    sink.sendall(block)
        with suppress(OSError):
            if not self.frozen:
                sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_proxy(target: int) -> Iterator[Proxy]:
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
