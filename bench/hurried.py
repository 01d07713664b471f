"""A device process whose card is ALSA's ``null`` and whose time passes as fast as sound can be made for it.

    python -m bench.hurried CONFIG

Player, mixer, read-ahead, store and the line to the agent are the station's own. Left out is what needs real time:
relays are called closed as soon as they are ordered, and no lease runs. ``null`` takes whatever it is given, so time is
told by what it took; it only takes what the read-ahead has ready, as a card that is that fast would starve it.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from edge_agent.audio.alsa import AlsaCard, AlsaPlayer
from edge_agent.audio.card import Card, CardConfig, Wiring
from edge_agent.audio.clip import Clip
from edge_agent.audio.mixer import Outlet
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.stream_clock import mono_ms
from edge_agent.boot_time import boot_ns
from edge_agent.cli import paths
from edge_agent.clock import boot_ms
from edge_agent.config import load
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import DeviceUp, RelayChanged
from edge_agent.core.units import ClipKey
from edge_agent.link.messages import ToCore
from edge_agent.link.server import DeviceServer, LinkLost, agent_uids
from edge_agent.relay.interlock import Cause

PAUSE_S = 0.0005
WAIT_S = 1.0
NS_IN_S = 1_000_000_000


class Pace:
    """Counts what the card took and what the read-ahead has read. One programme at a time."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._begun_ns = boot_ns()
        self._taken = 0
        self._taken_before = 0
        self._read = 0
        self._left_to_read = 0
        self._awaited = False

    def now_ns(self) -> int:
        """When it is by the card: every frame that it took has passed."""
        return self._begun_ns + self._taken * NS_IN_S // self._rate

    def took(self, frames: int) -> None:
        self._taken += frames

    def ordered(self) -> None:
        """A programme is on its way: time stands until the read-ahead has opened it."""
        self._awaited = True

    def opened(self, frames: int) -> None:
        self._taken_before, self._read, self._left_to_read = self._taken, 0, frames
        self._awaited = False

    def read(self, frames: int) -> None:
        self._read += frames
        self._left_to_read -= frames

    def may_pass(self, frames: int) -> bool:
        """Whether so much sound lies ready, or there is none to wait for."""
        if self._awaited:
            return False
        return self._left_to_read <= 0 or self._read - (self._taken - self._taken_before) >= frames


class NullCard(AlsaCard):
    """The real card's code on ``null``, which has room once there is something to put there."""

    def __init__(self, config: CardConfig, pace: Pace) -> None:
        super().__init__(config)
        self._pace = pace
        self._ahead = 2 * config.period_frames

    def room(self) -> int:
        while not self._pace.may_pass(self._ahead):
            time.sleep(PAUSE_S)
        return super().room()

    def write(self, block: bytes) -> int:
        taken = super().write(block)
        self._pace.took(max(taken, 0))
        return taken


class CountedClips:
    """The store, telling the pace what is read from it."""

    def __init__(self, store: PcmStore, pace: Pace) -> None:
        self._store = store
        self._pace = pace

    def open(self, key: ClipKey) -> CountedClip:
        return CountedClip(self._store.open(key), self._pace)


class CountedClip:
    """One clip of it."""

    def __init__(self, clip: Clip, pace: Pace) -> None:
        self._clip = clip
        self._pace = pace
        self.rate, self.frames = clip.rate, clip.frames
        pace.opened(clip.frames)

    def read(self, frame_from: int, frames: int) -> bytes:
        sound = self._clip.read(frame_from, frames)
        self._pace.read(frames)
        return sound

    def close(self) -> None:
        self._clip.close()


class HurriedDevice:
    """Obeys one agent."""

    def __init__(self, config_file: Path) -> None:
        config = load(config_file)
        (card,) = config.cards.values()
        if trouble := paths.prepare(config, paths.device(config)):
            raise RuntimeError(trouble)
        self._pace = Pace(card.rate)
        self._lock = threading.Lock()
        self._server = DeviceServer(paths.socket(config), agent_uids())
        settings = CardConfig("null", card.rate, card.channels, card.period_ms, card.periods)
        outlets = {zone: Outlet(wiring.channel) for zone, wiring in config.zones.items()}
        clips = CountedClips(PcmStore(paths.audio(config)), self._pace)
        self._player = AlsaPlayer(
            settings, Wiring(card.rate, card.channels, outlets), clips, self._tell, self._open, self._pace.now_ns
        )

    def run(self) -> None:
        """Until the agent hangs up."""
        while self._server.client is None:
            select.select([self._server.listener], [], [])
            self._server.accept()
        self._tell(DeviceUp())
        while True:
            select.select([self._server.client], [], [], WAIT_S)
            while (order := self._server.receive()) is not None:
                self._obey(order)

    def _obey(self, order: object) -> None:
        match order:
            case SwitchRelay():
                self._tell(RelayChanged(order.zone, order.on, Cause.ORDER, boot_ms()))
            case StartPlay():
                # At once: the instant that was ordered is one of another time.
                self._pace.ordered()
                self._player.start(replace(order, at=mono_ms(self._pace.now_ns())))
            case RoutePlay():
                self._player.route(order)
            case StopPlay():
                self._player.stop(order)

    def _open(self, config: CardConfig) -> Card:
        return NullCard(config, self._pace)

    def _tell(self, report: ToCore) -> None:
        """Wait until the agent has room: its reports come hundreds of times as fast as on a street."""
        with self._lock:
            if self._server.client is not None:
                select.select([], [self._server.client], [])
                self._server.send(report)


def main() -> None:
    device = HurriedDevice(Path(sys.argv[1]))
    try:
        device.run()
    except LinkLost as why:
        print(f"device ends: {why}", flush=True)


if __name__ == "__main__":
    main()
