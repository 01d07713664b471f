"""What ``watch`` says: one line for each thing, the words first and the code with them."""

from __future__ import annotations

import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.as_run import RecordKind
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustVersion
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, StationId, UtcMs, ZoneId
from edge_agent.headend.desk import CloneSuspected, Kept, LateWill, LogTrouble, OldState
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.greeting import TrustAhead
from edge_agent.headend.headend import Shown, Untold
from edge_agent.headend.hush import Hushed
from edge_agent.headend.inbox import Overrun
from edge_agent.headend.listening import Doubt, Unheard, hear
from edge_agent.headend.ours import Named
from edge_agent.headend.session import LinkDown, LinkUp
from edge_agent.headend.telling import for_machines, for_people
from edge_agent.sync.reports import Why
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import (
    AREA,
    AT,
    CLOCK,
    NEWER,
    NEWER_NAMES,
    PLAN,
    RECORD,
    STATE,
    FakeStation,
    Place,
    newer,
)

KEY = new_signer()
STATIONS = {StationId("tram-01"): Enrolled(StationId("tram-01"), AREA, "", KEY.public)}
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = UtcMs(AT + 5_000)


def said(message: tuple[str, bytes]) -> Shown:
    return hear(STATIONS, "demo", *message)


def rule(detail: str, outcome: Phase = Phase.SUCCEEDED, reason: Reason | None = None) -> Kept:
    plain = {"kind": RecordKind.RULE, "job_id": "dong-thanh-45", "items": (), "zones": (), "planned": None}
    return kept(plain | {"detail": detail, "outcome": outcome, "reason": reason})


def kept(*changes: dict[str, object]) -> Kept:
    station = FakeStation(KEY)
    station.play(*(replace(RECORD, **change) for change in changes))
    return Kept(StationId("tram-01"), "epoch-1", tuple(station.records))


STATION = FakeStation(KEY)
REFUSED: dict[str, object] = {
    "kind": RecordKind.REFUSAL,
    "outcome": Phase.REJECTED,
    "zones": (),
    "planned": None,
    "started": None,
    "played_ms": 0,
}
CONFLICTS = (
    Conflict(JobId("sang"), AT, Reason.QUIET_HOURS, ()),
    Conflict(JobId("lich-10"), AT, Reason.ZONE_LOCKED, (ZoneId("c2"),)),
)
MANIFESTS = (
    ScopeStatus("station/tram-01", 1, 7, AT, 0, None),
    ScopeStatus("area/vn", 1, 7, AT, 0, Reason.HEAD_EQUIVOCAL),
    ScopeStatus("area/vn/ha-noi", 1, 7, AT, 2, None),
)
CASES: list[tuple[Shown | Hushed, str]] = [
    (said(STATION.hello()), "05:30:05 tram-01: xin giờ, đã trả lời [hello]; phần mềm 0.1.0"),
    (
        said(STATION.hello(trust=(TrustHead("", 0, 1, UtcMs(CLOCK.utc + 3 * DAY_MS)),))),
        "05:30:05 tram-01: xin giờ, đã trả lời [hello]; phần mềm 0.1.0; VĂN BẢN ỦY QUYỀN SẮP HẾT HẠN / trust expires: "
        "gốc 09/10/2026",
    ),
    (
        said(STATION.state()),
        "05:30:05 tram-01: bắt đầu kết nối [birth]; phần mềm 0.1.0; cụm: c1 rơ-le đóng, đang phát job-1, c2 rơ-le "
        "không rõ; sắp tới: Bản tin (từ chối phát, lý do: trong khung giờ không phát [quiet_hours])",
    ),
    (
        said(STATION.state(replace(STATE, online=False, why=Why.CONNECTION_LOST))),
        "05:30:05 tram-01: MẤT KẾT NỐI [connection_lost]",
    ),
    (
        said(STATION.heartbeat()),
        "05:30:05 tram-01: báo trạng thái [heartbeat]: chạy 1,1 giờ, chờ gửi 3 bản ghi nhật ký",
    ),
    (
        said(STATION.answer(Verdict.REFUSED, "job-9", Reason.WRONG_AUDIENCE)),
        "05:30:05 tram-01: từ chối lệnh job-9 [refused], lý do: lệnh cho địa bàn hoặc cụm loa khác [wrong_audience]",
    ),
    (  # as "?" it would read as an order of nobody's, just when somebody looks for a thief's
        said(STATION.answer(Verdict.ACCEPTED, "")),
        "05:30:05 tram-01: đã nhận văn bản ủy quyền [accepted]",
    ),
    (
        said(STATION.answer(Verdict.KNOWN, "", Reason.REPLAYED)),
        "05:30:05 tram-01: văn bản ủy quyền này đã có [known], lý do: phát lại lệnh cũ: lệnh này đã nhận [replayed]",
    ),
    (
        said(STATION.answer(Verdict.REFUSED, "", Reason.NOT_YET_VALID)),
        "05:30:05 tram-01: từ chối văn bản ủy quyền [refused], lý do: văn bản đề ngày sau giờ của trạm: đồng hồ máy đã "
        "ký chạy nhanh, hoặc giờ của trạm chậm; xem docs/operations.md “Xem đồng hồ trước khi ký” [not_yet_valid]",
    ),
    (
        said(STATION.answer(Verdict.REFUSED, "job-9", Reason.NOT_YET_VALID)),
        "05:30:05 tram-01: từ chối lệnh job-9 [refused], lý do: lệnh phát ngay nhưng chưa đến thời hạn hiệu lực "
        "[not_yet_valid]",
    ),
    (
        said(STATION.answer(Verdict.REFUSED, "", Reason.SIGNATURE_INVALID)),
        "05:30:05 tram-01: từ chối một tin không có trong lệnh và văn bản ủy quyền của máy chủ này [refused], lý do: "
        "giả mạo: chữ ký số không đúng [signature_invalid]",
    ),
    (
        said(STATION.answer(Verdict.REFUSED, "", Reason.TRUST_GAP)),
        "05:30:05 tram-01: từ chối văn bản ủy quyền [refused], lý do: thiếu văn bản ủy quyền đứng trước [trust_gap]",
    ),
    (
        said(STATION.answer(Verdict.ACCEPTED, "lich-10", None, *CONFLICTS)),
        "05:30:05 tram-01: đã nhận lệnh lich-10 [accepted]; LƯU Ý: 05h30 ngày 06/10/2026 sẽ không phát sang, lý do: "
        "trong khung giờ không phát [quiet_hours]; LƯU Ý: 05h30 ngày 06/10/2026 sẽ không phát ở cụm c2, lý do: cụm "
        "loa đang khóa bảo trì (cấm phát) [zone_locked]",
    ),
    (
        said(STATION.plan(replace(PLAN, left_out=3))),
        "05:30:05 tram-01: lịch phát ngày 06/10/2026 [plan]: 1 lần phát, 1 lần không phát, còn 3 lần không ghi hết; "
        "1 bản tin chờ xã/phường lựa chọn\n"
        "05:30:05 tram-01:   05:30 Bản tin phường: c1\n"
        "05:30:05 tram-01:   05:30 Bản tin phường, KHÔNG PHÁT, lý do: ngày nghỉ lễ, tạm dừng phát thường ngày "
        "[holiday]",
    ),
    (
        kept({}),
        "05:30:05 tram-01: nhật ký phát số 1: Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 giây "
        "(c1 61,0 giây, c2 40,5 giây, lý do: bị ngắt để phát tin khẩn cấp [preempted]); xác nhận: đã ra tiếng",
    ),
    (
        said(STATION.state(replace(STATE, zones=(replace(STATE.zones[0], heard=False, level_db=-58),), next=()))),
        "05:30:05 tram-01: bắt đầu kết nối [birth]; phần mềm 0.1.0; cụm: c1 rơ-le đóng, đang phát job-1, KHÔNG ĐO "
        "ĐƯỢC TIẾNG TẠI LOA [not_heard]",
    ),
    (
        said(STATION.state(replace(STATE, zones=(), next=(), manifests=MANIFESTS))),
        "05:30:05 tram-01: bắt đầu kết nối [birth]; phần mềm 0.1.0; cụm: không có; BẢN KÊ LỆNH area/vn: thiếu 0 lệnh, "
        "lý do: hai bản kê lệnh khác nhau mang cùng một số [head_equivocal]; BẢN KÊ LỆNH area/vn/ha-noi: thiếu 2 lệnh",
    ),
    (
        kept({"zones": (*RECORD.zones[:1], replace(RECORD.zones[1], reason=Reason.NOT_HEARD, level_db=-58))}),
        "05:30:05 tram-01: nhật ký phát số 1: Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 giây "
        "(c1 61,0 giây, c2 40,5 giây, ĐÃ PHÁT NHƯNG KHÔNG ĐO ĐƯỢC TIẾNG TẠI LOA [not_heard]); xác nhận: đã ra tiếng",
    ),
    (
        kept({"detail": "freshness_unproven audio_too_short part_left_out newer"}),
        "05:30:05 tram-01: nhật ký phát số 1: Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 giây "
        "(c1 61,0 giây, c2 40,5 giây, lý do: bị ngắt để phát tin khẩn cấp [preempted]); TRẠM KHÔNG BIẾT GIỜ, TIN CÓ "
        "THỂ ĐÃ CŨ [freshness_unproven]; TỆP ÂM THANH NGẮN HƠN THỜI LƯỢNG ĐÃ KÝ [audio_too_short]; PHÁT THIẾU, CÓ "
        "BẢN TIN KHÔNG TẢI KỊP [part_left_out]; xác nhận: đã ra tiếng",
    ),
    (
        kept({"zones": (replace(RECORD.zones[0], volume=0), replace(RECORD.zones[1], volume=0, played_ms=0))}),
        "05:30:05 tram-01: nhật ký phát số 1: Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 giây "
        "(c1 61,0 giây, ÂM LƯỢNG 0, c2 0,0 giây, lý do: bị ngắt để phát tin khẩn cấp [preempted]); xác nhận: đã ra "
        "tiếng",
    ),
    (
        kept({**REFUSED, "job_id": "khoa-1", "items": (), "reason": Reason.WRONG_AUDIENCE}),
        "05:30:05 tram-01: nhật ký phát số 1: từ chối lệnh khoa-1 [rejected], lý do: lệnh cho địa bàn hoặc cụm loa "
        "khác [wrong_audience]",
    ),
    (
        kept({**REFUSED, "outcome": Phase.EXPIRED, "reason": Reason.EXPIRED}),
        "05:30:05 tram-01: nhật ký phát số 1: từ chối lệnh Bản tin phường [expired], lý do: lệnh phát đã hết hiệu lực "
        "[expired]",
    ),
    (
        kept({"underruns": 2}),
        "05:30:05 tram-01: nhật ký phát số 1: Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 giây "
        "(c1 61,0 giây, c2 40,5 giây, lý do: bị ngắt để phát tin khẩn cấp [preempted]); TIẾNG BỊ NGẮT QUÃNG 2 lần; "
        "xác nhận: đã ra tiếng",
    ),
    (
        rule("lock zones=c1 for_ms=7200000"),
        "05:30:05 tram-01: nhật ký phát số 1: Khóa bảo trì cụm loa c1, 2 giờ: có hiệu lực [succeeded]; "
        "lệnh dong-thanh-45",
    ),
    (
        rule("lock zones=c1,c2 for_ms=5400000", Phase.EXPIRED, Reason.EXPIRED),
        "05:30:05 tram-01: nhật ký phát số 1: Khóa bảo trì cụm loa c1, c2, 90 phút: hết hiệu lực [expired], lý do: "
        "lệnh phát đã hết hiệu lực [expired]; lệnh dong-thanh-45",
    ),
    (
        kept({"rehearsal": True}),
        "05:30:05 tram-01: nhật ký phát số 1: DIỄN TẬP Bản tin phường: đã phát xong [succeeded]; đã phát 61,0/61,0 "
        "giây (c1 61,0 giây, c2 40,5 giây, lý do: bị ngắt để phát tin khẩn cấp [preempted]); xác nhận: đã ra tiếng",
    ),
    (Kept(StationId("tram-01"), "epoch-1", ()), "05:30:05 tram-01: nhật ký phát đã có, xác nhận lại [known]"),
    (
        LogTrouble(StationId("tram-01"), "gap: record 2 is missing"),
        "05:30:05 tram-01: NHẬT KÝ PHÁT CÓ VẤN ĐỀ, cần kiểm tra [log_trouble]: gap: record 2 is missing",
    ),
    (
        LateWill(StationId("tram-01"), "boot-1"),
        "05:30:05 tram-01: tin mất kết nối của lần khởi động hoặc kết nối trước, bỏ qua [late_will]",
    ),
    (
        CloneSuspected(StationId("tram-01"), "boot-1"),
        "05:30:05 tram-01: CÓ THỂ CÓ HAI MÁY CÙNG CHỨNG THƯ, cần tìm máy kia [clone_suspected]",
    ),
    (
        TrustAhead(StationId("tram-01"), (TrustHead("", 0, 4, AT), TrustHead("vn/ha-noi", 1, 7, AT))),
        "05:30:05 tram-01: TRẠM TIN VĂN BẢN ỦY QUYỀN MÀ MÁY CHỦ KHÔNG CÓ: ký ở nơi khác chưa `trust take`, máy chủ "
        "khôi phục từ bản sao lưu, hoặc khóa đã lộ; chưa ký văn bản nào, hỏi ngay người giữ khóa [trust_ahead]: gốc, "
        "phiên bản 4; vn/ha-noi, kỳ 1, phiên bản 7",
    ),
    (
        kept({"kind": RecordKind.CHAIN, "detail": "after epoch=e1 seq=9 hash=ab", "items": (), "zones": ()}),
        "05:30:05 tram-01: nhật ký phát số 1: THẺ NHỚ ĐÃ BỊ KHÔI PHỤC, SAO CHÉP HOẶC THAY, nhật ký nối tiếp / the card "
        "was put back, copied or replaced [chain]: after epoch=e1 seq=9 hash=ab",
    ),
    (
        kept({"kind": RecordKind.CHAIN, "detail": "rotten seq=7 to=8", "items": (), "zones": ()}),
        "05:30:05 tram-01: nhật ký phát số 1: THẺ NHỚ HỎNG, MẤT BẢN GHI TRONG TRẠM, nhật ký nối tiếp / records have "
        "rotted on the card, replace it [chain]: rotten seq=7 to=8",
    ),
    (
        OldState(StationId("tram-01"), "boot-1"),
        "05:30:05 tram-01: trạng thái cũ của lần khởi động trước, bỏ qua [old_state]",
    ),
    (
        Unheard("tram-01", Doubt.FORGED, "not signed"),
        "05:30:05 tram-01: bỏ qua, giả mạo: không phải chữ ký số của trạm [forged]: not signed",
    ),
    (
        rule(f"lock zones=all for_ms={'9' * 400}"),
        "05:30:05 tram-01: nhật ký phát số 1: Khóa bảo trì mọi cụm loa: có hiệu lực [succeeded]; lệnh dong-thanh-45",
    ),
    (
        Untold("tram-01", "kept", "words.py:110: OverflowError('int too large to convert to float')"),
        "05:30:05 tram-01: LỖI PHẦN MỀM MÁY CHỦ, không hiển thị được, vẫn trả lời trạm [untold kept]: words.py:110: "
        "OverflowError('int too large to convert to float')",
    ),
    (
        Hushed("tram-01", "plan", UtcMs(NOW + HOUR_MS)),
        "05:30:05 tram-01: NÓI QUÁ NHIỀU, vẫn lưu và trả lời, xem trạm này có bị chiếm không; tin loại này không hiển "
        "thị nữa đến 06h30 [hushed plan]",
    ),
    (
        Overrun("tram-01", 4_096),
        "05:30:05 tram-01: GỬI QUÁ NHIỀU TIN, các trạm khác không phải chờ, xem trạm này có bị chiếm không [overrun]: "
        "đã bỏ 4.096 tin cũ nhất",
    ),
    (LinkUp(), "05:30:05 máy chủ trung tâm đã kết nối [connected]"),
    (LinkDown("gone", False), "05:30:05 máy chủ trung tâm mất kết nối [disconnected]: gone"),
]


@pytest.mark.parametrize(("shown", "line"), CASES, ids=[line[9:60] for _, line in CASES])
def test_a_person_reads(shown: Shown | Hushed, line: str) -> None:
    assert for_people(shown, NOW, HANOI) == line


@pytest.mark.parametrize(
    ("named", "what"),
    [
        (TrustVersion("", 0, 4), "từ chối văn bản ủy quyền của máy chủ này (gốc, phiên bản 4)"),
        (TrustVersion("vn/ha-noi", 1, 7), "từ chối văn bản ủy quyền của máy chủ này (vn/ha-noi, kỳ 1, phiên bản 7)"),
        (JobId("job-9"), "từ chối lệnh job-9 của máy chủ này"),
    ],
)
def test_a_document_whose_signature_is_bad_is_told_from_an_order_whose_signature_is(named: Named, what: str) -> None:
    """A station repeats no id of what is not authentic: only whoever has sent it knows what it was."""
    shown = said(STATION.answer(Verdict.REFUSED, "", Reason.SIGNATURE_INVALID))
    told = for_people(shown, NOW, HANOI, {"a" * 64: named}.get)
    assert told == f"05:30:05 tram-01: {what} [refused], lý do: giả mạo: chữ ký số không đúng [signature_invalid]"


@pytest.mark.parametrize("shown", [shown for shown, _ in CASES], ids=[line[9:40] for _, line in CASES])
def test_a_machine_reads_one_object_on_one_line(shown: Shown) -> None:
    line = for_machines(shown, NOW)
    assert "\n" not in line
    assert json.loads(line)["at"] == NOW


def test_each_record_of_a_batch_has_its_line() -> None:
    lost = {"outcome": Phase.INTERRUPTED, "reason": Reason.POWER_CUT, "played_ms": None}
    first, second = for_people(kept({}, lost), NOW, HANOI).splitlines()
    assert "số 1" in first
    assert "số 2: Bản tin phường: bị cắt trước khi hết [interrupted]" in second
    assert "[power_cut]; đã phát không rõ/61,0 giây" in second


def test_a_machine_gets_the_records_as_they_were_chained() -> None:
    batch = kept({})
    (record,) = json.loads(for_machines(batch, NOW))["records"]
    assert record["hash"] == batch.new[0].hash
    assert record["body"]["items"][0]["approver"] == "nguoi-duyet-07"


@pytest.mark.parametrize(("kind", "path"), NEWER_NAMES)
def test_a_name_that_only_a_newer_station_knows_is_told_as_it_is(kind: str, path: Place) -> None:
    shown = said(newer(KEY, kind, path))
    told = for_people(shown, NOW, HANOI)
    nobody_is_told = path[-1] == "source" or "out" in path
    assert "malformed" not in told
    assert (NEWER in told) is not nobody_is_told
    assert NEWER in for_machines(shown, NOW)


def test_a_record_with_a_reason_that_only_newer_software_knows_is_told_with_it() -> None:
    batch = kept({"outcome": Phase.REJECTED, "reason": Reason.HOLIDAY})
    odd = replace(batch.new[0], body=batch.new[0].body.replace(b'"holiday"', f'"{NEWER}"'.encode()))
    told = for_people(replace(batch, new=(odd,)), NOW, HANOI)
    assert f"từ chối phát [rejected], lý do: {NEWER} [{NEWER}]" in told


def test_a_record_of_newer_software_is_told_as_unreadable_and_stops_nothing() -> None:
    batch = kept({})
    odd = replace(batch.new[0], body=batch.new[0].body.replace(b'"succeeded"', b'"celebrated"'))
    assert "không đọc được [unreadable]" in for_people(replace(batch, new=(odd,)), NOW, HANOI)
