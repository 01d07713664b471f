"""``sign`` and ``publish``: from a draft to an envelope, from an envelope to the broker."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.core.job import Job
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.cli.admitting import why_not_noted
from edge_agent.headend.cli.draft_examples import SIGN_MORE
from edge_agent.headend.cli.manifests import add_content_dir, renewed
from edge_agent.headend.cli.options import (
    CannotDo,
    Tasks,
    add_dir,
    add_task,
    add_words,
    add_zone,
    address,
    content_url,
    note,
    read_words,
    refuse_a_source,
    write_file,
)
from edge_agent.headend.cli.say import show_spoken
from edge_agent.headend.cli.shown import of_file, read_before_signing, show_order, shows_receipts, warn
from edge_agent.headend.composing import compose, expiry_s, topics_of
from edge_agent.headend.content import Shelf
from edge_agent.headend.dispatch import sending
from edge_agent.headend.drafting import DraftError, read_draft
from edge_agent.headend.drafts import kind_of_draft
from edge_agent.headend.errors import HeadendError, KeyringError
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.handed import read_envelope
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import can_sign
from edge_agent.headend.never_due import never_due
from edge_agent.headend.noting import Noting, noted, unnoted
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.signing import add_signature, read_order
from edge_agent.sync.topics import Down, area_job_topic, down_topic

_DRAFT_ONLY = (
    ("--content-dir", "content_dir"),
    ("--content-url", "content_url"),
    ("--abbreviations", "abbreviations"),
    ("--as-written", "as_written"),
)
DRAFT_ONLY = (
    "chỉ đi với --draft; lệnh đã ký thì giữ nguyên, bỏ tùy chọn này khi --add / only with --draft: what is signed "
    "already stays; leave it out with --add"
)
FORCE = (
    "gửi cả lệnh mà trạm sẽ từ chối, không ghi gì về lệnh đó (số, bản kê) / send also what stations will refuse, and "
    "note nothing of it: no serial, no manifest"
)
NOT_SENT = "chưa gửi, chưa ghi gì / not sent, nothing is noted; `--force` vẫn gửi, không ghi / sends it, unnoted"
NOT_NOTED = "số của lệnh chưa ghi lại, gửi lại sau khi dọn chỗ / its number is not noted; publish it again with room"
FOR_ALL = (
    "lệnh vẫn là của cả vùng phát đã ký, trạm khác nhận qua bản kê / it is still for its whole audience: the other "
    "stations get it by the manifests"
)
UNKNOWN = (
    "không có trong sổ lệnh đã gửi, xem lại mã: trạm không đính chính điều chưa phát ở đó / not in the book of "
    "published orders, is the id right? No station corrects what it has not played"
)
"""A correction of a wrong id is refused as of what was never played there; and the right one sounds on."""
ITS_AUDIENCE = "Không có nơi nhận: gửi theo vùng phát trong lệnh / with none of these: to the audience of the order."
SIGN_WORDS = "ký số một lệnh: lệnh phát, quy chế, trường hợp đặc biệt, lệnh điều khiển / sign an order of any kind"


def add(tasks: Tasks) -> None:
    """Add the commands."""
    _add_sign(tasks)
    _add_publish(tasks)


def _add_sign(tasks: Tasks) -> None:
    parser = add_task(tasks, "sign", _sign, SIGN_WORDS, SIGN_MORE)
    add_dir(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--draft", type=Path, help="bản thảo / the draft (.toml, .json)")
    source.add_argument("--add", type=Path, help="thêm chữ ký vào lệnh đã ký / one more signature on an envelope")
    parser.add_argument("--key", nargs="+", required=True, help="khóa / keys: ward-routine, ward-policy …")
    parser.add_argument("--out", type=Path, required=True, help="tệp lệnh đã ký / where the envelope goes")
    parser.add_argument("--content-dir", type=Path, help="nơi đặt tệp âm thanh / where audio is put (DIR/content)")
    parser.add_argument(
        "--content-url",
        type=content_url,
        help="địa chỉ trạm tải âm thanh / where stations fetch it: https://host:port",
    )
    add_words(parser)
    add_zone(parser)


def _add_publish(tasks: Tasks) -> None:
    words = "gửi lệnh đã ký đến trạm loa / publish a signed order"
    parser = add_task(tasks, "publish", _publish, words, ITS_AUDIENCE)
    add_dir(parser)
    parser.add_argument("--envelope", type=Path, required=True, help="tệp lệnh đã ký / the envelope")
    parser.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    parser.add_argument("--force", action="store_true", help=FORCE)
    add_content_dir(parser)
    add_zone(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--station", help="chỉ một trạm / one station only")
    where.add_argument("--area", help="một địa bàn / one area: vn/ha-noi/dong-thanh")
    where.add_argument("--topic", help="chủ đề MQTT / any MQTT topic")


def _sign(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    if args.add is not None:
        _refuse_what_only_a_draft_needs(args)
        envelope = read_envelope(args.add, "--add")
        with of_file("--add", args.add):
            before = read_order(envelope)
        _check_out(args.out)
        with read_before_signing():
            _show(before, args.timezone)
        for name in args.key:
            envelope = add_signature(envelope, keyring.signer(name), name)
    else:
        shelf = Shelf(args.content_dir or args.dir / "content", args.content_url) if args.content_url else None
        draft = read_draft(args.draft)
        refuse_a_source(args.out, "--out", (args.draft, args.abbreviations))
        _check_out(args.out)
        keyring.signers(args.key, kind_of_draft(draft))  # PINs first: what is to sound now is dated when it is made
        envelope = compose(keyring, draft, args.key, shelf, utc_now(), args.draft.parent, read_words(args))[1]
    write_file(args.out, envelope, "--out")
    order = read_order(envelope)
    if args.add is None:
        _show(order, args.timezone)
    print(f"đã ký số / signed: {args.out}")
    warn(keyring, order, envelope, args.timezone)
    return 0


def _check_out(out: Path) -> None:
    """Only an order is written over, or what nobody has written yet: a key, a trust file would be gone."""
    if not (out.exists() and out.stat().st_size):
        return
    try:
        read_order(read_envelope(out, "--out"))
    except HeadendError as error:
        told = "đã có, không phải lệnh đã ký; chọn tên khác / exists, and is no signed order; take another name"
        raise CannotDo(f"--out {out}: {told}") from error


def _show(order: Given, zone: ZoneInfo) -> None:
    show_order(order, zone)
    show_spoken(order)


def _refuse_what_only_a_draft_needs(args: argparse.Namespace) -> None:
    for option, given in _DRAFT_ONLY:
        if getattr(args, given):
            raise DraftError(option, DRAFT_ONLY)


def _publish(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    envelope = read_envelope(args.envelope, "--envelope")
    with of_file("--envelope", args.envelope):
        order, now = read_order(envelope), utc_now()
    if args.force:
        return _send(args, keyring, envelope, now, unnoted())
    outbox = Outbox(args.dir / "orders")
    expiry_s(order, now)  # what is over takes nothing back any more
    why_not = why_not_noted(keyring, order, envelope, args.timezone)
    if why_not is not None:
        raise CannotDo(f"{why_not}; {NOT_SENT}")
    outbox.check(envelope, now)
    for told in _notes(args, keyring, order, outbox, now):
        note(told)
    _note_serial(keyring, order, envelope)
    noting = noted(keyring, outbox, envelope, now, lambda: renewed(keyring, args.content_dir))
    return _send(args, keyring, envelope, now, noting)


def _notes(args: argparse.Namespace, keyring: Keyring, order: Given, outbox: Outbox, now: UtcMs) -> Iterator[str]:
    """What its officer may not expect: it may be long since it was signed, and by somebody else."""
    yield from never_due(order, now, args.timezone)
    wrong = order.corrects if isinstance(order, Job) else ""
    if wrong and outbox.find(wrong, now) is None and outbox.entry(wrong, now) is None:
        yield f"corrects: {wrong}: {UNKNOWN}"
    if can_sign(keyring) and set(_topics(args) or topics_of(order)) != set(topics_of(order)):
        yield FOR_ALL


def _note_serial(keyring: Keyring, order: Given, envelope: bytes) -> None:
    """A book that cannot be written keeps no order from going out."""
    try:
        keyring.note_order(envelope, heading_of(order).issuer, heading_of(order).serial)
    except KeyringError as error:
        note(error)
    except OSError as error:
        note(f"{error.filename}: {error.strerror}; {NOT_NOTED}")


def _send(args: argparse.Namespace, keyring: Keyring, envelope: bytes, now: UtcMs, noting: Noting) -> int:
    tell = shows_receipts(read_order(envelope))
    with sending(keyring, args.broker, envelope, now, noting, tell, _topics(args)) as sent:
        return 0 if sent.taken else 1


def _topics(args: argparse.Namespace) -> tuple[str, ...]:
    try:
        if args.station is not None:
            return (down_topic(StationId(args.station), Down.JOB),)
        if args.area is not None:
            return (area_job_topic(args.area),)
    except ValueError as error:
        raise CannotDo(f"--station, --area: tên viết sai / {error}") from error
    return () if args.topic is None else (args.topic,)
