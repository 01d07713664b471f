"""JOB, continued: what an order must look like, field by field (docs/protocol.md, sections 3 to 5)."""

from __future__ import annotations

from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS
from edge_agent.headend.conform import wrong_orders as wrong
from edge_agent.headend.conform.asking import acceptance, refusal
from edge_agent.headend.conform.clause import Clause

BAD = Reason.MALFORMED

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
)
