"""Live sources of which nothing is fetched: remembers what was opened and closed, and what is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.core.effects import CloseLive, OpenLive
from edge_agent.core.units import ClipKey


@dataclass
class FakeLiveSources:
    """A ``runtime.LiveSources``. ``open`` has the addresses of what is open, ``orders`` all that was told."""

    orders: list[OpenLive | CloseLive] = field(default_factory=list)
    open: dict[ClipKey, tuple[str, ...]] = field(default_factory=dict)

    def order(self, order: OpenLive | CloseLive) -> None:
        self.orders.append(order)
        match order:
            case OpenLive():
                self.open.setdefault(order.key, order.urls)
            case CloseLive():
                self.open.pop(order.key, None)
