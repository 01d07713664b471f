"""``trust list``, ``renew``, ``replace``: the trust documents of a network, and the ceremonies that sign new ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.ceremonies import holders_of, renew, replace_key
from edge_agent.headend.cli.keys import add_where_keys_lie, wish_of
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_zone, address
from edge_agent.headend.cli.shown import BROKER_SAID
from edge_agent.headend.dispatch import talking
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.headend import utc_now
from edge_agent.headend.key_folder import RETIRED, prepare
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.telling import EXPIRES_SOON_MS
from edge_agent.headend.words import day_and_hour
from edge_agent.sync.topics import area_job_topic
from edge_agent.trust.bundle import read_document
from edge_agent.trust.chain import Held
from edge_agent.trust.documents import ROOT
from edge_agent.trust.keys import PublicKey

EXPIRY_S = 3_600
# Whoever connects later is sent what he lacks.
SHOWN_ROOT = "root"
"""How the root is called on the command line: it has no area."""
RENEW_MORE = """\
Văn bản của tỉnh, xã hết hạn sau 90 ngày, của gốc sau 800 ngày. Quá hạn 30 ngày, trạm chỉ còn phát tin khẩn cấp.
Không có --broker: trạm nhận ở lần chào `watch` kế tiếp / without it stations take them at their next hello to `watch`.
Documents of areas expire after 90 days, the root's after 800; 30 days later stations sound emergencies only."""
REPLACE_MORE = """\
Dùng ngay khi khóa hoặc thiết bị ký số bị mất, bị lộ. Lệnh đã ký bằng khóa cũ hết hiệu lực ngay khi trạm nhận được.
For a key or a token that is lost or stolen: what the old key has signed is over as soon as a station hears of it."""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "văn bản ủy quyền: xem, gia hạn, thay khóa / trust documents: list, renew, replace a key"
    parser = tasks.add_parser("trust", help=words, description=words)
    of_trust = parser.add_subparsers(required=True, metavar="WHAT")
    listing = add_task(of_trust, "list", _list, "văn bản nào, hết hạn khi nào / which documents, and until when")
    add_dir(listing)
    add_zone(listing)
    renewing = add_task(of_trust, "renew", _renew, "ký phiên bản mới với thời hạn mới / sign anew", RENEW_MORE)
    add_dir(renewing)
    add_zone(renewing)
    renewing.add_argument(
        "--area",
        action="append",
        default=[],
        help=f"địa bàn, hoặc {SHOWN_ROOT}; bỏ trống: mọi địa bàn / an area, or {SHOWN_ROOT}; absent: every area",
    )
    words = "thay một khóa bằng khóa mới / a new key for another"
    replacing = add_task(of_trust, "replace", _replace, words, REPLACE_MORE)
    add_dir(replacing)
    add_zone(replacing)
    for ceremony in (renewing, replacing):
        ceremony.add_argument("--broker", type=address, help="gửi ngay cho trạm / send them at once: HOST:PORT")
    replacing.add_argument("--key", required=True, help="khóa bị mất, bị lộ / the lost or stolen key: ward-routine-1")
    add_where_keys_lie(replacing)


def _list(args: argparse.Namespace) -> int:
    keyring, now = Keyring(args.dir), utc_now()
    for held in keyring.chain.standing:
        print(_told(held, args, now))
    return 0


def _renew(args: argparse.Namespace) -> int:
    keyring, now = Keyring(args.dir), utc_now()
    before = len(keyring.documents)
    areas = [ROOT if area == SHOWN_ROOT else area for area in args.area]
    for area in areas or [held.document.area for held in keyring.chain.standing if held.document.area != ROOT]:
        renew(keyring, area, now)
        print(f"đã ký / signed: {_told(keyring.chain.newest[area], args, now)}")
    return _send(args, keyring, keyring.documents[before:])


def _replace(args: argparse.Namespace) -> int:
    keyring, now = Keyring(args.dir), utc_now()
    before = len(keyring.documents)
    role = args.key.rpartition("-")[0]
    old, name = _public(keyring, args.key, role), _next_name(keyring, role)
    made = prepare([name], wish_of(args))(keyring.directory / "keys", name)
    for area in replace_key(keyring, old, made.public, now):
        print(f"đã ký / signed: {_told(keyring.chain.newest[area], args, now)}")
    if args.key in keyring.keys.names():
        keyring.keys.retire(args.key)
    print(f"{args.key} → {name}; khóa cũ đã chuyển vào / the old key was moved to keys/{RETIRED}")
    return _send(args, keyring, keyring.documents[before:])


def _send(args: argparse.Namespace, keyring: Keyring, documents: Sequence[bytes]) -> int:
    """To whoever is there; the others take them at their next hello."""
    if args.broker is None:
        return 0
    with talking(keyring, args.broker) as talk:
        for envelope in documents:
            area = read_document(envelope).area
            tops = {enrolled.area.partition("/")[0] for enrolled in keyring.stations.values()}
            topics = [area_job_topic(one) for one in ([area] if area else sorted(tops))]
            for topic, receipt in talk.publish(topics, envelope, EXPIRY_S):
                print(f"{area or SHOWN_ROOT} → {topic}: {BROKER_SAID[receipt]}")
    return 0


def _next_name(keyring: Keyring, role: str) -> str:
    """The next number of its role: one that is gone is not given out again."""
    named = [*keyring.keys.of_role(role), *(path.stem for path in (keyring.keys.directory / RETIRED).glob(f"{role}-*"))]
    numbers = [int(number) for name in named if (number := name.rpartition("-")[2]).isdigit()]
    return f"{role}-{max(numbers, default=1) + 1}"


def _public(keyring: Keyring, name: str, role: str) -> PublicKey:
    """The public half of a key that lies here, or of the only one of its role that does not."""
    here = {one: keyring.keys.key(one).public for one in keyring.keys.names()}
    if name in here:
        return here[name]
    gone = holders_of(keyring, role) - set(here.values())
    if len(gone) != 1:
        lost = f"not here, and {len(gone)} keys of {role or name!r} are not"
        raise KeyringError(f"--key {name}: {lost}; restore it from a backup, or name one that is here")
    return next(iter(gone))


def _told(held: Held, args: argparse.Namespace, now: UtcMs) -> str:
    document = held.document
    until, days = day_and_hour(document.expires, args.timezone), (document.expires - now) // DAY_MS
    soon = ", GIA HẠN NGAY / RENEW NOW" if document.expires - now < EXPIRES_SOON_MS else ""
    place = document.area or f"gốc / {SHOWN_ROOT}"
    return f"{place}: phiên bản / version {document.version}, hết hạn / expires {until}, còn {days} ngày / days{soon}"
