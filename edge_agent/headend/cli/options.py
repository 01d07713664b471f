"""Options that several commands share, and how they are read. Each message names the option and what would be right."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_agent.console.words import printable
from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.session import BrokerAddress
from edge_agent.identity.address import NoAddress, read_address
from edge_agent.spoken.own import NO_OWN_WORDS, read_own
from edge_agent.spoken.table import Table, TableError
from edge_agent.trust.timetable import ZONE_NAME

PORT_MAX = 65_535
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"

Tasks: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Task = Callable[[argparse.Namespace], int]


class CannotDo(HeadendError):
    """A file cannot be read or written."""


def add_task(tasks: Tasks, name: str, task: Task, words: str, more: str = "") -> argparse.ArgumentParser:
    """A subcommand; ``more`` follows its options in ``--help``."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = tasks.add_parser(name, help=words, description=words, epilog=more, formatter_class=layout)
    parser.set_defaults(task=task)
    return parser


def add_dir(parser: argparse.ArgumentParser) -> None:
    """``--dir``: the keyring."""
    parser.add_argument(
        "--dir", type=Path, required=True, help="thư mục khóa và danh sách trạm / what `keys init` made"
    )


def add_yes(parser: argparse.ArgumentParser, told: str) -> None:
    """``--yes``: somebody has looked, and means it."""
    parser.add_argument("--yes", action="store_true", help=told)


def add_zone(parser: argparse.ArgumentParser) -> None:
    """``--timezone``: how instants are shown."""
    parser.add_argument(
        "--timezone",
        type=timezone,
        default=ZoneInfo(DEFAULT_ZONE),
        help=f"múi giờ hiển thị / zone of shown times ({DEFAULT_ZONE})",
    )


def add_abbreviations(parser: argparse._ActionsContainer) -> None:
    """``--abbreviations``: how a province writes short; see ``own_words``."""
    parser.add_argument(
        "--abbreviations", type=Path, metavar="FILE", help="bảng chữ viết tắt của tỉnh / the province's table (.toml)"
    )


def add_words(parser: argparse.ArgumentParser) -> None:
    """How the texts of a draft are put into words, see ``read_words``."""
    words = parser.add_mutually_exclusive_group()
    add_abbreviations(words)
    words.add_argument(
        "--as-written", action="store_true", help="cả lời không đọc được / also a text that cannot be read"
    )


def read_words(args: argparse.Namespace) -> Table | None:
    """By the province's table; None: as they are written."""
    return None if args.as_written else own_words(args.abbreviations)


def own_words(path: Path | None) -> Table:
    """The table in that file, or none. Raises CannotDo with field and remedy."""
    if path is None:
        return NO_OWN_WORDS
    try:
        return read_own(read_file(path, "--abbreviations").decode())
    except TableError as error:
        raise CannotDo(f"--abbreviations {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise CannotDo(f"--abbreviations {path}: tệp phải là UTF-8 / {error}") from error


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: for machines."""
    parser.add_argument("--json", action="store_true", help="cho máy đọc / for machines")


def address(text: str) -> BrokerAddress:
    """``HOST:PORT``."""
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: viết máy chủ:cổng / write HOST:PORT, e.g. localhost:8883")
    return BrokerAddress(host.strip("[]"), int(port))


def content_url(text: str) -> str:
    """``https://HOST:PORT``, as stations will dial it: what is wrong with it is heard of when nothing sounds."""
    try:
        read_address(text)
    except NoAddress as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: địa chỉ phải như / an address such as https://mqtt.example.vn:8443"
        ) from error
    return text


def several(text: str) -> list[str]:
    """Names joined by commas, so that no option swallows what is written after it; at least one."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise argparse.ArgumentTypeError(
            f"{text!r}: viết các tên, cách nhau bằng dấu phẩy / write names, joined by commas"
        )
    return words


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r}: số nguyên từ {least} đến {most} / a whole number from {least} to {most}"
            )
        return int(text)

    return read


def day(text: str) -> date:
    """``2026-10-06``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: viết ngày như / write a day as 2026-10-06") from error


def timezone(text: str) -> ZoneInfo:
    """``Asia/Ho_Chi_Minh``."""
    remedy = f"{text!r}: viết múi giờ như / write a time zone as {DEFAULT_ZONE}"
    if ZONE_NAME.pattern.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(remedy)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(remedy) from error


def read_file(path: Path, option: str) -> bytes:
    """A file named on the command line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotDo(f"{option} {path}: không đọc được / cannot be read ({error.strerror})") from error


def refuse_a_source(out: Path, option: str, sources: Iterable[Path | None]) -> None:
    """A slip of the pen must not write a result over the draft, the names or the recording that it is made from."""
    if out.exists() and any(source is not None and out.samefile(source) for source in sources):
        raise CannotDo(
            f"{option} {out}: là tệp đang được đọc, chọn tên khác / is what this is made from; name another file"
        )


def write_file(path: Path, content: bytes, option: str) -> None:
    """A file named on the command line, for everybody to read."""
    try:
        write_durably(path, content, EVERYBODY_READS)
    except OSError as error:
        raise CannotDo(f"{option} {path}: không ghi được / cannot be written ({error.strerror})") from error


def note(told: object) -> None:
    """On stderr, and no failure: what its officer may not expect."""
    complain(f"chú ý / note: {told}")


def complain(told: str) -> None:
    """On stderr. What files are called, and what stands in them, may be somebody else's: nothing moves a cursor."""
    print("\n".join(map(printable, told.splitlines())), file=sys.stderr)


def end_at_sigterm() -> None:
    """Let a service manager's SIGTERM end a command as Ctrl-C does: properly, from the main thread."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
