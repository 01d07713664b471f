"""What goes down to the station of docs/examples and what it says upwards, signed as ``example_ward`` has it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, time

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.heads import Manifest, ScopeStatus, area_scope, station_scope
from edge_agent.core.job import ClipItem, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    JobId,
    MonoMs,
    UtcMs,
    ZoneId,
)
from edge_agent.headend import signing
from edge_agent.headend.manifests import in_force, last_serials, listed_order, listed_trust, make, published
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain
from edge_agent.sync import messages as say
from edge_agent.sync.messages import Sender
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
from tools.example_ward import (
    AREA,
    C1,
    C2,
    ISSUED,
    PLANNED,
    REALM,
    SIGNERS,
    STATION,
    digest_of,
    key,
    regulation,
    routine,
    signed,
    trust_documents,
    trust_heads,
)

NONCE = "6f0c2e9d4b7a18532c94e0d1a6b8f375"
EPOCH = "9b1d4f7a2c6e8035"
SOFTWARE = "edge-agent 0.1.0"
SENDER = Sender(REALM, STATION, "4e1fa09cd27b3865", SOFTWARE)
ORIGIN = Origin(STATION, SOFTWARE, SENDER.boot_id)
NIGHT = "dong-thanh-20261001-44"
NIGHT_DIGEST = hashlib.sha256(b"an order for 03:15").hexdigest()
CLOCK = Now(MonoMs(0), PLANNED, ClockSource.SIGNED, 214)
OFFER = OfferStatus(
    JobId("ha-noi-20260930-7"), "Chương trình thành phố", JobClass.NORMAL, "province", UtcMs(PLANNED + 5 * DAY_MS)
)
HOST = HostStatus("10.20.30.41", "DT-0001", 21_400, 47, False)


def records() -> list[LogRecord]:
    """What the station writes down: the first sounding of ``routine``, and an order for the night that it refused."""
    job = routine()
    (item,) = job.items
    assert isinstance(item, ClipItem)
    played = AsRun(
        kind=RecordKind.PLAY,
        job_id=job.job_id,
        digest=digest_of(signed("job")),
        issuer=job.issuer,
        level=job.level,
        role="ward-routine",
        signers=(key("ward-routine-1").keyid,),
        cls=job.cls,
        event=job.event,
        items=(ItemAsRun(item.title, item.field, item.language, item.source, item.approver, item.digest),),
        planned=PLANNED,
        outcome=Phase.SUCCEEDED,
        reason=None,
        detail="",
        evidence=Evidence.HEARD,
        zones=(
            ZoneAsRun(C1, Evidence.HEARD, 60_000, 55, MonoMs(73_798_950), None, level_db=-18),
            ZoneAsRun(C2, Evidence.SAMPLES_OUT, 60_000, 55, MonoMs(73_798_950), None),
        ),
        started=UtcMs(PLANNED + 4),
        ended=UtcMs(PLANNED + 60_071),
        ended_mono=MonoMs(73_860_071),
        planned_ms=60_000,
        played_ms=60_000,
        frames=2_880_000,
        underruns=0,
        attempt=1,
        clock=ClockSource.SIGNED,
        clock_error_ms=214,
    )
    return _chained(played, _refused(played))


def _refused(played: AsRun) -> AsRun:
    return replace(
        played,
        kind=RecordKind.REFUSAL,
        job_id=NIGHT,
        digest=NIGHT_DIGEST,
        planned=None,
        outcome=Phase.REJECTED,
        reason=Reason.QUIET_HOURS,
        evidence=Evidence.ORDERED,
        zones=(),
        started=None,
        ended=UtcMs(PLANNED + 90_000),
        ended_mono=MonoMs(73_890_000),
        played_ms=0,
        frames=0,
        attempt=0,
    )


def _chained(*played: AsRun) -> list[LogRecord]:
    stored = [chain(EPOCH, ChainPoint(), body_of(played[0], ORIGIN))]
    for one in played[1:]:
        stored.append(chain(EPOCH, ChainPoint(stored[-1].seq, stored[-1].hash), body_of(one, ORIGIN)))
    return [LogRecord(one.seq, one.prev, one.hash, one.body) for one in stored]


def orders() -> dict[str, bytes]:
    """What comes down: orders and trust documents signed by those who may, welcome and ack by the server."""
    last = records()[-1]
    held = LogCursor(EPOCH, last.seq, last.hash)
    (welcome_key,), (ack_key,) = ([key(one) for one in SIGNERS[name]] for name in ("welcome", "ack"))
    marks = {"dong-thanh": 42}
    named = [TrustVersion(head.area, head.epoch, head.version) for head in trust_heads()]
    return {
        **{name: signed(name) for name in ("job", "emergency", "regulation", "window", "command", "timetable")},
        "welcome": signing.welcome(REALM, STATION, NONCE, ISSUED, named, marks, LogCursor("", 0, ""), welcome_key),
        "ack": signing.ack(REALM, STATION, held, ack_key),
        "head": head(),
        **trust_documents(),
    }


def head() -> bytes:
    """That of the ward's manifest, in which the ward's orders stand."""
    named = [published(signed(name)) for name in ("job", "regulation", "window", "timetable")]
    orders = tuple(listed_order(one) for one in in_force(named, ISSUED))
    trust = listed_trust(trust_documents().values(), AREA)
    manifest = Manifest(area_scope(AREA), ISSUED - DAY_MS, 3, last_serials(named, {}), orders, trust)
    return make(manifest, REALM, ISSUED, *(key(one) for one in SIGNERS["head"])).envelope


def reports() -> dict[str, bytes]:
    """What goes up, signed by the station."""
    silenced = Conflict(JobId(routine().job_id), PLANNED, Reason.ZONE_SILENCED, (ZoneId("c2"),))
    accepted = AnswerMsg(Verdict.ACCEPTED, digest_of(signed("job")), routine().job_id, None, ISSUED, (silenced,))
    refused = AnswerMsg(Verdict.REFUSED, NIGHT_DIGEST, NIGHT, Reason.QUIET_HOURS, UtcMs(PLANNED + 90_000))
    said = {
        "hello": say.hello(SENDER, HelloMsg(NONCE, trust_heads(), LogCursor(EPOCH, 0, "0" * 64), CLOCK)),
        "state": say.state(SENDER, state()),
        "will": say.state(SENDER, _gone(state())),
        "heartbeat": say.heartbeat(SENDER, HeartbeatMsg(73_800, CLOCK, (routine().job_id,), 0, HOST)),
        "answer": say.answer(SENDER, accepted),
        "refused": say.answer(SENDER, refused),
        "log": say.log(SENDER, EPOCH, records()),
        "plan": say.plan(SENDER, plan()),
    }
    return {name: sign(payload_type(one.kind), one.payload, [key("station")]) for name, one in said.items() if one}


def _gone(shown: StateMsg) -> StateMsg:
    """The will that goes with a connection, as ``upstream`` writes it."""
    return replace(
        shown,
        online=False,
        why=Why.CONNECTION_LOST,
        zones=(),
        playing=(),
        next=(),
        welcomed=False,
        device_up=False,
        host=HostStatus(),
        offers=(),
        rules=InForce(),
    )


def plan() -> PlanMsg:
    """What the station says of the day on which ``routine`` begins, asked for in its first minute."""
    title, paper = routine().items[0].title, regulation()
    morning = Planned(
        job_id=routine().job_id,
        title=title,
        cls=JobClass.NORMAL,
        level="commune",
        order=None,
        planned=PLANNED,
        starts=PLANNED,
        ends=UtcMs(PLANNED + MINUTE_MS),
        volumes={C1: 45, C2: 45},
        out={},
        reason=None,
        under="",
        cut=False,
    )
    five = UtcMs(PLANNED + 11 * HOUR_MS + 30 * MINUTE_MS)
    evening = replace(
        morning,
        planned=five,
        starts=five,
        ends=UtcMs(five + MINUTE_MS),
        volumes={C1: 70},
        out={C2: Reason.ZONE_SILENCED},
    )
    policy = PolicyStatus(paper.number, paper.dated)
    return PlanMsg(date(2026, 10, 1), "Asia/Ho_Chi_Minh", PLANNED, policy, (morning, evening), (OFFER,))


def state() -> StateMsg:
    """The station while ``routine`` sounds."""
    title = routine().items[0].title
    playing = PlayStatus(routine().job_id, title, JobClass.NORMAL, Phase.PLAYING, PLANNED, (C1, C2))
    later = PlayStatus(
        JobId("dong-thanh-20260930-43"), "Bản tin phường", JobClass.NORMAL, Phase.RECEIVED, PLANNED, (C1,)
    )
    return StateMsg(
        online=True,
        why=Why.CHANGE,
        area=AREA,
        name="Trạm loa Đông Thành 01",
        clock=CLOCK,
        zones=(
            ZoneStatus(C1, "Nhà văn hóa", True, playing.job_id, 100),
            ZoneStatus(C2, "Chợ Đông Thành", True, playing.job_id, 80),
        ),
        playing=(playing,),
        next=(replace(later, planned=UtcMs(PLANNED + HOUR_MS), reason=Reason.AUDIO_UNREACHABLE),),
        records_waiting=0,
        welcomed=True,
        device_up=True,
        host=HOST,
        offers=(OFFER,),
        rules=InForce(regulation().number, (time(21), time(5)), locked=(C2,), silenced=(C2,)),
        manifests=(
            ScopeStatus(station_scope(STATION), ISSUED - DAY_MS, 2, ISSUED, 0, None),
            ScopeStatus(area_scope(AREA), ISSUED - DAY_MS, 3, ISSUED, 1, Reason.MANIFEST_UNREACHABLE),
        ),
    )
