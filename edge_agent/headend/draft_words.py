"""Say in Vietnamese, and in English behind it, what a field of a draft should have been. Pure.

A draft's field is held to the rule that stations will hold it to, by the same parser, which speaks English as all their
logs do. An officer reads Vietnamese first: what no line here knows is called wrong, with the rule as it stands.
"""

from __future__ import annotations

import re

from edge_agent.trust.timetable import MONDAY, SUNDAY, UTC_MS_MAX

BOTH = " / "
"""Between the two languages; no rule of the parsers has it in it."""
WRONG = "viết sai"
_REMOVE = "bỏ trường này"
_ONLY_EMERGENCY = f"{_REMOVE}: chỉ tin khẩn cấp mới có"
_NAME = "ký tự không dấu a-z, 0-9, -"

_RULES = {
    # of any field
    r"missing": "thiếu",
    r"unknown field, did you mean (.+)\?": r"không có trường này, có phải là \1",
    r"unknown field, remove it; .+": "không có trường này, bỏ đi hoặc sửa tên",
    rf"an integer from 0 to {UTC_MS_MAX}": "thời điểm từ năm 1970 đến hết năm 2099",
    rf"an integer from {MONDAY} to {SUNDAY}": r"số từ 1 (thứ Hai) đến 7 (Chủ nhật)",
    r"an integer from (-?\d+) to (\d+)": r"số nguyên từ \1 đến \2",
    r"an integer within .*": "số nguyên quá lớn",
    r"(\d+) to (\d+) characters": r"\1 đến \2 ký tự",
    r"up to (\d+) .*": r"tối đa \1 ký tự",
    r"a list of (\d+) to (\d+)": r"danh sách \1 đến \2 mục, viết trong [ ] hoặc từng mục dưới [[ ]]",
    r"one of (.+?)(, not .+)?": r"chọn một trong \1",
    r"true or false": "true hoặc false",
    r"each only once": "mỗi mục chỉ ghi một lần",
    r"an object": "phải là một bảng gồm các trường",
    r"text, an integer, true, false, .*": "phải là chữ, số nguyên, true, false, danh sách hoặc bảng",
    r"no control characters (\(U\+[0-9A-F]+\))": r"không được có ký tự điều khiển \1 (xuống dòng, Tab …)",
    r"text in Unicode's NFC form": "chữ phải ở dạng Unicode dựng sẵn (NFC)",
    r"at most (\d+) levels": r"tối đa \1 tầng",
    r"1 to (\d+) of a-z, 0-9 and -": rf"1 đến \1 {_NAME}",
    r"1 to 6 names of a-z, 0-9 and -, joined by /": f"viết như vn/ha-noi/dong-thanh, 1 đến 6 tên gồm {_NAME}",
    r"64 hex digits": "64 chữ số hex",
    r'wall time as "([0-9:]+)"( or "([0-9:]+)")?': r'giờ từ 00:00 đến 23:59, viết như "\1"',
    r"a day as (.+)": r"ngày có thật, viết năm-tháng-ngày như \1",
    r"a time zone as (.+); this one is not known here": r"không có múi giờ này, viết như \1",
    r"a time zone as (.+)": r"múi giờ viết như \1",
    r"an instant.*": "giờ kèm múi giờ, như 2026-10-06T05:30:00+07:00",
    # of an order
    r"stations or areas, at least one": "ghi ít nhất một trạm (stations) hoặc địa bàn (areas)",
    r"later than (\w+)": r"phải sau \1",
    r"later than (\w+), not later than (\w+)": r"phải sau \1, không sau \2",
    r"not later than (\w+)": r"không được sau \1",
    r"not before first_day": "không được trước first_day",
    r"at most (\d+) days after (\w+)": r"không quá \1 ngày sau \2",
    r"another order, this one cannot take itself back": "phải là lệnh khác, lệnh không tự hủy chính nó",
    r"another job, this one cannot set itself right": "phải là bản tin khác, bản tin không tự đính chính",
    r"another job_id, this is the timetable's own": "phải là mã khác, mã này là của cả lịch phát",
    r"missing; an all-clear ends a series": "thiếu: báo yên là của một đợt cảnh báo",
    # of what is heard
    r"a language as .*": 'mã ngôn ngữ, như "vi"',
    r"an https:// address .*, or line-in:NAME": "địa chỉ https://, tối đa 500 ký tự ASCII, hoặc line-in:TÊN",
    r"an https:// address .*": "địa chỉ https://, tối đa 500 ký tự ASCII, không có tên người dùng",
    r"a line-in alone, or https:// addresses": "một đường line-in, hoặc các địa chỉ https://",
    r'no "kind": "live": .*': "tin khẩn cấp không tiếp âm: ghi tệp âm thanh (file) hoặc lời (text)",
    r"an emergency names its event": "tin khẩn cấp phải ghi sự kiện (event), như lu-quet",
    r"a rehearsal is planned: .*": "diễn tập phải hẹn giờ",
    r"an emergency plays at once: .*": "tin khẩn cấp phát ngay; chỉ diễn tập mới hẹn giờ",
    r"only an emergency has one|false: only an emergency has one": _ONLY_EMERGENCY,
    r"false: only an emergency is rehearsed": "chỉ tin khẩn cấp mới diễn tập",
    r"nothing: only an emergency is repeated": "bỏ đi, chỉ tin khẩn cấp mới phát lặp",
    r"remove it, only an emergency is repeated; .*": f"{_REMOVE}, chỉ tin khẩn cấp mới phát lặp; dùng loops hoặc lịch",
    r"1: a live programme .*": "phải là 1: tiếp âm trực tiếp không phát lại",
    r'"resume", "rejoin" or "drop": .*': 'chọn "resume", "rejoin" hoặc "drop": tiếp âm trực tiếp không phát lại từ đầu',
    r"0: a live programme .*": "phải là 0: tiếp âm trực tiếp không phát lại sau",
    # of the rules
    r"normal and priority alone: .*": "chỉ normal và priority: không quy định nào hạn chế tin khẩn cấp",
    r"none: it is for whole stations, .*": "bỏ đi: quy chế là của cả trạm, từng khoản ghi cụm của mình",
    r"remove it: a silence loosens nothing, .*": f'{_REMOVE}: khoảng im lặng không nới gì, "exception" mới nới',
    r"missing; the first clause .*": "thiếu: khoản đầu là cho tất cả, phải ghi đủ",
    r"remove it; the first clause .*": f"{_REMOVE}: khoản đầu là cho tất cả, các khoản sau mới cho một phần",
    r"two wall times as (.+)": r"hai giờ, như \1",
    r"two wall times and a volume .* as (.+)": r"hai giờ và âm lượng từ 0 đến 100, như \1",
    # of a timetable
    r"remove it: the timetable says it .*": f"{_REMOVE}: lịch phát đã ghi cho mọi mục",
    r"remove it: alerts, .*": f"{_REMOVE}: cảnh báo, diễn tập, đính chính ra lệnh riêng",
    r"normal or priority: an emergency .*": "chọn normal hoặc priority: tin khẩn cấp ra lệnh riêng",
    r"planned, .*": "phải hẹn giờ: phát ngay thì ra lệnh riêng",
}
_PATTERNS = [(re.compile(pattern, re.DOTALL), words) for pattern, words in _RULES.items()]


def in_both(rule: str) -> str:
    """The rule, behind what it says in Vietnamese; as it is where a draft's own check has said both."""
    return rule if BOTH in rule else f"{_in_vietnamese(rule)}{BOTH}{rule}"


def _in_vietnamese(rule: str) -> str:
    found = ((pattern.fullmatch(rule), words) for pattern, words in _PATTERNS)
    return next((match.expand(words) for match, words in found if match is not None), WRONG)
