"""Put the device process together and take it apart, relays first both times. Which devices it gets, ``cli`` says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from edge_agent.audio.port import HeardReports, Player
from edge_agent.clock import boot_ms
from edge_agent.core.site import ZoneSite
from edge_agent.core.units import SECOND_MS, MonoMs, ZoneId
from edge_agent.device.loop import WRITER, Device
from edge_agent.device.wake import Inlet, Stop
from edge_agent.link.server import DeviceServer, agent_uids
from edge_agent.relay.contacts import Contacts
from edge_agent.relay.interlock import Interlock
from edge_agent.relay.port import Relays
from edge_agent.watchdog import Notifier, Progress

WRITER_MS_MAX = 4 * SECOND_MS
# A lease and one more second; with WatchdogSec=3 a wedged card restarts the process within 15 s.

log = logging.getLogger(__name__)


def run_device(
    relays: Relays,
    open_player: Callable[[HeardReports], Player],
    zones: Mapping[ZoneId, ZoneSite],
    socket_path: Path,
    stop: Stop,
    *,
    clock: Callable[[], MonoMs] = boot_ms,
) -> int:
    """Serve one agent at a time until ``stop`` is set; returns the exit status, 0. Closes ``relays`` in the end.

    Relays open before the player is opened and before anything is closed. Raises RelayError, LinkError or PlayerError
    where relays, socket or sound card are not to be had.
    """
    with ExitStack() as stack:
        stack.callback(relays.close)
        contacts = Contacts(relays, zones, clock())
        notifier = Notifier.from_environment()
        stack.callback(notifier.close)
        server = DeviceServer(socket_path, agent_uids())
        stack.callback(server.close)
        inlet = Inlet()
        stack.callback(inlet.close)
        lock = Interlock({zone: site.on_ms_max for zone, site in zones.items()})
        progress = Progress(notifier, {WRITER: WRITER_MS_MAX}, clock())
        device = Device(contacts, open_player(inlet), inlet, lock, server, progress, clock)
        stack.callback(device.stop)
        notifier.ready()
        notifier.status("sẵn sàng, mọi rơ-le ngắt / ready, all relays open")
        log.info("device ready socket=%s zones=%s", socket_path, ",".join(zones))
        device.run(stop)
        notifier.stopping()
    return 0
