"""The report: planned and actually played, reasons by name, nothing claimed that nobody saw, no damage hidden."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.as_run import AsRun, Evidence, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.records import FRESHNESS_UNPROVEN, told
from edge_agent.core.units import DAY_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.desk import Kept
from edge_agent.headend.listening import LogBatch
from edge_agent.headend.logbook import Logbook, LogbookError, Taken, checked_records, line_of
from edge_agent.headend.plays import read_play
from edge_agent.headend.report import ODD, Odd, Reported, Wanted, Why, as_json, as_table, collect
from edge_agent.headend.rule_words import BY_ZONE, KINDS, of_record
from edge_agent.headend.summary import summary
from edge_agent.headend.telling import for_people
from edge_agent.headend.words import CARD_FORGOT, CARD_ROTS
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, canonical, chain
from edge_agent.trust.commands import What
from edge_agent.trust.keys import new_signer
from edge_agent.trust.strict_json import JsonObject, parse
from tests.headend.fake_station import AT, NEWER, RECORD, FakeStation
from tests.trust.makers import AREA, make_command, make_regulation, make_window

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SILENT = (ZoneAsRun(ZoneId("c1"), Evidence.ACCEPTED, 0, 70, None, Reason.QUIET_HOURS),)
REFUSED = replace(
    RECORD,
    kind=RecordKind.REFUSAL,
    job_id="job-bad",
    cls=None,
    items=(),
    planned=None,
    outcome=Phase.REJECTED,
    reason=Reason.WRONG_AUDIENCE,
    evidence=Evidence.ORDERED,
    zones=(),
    started=None,
    planned_ms=0,
    played_ms=0,
)
QUIET = replace(
    RECORD,
    job_id="job-quiet",
    outcome=Phase.REJECTED,
    reason=Reason.QUIET_HOURS,
    evidence=Evidence.ACCEPTED,
    zones=SILENT,
    started=None,
    played_ms=0,
    planned=UtcMs(AT + DAY_MS),
)
CUT = replace(
    RECORD,
    job_id="job-cut",
    cls=JobClass.PRIORITY,
    outcome=Phase.INTERRUPTED,
    reason=Reason.POWER_CUT,
    played_ms=None,
    planned=UtcMs(AT + 2 * DAY_MS),
)


NEWER_FIELDS = ("detail", "under", "series", "version", "rehearsal", "corrects", "relayed")
DOES: dict[What, dict[str, object]] = {
    What.CANCEL: {"target": "x", "until": 1_790_830_800_000},
    What.VOLUME: {"volume": 50},
    What.AMPLIFIER: {"on": True, "for_s": 60},
    **{what: {"for_s": 60} for what in (What.PAUSE, What.ALL_STOP, What.LOCK)},
    What.RANK: {"job_ids": ["x", "y"]},
    What.CHOOSE: {"target": "x", "when": {"kind": "now"}},
    What.ASK: {"day": "2026-10-06"},
}


def keep_one(record: AsRun) -> StoredRecord:
    chain = FakeStation(new_signer())
    chain.play(record)
    return chain.records[0]


def keep(directory: Path, *records: AsRun, station: str = "tram-01") -> Path:
    chain = FakeStation(new_signer(), station)
    chain.play(*records)
    Logbook(directory).of(station).add(LogBatch("epoch-1", tuple(chain.records)))
    return directory


def test_a_play_has_a_line_for_each_zone_with_planned_and_played_seconds(tmp_path: Path) -> None:
    table = as_table(collect(keep(tmp_path, RECORD), Wanted(HANOI)), HANOI).splitlines()
    assert table[0] == "NHẬT KÝ PHÁT SÓNG"
    assert table[1].split("  ")[0] == "Trạm loa"
    first = [cell for cell in table[2].split("  ") if cell]
    assert [cell.strip() for cell in first] == [
        "tram-01",
        "06/10/2026 05h30",
        "06/10/2026 05h30",
        "Bản tin phường",
        "đã phát xong",
        "c1",
        "61,0",
        "61,0",
        "đã ra tiếng",
    ]
    assert table[3].split() == ["c2", "61,0", "40,5", "đã", "ra", "tiếng", *"bị ngắt để phát tin khẩn cấp".split()]


def test_a_report_of_one_month_needs_no_memory_for_the_years_of_all_stations(tmp_path: Path) -> None:
    """A ward of 50 stations, three years at 30 records a day: 2 GB, and no report."""
    years = [replace(RECORD, job_id=f"job-{day}", planned=UtcMs(AT - day * DAY_MS)) for day in range(100, 200)]
    month = Wanted(HANOI, date(2026, 10, 1), date(2026, 10, 31))
    needed = []
    for station in range(4):
        keep(tmp_path, *years, station=f"tram-{station}")
        tracemalloc.start()
        assert collect(tmp_path, month).plays == ()
        needed.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert needed[-1] < 2 * needed[0]


def test_a_zone_that_was_played_and_not_heard_is_told_and_counted(tmp_path: Path) -> None:
    horn = replace(RECORD.zones[0], evidence=Evidence.HEARD, level_db=-18)
    dead = replace(RECORD.zones[1], reason=Reason.NOT_HEARD, level_db=-58)
    plays = collect(keep(tmp_path, replace(RECORD, zones=(horn, dead)), QUIET), Wanted(HANOI))
    table = as_table(plays, HANOI).splitlines()
    assert table[2].split("  ")[-1].strip() == "đã đo được"
    assert table[3].endswith("đã phát nhưng không đo được tiếng tại loa")
    assert "  đã phát nhưng không đo được tiếng tại loa, ở ít nhất một cụm: 1 lần" in table
    told = json.loads(as_json(plays))
    assert [zone["level_db"] for zone in told["plays"][0]["zones"]] == [-18, -58]
    assert (told["totals"]["succeeded"], told["totals"]["not_heard"]) == (1, 1)


def test_a_warning_that_was_not_heard_whole_says_so_although_it_has_succeeded(tmp_path: Path) -> None:
    """Its record alone knows: the lengths say nothing of a part that was left out."""
    warning = replace(RECORD, cls=JobClass.EMERGENCY, zones=RECORD.zones[:1], detail="audio_too_short part_left_out")
    table = as_table(collect(keep(tmp_path, warning), Wanted(HANOI)), HANOI).splitlines()
    told = "tệp âm thanh ngắn hơn thời lượng đã ký; phát thiếu, có bản tin không tải kịp"
    assert table[2].endswith(f"  {told}")


def test_what_was_played_at_volume_0_does_not_look_as_if_it_had_been_heard(tmp_path: Path) -> None:
    """A ceiling of 0 holds until the next one, and its samples leave the card like any."""
    turned_down = replace(RECORD, zones=(replace(RECORD.zones[0], volume=0), RECORD.zones[1]))
    table = as_table(collect(keep(tmp_path, turned_down), Wanted(HANOI)), HANOI).splitlines()
    assert (table[2].endswith("  âm lượng 0"), "âm lượng 0" in table[3]) == (True, False)


def test_a_zone_that_stays_silent_while_another_has_the_programme_is_counted(tmp_path: Path) -> None:
    """A cluster whose relay is dead all year must not vanish in a hundred per cent."""
    dead = replace(RECORD.zones[1], evidence=Evidence.ACCEPTED, played_ms=0, reason=Reason.RELAY_FAILED)
    whole = replace(RECORD, zones=RECORD.zones[:1])
    plays = collect(keep(tmp_path, replace(RECORD, zones=(RECORD.zones[0], dead)), whole, QUIET), Wanted(HANOI))
    table = as_table(plays, HANOI).splitlines()
    assert "    trong đó không trọn ở ít nhất một cụm: 1" in table
    assert json.loads(as_json(plays))["totals"]["short_in_a_zone"] == 1
    assert not any("không trọn" in line for line in as_table(Reported(plays.plays[2:]), HANOI).splitlines())


def test_totals_count_what_sounded_and_why_the_rest_did_not(tmp_path: Path) -> None:
    table = as_table(collect(keep(tmp_path, RECORD, QUIET, CUT, REFUSED), Wanted(HANOI)), HANOI)
    for line in (
        "Tổng số lần phát theo lịch và lệnh: 3",
        "  đã phát xong: 1 (33,3 %)",
        "  phát một phần: 1",
        "  không phát: 1",
        "Thời lượng: kế hoạch 3,0 phút, đã phát 1,0 phút (33,3 %)",
        "  không rõ thời lượng (không tính là đã phát): 1 lần",
        "Lệnh bị từ chối khi nhận: 1",
        "  1 × trong khung giờ không phát [quiet_hours]",
        "  tram-01  06/10/2026 05h31:01  job-bad  lệnh cho địa bàn hoặc cụm loa khác",
    ):
        assert line in table.splitlines()


@pytest.mark.parametrize(
    ("outcome", "lacks_ms", "share"),
    [(Phase.SUCCEEDED, 7, "100,0"), (Phase.INTERRUPTED, 7, "99,9"), (Phase.SUCCEEDED, 500, "99,1")],
)
def test_what_came_to_its_end_was_heard_whole_though_its_sounds_are_no_whole_milliseconds_long(
    tmp_path: Path, outcome: Phase, lacks_ms: int, share: str
) -> None:
    """Of each sound a started millisecond is planned, and of all together none is claimed that was not heard whole."""
    play = replace(RECORD, outcome=outcome, played_ms=RECORD.planned_ms - lacks_ms)
    table = as_table(collect(keep(tmp_path, play), Wanted(HANOI)), HANOI)
    assert f"Thời lượng: kế hoạch 1,0 phút, đã phát 1,0 phút ({share} %)" in table.splitlines()


def test_what_was_relayed_is_told_apart(tmp_path: Path) -> None:
    news = replace(RECORD, relayed=Relayed(1_680_000, 90_000, 30_000))
    plays = collect(keep(tmp_path, RECORD, news, replace(news, rehearsal=True)), Wanted(HANOI))
    table = as_table(plays, HANOI)
    assert "Tiếp âm: trực tiếp 28,0 phút, phát thay thế 1,5 phút, mất tiếng 0,5 phút" in table.splitlines()
    assert "TIẾP ÂM: Bản tin phường" in table
    assert json.loads(as_json(plays))["totals"]["relayed"] == {
        "live_ms": 1_680_000,
        "stand_in_ms": 90_000,
        "silent_ms": 30_000,
    }
    assert "Tiếp âm" not in as_table(Reported(plays.plays[:1]), HANOI)


def test_what_was_called_off_is_told_and_a_rehearsal_counts_apart(tmp_path: Path) -> None:
    silent = replace(QUIET, planned_ms=30_000)
    cancelled = replace(silent, job_id="job-2", outcome=Phase.CANCELLED, reason=Reason.CANCELLED)
    superseded = replace(silent, job_id="job-3", outcome=Phase.SUPERSEDED, reason=Reason.SUPERSEDED)
    rehearsed = replace(RECORD, job_id="job-4", rehearsal=True)
    corrected = replace(RECORD, job_id="job-5", corrects="job-1", under="dem-giao-thua")
    table = as_table(collect(keep(tmp_path, cancelled, superseded, rehearsed, corrected), Wanted(HANOI)), HANOI)
    for line in (
        "Tổng số lần phát theo lịch và lệnh: 3",
        "  không phát: 2",
        "    trong đó đã hủy lệnh phát: 1",
        "    trong đó đã có bản tin mới thay thế: 1",
        "Thời lượng: kế hoạch 2,0 phút, đã phát 1,0 phút (50,4 %)",
        "Diễn tập (không tính ở trên): 1 lần",
    ):
        assert line in table.splitlines()
    assert "DIỄN TẬP: Bản tin phường" in table
    assert "ĐÍNH CHÍNH: Bản tin phường" in table
    assert "đã ra tiếng   trường hợp đặc biệt dem-giao-thua" in table


@pytest.mark.parametrize(
    ("detail", "outcome", "reason", "told"),
    [
        ("lock zones=c1 for_ms=7200000", Phase.SUCCEEDED, None, "Khóa bảo trì cụm loa c1, 2 giờ: có hiệu lực"),
        ("stop zones=all", Phase.SUCCEEDED, None, "Dừng phát mọi cụm loa: đã thực hiện"),
        (
            "self_test c1=ok c2=relay_failed c3=busy c4=of_newer_software",
            Phase.SUCCEEDED,
            None,
            "rơ-le: c1 tốt, c2 rơ-le không đóng hoặc không mở lại được, c3 đang dùng (chưa kiểm tra), "
            "c4 of_newer_software: đã thực hiện",
        ),
        ("setvolume zones=all volume=60", Phase.SUPERSEDED, Reason.SUPERSEDED, ", tối đa 60: đã được thay thế"),
        ("cancel zones=all target=job-1 until=1", Phase.SUCCEEDED, None, "Hủy lệnh job-1: có hiệu lực"),
        ("amplify zones=c1 on=True for_ms=60000", Phase.SUCCEEDED, None, "Tăng âm cụm loa c1, bật, 1 phút: có"),
        ("silence zones=c2 begins=1 ends=2 basis=Tang", Phase.CANCELLED, Reason.CANCELLED, "cụm loa c2: đã hủy"),
        ("regulation version=3 number=128/QĐ dated=2026-09-28", Phase.SUCCEEDED, None, "số 128/QĐ, phiên bản 3: có"),
        (
            "allstop zones=c1 for_ms=900000",
            Phase.SUCCEEDED,
            None,
            "DỪNG PHÁT TOÀN BỘ mọi cụm loa, 15 phút: có",
        ),
        ("of newer software", Phase.REJECTED, Reason.STOPPED, "of newer software: từ chối phát, lý do: được lệnh dừng"),
    ],
)
def test_a_rule_is_told_by_what_it_does(
    tmp_path: Path, detail: str, outcome: Phase, reason: Reason | None, told: str
) -> None:
    rule = replace(REFUSED, kind=RecordKind.RULE, detail=detail, outcome=outcome, reason=reason)
    plays = collect(keep(tmp_path, rule), Wanted(HANOI))
    table = as_table(plays, HANOI)
    assert told in table
    assert "Lệnh bị từ chối khi nhận: 0" in table
    assert "Tổng số lần phát theo lịch và lệnh: 0" in table


def test_every_kind_of_rule_that_a_station_records_has_words() -> None:
    kinds = {told(make_regulation()), told(make_window()), told(make_window(kind="silence"))}
    kinds |= {told(make_command(do={"what": what.value, **DOES.get(what, {})})) for what in What}
    for detail in kinds:
        assert KINDS[detail.partition(" ")[0]] in of_record(detail)


def test_the_zones_of_a_command_are_told_only_where_it_is_obeyed_by_them() -> None:
    audience = {"areas": [AREA], "zones": ["c1"]}
    for what in What:
        command = make_command(audience=audience, do={"what": what.value, **DOES.get(what, {})})
        lines = ([of_record(told(command))], summary(command, HANOI).splitlines())
        assert ["cụm loa c1" in told[0] for told in lines] == [what in BY_ZONE] * 2, what


def test_the_words_of_a_basis_or_a_papers_number_are_no_values() -> None:
    silence = make_window(kind="silence", audience={"areas": [AREA], "zones": ["c1"]}, basis="xem zones=all volume=0")
    assert of_record(told(silence)) == "Tạm ngừng phát cụm loa c1"
    paper = make_regulation(version=3, number="Số 128 /QĐ-UBND version=9 dated=hôm qua")
    assert of_record(told(paper)) == "Quy chế, số Số 128 /QĐ-UBND version=9 dated=hôm qua, phiên bản 3"


def test_a_record_with_a_reason_that_only_newer_software_knows_is_reported_with_it(tmp_path: Path) -> None:
    body = keep_one(QUIET).body.replace(b'"quiet_hours"', f'"{NEWER}"'.encode())
    record = chain("epoch-1", ChainPoint(), body)
    Logbook(tmp_path).of("tram-01").add(LogBatch("epoch-1", (record,)))
    plays = collect(tmp_path, Wanted(HANOI))
    assert f"  1 × {NEWER} [{NEWER}]" in as_table(plays, HANOI).splitlines()
    assert json.loads(as_json(plays))["plays"][0]["reason"] == NEWER


def test_records_of_older_software_can_be_reported(tmp_path: Path) -> None:
    newer = read_play(keep_one(RECORD))
    body = {name: value for name, value in parse(keep_one(RECORD).body).items() if name not in NEWER_FIELDS}
    assert read_play(replace(keep_one(RECORD), body=canonical(body))) == newer


def test_days_are_days_of_the_ward(tmp_path: Path) -> None:
    keep(tmp_path, RECORD, QUIET, CUT)  # 05:30 on the 6th, 7th, 8th in Hanoi: the evening before in UTC
    wanted = Wanted(HANOI, first=date(2026, 10, 7), last=date(2026, 10, 7))
    assert [play.job_id for play in collect(tmp_path, wanted).plays] == ["job-quiet"]
    assert [play.job_id for play in collect(tmp_path, Wanted(HANOI, first=date(2026, 10, 7))).plays] == [
        "job-quiet",
        "job-cut",
    ]


def test_stations_are_reported_together_or_alone(tmp_path: Path) -> None:
    keep(tmp_path, RECORD)
    keep(tmp_path, CUT, station="tram-02")
    assert [play.station for play in collect(tmp_path, Wanted(HANOI)).plays] == ["tram-01", "tram-02"]
    assert [play.station for play in collect(tmp_path, Wanted(HANOI, station="tram-02")).plays] == ["tram-02"]


def test_machines_get_codes_and_milliseconds(tmp_path: Path) -> None:
    report = json.loads(as_json(collect(keep(tmp_path, CUT), Wanted(HANOI))))
    (play,) = report["plays"]
    assert (play["outcome"], play["reason"], play["played_ms"]) == ("interrupted", "power_cut", None)
    assert report["totals"]["unknown_length"] == 1


@pytest.mark.parametrize("station", ["", "tram-09"])
def test_no_records_is_told_and_is_no_empty_report(tmp_path: Path, station: str) -> None:
    with pytest.raises(LogbookError, match="no records"):
        collect(tmp_path, Wanted(HANOI, station=station))


def test_why_a_log_goes_on_under_another_name_is_told(tmp_path: Path) -> None:
    chains = [
        replace(RECORD, kind=RecordKind.CHAIN, planned=None, items=(), zones=(), detail=told)
        for told in ("after epoch=e seq=1 hash=x", "rotten seq=3 to=4", "after epoch=f seq=2 hash=x")
    ]
    keep(tmp_path, *chains)
    told = as_table(collect(tmp_path, Wanted(HANOI)), HANOI)
    assert [told.count(words) for words in (CARD_FORGOT, CARD_ROTS, "rotten seq=3 to=4")] == [1, 1, 1]


def test_an_edited_record_is_named_and_not_reported(tmp_path: Path) -> None:
    file = keep(tmp_path, RECORD, CUT) / "tram-01.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"played_ms":61000', b'"played_ms":99000', 1))
    with pytest.raises(LogbookError, match=r"tram-01\.jsonl:1: "):
        collect(tmp_path, Wanted(HANOI))


def append(directory: Path, body: JsonObject, station: str = "tram-01", epoch: str = "theirs") -> None:
    """What who has stolen a station's key can have its headend keep."""
    log = Logbook(directory).of(station)
    held = log.cursor(epoch)
    before = ChainPoint(held.seq, held.hash) if held.epoch == epoch else ChainPoint()
    assert isinstance(log.add(LogBatch(epoch, (chain(epoch, before, canonical(body)),))), Taken)


def test_a_record_that_nobody_can_read_is_told_and_hides_no_other(tmp_path: Path) -> None:
    keep(tmp_path, RECORD)
    keep(tmp_path, QUIET, station="tram-02")
    before = collect(tmp_path, Wanted(HANOI))
    for body in ({"x": 1}, {"x": 2}, {**parse(keep_one(RECORD).body), "planned_ms": -1}):
        append(tmp_path, body)
    after = collect(tmp_path, Wanted(HANOI))
    assert after.plays == before.plays
    assert after.odd == (Odd("tram-01", Why.UNREADABLE, 3, "theirs", 1, "record 1.station: missing"),)
    lines = as_table(after, HANOI).splitlines()
    (odd,) = [line for line in lines if "[unreadable]" in line]
    assert odd.startswith("  tram-01  3 bản ghi không đọc được, không tính ở dưới: ")
    assert odd.endswith("; trước hết là bản ghi số 1, chuỗi theirs: record 1.station: missing")
    assert [line for line in lines if line not in as_table(before, HANOI).splitlines()] == [ODD, odd]
    assert json.loads(as_json(after))["odd"][0]["why"] == "unreadable"


def test_a_station_says_nothing_about_another_one(tmp_path: Path) -> None:
    keep(tmp_path, RECORD, station="tram-02")
    append(tmp_path, {**parse(keep_one(CUT).body), "station": "tram-02"})
    reported = collect(tmp_path, Wanted(HANOI))
    assert [(play.station, play.job_id) for play in reported.plays] == [("tram-02", "job-1"), ("tram-01", "job-cut")]
    assert reported.odd == (Odd("tram-01", Why.FOREIGN, 1, "theirs", 1, "tram-02"),)
    alone = collect(tmp_path, Wanted(HANOI, station="tram-02"))
    assert ([play.job_id for play in alone.plays], alone.odd) == (["job-1"], ())
    told = as_table(reported, HANOI)
    assert "tram-01  1 bản ghi mang tên trạm khác, vẫn tính cho trạm đã gửi" in told
    assert told.count("[foreign]; trước hết là bản ghi số 1, chuỗi theirs: tram-02") == 1


def test_a_copied_log_is_counted_once(tmp_path: Path) -> None:
    """A file that somebody laid beside, or a station under a new name that sends again what it sent under the old."""
    file = keep(tmp_path, RECORD, CUT) / "tram-01.jsonl"
    before = collect(tmp_path, Wanted(HANOI))
    (tmp_path / "tram-01-cu.jsonl").write_bytes(file.read_bytes())
    after = collect(tmp_path, Wanted(HANOI))
    assert after.plays == before.plays
    assert after.odd == (Odd("tram-01-cu", Why.COPIED, 2, "epoch-1", 1, "tram-01"),)
    assert "tram-01-cu  2 bản ghi đã có trong tệp của trạm mang tên đó, chỉ tính ở đó" in as_table(after, HANOI)
    assert collect(tmp_path, Wanted(HANOI, station="tram-01-cu")).plays == ()


def test_of_a_copy_that_goes_on_only_what_is_new_is_counted(tmp_path: Path) -> None:
    whole = keep(tmp_path, RECORD, CUT, QUIET) / "tram-01.jsonl"
    lines = whole.read_bytes().splitlines(keepends=True)
    (tmp_path / "tram-09.jsonl").write_bytes(b"".join(lines[1:]))
    whole.write_bytes(b"".join(lines[:2]))
    reported = collect(tmp_path, Wanted(HANOI))
    assert [(play.station, play.job_id) for play in reported.plays] == [
        ("tram-01", "job-1"),
        ("tram-09", "job-quiet"),
        ("tram-01", "job-cut"),
    ]
    assert [(odd.why, odd.count, odd.seq) for odd in reported.odd] == [(Why.COPIED, 1, 2), (Why.FOREIGN, 1, 3)]


def test_a_copy_in_a_thiefs_log_takes_nothing_out_of_the_report_of_another(tmp_path: Path) -> None:
    """Nor where both files are called otherwise than their records: which is the copy, nobody can tell."""
    renamed = (keep(tmp_path, RECORD) / "tram-01.jsonl").rename(tmp_path / "tram-09.jsonl")
    (tmp_path / "tram-02.jsonl").write_bytes(renamed.read_bytes())
    reported = collect(tmp_path, Wanted(HANOI))
    assert [play.station for play in reported.plays] == ["tram-02", "tram-09"]
    assert [odd.why for odd in reported.odd] == [Why.FOREIGN, Why.FOREIGN]


@pytest.mark.parametrize("first", ["heard", "missed"])
def test_what_was_heard_is_not_missed_because_a_card_that_was_put_back_forgot_it(tmp_path: Path, first: str) -> None:
    """And is played once: with the copy's records behind its own a month had a play and a miss of each bulletin."""
    nowhere = tuple(replace(zone, evidence=Evidence.ACCEPTED, played_ms=0) for zone in RECORD.zones)
    missed = replace(RECORD, outcome=Phase.MISSED, reason=Reason.MISSED, zones=nowhere, started=None, played_ms=0)
    twice = (RECORD, missed) if first == "heard" else (missed, RECORD)
    keep(tmp_path, twice[0], QUIET)
    for record in (twice[1], QUIET):
        append(tmp_path, parse(keep_one(record).body), epoch="of-the-copy")
    reported = collect(tmp_path, Wanted(HANOI))
    assert [(play.job_id, play.outcome) for play in reported.plays] == [
        ("job-1", Phase.SUCCEEDED),
        ("job-quiet", Phase.REJECTED),
    ]
    assert reported.odd == (Odd("tram-01", Why.AGAIN, 2, "of-the-copy", 1, "job-1"),)
    assert "tram-01  2 bản ghi về lần phát đã có bản ghi khác, chỉ tính lần có phát" in as_table(reported, HANOI)


def test_what_a_card_that_was_put_back_sends_again_sounded_once(tmp_path: Path) -> None:
    """Its copy knew of no acknowledgement: the very same records come once more, in the chain that goes on there."""
    file = keep(tmp_path, RECORD, CUT, REFUSED) / "tram-01.jsonl"
    before = collect(tmp_path, Wanted(HANOI))
    again = [line_of(replace(record, epoch="of-the-copy")) for record in checked_records(file)[1:]]
    file.write_bytes(file.read_bytes() + b"".join(again))
    after = collect(tmp_path, Wanted(HANOI))
    assert after.plays == before.plays
    assert after.odd == (Odd("tram-01", Why.COPIED, 2, "of-the-copy", 2, "tram-01"),)


def test_what_nobody_could_date_is_told_of_the_day_before_whose_end_it_came(tmp_path: Path) -> None:
    """Without a time a warning was planned, began and ended when the clock that is not set said: years ago."""
    unset = {"ended": UtcMs(7_000), "clock": ClockSource.UNSET}
    flood = replace(RECORD, job_id="job-flood", planned=UtcMs(2_000), started=UtcMs(4_000), **unset)
    flood = replace(flood, cls=JobClass.EMERGENCY, detail=FRESHNESS_UNPROVEN)
    missed = replace(CUT, job_id="job-missed", **unset)  # when that was to sound its order has said
    keep(tmp_path, RECORD, flood, replace(REFUSED, **unset), missed, QUIET)
    that_day = collect(tmp_path, Wanted(HANOI, first=date(2026, 10, 6), last=date(2026, 10, 6)))
    assert [play.job_id for play in that_day.plays] == ["job-1", "job-bad", "job-flood"]
    table = as_table(that_day, HANOI)
    assert "  trước 06/10/2026 05h31:01  không rõ giờ " in table
    assert "tram-01  trước 06/10/2026 05h31:01  job-bad" in table
    whole = as_table(collect(tmp_path, Wanted(HANOI)), HANOI)
    assert "08/10/2026 05h30" in whole
    assert "1970" not in whole


def test_what_nobody_could_date_and_nothing_has_followed_is_in_every_report(tmp_path: Path) -> None:
    unset = {"ended": UtcMs(7_000), "clock": ClockSource.UNSET}
    keep(tmp_path, RECORD, replace(REFUSED, **unset))
    wanted = collect(tmp_path, Wanted(HANOI, first=date(2026, 11, 1)))
    assert [play.job_id for play in wanted.plays] == ["job-bad"]
    assert "tram-01  không rõ giờ  job-bad" in as_table(wanted, HANOI)


def test_a_warning_that_began_without_a_time_and_ended_with_one_is_told_by_that(tmp_path: Path) -> None:
    keep(tmp_path, replace(RECORD, planned=UtcMs(2_000), detail=FRESHNESS_UNPROVEN))
    wanted = collect(tmp_path, Wanted(HANOI, first=date(2026, 10, 6)))
    assert [play.job_id for play in wanted.plays] == ["job-1"]
    assert "  trước 06/10/2026 05h31:01  06/10/2026 05h30  " in as_table(wanted, HANOI)


def test_a_title_cannot_turn_round_what_stands_behind_it_on_a_screen(tmp_path: Path) -> None:
    """U+202E shows the rest of its line from right to left: what was planned in the place of what was played."""
    title = "Bản tin\u202e phường\u2066\u200b"
    keep(tmp_path, replace(RECORD, items=(replace(RECORD.items[0], title=title),)))
    append(tmp_path, {**parse(keep_one(REFUSED).body), "job_id": "x\u202e"})
    reported = collect(tmp_path, Wanted(HANOI))
    shown = for_people(Kept(StationId("tram-01"), "epoch-1", checked_records(tmp_path / "tram-01.jsonl")), AT, HANOI)
    for screen in (as_table(reported, HANOI), shown):
        assert "Bản tin? phường??" in screen
        assert not {"\u202e", "\u2066", "\u200b"} & set(screen)
    assert reported.plays[0].titles == (title,), "machines get what was signed"


def test_what_sounded_twice_is_counted_twice_and_told(tmp_path: Path) -> None:
    keep(tmp_path, RECORD)
    append(tmp_path, {**parse(keep_one(CUT).body), "job_id": "job-1", "planned": RECORD.planned})
    reported = collect(tmp_path, Wanted(HANOI))
    assert [play.outcome for play in reported.plays] == [Phase.SUCCEEDED, Phase.INTERRUPTED]
    assert [(odd.why, odd.count) for odd in reported.odd] == [(Why.AGAIN, 1)]


def test_a_line_that_is_just_being_written_is_left_alone(tmp_path: Path) -> None:
    file = keep(tmp_path, RECORD, CUT) / "tram-01.jsonl"
    torn = file.read_bytes()[:-10]
    file.write_bytes(torn)
    assert [play.job_id for play in collect(tmp_path, Wanted(HANOI)).plays] == ["job-1"]
    assert file.read_bytes() == torn
