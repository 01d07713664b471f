"""Draw the station's picture: how it is, and what comes next. Pure; chooses words and layout, judges nothing.

Lines are made in the fullest form; ``words.screenful`` fits them to the language's letters and to 80 columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.console.catalogue import (
    ABSENCES,
    CLOCK_NOT_TRUSTED,
    DEVICE_REMEDY,
    HEARD,
    LOCKED,
    OFFERS,
    PHASES,
    RELAYS,
    SILENCED,
    SOURCES,
    class_words,
    clock_remedy,
    lacking_words,
    reason_words,
)
from edge_agent.console.silence import NOTHING, Cause, why_silent
from edge_agent.console.status import Absence, Host, Play, Status
from edge_agent.console.times import face_of, moment, wall
from edge_agent.console.words import Language, Text
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import JobClass
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import SECOND_MS
from edge_agent.free_space import FETCH_FREE_BYTES_MIN

MEGABYTE = 1_000_000

NONE_WAITS = Text("Sắp phát: không có lệnh phát nào đang chờ.", "Next: no broadcast job waits.")
NONE_READY = Text(
    "Sắp phát: chưa có gì; lệnh mới, nếu đã đến, đang phải chờ.", "Next: nothing yet; new orders that have come wait."
)


@dataclass(frozen=True, slots=True)
class View:
    """What can be seen of the station now. ``device_up`` None: nobody can tell."""

    status: Status | Absence
    device_up: bool | None
    unconnected: Cause | None = None
    # Why the centre hears nothing, where certificates, the clock or the signing key are the reason.


def absent(absence: Absence, language: Language) -> Iterator[str]:
    """Why there is nothing to show, and what to do."""
    words, remedy = ABSENCES[absence]
    yield words.say(language)
    yield f"→ {remedy.say(language)}"


def status_lines(status: Status, view: View, site: Site, language: Language) -> Iterator[str]:
    """How the station is: clock, server, device, box, zones, rules, what waits to be chosen, sounds, and is next."""
    yield f"{status.name} ({status.station}), {status.software}"
    yield from _clock_lines(status.clock, site, language)
    yield _server_line(status).say(language)
    yield from _unconnected_lines(view.unconnected, language)
    yield from _manifest_lines(status, language)
    yield from _device_lines(view.device_up, language)
    yield from _host_lines(status.host, language)
    yield from _zone_lines(status, language)
    yield from _rule_lines(status, language)
    yield from _offer_lines(status, site, language)
    yield from _plan_lines(status, site, language, at_most=1)


def coming_lines(status: Status, view: View, site: Site, language: Language) -> Iterator[str]:
    """What sounds and what will: when, what, where, and why not (requirement B15)."""
    if not status.clock.trusted:
        yield from _clock_lines(status.clock, site, language)
    if view.device_up is False:
        yield from _device_lines(view.device_up, language)
    yield from _plan_lines(status, site, language)


def silence_lines(status: Status, view: View, site: Site, language: Language) -> Iterator[str]:
    """Every cause of silence, numbered, each with what to do about it."""
    for number, cause in enumerate(why_silent(status, site, view.device_up, view.unconnected), start=1):
        yield f"{number}. {cause.words.say(language)}"
        if cause.remedy != NOTHING:
            yield f"   → {cause.remedy.say(language)}"


def _clock_lines(clock: Now, site: Site, language: Language) -> Iterator[str]:
    face, source = face_of(clock, site.timezone), SOURCES[clock.source]
    label = Text("Giờ", "Clock").say(language)
    if not clock.trusted:
        yield f"{label}: {CLOCK_NOT_TRUSTED.say(language)} ({source.say(language)}): {face.say(language)}"
        yield f"  → {clock_remedy(clock).say(language)}"
        return
    seconds = -(-clock.max_error_ms // SECOND_MS)
    error = Text(f"sai số ≤ {seconds} giây", f"error ≤ {seconds} s")
    yield f"{label}: {face.say(language)}, {source.say(language)}, {error.say(language)}"


def _server_line(status: Status) -> Text:
    waiting = status.records_waiting
    if not status.welcomed:
        return Text(
            f"Máy chủ: CHƯA TRẢ LỜI từ khi khởi động; nhật ký chờ gửi: {waiting}",
            f"Server: NO ANSWER since the start; records to be sent: {waiting}",
        )
    if not status.online and status.waits is not Reason.NOT_WELCOMED:
        return Text(
            f"Máy chủ: ĐANG MẤT KẾT NỐI, lệnh mới không đến được; nhật ký chờ gửi: {waiting}",
            f"Server: NO CONNECTION now, new orders do not come; records to be sent: {waiting}",
        )
    if status.waits is Reason.TRUST_BEHIND:
        return Text(
            f"Máy chủ: có VĂN BẢN ỦY QUYỀN MỚI chưa nhận được, lệnh mới phải chờ; nhật ký chờ gửi: {waiting}",
            f"Server: NEWER TRUST DOCUMENTS have not come, new orders wait; records to be sent: {waiting}",
        )
    if status.waits is Reason.NOT_WELCOMED:
        return Text(
            f"Máy chủ: KHÔNG TRẢ LỜI hơn 26 giờ, lệnh mới phải chờ; nhật ký chờ gửi: {waiting}",
            f"Server: NO ANSWER for more than 26 h, new orders wait; records to be sent: {waiting}",
        )
    return Text(
        f"Máy chủ: đã trả lời; nhật ký chờ gửi: {waiting}", f"Server: has answered; records to be sent: {waiting}"
    )


def _unconnected_lines(cause: Cause | None, language: Language) -> Iterator[str]:
    if cause is not None:
        yield f"  {cause.words.say(language)}"
        yield f"  → {cause.remedy.say(language)}"


def _manifest_lines(status: Status, language: Language) -> Iterator[str]:
    """Where something is lacking, or wrong."""
    for one in status.manifests or ():
        if one.lacking or one.reason is not None:
            label = Text("Bản kê lệnh", "Manifest").say(language)
            yield f"{label} {one.scope}: {lacking_words(one).say(language)}"


def _device_lines(device_up: bool | None, language: Language) -> Iterator[str]:
    if device_up is False:
        yield Text("Âm thanh, rơ-le: KHÔNG CHẠY", "Sound, relays: DOWN").say(language)
        yield f"  → {DEVICE_REMEDY.say(language)}"
    elif device_up:
        yield Text("Âm thanh, rơ-le: đang chạy", "Sound, relays: running").say(language)


def _host_lines(host: Host, language: Language) -> Iterator[str]:
    seen = [
        host.address and Text(f"địa chỉ {host.address}", f"address {host.address}"),
        host.storage_free_mb is not None
        and Text(f"bộ nhớ trống {host.storage_free_mb} MB", f"storage free {host.storage_free_mb} MB"),
        host.temperature_c is not None and Text(f"{host.temperature_c} °C", f"{host.temperature_c} °C"),
        host.storage_free_mb is not None
        and host.storage_free_mb * MEGABYTE < FETCH_FREE_BYTES_MIN
        and Text("THẺ NHỚ GẦN ĐẦY: xóa bớt tệp", "CARD NEARLY FULL: make room"),
        host.undervoltage and Text("ĐIỆN ÁP THẤP: kiểm tra bộ nguồn", "LOW VOLTAGE: check the power supply"),
    ]
    parts = [part.say(language) for part in seen if isinstance(part, Text)]
    if parts:
        yield f"{Text('Hộp máy', 'Box').say(language)}: {', '.join(parts)}"


def _zone_lines(status: Status, language: Language) -> Iterator[str]:
    titles = {play.job_id: play.title for play in status.playing}
    yield Text("Cụm loa:", "Zones:").say(language)
    for zone in status.zones:
        line = f"  {zone.zone}: {zone.name}, {RELAYS[zone.relay_on].say(language)}"
        if zone.playing is not None:
            title = titles.get(zone.playing, zone.playing)
            line += Text(f", ĐANG PHÁT “{title}”", f', PLAYING "{title}"').say(language)
        yield line
        if zone.heard is not None:
            level = "" if zone.level_db is None else f" ({zone.level_db} dB)"
            yield f"    {HEARD[zone.heard].say(language)}{level}"


def _rule_lines(status: Status, language: Language) -> Iterator[str]:
    """Whose policy holds, and which zones are kept silent by somebody's order."""
    rules = status.rules
    if rules is None:
        return
    yield _policy_line(rules).say(language)
    names = {zone.zone: zone.name for zone in status.zones}
    for zones, label in ((rules.locked, LOCKED), (rules.silenced, SILENCED)):
        if zones:
            yield f"{label.say(language)}: {', '.join(names.get(zone, zone) for zone in zones)}"


def _policy_line(rules: InForce) -> Text:
    own = Text("của trạm, chưa có quy chế ký số", "the station's own, no signed regulation")
    whose = Text(rules.regulation, rules.regulation) if rules.regulation else own
    if rules.quiet is None:
        return Text(f"Quy chế: {whose.vi}", f"Policy: {whose.en}")
    begins, ends = wall(rules.quiet[0]), wall(rules.quiet[1])
    return Text(
        f"Quy chế: {whose.vi}; giờ không phát {begins.vi} – {ends.vi}",
        f"Policy: {whose.en}; quiet hours {begins.en} – {ends.en}",
    )


def _offer_lines(status: Status, site: Site, language: Language) -> Iterator[str]:
    if status.offers:
        yield OFFERS.say(language) + ":"
    for offer in status.offers:
        until = moment(offer.expires, site.timezone)
        yield Text(f"  “{offer.title}”, chọn trước {until.vi}", f'  "{offer.title}", to be chosen by {until.en}').say(
            language
        )


def _plan_lines(status: Status, site: Site, language: Language, at_most: int | None = None) -> Iterator[str]:
    """All that sounds, and the first ``at_most`` of what waits."""
    if status.playing:
        yield Text("Đang phát:", "Playing:").say(language)
    for play in status.playing:
        yield from _play_lines(play, status, site, language)
    if status.next:
        yield Text("Sắp phát:", "Next:").say(language)
    else:
        yield (NONE_READY if status.holds_new_orders else NONE_WAITS).say(language)
    for play in status.next[:at_most]:
        yield from _play_lines(play, status, site, language)


def _play_lines(play: Play, status: Status, site: Site, language: Language) -> Iterator[str]:
    names = {zone.zone: zone.name for zone in status.zones}
    cls = "" if play.cls is JobClass.NORMAL else f"[{class_words(play).say(language)}] "
    yield f"  {moment(play.planned, site.timezone).say(language)}  {cls}{play.title}"
    where = ", ".join(names.get(zone, zone) for zone in play.zones)
    yield f"    {PHASES[play.phase].say(language)}; {where}"
    if play.reason is not None:
        label = Text("CHƯA/KHÔNG PHÁT", "HELD BACK").say(language)
        yield f"    {label}: {reason_words(play.reason).say(language)}"
