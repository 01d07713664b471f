"""A station as the headend sees it: it speaks through the real ``sync.messages`` and signs with a real key."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import date
from typing import Any

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import DAY_MS, ClipKey, JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.headend.keyring import Keyring
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain
from edge_agent.sync import messages
from edge_agent.sync.messages import Outgoing, Sender
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
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keeper import believing
from edge_agent.trust.keys import Signer

AT = UtcMs(1_791_239_400_000)  # 2026-10-06 05:30:00 in Hanoi
NOW = UtcMs(AT + 599_000)
# When a desk hears it.
CLOCK = Now(MonoMs(0), AT, ClockSource.SIGNED, 80)
AREA = "vn/ha-noi/dong-thanh"
NONCE = "0123456789abcdef0123456789abcdef"
TRUST = (
    TrustHead("", 0, 1, UtcMs(AT + 700 * DAY_MS)),
    TrustHead("vn/ha-noi", 1, 1, UtcMs(AT + 80 * DAY_MS)),
    TrustHead(AREA, 1, 1, UtcMs(AT + 80 * DAY_MS)),
)
"""It holds the first documents of a new network."""
PLAY = PlayStatus(JobId("job-1"), "Bản tin", JobClass.NORMAL, Phase.PLAYING, AT, (ZoneId("c1"),))
STATE = StateMsg(
    online=True,
    why=Why.BIRTH,
    area=AREA,
    name="Nhà văn hóa TDP số 1",
    clock=CLOCK,
    zones=(
        ZoneStatus(ZoneId("c1"), "Cổng chợ", True, JobId("job-1"), 80, True, -12),
        ZoneStatus(ZoneId("c2"), "", None, None, 55),
    ),
    playing=(PLAY,),
    next=(replace(PLAY, phase=Phase.REJECTED, reason=Reason.QUIET_HOURS),),
    records_waiting=3,
    welcomed=True,
    device_up=True,
    host=HostStatus("10.0.0.7", "b8:27", 1200, 55, False),
)
MORNING = Planned(
    job_id=JobId("job-1"),
    title="Bản tin phường",
    cls=JobClass.NORMAL,
    level="commune",
    order=2,
    planned=AT,
    starts=AT,
    ends=UtcMs(AT + 61_000),
    volumes={ZoneId("c1"): 55},
    out={ZoneId("c2"): Reason.ZONE_LOCKED},
    reason=None,
    under="dem-giao-thua",
    cut=True,
    zones=(ZoneId("c1"), ZoneId("c2")),
)
PLAN = PlanMsg(
    day=date(2026, 10, 6),
    timezone="Asia/Ho_Chi_Minh",
    now=AT,
    policy=PolicyStatus("128/QĐ-UBND", date(2026, 9, 28)),
    entries=(
        MORNING,
        replace(MORNING, order=None, volumes={}, out={}, reason=Reason.HOLIDAY, under="", cut=False, zones=()),
    ),
    offers=(OfferStatus(JobId("t-7"), "Chương trình thành phố", JobClass.NORMAL, "province", UtcMs(AT + 60_000)),),
)
RECORD = AsRun(
    kind=RecordKind.PLAY,
    job_id="job-1",
    digest="d" * 64,
    issuer="dong-thanh",
    level="commune",
    role="ward-routine",
    signers=("k" * 64,),
    cls=JobClass.NORMAL,
    event="",
    items=(ItemAsRun("Bản tin phường", "thoi-su", "vi", "Đài phường", "nguoi-duyet-07", ClipKey("c" * 64)),),
    planned=AT,
    outcome=Phase.SUCCEEDED,
    reason=None,
    detail="",
    evidence=Evidence.SAMPLES_OUT,
    zones=(
        ZoneAsRun(ZoneId("c1"), Evidence.SAMPLES_OUT, 61_000, 70, MonoMs(5), None),
        ZoneAsRun(ZoneId("c2"), Evidence.SAMPLES_OUT, 40_500, 55, MonoMs(6), Reason.PREEMPTED),
    ),
    started=UtcMs(AT + 40),
    ended=UtcMs(AT + 61_040),
    ended_mono=MonoMs(70_000),
    planned_ms=61_000,
    played_ms=61_000,
    frames=2_928_000,
    underruns=0,
    attempt=1,
    clock=ClockSource.SIGNED,
    clock_error_ms=80,
)

Place = tuple[str | int, ...]
NEWER = "mast_on_fire"
"""What only newer software says."""
NEWER_NAMES: list[tuple[str, Place]] = [
    *((kind, ("clock", "source")) for kind in ("hello", "state", "heartbeat")),
    ("state", ("why",)),
    ("state", ("next", 0, "phase")),
    ("state", ("next", 0, "reason")),
    ("answer", ("reason",)),
    ("answer", ("conflicts", 0, "reason")),
    ("plan", ("entries", 1, "reason")),
    ("plan", ("entries", 0, "out", 0, "reason")),
]
"""Wherever a station may say more than this version knows (protocol, 3.9): the message, and the place in it."""


def heads_here(keyring: Keyring) -> tuple[TrustHead, ...]:
    """What a station says that was given this server's trust file."""
    site = Site(StationId("tram-01"), keyring.realm, AREA, "Asia/Ho_Chi_Minh", {})
    return believing((keyring.directory / "trust.json").read_bytes(), (), site).standing.heads


class FakeStation:
    """Keeps its chain in memory, as a journal would."""

    def __init__(self, key: Signer, station: str = "tram-01", boot_id: str = "boot-1", realm: str = "demo") -> None:
        self.key = key
        self.station = station
        self.sender = Sender(realm, StationId(station), boot_id, "0.1.0")
        self.epoch = "epoch-1"
        self.records: list[StoredRecord] = []
        self.trust = TRUST

    def signed(self, outgoing: Outgoing) -> tuple[str, bytes]:
        """(topic, envelope)"""
        return outgoing.topic, sign(payload_type(outgoing.kind), outgoing.payload, [self.key])

    def hello(self, seq: int = 0, trust: tuple[TrustHead, ...] | None = None) -> tuple[str, bytes]:
        cursor = LogCursor(self.epoch, seq, self.records[seq - 1].hash if seq else "")
        return self.signed(
            messages.hello(self.sender, HelloMsg(NONCE, self.trust if trust is None else trust, cursor, CLOCK))
        )

    def state(self, state: StateMsg = STATE) -> tuple[str, bytes]:
        return self.signed(messages.state(self.sender, state))

    def heartbeat(self) -> tuple[str, bytes]:
        beat = HeartbeatMsg(4_000, CLOCK, (JobId("job-1"),), 3, HostStatus())
        return self.signed(messages.heartbeat(self.sender, beat))

    def answer(
        self, verdict: Verdict, job_id: str, reason: Reason | None = None, *conflicts: Conflict
    ) -> tuple[str, bytes]:
        return self.signed(messages.answer(self.sender, AnswerMsg(verdict, "a" * 64, job_id, reason, AT, conflicts)))

    def plan(self, plan: PlanMsg) -> tuple[str, bytes]:
        return self.signed(messages.plan(self.sender, plan))

    def play(self, *plays: AsRun) -> None:
        """Append to the chain."""
        for play in plays:
            before = ChainPoint(self.records[-1].seq, self.records[-1].hash) if self.records else ChainPoint()
            origin = Origin(self.station, self.sender.software, self.sender.boot_id)
            self.records.append(chain(self.epoch, before, body_of(play, origin)))

    def new_chain(self, epoch: str) -> None:
        self.epoch, self.records = epoch, []

    def log(self, first: int = 1, last: int | None = None) -> tuple[str, bytes]:
        """A batch of the records ``first`` to ``last`` (both included)."""
        return self.batch(self.records[first - 1 : last])

    def batch(self, records: list[StoredRecord]) -> tuple[str, bytes]:
        listed = [LogRecord(one.seq, one.prev, one.hash, one.body) for one in records]
        outgoing = messages.log(self.sender, self.epoch, listed)
        assert outgoing is not None
        return self.signed(outgoing)


def newer(key: Signer, kind: str, path: Place) -> tuple[str, bytes]:
    """(topic, envelope) of a message in which ``path`` says what only newer software does."""
    station = FakeStation(key)
    conflict = Conflict(JobId("sang"), AT, Reason.QUIET_HOURS, ())
    said = {
        "hello": station.hello,
        "state": station.state,
        "heartbeat": station.heartbeat,
        "answer": lambda: station.answer(Verdict.REFUSED, "job-9", Reason.WRONG_AUDIENCE, conflict),
        "plan": lambda: station.plan(PLAN),
    }
    topic, envelope = said[kind]()
    payload: Any = json.loads(b64decode(json.loads(envelope)["payload"]))
    *outer, name = path
    inner = payload
    for step in outer:
        inner = inner[step]
    inner[name] = NEWER
    return topic, sign(payload_type(kind), json.dumps(payload).encode(), [key])
