"""A world that answers the core late, never, twice or wrongly: a journal, a device and a stager with memory.

``Disorder`` decides nothing by itself: whoever drives it says what happens next, and ``Watch`` looks at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import (
    AckToken,
    ClipFetched,
    ClipStaged,
    Connected,
    DeviceUp,
    Event,
    Judgement,
    LogCompared,
    MessageArrived,
    Tick,
)
from edge_agent.core.job import Accepted, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.site import Site
from edge_agent.core.units import SECOND_MS, JobId, MonoMs, PlayId, UtcMs
from edge_agent.restoring import restored
from tests.core.deadlines import Deadlines
from tests.core.slow_disk import SlowDisk
from tests.core.unruly_device import Device
from tests.core.watch import Durable, Watch, frozen, settled
from tests.trust import makers

SETTLE_MAX = 300
# Ticks at one instant: a step gives up ten occurrences at most, and two weeks of three a day may have been missed.

ANSWERS_MAX = 1_000
# What a month of missed instants may ask of an obliging journal at one instant, and some.
SPEECH_MS = 3_000
LIFE_EVENTS = 20
USELESS_WAKES_MAX = 50
# In a row: a wake may find that what it was for has been settled meanwhile, but somebody must make progress.


@dataclass(frozen=True)
class Obliging:
    """Who answers at once and well by himself."""

    journal: bool = False
    stager: bool = False
    device: bool = False


EVERYBODY = Obliging(journal=True, stager=True, device=True)


class Disorder:
    """One station from boot to boot."""

    def __init__(self, site: Site, utc: UtcMs, obliging: Obliging) -> None:
        self.site = site
        self.obliging = obliging
        self.true_utc = utc
        self.now = Now(MonoMs(1_000), UtcMs(1_000), ClockSource.UNSET, 0, signed=False)
        self.watch = Watch()
        self.disk = SlowDisk()
        self.rules: dict[str, AcceptedRule] = {}
        self.judgements: dict[bytes, Judgement] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.plays: list[PlayId] = []
        self.lied_about: set[JobId] = set()
        self.epoch = 0
        self._mid = 0
        self._clock_moved = False
        self.boot()

    @property
    def old(self) -> bool:
        """Whether this process has lived long enough for its end to be worth a look."""
        return self._events > LIFE_EVENTS and not self.state.stopping

    # What happens

    def boot(self) -> None:
        """A new process finds what the journal holds; everything else is gone."""
        self._events = 0
        self.state = station.start(self.site)
        self.staging: list[fx.FetchAhead | fx.FetchClip | fx.SpeakText] = []
        self.device = Device(self.site)
        self.deadlines = Deadlines()
        contents = self.disk.boot()
        self.watch.restarted(Durable(self.disk.closed, self.disk.heard, {job_id for job_id, _ in contents.seen}))
        self.send(restored(contents, self.verify))

    def verify(self, topic: str, payload: bytes) -> Judgement:
        return self.judgements[payload]

    def send(self, event: Event) -> None:
        """Something happens, and whoever obliges answers."""
        self._events += 1
        self._send(event)
        self.oblige(self.obliging)

    def _send(self, event: Event) -> None:
        """One step, then further ones as long as the core says that it has something to do at this instant."""
        self.broken = True
        self.step(event)
        if self._clock_moved:
            self._clock_moved = False
            self.step(Tick())
        for _ in range(SETTLE_MAX):
            wake = station.next_wake(self.state, self.now)
            if wake is None or wake > self.now.mono:
                break
            assert self.step(Tick()), "a wake that is due changes nothing: the agent would spin"
        else:
            raise AssertionError("the core does not come to rest at one instant")
        assert not self.step(Tick()), "a step left something to do and did not say so"
        settled(self.state, self.now)
        self.deadlines.at_rest(self.state, self.now, station.next_wake(self.state, self.now))
        self.broken = False

    def step(self, event: Event) -> bool:
        """One step, watched; says whether anything changed or was asked for."""
        before = frozen(self.state)
        after, effects = station.step(before, event, self.now, self.verify)
        self.watch.see(before, event, self.now, effects, after)
        self.state = after
        asked = [effect for effect in effects if not isinstance(effect, fx.Note)]
        for effect in asked:
            self._take(effect)
        return bool(asked) or after != before

    def arrive(self, judgement: Judgement, topic: str = makers.JOB_TOPIC) -> None:
        """A new message of which ``verify`` will say so."""
        payload = f"message {len(self.sent)}".encode()
        self.judgements[payload] = judgement
        if isinstance(judgement, Accepted):
            self.watch.accepted[judgement.digest] = judgement
        elif isinstance(judgement, AcceptedRule):
            self.rules[judgement.digest] = judgement
        self.sent.append((topic, payload))
        self.deliver(len(self.sent) - 1)

    def connect(self) -> None:
        """A new session with the broker."""
        self.epoch += 1
        self.send(Connected(self.epoch, f"{self.epoch:032x}"))

    def welcome(self, kind: str, skew_s: int) -> None:
        """The server answers the last hello ("good"), or another one."""
        nonce = self.state.link.nonce if kind == "good" else "ff" * 16
        utc = UtcMs(self.true_utc + skew_s * SECOND_MS)
        self.arrive(Welcome(nonce, utc, (), (), "e", 3, ""), makers.WELCOME_TOPIC)

    def device_up(self) -> None:
        """A fresh device process answers."""
        self.device.lost()
        self.device.up = True
        self.send(DeviceUp())

    def deliver(self, index: int) -> None:
        """A message that was sent is delivered, for the first time or again."""
        self._mid += 1
        topic, payload = self.sent[index]
        self.send(MessageArrived(topic, payload, AckToken(self.epoch, self._mid)))

    def let_pass(self, ms: int, *, awake: bool) -> None:
        """Time passes; ``awake``: the agent looks whenever it wanted to, else only at the end."""
        end, useless = self.now.mono + ms, 0
        while awake and (wake := self._next_happening()) is not None and wake < end:
            self._jump(MonoMs(max(wake, self.now.mono)))
            before = self.state
            self.send(Tick())
            useless = useless + 1 if self.state == before else 0
            assert useless < USELESS_WAKES_MAX, "the agent wakes again and again, and nothing comes of it"
        self._jump(MonoMs(end))
        self.send(Tick())

    def _next_happening(self) -> MonoMs | None:
        wakes = [station.next_wake(self.state, self.now), self.device.next_time() if self.obliging.device else None]
        return min((wake for wake in wakes if wake is not None), default=None)

    def next_wake(self) -> None:
        """Time passes up to the next wake."""
        wake = station.next_wake(self.state, self.now)
        if wake is not None:
            self._jump(MonoMs(max(wake, self.now.mono)))
            self.send(Tick())

    # Who answers

    def oblige(self, who: Obliging = EVERYBODY) -> None:
        """They answer at once and well, until they have nothing to say."""
        for _ in range(ANSWERS_MAX):
            answer = self._next_answer(who)
            if answer is None:
                return
            self._send(answer)
        raise AssertionError("the core never comes to rest in an obliging world")

    def _next_answer(self, who: Obliging) -> Event | None:
        if who.journal:
            self.disk.commit(len(self.disk.waiting))
            if self.disk.answers:
                return self.disk.answers.popleft()
        if who.stager and self.staging:
            return staged(self.staging.pop(0))
        if who.device:
            while self.device.orders:
                self.device.work(self.now.mono)
            self.device.play(self.now.mono)
            if self.device.reports:
                return self.device.reports.popleft()
        return None

    def _take(self, effect: fx.Effect) -> None:
        match effect:
            case fx.SaveJob() | fx.ReleaseJob() | fx.SaveMark() | fx.DropMark() | fx.CommitRecord() | fx.SaveLogAck():
                self.disk.waiting.append(effect)
            case fx.CompareLog(word=word):
                self.disk.answers.append(LogCompared(effect.epoch, effect.seq, effect.hash, same=True, word=word))
            case fx.FetchAhead() | fx.FetchClip() | fx.SpeakText():
                self.staging.append(effect)
            case fx.StartPlay(play_id=play_id):
                self.plays.append(play_id)
                self._order(effect)
            case fx.SwitchRelay() | fx.RoutePlay() | fx.StopPlay():
                self._order(effect)
            case fx.SendAnswer(verdict=fx.Verdict.ACCEPTED, job_id=job_id):
                assert {job_id} <= self.disk.jobs.keys() | self.lied_about, "accepted, and not on the disk"
            case fx.AdoptTime(utc=utc, asked_at=asked_at):
                trip_ms = self.now.mono - asked_at
                self.set_clock(ClockSource.SIGNED, UtcMs(utc + trip_ms // 2), trip_ms)
                self._clock_moved = True

    def set_clock(self, source: ClockSource, utc: UtcMs, max_error_ms: int, *, signed: bool = True) -> None:
        """The station's clock is set, or its trust changes; the core hears of it with its next event."""
        self.now = replace(self.now, utc=utc, source=source, max_error_ms=max_error_ms, signed=signed)

    def _order(self, effect: fx.Effect) -> None:
        if self.device.up:
            self.device.orders.append(effect)

    def _jump(self, mono: MonoMs) -> None:
        ms = mono - self.now.mono
        self.true_utc = UtcMs(self.true_utc + ms)
        self.now = replace(self.now, mono=mono, utc=UtcMs(self.now.utc + ms))


def staged(order: fx.FetchAhead | fx.FetchClip | fx.SpeakText, longer_ms: int = 0) -> ClipFetched | ClipStaged:
    """Sound as it was promised, or what it is made of."""
    if isinstance(order, fx.FetchAhead):
        return ClipFetched(order.key)
    return ClipStaged(order.key, (order.duration_ms if isinstance(order, fx.FetchClip) else SPEECH_MS) + longer_ms)
