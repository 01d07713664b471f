"""Lay out what was played as a table for officers (Vietnamese) or as JSON for machines. Reads files, changes none.

Only records whose chain holds are reported; a file with a fault in it is named instead, never passed over. Whose they
are, the file says, and no record: who has stolen one station's key writes nothing into the report of another, and what
he wrote that nobody can read is told and hides nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.console.words import printable
from edge_agent.core.as_run import RecordKind
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import NOTHING_RELAYED
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS, UtcMs
from edge_agent.headend.logbook import LogbookError, checked_records
from edge_agent.headend.plays import Play, Totals, ZonePlay, count, occurrences, read_play, without_forgotten
from edge_agent.headend.rule_words import became, of_record
from edge_agent.headend.words import (
    EVIDENCE,
    PHASES,
    TURNED_DOWN,
    beside,
    day_and_hour,
    local,
    number,
    percent,
    reason_words,
    seconds,
    why_a_chain,
)
from edge_agent.trust.strict_json import WireError

COLUMNS = (
    "Trạm loa",
    "Lịch phát",
    "Bắt đầu",
    "Bản tin",
    "Kết quả",
    "Cụm",
    "Kế hoạch (giây)",
    "Đã phát (giây)",
    "Mức xác nhận",
    "Lý do",
)
NUMBERS = frozenset({6, 7})
ENDS_ITSELF = (Reason.EXPIRED, Reason.CANCELLED, Reason.SUPERSEDED)
# Reasons that the word for the outcome says already.
ODD = "CẦN KIỂM TRA, dữ liệu bất thường trong nhật ký (mọi ngày):"
UNDATED = "không rõ giờ"
# The station's clock was not set, and its record says so.
TITLE_CHARS = 40
# Keeps a line within what a landscape page prints.


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: from ``first`` to ``last`` (days in ``zone``, both included), of one station or of all."""

    zone: ZoneInfo
    first: date | None = None
    last: date | None = None
    station: str = ""


class Why(StrEnum):
    """What is odd about a record."""

    UNREADABLE = "unreadable"  # newer software wrote it, or who has the station's key; it is not counted
    FOREIGN = "foreign"  # it names another station than the one that sent it, for which it is counted
    COPIED = "copied"  # this very record stands there already, here or in the file of the station that it names
    AGAIN = "again"  # its occurrence has a record already; it is counted only where both tell of sound


@dataclass(frozen=True, slots=True)
class Odd:
    """``count`` records of a station are odd; the first of them, of whatever day, is ``seq`` of the chain ``epoch``."""

    station: str
    why: Why
    count: int
    epoch: str
    seq: int
    detail: str


ODD_WORDS = {
    Why.UNREADABLE: "bản ghi không đọc được, không tính ở dưới: cần phần mềm mới hơn, hoặc khóa của trạm đã lộ",
    Why.FOREIGN: "bản ghi mang tên trạm khác, vẫn tính cho trạm đã gửi: trạm vừa đổi tên, hoặc khóa của trạm đã lộ",
    Why.COPIED: "bản ghi đã có trong tệp của trạm mang tên đó, chỉ tính ở đó, một lần: trạm đã đổi tên, tệp nhật ký "
    "được chép thêm, hoặc thẻ nhớ bị khôi phục gửi lại",
    Why.AGAIN: "bản ghi về lần phát đã có bản ghi khác, chỉ tính lần có phát: thẻ nhớ bị khôi phục hoặc thay, "
    "hoặc khóa của trạm đã lộ",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """The wanted plays, oldest first, and what is odd in the files they are from."""

    plays: tuple[Play, ...]
    odd: tuple[Odd, ...] = ()


def collect(directory: Path, wanted: Wanted) -> Reported:
    """What is to be reported. Raises LogbookError for a damaged or unknown file."""
    files = [directory / f"{wanted.station}.jsonl"] if wanted.station else sorted(directory.glob("*.jsonl"))
    if not all(file.exists() for file in files) or not files:
        raise LogbookError(
            f"{directory}: không có nhật ký / no records{f' of {wanted.station}' if wanted.station else ''} here"
        )
    read = [_read(file, wanted) for file in files]
    plays = [play for one in read for play in one.plays]
    plays.sort(key=lambda play: (play.ended if play.at is None else play.at, play.station, play.job_id))
    return Reported(tuple(plays), tuple(odd for one in read for odd in one.odd))


def as_table(reported: Reported, zone: ZoneInfo) -> str:
    """The plays, one line for each zone, what is odd, and the totals."""
    plays = reported.plays
    heard = [play for play in plays if play.kind is RecordKind.PLAY]
    refused = [play for play in plays if play.kind is RecordKind.REFUSAL]
    parts = ["NHẬT KÝ PHÁT SÓNG", _aligned([COLUMNS, *(row for play in heard for row in _rows(play, zone))])]
    if refused:
        parts += ["", "Lệnh bị từ chối khi nhận:", *(_refusal(play, zone) for play in refused)]
    rules = [play for play in plays if play.kind is RecordKind.RULE]
    if rules:
        parts += ["", "Quy chế, trường hợp đặc biệt và lệnh điều khiển:", *(_rule(play, zone) for play in rules)]
    chains = [play for play in plays if play.kind is RecordKind.CHAIN]
    for why in dict.fromkeys(why_a_chain(play.detail) for play in chains):
        parts += ["", f"{why}:", *(_chain(play, zone) for play in chains if why_a_chain(play.detail) == why)]
    if reported.odd:
        parts += ["", ODD, *map(_odd, reported.odd)]
    lines = "\n".join([*parts, "", *_total_lines(count(plays))]).split("\n")
    return "\n".join(map(printable, lines)) + "\n"  # a title may hold what turns the columns behind it round


def as_json(reported: Reported) -> str:
    """The same for machines: codes, UTC milliseconds."""
    plays, odd = ([asdict(one) for one in listed] for listed in (reported.plays, reported.odd))
    whole = {"plays": plays, "odd": odd, "totals": asdict(count(reported.plays))}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _read(file: Path, wanted: Wanted) -> Reported:
    """What of one file is wanted; the rest is let go with it, for all files together may not fit into memory."""
    plays: list[Play] = []
    places: list[tuple[str, int]] = []
    before: set[str] = set()
    odd: dict[Why, Odd] = {}
    held_by = cache(lambda station: _hashes(file.with_name(f"{station}.jsonl")))
    for record in checked_records(file):
        try:
            play = read_play(record)
        except WireError as error:
            _note(odd, Odd(file.stem, Why.UNREADABLE, 1, record.epoch, record.seq, str(error)))
            continue
        if record.hash in before or (play.station != file.stem and record.hash in held_by(play.station)):
            _note(odd, Odd(file.stem, Why.COPIED, 1, record.epoch, record.seq, play.station))
            continue
        before.add(record.hash)
        if play.station != file.stem:
            _note(odd, Odd(file.stem, Why.FOREIGN, 1, record.epoch, record.seq, play.station))
        plays.append(replace(play, station=file.stem))
        places.append((record.epoch, record.seq))
    plays = _with_what_followed(plays, places)
    for again in sorted(place for _, *others in occurrences(plays) for place in others):
        _note(odd, Odd(file.stem, Why.AGAIN, 1, *places[again], plays[again].job_id))
    return Reported(tuple(play for play in without_forgotten(plays) if _is_wanted(play, wanted)), tuple(odd.values()))


def _with_what_followed(plays: Sequence[Play], places: Sequence[tuple[str, int]]) -> list[Play]:
    """What nobody could date was over before the next record of its chain that somebody could."""
    told: list[Play] = []
    followed: dict[str, UtcMs] = {}
    for play, (epoch, _) in zip(reversed(plays), reversed(places), strict=True):
        if play.dated:
            followed[epoch] = play.ended
        told.append(play if play.dated else replace(play, settled_by=followed.get(epoch)))
    return told[::-1]


def _hashes(file: Path) -> frozenset[str]:
    """What is left out elsewhere as a copy. A hash binds what a record says, and all that came before it."""
    return frozenset(record.hash for record in checked_records(file))


def _note(odd: dict[Why, Odd], one: Odd) -> None:
    """However many there are, a station has one line of each kind."""
    known = odd.setdefault(one.why, replace(one, count=0))
    odd[one.why] = replace(known, count=known.count + 1)


def _is_wanted(play: Play, wanted: Wanted) -> bool:
    if play.at is None:
        return True  # of whichever day it is, somebody looks for it
    day = local(play.at, wanted.zone).date()
    return (wanted.first is None or wanted.first <= day) and (wanted.last is None or day <= wanted.last)


def _rows(play: Play, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    first = (play.station, _planned(play, zone), _started(play, zone), _title(play))
    zones = play.zones or (ZonePlay("–", play.played_ms, play.evidence, play.reason),)
    for number_, one in enumerate(zones):
        lead = (*first, PHASES[play.outcome]) if number_ == 0 else ("",) * 5
        reason = _reason(one.reason or play.reason)
        under = f"trường hợp đặc biệt {play.under}" if play.under else ""
        times = (seconds(play.planned_ms), seconds(one.played_ms))
        also = [words for _, words in beside(play.detail)] if number_ == 0 else []
        also += [TURNED_DOWN] if one.turned_down else []
        yield (*lead, one.zone, *times, EVIDENCE[one.evidence], "; ".join(filter(None, (reason, *also, under))))


def _planned(play: Play, zone: ZoneInfo) -> str:
    return _before(play, zone) if play.came_undated else day_and_hour(play.planned, zone)


def _started(play: Play, zone: ZoneInfo) -> str:
    return day_and_hour(play.started, zone) if play.dated or play.started is None else UNDATED


def _ended(play: Play, zone: ZoneInfo) -> str:
    return day_and_hour(play.ended, zone) if play.dated else _before(play, zone)


def _before(play: Play, zone: ZoneInfo) -> str:
    return UNDATED if play.at is None else f"trước {day_and_hour(play.at, zone)}"


def _chain(play: Play, zone: ZoneInfo) -> str:
    return f"  {play.station}  {_ended(play, zone)}  {play.detail}"


def _odd(odd: Odd) -> str:
    first = f"bản ghi số {odd.seq}, chuỗi {odd.epoch or '–'}: {odd.detail}"
    return f"  {odd.station}  {number(odd.count)} {ODD_WORDS[odd.why]} [{odd.why}]; trước hết là {first}"


def _refusal(play: Play, zone: ZoneInfo) -> str:
    return f"  {play.station}  {_ended(play, zone)}  {play.job_id or '–'}  {_reason(play.reason)}"


def _rule(play: Play, zone: ZoneInfo) -> str:
    why = f", lý do: {_reason(play.reason)}" if play.reason not in (None, *ENDS_ITSELF) else ""
    effect = became(play.detail, play.outcome)
    return f"  {play.station}  {_ended(play, zone)}  {of_record(play.detail)}: {effect}{why}"


def _title(play: Play) -> str:
    first = play.titles[0] if play.titles else play.job_id
    more = f" (+{len(play.titles) - 1})" if len(play.titles) > 1 else ""
    short = first if len(first) <= TITLE_CHARS else first[: TITLE_CHARS - 1] + "…"
    return _marks(play) + short + more


def _marks(play: Play) -> str:
    """What must not be mistaken for an ordinary broadcast."""
    live = play.relayed is not None
    marks = (("DIỄN TẬP: ", play.rehearsal), ("ĐÍNH CHÍNH: ", bool(play.corrects)), ("TIẾP ÂM: ", live))
    return "".join(mark for mark, has in marks if has)


def _reason(reason: Reason | None) -> str:
    return "" if reason is None else reason_words(reason)


def _aligned(rows: Iterable[tuple[str, ...]]) -> str:
    listed = list(rows)
    widths = [max(len(row[column]) for row in listed) for column in range(len(COLUMNS))]
    return "\n".join(_line(row, widths) for row in listed)


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = [
        text.rjust(width) if column in NUMBERS else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _total_lines(totals: Totals) -> Iterator[str]:
    yield f"Tổng số lần phát theo lịch và lệnh: {number(totals.plays)}"
    yield f"  đã phát xong: {number(totals.succeeded)} ({percent(totals.succeeded, totals.plays)})"
    if totals.short_in_a_zone:
        yield f"    trong đó không trọn ở ít nhất một cụm: {number(totals.short_in_a_zone)}"
    yield f"  phát một phần: {number(totals.partly)}"
    yield f"  không phát: {number(totals.silent)}"
    for words, times in ((PHASES[Phase.CANCELLED], totals.cancelled), (PHASES[Phase.SUPERSEDED], totals.superseded)):
        if times:
            yield f"    trong đó {words}: {number(times)}"
    planned, played = totals.planned_ms / MINUTE_MS, totals.played_ms / MINUTE_MS
    share = percent(totals.played_ms, totals.planned_ms)
    yield f"Thời lượng: kế hoạch {number(planned, 1)} phút, đã phát {number(played, 1)} phút ({share})"
    if totals.unknown_length:
        yield f"  không rõ thời lượng (không tính là đã phát): {number(totals.unknown_length)} lần"
    if totals.not_heard:
        yield f"  {reason_words(Reason.NOT_HEARD)}, ở ít nhất một cụm: {number(totals.not_heard)} lần"
    if totals.relayed != NOTHING_RELAYED:
        heard, stood_in, silent = (
            number(ms / MINUTE_MS, 1)
            for ms in (totals.relayed.live_ms, totals.relayed.stand_in_ms, totals.relayed.silent_ms)
        )
        yield f"Tiếp âm: trực tiếp {heard} phút, phát thay thế {stood_in} phút, mất tiếng {silent} phút"
    if totals.rehearsals:
        yield f"Diễn tập (không tính ở trên): {number(totals.rehearsals)} lần"
    yield f"Lệnh bị từ chối khi nhận: {number(totals.refused_orders)}"
    if totals.reasons:
        yield "Lý do không phát trọn vẹn:"
    for reason, times in totals.reasons:
        yield f"  {number(times)} × {reason_words(reason)} [{reason}]"
