"""A fake of what fetches live sources: remembers what it was told."""

from __future__ import annotations

from edge_agent.core.effects import CloseLive, OpenLive


class FakeLiveSources:
    """Nothing is fetched. ``orders`` is all that it was told."""

    def __init__(self) -> None:
        self.orders: list[OpenLive | CloseLive] = []

    def order(self, order: OpenLive | CloseLive) -> None:
        self.orders.append(order)
