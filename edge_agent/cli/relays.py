"""Choose the relays' driver, as configured, and open every relay at once for whoever asks.

``off`` is what systemd runs before each start and after each end of the device process. A relay that a dead process
left closed waits for it, and so does each new start: nothing of sound is imported here.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.config import Config, RelayDriver
from edge_agent.core.units import ZoneId
from edge_agent.relay.port import RelayError, Relays

if TYPE_CHECKING:
    from edge_agent.relay.gpio import RelayLine

EXIT_NO_DEVICE = 1

log = logging.getLogger(__name__)


def claimed(config: Config) -> Relays:
    """By the driver that the configuration names; a missing device is a RelayError, never a reason for another."""
    if config.relays.driver is RelayDriver.GPIO:
        from edge_agent.relay.gpio import GpioRelays

        return GpioRelays(config.relays.chip, _lines(config))
    from edge_agent.relay.simulated import SimulatedRelays

    log.warning("relays are SIMULATED dir=%s", config.relays.simulated_dir)
    return SimulatedRelays(_folder(config), config.site.zones)


def off(config: Config) -> int:
    """Open every relay, whoever left it closed. Tells on stderr which could not be asked."""
    try:
        if config.relays.driver is RelayDriver.GPIO:
            from edge_agent.relay import gpio

            gpio.relays_off(config.relays.chip, _lines(config))
        else:
            from edge_agent.relay import simulated

            simulated.relays_off(_folder(config))
    except RelayError as error:
        print(error, file=sys.stderr)
        return EXIT_NO_DEVICE
    return 0


def _lines(config: Config) -> dict[ZoneId, RelayLine]:
    from edge_agent.relay.gpio import RelayLine

    return {
        zone: RelayLine(wiring.line, wiring.active_low, wiring.read_back_line) for zone, wiring in config.zones.items()
    }


def _folder(config: Config) -> Path:
    assert config.relays.simulated_dir is not None, "the configuration has checked it"
    return config.relays.simulated_dir
