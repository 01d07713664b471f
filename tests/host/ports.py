"""A port for a server that is to listen later, or once more: no other test is given it meanwhile."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_000)
# Below those that the kernel gives to whoever connects or asks for any (32,768 and up): among those a client that looks
# for a server which is down may even meet itself, and thousands may have left one behind that waits to be free.
_kept: list[socket.socket] = []
# What says to the other processes of this machine that a port is taken, until this one ends.


def free_port(more: int = 0) -> int:
    """One on which nobody listens or will, and so many more right behind it."""
    for _ in PORTS:
        port = random.SystemRandom().choice(PORTS)
        if all(_is_kept(one) and _is_free(one) for one in range(port, port + 1 + more)):
            return port
    raise AssertionError("no port is free")


def _is_kept(port: int) -> bool:
    """Whether this process has it for itself from now on."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0tests-port-{port}")
    except OSError:
        mark.close()
        return False
    _kept.append(mark)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
