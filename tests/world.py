"""A ward in virtual time: the real core, real signatures and the real interlock, among fakes that keep state.

Time jumps from one happening to the next, so a year takes seconds. Everything that the shell would do with threads is
done here by a heap of happenings; every fake survives or loses on a power cut exactly what its original would.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from edge_agent.core import clock_trust, station
from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockState, Now
from edge_agent.core.events import (
    AckToken,
    ClipFailed,
    ClipStaged,
    Connected,
    DeviceUp,
    Disconnected,
    Event,
    IntentSaved,
    JobSaved,
    Mark,
    MessageArrived,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RecordSaved,
    RelayChanged,
    RelayFailed,
    Tick,
)
from edge_agent.core.programme import ATTENTION, Sound, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import ClipKey, MonoMs, PlayId, UtcMs, ZoneId
from edge_agent.journal.port import Contents, Journal
from edge_agent.relay import interlock
from edge_agent.runtime import restored
from edge_agent.sync.messages import LOG_BODIES_BYTES, HostStatus, LogCursor, Sender
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.roles import Trust
from edge_agent.upstream import Identity, Upstream
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers

NET_MS = 40
DISK_MS = 6
LINK_MS = 1
STOP_MS = 20
SPEECH_MS_PER_LETTER = 60
WILL_DELAY_MS = 10_000
PROGRESS_MS = 500


class World:
    """One station, its broker, its headend and the street, on one virtual clock (``mono``: ms since it began)."""

    def __init__(self, site: Site, trust: Trust, began: UtcMs, disk: FakeDisk) -> None:
        self.site = site
        self.began = began
        self.mono = 0
        self.judge = make_judge(trust, site)
        self.network = True
        self.cache: dict[ClipKey, int] = {}
        self.disk = disk
        self.journal = FakeJournal(disk)
        self.broker = Broker(self)
        self.headend = Headend(self)
        self.device = Device(self)
        self.agent: Agent | None = None
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def utc(self) -> UtcMs:
        """The true time."""
        return UtcMs(self.began + self.mono)

    def after(self, ms: int, happen: Callable[[], None]) -> None:
        """Let something happen ``ms`` from now."""
        self._count += 1
        heapq.heappush(self._heap, (self.mono + ms, self._count, happen))

    def run_until(self, mono: int) -> None:
        """Jump from happening to happening up to ``mono``."""
        while True:
            wakes = [wake for wake in (self._next_heap(), self._agent_wake(), self.device.wake()) if wake is not None]
            if not wakes or min(wakes) > mono:
                break
            self.mono = max(self.mono, min(wakes))
            self._happen()
        self.mono = mono

    def boot(self) -> None:
        """Power on: the device process first, then the agent; relays are off before anything else."""
        if self.agent is None:
            self.device.switch_on()
            self.journal = FakeJournal(self.disk)
            self.agent = Agent(self)
            self.agent.boot()

    def kill_agent(self) -> None:
        """SIGKILL: the socket closes, the broker keeps the will back for its delay."""
        agent, self.agent = self.agent, None
        if agent is not None:
            self.device.hung_up(interlock.Cause.LINK_LOST)
            self.broker.lost(agent)

    def cut_power(self) -> None:
        """Everything stops; the journal keeps what it committed."""
        agent, self.agent = self.agent, None
        self.device.power_off()
        if agent is not None:
            self.broker.lost(agent)

    def set_network(self, up: bool) -> None:
        """Cut or restore the way to broker and content server."""
        self.network = up
        if self.agent is not None:
            if up:
                self.broker.connect(self.agent)
            else:
                self.broker.drop(self.agent)

    def _next_heap(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def _agent_wake(self) -> int | None:
        return self.agent.wake if self.agent else None

    def _happen(self) -> None:
        if self._heap and self._heap[0][0] <= self.mono:
            heapq.heappop(self._heap)[2]()
            return
        if self.device.wake() is not None and self.device.wake() <= self.mono:  # type: ignore[operator]
            self.device.tick()
            return
        assert self.agent is not None
        self.agent.take(Tick())


class Agent:
    """The agent process in virtual time: what ``runtime`` does with threads, done with happenings."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.state = station.start(world.site)
        self.clock = ClockState(set_at=MonoMs(world.mono))
        self.wake: int | None = None
        self.epoch = 0
        self.connected = False
        self.notes: list[fx.Note] = []
        self._newest: LogCursor | None = None
        sender = Sender(world.site.realm, world.site.station, f"boot-{world.mono}", "edge-agent test")
        identity = Identity(sender, world.site.area, "Trạm thử", 1)
        self.upstream = Upstream(identity, _SimSession(self), self._sign, HostStatus)
        self._contents: Contents | None = None

    @property
    def alive(self) -> bool:
        return self._world.agent is self

    def now(self) -> Now:
        return self.clock.read(MonoMs(self._world.mono))

    def boot(self) -> None:
        contents = self._world.journal.load()
        self._newest = LogCursor(contents.epoch, contents.last_seq, contents.last_hash)
        self.take(restored(contents, self._world.judge))
        self.post(DeviceUp(), LINK_MS)
        self._world.broker.connect(self)

    def post(self, event: Event, ms: int) -> None:
        """An event that arrives later, if the process still lives then."""
        self._world.after(ms, lambda: self.take(event) if self.alive else None)

    def take(self, event: Event) -> None:
        now = self.now()
        self.state, effects = station.step(self.state, event, now, self._world.judge)
        for effect in effects:
            self._perform(effect, now)
        now = self.now()
        self.wake = station.next_wake(self.state, now)
        if self.wake is not None:
            # A wake that is due already follows at once, yet after what else happens in this millisecond.
            self.wake = max(self.wake, self._world.mono + 1)
        self._world.device.renewed()

    def _perform(self, effect: fx.Effect, now: Now) -> None:
        match effect:
            case fx.Note():
                self.notes.append(effect)
            case fx.SwitchRelay() | fx.StartPlay() | fx.RoutePlay() | fx.StopPlay():
                self._world.device.order(effect)
            case fx.FetchClip():
                self._fetch(effect)
            case fx.SpeakText():
                self.post(ClipStaged(effect.key, SPEECH_MS_PER_LETTER * len(effect.text)), 300)
                self._world.headend.names[effect.key] = "speech"
            case fx.Ack():
                self._world.broker.acked(effect.token)
            case fx.AdoptTime():
                self._adopt(effect)
            case fx.SendHello() | fx.SendAnswer() | fx.SendState() | fx.SendHeartbeat():
                self._say(effect, now)
            case fx.SendLog():
                self._world.after(DISK_MS, lambda: self._send_log(effect.after_seq))
            case _:
                self._world.after(DISK_MS, lambda: self._commit(effect))

    def _say(self, effect: fx.Effect, now: Now) -> None:
        match effect:
            case fx.SendHello():
                assert self._newest is not None
                self.upstream.hello(effect.nonce, now, self._newest, again=effect.again)
            case fx.SendAnswer():
                self.upstream.answer(effect, now)
            case fx.SendState():
                self.upstream.state(self.state, now, online=effect.online)
            case fx.SendHeartbeat():
                self.upstream.heartbeat(self.state, now)

    def _adopt(self, effect: fx.AdoptTime) -> None:
        mono = MonoMs(self._world.mono)
        trip = mono - effect.asked_at
        self.clock = clock_trust.adopt_signed(self.clock, effect.utc, MonoMs(mono - trip // 2), trip)
        self.post(Tick(), 0)

    def _fetch(self, effect: fx.FetchClip) -> None:
        world = self._world
        if effect.key in world.cache:
            self.post(ClipStaged(effect.key, world.cache[effect.key]), DISK_MS)
        elif not world.network:
            self.post(ClipFailed(effect.key, Reason.AUDIO_UNREACHABLE, again=True), NET_MS)
        elif effect.key in world.headend.altered:
            self.post(ClipFailed(effect.key, Reason.AUDIO_ALTERED, again=False), NET_MS)
        else:
            world.cache[effect.key] = effect.duration_ms
            self.post(ClipStaged(effect.key, effect.duration_ms), 10 * NET_MS)

    def _commit(self, effect: fx.Effect) -> None:
        if not self.alive:
            return
        journal = self._world.journal
        journal.begin()
        answer = self._write(journal, effect)
        journal.commit()
        if answer is not None:
            self.take(answer)

    def _write(self, journal: Journal, effect: fx.Effect) -> Event | None:
        match effect:
            case fx.SaveJob():
                journal.save_job(effect)
                return JobSaved(effect.saved.accepted.job.job_id)
            case fx.ReleaseJob():
                journal.release_job(effect.job_id, effect.base)
            case fx.SaveMark():
                journal.save_mark(effect)
                return IntentSaved(effect.job_id, effect.planned) if effect.mark is Mark.INTENT else None
            case fx.CommitRecord():
                stored = journal.append(effect.record, effect.closes, effect.job_over)
                self._newest = LogCursor(stored.epoch, stored.seq, stored.hash)
                return RecordSaved(stored.seq)
            case fx.SaveLogAck():
                journal.save_ack(effect.epoch, effect.seq)
        return None

    def _send_log(self, after_seq: int) -> None:
        records = self._world.journal.records_after(after_seq, LOG_BODIES_BYTES)
        if self.alive and records:
            self.upstream.records(records)

    @staticmethod
    def _sign(kind: str, payload: bytes) -> bytes:
        return sign(payload_type(kind), payload, [makers.signer("station")])


class _SimSession:
    """The agent's session: hands to the broker while there is a network."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        world = self._agent._world
        if not (self._agent.connected and world.network):
            return False
        world.after(NET_MS, lambda: world.headend.receive(topic, payload))
        return True

    def start(self) -> None: ...

    def ack(self, token: AckToken) -> None: ...

    def alive_at(self) -> int:
        return 0

    def stop(self) -> None: ...


class Broker:
    """One persistent session with a queue of what is not acknowledged; acknowledgements belong to a connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: list[tuple[int, str, bytes]] = []
        self._mid = 0
        self._epoch = 0
        self._will: bytes | None = None

    def publish(self, topic: str, payload: bytes) -> None:
        self._mid += 1
        self._queue.append((self._mid, topic, payload))
        if self._world.agent is not None and self._world.agent.connected:
            self._deliver(self._world.agent, self._queue[-1])

    def connect(self, agent: Agent) -> None:
        if not self._world.network or agent.connected:
            return
        self._epoch += 1
        agent.epoch, agent.connected = self._epoch, True
        self._will = agent.upstream.will(agent.now())
        agent.post(Connected(self._epoch, hashlib.sha256(str(self._epoch).encode()).hexdigest()[:32]), NET_MS)
        for item in self._queue:
            self._deliver(agent, item)

    def drop(self, agent: Agent) -> None:
        agent.connected = False
        agent.post(Disconnected("network cut"), NET_MS)

    def lost(self, agent: Agent) -> None:
        """The process is gone without a goodbye: the will follows after its delay unless it is back by then."""
        agent.connected = False
        will, epoch = self._will, self._epoch
        topic = f"loa/1/u/{self._world.site.station}/state"
        if will is not None:
            self._world.after(WILL_DELAY_MS, lambda: self._publish_will(topic, will, epoch))

    def acked(self, token: AckToken) -> None:
        if token.epoch == self._epoch:
            self._queue = [item for item in self._queue if item[0] != token.mid]

    def _publish_will(self, topic: str, will: bytes, epoch: int) -> None:
        if epoch == self._epoch:
            self._world.headend.receive(topic, will)

    def _deliver(self, agent: Agent, item: tuple[int, str, bytes]) -> None:
        mid, topic, payload = item
        agent.post(MessageArrived(topic, payload, AckToken(self._epoch, mid)), NET_MS)


class Headend:
    """The central side: real keys, checks what the station says, answers hello and log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.welcoming = True
        self.altered: set[ClipKey] = set()
        self.names: dict[ClipKey, str] = {ATTENTION: "attention"}
        self.answers: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self._hello: dict[str, Any] | None = None
        self._log: dict[str, Any] = {"epoch": "", "seq": 0, "hash": "0" * 64}

    def receive(self, topic: str, data: bytes) -> None:
        envelope = open_envelope(data)
        assert isinstance(envelope, Envelope)
        payload = json.loads(envelope.payload)
        kind = topic.rpartition("/")[2]
        assert payload["type"] == kind
        match kind:
            case "hello":
                self._hello = payload
                self.welcome()
            case "state":
                self.states.append(payload)
            case "answer":
                self.answers.append(payload)
            case "log":
                self._take_log(payload)

    def welcome(self) -> None:
        if self.welcoming and self._hello is not None:
            nonce = self._hello["nonce"]
            message = makers.signed_welcome(nonce=nonce, utc=self._world.utc(), log=self._log)
            self._world.broker.publish(makers.WELCOME_TOPIC, message)

    def _take_log(self, payload: dict[str, Any]) -> None:
        for record in payload["records"]:
            if record["seq"] != self._log["seq"] + 1:
                continue  # a batch sent again overlaps what is here
            assert record["prev"] == self._log["hash"], "the chain is broken"
            self.records.append(record["body"])
            self._log = {"epoch": payload["epoch"], "seq": record["seq"], "hash": record["hash"]}
        self._world.broker.publish(makers.ACK_TOPIC, makers.signed_ack(log=self._log))


@dataclass
class Run:
    """One programme on the virtual device; ``routes`` is who heard it from when on."""

    play: fx.StartPlay
    begins: int
    routes: list[tuple[int, frozenset[ZoneId]]]
    stopped: int | None = None
    announced: bool = False

    @property
    def ends(self) -> int:
        whole = self.begins + length_ms(self.play.parts)
        return whole if self.stopped is None else min(whole, self.stopped)

    def zone_ms(self, until: int) -> dict[ZoneId, int]:
        total: dict[ZoneId, int] = {}
        for zone, start, end in self.spans(until):
            total[zone] = total.get(zone, 0) + end - start
        return total

    def spans(self, until: int) -> Iterator[tuple[ZoneId, int, int]]:
        """(zone, from, to) of everything routed up to ``until``."""
        last = min(self.ends, until)
        for index, (since, zones) in enumerate(self.routes):
            upto = self.routes[index + 1][0] if index + 1 < len(self.routes) else last
            start, end = max(since, self.begins), min(upto, last)
            if start < end:
                for zone in zones:
                    yield zone, start, end


@dataclass
class Edge:
    """A relay moved at ``mono``."""

    zone: ZoneId
    on: bool
    mono: int
    cause: str


@dataclass
class Device:
    """The device process: relays under the real interlock, and a card that plays exactly on time."""

    world: World
    powered: bool = False
    edges: list[Edge] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    lock: interlock.Interlock = field(init=False)

    def __post_init__(self) -> None:
        self.lock = self._fresh()

    def switch_on(self) -> None:
        self.powered = True
        self.lock = self._fresh()

    def power_off(self) -> None:
        self.hung_up(interlock.Cause.STOP)
        self.powered = False

    def hung_up(self, cause: interlock.Cause) -> None:
        """The agent is gone: everything stops and every relay opens at once."""
        for run in self.runs:
            run.stopped = min(run.ends, self.world.mono)
            run.announced = True
            self.lock = interlock.end(self.lock, run.play.play_id)
        _, openings = interlock.open_all(self.lock, cause)
        self.lock = self._fresh()
        self._open(openings)

    def renewed(self) -> None:
        self.lock = interlock.renew(self.lock, MonoMs(self.world.mono))

    def order(self, order: fx.SwitchRelay | fx.StartPlay | fx.RoutePlay | fx.StopPlay) -> None:
        match order:
            case fx.SwitchRelay():
                self._switch(order)
            case fx.StartPlay():
                self._start(order)
            case fx.RoutePlay():
                zones = frozenset(feed.zone for feed in order.feeds)
                self._run_of(order.play_id).routes.append((self.world.mono + LINK_MS, zones))
            case fx.StopPlay():
                self._stop(self._run_of(order.play_id))

    def wake(self) -> int | None:
        """The agent renews the lease as long as it lives, so here only a maximum on-time comes due."""
        ends = [closed.off_at for closed in self.lock.closed.values()]
        return min(ends, default=None)

    def tick(self) -> None:
        self.renewed()
        self.lock, openings = interlock.due(self.lock, MonoMs(self.world.mono))
        self._open(openings)

    def heard(self, names: dict[ClipKey, str]) -> list[tuple[ZoneId, str, int, int]]:
        """(zone, what, from, to) of everything that sounded through a closed relay; silence between parts left out."""
        found = []
        for run in self.runs:
            for what, begins, ends in _sounds(run, names):
                for zone, start, end in run.spans(self.world.mono):
                    a, b = max(begins, start), min(ends, end)
                    if a < b and self._closed(zone, a) and self._closed(zone, b - 1):
                        found.append((zone, what, a, b))
        return _joined(sorted(found, key=lambda one: (one[0], one[2])))

    def _switch(self, order: fx.SwitchRelay) -> None:
        now = MonoMs(self.world.mono)
        was = order.zone in self.lock.closed
        self.renewed()
        self.lock, verdict = interlock.order(self.lock, order.zone, order.on, order.off_after_ms, now)
        if isinstance(verdict, interlock.Refused):
            self._report(RelayFailed(order.zone, verdict.detail))
            return
        if was != order.on:
            self.edges.append(Edge(order.zone, order.on, self.world.mono, "order"))
        self._report(RelayChanged(order.zone, order.on, "order", now))

    def _start(self, play: fx.StartPlay) -> None:
        run = Run(play, max(play.at, self.world.mono + LINK_MS), [(0, frozenset(feed.zone for feed in play.feeds))])
        self.runs.append(run)
        self.world.after(run.begins - self.world.mono, lambda: self._started(run))
        self.world.after(run.ends - self.world.mono, lambda: self._ended(run))

    def _started(self, run: Run) -> None:
        if not run.announced:
            self._report(PlayStarted(run.play.play_id, MonoMs(run.begins)))
            self.world.after(PROGRESS_MS, lambda: self._progress(run))

    def _progress(self, run: Run) -> None:
        if not run.announced:
            self._report(PlayProgress(run.play.play_id, run.zone_ms(self.world.mono), 0))
            self.world.after(PROGRESS_MS, lambda: self._progress(run))

    def _stop(self, run: Run) -> None:
        if run.announced:
            return  # over already, or lost with the device process
        run.stopped = self.world.mono + STOP_MS
        self.world.after(STOP_MS, lambda: self._ended(run, Reason.SHUTDOWN))

    def _ended(self, run: Run, reason: Reason | None = None) -> None:
        if run.announced:
            return
        run.announced = True
        zone_ms = run.zone_ms(self.world.mono)
        frames = max(zone_ms.values(), default=0) * 48
        self._report(PlayEnded(run.play.play_id, zone_ms, frames, 0, MonoMs(self.world.mono), reason))

    def _open(self, openings: tuple[interlock.Opening, ...]) -> None:
        for opening in openings:
            self.edges.append(Edge(opening.zone, False, self.world.mono, opening.cause))
            self._report(RelayChanged(opening.zone, False, opening.cause, MonoMs(self.world.mono)))

    def _report(self, event: Event) -> None:
        if self.world.agent is not None:
            self.world.agent.post(event, LINK_MS)

    def _run_of(self, play_id: PlayId) -> Run:
        return next(run for run in self.runs if run.play.play_id == play_id)

    def _closed(self, zone: ZoneId, mono: int) -> bool:
        moves = [edge for edge in self.edges if edge.zone == zone and edge.mono <= mono]
        return bool(moves) and moves[-1].on

    def _fresh(self) -> interlock.Interlock:
        return interlock.Interlock({zone: site.on_ms_max for zone, site in self.world.site.zones.items()})


def _sounds(run: Run, names: dict[ClipKey, str]) -> Iterator[tuple[str, int, int]]:
    at = run.begins
    for part in run.play.parts:
        if isinstance(part, Sound):
            yield names.get(part.key, part.key), at, at + part.duration_ms
        at += part.duration_ms


def _joined(found: list[tuple[ZoneId, str, int, int]]) -> list[tuple[ZoneId, str, int, int]]:
    """What goes on without a gap is one sound: a new route for the neighbour does not cut it."""
    joined: list[tuple[ZoneId, str, int, int]] = []
    for zone, what, start, end in found:
        if joined and joined[-1][:2] == (zone, what) and joined[-1][3] == start:
            joined[-1] = (zone, what, joined[-1][2], end)
        else:
            joined.append((zone, what, start, end))
    return joined
