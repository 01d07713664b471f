"""Answer a hello with a welcome, from files alone: it remembers nothing, so any number of these may serve, anywhere.

The key that signs here tells the time and what is kept of a station. It starts no sound and ends no warning.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import StationId, UtcMs
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
    known = (keyring.newest(area), keyring.marks(area))
    return signing.welcome(keyring.realm, heard.station, hello.nonce, now, *known, held, signer)


@dataclass(frozen=True, slots=True)
class TrustAhead:
    """A station believes documents that this server has not got: it came back from a backup, or thieves signed them."""

    station: StationId
    believed: tuple[TrustHead, ...]


def ahead_of(keyring: Keyring, heard: Heard, hello: HelloMsg) -> TrustAhead | None:
    """Whether the station that says this hello is ahead of us."""
    believed = keyring.not_here(hello.trust)
    return TrustAhead(heard.station, believed) if believed else None


class Greeter:
    """Answers hellos that come another way than by the broker.

    A long log takes seconds to read, and its station can add to it as often as it asks: nobody else waits for that.
    ``tell`` hears what a person has to know: whoever holds the broker keeps such a hello from ``watch``.
    """

    def __init__(
        self,
        directory: Path,
        records: Path,
        clock: Callable[[], UtcMs],
        tell: Callable[[TrustAhead], None] = lambda _: None,
    ) -> None:
        self._keyring = Keyring(directory)
        self._records = records
        self._clock = clock
        self._tell = tell
        self._key = self._keyring.signer("welcome")
        self._alone = threading.Lock()
        self._reading: set[StationId] = set()
        self._read: dict[StationId, tuple[tuple[int, int], LogCursor]] = {}

    def answer(self, station: str, envelope: bytes) -> bytes | None:
        """The welcome; None for whoever is no enrolled station. By what lies in the files now, if it can be read."""
        with self._alone:  # a look at two files; they are read when somebody has written one
            with contextlib.suppress(KeyringError):  # a slip in one of them: answered by what was known before
                self._keyring.see()
            stations, realm = self._keyring.stations, self._keyring.realm
        # Anybody may ask: while it is found out whether a station does, whose turn it is waits for nobody.
        heard = hear(stations, realm, f"{ROOT}/u/{station}/hello", envelope)
        if not isinstance(heard, Heard) or not isinstance(heard.said, HelloMsg):
            return None
        return self._welcome(heard, heard.said)

    def _welcome(self, heard: Heard, hello: HelloMsg) -> bytes | None:
        try:
            held = self._held(heard.station)
            with self._alone:
                if held is None or heard.station not in self._keyring.stations:
                    return None  # it asks twice at once, or was taken out of the list in this moment
                if ahead := ahead_of(self._keyring, heard, hello):
                    self._tell(ahead)
                return welcome_to(self._keyring, heard, hello, held, self._clock(), self._key)
        except (KeyringError, LogbookError, signing.SigningError, OSError):
            return None  # a wrong word about the log would make a station send or forget; no word does nothing

    def _held(self, station: StationId) -> LogCursor | None:
        """What lies there now; None while somebody else reads it, for a second one could only wait in his place.

        Read again only when something came, for it is held to its chain each time.
        """
        path = self._records / f"{station}.jsonl"
        if not path.exists():
            return NO_CURSOR
        stamp = (path.stat().st_size, path.stat().st_mtime_ns)
        with self._alone:
            known = self._read.get(station)
            if known is not None and known[0] == stamp:
                return known[1]
            if station in self._reading:
                return None
            self._reading.add(station)
        try:
            cursor = StationLog(path, to_write=False).cursor()
            self._read[station] = (stamp, cursor)
            return cursor
        finally:
            self._reading.discard(station)
