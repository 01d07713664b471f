"""Number the orders: what each issuer's last serial number was, in a folder whose numbers never go back.

A number follows the clock: an officer's own folder, and one out of a backup, know nothing of what was given out
elsewhere. (Two of one second may be alike; ids are not made of them.)
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend.errors import KeyringError, unreadable
from edge_agent.headend.files import alone
from edge_agent.trust.fields import Fields
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump, parse

SERIALS_BEGAN = UtcMs(1_767_225_600_000)
# 2026 in UTC: seconds since then have as few digits as people can be asked to read. An earlier clock just counts.
SERIALS_LEFT = 1_000_000_000
# As many as one order must leave its issuer: one a second, for thirty years.


class Serials:
    """``serials.json`` of a keyring's folder; whoever writes it is alone with it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "serials.json"
        self._lock = directory / "serials.lock"

    def last(self) -> dict[str, int]:
        """The last one of each issuer. ``KeyringError``: the file is damaged, or of another account."""
        try:
            fields = Fields(parse(self._path.read_bytes()))
            return {issuer: fields.integer(issuer, 0, INTEGER_MAX) for issuer in fields.values}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unreadable(self._path, error) from error
        except WireError as error:
            raise KeyringError(
                f"serials.json: tệp hỏng, phải khôi phục, số không bao giờ được lùi / {error}; restore it, its numbers "
                "must never go back"
            ) from error

    def next(self, issuer: str, now: UtcMs, *, at_once: bool = False) -> int:
        """One that this issuer never had; durable before it is returned, so that no crash gives it out twice.

        ``at_once``: a stop waits for no room on a disk, and for no file that is damaged. What is not written the clock
        gives to nobody a second later.
        """
        try:
            with alone(self._lock):
                given = self._following(issuer, now)
                write_durably(self._path, dump({**self.last(), issuer: given}))
                return given
        except (OSError, KeyringError):
            if not at_once:
                raise
            with contextlib.suppress(KeyringError):
                return self._following(issuer, now)
            return _by_the_clock(now)

    def note(self, issuer: str, serial: int) -> None:
        """One that was given out in another folder."""
        with alone(self._lock):
            last = self.last()
            if serial > last.get(issuer, 0):
                write_durably(self._path, dump({**last, issuer: serial}))

    def _following(self, issuer: str, now: UtcMs) -> int:
        return max(self.last().get(issuer, 0) + 1, _by_the_clock(now))


def _by_the_clock(now: UtcMs) -> int:
    return max(1, (now - SERIALS_BEGAN) // SECOND_MS)
