"""A sound card in virtual time, with a memory of what it played and when, that can be late, hang, or be pulled out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from edge_agent.audio.bell import Bell
from edge_agent.audio.card import UNDERRUN, CardConfig, CardHangs, Wiring
from edge_agent.audio.cards import CardsPlayer, Served
from edge_agent.audio.desk import Desk
from edge_agent.audio.feeder import Feeder
from edge_agent.audio.live_shared import LiveShared
from edge_agent.audio.port import PlayerError, PlayReport, Reports
from edge_agent.audio.prefetch import Clips, Prefetch
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.reasons import Reason

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
BOOT_NS = 77_000 * MS_NS
# Not zero: code that forgets a clock's origin should fail.
TURN_NS = 5 * MS_NS
# A quarter of the period of the tests' cards: several that take turns fall behind by one of these each.


@dataclass
class VirtualTime:
    ns: int = BOOT_NS

    def now_ns(self) -> int:
        return self.ns


@dataclass
class VirtualCard:
    """Begins to play with the first write; runs empty unless fed. Takes at most ``bite`` frames at once."""

    time: VirtualTime
    config: CardConfig
    bite: int = 1 << 30
    turn_ns: int = SECOND_NS
    """The longest that it waits at a time, so that others have their turn meanwhile."""
    hangs: bool = False
    rushes: bool = False
    pulled_out: bool = False
    closed: bool = False
    stopped: bool = False
    """Since a drop, until the next write."""
    drops: int = 0
    writes: int = 0
    waits: int = 0
    underruns: int = 0
    played: bytearray = field(default_factory=bytearray)
    """All that was written, interleaved, in order."""
    begins: list[tuple[int, int]] = field(default_factory=list)
    """(frame, instant in ns) of each begin of a stretch without a gap."""

    @property
    def name(self) -> str:
        return self.config.device

    @property
    def buffer_frames(self) -> int:
        return self.config.period_frames * self.config.periods

    @property
    def period_frames(self) -> int:
        return self.config.period_frames

    @property
    def written(self) -> int:
        return len(self.played) // (2 * self.config.channels)

    def room(self) -> int:
        self._check()
        return self.buffer_frames - max(self._queued(), 0)

    def write(self, block: bytes) -> int:
        self._check()
        self.writes += 1
        if self.hangs:
            return 0
        if self.begins and self._queued() < 0:
            self.underruns += 1
            self.begins.append((self.written, self.time.ns))
            return UNDERRUN
        if not self.begins or self.stopped:
            self.stopped = False
            self.begins.append((self.written, self.time.ns))
        frames = min(len(block) // (2 * self.config.channels), self.room(), self.bite)
        self.played += block[: frames * 2 * self.config.channels]
        return frames

    def drop(self) -> None:
        self._check()
        left = self.written - max(self._queued(), 0)
        del self.played[left * 2 * self.config.channels :]
        self.stopped = True
        self.drops += 1

    def wait(self, seconds: float, bell: Bell) -> None:
        self.waits += 1
        until = self.time.ns + min(round(seconds * SECOND_NS), self.turn_ns)
        missing = self.period_frames - self.room()
        due = self.time.ns + max(missing, 1) * SECOND_NS // self.config.rate + 1
        self.time.ns = until if self.hangs else min(until, due)

    def close(self) -> None:
        self.closed = True

    def instant_ns(self, frame: int) -> int:
        """When the frame sounded."""
        begin, at = next(stretch for stretch in reversed(self.begins) if stretch[0] <= frame)
        return at + (frame - begin) * SECOND_NS // self.config.rate

    def _queued(self) -> int:
        """Frames that have not sounded; negative when it ran empty."""
        if not self.begins or self.stopped:
            return 0
        begin, at = self.begins[-1]
        if self.hangs or self.rushes:
            return self.buffer_frames if self.hangs else 0
        queued = self.written - begin - (self.time.ns - at) * self.config.rate // SECOND_NS
        return queued if queued >= 0 else -1

    def _check(self) -> None:
        if self.pulled_out:
            raise PlayerError(f"{self.name} is lost")


class VirtualPlayer:
    """The real desk and feeder on a virtual card: what ``AlsaPlayer`` does, in one thread and in virtual time.

    With ``reports`` it is one of several, which take turns in one ``time``. One that hung stays so, as a process would
    that is ``needed`` by others.
    """

    def __init__(
        self,
        config: CardConfig,
        wiring: Wiring,
        clips: Clips,
        time: VirtualTime | None = None,
        reports: Reports | None = None,
        needed: Callable[[], bool] = lambda: True,
        live: LiveShared | None = None,
        tap: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._tap = tap
        self.time = time or VirtualTime()
        self.cards: list[VirtualCard] = []
        self.reports: list[tuple[int, PlayReport]] = []
        self.hung = False
        self._reports = reports
        self._needed = needed
        self.reads = True
        """Whether the storage answers."""
        self.prepare_card: Callable[[VirtualCard], None] = lambda card: None
        """Called with each card when it is opened."""
        self._config = config
        self._clips = clips
        self._live = live
        self._open: list[Prefetch] = []
        self._desk = Desk(wiring, config.tail_ms, self._open_pcm)
        self._feeder: Feeder | None = None
        self._alive_ns = self.time.ns
        self._bell = Bell()

    @property
    def card(self) -> VirtualCard:
        return self.cards[-1]

    def start(self, play: StartPlay) -> None:
        self._desk.obey(play)

    def route(self, play: RoutePlay) -> None:
        self._desk.obey(play)

    def stop(self, play: StopPlay) -> None:
        self._desk.obey(play)

    def alive_at(self) -> int:
        return self._alive_ns // MS_NS

    def close(self) -> None:
        self._end_all(Reason.SHUTDOWN)
        self._give_back()

    def run_until(self, condition: Callable[[], bool], limit_ms: int) -> bool:
        """Let time pass until the condition holds; False when ``limit_ms`` have passed before."""
        until = self.time.ns + limit_ms * MS_NS
        while not condition():
            if self.time.ns >= until:
                return False
            self.step()
        return True

    def run(self, ms: int) -> None:
        """Let so much time pass."""
        self.run_until(lambda: False, ms)

    def step(self) -> None:
        """One turn of the writer; time passes with it."""
        if self.hung:
            self._end_all(Reason.DEVICE_FAILED)
            if not self._needed():
                raise CardHangs(self.card.name)
        if self._feeder is None and not self._desk.busy:
            self.time.ns += 10 * MS_NS
            return
        if self._feeder is None:
            card = VirtualCard(self.time, self._config)
            self.prepare_card(card)
            self.cards.append(card)
        while self.reads and any(pcm.fill() for pcm in self._open):
            pass
        try:
            if self._feeder is None:
                self._feeder = Feeder(
                    self.card, self._config, self._desk, self._tell, self.time.now_ns, self._bell, self._tap
                )
            self._feeder.step()
            self._alive_ns = self.time.ns
        except PlayerError as exc:
            self._end_all(Reason.DEVICE_FAILED)
            self.hung = self._reports is not None and isinstance(exc, CardHangs)
            self._give_back()
            return
        if self._feeder.over:
            self._give_back()

    def _give_back(self) -> None:
        self._feeder = None
        if self.cards:
            self.card.close()
        for pcm in self._open:
            pcm.fill()

    def _open_pcm(self, play: StartPlay) -> Prefetch:
        config = self._config
        live = None if self._live is None else self._live.play(play.play_id)
        pcm = Prefetch(play.parts, self._clips, config.rate, threading.Event(), live, config.buffer_ms)
        self._open.append(pcm)
        return pcm

    def _end_all(self, reason: Reason) -> None:
        for report in self._desk.end_all(reason, self.time.ns):
            self._tell(report)

    def _tell(self, report: PlayReport) -> None:
        self.reports.append((self.time.ns // MS_NS, report))
        if self._reports is not None:
            self._reports(report)


class VirtualCards:
    """Several virtual cards in one virtual time, under the real ``CardsPlayer``. Implements ``port.Player``."""

    def __init__(
        self,
        configs: Mapping[str, CardConfig],
        wirings: Mapping[str, Wiring],
        clips: Clips,
        live: LiveShared | None = None,
    ) -> None:
        self.time = VirtualTime()
        self.reports: list[tuple[int, PlayReport]] = []
        self.players: dict[str, VirtualPlayer] = {}
        self.stands_still: set[str] = set()
        """The cards whose writer hangs in its device: it has no turn any more, and holds nothing but itself."""
        self.over = False
        """Whether the process has ended, for a card that hung."""

        def served(name: str, wiring: Wiring) -> Served:
            def open_player(reports: Reports, needed: Callable[[], bool]) -> VirtualPlayer:
                config = replace(configs[name], device=name)
                player = VirtualPlayer(config, wiring, clips, self.time, reports, needed, live)
                player.prepare_card = _take_turns
                self.players[name] = player
                return player

            return Served(tuple(wiring.outlets), open_player)

        cards = {name: served(name, wiring) for name, wiring in wirings.items()}
        self._player = CardsPlayer(cards, self._tell, lambda: self.time.ns // MS_NS)
        self.start, self.route, self.stop = self._player.start, self._player.route, self._player.stop
        self.alive_at, self.close = self._player.alive_at, self._player.close

    def run_until(self, condition: Callable[[], bool], limit_ms: int) -> bool:
        """Let time pass until the condition holds; False when ``limit_ms`` have passed before."""
        until = self.time.ns + limit_ms * MS_NS
        while not condition():
            if self.time.ns >= until:
                return False
            self.step()
        return True

    def run(self, ms: int) -> None:
        """Let so much time pass."""
        self.run_until(lambda: False, ms)

    def step(self) -> None:
        """A turn for every writer, and one of the device process's loop."""
        before = self.time.ns
        try:
            for name, player in self.players.items():
                if name not in self.stands_still and not self.over:
                    player.step()
            self._player.alive_at()
        except CardHangs:
            self.over = True
        self.time.ns = max(self.time.ns, before + MS_NS)

    def _tell(self, report: PlayReport) -> None:
        self.reports.append((self.time.ns // MS_NS, report))


def _take_turns(card: VirtualCard) -> None:
    card.turn_ns = TURN_NS
