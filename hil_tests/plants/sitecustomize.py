"""Faults that a station's real process gets when BENCH_PLANT names one: each is what a careless change would do.

Python reads this before the program, by PYTHONPATH; the product has no word of it. The bench has to catch each of them
(``on_target/test_plants.py``): a proof that no fault can fail proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

FRAME_BYTES = 4
# Two channels of 16 bits, as on the bench.


def left_on_at_exit() -> None:
    """Nobody opens the relays, and the lines are given back as they are. A Raspberry Pi's kernel may leave them so."""
    from edge_agent.device.loop import Device
    from edge_agent.relay.gpio import GpioRelays

    Device.stop = lambda self: self._player.close()  # type: ignore[method-assign]
    GpioRelays.close = lambda self: self._factory.close()  # type: ignore[method-assign]


def claimed_before_its_value() -> None:
    """The line is an output first, at the level that closes the relay, and gets its own level afterwards."""
    from edge_agent.relay.gpio import GpiodPin

    claim = GpiodPin.output_with_state

    def careless(self: Any, state: int) -> None:
        claim(self, 1)
        self._set_state(state)

    GpiodPin.output_with_state = careless  # type: ignore[method-assign]


def unpaced() -> None:
    """Every other period is thrown away as if it had been played: the player runs ahead of the street."""
    from edge_agent.audio.alsa import AlsaCard

    write, count = AlsaCard.write, [0]

    def hasty(self: Any, block: bytes) -> int:
        count[0] += 1
        return write(self, block) if count[0] % 2 else len(block) // FRAME_BYTES

    AlsaCard.write = hasty  # type: ignore[method-assign]


def believes_its_kernel() -> None:
    """It is whatever time the system's clock shows at this moment."""
    from dataclasses import replace

    from edge_agent.clock import StationClock, system_utc_ms

    trusted = StationClock.now
    StationClock.now = lambda self: replace(trusted(self), utc=system_utc_ms())  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant for plant in (left_on_at_exit, claimed_before_its_value, unpaced, believes_its_kernel)
}

if name := os.environ.get("BENCH_PLANT"):
    PLANTS[name]()
