"""The ward of docs/examples: who speaks there and what they say, by the code that really says it.

Keys come from their names, so that a run can be repeated. Everybody has them: they are good for nothing but this.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Verdict
from edge_agent.core.job import Audience, ClipItem, Job, JobClass, PlayAt, PlayNow, Preemption, Rule, TextItem
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Command, Heading, Lock, Loosening, Regulation, RuleOrder, Timetable, Window
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy, VolumeBand
from edge_agent.core.units import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    ClipKey,
    JobId,
    MonoMs,
    StationId,
    UtcMs,
    ZoneId,
)
from edge_agent.headend import signing
from edge_agent.headend.roles import default_roles, trust_document
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain
from edge_agent.sync import messages as say
from edge_agent.sync.messages import (
    HostStatus,
    LogCursor,
    LogRecord,
    OfferStatus,
    PlanEntry,
    PlayStatus,
    PolicyStatus,
    RulesStatus,
    Sender,
    Why,
    ZoneStatus,
)
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.keys import Ed25519Signer
from edge_agent.trust.orders import job_payload, rule_payload
from edge_agent.trust.strict_json import JsonObject, dump

REALM = "demo"
AREA = "vn/ha-noi/dong-thanh"
STATION = StationId("dong-thanh-01")
C1, C2 = ZoneId("c1"), ZoneId("c2")
ISSUED = UtcMs(1_790_733_600_000)  # 2026-09-30 09:00 in Hanoi
PLANNED = UtcMs(1_790_807_400_000)  # 2026-10-01 05:30 in Hanoi: the rule's first instant
NONCE = "6f0c2e9d4b7a18532c94e0d1a6b8f375"
EPOCH = "9b1d4f7a2c6e8035"
CLIP = ClipKey(hashlib.sha256(b"the bytes of an MP3").hexdigest())
SOFTWARE = "edge-agent 0.1.0"
SENDER = Sender(REALM, STATION, "4e1fa09cd27b3865", SOFTWARE)
ORIGIN = Origin(STATION, SOFTWARE, SENDER.boot_id)
NIGHT = "dong-thanh-20261001-44"
NIGHT_DIGEST = hashlib.sha256(b"an order for 03:15").hexdigest()
EVE = UtcMs(1_801_839_600_000)  # 2027-02-05 22:00 in Hanoi, the last evening of the lunar year
ROLES = default_roles(AREA, 2)
POLICY = "ward-policy-1"
SIGNERS = {
    "job": ("ward-routine-1",),
    "emergency": ("ward-emergency-1", "ward-emergency-2"),
    "regulation": (POLICY,),
    "window": (POLICY,),
    "command": ("ward-routine-1",),
    "timetable": ("ward-routine-1",),
    "welcome": ("welcome-1",),
    "ack": ("ack-1",),
    **dict.fromkeys(("hello", "state", "will", "heartbeat", "log", "answer", "refused", "plan"), ("station",)),
}
"""Whose signatures the examples carry, in this order."""
CLOCK = Now(MonoMs(0), PLANNED, ClockSource.SIGNED, 214)
OFFER = OfferStatus(
    JobId("ha-noi-20260930-7"), "Chương trình thành phố", JobClass.NORMAL, "province", UtcMs(PLANNED + 5 * DAY_MS)
)
HOST = HostStatus("10.20.30.41", "DT-0001", 21_400, 47, False)


def key(name: str) -> Ed25519Signer:
    """The throw-away key of that name."""
    seed = hashlib.sha256(f"throw-away key of docs/examples: {name}".encode()).digest()
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed))


def role_keys(role: str) -> list[Ed25519Signer]:
    """As many keys as the role has of its own."""
    (count,) = [spec.key_count for spec in ROLES if spec.name == role]
    return [key(f"{role}-{number}") for number in range(1, count + 1)]


def routine() -> Job:
    """A vaccination notice, every working day at 05:30 and 17:00 until the end of the year."""
    item = ClipItem(
        title="Lịch tiêm chủng tháng 10",
        field="y-te",
        language="vi",
        source="Trạm y tế Đông Thành",
        approver="nguoi-duyet-07",
        digest=CLIP,
        length_bytes=480_000,
        duration_ms=60_000,
        codec="mp3",
        urls=(f"https://content.example/clip/{CLIP}",),
    )
    return Job(
        job_id=JobId("dong-thanh-20260930-41"),
        issuer="dong-thanh",
        level="commune",
        key_epoch=0,
        serial=41,
        issued_at=ISSUED,
        not_before=ISSUED,
        not_after=UtcMs(ISSUED + 93 * DAY_MS),
        audience=Audience(frozenset(), frozenset({AREA}), frozenset()),
        cls=JobClass.NORMAL,
        order=0,
        when=Rule(
            timezone="Asia/Ho_Chi_Minh",
            first_day=date(2026, 10, 1),
            last_day=date(2026, 12, 31),
            weekdays=frozenset({1, 2, 3, 4, 5}),
            times=(time(5, 30), time(17, 0)),
            excluded=frozenset({date(2026, 11, 20)}),
        ),
        loops=1,
        gap_ms=0,
        items=(item,),
        volume=70,
        preemption=Preemption.REJOIN,
        late_limit_ms=10 * MINUTE_MS,
        event="",
    )


def emergency() -> Job:
    """A flood warning, spoken by the station, twice."""
    item = TextItem(
        title="Cảnh báo lũ quét",
        field="thien-tai",
        language="vi",
        source="Ban Chỉ huy Phòng thủ dân sự phường",
        approver="nguoi-duyet-02",
        text="Lũ đang lên nhanh ở suối Đông Thành.\nĐề nghị bà con di chuyển ngay lên nhà văn hóa.",
    )
    return Job(
        job_id=JobId("dong-thanh-20260930-42"),
        issuer="dong-thanh",
        level="commune",
        key_epoch=0,
        serial=42,
        issued_at=ISSUED,
        not_before=ISSUED,
        not_after=UtcMs(ISSUED + HOUR_MS),
        audience=Audience(frozenset({STATION}), frozenset(), frozenset({C1})),
        cls=JobClass.EMERGENCY,
        order=0,
        when=PlayNow(),
        loops=2,
        gap_ms=5 * SECOND_MS,
        items=(item,),
        volume=100,
        preemption=Preemption.REJOIN,
        late_limit_ms=0,
        event="lu-quet",
        cap=(("identifier", "VN-2026-0930-17"), ("sender", "canhbao.example"), ("sent", "2026-09-30T09:00:00+07:00")),
    )


def regulation() -> Regulation:
    """The ward's policy: quiet from nine to five, four half hours a day, and working days only at the market."""
    general = Clause(
        quiet=(time(21), time(5)),
        sessions_per_day=4,
        day_ms=90 * MINUTE_MS,
        session_ms=30 * MINUTE_MS,
        volume_bands=(VolumeBand(time(5), time(6), 45), VolumeBand(time(0), time(0), 80)),
    )
    market = Clause(zones=frozenset({C2}), weekdays=frozenset({1, 2, 3, 4, 5}), holidays=frozenset({date(2027, 1, 1)}))
    everybody = Audience(frozenset(), frozenset({AREA}), frozenset())
    heading = _heading("ubnd-dong-thanh-quy-che-1", "ubnd-dong-thanh", UtcMs(ISSUED + 365 * DAY_MS), everybody)
    return Regulation(heading, 1, "128/QĐ-UBND", date(2026, 9, 28), LocalPolicy((general, market)))


def window() -> Window:
    """New Year's Eve at the house of culture, until half past midnight."""
    ends = UtcMs(EVE + 150 * MINUTE_MS)
    there = Audience(frozenset(), frozenset({AREA}), frozenset({C1}))
    heading = _heading("ubnd-dong-thanh-giao-thua-2027", "ubnd-dong-thanh", ends, there, serial=2)
    loosens = Loosening(frozenset({JobClass.NORMAL, JobClass.PRIORITY}), 150 * MINUTE_MS, volume_max=60)
    return Window(heading, EVE, ends, "Kế hoạch 15/KH-UBND ngày 20/01/2027", loosens)


def command() -> Command:
    """A technician goes up to the horns of the market, for two hours at most."""
    there = Audience(frozenset({STATION}), frozenset(), frozenset({C2}))
    heading = _heading("dong-thanh-20260930-45", "dong-thanh", UtcMs(ISSUED + 2 * MINUTE_MS), there, serial=45)
    return Command(heading, Lock(2 * HOUR_MS))


def timetable() -> Timetable:
    """The ward's timetable for October: the daily bulletin, and one notice for the market alone."""
    everybody = Audience(frozenset(), frozenset({AREA}), frozenset())
    heading = _heading("dong-thanh-20260930-46", "dong-thanh", UtcMs(ISSUED + 32 * DAY_MS), everybody, serial=46)
    shared = replace(
        routine(),
        serial=46,
        not_after=heading.not_after,
        when=replace(_rule(), last_day=date(2026, 10, 31), excluded=frozenset()),
    )
    daily = replace(shared, job_id=JobId("dong-thanh-main-3f9a0c51d2"))
    notice = replace(
        shared,
        job_id=JobId("dong-thanh-main-b07e44a918"),
        audience=replace(everybody, zones=frozenset({C2})),
        when=PlayAt(UtcMs(PLANNED + 2 * DAY_MS + HOUR_MS)),
        items=(_words(),),
        late_limit_ms=0,
    )
    return Timetable(heading, "main", 46, (daily, notice))


def _rule() -> Rule:
    when = routine().when
    assert isinstance(when, Rule)
    return when


def _words() -> TextItem:
    (item,) = emergency().items
    assert isinstance(item, TextItem)
    words = "Sáng nay mời bà con tiểu thương cùng dọn vệ sinh chợ."
    return replace(item, title="Dọn vệ sinh chợ", field="van-hoa", source="Ban quản lý chợ Đông Thành", text=words)


def _heading(order_id: str, issuer: str, not_after: UtcMs, audience: Audience, serial: int = 1) -> Heading:
    return Heading(JobId(order_id), issuer, "commune", 0, serial, ISSUED, ISSUED, not_after, audience)


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
        evidence=Evidence.SAMPLES_OUT,
        zones=tuple(ZoneAsRun(zone, Evidence.SAMPLES_OUT, 60_000, 55, MonoMs(73_798_950), None) for zone in (C1, C2)),
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


def signed(name: str) -> bytes:
    """An order, signed by the officers who may."""
    payload = _payload(name)
    return sign(payload_type(str(payload["type"])), dump(payload), [key(one) for one in SIGNERS[name]])


def _payload(name: str) -> JsonObject:
    if name in ("job", "emergency"):
        return job_payload(routine() if name == "job" else emergency(), REALM)
    made: dict[str, RuleOrder] = {
        "regulation": regulation(),
        "window": window(),
        "command": command(),
        "timetable": timetable(),
    }
    return rule_payload(made[name], REALM)


def digest_of(envelope: bytes) -> str:
    """The identity of a message: the SHA-256 of its PAE."""
    opened = open_envelope(envelope)
    assert isinstance(opened, Envelope)
    return opened.digest


def orders() -> dict[str, bytes]:
    """What comes down: orders signed by those who may, welcome and ack signed by the server."""
    last = records()[-1]
    held = LogCursor(EPOCH, last.seq, last.hash)
    (welcome_key,), (ack_key,) = ([key(one) for one in SIGNERS[name]] for name in ("welcome", "ack"))
    marks = {"dong-thanh": 42}
    return {
        **{name: signed(name) for name in ("job", "emergency", "regulation", "window", "command", "timetable")},
        "welcome": signing.welcome(REALM, STATION, NONCE, ISSUED, 1, marks, LogCursor("", 0, ""), welcome_key),
        "ack": signing.ack(REALM, STATION, held, ack_key),
    }


def reports() -> dict[str, bytes]:
    """What goes up, signed by the station."""
    silenced = say.ConflictStatus(JobId(routine().job_id), PLANNED, Reason.ZONE_SILENCED, (ZoneId("c2"),))
    accepted = say.AnswerMsg(Verdict.ACCEPTED, digest_of(signed("job")), routine().job_id, None, ISSUED, (silenced,))
    refused = say.AnswerMsg(Verdict.REFUSED, NIGHT_DIGEST, NIGHT, Reason.QUIET_HOURS, UtcMs(PLANNED + 90_000))
    said = {
        "hello": say.hello(SENDER, say.HelloMsg(NONCE, 1, LogCursor(EPOCH, 0, "0" * 64), CLOCK)),
        "state": say.state(SENDER, state()),
        "will": say.state(SENDER, _gone(state())),
        "heartbeat": say.heartbeat(SENDER, say.HeartbeatMsg(73_800, CLOCK, (routine().job_id,), 0, HOST)),
        "answer": say.answer(SENDER, accepted),
        "refused": say.answer(SENDER, refused),
        "log": say.log(SENDER, EPOCH, records()),
        "plan": say.plan(SENDER, plan()),
    }
    return {name: sign(payload_type(one.kind), one.payload, [key("station")]) for name, one in said.items() if one}


def _gone(shown: say.StateMsg) -> say.StateMsg:
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
        rules=RulesStatus(),
    )


def plan() -> say.PlanMsg:
    """What the station says of the day on which ``routine`` begins, asked for in its first minute."""
    title, paper = routine().items[0].title, regulation()
    morning = PlanEntry(
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
    return say.PlanMsg(date(2026, 10, 1), "Asia/Ho_Chi_Minh", PLANNED, policy, (morning, evening), (OFFER,))


def state() -> say.StateMsg:
    """The station while ``routine`` sounds."""
    title = routine().items[0].title
    playing = PlayStatus(routine().job_id, title, JobClass.NORMAL, Phase.PLAYING, PLANNED, (C1, C2))
    later = PlayStatus(
        JobId("dong-thanh-20260930-43"), "Bản tin phường", JobClass.NORMAL, Phase.RECEIVED, PLANNED, (C1,)
    )
    return say.StateMsg(
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
        rules=RulesStatus(regulation().number, (time(21), time(5)), locked=(C2,), silenced=(C2,)),
    )


def trust() -> JsonObject:
    """The file by which the station judges these orders."""
    own = [spec for spec in ROLES if not spec.keys_of]
    return trust_document(
        REALM, 1, ROLES, {spec.name: [one.public for one in role_keys(spec.name)] for spec in own}, ISSUED
    )
