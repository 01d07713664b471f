"""The agent: inbox -> step -> perform -> wait until the next wake. Joins the ports; decides nothing, owns no device.

One bounded queue takes in everything that happens; one thread steps the core and performs its effects. Whatever blocks
has its own thread (the ``…_worker`` files, the session, the device link) and answers through the queue.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from edge_agent.aside import Aside
from edge_agent.clock import StationClock
from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect
from edge_agent.core.events import (
    AnewWanted,
    Event,
    Rejected,
    StopAsked,
    Tick,
    TrustChanged,
)
from edge_agent.core.job import Accepted
from edge_agent.core.manifests import HEAD_TOPIC
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule
from edge_agent.core.site import Site
from edge_agent.core.units import SECOND_MS, MonoMs, UtcMs
from edge_agent.fetch_and_stage import Staging
from edge_agent.inbox import Inbox
from edge_agent.journal.port import Contents, Journal, StoredRecord
from edge_agent.journal_worker import (
    Afterwards,
    JournalWorker,
    KeepTrust,
    Prune,
    SaveFloor,
)
from edge_agent.manifest_worker import ManifestWorker, PostHello
from edge_agent.restoring import restored, stands
from edge_agent.spent_file import SpentFile
from edge_agent.staging_worker import StagingWorker
from edge_agent.status_file import StatusFile
from edge_agent.sync.messages import LOG_BODIES_BYTES
from edge_agent.sync.port import HomeServer, Session
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.keeper import Keeper
from edge_agent.upstream import Upstream

SEED_BYTES = 16
# Of nonces, before the first connection brings its own.
RENEW_MS = SECOND_MS
# A third of the device's lease: two renewals may be late.
RENEW_EARLY_MS = 300
# A report of what sounds steps the core every 800 ms: it renews along, or there would be a step just for that.
LOOP_MS_MAX = 2 * SECOND_MS
# The longest sleep: the watchdog wants progress, and a clock that came right may have made something due.
STOP_MS_MAX = 4 * SECOND_MS
# What sounds is stopped and recorded within this, then the process ends (systemd waits longer).

Said = (
    fx.SendHello
    | fx.AskHome
    | fx.FetchHeads
    | fx.FetchManifest
    | fx.FetchPaper
    | fx.FetchRoot
    | fx.OpenLive
    | fx.CloseLive
    | fx.SendAnswer
    | fx.SendPlan
    | fx.SendState
    | fx.SendHeartbeat
)

log = logging.getLogger(__name__)


class Device(Protocol):
    """The line to the device process."""

    def start(self) -> None: ...

    def send(self, order: fx.SwitchRelay | fx.StartPlay | fx.RoutePlay | fx.StopPlay) -> bool: ...

    def renew(self) -> bool: ...

    def stop(self) -> None: ...


class LiveSources(Protocol):
    """What fetches and decodes live sources while they are open. Returns at once; told twice is told once."""

    def order(self, order: fx.OpenLive | fx.CloseLive) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that the agent reaches the world by."""

    site: Site
    clock: StationClock
    journal: Journal
    contents: Contents
    session: Session
    device: Device
    staging: Staging
    live: LiveSources
    upstream: Upstream
    trust: Keeper
    status_file: Path
    spent_file: Path
    ready: Callable[[], None]
    alive: Callable[[], None]
    home: HomeServer | None = None


class Runtime:
    """Runs one station until it is told to stop."""

    def __init__(self, ports: Ports, inbox: Inbox) -> None:
        self._ports = ports
        self._inbox = inbox
        self._state = station.start(ports.site)
        self._journal = JournalWorker(ports.journal, inbox.post, self._send_records, LOG_BODIES_BYTES)
        self._staging = StagingWorker(ports.staging, inbox.post)
        self._aside = Aside()
        self._manifests = None if ports.home is None else ManifestWorker(ports.home, inbox.post)
        self._renewed = MonoMs(0)
        self._status = StatusFile(ports.status_file)
        self._spent = SpentFile(ports.spent_file)
        self._ending_at: MonoMs | None = None
        self._clock_moved = False
        self._signed = ports.contents.floor
        self._floor_stands = True

    def run(self) -> None:
        """Restore, start every thread, and step until the stop is done."""
        if self._ports.contents.quarantined:
            log.error("journal was damaged kept_as=%s next=tell the headend", self._ports.contents.quarantined)
        self._journal.start()
        self._staging.start()
        self._aside.start()
        if self._manifests is not None:
            self._manifests.start()
        trust = self._ports.trust
        if trust.time_void:
            log.warning("another trust file, tệp tin cậy khác: what told the time before is void")
            self._journal.order(SaveFloor(self._signed))  # before the documents: behind them nobody sees the change
        self._keep_trust()
        again = restored(self._ports.contents, trust.judge, trust.standing)
        self._step(replace(again, seed=secrets.token_hex(SEED_BYTES), spent=self._spent.read()))
        self._ports.device.start()
        self._ports.session.start()
        self._ports.ready()
        while not self._over():
            event = self._inbox.wait(self._sleep_ms())
            self._step(event if event is not None else Tick())
            self._ports.alive()
        self._goodbye()

    def _step(self, event: Event) -> None:
        if isinstance(event, AnewWanted) and self._journal.owes:
            return  # a record that the disk has not taken lies in this process alone
        now = self._ports.clock.now()
        effects = self._decide(event, now)
        behind = _behind_the_record(effects)
        for effect in effects:
            if effect not in behind:
                self._perform(effect, now)
        if any(isinstance(effect, fx.TakeTrust) for effect in effects):
            self._step(self._trust_changed())
            self._keep_trust()  # behind what it ends: a start by it drops that without a record
        for ack in behind:
            self._journal.order(Afterwards(partial(self._ports.session.ack, ack.token)))
        self._renew(now.mono)
        self._spent.keep(self._state.spent)
        self._status.show(now.mono, lambda: self._ports.upstream.picture_bytes(self._state, now))
        if isinstance(event, StopAsked):
            self._ending_at = MonoMs(now.mono + STOP_MS_MAX)

    def _decide(self, event: Event, now: Now) -> tuple[Effect, ...]:
        self._state, effects = station.step(self._state, event, now, self._ports.trust.judge)
        return effects

    def _perform(self, effect: Effect, now: Now) -> None:
        match effect:
            case fx.Note():
                _write_note(effect)
            case fx.SwitchRelay() | fx.StartPlay() | fx.RoutePlay() | fx.StopPlay():
                self._ports.device.send(effect)
            case fx.FetchAhead() | fx.FetchClip() | fx.SpeakText() | fx.Unneeded():
                self._staging.order(effect)
            case (
                fx.SaveJob()
                | fx.ReleaseJob()
                | fx.SaveMark()
                | fx.DropMark()
                | fx.CommitRecord()
                | fx.SaveLogAck()
                | fx.SendLog()
                | fx.CompareLog()
                | fx.KeepManifest()
            ):
                self._journal.order(effect)
            case fx.TakeTrust():
                self._take(effect.envelope)
            case fx.Ack():
                self._ports.session.ack(effect.token)
            case fx.Sweep():
                self._tidy(effect)
            case fx.AdoptTime():
                self._adopt(effect)
            case fx.EndProcess():
                self._inbox.stop_asked()
            case _:
                self._say(effect, now)

    def _say(self, effect: Said, now: Now) -> None:
        match effect:
            case fx.SendHello():
                self._ports.upstream.hello(effect.nonce, now, self._cursor(), self._state.trust, again=effect.again)
            case fx.AskHome():
                self._ask_home(effect, now)
            case fx.SendAnswer():
                self._ports.upstream.answer(effect, now)
            case fx.SendPlan():
                self._tell_the_day(effect, now)
            case fx.SendState():
                # By the clock of this moment: a welcome in the same step may just have set it.
                self._ports.upstream.state(self._state, self._ports.clock.now(), online=True)
            case fx.SendHeartbeat():
                self._ports.upstream.heartbeat(self._state, now)
            case fx.FetchHeads() | fx.FetchManifest() | fx.FetchPaper() | fx.FetchRoot():
                self._ask_for_papers(effect)
            case fx.OpenLive() | fx.CloseLive():
                self._ports.live.order(effect)

    def _ask_home(self, effect: fx.AskHome, now: Now) -> None:
        assert self._manifests is not None, "the core asks only where a home is configured"
        envelope = self._ports.upstream.hello_by_home(effect.nonce, now, self._cursor(), self._state.trust)
        if envelope is not None:
            self._manifests.order(PostHello(self._ports.site.station, envelope))

    def _tell_the_day(self, effect: fx.SendPlan, now: Now) -> None:
        """Not here: for the longest timetables it takes longer than the device's lease."""
        tell = partial(self._ports.upstream.plan, self._state, now, effect.day)
        if not (self._ports.upstream.may_plan(now) and self._aside.order(tell)):
            log.warning("plan not told, too many were asked for day=%s next=ask again later", effect.day)

    def _take(self, envelope: bytes) -> None:
        """Believe a document. Where one of those who told the time may do so no more, what they have told is void."""
        trust = self._ports.trust
        told = trust.tell_the_time
        trust.take(envelope)
        if not told <= trust.tell_the_time:
            self._floor_stands = False
            self._signed = UtcMs(0)
            log.warning("who tells the time has changed next=wait for a welcome of today's server")
            # Before the document: once that is kept, nobody would see the change.
            self._journal.order(SaveFloor(self._signed))
        self._ports.clock.hold_to(trust.standing.floor(self._signed))

    def _keep_trust(self) -> None:
        """What is believed and not kept yet, the trust file's too: an older file must not take it back."""
        trust = self._ports.trust
        for area, envelope in trust.unkept():
            self._journal.order(KeepTrust(area, envelope, trust.anchor))

    def _trust_changed(self) -> TrustChanged:
        """Every known order is judged once more by what is believed now."""
        orders: list[Accepted | AcceptedRule] = [known.accepted for known in self._state.jobs.values()]
        orders += [rule.accepted for rule in self._state.rules.values()]
        trust, kept = self._ports.trust, self._state.home.kept
        disowned = [scope for scope, one in kept.items() if isinstance(trust.judge(HEAD_TOPIC, one.envelope), Rejected)]
        marked, word = stands(self._state.forgot_by, trust.judge), self._state.told.word
        told = word == b"" or stands(word, trust.judge)
        again, floor_stands = trust.again(orders), self._floor_stands
        self._floor_stands = True
        return TrustChanged(
            trust.standing, again.revoked, frozenset(disowned), marked, told, again.changed, floor_stands
        )

    def _ask_for_papers(self, effect: fx.FetchHeads | fx.FetchManifest | fx.FetchPaper | fx.FetchRoot) -> None:
        assert self._manifests is not None, "the core asks only where a home is configured"
        self._manifests.order(effect)

    def _cursor(self) -> LogCursor:
        """The newest record that is durable."""
        newest = self._journal.newest
        if newest is not None:
            return LogCursor(newest.epoch, newest.seq, newest.hash)
        contents = self._ports.contents
        return LogCursor(contents.epoch, contents.last_seq, contents.last_hash)

    def _tidy(self, effect: fx.Sweep) -> None:
        self._staging.order(effect)
        if effect.now is not None:
            self._journal.order(Prune(effect.now))

    def _adopt(self, effect: fx.AdoptTime) -> None:
        """Take over signed time, remember it for the next process, and step once more by the new clock."""
        standing = self._ports.trust.standing
        now = self._ports.clock.adopt_signed(effect.utc, effect.asked_at, standing.floor(effect.utc))
        log.info("clock utc=%s source=%s max_error_ms=%s", now.utc, now.source, now.max_error_ms)
        self._signed = max(self._signed, standing.within_root(effect.utc))
        # Without the documents' dates: each start asks for them, and those of a clock ahead are passed by right ones.
        self._journal.order(SaveFloor(self._signed, self._ports.clock.kept))
        self._clock_moved = True

    def _renew(self, mono: MonoMs) -> None:
        """Renew the device's lease: here and nowhere else, because here the core has just stepped."""
        if mono - self._renewed >= RENEW_MS - RENEW_EARLY_MS:
            self._renewed = mono
            self._ports.device.renew()

    def _sleep_ms(self) -> int:
        if self._clock_moved:
            self._clock_moved = False
            return 0
        now = self._ports.clock.now()
        wake = station.next_wake(self._state, now)
        busy = any(relay.ordered_on for relay in self._state.relays.values())
        latest = self._renewed + RENEW_MS if busy or self._ending_at else now.mono + LOOP_MS_MAX
        wakes = [latest, wake, self._status.due]
        return min(at for at in wakes if at is not None) - now.mono

    def _over(self) -> bool:
        if self._ending_at is None:
            return False
        sounding = any(play.phase in (Phase.ARMED, Phase.PLAYING) for play in self._state.plays.values())
        return not sounding or self._ports.clock.now().mono >= self._ending_at

    def _goodbye(self) -> None:
        """Everything is recorded and off: say so, hang up, and leave no stale status behind."""
        self._inbox.close()
        if not self._journal.finish(STOP_MS_MAX / 1000):
            log.error("not everything is recorded next=the marks on disk tell the next boot what had begun")
        self._ports.upstream.state(self._state, self._ports.clock.now(), online=False)
        self._ports.session.stop()
        self._ports.device.stop()
        self._status.remove()
        log.info("stopped")

    def _send_records(self, records: tuple[StoredRecord, ...]) -> None:
        if records:
            self._ports.upstream.records(records)


def _behind_the_record(effects: tuple[Effect, ...]) -> list[fx.Ack]:
    """Acknowledgements that wait for the record, or the trust document, of the same step: a crash loses neither.

    They wait for the disk's say, not for its yes: on a full card a record stays owed, and ten refusals that nobody
    acknowledges would keep an emergency out.
    """
    if not any(isinstance(effect, fx.CommitRecord | fx.TakeTrust) for effect in effects):
        return []
    return [effect for effect in effects if isinstance(effect, fx.Ack)]


def _write_note(note: fx.Note) -> None:
    level = {fx.Level.INFO: logging.INFO, fx.Level.WARNING: logging.WARNING, fx.Level.ERROR: logging.ERROR}[note.level]
    fields = " ".join(f"{name}={value}" for name, value in note.fields if value)
    log.log(level, "%s %s", note.what, fields)
