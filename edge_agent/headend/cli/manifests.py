"""``manifests``: bring the manifests on the content server's shelf up to date, once; ``watch`` does it by itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.headend.cli.options import CannotDo, Tasks, add_dir, add_task
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import can_sign, renew

NO_ROLE = (
    "trust.json chưa có vai trò ký bản kê / has no role for heads: this network was made before there were manifests"
)


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "cập nhật bản kê lệnh còn hiệu lực / renew the manifests of what is in force"
    more = "`publish`, `order` và `watch` tự làm việc này / do this by themselves."
    parser = add_task(tasks, "manifests", _manifests, words, more)
    add_dir(parser)
    add_content_dir(parser)


def add_content_dir(parser: argparse.ArgumentParser) -> None:
    """Where the content server's files lie."""
    parser.add_argument("--content-dir", type=Path, help="nơi đặt tệp của máy chủ HTTPS / the shelf (DIR/content)")


def renewed(keyring: Keyring, content_dir: Path | None, *, anew: bool = False) -> tuple[str, ...]:
    """Bring them up to date, if this network has manifests at all; ``anew`` in a new epoch."""
    shelf = content_dir or keyring.directory / "content"
    return renew(keyring, shelf, utc_now(), anew=anew) if can_sign(keyring) else ()


def _manifests(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    if not can_sign(keyring):
        raise CannotDo(NO_ROLE)
    fresh = renewed(keyring, args.content_dir)
    for scope in fresh:
        print(f"mới / new: {scope}")
    print(f"{len(fresh)} bản kê mới / new manifests")
    return 0
