"""Show an order to whoever is about to sign it: every particular that will be heard, when and where. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from edge_agent.core.job import ClipItem, Item, Job, PlayAt, PlayNow, Rule
from edge_agent.core.units import SECOND_MS
from edge_agent.headend.words import CLASSES, day_and_hour, seconds

WEEKDAYS = {1: "T2", 2: "T3", 3: "T4", 4: "T5", 5: "T6", 6: "T7", 7: "CN"}
# As every Vietnamese calendar prints them.


def summary(job: Job, zone: ZoneInfo) -> str:
    """Several lines of Vietnamese."""
    return "\n".join(_lines(job, zone)) + "\n"


def _lines(job: Job, zone: ZoneInfo) -> Iterator[str]:
    event = f" ({job.event})" if job.event else ""
    yield f"Lệnh phát {job.job_id}, số {job.serial}, đơn vị ban hành {job.issuer} ({job.level})"
    yield f"  loại: {CLASSES[job.cls]}{event}; âm lượng {job.volume}"
    yield f"  vùng phát: {', '.join((*sorted(job.audience.areas), *sorted(job.audience.stations)))}"
    yield f"  cụm loa: {', '.join(sorted(job.audience.zones)) or 'tất cả'}"
    yield f"  lịch phát: {_when(job, zone)}"
    if job.loops > 1:
        yield f"  số lần phát: {job.loops}, khoảng nghỉ {job.gap_ms // SECOND_MS} giây"
    if job.late_limit_ms:
        yield f"  được phát muộn đến {job.late_limit_ms // SECOND_MS} giây"
    yield f"  hiệu lực: {day_and_hour(job.not_before, zone)} – {day_and_hour(job.not_after, zone)}"
    for number, item in enumerate(job.items, 1):
        yield f"  bản tin {number}: {_item(item)}"


def _when(job: Job, zone: ZoneInfo) -> str:
    match job.when:
        case PlayNow():
            return "phát ngay"
        case PlayAt(at=at):
            return f"một lần, {day_and_hour(at, zone)}"
        case Rule() as rule:
            return _rule(rule)


def _rule(rule: Rule) -> str:
    days = ", ".join(WEEKDAYS[day] for day in sorted(rule.weekdays))
    times = ", ".join(at.strftime("%Hh%M:%S" if at.second else "%Hh%M") for at in rule.times)
    first, last = rule.first_day.strftime("%d/%m/%Y"), rule.last_day.strftime("%d/%m/%Y")
    except_ = f", trừ {', '.join(day.strftime('%d/%m/%Y') for day in sorted(rule.excluded))}" if rule.excluded else ""
    return f"{times} các ngày {days}, từ {first} đến {last}{except_} (giờ {rule.timezone})"


def _item(item: Item) -> str:
    by = f"; người duyệt {item.approver}" if item.approver else ""
    if isinstance(item, ClipItem):
        return f"{item.title}, {seconds(item.duration_ms)} giây, tiếng {item.language}{by}; tệp {item.digest[:12]}…"
    return f"{item.title}, trạm tự đọc, tiếng {item.language}{by}: “{item.text}”"
