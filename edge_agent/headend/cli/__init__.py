"""The ``edge-agent-headend`` command. Decides which part to run, and how a failure is shown; each part has its file."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence

from edge_agent import terminal
from edge_agent.headend.cli import (
    books,
    certificates,
    codes,
    commands,
    conform,
    keys,
    manifests,
    orders,
    preview,
    remove_station,
    restored,
    say,
    servers,
    trust,
    verify_log,
    week,
)
from edge_agent.headend.cli.options import complain
from edge_agent.headend.drafting import DraftError
from edge_agent.headend.errors import HeadendError
from edge_agent.identity.token_library import TokenError
from edge_agent.software import ShowVersion

EXIT_WELL = 0
EXIT_FAILED = 1
ROOM = "dọn chỗ rồi chạy lại lệnh / make room, then repeat the command"
OWNER = "dùng tài khoản của thư mục / use the account that owns the folder"
READ_ONLY = "ổ đĩa chỉ đọc: cho ghi, hoặc dùng ổ khác / the disk is read-only: let it be written, or take another"
SICK = "ổ đĩa hỏng? sao lưu ngay thư mục này / is the disk failing? back this folder up now"
REMEDIES = {errno.ENOSPC: ROOM, errno.EDQUOT: ROOM, errno.EROFS: READ_ONLY, errno.EACCES: OWNER, errno.EIO: SICK}
EXIT_USAGE = 2
# As argparse does for a wrong option: what was written is wrong, not the world.
EXIT_BROKEN_OFF = 130
# As shells say it of Ctrl-C: no success, or what follows in a script goes on without what was not done.
BROKEN_OFF = (
    "BỎ DỞ, có thể chưa xong: xem lại rồi chạy lại lệnh / BROKEN OFF, perhaps not finished: look, then repeat the "
    "command"
)

PARTS = (
    keys,
    certificates,
    codes,
    remove_station,
    trust,
    say,
    preview,
    orders,
    commands,
    manifests,
    servers,
    week,
    books,
    verify_log,
    restored,
    conform,
)
"""Each adds its commands; ``--help`` lists them in this order."""
DESCRIPTION = """\
Máy chủ trung tâm mẫu: khóa, ký số, gửi lệnh phát, theo dõi trạm loa, báo cáo.
The reference central side: keys, signing, publishing, watching, reporting."""
EPILOG = """\
Thường dùng theo thứ tự / the usual order:
  edge-agent-headend keys init --dir ward --realm demo --area vn/ha-noi/dong-thanh
  edge-agent-headend codes new tram-01 --dir ward --area vn/ha-noi/dong-thanh --server https://mqtt.example.vn:8444
  edge-agent-headend enrolment --dir ward --listen 0.0.0.0:8444 --broker mqtt.example.vn:8883
  edge-agent-headend broker --dir ward --listen 127.0.0.1:8883
  edge-agent-headend content --dir ward --listen 127.0.0.1:8443
  edge-agent-headend watch --dir ward --broker localhost:8883
  edge-agent-headend say "UBND phường họp lúc 7h30 ngày 15/9/2026"
  edge-agent-headend preview --draft ban-tin.toml --out nghe-thu.wav
  edge-agent-headend sign --dir ward --draft ban-tin.toml --key ward-routine --out lenh.json \\
                          --content-url https://localhost:8443
  edge-agent-headend publish --dir ward --envelope lenh.json --broker localhost:8883
  edge-agent-headend order all-stop --dir ward --broker localhost:8883
  edge-agent-headend week --dir ward --broker localhost:8883 --html lich.html
  edge-agent-headend report --records ward/records
  edge-agent-headend trust renew --dir ward --broker localhost:8883
  edge-agent-headend verify-log --dir ward
  edge-agent-headend conform --dir ward --broker localhost:8883 --station tram-01

Mã thoát / exit status: 0 tốt / well, 1 không làm được / could not be done, 2 viết sai / wrong use or draft,
3 chưa chứng minh được gì (verify-log) / nothing is proven, 130 bỏ dở bằng Ctrl-C / broken off."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one task; returns the exit status."""
    terminal.print_on_any()
    args = build_parser().parse_args(argv)
    try:
        return terminal.status_told(lambda: _status_of(args))
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        where = error.filename or getattr(args, "dir", "")
        complain(f"lỗi / error: {where}: {error.strerror}; {REMEDIES[error.errno]}")
        return EXIT_FAILED


def _status_of(args: argparse.Namespace) -> int:
    task: Callable[[argparse.Namespace], int] = args.task
    try:
        return task(args)
    except (HeadendError, TokenError) as error:
        complain(f"lỗi / error: {error}")
        return EXIT_USAGE if isinstance(error, DraftError) else EXIT_FAILED
    except KeyboardInterrupt as stopped:
        if getattr(args, "serves", False):
            return EXIT_WELL  # asked to end, and ended
        print(stopped.args[0] if stopped.args else BROKEN_OFF, file=sys.stderr)
        return EXIT_BROKEN_OFF


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="edge-agent-headend",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=ShowVersion)
    tasks = parser.add_subparsers(required=True, metavar="TASK")
    for part in PARTS:
        part.add(tasks)
    return parser
