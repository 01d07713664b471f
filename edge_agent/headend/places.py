"""Decide who keeps a place at a server for which anybody may knock: those whose question has come, before all others.

A place costs whoever takes it nothing, and our threads and files are counted. So a connection that still owes its
question gives its place up as soon as there is none left, the oldest of the address that has most of them, and first of
all one that was answered before; one that is being answered keeps it. Knows no sockets and reads no clock; may be used
from any threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Protocol

PLACES_MAX = 256
# A commune has at most 50 stations (requirement S1), and four of them may share a server: each fetches one clip at a
# time, or leaves one for a warning's. A connection has two files open at most, of the 1,024 that a process may have.
PLACES_PER_ADDRESS_MAX = 224
# A mobile network may show all 200 stations of four communes as one address; some have two connections. With 64 places
# most of them were turned away, and the last began when the first had done (the bench: test_fetching).


class Connected(Protocol):
    """A connection; hung up, its own thread finds it ended."""

    def hang_up(self) -> None: ...


class Places:
    """The places of one server."""

    def __init__(self, places_max: int = PLACES_MAX, per_address_max: int = PLACES_PER_ADDRESS_MAX) -> None:
        self._places_max = places_max
        self._per_address_max = per_address_max
        self._lock = threading.Lock()
        self._addresses: dict[Connected, str] = {}
        self._owing: dict[Connected, str] = {}  # those that owe their first question, the oldest first
        self._idle: dict[Connected, str] = {}  # those that were answered and owe the next one, the oldest first

    def take(self, connection: Connected, address: str) -> bool:
        """Whether it has a place; somebody else may have lost his for it."""
        with self._lock:
            full, in_the_way = self._in_the_way(address)
            if full and in_the_way is None:
                return False
            if in_the_way is not None:
                self._remove(in_the_way)
            self._addresses[connection] = self._owing[connection] = address
        if in_the_way is not None:
            in_the_way.hang_up()
        return True

    def asked(self, connection: Connected) -> None:
        """Its question has come whole: it keeps its place until it is answered."""
        with self._lock:
            self._owing.pop(connection, None)
            self._idle.pop(connection, None)

    def owes(self, connection: Connected) -> None:
        """It was answered, and may ask again."""
        with self._lock:
            if connection in self._addresses:
                self._idle[connection] = self._addresses[connection]

    def leave(self, connection: Connected) -> None:
        """It has ended."""
        with self._lock:
            self._remove(connection)

    def _in_the_way(self, address: str) -> tuple[bool, Connected | None]:
        """Whether there is no place for one more of this address, and who may lose his."""
        if sum(one == address for one in self._addresses.values()) >= self._per_address_max:
            return True, self._oldest(address)
        if len(self._addresses) < self._places_max:
            return False, None
        most = Counter([*self._idle.values(), *self._owing.values()]).most_common(1)
        return True, self._oldest(most[0][0]) if most else None

    def _oldest(self, address: str) -> Connected | None:
        waiting = (*self._idle.items(), *self._owing.items())
        return next((connection for connection, one in waiting if one == address), None)

    def _remove(self, connection: Connected) -> None:
        self._addresses.pop(connection, None)
        self._owing.pop(connection, None)
        self._idle.pop(connection, None)
