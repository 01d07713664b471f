"""A station in a process of its own, so that it can be killed. Says when it is connected; ends with its input.

Its will comes WILL_S after its death: nothing is shown by waiting for as long as the product has it wait.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_agent.core.events import Connected, Event
from edge_agent.core.units import StationId
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync import client
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.mqtt import MqttSession
from tests.sync.rigs import host_clock

WILL_S = 2


def main(port: str, ca: str, cert: str, key: str, station: str, area: str) -> None:
    def post(event: Event) -> None:
        if isinstance(event, Connected):
            print("connected", flush=True)

    client.WILL_DELAY_S = WILL_S
    settings = BrokerSettings(
        "localhost",
        int(port),
        Path(ca),
        Path(cert),
        TlsKey(Path(key)).show,
        StationId(station),
        area,
        reconnect_base_s=0.1,
    )
    session = MqttSession(settings, post, host_clock, lambda: b"will of the killed one")
    session.start()
    sys.stdin.read()
    session.publish(f"loa/1/u/{station}/state", b"goodbye", qos=1, retain=True)
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
