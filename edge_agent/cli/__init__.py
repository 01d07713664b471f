"""The ``edge-agent`` command. Decides which part to run; each task is composed in a file of its own."""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent import terminal
from edge_agent.software import ShowVersion

if TYPE_CHECKING:
    from edge_agent.config import Config

CONFIG_FILE = Path("/etc/edge-agent/edge-agent.toml")
EXIT_USAGE = 2
EXIT_CTRL_C = 130
# 128 and the number of SIGINT, as a shell says it of any program.
YEAR_MIN, YEAR_MAX = 2000, 2100
# The days of which anybody may ask: no order is for later.
BAUD_MIN, BAUD_MAX = 300, 4_000_000
# From the slowest modem to the fastest that Linux has a name for (B4000000).


def main(argv: Sequence[str] | None = None) -> int:
    """Run one task; returns the exit status: 0 well, 1 found wrong or not told, 2 wrong use or setting, 130 Ctrl-C."""
    terminal.print_on_any()
    args = _parser().parse_args(argv)
    return terminal.status_told(lambda: _status_of(args))


def _status_of(args: argparse.Namespace) -> int:
    task: Callable[[argparse.Namespace], int] = args.task
    try:
        return task(args)
    except KeyboardInterrupt as stopped:
        print(f"\nđã dừng / stopped{''.join(f': {why}' for why in stopped.args)}", file=sys.stderr)
        return EXIT_CTRL_C


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Trạm loa IP: nhận lệnh phát đã ký số, nạp trước, đóng rơ-le, phát theo lịch, báo nhật ký. "
        "/ The agent of an IP loudspeaker station.",
    )
    parser.add_argument("--version", action=ShowVersion)
    tasks = parser.add_subparsers(required=True, metavar="TASK")
    _add(tasks, "run", _run, "chạy trạm: mạng, lịch phát, nhật ký / the agent: network, core and journal, no device")
    _add(tasks, "io", _io, "tiến trình thiết bị: rơ-le và âm thanh / the device process: relays and sound, no network")
    _add(tasks, "relays-off", _relays_off, "mở mọi rơ-le rồi thoát / open every relay (for systemd's stop hook)")
    _add_json(_add(tasks, "status", _status, "tình trạng trạm / how the station is"))
    _add_day(_add(tasks, "next", _next, "sắp phát gì, khi nào, ở đâu, vì sao không / what plays next, and why not"))
    _add(tasks, "word", _word, "lời máy chủ đã ký cho nhật ký / the server's signed word for the log, for auditors")
    _add(tasks, "doctor", _doctor, "kiểm tra cấu hình và môi trường, nói cách sửa / what is wrong, and what to do")
    _add_enrol(_add(tasks, "enrol", _enrol, "đăng ký trạm bằng mã một lần / become a station, by a one-time code"))
    _add(tasks, "renew", _renew, "gia hạn chứng thư của trạm / get the station's next certificate now")
    reset = _add(tasks, "factory-reset", _factory_reset, "xóa hết khóa và dữ liệu / delete all keys and data")
    reset.add_argument("--yes", action="store_true", help="không hỏi lại / without asking")
    console = _add(tasks, "console", _console, "bảng lệnh cho kỹ thuật viên trên cổng nối tiếp / the serial console")
    console.add_argument("--port", required=True, help="cổng nối tiếp / serial port, e.g. /dev/ttyUSB0")
    console.add_argument("--baud", type=_baud, default=115200, help="tốc độ / line speed (115200)")
    return parser


def _add(
    tasks: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    task: Callable[[argparse.Namespace], int],
    words: str,
) -> argparse.ArgumentParser:
    parser = tasks.add_parser(name, help=words, description=words)
    parser.add_argument("--config", type=Path, default=CONFIG_FILE, help=f"tệp cấu hình / its file ({CONFIG_FILE})")
    parser.set_defaults(task=task)
    return parser


def _add_enrol(parser: argparse.ArgumentParser) -> None:
    told = "nơi cấp mã / where the code is from: https://mqtt.example.vn:8444"
    parser.add_argument("--server", metavar="URL", default="", help=told)
    parser.add_argument("--code", default="", help="mã một lần, bỏ trống: được hỏi / the one-time code; else asked for")
    told = "chứng thư gốc, nếu có trên thẻ / the authority, if it is on the card"
    parser.add_argument("--ca", type=Path, metavar="FILE", help=told)
    told = "chip bảo mật: thư viện PKCS#11 / a secure element: its library (.so)"
    parser.add_argument("--token", type=Path, metavar="MODULE", help=told)
    parser.add_argument("--label", metavar="NAME", default="", help="tên chip / what the secure element is called")
    schemes = ("ecdsa-p256", "ed25519")
    told = f"khóa trong chip / the key in it: {' | '.join(schemes)}"
    parser.add_argument("--scheme", metavar="NAME", default=schemes[0], choices=schemes, help=told)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="cho máy đọc / for machines")


def _add_day(parser: argparse.ArgumentParser) -> None:
    _add_json(parser)
    parser.add_argument(
        "--day", type=_day, metavar="DATE", help="cả ngày: 2026-10-06, hom-nay, ngay-mai / a whole day, today, tomorrow"
    )
    parser.add_argument("--at", type=_wall, metavar="TIME", help="phút đó phát gì: 17:30 / what sounds at that minute")
    parser.add_argument("--zone", default="", help="chỉ một cụm loa / only that zone")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="vẽ cả ngày vào tệp / draw the day into a file")


def _day(text: str) -> date | int:
    """A day, or how many days from today. Another system's keyboard may send letter and accent apart."""
    text = unicodedata.normalize("NFC", text)
    words = {"today": 0, "hom-nay": 0, "hôm-nay": 0, "tomorrow": 1, "ngay-mai": 1, "ngày-mai": 1}
    if text in words:
        return words[text]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not YEAR_MIN <= day.year < YEAR_MAX:
        raise argparse.ArgumentTypeError(f"ngày như 2026-10-06, hom-nay, ngay-mai / a day, today or tomorrow: {text!r}")
    return day


def _wall(text: str) -> time:
    """A minute of the day, as clocks or as people write it."""
    try:
        return datetime.strptime(text.replace("h", ":"), "%H:%M").time()
    except ValueError:
        raise argparse.ArgumentTypeError(f"giờ như 17:30 hoặc 17h30 / a time as 17:30: {text!r}") from None


def _baud(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not BAUD_MIN <= int(text) <= BAUD_MAX:
        raise argparse.ArgumentTypeError(f"tốc độ từ {BAUD_MIN} đến {BAUD_MAX} / a speed within these: {text!r}")
    return int(text)


# Each task imports only what it runs: memory and start-up time are the station's, not the developer's.


def _run(args: argparse.Namespace) -> int:
    from edge_agent.cli import agent

    return _configured(args, agent.run)


def _io(args: argparse.Namespace) -> int:
    from edge_agent.cli import io

    return _configured(args, io.run)


def _relays_off(args: argparse.Namespace) -> int:
    from edge_agent.cli import relays

    return _configured(args, relays.off)


def _status(args: argparse.Namespace) -> int:
    from edge_agent.cli import show

    return _configured(args, lambda config: show.status(config, as_json=args.json))


def _next(args: argparse.Namespace) -> int:
    return _configured(args, lambda config: _next_of(config, args))


def _next_of(config: Config, args: argparse.Namespace) -> int:
    from edge_agent.cli import show

    if show.unknown_zone(config, args.zone):
        return EXIT_USAGE
    if args.day is None and args.at is None and args.svg is None:
        return show.coming(config, as_json=args.json, zone=args.zone)
    from edge_agent.cli import day

    return day.run(config, day.Asked(args.day or 0, args.at, args.zone, as_json=args.json, svg=args.svg))


def _doctor(args: argparse.Namespace) -> int:
    from edge_agent.cli import doctor

    return _configured(args, lambda config: doctor.run(config, args.config))


def _word(args: argparse.Namespace) -> int:
    from edge_agent.cli import word

    return _configured(args, word.run)


def _enrol(args: argparse.Namespace) -> int:
    from edge_agent.cli import identity
    from edge_agent.trust.keys import Scheme

    asked = identity.Asked(args.server, args.code, args.ca, args.token, args.label, Scheme(args.scheme))
    return _configured(args, lambda config: identity.enrol(config, args.config, asked))


def _renew(args: argparse.Namespace) -> int:
    from edge_agent.cli import identity

    return _configured(args, identity.renew)


def _factory_reset(args: argparse.Namespace) -> int:
    from edge_agent.cli import identity

    return _configured(args, lambda config: identity.factory_reset(config, sure=args.yes))


def _console(args: argparse.Namespace) -> int:
    from edge_agent.cli import show

    return _configured(args, lambda config: show.console(config, args.port, args.baud))


def _configured(args: argparse.Namespace, task: Callable[..., int]) -> int:
    """Read the configuration; a mistake in it is told with its line and remedy, all of them at once."""
    from edge_agent.config import ConfigError, load

    try:
        config = load(args.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return task(config)
