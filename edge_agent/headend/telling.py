"""Tell a person, or a machine, what was just noted: one line for each thing. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from zoneinfo import ZoneInfo

from edge_agent.console.words import printable
from edge_agent.core.as_run import RecordKind
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustVersion
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.desk import CloneSuspected, Kept, LateWill, LogTrouble, OldState
from edge_agent.headend.greeting import TrustAhead
from edge_agent.headend.headend import Shown, Untold
from edge_agent.headend.hush import Hushed
from edge_agent.headend.inbox import Overrun
from edge_agent.headend.listening import Heard, Unheard
from edge_agent.headend.ours import Named
from edge_agent.headend.plays import Play, ZonePlay, read_play
from edge_agent.headend.rule_words import became, of_record
from edge_agent.headend.session import LinkDown, LinkUp
from edge_agent.headend.words import (
    DOUBTS,
    EVIDENCE,
    OF_PAPERS,
    PAPER_REFUSED,
    PAPERS,
    PAPERS_ALONE,
    PHASES,
    STRANGE_REFUSED,
    TURNED_DOWN,
    VERDICTS,
    WHYS,
    beside,
    in_words,
    local,
    number,
    reason_words,
    seconds,
    why_a_chain,
    zone_of,
)
from edge_agent.journal.port import StoredRecord
from edge_agent.sync.reports import AnswerMsg, HeartbeatMsg, HelloMsg, PlanMsg, StateMsg, ZoneStatus
from edge_agent.trust.documents import ROOT
from edge_agent.trust.strict_json import WireError, parse

RELAYS = {True: "đóng", False: "mở", None: "không rõ"}
HOUR_S = 3_600
EXPIRES_SOON_MS = 30 * DAY_MS
# Time to bring together whoever holds the keys.


def for_people(
    shown: Shown | Hushed, now: UtcMs, zone: ZoneInfo, named: Callable[[str], Named] = lambda _digest: None
) -> str:
    """Vietnamese words and the code: ``05:30:00 tram-01: bắt đầu kết nối … [birth]``. May be several lines.

    ``named``: which document or order of ours has that digest (``ours``).
    """
    clock = local(now, zone).strftime("%H:%M:%S")
    return "\n".join(f"{clock} {printable(line)}" for line in _lines(shown, zone, named))


def for_machines(shown: Shown | Hushed, now: UtcMs) -> str:
    """One JSON object on one line, with the instant of its arrival in UTC ms."""
    what: dict[str, object] = {"at": now, "noted": type(shown).__name__.lower()}
    if isinstance(shown, Kept):
        records = [{"seq": one.seq, "hash": one.hash, "body": parse(one.body)} for one in shown.new]
        what |= {"station": shown.station, "epoch": shown.epoch, "records": records}
    else:
        what |= asdict(shown)
    return json.dumps(what, ensure_ascii=False, default=str)  # a day and a time of day as ISO 8601 writes them


OF_BOOTS = {
    LateWill: "tin mất kết nối của lần khởi động hoặc kết nối trước, bỏ qua [late_will]",
    CloneSuspected: "CÓ THỂ CÓ HAI MÁY CÙNG CHỨNG THƯ, cần tìm máy kia [clone_suspected]",
    OldState: "trạng thái cũ của lần khởi động trước, bỏ qua [old_state]",
}

AHEAD = (
    "TRẠM TIN VĂN BẢN ỦY QUYỀN MÀ MÁY CHỦ KHÔNG CÓ: ký ở nơi khác chưa `trust take`, máy chủ khôi phục từ bản sao lưu, "
    "hoặc khóa đã lộ; chưa ký văn bản nào, hỏi ngay người giữ khóa"
)


HUSHED = "NÓI QUÁ NHIỀU, vẫn lưu và trả lời, xem trạm này có bị chiếm không; tin loại này không hiển thị nữa đến"


def _lines(shown: Shown | Hushed, zone: ZoneInfo, named: Callable[[str], Named]) -> list[str]:
    match shown:
        case Heard(said=PlanMsg() as plan):
            return [f"{shown.station}: {line}" for line in _plan(plan, zone_of(plan.timezone, zone))]
        case Heard(said=AnswerMsg() as answer):
            return [f"{shown.station}: {_answer(answer, zone, named)}"]
        case Heard():
            return [f"{shown.station}: {_said(shown, zone)}"]
        case Kept():
            return [f"{shown.station}: {_record(record)}" for record in shown.new] or [
                f"{shown.station}: nhật ký phát đã có, xác nhận lại [known]"
            ]
        case LinkUp():
            return ["máy chủ trung tâm đã kết nối [connected]"]
        case LinkDown():
            return [f"máy chủ trung tâm mất kết nối [disconnected]: {shown.detail}"]
        case Hushed():
            until = local(shown.until, zone).strftime("%Hh%M")
            return [f"{shown.station or '?'}: {HUSHED} {until} [hushed {shown.what}]"]
        case _:
            return [f"{shown.station or '?'}: {_trouble(shown)}"]


def _trouble(shown: LogTrouble | LateWill | CloneSuspected | OldState | TrustAhead | Unheard | Overrun | Untold) -> str:
    match shown:
        case LogTrouble():
            return f"NHẬT KÝ PHÁT CÓ VẤN ĐỀ, cần kiểm tra [log_trouble]: {shown.detail}"
        case LateWill() | CloneSuspected() | OldState():
            return OF_BOOTS[type(shown)]
        case TrustAhead():
            return f"{AHEAD} [trust_ahead]: {'; '.join(map(_place_and_version, shown.believed))}"
        case Unheard():
            return f"bỏ qua, {DOUBTS[shown.doubt]} [{shown.doubt}]: {shown.detail}"
        case Overrun():
            told = "GỬI QUÁ NHIỀU TIN, các trạm khác không phải chờ, xem trạm này có bị chiếm không [overrun]"
            return f"{told}: đã bỏ {number(shown.dropped)} tin cũ nhất"
        case Untold():
            failed = "LỖI PHẦN MỀM MÁY CHỦ, không hiển thị được, vẫn trả lời trạm"
            return f"{failed} [untold {shown.what}]: {shown.detail}"


def _place_and_version(head: TrustHead | TrustVersion) -> str:
    version = f"phiên bản {head.version}"
    return f"gốc, {version}" if head.area == ROOT else f"{head.area}, kỳ {head.epoch}, {version}"


def _said(heard: Heard, zone: ZoneInfo) -> str:
    match heard.said:
        case HelloMsg():
            return f"xin giờ, đã trả lời [hello]; phần mềm {heard.software}{_expiry(heard.said, zone)}"
        case StateMsg() as state:
            return _state(state, heard)
        case HeartbeatMsg() as beat:
            hours = number(beat.uptime_s / HOUR_S, 1)
            return f"báo trạng thái [heartbeat]: chạy {hours} giờ, chờ gửi {beat.records_waiting} bản ghi nhật ký"
        case _:
            return heard.kind.value


def _answer(answer: AnswerMsg, zone: ZoneInfo, named: Callable[[str], Named]) -> str:
    told = f"{_answered(answer, named)} [{answer.verdict}]{_why(answer)}"
    return "; ".join((told, *(_conflict(one, answer.job_id, zone) for one in answer.conflicts)))


def _answered(answer: AnswerMsg, named: Callable[[str], Named]) -> str:
    """What is believed and has no id is a trust document. As an order of nobody's it would look like a thief's."""
    if answer.job_id:
        return f"{VERDICTS[answer.verdict]} {answer.job_id}"
    if answer.verdict in PAPERS:
        return PAPERS[answer.verdict]
    match named(answer.digest):
        case TrustVersion() as version:
            return f"{PAPER_REFUSED} của máy chủ này ({_place_and_version(version)})"
        case str() as order_id:
            return f"{VERDICTS[answer.verdict]} {order_id} của máy chủ này"
        case _:
            return PAPER_REFUSED if answer.reason in OF_PAPERS or answer.reason in PAPERS_ALONE else STRANGE_REFUSED


def _why(answer: AnswerMsg) -> str:
    if answer.job_id or answer.reason not in OF_PAPERS:
        return _because(answer.reason)
    return f", lý do: {OF_PAPERS[answer.reason]} [{answer.reason}]"


def _expiry(hello: HelloMsg, zone: ZoneInfo) -> str:
    """Whether what the station believes ends within a month, by its own clock."""
    soon = [head for head in hello.trust if head.expires < hello.clock.utc + EXPIRES_SOON_MS]
    told = [f"{head.area or 'gốc'} {local(head.expires, zone):%d/%m/%Y}" for head in soon]
    return f"; VĂN BẢN ỦY QUYỀN SẮP HẾT HẠN / trust expires: {', '.join(told)}" if told else ""


def _conflict(conflict: Conflict, answered: str, zone: ZoneInfo) -> str:
    what = "" if conflict.job_id == answered else f" {conflict.job_id}"
    where = f" ở cụm {', '.join(conflict.zones)}" if conflict.zones else ""
    when = local(conflict.planned, zone).strftime("%Hh%M ngày %d/%m/%Y")
    return f"LƯU Ý: {when} sẽ không phát{what}{where}{_because(conflict.reason)}"


def _plan(plan: PlanMsg, zone: ZoneInfo) -> Iterator[str]:
    silent = sum(entry.reason is not None for entry in plan.entries)
    told = f"{len(plan.entries) - silent} lần phát, {silent} lần không phát"
    more = f", còn {plan.left_out} lần không ghi hết" if plan.left_out else ""
    waiting = f"; {len(plan.offers)} bản tin chờ xã/phường lựa chọn" if plan.offers else ""
    yield f"lịch phát ngày {plan.day:%d/%m/%Y} [plan]: {told}{more}{waiting}"
    for entry in plan.entries:
        begins = local(entry.starts, zone).strftime("%H:%M")
        where = "" if entry.reason else f": {', '.join(entry.volumes)}"
        yield f"  {begins} {entry.title}{where}{', KHÔNG PHÁT' if entry.reason else ''}{_because(entry.reason)}"


def _state(state: StateMsg, heard: Heard) -> str:
    if not state.online:
        return f"{in_words(WHYS, state.why)} [{state.why}]"
    zones = ", ".join(_zone(zone) for zone in state.zones)
    soon = state.next[0] if state.next else None
    next_ = f"; sắp tới: {soon.title} ({in_words(PHASES, soon.phase)}{_because(soon.reason)})" if soon else ""
    known = f"{in_words(WHYS, state.why)} [{state.why}]; phần mềm {heard.software}; cụm: {zones or 'không có'}"
    return f"{known}{next_}{''.join(map(_manifest, state.manifests or ()))}"


def _manifest(scope: ScopeStatus) -> str:
    """What a station lacks, or finds wrong with what is told to be in force: nobody else could tell that."""
    if not scope.lacking and scope.reason is None:
        return ""
    return f"; BẢN KÊ LỆNH {scope.scope}: thiếu {scope.lacking} lệnh{_because(scope.reason)}"


def _zone(zone: ZoneStatus) -> str:
    playing = f", đang phát {zone.playing}" if zone.playing else ""
    unheard = ", KHÔNG ĐO ĐƯỢC TIẾNG TẠI LOA [not_heard]" if zone.heard is False else ""
    return f"{zone.zone} rơ-le {RELAYS[zone.relay_on]}{playing}{unheard}"


def _record(record: StoredRecord) -> str:
    try:
        play = read_play(record)
    except WireError as error:
        return f"nhật ký phát số {record.seq}, không đọc được [unreadable]: {error}"
    return f"nhật ký phát số {record.seq}: {_told(play)}"


def _told(play: Play) -> str:
    match play.kind:
        case RecordKind.RULE:
            return _rule(play)
        case RecordKind.CHAIN:
            return f"{why_a_chain(play.detail)} [chain]: {play.detail}"
        case RecordKind.REFUSAL:
            return f"{VERDICTS[Verdict.REFUSED]} {_called(play)} [{play.outcome}]{_because(play.reason)}"
        case _:
            return _play(play)


def _rule(play: Play) -> str:
    effect = f"{became(play.detail, play.outcome)} [{play.outcome}]{_because(play.reason)}"
    return f"{of_record(play.detail)}: {effect}; lệnh {play.job_id}"


def _play(play: Play) -> str:
    zones = ", ".join(f"{zone.zone} {seconds(zone.played_ms)} giây{_in_zone(zone, play)}" for zone in play.zones)
    length = f"đã phát {seconds(play.played_ms)}/{seconds(play.planned_ms)} giây"
    broken = f"; TIẾNG BỊ NGẮT QUÃNG {play.underruns} lần" if play.underruns else ""
    seen = f"xác nhận: {EVIDENCE[play.evidence]}"
    rehearsal = "DIỄN TẬP " if play.rehearsal else ""
    told = f"{rehearsal}{_called(play)}: {PHASES[play.outcome]} [{play.outcome}]{_because(play.reason)}"
    also = "".join(f"; {words.upper()} [{code}]" for code, words in beside(play.detail))
    return f"{told}; {length}{f' ({zones})' if zones else ''}{also}{broken}; {seen}"


def _called(play: Play) -> str:
    """A command has no title."""
    return (play.titles[0] if play.titles else play.job_id) or "?"


def _in_zone(zone: ZonePlay, play: Play) -> str:
    """What holds of this zone alone: one may be silent while the programme has succeeded."""
    if zone.reason is Reason.NOT_HEARD:
        return f", {reason_words(Reason.NOT_HEARD).upper()} [not_heard]"
    silent = f", {TURNED_DOWN.upper()}" if zone.turned_down else ""
    return silent + ("" if zone.reason is play.reason else _because(zone.reason))


def _because(reason: Reason | None) -> str:
    return "" if reason is None else f", lý do: {reason_words(reason)} [{reason}]"
