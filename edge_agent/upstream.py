"""Say to the central side what the core wants said: picture the state, sign it, hand it to the session.

Decides nothing about when; ``core.talk`` does. What cannot be sent now is not queued here: the core says it again after
the next connection, and the log is its own outbox. A state for which a line that stands has no room comes with the next
heartbeat: the broker keeps the one before it, and would show that until something changes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from edge_agent.core import explain, freshness, manifests
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import SendAnswer
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import Upcoming
from edge_agent.core.reasons import UNAUTHENTICATED
from edge_agent.core.site import ZoneSite
from edge_agent.core.state import State
from edge_agent.core.trust_standing import TrustStanding
from edge_agent.core.units import HOUR_MS, MINUTE_MS, MonoMs, ZoneId
from edge_agent.journal.port import StoredRecord
from edge_agent.sync import messages
from edge_agent.sync.messages import Outgoing, Sender
from edge_agent.sync.port import Session
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogCursor,
    LogRecord,
    OfferStatus,
    PlanMsg,
    PlayStatus,
    PolicyStatus,
    StateMsg,
    Why,
    ZoneStatus,
)

log = logging.getLogger(__name__)

Sign = Callable[[str, bytes], bytes | None]
"""(message type, payload) -> signed envelope; None while the station cannot sign, and then nothing is said."""

RUBBISH_ANSWERS_A_MINUTE = 120
# An answer is some 900 bytes with its envelope: two a second are a quarter of a GPRS uplink (some 60 kbit/s), and more
# than a server's own mistakes ever ask for.

PLANS_AN_HOUR = 60
# Eight weeks of days. One has 5 kB and may have 64: whoever has stolen a key that may ask, and asks as fast as it
# signs, would have the line, and what the station keeps under way, full of them.

SOUNDING = (Phase.ARMED, Phase.PLAYING)


@dataclass(frozen=True, slots=True)
class Identity:
    """What every message says about who speaks."""

    sender: Sender
    area: str
    name: str


class Upstream:
    """The station's voice towards the centre."""

    def __init__(self, who: Identity, session: Session, sign: Sign, host: Callable[[], HostStatus]) -> None:
        self._who = who
        self._session = session
        self._sign = sign
        self._host = host
        self._born = False
        self._state_lacks = False
        self._rubbish = _Span(RUBBISH_ANSWERS_A_MINUTE, MINUTE_MS)
        self._plans = _Span(PLANS_AN_HOUR, HOUR_MS)

    def hello(self, nonce: str, now: Now, cursor: LogCursor, trust: TrustStanding, *, again: bool = False) -> None:
        """Ask for a welcome; the state that follows the first hello of a session is a birth."""
        self._born = self._born and again
        self._send(messages.hello(self._who.sender, HelloMsg(nonce, trust.heads, cursor, now)))

    def hello_by_home(self, nonce: str, now: Now, cursor: LogCursor, trust: TrustStanding) -> bytes | None:
        """The same, signed, for the home server; None: see ``Sign``."""
        out = messages.hello(self._who.sender, HelloMsg(nonce, trust.heads, cursor, now))
        return self._sign(out.kind, out.payload)

    def state(self, state: State, now: Now, *, online: bool) -> None:
        """Publish the whole state."""
        why = Why.GOODBYE if not online else Why.CHANGE if self._born else Why.BIRTH
        self._born = True
        self._state_lacks = not self._send(messages.state(self._who.sender, self.picture(state, now, why)))

    def heartbeat(self, state: State, now: Now) -> None:
        """Publish a sign of life."""
        playing = tuple(play.job_id for play in state.plays.values() if play.phase is Phase.PLAYING)
        uptime_s = now.mono // 1000
        beat = HeartbeatMsg(uptime_s, now, playing, _waiting(state), self._host())
        self._send(messages.heartbeat(self._who.sender, beat))
        if self._state_lacks:
            self.state(state, now, online=True)

    def answer(self, answer: SendAnswer, now: Now) -> None:
        """Tell what became of an order on arrival; of what anybody could have sent, only so often."""
        if answer.reason in UNAUTHENTICATED:
            if left_out := self._rubbish.left_out_before(now.mono):
                log.warning("flooded with rubbish not_answered=%s next=ask who else writes to our topics", left_out)
            if self._rubbish.is_full():
                return
        msg = AnswerMsg(answer.verdict, answer.digest, answer.job_id, answer.reason, now.utc, answer.conflicts)
        self._send(messages.answer(self._who.sender, msg))

    def may_plan(self, now: Now) -> bool:
        """Whether one more day may be told; asked once for each, before it is worked out."""
        self._plans.left_out_before(now.mono)
        return not self._plans.is_full()

    def plan(self, state: State, now: Now, day: date) -> None:
        """Tell what will play on a day, and what will not."""
        sheet, paper = explain.day_sheet(state, now, day), None
        if sheet.regulation is not None:
            paper = PolicyStatus(sheet.regulation.number, sheet.regulation.dated)
        msg = PlanMsg(day, state.site.timezone, now.utc, paper, sheet.plan, _offers(state))
        self._send(messages.plan(self._who.sender, msg))

    def records(self, stored: tuple[StoredRecord, ...]) -> None:
        """Publish the oldest records that still wait, as many as fit one packet, of one chain."""
        listed = [LogRecord(one.seq, one.prev, one.hash, one.body) for one in stored if one.epoch == stored[0].epoch]
        while listed:
            batch = messages.log(self._who.sender, stored[0].epoch, listed)
            if batch is not None:
                self._send(batch)
                return
            if len(listed) == 1:
                log.error("record too large to send seq=%s next=it stays in the journal", listed[0].seq)
            listed = listed[: len(listed) // 2]

    def will(self, now: Now) -> bytes | None:
        """The state that the broker publishes if we vanish; a hint only, matched by its boot id. None: see ``Sign``."""
        gone = StateMsg(
            online=False,
            why=Why.CONNECTION_LOST,
            area=self._who.area,
            name=self._who.name,
            clock=now,
            zones=(),
            playing=(),
            next=(),
            records_waiting=0,
            welcomed=False,
            device_up=False,
            host=HostStatus(),
        )
        out = messages.state(self._who.sender, gone)
        return self._sign(out.kind, out.payload)

    def picture(self, state: State, now: Now, why: Why) -> StateMsg:
        """The state as people and the centre see it."""
        coming = explain.upcoming(state, now)
        return StateMsg(
            online=why is not Why.GOODBYE,
            why=why,
            area=self._who.area,
            name=self._who.name,
            clock=now,
            zones=_zones(state, now),
            playing=tuple(_play(one, one.hearing or one.zones) for one in coming if one.phase in SOUNDING),
            next=tuple(_play(one, one.zones) for one in coming if one.phase not in SOUNDING),
            records_waiting=_waiting(state),
            welcomed=state.welcomed,
            waits=freshness.obstacle(state, now),
            manifests=manifests.told(state, now),
            device_up=state.device_up,
            host=self._host(),
            offers=_offers(state),
            rules=explain.in_force(state, now),
        )

    def picture_bytes(self, state: State, now: Now) -> bytes:
        """The same picture, unsigned, for the technician's console: it is there without a connection too, and tells."""
        picture = replace(self.picture(state, now, Why.CHANGE), online=state.link.connected)
        return messages.state(self._who.sender, picture).payload

    def _send(self, out: Outgoing) -> bool:
        envelope = self._sign(out.kind, out.payload)
        if envelope is None:
            return False
        taken = self._session.publish(out.topic, envelope, qos=out.qos, retain=out.retain)
        if not taken:
            log.info("not sent kind=%s next=said again after the next connection", out.kind)
        return taken


class _Span:
    """Counts up to so many within a span of boot time."""

    def __init__(self, most: int, span_ms: int) -> None:
        self._most = most
        self._span_ms = span_ms
        self._number = -1
        self._count = 0

    def left_out_before(self, mono: MonoMs) -> int:
        """Where a new span begins, how many were too many in the one before; else none."""
        number = mono // self._span_ms
        if number == self._number:
            return 0
        left_out = max(0, self._count - self._most)
        self._number, self._count = number, 0
        return left_out

    def is_full(self) -> bool:
        """Whether one more is too many. It is counted."""
        self._count += 1
        return self._count > self._most


def _waiting(state: State) -> int:
    return state.link.last_seq - state.link.acked_seq


def _zones(state: State, now: Now) -> tuple[ZoneStatus, ...]:
    ceilings = explain.ceilings(state, now)
    return tuple(_zone(state, site, ceilings[site.zone]) for site in state.site.zones.values())


def _zone(state: State, site: ZoneSite, ceiling: int) -> ZoneStatus:
    ear = state.heard.get(site.zone)
    return ZoneStatus(
        zone=site.zone,
        name=site.name,
        relay_on=state.relays[site.zone].on,
        playing=explain.sounding_in(state, site.zone),
        volume_max=ceiling,
        heard=None if ear is None else ear.heard,
        level_db=None if ear is None else ear.level_db,
    )


def _offers(state: State) -> tuple[OfferStatus, ...]:
    return tuple(OfferStatus(one.job_id, one.title, one.cls, one.level, one.expires) for one in explain.offers(state))


def _play(one: Upcoming, zones: tuple[ZoneId, ...]) -> PlayStatus:
    return PlayStatus(one.job_id, one.title, one.cls, one.phase, one.planned, zones, one.reason, one.rehearsal)
