"""Move relays and see whether their contacts follow. Decides what counts as moved, failed and stuck; not what should.

Where a read-back is wired, a relay has moved when its contact has; a contact that does not follow in time, or leaves
its place later, is a failure. Where none is wired, that the line took the order is all that can be seen. A relay that
could not be opened, or is seen closed although it is not to be, is told to open again until it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.core.events import RelayChanged, RelayFailed
from edge_agent.core.units import SECOND_MS, MonoMs, ZoneId
from edge_agent.relay.port import RelayError, Relays

SETTLE_MS = 200
# A contactor of an amplifier's mains takes up to some 50 ms to pull in and bounces for 10; four times that.
SETTLE_LOOK_MS = 20
LOOK_EVERY_MS = SECOND_MS
# A stuck relay is an alarm well within the 100 s of EN 54-16; a second is what a lease already costs in wakes.

LOOK_EARLY_MS = 250
# Whatever wakes the loop shortly before takes the look along: while something sounds, it is awake every 800 ms.

START = "start"
# Why a relay is opened of which nobody has ordered anything since the process began.

RelayReport = RelayChanged | RelayFailed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Contact:
    """One relay: what it should be and why, until when its contact may still be moving, and what is wrong with it.

    ``unopened``: it may be closed although it should be open, and is told again. ``opened_at`` is when it was last told
    to open while closed. ``seen`` is what the contact showed when it was in trouble; None: nobody can tell.
    """

    wired: bool
    wanted: bool = False
    cause: str = START
    settle_by: MonoMs | None = None
    unopened: bool = False
    opened_at: MonoMs | None = None
    trouble: str = ""
    seen: bool | None = None


class Contacts:
    """All relays of a station. Not thread-safe: it belongs to the main loop of the device process."""

    def __init__(self, relays: Relays, zones: Iterable[ZoneId], now: MonoMs) -> None:
        """Open every relay before anything else. One that does not answer is tried again; the others serve meanwhile.

        Raises RelayError where not a single one answers: that is no broken relay, that is the wrong board.
        """
        self._relays = relays
        self._contacts = {zone: self._at_start(zone) for zone in zones}
        if self._contacts and all(contact.unopened for contact in self._contacts.values()):
            raise RelayError("; ".join(contact.trouble for contact in self._contacts.values()))
        self._look_at = MonoMs(now + SETTLE_MS)

    def switch(self, zone: ZoneId, on: bool, cause: str, now: MonoMs) -> list[RelayReport]:
        """Move a relay. What is seen of it at once; the rest comes from ``check``: one report an order, at least."""
        contact = self._contacts[zone]
        if contact.wanted and not on:
            contact.opened_at = now
        contact.wanted, contact.cause, contact.trouble = on, cause, ""
        return self._move(zone, contact, now)

    def check(self, now: MonoMs) -> list[RelayReport]:
        """Look at every contact that may have moved or is due for a look."""
        due = now + LOOK_EARLY_MS >= self._look_at
        if due:
            self._look_at = MonoMs(now + LOOK_EVERY_MS)
        reports: list[RelayReport] = []
        for zone, contact in self._contacts.items():
            if due and contact.unopened:
                reports += self._move(zone, contact, now)
            elif contact.wired and (due or contact.settle_by is not None):
                reports += self._look(zone, contact, now)
        return reports

    def next_check(self, now: MonoMs) -> MonoMs | None:
        """When ``check`` has something to look at; None where nothing is wired and nothing is wrong."""
        if any(contact.settle_by is not None for contact in self._contacts.values()):
            return MonoMs(now + SETTLE_LOOK_MS)
        if any(contact.wired or contact.unopened for contact in self._contacts.values()):
            return self._look_at
        return None

    def wants(self, zone: ZoneId) -> bool:
        """Whether the relay is told to be closed; False once its line refused that."""
        return self._contacts[zone].wanted

    def opened(self) -> list[RelayChanged]:
        """Which relays have been closed, and when they opened: an agent that has just connected lets them rest."""
        return [
            RelayChanged(zone, False, contact.cause, contact.opened_at)
            for zone, contact in self._contacts.items()
            if contact.opened_at is not None and not contact.wanted
        ]

    def failing(self) -> list[RelayFailed]:
        """What is wrong now: for an agent that has just connected."""
        troubled = [(zone, contact) for zone, contact in self._contacts.items() if contact.trouble]
        return [RelayFailed(zone, contact.trouble, contact.seen) for zone, contact in troubled]

    def _at_start(self, zone: ZoneId) -> _Contact:
        try:
            self._relays.switch(zone, False)
        except RelayError as exc:
            log.error("relay zone=%s not opened error=%s next=retry", zone, exc)
            return _Contact(wired=self._wired(zone), unopened=True, trouble=str(exc))
        return _Contact(wired=self._wired(zone))

    def _wired(self, zone: ZoneId) -> bool:
        try:
            return self._relays.read_back(zone) is not None
        except RelayError:
            return True  # there is something to read, it only does not answer: ``check`` will say so

    def _move(self, zone: ZoneId, contact: _Contact, now: MonoMs) -> list[RelayReport]:
        contact.settle_by = None
        try:
            self._relays.switch(zone, contact.wanted)
        except RelayError as exc:
            return self._not_moved(zone, contact, str(exc))
        contact.unopened = False
        if contact.wired:
            contact.settle_by = MonoMs(now + SETTLE_MS)
            return self._look(zone, contact, now)
        contact.trouble = ""
        return [RelayChanged(zone, contact.wanted, contact.cause, now)]

    def _look(self, zone: ZoneId, contact: _Contact, now: MonoMs) -> list[RelayReport]:
        try:
            seen = self._relays.read_back(zone)
        except RelayError as exc:
            contact.settle_by = None
            return self._failed(zone, contact, str(exc))
        if seen == contact.wanted:
            moved = contact.settle_by is not None
            contact.settle_by, contact.trouble = None, ""
            return [RelayChanged(zone, contact.wanted, contact.cause, now)] if moved else []
        if contact.settle_by is not None and now < contact.settle_by:
            return []
        contact.settle_by = None
        # A weld does not mind. But it may be none: a surge has reset the chip that drives it, and it closed by itself.
        contact.unopened = bool(seen)
        return self._failed(zone, contact, "stuck closed" if seen else "does not close", seen)

    def _not_moved(self, zone: ZoneId, contact: _Contact, detail: str) -> list[RelayReport]:
        """The line did not take the order. Whatever was wanted, open is what is safe."""
        contact.unopened = True
        if contact.wanted:
            contact.wanted = False
            try:
                self._relays.switch(zone, False)
                contact.unopened = False
            except RelayError as exc:
                log.error("relay zone=%s not opened error=%s next=retry", zone, exc)
        return self._failed(zone, contact, detail)

    def _failed(self, zone: ZoneId, contact: _Contact, detail: str, seen: bool | None = None) -> list[RelayReport]:
        """Say it once, and again when it is something else."""
        if detail == contact.trouble:
            return []
        contact.trouble, contact.seen = detail, seen
        log.error("relay zone=%s wanted=%s failed=%s", zone, "closed" if contact.wanted else "open", detail)
        return [RelayFailed(zone, detail, seen)]
