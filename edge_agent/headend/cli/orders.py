"""``sign`` and ``publish``: from a draft to an envelope, from an envelope to the broker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_agent.core.reasons import explain
from edge_agent.core.units import StationId
from edge_agent.headend.cli.options import CannotDo, Tasks, add_dir, add_task, add_zone, address, read_file
from edge_agent.headend.composing import compose, expiry_s, topics_of
from edge_agent.headend.content import Shelf
from edge_agent.headend.drafts import read_draft
from edge_agent.headend.files import EVERYBODY_READS, write_durably
from edge_agent.headend.foresight import Foreseen, foresee
from edge_agent.headend.headend import PUBLISH_S, utc_now
from edge_agent.headend.keyring import PUBLISHER_ID, Keyring
from edge_agent.headend.session import Receipt, Session
from edge_agent.headend.signing import add_signature, read_job
from edge_agent.headend.summary import summary
from edge_agent.sync.topics import Down, area_job_topic, down_topic

SIGN_MORE = """\
Bản thảo TOML hoặc JSON / a draft:
  class = "normal"                    # normal | priority | emergency (khẩn cấp)
  areas = ["vn/ha-noi/dong-thanh"]    # và / hoặc stations = ["tram-01"]
  zones = ["c1"]                      # bỏ trống: mọi cụm / empty: every zone
  volume = 70
  [when]                              # bỏ trống: phát ngay / absent: now
  first_day = 2026-10-01
  last_day = 2026-12-31
  weekdays = [1, 2, 3, 4, 5]          # 1 = thứ Hai / Monday
  times = ["05:30", "17:00"]          # hoặc / or: at = 2026-10-06T05:30:00+07:00
  [[items]]
  title = "Bản tin phường"
  approver = "nguoi-duyet-07"
  file = "ban-tin.mp3"                # hoặc / or: text = "…" (trạm tự đọc)
Khẩn cấp cần thêm / an emergency also needs: event = "lu-quet"

Nhiều người ký / several officers: người thứ nhất dùng --draft, người sau dùng --add."""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    _add_sign(tasks)
    _add_publish(tasks)


def _add_sign(tasks: Tasks) -> None:
    parser = add_task(tasks, "sign", _sign, "ký số một lệnh phát / sign an order", SIGN_MORE)
    add_dir(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--draft", type=Path, help="bản thảo / the draft (.toml, .json)")
    source.add_argument("--add", type=Path, help="thêm chữ ký vào lệnh đã ký / one more signature on an envelope")
    parser.add_argument("--key", nargs="+", required=True, help="khóa / keys: ward-routine, ward-emergency-1 …")
    parser.add_argument("--out", type=Path, required=True, help="tệp lệnh đã ký / where the envelope goes")
    parser.add_argument("--content-dir", type=Path, help="nơi đặt tệp âm thanh / where audio is put (DIR/content)")
    parser.add_argument("--content-url", help="địa chỉ trạm tải âm thanh / where stations fetch it: https://host:port")
    add_zone(parser)


def _add_publish(tasks: Tasks) -> None:
    words = "gửi lệnh phát đã ký đến trạm loa / publish a signed order"
    parser = add_task(tasks, "publish", _publish, words, "Không có nơi nhận: gửi theo vùng phát trong lệnh.")
    add_dir(parser)
    parser.add_argument("--envelope", type=Path, required=True, help="tệp lệnh đã ký / the envelope")
    parser.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--station", help="chỉ một trạm / one station only")
    where.add_argument("--area", help="một địa bàn / one area: vn/ha-noi/dong-thanh")
    where.add_argument("--topic", help="chủ đề MQTT / any MQTT topic")


def _sign(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    if args.add is not None:
        envelope = read_file(args.add, "--add")
        for name in args.key:
            envelope = add_signature(envelope, keyring.signer(name))
    else:
        shelf = Shelf(args.content_dir or args.dir / "content", args.content_url) if args.content_url else None
        draft = read_draft(args.draft)
        envelope = compose(keyring, draft, args.key, shelf, utc_now(), args.draft.parent)[1]
    _write(args.out, envelope)
    job = read_job(envelope)
    print(summary(job, args.timezone), end="")
    print(f"đã ký số / signed: {args.out}")
    _warn(foresee(keyring.trust, keyring.stations, job, envelope, args.timezone.key))
    return 0


def _warn(foreseen: Foreseen) -> None:
    """On stderr, and no failure: the second officer may still be to come, or the station still to be enrolled."""
    if not foreseen.addressed:
        print(
            "chú ý / note: không trạm nào đã đăng ký ở vùng phát này / no enrolled station is addressed",
            file=sys.stderr,
        )
    for station, reason, detail in foreseen.refusals:
        print(f"chú ý / note: trạm {station} sẽ từ chối / will refuse: {explain(reason)}: {detail}", file=sys.stderr)


def _write(path: Path, envelope: bytes) -> None:
    try:
        write_durably(path, envelope, EVERYBODY_READS)
    except OSError as error:
        raise CannotDo(f"--out {path}: cannot be written ({error.strerror})") from error


def _publish(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    envelope = read_file(args.envelope, "--envelope")
    job = read_job(envelope)
    topics = _topics(args) or topics_of(job)
    expiry = expiry_s(job, utc_now())
    identity = keyring.client(PUBLISHER_ID)
    session = Session(args.broker, keyring.authority_path, identity, PUBLISHER_ID, lambda _: None)
    session.start()
    try:
        receipts = [(topic, session.deliver(topic, envelope, expiry, PUBLISH_S)) for topic in topics]
    finally:
        session.stop()
    for topic, receipt in receipts:
        print(f"{job.job_id} → {topic}: {_told(receipt)}")
    return 0 if any(receipt is Receipt.TAKEN for _, receipt in receipts) else 1


def _topics(args: argparse.Namespace) -> tuple[str, ...]:
    try:
        if args.station is not None:
            return (down_topic(StationId(args.station), Down.JOB),)
        if args.area is not None:
            return (area_job_topic(args.area),)
    except ValueError as error:
        raise CannotDo(f"--station, --area: {error}") from error
    return () if args.topic is None else (args.topic,)


def _told(receipt: Receipt) -> str:
    if receipt is Receipt.NOBODY_LISTENS:
        return "không trạm nào đang nhận / taken, but no station listens there: gửi lại khi trạm có kết nối"
    return "máy chủ đã nhận / taken by the broker; trạm trả lời ở `watch`"
