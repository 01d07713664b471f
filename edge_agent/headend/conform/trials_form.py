"""JOB, continued: what an order must look like, field by field (docs/protocol.md, sections 3 to 5)."""

from __future__ import annotations

from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS
from edge_agent.headend.conform import wrong_orders as wrong
from edge_agent.headend.conform.asking import acceptance, refusal
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.orders import Order, Orders
from edge_agent.trust.envelope import payload_type
from edge_agent.trust.strict_json import dump

BAD = Reason.MALFORMED


def _urls(orders: Orders, count: int) -> Order:
    return wrong.item(orders, urls=[f"https://a.test/{number}" for number in range(count)])


def _raw_title(orders: Orders, title: str) -> Order:
    """Written by hand: our own writer refuses such text too."""
    content = dump(orders.payload(orders.pen(), items=[orders.nothing(title="T-I-T-L-E")]))
    return orders.sealed(content.replace(b"T-I-T-L-E", title.encode()), orders.pen().enough, payload_type("job"))


CLAUSES: tuple[Clause, ...] = (
    refusal(
        "JOB-26",
        "5, step 10",
        "trường bắt buộc hiểu, trạm chưa biết",
        "a field in `critical` that is not known makes the order unsupported",
        lambda orders: orders.normal(critical=["conform-note"], **{"conform-note": 1}),
        Reason.UNSUPPORTED,
    ),
    acceptance(
        "JOB-27",
        "3",
        "trường lạ được bỏ qua",
        "unknown fields that are not critical are ignored",
        lambda orders: orders.normal(**{"conform-note": {"a": [1]}}),
    ),
    acceptance(
        "JOB-28",
        "3",
        "trường bắt buộc hiểu, trạm đã biết",
        "a known field may be called critical",
        lambda orders: orders.normal(critical=["volume", "when"]),
    ),
    refusal(
        "JOB-29",
        "4",
        "khẩn cấp không có loại sự kiện",
        "an emergency names its event",
        wrong.emergency_without_event,
        BAD,
    ),
    refusal(
        "JOB-30",
        "4",
        "khẩn cấp hẹn giờ",
        "an emergency is for now",
        lambda orders: orders.emergency(when={"kind": "at", "utc": orders.now() + MINUTE_MS}),
        BAD,
    ),
    refusal(
        "JOB-31",
        "4",
        "tin thường có loại sự kiện",
        "only an emergency has an event",
        lambda orders: orders.normal(event="kiem-thu"),
        BAD,
    ),
    refusal(
        "JOB-32",
        "4",
        "giờ viết sai",
        'wall times are "05:30:00"',
        lambda o: wrong.timetable(o, times=["5:30"]),
        BAD,
    ),
    refusal("JOB-33", "4", "thứ viết sai", "weekdays are 1 to 7", lambda o: wrong.timetable(o, weekdays=[8]), BAD),
    refusal(
        "JOB-34",
        "4",
        "múi giờ không có",
        "a zone of the IANA database",
        lambda o: wrong.timetable(o, timezone="Loa/Xa"),
        BAD,
    ),
    refusal(
        "JOB-35",
        "4",
        "thiếu trường",
        "a field without “optional” must be there",
        lambda o: wrong.without(o, "volume"),
        BAD,
    ),
    refusal("JOB-36", "4", "âm lượng viết bằng chữ", "a number is no text", lambda o: o.normal(volume="10"), BAD),
    refusal("JOB-37", "4", "âm lượng 101", "volume is 0 to 100", lambda o: o.normal(volume=101), BAD),
    refusal(
        "JOB-38",
        "4",
        "hiệu lực ngược",
        "`not_after` is later than `not_before`",
        lambda o: wrong.valid_for(o, 0),
        BAD,
    ),
    refusal(
        "JOB-39",
        "4",
        "21 bản tin",
        "1 to 20 items",
        lambda o: o.normal(items=[o.nothing() for _ in range(21)]),
        BAD,
    ),
    refusal("JOB-40", "4", "không có bản tin", "1 to 20 items", lambda o: o.normal(items=[]), BAD),
    refusal(
        "JOB-41",
        "4",
        "bài đọc dài 2.001 chữ",
        "a text has 2,000 characters at most",
        lambda o: wrong.text_of(o, 2_001),
        BAD,
    ),
    refusal(
        "JOB-42",
        "4",
        "URL không mã hóa",
        "audio is fetched by https only",
        lambda o: wrong.url(o, "http://a.test/b"),
        BAD,
    ),
    refusal(
        "JOB-43",
        "4",
        "URL có tên người dùng",
        "no user name in a URL",
        lambda o: wrong.url(o, "https://u@a.test/b"),
        BAD,
    ),
    refusal(
        "JOB-44",
        "4",
        "mã băm sai dạng",
        "a digest is 64 hex digits",
        lambda o: wrong.item(o, digest="ab" * 31),
        BAD,
    ),
    refusal(
        "JOB-45",
        "4",
        "không nói phát cho ai",
        "stations and areas together name at least one",
        lambda orders: wrong.audience(orders, stations=[]),
        BAD,
    ),
    refusal(
        "JOB-46",
        "4",
        "21 lần lặp",
        "1 to 20 loops",
        lambda o: o.normal(loops=21),
        BAD,
    ),
    refusal(
        "JOB-47",
        "4",
        "nghỉ giữa hai lần quá một giờ",
        "a gap of 3,600 s at most",
        lambda o: o.normal(gap_s=3_601),
        BAD,
    ),
    refusal(
        "JOB-48",
        "4",
        "thứ tự phát năm chữ số",
        "`order` is 0 to 9,999",
        lambda o: o.normal(order=10_000),
        BAD,
    ),
    refusal(
        "JOB-49",
        "4",
        "mã lệnh viết hoa",
        "a job id is a name: `a-z`, `0-9`, `-`",
        lambda o: o.normal(job_id="Lenh 1"),
        BAD,
    ),
    refusal(
        "JOB-50",
        "4",
        "cách nhường chưa có",
        "`preemption` is `rejoin`, `resume`, `restart` or `drop`",
        lambda o: o.normal(preemption="stop"),
        BAD,
    ),
    refusal(
        "JOB-51",
        "4",
        "cho phép trễ, không nói bao lâu",
        "`late` has a limit",
        lambda o: o.normal(missed={"policy": "late"}),
        BAD,
    ),
    refusal(
        "JOB-52",
        "4",
        "một thứ hai lần",
        "weekdays are different",
        lambda o: wrong.timetable(o, weekdays=[1, 1]),
        BAD,
    ),
    refusal(
        "JOB-53",
        "4",
        "một giờ hai lần",
        "times are different",
        lambda o: wrong.timetable(o, times=["09:00:00"] * 2),
        BAD,
    ),
    refusal(
        "JOB-54",
        "4",
        "năm địa chỉ tải",
        "1 to 4 URLs",
        lambda o: _urls(o, 5),
        BAD,
    ),
    refusal(
        "JOB-55",
        "4",
        "tiêu đề trống",
        "a title has 1 to 200 characters",
        lambda o: wrong.item(o, title=""),
        BAD,
    ),
    refusal(
        "JOB-56",
        "4",
        "xuống dòng trong tiêu đề",
        "a line feed is allowed in `text` alone",
        lambda o: _raw_title(o, "a\\nb"),
        BAD,
    ),
    refusal(
        "JOB-57",
        "4",
        "65 trạm trong một lệnh",
        "at most 64 stations",
        lambda o: wrong.audience(o, stations=[f"tram-{n}" for n in range(65)]),
        BAD,
    ),
    refusal(
        "JOB-58",
        "4",
        "tệp quá 200 MB",
        "a file has 200,000,000 bytes at most",
        lambda o: wrong.item(o, length=200_000_001),
        BAD,
    ),
    refusal(
        "JOB-59",
        "4",
        "thời lượng 0",
        "`duration_ms` is 1 to 7,200,000",
        lambda o: wrong.item(o, duration_ms=0),
        BAD,
    ),
    refusal(
        "JOB-60",
        "4",
        "kiểu hẹn giờ chưa có",
        "`when` is `now`, `at` or `rule`",
        lambda o: o.normal(when={"kind": "later"}),
        BAD,
    ),
    refusal(
        "JOB-61",
        "4",
        "giờ sau năm 2100",
        "instants end with the year 2099",
        lambda o: o.normal(not_after=4_102_444_800_001),
        BAD,
    ),
    acceptance(
        "JOB-62",
        "4",
        "bản tin ưu tiên",
        "three classes: `normal`, `priority`, `emergency`",
        lambda o: o.normal(**{"class": "priority"}),
    ),
    acceptance(
        "JOB-63",
        "4",
        "lệnh từ cảnh báo CAP",
        "`cap` is kept with the order, not judged",
        lambda o: o.normal(cap={"identifier": "VN-1", "sender": "a", "sent": "2026-10-01T09:00:00+07:00"}),
    ),
)
