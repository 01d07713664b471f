"""The device process's loop: orders come in, time passes, reports go out, and relays open when nobody holds them.

What may be closed is decided by ``relay.interlock``, what counts as closed by ``relay.contacts``. The loop itself sees
to it that nothing it does can block, so that neither a wedged card nor a hung agent holds a relay.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_agent.audio.port import Player
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import DeviceUp, PlayEnded, RelayFailed
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import SECOND_MS, MonoMs, PlayId
from edge_agent.device.wake import Inlet, Stop
from edge_agent.link.messages import ToCore, ToDevice
from edge_agent.link.server import DeviceServer, LinkLost
from edge_agent.relay import interlock
from edge_agent.relay.contacts import Contacts
from edge_agent.relay.interlock import Cause, Interlock, Opening
from edge_agent.watchdog import Progress

TURN_MS_MAX = SECOND_MS
# The loop turns at least this often, to feed the watchdog (WatchdogSec=3).
ORDERS_A_TURN = 64
ORDERS_MS_MAX = 100
# An agent that floods us must not keep the loop from opening a relay; a busy second has a dozen orders. The longest one
# takes 85 ms to read on a 3 GHz core [measured], and several times that on a Pi: after it a relay has its turn.
WRITER = "writer"
# The one source of progress beside the loop, which shows its own by feeding.

log = logging.getLogger(__name__)


class Device:
    """The loop. ``turn`` is one go of it and never waits, so that tests can let time pass as they like."""

    def __init__(
        self,
        contacts: Contacts,
        player: Player,
        inlet: Inlet,
        lock: Interlock,
        server: DeviceServer,
        progress: Progress,
        clock: Callable[[], MonoMs],
    ) -> None:
        self._contacts = contacts
        self._player = player
        self._inlet = inlet
        self._lock = lock
        self._server = server
        self._progress = progress
        self._clock = clock
        self._sounding: set[PlayId] = set()
        self._wedged: set[PlayId] = set()

    def run(self, stop: Stop) -> None:
        """Turn until ``stop`` is set."""
        while not stop.is_set():
            self._wait(stop)
            self.turn()

    def turn(self) -> None:
        """Open what is due, then hear the player and the agent, then open what that made due."""
        began = self._clock()
        self._guard(began)
        self._hear_player()
        self._hear_agent(began)
        now = self._clock()
        self._guard(now)
        self._watch(now)

    def rest_ms(self) -> int:
        """How long the next turn may wait where nobody brings anything before."""
        now = self._clock()
        lapses_at = interlock.next_wake(self._lock, sounding=bool(self._sounding))
        wakes = [MonoMs(now + TURN_MS_MAX), lapses_at, self._contacts.next_check(now)]
        return max(0, min(wake for wake in wakes if wake is not None) - now)

    def stop(self) -> None:
        """Open every relay, stop every play, close the player, and tell the agent what came of it."""
        self._open(*interlock.open_all(self._lock, Cause.STOP), self._clock())
        self._stop_plays()
        self._player.close()
        self._hear_player()

    def _wait(self, stop: Stop) -> None:
        poll = select.poll()
        for source in (stop, self._inlet, self._server.listener, self._server.client):
            if source is not None:
                poll.register(source, select.POLLIN)
        poll.poll(self.rest_ms())

    def _guard(self, now: MonoMs) -> None:
        """Whatever has run out opens, before anybody is listened to."""
        self._lock = interlock.alive(self._lock, MonoMs(self._player.alive_at()))
        self._open(*interlock.due(self._lock, now), now)
        if self._sounding and interlock.lapsed(self._lock, now):
            # Sound behind an open relay would count as played (requirement U2: nothing is claimed that was not seen).
            if interlock.writer_late(self._lock, now):
                self._wedged |= self._sounding
            self._stop_plays()
        self._tell_all(self._contacts.check(now))

    def _open(self, lock: Interlock, openings: tuple[Opening, ...], now: MonoMs) -> None:
        self._lock = lock
        for opening in openings:
            log.warning("relay zone=%s opens cause=%s", opening.zone, opening.cause)
            self._tell_all(self._contacts.switch(opening.zone, False, opening.cause, now))

    def _stop_plays(self) -> None:
        for play_id in sorted(self._sounding):
            self._player.stop(StopPlay(play_id))
        self._sounding.clear()

    def _hear_player(self) -> None:
        for report in self._inlet.drain():
            if isinstance(report, PlayEnded):
                self._lock = interlock.end(self._lock, report.play_id)
                self._sounding.discard(report.play_id)
                if report.play_id in self._wedged:
                    self._wedged.discard(report.play_id)
                    report = replace(report, reason=Reason.DEVICE_FAILED)  # not "was told to stop"
            self._tell(report)

    def _hear_agent(self, began: MonoMs) -> None:
        self._admit()
        try:
            for _ in range(ORDERS_A_TURN):
                order = self._server.receive()
                if order is None:
                    return
                now = self._clock()  # an amplifier's warm-up counts from here, not from the turn's begin
                self._obey(order, now)
                if now - began >= ORDERS_MS_MAX:
                    return
        except LinkLost as exc:
            self._lose_link(str(exc))

    def _admit(self) -> None:
        if not select.select([self._server.listener], [], [], 0)[0]:
            return
        refusal = self._server.accept()
        if refusal is not None:
            log.warning("agent turned away why=%s", refusal)
            return
        log.info("agent connected")
        self._tell_all([DeviceUp(), *self._contacts.opened(), *self._contacts.failing()])

    def _obey(self, order: ToDevice, now: MonoMs) -> None:
        # Whatever the agent says comes out of a step of its core, so each word renews the lease.
        self._lock = interlock.renew(self._lock, now)
        match order:
            case SwitchRelay():
                self._switch(order, now)
            case StartPlay() if order.play_id in self._lock.playing:
                # Told twice is told once. Its end, which may be on its way, would be taken for the second one's, and
                # nobody would stop that.
                log.error("play play_id=%s told twice next=the first goes on", order.play_id)
            case StartPlay():
                self._lock = interlock.begin(self._lock, order.play_id, order.at, now)
                self._sounding.add(order.play_id)
                self._player.start(replace(order, feeds=self._known(order.feeds)))
            case RoutePlay():
                self._player.route(replace(order, feeds=self._known(order.feeds)))
            case StopPlay():
                self._player.stop(order)

    def _switch(self, order: SwitchRelay, now: MonoMs) -> None:
        self._lock, verdict = interlock.order(self._lock, order.zone, order.on, order.off_after_ms, now)
        if isinstance(verdict, interlock.Refused):
            log.error("relay zone=%s on=%s refused=%s", order.zone, order.on, verdict.detail)
            self._tell(RelayFailed(order.zone, verdict.detail))
            return
        log.info("relay zone=%s on=%s off_after_ms=%d", order.zone, order.on, order.off_after_ms)
        reports = self._contacts.switch(order.zone, order.on, Cause.ORDER, now)
        if not self._contacts.wants(order.zone):
            self._lock = interlock.opened(self._lock, order.zone)
        self._tell_all(reports)

    def _known(self, feeds: tuple[ZoneFeed, ...]) -> tuple[ZoneFeed, ...]:
        """An agent with a newer configuration may name a zone that we do not have; the others sound all the same."""
        known = tuple(feed for feed in feeds if feed.zone in self._lock.on_ms_max)
        if len(known) != len(feeds):
            log.error(
                "feeds zones=%s not ours next=restart",
                ",".join(sorted({feed.zone for feed in feeds} - set(self._lock.on_ms_max))),
            )
        return known

    def _tell_all(self, messages: Sequence[ToCore]) -> None:
        for message in messages:
            self._tell(message)

    def _tell(self, message: ToCore) -> None:
        try:
            self._server.send(message)
        except LinkLost as exc:
            self._lose_link(str(exc))

    def _lose_link(self, why: str) -> None:
        """The agent is gone: relays first, then the sound."""
        log.warning("agent lost why=%s next=relays open", why)
        self._server.drop()
        self._open(*interlock.open_all(self._lock, Cause.LINK_LOST), self._clock())
        self._stop_plays()

    def _watch(self, now: MonoMs) -> None:
        sign = interlock.writer_sign(self._lock)
        if sign is None:
            self._progress.rest(WRITER)
        else:
            self._progress.mark(WRITER, sign)
        self._progress.feed(now)
