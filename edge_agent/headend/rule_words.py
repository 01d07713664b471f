"""Vietnamese words for the ward's policy, dated windows and commands, and for what became of them. Pure.

A record tells a rule in one line of ``name=value`` (``lock zones=c1 for_ms=7200000``): what of it is known here is put
into words, the rest is left out, since the order itself says it whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import WORDS_VI, Reason
from edge_agent.core.state import Tested
from edge_agent.headend.words import PHASES, duration
from edge_agent.trust.commands import What

SILENCE, EXCEPTION, REGULATION, TIMETABLE = "silence", "exception", "regulation", "timetable"
WHATS = {
    What.CANCEL: "Hủy lệnh",
    What.STOP: "Dừng phát",
    What.PAUSE: "Tạm dừng phát",
    What.RESUME: "Phát tiếp",
    What.NEXT_ITEM: "Chuyển sang bản tin kế tiếp",
    What.VOLUME: "Giới hạn âm lượng",
    What.AMPLIFIER: "Tăng âm",
    What.RESTART: "Khởi động lại phần mềm trạm",
    What.SELF_TEST: "Tự kiểm tra rơ-le",
    What.ALL_STOP: "DỪNG PHÁT TOÀN BỘ",
    What.LOCK: "Khóa bảo trì",
    What.RANK: "Đặt thứ tự phát",
    What.CHOOSE: "Chọn phát bản tin",
    What.ASK: "Hỏi lịch phát",
}
RECORDED = {
    # A record has the names of the core's types, without a sign between their words; only a self-test has its own.
    **{what.value.replace("_", ""): what for what in What},
    "setvolume": What.VOLUME,
    "amplify": What.AMPLIFIER,
    "self_test": What.SELF_TEST,
}
KINDS = {
    REGULATION: "Quy chế",
    EXCEPTION: "Trường hợp đặc biệt được phép phát",
    SILENCE: "Tạm ngừng phát",
    TIMETABLE: "Lịch phát",
    **{kind: WHATS[what] for kind, what in RECORDED.items()},
}
AT_ONCE = frozenset({"stop", "resume", "nextitem", "restart", "selftest", "self_test", "ask"})
"""Done when its record says ``succeeded``; the others hold from then on, until a record says that they are over."""
OF_NO_ZONE = frozenset({What.CANCEL, What.RANK, What.CHOOSE, What.ASK, What.RESTART})
"""About orders, or about the station's software: of zones nothing is said."""
BY_ZONE = frozenset(What) - OF_NO_ZONE - {What.ALL_STOP}
"""Obeyed in the zones of their audience. All others reach the whole station, whichever zones are named."""
ENDS = {
    Phase.EXPIRED: "hết hiệu lực",
    Phase.CANCELLED: "đã hủy",
    Phase.SUPERSEDED: "đã được thay thế",
}
TESTED: Mapping[str, str] = {
    Tested.OK: "tốt",
    Tested.RELAY_FAILED: "rơ-le không đóng hoặc không mở lại được",
    Tested.BUSY: "đang dùng (chưa kiểm tra)",
    Tested.RESTING: "rơ-le vừa mở (chưa kiểm tra)",
    Tested.DEVICE_FAILED: WORDS_VI[Reason.DEVICE_FAILED],
    Tested.ZONE_LOCKED: WORDS_VI[Reason.ZONE_LOCKED],
}
MILLISECONDS = re.compile(r"[0-9]{1,16}")
# As many digits as an integer of any order may have (``strict_json.INTEGER_MAX``): more are no length of time.
_VALUE = re.compile(r"(\w+)=((?<=number=).*(?= dated=)|(?<=basis=).*|\S+)")
# Somebody's own words: a paper's number goes on to its date, a basis to the end. What they say is no value of ours.


def in_zones(zones: str) -> str:
    """cụm loa c1, c2 — or every one."""
    return f"cụm loa {zones.replace(',', ', ')}" if zones not in ("", "all") else "mọi cụm loa"


def obeyed_in(what: What | None, zones: str) -> str:
    """The zones in which a command is obeyed, of those that it names; None: anything that is no command."""
    return in_zones(zones if what is None or what in BY_ZONE else "")


def of_record(detail: str) -> str:
    """Khóa bảo trì cụm loa c1, 2 giờ."""
    kind, _, rest = detail.partition(" ")
    words = KINDS.get(kind, detail)
    if kind == "self_test":
        return f"{words}: {', '.join(map(_tested, rest.split())) or 'không có cụm loa nào'}"
    values, what = dict(_VALUE.findall(rest)), RECORDED.get(kind)
    if what in OF_NO_ZONE:
        return f"{words} {values.get('target', values.get('day', ''))}".rstrip()
    whose = obeyed_in(what, values["zones"]) if "zones" in values else values.get("name", "")
    return f"{words} {whose}".rstrip() + "".join(f", {value}" for value in _values(values))


def _tested(zone_and_seen: str) -> str:
    """c1=relay_failed: what it says in words; a newer station's word as it stands."""
    zone, _, seen = zone_and_seen.partition("=")
    return f"{zone} {TESTED.get(seen, seen)}"


def became(detail: str, outcome: Phase) -> str:
    """What a record of a rule says of it: that it holds, is done, or is over."""
    if outcome is Phase.SUCCEEDED:
        return "đã thực hiện" if detail.partition(" ")[0] in AT_ONCE else "có hiệu lực"
    return ENDS.get(outcome, PHASES[outcome])


def _values(values: Mapping[str, str]) -> list[str]:
    told = [f"{words} {values[name]}" for name, words in _TOLD.items() if name in values]
    if "on" in values:
        told.append("bật" if values["on"] == "True" else "tắt")
    if MILLISECONDS.fullmatch(values.get("for_ms", "")):
        told.append(duration(int(values["for_ms"])))
    return told


_TOLD = {"number": "số", "version": "phiên bản", "entries": "số mục", "volume": "tối đa"}
