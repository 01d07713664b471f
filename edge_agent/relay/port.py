"""What the device process needs of relays, whoever drives them."""

from __future__ import annotations

from typing import Protocol

from edge_agent.core.units import ZoneId


class RelayError(Exception):
    """A relay line could not be claimed or set; the message names the line and the remedy."""


class Relays(Protocol):
    """Switches one relay per zone. Claimed off; off again on close. Polarity is the adapter's business."""

    def switch(self, zone: ZoneId, on: bool) -> None:
        """Close (on) or open a zone's relay. Raises RelayError."""
        ...

    def read_back(self, zone: ZoneId) -> bool | None:
        """Whether the contact really is closed; None where no read-back is wired."""
        ...

    def close(self) -> None:
        """Open every relay and give the lines back."""
        ...
