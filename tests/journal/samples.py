"""Jobs and records for the journal's tests; nothing in here is decided by the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource, KeptTime
from edge_agent.core.effects import Entries, SaveJob, SaveMark
from edge_agent.core.events import Mark, SavedJob, SavedRule
from edge_agent.core.job import Accepted, Audience, Job, JobClass, PlayAt, Preemption, TextItem
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Heading, Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, ClipKey, JobId, MonoMs, UtcMs, ZoneId
from edge_agent.journal.port import StoredJob
from edge_agent.journal.record import Origin

NOON = UtcMs(1_790_000_000_000)
ORIGIN = Origin(station="dt-017", software="1.2.3", boot_id="0123abcd")
JOB = JobId("tiem-chung")
PLANNED = UtcMs(NOON + 1000)
KEPT = KeptTime("6c6d93ab-66ac-4cf0-a7b5-2f8a2f4c0c5d", MonoMs(5_000), NOON, 400)
ITEM = TextItem("Lịch tiêm chủng", "y tế", "vi", "Trạm y tế", "cb-01", "Ngày mai tiêm chủng.")


def job_of(job_id: str = "tiem-chung", not_after: int = NOON + DAY_MS) -> Job:
    return Job(
        job_id=JobId(job_id),
        issuer="dong-thanh",
        level="commune",
        key_epoch=0,
        serial=1,
        issued_at=NOON,
        not_before=NOON,
        not_after=UtcMs(not_after),
        audience=Audience(frozenset({"dt-017"}), frozenset(), frozenset()),
        cls=JobClass.NORMAL,
        order=0,
        when=PlayAt(UtcMs(NOON + 1000)),
        loops=1,
        gap_ms=0,
        items=(ITEM,),
        volume=60,
        preemption=Preemption.REJOIN,
        late_limit_ms=0,
        event="",
    )


def save_job(job_id: str = "tiem-chung", *, held: bool = False, not_after: int = NOON + DAY_MS) -> SaveJob:
    accepted = Accepted(job_of(job_id, not_after), digest=f"digest of {job_id}", signers=("k",), role="xa")
    return SaveJob(SavedJob(accepted, NOON, held), f"envelope of {job_id}".encode(), "loa/1/d/dt-017/job")


def save_warning(job_id: str) -> SaveJob:
    """An emergency, which sounds although the disk refuses it."""
    saved = save_job(job_id).saved
    assert isinstance(saved, SavedJob)
    urgent = replace(saved.accepted, job=replace(saved.accepted.job, cls=JobClass.EMERGENCY))
    return replace(save_job(job_id), saved=replace(saved, accepted=urgent))


def stored_job(**changes: Any) -> StoredJob:
    """What a boot reads of ``save_job()``."""
    effect = save_job()
    values: dict[str, Any] = {
        "job_id": JOB,
        "envelope": effect.envelope,
        "topic": effect.topic,
        "base": NOON,
        "held": False,
    }
    return StoredJob(**(values | changes))


def entries(begin: str = "", go_on: str = "") -> Entries:
    """Entries by the names in each text."""
    return Entries(tuple(map(JobId, begin.split())), tuple(map(JobId, go_on.split())))


def save_timetable(
    order_id: str = "lich", rows: Entries | None = None, *, base: int = NOON, not_after: int = NOON + DAY_MS
) -> SaveJob:
    """Without ``rows`` it is held; which jobs it has the journal does not ask."""
    audience = Audience(frozenset({"dt-017"}), frozenset(), frozenset())
    heading = Heading(JobId(order_id), "dong-thanh", "commune", 0, 1, NOON, NOON, UtcMs(not_after), audience)
    accepted = AcceptedRule(Timetable(heading, "main", 1, ()), f"digest of {order_id}", ("k",), "xa")
    saved = SavedRule(accepted, UtcMs(base), held=rows is None)
    return SaveJob(saved, f"envelope of {order_id}".encode(), "loa/1/d/dt-017/job", rows)


def save_mark(job_id: str = "tiem-chung", planned: int = NOON + 1000, mark: Mark = Mark.INTENT) -> SaveMark:
    return SaveMark(JobId(job_id), UtcMs(planned), mark, attempt=1)


def record_of(job_id: str = "tiem-chung", **changes: Any) -> AsRun:
    """A play of ten seconds on one zone, by a clock that was trusted."""
    zone = ZoneAsRun(ZoneId("cho"), Evidence.SAMPLES_OUT, 10_000, 60, MonoMs(5_000), None)
    item = ItemAsRun(ITEM.title, ITEM.field, ITEM.language, ITEM.source, ITEM.approver, ClipKey("ab" * 32))
    record = AsRun(
        kind=RecordKind.PLAY,
        job_id=job_id,
        digest=f"digest of {job_id}",
        issuer="dong-thanh",
        level="commune",
        role="xa",
        signers=("k",),
        cls=JobClass.NORMAL,
        event="",
        items=(item,),
        planned=UtcMs(NOON + 1000),
        outcome=Phase.INTERRUPTED,
        reason=Reason.PREEMPTED,
        detail="",
        evidence=Evidence.SAMPLES_OUT,
        zones=(zone,),
        started=UtcMs(NOON + 1000),
        ended=UtcMs(NOON + 11_000),
        ended_mono=MonoMs(16_000),
        planned_ms=20_000,
        played_ms=10_000,
        frames=480_000,
        underruns=0,
        attempt=1,
        clock=ClockSource.NTP,
        clock_error_ms=12,
    )
    return replace(record, **changes)
