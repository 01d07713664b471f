"""Stand in the journal's place while the disk gives none: what can be read of it, else nothing. Writes nothing.

A card ends read-only, or with sectors that no longer answer. A station that did not start by it would warn nobody.
What is to be written is refused as by a full disk (JournalError), and whoever owes it tries again: each time the disk
is asked for the journal itself.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from edge_agent.journal.database import disk, in_memory, new_epoch, open_database, read_whole
from edge_agent.journal.port import JournalError
from edge_agent.journal.record import Origin
from edge_agent.journal.schema import DamagedError, NewerError
from edge_agent.journal.store import Store

ANOTHER = "the disk gives another journal than this process began with: restart edge-agent"

log = logging.getLogger(__name__)


class SpareStore(Store):
    """A ``Store`` that takes nothing until the disk gives the journal that this one was read from.

    One of which nothing can be read, or that is not there, is as on a new card: no orders, nothing remembered, and a
    chain of its own, which goes on in a new journal once the disk takes one. So is one of newer software, which is not
    asked for again: it is that software's to go on with.
    """

    def __init__(self, folder: Path, origin: Origin, why: str) -> None:
        """``why`` the journal in ``folder`` is not to be had."""
        self._folder = folder
        self._refused = why
        self._new_epoch = new_epoch()
        self._newer, self._unread = False, ""
        super().__init__(folder, origin)
        then = "kept for newer software" if self._newer else "tried again"
        log.error("journal not to be had error=%s next=%s; orders are refused, warnings sound", why, then)
        self._began = self._meta()

    def begin(self) -> None:
        if self._refused:
            self._take_over()
        super().begin()

    def _opened(self, folder: Path) -> tuple[sqlite3.Connection, str]:
        try:
            with disk():
                return read_whole(folder), ""
        except NewerError as exc:
            self._newer, self._refused = True, str(exc)
        except (JournalError, DamagedError) as exc:
            if str(exc) != self._unread:  # once, not at each try
                log.error("journal not to be read error=%s next=as on a new card", exc)
            self._unread = str(exc)
        return in_memory(self._new_epoch), ""

    def _take_over(self) -> None:
        if self._newer or self._refused == ANOTHER or not os.access(self._folder.parent, os.W_OK):
            raise JournalError(self._refused)
        # First, as SQLite shares what a process knows of a write-ahead log, also that it may only be read.
        self._connection.close()
        try:
            with disk():
                self._connection, self._quarantined = open_database(self._folder, self._new_epoch)
        except JournalError as exc:
            self._refused = str(exc)
            self._connection, _ = self._opened(self._folder)
            self._check_that_it_is_the_same()
            raise
        self._check_that_it_is_the_same()
        self._refused = ""
        log.warning("journal to be had again")

    def _check_that_it_is_the_same(self) -> None:
        """The chain goes on from what this process began with."""
        if self._meta() != self._began:
            self._connection.close()
            self._connection, self._refused = in_memory(self._new_epoch), ANOTHER
            raise JournalError(ANOTHER)
