"""The real device process behind the real line, only its orders made up. A rig as ``tests.audio.player_rig`` has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from edge_agent.audio.card import CardConfig
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.port import PlayReport
from edge_agent.clock import boot_ms
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import DeviceDown, DeviceUp, Event, PlayEnded, PlayProgress, PlayStarted
from edge_agent.link.client import DeviceClient
from edge_agent.link.messages import ToDevice
from tests.host.recording import Recorder, Recording

RENEW_S = 1.0
PATIENCE_S = 60
# Only so that what is broken ends.
CONFIG = """
[station]
id = "station"
realm = "measured"
name = "Trạm đo"
area = "vn/ha-noi/dong-thanh"
timezone = "Asia/Ho_Chi_Minh"

[broker]
host = "localhost"
ca_file = "ca.pem"
cert_file = "station.pem"
key_file = "station.key"

[content]
ca_file = "ca.pem"

[trust]
file = "trust.json"
station_key_file = "sign.key"

[paths]
state_dir = "{folder}/state"
run_dir = "{folder}/run"

[cards.main]
device = "{card.device}"
channels = 2
period_ms = {card.period_ms}
periods = {card.periods}

[relays]
driver = "simulated"
[relays.simulated]
dir = "{folder}/relays"

[[zones]]
id = "left"
name = "Cụm trái"
card = "main"
channel = "left"
line = 17
warm_up_ms = 0

[[zones]]
id = "right"
name = "Cụm phải"
card = "main"
channel = "right"
line = 18
warm_up_ms = 0
"""


class DeviceProcess:
    """Zones ``left`` and ``right``; runs from entering the context to its end, its lease renewed as a core would."""

    lead_ms = 1_000

    def __init__(
        self, folder: Path, env: Mapping[str, str], card: CardConfig, recorder: Recorder | None = None
    ) -> None:
        self.player = self
        self.store = PcmStore(folder / "state" / "audio")
        self._folder = folder
        self._env = env
        self._recorder = recorder
        self._told: list[tuple[int, PlayReport]] = []
        self._news = threading.Condition()
        self._up = False
        self._over = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "station.toml").write_text(CONFIG.format(folder=folder, card=card))
        self._socket = folder / "run" / "io" / "line.sock"
        self._line = DeviceClient(self._socket, self._hear)
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        with open(self._folder / "io.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_agent", "io", "--config", str(self._folder / "station.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._env},
                start_new_session=True,  # as a service has: see tests.host.busy
            )
        self.run_until(lambda: self._socket.exists() or self._process.poll() is not None)
        self._line.start()
        self._renewing.start()
        if not self.run_until(lambda: self._up):
            self.__exit__()
            raise RuntimeError(f"the device process does not come up: {self.log}")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._renewing.join()
        self._line.stop()
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that it has said so far."""
        return (self._folder / "io.log").read_text(errors="replace")

    def stand_still(self, seconds: float) -> None:
        """Nothing of it runs for so long."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def start(self, play: StartPlay) -> None:
        self._send(play)

    def route(self, play: RoutePlay) -> None:
        self._send(play)

    def stop(self, play: StopPlay) -> None:
        self._send(play)

    def now_ms(self) -> int:
        return boot_ms()

    def told(self) -> list[tuple[int, PlayReport]]:
        with self._news:
            return list(self._told)

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 1_000 * PATIENCE_S) -> bool:
        until = time.monotonic() + limit_ms / 1_000
        while not condition():
            if time.monotonic() > until:
                return False
            with self._news:
                self._news.wait(0.01)
        return True

    def heard(self) -> Recording:
        assert self._recorder is not None
        return self._recorder.stop()

    def _send(self, order: ToDevice) -> None:
        if not self._line.send(order):
            raise RuntimeError(f"the device process takes no orders: {self.log}")

    def _hear(self, event: Event) -> None:
        with self._news:
            if isinstance(event, PlayStarted | PlayProgress | PlayEnded):
                self._told.append((boot_ms(), event))
            elif isinstance(event, DeviceUp | DeviceDown):
                self._up = isinstance(event, DeviceUp)
            self._news.notify_all()

    def _renew(self) -> None:
        while not self._over.wait(RENEW_S):
            self._line.renew()
