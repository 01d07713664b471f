"""A port for a server that is to listen later, or once more: nobody else is given it meanwhile."""

from __future__ import annotations

import contextlib
import random
import socket

PORTS = range(20_000, 30_000)
# Below those that the kernel gives to whoever connects or asks for any (32,768 and up): among those a client that looks
# for a server which is down may even meet itself.


def free_port(*others: int) -> int:
    """One on which nobody listens, and none of these."""
    for _ in PORTS:
        port = random.SystemRandom().choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in others:
                return port
    raise AssertionError("no port is free")
