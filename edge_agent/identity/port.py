"""What a station needs of the key it signs with, wherever that lies."""

from __future__ import annotations

from typing import Protocol

from edge_agent.trust.keys import Signer


class SigningKey(Protocol):
    """One place for one key: a file, or a secure element. Nothing here ever shows the private half."""

    def make(self) -> Signer:
        """The key that is there; made here and now, from the device's own randomness, if there is none."""
        ...

    def open(self) -> Signer:
        """The key, ready to sign. ``UnusableKey``, ``TokenError`` or ``OSError`` where it cannot be used."""
        ...

    def destroy(self) -> None:
        """There is no such key any more, now or after a power cut. None there: nothing to do."""
        ...
