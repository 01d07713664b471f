"""``restored``: the folder came back from a backup. What it may not believe any more goes, what it remembers is told.

A code that was used since would let another box in, in its station's place. Everything else that came since cannot be
known here: people compare what is told with their paper, and do the rest again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from edge_agent.core.units import SECOND_MS
from edge_agent.headend import pki
from edge_agent.headend.cli.manifests import add_content_dir, renewed
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_zone
from edge_agent.headend.code_book import CodeBook
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.serials import SERIALS_BEGAN, SERIALS_LEFT
from edge_agent.headend.words import day_and_hour

AGAIN = """\
LÀM LẠI, THEO THỨ TỰ, NHỮNG GÌ CÓ SAU ĐÓ / WHAT CAME AFTER THAT, DO AGAIN, IN THIS ORDER
  1. văn bản ủy quyền: `trust take`, TRƯỚC KHI ký văn bản nào: ký từ bản cũ là trả quyền cho khóa đã thu hồi
     trust documents: `trust take`, BEFORE any is signed: by an old one, a key that was revoked is back
  2. lệnh đã gửi: `publish` lại, trước khi gửi lệnh mới / orders: `publish` them again, before any new one
  3. trạm đã bỏ: `remove-station`; trạm đã đăng ký hay thay máy: `codes new` (`--replace`), và đăng ký lại tại trạm
     stations that were taken off: `remove-station`; that were enrolled, or had a new box: `codes new` (`--replace`),
     and enrol them anew, at the station
  4. chạy lại `watch`, `enrolment`, `content` và `broker` / start these anew"""


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "thư mục vừa khôi phục từ bản sao lưu / the folder came back from a backup"
    more = "Chạy trước mọi lệnh khác / to be run before any other command."
    parser = add_task(tasks, "restored", _restored, words, more)
    add_dir(parser)
    add_content_dir(parser)
    add_zone(parser)


def _restored(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    stations = CodeBook(args.dir).drop_all()
    print(f"đã hủy mọi mã đăng ký, của trạm / every code is taken back, of: {', '.join(stations) or '–'}")
    print(f"bản kê lệnh đánh số lại / manifests counted anew: {len(renewed(keyring, args.content_dir, anew=True))}")
    print("\nTHƯ MỤC NÀY NHỚ ĐẾN / THIS FOLDER REMEMBERS, UP TO")
    for line in _remembers(keyring, args.timezone):
        print(f"  {line}")
    print(f"\n{AGAIN}")
    return 0


def _remembers(keyring: Keyring, zone: ZoneInfo) -> Iterator[str]:
    for held in keyring.chain.standing:
        document = held.document
        epoch = f"kỳ / epoch {document.epoch}, " if document.area else ""
        which = f"{document.area or 'gốc / root'}, {epoch}phiên bản / version {document.version}"
        yield f"văn bản ủy quyền / trust document {which}, {day_and_hour(document.issued_at, zone)}"
    for issuer, serial in sorted(keyring.serials.last().items()):
        # A number follows the clock, unless an order came from somebody who counts otherwise.
        about = day_and_hour(SERIALS_BEGAN + serial * SECOND_MS if serial <= SERIALS_LEFT else None, zone)
        yield f"lệnh sau cùng / the last order: {issuer}, số / serial {serial}, khoảng / about {about}"
    yield f"trạm / stations: {len(keyring.stations)}: {', '.join(sorted(keyring.stations)) or '–'}"
    ended = pki.taken_back(keyring.directory / "pki").values()
    last = day_and_hour(int(max(ended).timestamp()) * SECOND_MS if ended else None, zone)
    yield f"chứng thư đã thu hồi / certificates taken back: {len(ended)}, sau cùng / the last {last}"
