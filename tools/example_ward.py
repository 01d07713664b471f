"""The ward of docs/examples: who orders there and what, by the code that really says it.

Keys come from their names, so that a run can be repeated. Everybody has them: they are good for nothing but this.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.core.job import Audience, ClipItem, Job, JobClass, PlayAt, PlayNow, Preemption, Rule, TextItem
from edge_agent.core.order import Command, Heading, Lock, Loosening, Regulation, RuleOrder, Timetable, Window
from edge_agent.core.site import Clause, LocalPolicy, VolumeBand
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    ClipKey,
    JobId,
    StationId,
    UtcMs,
    ZoneId,
)
from edge_agent.headend.roles import default_roles
from edge_agent.headend.trust_making import Draft, first_documents
from edge_agent.trust.bundle import write_file
from edge_agent.trust.documents import Document, load_document
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.keys import Ed25519Signer
from edge_agent.trust.strict_json import JsonObject, dump
from tools.order_payloads import job_payload, rule_payload

REALM = "demo"
AREA = "vn/ha-noi/dong-thanh"
STATION = StationId("dong-thanh-01")
C1, C2 = ZoneId("c1"), ZoneId("c2")
ISSUED = UtcMs(1_790_733_600_000)  # 2026-09-30 09:00 in Hanoi
PLANNED = UtcMs(1_790_807_400_000)  # 2026-10-01 05:30 in Hanoi: the rule's first instant
CLIP = ClipKey(hashlib.sha256(b"the bytes of an MP3").hexdigest())
EVE = UtcMs(1_801_839_600_000)  # 2027-02-05 22:00 in Hanoi, the last evening of the lunar year
ROLES = default_roles(AREA, 2)
POLICY = "ward-policy-1"
DOCUMENTS = ("trust-root", "trust-province", "trust-ward")
"""The trust documents, from above down."""
SIGNERS = {
    "trust-root": ("root-1", "root-2", "root-3"),
    "trust-province": ("national-trust-1",),
    "trust-ward": ("ha-noi-trust-1",),
    "job": ("ward-routine-1",),
    "emergency": ("ward-emergency-1", "ward-emergency-2"),
    "regulation": (POLICY,),
    "window": (POLICY,),
    "command": ("ward-routine-1",),
    "timetable": ("ward-routine-1",),
    "welcome": ("welcome-1",),
    "ack": ("ack-1",),
    "head": ("head-1",),
    **dict.fromkeys(("hello", "state", "will", "heartbeat", "log", "answer", "refused", "plan"), ("station",)),
}
"""Whose signatures the examples carry, in this order."""


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


def trust_documents() -> dict[str, bytes]:
    """What the station believes, from the root down to its ward."""
    return {name: _signed_document(draft) for name, draft in zip(DOCUMENTS, _drafts(), strict=True)}


def trust_heads() -> tuple[TrustHead, ...]:
    """The same, as it says so itself."""
    return tuple(_head(load_document(dump(draft.payload))) for draft in _drafts())


def trust_file() -> bytes:
    """The file by which the station judges these orders."""
    return write_file(trust_documents().values())


def _drafts() -> tuple[Draft, ...]:
    own = [spec for spec in ROLES if not spec.keys_of]
    return first_documents(
        REALM, ROLES, {spec.name: [one.public for one in role_keys(spec.name)] for spec in own}, ISSUED
    )


def _signed_document(draft: Draft) -> bytes:
    return sign(payload_type("trust"), dump(draft.payload), [key(one) for one in draft.by])


def _head(document: Document) -> TrustHead:
    return TrustHead(document.area, document.epoch, document.version, document.expires, document.issued_at)
