"""Show an order to whoever is about to sign it: every particular that will be heard, when and where. Pure.

Of a broadcast and of a whole timetable here; of the ward's policy, windows and commands in ``rule_summary``.
"""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from edge_agent.console.words import printable
from edge_agent.core.job import Audience, ClipItem, Item, Job, JobClass, LiveItem, Preemption
from edge_agent.core.order import Timetable
from edge_agent.core.units import SECOND_MS
from edge_agent.headend.given import Given
from edge_agent.headend.rule_summary import heading_lines, rule_lines
from edge_agent.headend.rule_words import KINDS, TIMETABLE
from edge_agent.headend.when_words import when_words
from edge_agent.headend.words import CLASSES, day_and_hour, seconds

PREEMPTED = {
    Preemption.RESUME: "phát tiếp từ chỗ bị ngắt",
    Preemption.RESTART: "phát lại từ đầu",
    Preemption.DROP: "không phát nữa",
}
"""What becomes of it when an emergency takes its zones; to rejoin is what everybody expects, and is not told."""


def summary(order: Given, zone: ZoneInfo) -> str:
    """Several lines of Vietnamese."""
    match order:
        case Job():
            lines = _job_lines(order, zone)
        case Timetable():
            lines = _timetable_lines(order, zone)
        case _:
            lines = rule_lines(order, zone)
    # Some of it are the words of whoever signed first; below the page the next one types a PIN.
    return "\n".join(map(printable, lines)) + "\n"


def _timetable_lines(order: Timetable, zone: ZoneInfo) -> Iterator[str]:
    """Whoever signs it must see that what is not listed ends."""
    yield f"{KINDS[TIMETABLE]} {order.name}, phiên bản {order.version}, {len(order.jobs)} mục: thay toàn bộ lịch cũ"
    if not order.jobs:
        yield "  KHÔNG CÒN MỤC NÀO: mọi buổi phát của lịch này dừng"
    yield from heading_lines(order.heading, zone)
    for number, job in enumerate(order.jobs, 1):
        yield f"mục {number}: {job.job_id}"
        yield f"  loại: {CLASSES[job.cls]}; âm lượng {job.volume}"
        if _where(job.audience) != _where(order.heading.audience):
            yield _where(job.audience)
        yield from _sound_lines(job, zone)


def _job_lines(job: Job, zone: ZoneInfo) -> Iterator[str]:
    event = f" ({job.event})" if job.event else ""
    yield f"Lệnh phát {job.job_id}, số {job.serial}, đơn vị ban hành {job.issuer} ({job.level})"
    yield from _standing(job)
    yield f"  loại: {CLASSES[job.cls]}{event}; âm lượng {job.volume}"
    yield _where(job.audience)
    yield from _sound_lines(
        job, zone, f"  hiệu lực: {day_and_hour(job.not_before, zone)} – {day_and_hour(job.not_after, zone)}"
    )


def _where(audience: Audience) -> str:
    return f"  vùng phát: {', '.join((*sorted(audience.areas), *sorted(audience.stations)))}"


def _sound_lines(job: Job, zone: ZoneInfo, *validity: str) -> Iterator[str]:
    yield f"  cụm loa: {', '.join(sorted(job.audience.zones)) or 'tất cả'}"
    yield f"  lịch phát: {when_words(job.when, zone)}"
    if job.loops > 1:
        yield f"  số lần phát: {job.loops}, khoảng nghỉ {job.gap_ms // SECOND_MS} giây"
    if job.late_limit_ms:
        yield f"  được phát muộn đến {job.late_limit_ms // SECOND_MS} giây"
    if job.zones_limit_ms:
        yield f"  phát bù cho cụm loa bị chiếm, muộn đến {job.zones_limit_ms // SECOND_MS} giây"
    if job.preemption in PREEMPTED:
        yield f"  nếu bị tin khẩn cấp ngắt: {PREEMPTED[job.preemption]}"
    yield from validity
    for number, item in enumerate(job.items, 1):
        yield f"  bản tin {number}: {_item(item)}"


def _standing(job: Job) -> Iterator[str]:
    """What it is beside other orders: a rehearsal of one, the end of a series, the correction of a mistake."""
    if job.rehearsal:
        yield "  DIỄN TẬP: không phải tình huống thật"
    if job.all_clear:
        yield "  BÁO YÊN: hết tình trạng khẩn cấp"
    if job.series:
        yield f"  đợt cảnh báo {job.series}, phiên bản {job.version}"
    if job.corrects:
        unless = "" if job.plays_as is JobClass.EMERGENCY else ", trừ khi đó là tin khẩn cấp"
        yield f"  ĐÍNH CHÍNH lệnh {job.corrects}: lệnh đó dừng{unless}"


def _item(item: Item) -> str:
    by = f"; người duyệt {item.approver}" if item.approver else ""
    if isinstance(item, ClipItem):
        return f"{item.title}, {seconds(item.duration_ms)} giây, tiếng {item.language}{by}; tệp {item.digest[:12]}…"
    if isinstance(item, LiveItem):
        stand_in = "" if item.stand_in is None else f"; khi mất tín hiệu phát thay thế “{item.stand_in.title}”"
        told = f"{item.title}, tiếp âm trực tiếp {seconds(item.duration_ms)} giây, tiếng {item.language}{by}"
        return f"{told}; nguồn {', '.join(item.urls)}{stand_in}"
    # Its paragraphs could make up a page of their own, and push this one out of sight.
    text = " ".join(item.text.split())
    return f"{item.title}, trạm tự đọc, tiếng {item.language}{by}: “{text}”"
