"""Which commands ``order`` knows: how each is called and explained, its arguments, and what they say in a draft."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.headend.cli.options import day
from edge_agent.headend.headend import utc_now
from edge_agent.headend.rule_words import BY_ZONE
from edge_agent.headend.words import local
from edge_agent.trust.commands import ALL_STOP_S_MAX, What

ALL_STOP_MINUTES = ALL_STOP_S_MAX // 60

Draft = dict[str, object]


@dataclass(frozen=True, slots=True)
class Action:
    """A subcommand: how it is called and explained, its own arguments, and what they say in a draft.

    ``means_all``: with no audience it is for everybody whom the key may order.
    """

    name: str
    words: str
    add: Callable[[argparse.ArgumentParser], None]
    draft: Callable[[argparse.Namespace], Draft]
    means_all: bool = False

    @property
    def by_zone(self) -> bool:
        """Whether it may be for some zones of a station only."""
        return What(self.name.replace("-", "_")) in BY_ZONE


def _nothing(_parser: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def _no_draft(_args: argparse.Namespace) -> Draft:
    return {}


def _number(text: str) -> int | str:
    """What is none goes into the draft as it stands, which is judged, and told with what would be right, like any."""
    try:
        return int(text)
    except ValueError:
        return text


def _minutes(default: int | None = None) -> Callable[[argparse.ArgumentParser], None]:
    def add_minutes(parser: argparse.ArgumentParser) -> None:
        shown = "" if default is None else f" ({default})"
        words = f"bao nhiêu phút / for how many minutes{shown}"
        parser.add_argument("--minutes", type=_number, required=default is None, default=default, help=words)

    return add_minutes


def _for_minutes(args: argparse.Namespace) -> Draft:
    return {"for_minutes": args.minutes}


def _add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="mã lệnh bị hủy / the order's id")
    parser.add_argument("--job-envelope", type=Path, help="tệp lệnh đó, nếu không gửi từ đây / its envelope")
    parser.add_argument("--records", type=Path, help="nơi `watch` lưu nhật ký / where records are (DIR/records)")


def _target(args: argparse.Namespace) -> Draft:
    return {"target": args.target}


def _add_volume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("volume", type=_number, help="âm lượng tối đa / the ceiling, 0–100")


def _add_amplifier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("switch", choices=("on", "off"), help="on: bật, off: tắt")
    _minutes()(parser)


def _add_rank(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job_ids", nargs="+", help="các lệnh phát, lệnh phát trước đứng trước / the first one first")


def _add_choose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="mã bản tin được chọn / the offered job's id")
    parser.add_argument("--at", help="2026-10-06T05:30:00+07:00; bỏ trống: phát ngay / absent: now")


def _add_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=day, help="ngày nào, bỏ trống: hôm nay / absent: today; 2026-10-06")


def _asked(args: argparse.Namespace) -> Draft:
    zone: ZoneInfo = args.timezone
    return {"day": args.day or local(utc_now(), zone).date()}


ACTIONS = (
    Action("cancel", "hủy một lệnh / cancel an order", _add_cancel, _target, means_all=True),
    Action("stop", "dừng phát / stop what sounds; lịch phát vẫn giữ", _nothing, _no_draft),
    Action(
        "all-stop",
        "DỪNG PHÁT TOÀN BỘ, kể cả tin khẩn cấp đã gửi / stop everything that was issued before",
        _minutes(ALL_STOP_MINUTES),
        _for_minutes,
        means_all=True,
    ),
    Action("lock", "khóa bảo trì cụm loa / lock zones: somebody is up at the horns", _minutes(), _for_minutes),
    Action("pause", "tạm dừng phát / hold what sounds", _minutes(), _for_minutes),
    Action("resume", "phát tiếp / go on", _nothing, _no_draft),
    Action("next-item", "chuyển sang bản tin kế tiếp / go on with the next item", _nothing, _no_draft),
    Action(
        "volume",
        "giới hạn âm lượng từ nay / a ceiling from now on",
        _add_volume,
        lambda args: {"volume": args.volume},
    ),
    Action(
        "amplifier",
        "bật, tắt tăng âm / switch amplifiers",
        _add_amplifier,
        lambda args: {"on": args.switch == "on", **_for_minutes(args)},
    ),
    Action("self-test", "tự kiểm tra rơ-le, không ra tiếng / test relays in silence", _nothing, _no_draft),
    Action(
        "restart",
        "khởi động lại phần mềm trạm / restart the station's software",
        _nothing,
        _no_draft,
    ),
    Action(
        "rank",
        "đặt thứ tự phát / set the order among jobs that wait",
        _add_rank,
        lambda args: {"job_ids": list(args.job_ids)},
    ),
    Action(
        "choose",
        "chọn phát bản tin được gửi đến / play an offered item",
        _add_choose,
        lambda args: {"target": args.target, "when": {"at": args.at} if args.at else "now"},
    ),
    Action("ask", "hỏi lịch phát một ngày / ask what will play on a day", _add_ask, _asked),
)
