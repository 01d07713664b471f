"""A player that does what it is told until it is told to hang, and the two processes as real processes."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.audio.port import Reports
from edge_agent.clock import boot_ms
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import DeviceUp, Event, PlayEnded, PlayProgress, PlayStarted
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.site import ZoneSite
from edge_agent.core.units import MonoMs, PlayId, ZoneId
from edge_agent.device.process import run_device
from edge_agent.device.wake import Stop
from edge_agent.link.client import DeviceClient
from edge_agent.relay.simulated import SimulatedRelays

PLAY_MS = 5_000
# Whatever a programme's parts say: what is tested over this player does not hang on their length.
ZONES = {zone: ZoneSite(zone, f"Cụm {zone}", warm_up_ms=0) for zone in (ZoneId("a"), ZoneId("b"))}


class FakePlayer:
    """A player in memory: sound goes on until it is stopped. While wedged, nothing moves and nothing is reported."""

    def __init__(self, reports: Reports, clock: Callable[[], MonoMs]) -> None:
        self._reports = reports
        self._clock = clock
        self._alive_at = clock()
        self._wedged = False
        self._stops: list[PlayId] = []
        self.playing: dict[PlayId, StartPlay] = {}
        self.orders: list[StartPlay | RoutePlay | StopPlay] = []
        self.closed = False

    def start(self, play: StartPlay) -> None:
        self.orders.append(play)
        self.playing[play.play_id] = play
        if not self._wedged:
            self._reports(PlayStarted(play.play_id, MonoMs(max(play.at, self._clock()))))

    def route(self, play: RoutePlay) -> None:
        self.orders.append(play)

    def stop(self, play: StopPlay) -> None:
        self.orders.append(play)
        self._stops.append(play.play_id)
        self._settle()

    def alive_at(self) -> int:
        if not self._wedged:
            self._alive_at = self._clock()
        return self._alive_at

    def close(self) -> None:
        self._stops += list(self.playing)
        self._settle()
        self.closed = True

    def finish(self, play_id: PlayId) -> None:
        """The last sample leaves the card."""
        play = self.playing.pop(play_id)
        zone_ms = {feed.zone: PLAY_MS for feed in play.feeds}
        self._reports(PlayEnded(play_id, zone_ms, PLAY_MS * 48, 0, self._clock(), None))

    def wedge(self) -> None:
        self._alive_at = self._clock()
        self._wedged = True

    def unwedge(self) -> None:
        self._wedged = False
        self._settle()

    def progress(self, play_id: PlayId) -> None:
        self._reports(PlayProgress(play_id, {feed.zone: 1_000 for feed in self.playing[play_id].feeds}, 0))

    def _settle(self) -> None:
        if self._wedged:
            return
        for play_id in self._stops:
            if self.playing.pop(play_id, None) is not None:
                self._reports(PlayEnded(play_id, {}, 0, 0, self._clock(), Reason.SHUTDOWN))
        self._stops.clear()


# -- as processes: python -m tests.fakes.device io|agent DIRECTORY ----------------------------------------------------


class Process:
    """One of the two, in ``directory``: relays/, io.sock. It says "ready", its log, and a line for each event."""

    def __init__(self, role: str, directory: Path, *, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.device", role, os.fspath(directory)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **(env or {})},
        )
        self.said = ""
        """The last line that was read."""
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self, patience_s: float = 60) -> str:
        self.said = self._lines.get(timeout=patience_s)
        return self.said

    def expect(self, word: str) -> None:
        """Read on until a line holds ``word``."""
        while word not in self.line():
            pass

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, patience_s: float = 60) -> int:
        return self._process.wait(patience_s)

    def end(self) -> None:
        """Whatever it is doing."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())


def edges(directory: Path) -> list[dict[str, Any]]:
    """Every change of a simulated relay so far."""
    path = directory / "relays" / "edges.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class ToldRelays(SimulatedRelays):
    """Says when a relay has moved: a file tells nobody when it changes."""

    def switch(self, zone: ZoneId, on: bool) -> None:
        super().switch(zone, on)
        print(f"{zone} is {'closed' if on else 'open'}", flush=True)


def _io(directory: Path) -> int:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    players: list[FakePlayer] = []

    def opened(reports: Reports) -> FakePlayer:
        players.append(FakePlayer(reports, boot_ms))
        print("ready", flush=True)
        return players[0]

    signal.signal(signal.SIGUSR1, lambda *_: players[0].wedge())
    relays = ToldRelays(directory / "relays", ZONES)
    return run_device(relays, opened, ZONES, directory / "io.sock", stop)


def _agent(directory: Path) -> int:
    """Closes relay a, starts a play on it, and renews every second, as a core does that has nothing else to do."""
    events: queue.Queue[Event] = queue.Queue()
    client = DeviceClient(directory / "io.sock", events.put)
    client.start()
    while True:
        try:
            event = events.get(timeout=1)
        except queue.Empty:
            at = boot_ms()
            client.renew()
            print(f"renewed {at}", flush=True)
            continue
        print(event, flush=True)
        if isinstance(event, DeviceUp):
            client.send(SwitchRelay(ZoneId("a"), True, 600_000))
            client.send(StartPlay(PlayId("p"), (), (ZoneFeed(ZoneId("a"), 50),), boot_ms()))


if __name__ == "__main__":
    sys.exit({"io": _io, "agent": _agent}[sys.argv[1]](Path(sys.argv[2])))
