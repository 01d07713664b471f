"""Answer a hello with a welcome, from files alone: it remembers nothing, so any number of these may serve, anywhere.

The key that signs here tells the time and what is kept of a station. It starts no sound and ends no warning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from edge_agent.core.units import UtcMs
from edge_agent.headend import signing
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Heard, hear
from edge_agent.headend.logbook import NO_CURSOR, LogbookError, StationLog
from edge_agent.sync.reports import HelloMsg, LogCursor
from edge_agent.sync.topics import ROOT
from edge_agent.trust.keys import Signer


def welcome_to(keyring: Keyring, heard: Heard, hello: HelloMsg, held: LogCursor, now: UtcMs, signer: Signer) -> bytes:
    """The signed welcome: the time, and what only a server remembers of this station."""
    area = keyring.stations[heard.station].area
    known = (keyring.newest(area), keyring.serials())
    return signing.welcome(keyring.realm, heard.station, hello.nonce, now, *known, held, signer)


def one_at_a_time(answer: Callable[[str, bytes], bytes | None]) -> Callable[[str, bytes], bytes | None]:
    """The same for several threads."""
    lock = threading.Lock()

    def answered(station: str, envelope: bytes) -> bytes | None:
        with lock:
            return answer(station, envelope)

    return answered


class Greeter:
    """Answers hellos that come another way than by the broker. For one thread at a time."""

    def __init__(self, directory: Path, records: Path, clock: Callable[[], UtcMs]) -> None:
        self._keyring = Keyring(directory)
        self._records = records
        self._clock = clock
        self._key = self._keyring.signer("welcome")

    def answer(self, station: str, envelope: bytes) -> bytes | None:
        """The welcome; None for whoever is no enrolled station. By what lies in the files now."""
        try:
            self._keyring.refresh()
            heard = hear(self._keyring.stations, self._keyring.realm, f"{ROOT}/u/{station}/hello", envelope)
            if not isinstance(heard, Heard) or not isinstance(heard.said, HelloMsg):
                return None
            held = self._held(heard)
        except (KeyringError, LogbookError):
            return None  # a wrong word about the log would make a station send or forget; no word does nothing
        return welcome_to(self._keyring, heard, heard.said, held, self._clock(), self._key)

    def _held(self, heard: Heard) -> LogCursor:
        assert isinstance(heard.said, HelloMsg)
        path = self._records / f"{heard.station}.jsonl"
        return StationLog(path, to_write=False).cursor(heard.said.log.epoch) if path.exists() else NO_CURSOR
