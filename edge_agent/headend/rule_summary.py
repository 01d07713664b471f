"""Show the ward's policy, a dated window or a command to whoever is about to sign it, in Vietnamese. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from zoneinfo import ZoneInfo

from edge_agent.core.order import (
    Action,
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Command,
    Heading,
    Lock,
    Loosening,
    Pause,
    Rank,
    Regulation,
    RuleOrder,
    SetVolume,
    Window,
)
from edge_agent.core.site import Clause, IntoQuiet
from edge_agent.headend.rule_words import EXCEPTION, KINDS, OF_NO_ZONE, REGULATION, SILENCE, WHATS, in_zones, obeyed_in
from edge_agent.headend.when_words import dates, weekdays, when_words
from edge_agent.headend.words import CLASSES, day_and_hour, duration
from edge_agent.trust.commands import what_of

INTO_QUIET = {IntoQuiet.REFUSE: "không phát", IntoQuiet.CUT: "phát đến giờ đó thì cắt"}


def rule_lines(order: RuleOrder, zone: ZoneInfo) -> Iterator[str]:
    """The first line says what it does; then where, how long, and in whose name."""
    match order:
        case Regulation():
            yield from _regulation(order)
        case Window():
            yield from _window(order, zone)
        case Command():
            yield _command(order, zone)
    yield from heading_lines(order.heading, zone)


def heading_lines(heading: Heading, zone: ZoneInfo) -> Iterator[str]:
    """For whom, by whom, how long."""
    audience = heading.audience
    yield f"  vùng phát: {', '.join((*sorted(audience.areas), *sorted(audience.stations)))}"
    yield f"  lệnh {heading.order_id}, số {heading.serial}, đơn vị ban hành {heading.issuer} ({heading.level})"
    yield f"  hiệu lực: {day_and_hour(heading.not_before, zone)} – {day_and_hour(heading.not_after, zone)}"


def _regulation(order: Regulation) -> Iterator[str]:
    dated = order.dated.strftime("%d/%m/%Y")
    yield f"{KINDS[REGULATION]} số {order.number} ngày {dated}, phiên bản {order.version}"
    yield f"  bản tin lấn vào khung giờ không phát: {INTO_QUIET[order.policy.into_quiet]}"
    for number, clause in enumerate(order.policy.clauses, 1):
        yield f"  điều {number}, {_whom(clause)}: {'; '.join(_limits(clause))}"


def _whom(clause: Clause) -> str:
    classes = ", ".join(CLASSES[cls] for cls in sorted(clause.classes)) or "mọi bản tin thường và ưu tiên"
    return f"{classes}, {in_zones(','.join(sorted(clause.zones)))}"


def _limits(clause: Clause) -> Iterator[str]:
    if clause.quiet is not None:
        yield f"không phát {_span(*clause.quiet)}"
    if clause.weekdays is not None:
        yield f"chỉ phát các ngày {weekdays(clause.weekdays)}"
    if clause.holidays:
        yield f"nghỉ {dates(clause.holidays)}"
    if clause.sessions_per_day is not None:
        yield f"tối đa {clause.sessions_per_day} buổi mỗi ngày"
    if clause.session_ms is not None:
        yield f"mỗi buổi tối đa {duration(clause.session_ms)}"
    if clause.day_ms is not None:
        yield f"cả ngày tối đa {duration(clause.day_ms)}"
    if clause.live_day_ms is not None:
        yield f"tiếp âm cả ngày tối đa {duration(clause.live_day_ms)}"
    for band in clause.volume_bands:
        yield f"âm lượng tối đa {band.volume_max} ({_span(band.start, band.end)})"


def _span(start: time, end: time) -> str:
    return "cả ngày" if start == end else f"từ {start.strftime('%Hh%M')} đến {end.strftime('%Hh%M')}"


def _window(order: Window, zone: ZoneInfo) -> Iterator[str]:
    where = in_zones(",".join(sorted(order.heading.audience.zones)))
    span = f"từ {day_and_hour(order.begins, zone)} đến {day_and_hour(order.ends, zone)}"
    yield f"{KINDS[SILENCE if order.loosens is None else EXCEPTION]}, {where}, {span}"
    yield f"  căn cứ: {order.basis}"
    if order.loosens is None:
        yield "  bản tin khẩn cấp vẫn phát"
    else:
        yield f"  được phát: {'; '.join(_loosened(order.loosens))}"


def _loosened(loosens: Loosening) -> Iterator[str]:
    yield ", ".join(CLASSES[cls] for cls in sorted(loosens.classes))
    yield f"mỗi buổi tối đa {duration(loosens.session_ms)}"
    if loosens.total_ms is not None:
        yield f"cả thảy tối đa {duration(loosens.total_ms)}"
    if loosens.volume_max is not None:
        yield f"âm lượng tối đa {loosens.volume_max}"


def _command(order: Command, zone: ZoneInfo) -> str:
    what, more = what_of(order.action), _particulars(order.action, zone)
    if what in OF_NO_ZONE:
        return f"{WHATS[what]} {more}".rstrip()
    zones = obeyed_in(what, ",".join(sorted(order.heading.audience.zones)))
    return f"{WHATS[what]}, {zones}{f', {more}' if more else ''}"


def _particulars(action: Action, zone: ZoneInfo) -> str:
    match action:
        case Cancel(target, until):
            return f"{target}, kể cả khi lệnh đó đến muộn (trước {day_and_hour(until, zone)})"
        case Pause(for_ms) | AllStop(for_ms) | Lock(for_ms):
            return duration(for_ms)
        case SetVolume(volume):
            return f"tối đa {volume}"
        case Amplify(on, for_ms):
            return f"bật {duration(for_ms)}" if on else f"tắt {duration(for_ms)}"
        case Rank(job_ids):
            return " → ".join(job_ids)
        case Choose(target, when):
            return f"{target}: {when_words(when, zone)}"
        case Ask(day):
            return f"ngày {day.strftime('%d/%m/%Y')}"
        case _:
            return ""
