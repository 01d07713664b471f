"""``trust list``, ``renew``, ``replace``, ``send``: the trust documents of a network, and how new ones are signed.

The keys that sign lie in this folder; where they lie with their holders, ``trust_apart`` has the commands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.ceremonies import holders_of, renew, replace_key
from edge_agent.headend.cli import trust_apart
from edge_agent.headend.cli.keys import add_where_keys_lie, warn_of_token, wish_of
from edge_agent.headend.cli.options import CannotDo, Tasks, add_dir, add_task, add_yes, add_zone, address, note
from edge_agent.headend.cli.trust_apart import CLOCK_IS_RIGHT, SHOWN_ROOT
from edge_agent.headend.dispatch import talking
from edge_agent.headend.errors import HeadendError, KeyringError
from edge_agent.headend.headend import utc_now
from edge_agent.headend.key_files import PlainKey
from edge_agent.headend.key_folder import RETIRED, KeyFolder, Wish, beside, prepare, role_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.public_files import fingerprint, names_given, names_known, write_public
from edge_agent.headend.roles import ONLINE
from edge_agent.headend.session import PublishError, Receipt
from edge_agent.headend.telling import EXPIRES_SOON_MS
from edge_agent.headend.trust_drafts import check_replacing, keys_in, signing_beside
from edge_agent.headend.words import day_and_hour
from edge_agent.sync.topics import area_job_topic
from edge_agent.trust.bundle import read_document
from edge_agent.trust.chain import Held
from edge_agent.trust.documents import ROOT
from edge_agent.trust.keys import PublicKey

EXPIRY_S = 3_600
# Whoever connects later is sent what he lacks.
LATER = "trạm vắng mặt nhận ở lần chào `watch` kế tiếp / who is absent takes it at the next hello to `watch`"
SAID = {
    Receipt.TAKEN: "máy chủ đã nhận / taken by the broker",
    Receipt.NOBODY_LISTENS: f"không trạm nào đang nhận / no station listens there; {LATER}",
}
RENEW_MORE = """\
Văn bản của tỉnh, xã hết hạn sau 90 ngày, của gốc sau 800 ngày. Quá hạn 30 ngày, trạm chỉ còn phát tin khẩn cấp.
Không có --broker: trạm nhận ở lần chào `watch` kế tiếp / without it stations take them at their next hello to `watch`.
Documents of areas expire after 90 days, the root's after 800; 30 days later stations sound emergencies only."""
REPLACE_MORE = """\
Dùng ngay khi khóa hoặc thiết bị ký số bị mất, bị lộ. Lệnh đã ký bằng khóa cũ hết hiệu lực ngay khi trạm nhận được.
For a key or a token that is lost or stolen: what the old key has signed is over as soon as a station hears of it."""

SIGNED_ALL_THE_SAME = (
    "văn bản mới ĐÃ ký, trust.json đã ghi khóa mới: gửi bằng `trust send`, không thay lần nữa / the new documents ARE "
    "signed, and trust.json names the new key: `trust send` sends them, do not replace it again"
)
NOT_PUT_AWAY = (
    f"chuyển khóa cũ {{old}} vào keys/{RETIRED} bằng tay; `keys new --key {{new}}` ghi lại nửa công khai / move the "
    f"old key {{old}} to keys/{RETIRED} by hand; `keys new --key {{new}}` writes the public half"
)
START_ANEW = (
    "khởi động lại `watch`, `content --welcome`: chúng còn ký bằng khóa cũ, trạm không tin / start `watch` and "
    "`content --welcome` anew: they still sign with the old key, which stations do not believe"
)
MISTAKEN = (
    "chọn nhầm là thu hồi khóa của người khác, còn khóa bị lộ vẫn dùng được / a wrong choice revokes somebody else's "
    "key, and the exposed one stays good"
)
REPLACED = (
    f"đã thay rồi, nằm ở keys/{RETIRED}; chưa gửi thì gửi bằng `trust send` / was replaced, and lies in "
    f"keys/{RETIRED}; `trust send` sends the documents, if that was not done"
)
KEPT = "khóa mới còn ở / the new key stays in keys/{name}"


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "văn bản ủy quyền: xem, gia hạn, thay khóa / trust documents: list, renew, replace a key"
    parser = tasks.add_parser("trust", help=words, description=words)
    of_trust = parser.add_subparsers(required=True, metavar="WHAT")
    listing = add_task(of_trust, "list", _list, "văn bản nào, hết hạn khi nào / which documents, and until when")
    renewing = add_task(of_trust, "renew", _renew, "ký phiên bản mới với thời hạn mới / sign anew", RENEW_MORE)
    renewing.add_argument(
        "--area",
        action="append",
        default=[],
        help=f"địa bàn, hoặc {SHOWN_ROOT}; bỏ trống: mọi địa bàn / an area, or {SHOWN_ROOT}; absent: every area",
    )
    replacing = add_task(of_trust, "replace", _replace, "thay một khóa / a new key for another", REPLACE_MORE)
    _add_keys(replacing)
    sending = add_task(of_trust, "send", _send_all, "gửi lại cho trạm / send them once more")
    trust_apart.add(of_trust)
    for part in (listing, renewing, replacing, sending):
        add_dir(part)
        add_zone(part)
    for signing in (renewing, replacing):
        add_yes(signing, CLOCK_IS_RIGHT)
    for ceremony in (renewing, replacing, sending):
        told = "máy chủ MQTT, gửi ngay cho trạm / send to stations at once: HOST:PORT"
        ceremony.add_argument("--broker", type=address, required=ceremony is sending, help=told)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", required=True, help="khóa bị mất, bị lộ / the lost or stolen key: ward-routine-1")
    parser.add_argument("--keyid", help="nếu khóa đó không ở đây: dấu của nó / where it is not here: its id")
    add_where_keys_lie(parser)
    told = "tệp không mật khẩu, dù khóa cũ có / a plain file, though the old one is none"
    parser.add_argument("--plain", action="store_true", help=told)


def _list(args: argparse.Namespace) -> int:
    keyring, now = Keyring(args.dir), utc_now()
    for held in _from_above(keyring):
        print(_told(keyring, held, args, now))
    return 0


def _renew(args: argparse.Namespace) -> int:
    """What can be signed here is; who holds the keys of the rest signs it there."""
    keyring, now = Keyring(args.dir), utc_now()
    named = [ROOT if area == SHOWN_ROOT else area for area in args.area]
    signed: list[Held] = []
    refused = 0
    for area in named or [held.document.area for held in _from_above(keyring) if held.document.area != ROOT]:
        try:
            renew(keyring, area, now, sure=args.yes)
        except KeyringError as error:
            print(f"CHƯA KÝ / NOT signed: {area or SHOWN_ROOT}: {error}", file=sys.stderr)
            refused += 1
            continue
        signed.append(keyring.chain.newest[area])
        print(f"đã ký / signed: {_told(keyring, signed[-1], args, now)}")
    sent = _send(args, keyring, [held.envelope for held in signed])
    return 1 if refused else sent


def _replace(args: argparse.Namespace) -> int:
    keyring, now = Keyring(args.dir), utc_now()
    name = _exact(keyring, args.key)
    known = names_known(args.dir)
    old = _public(keyring, name, args.keyid, known)
    elsewhere = [key for key in holders_of(keyring, role_of(name)) - {old} if key.keyid not in known]
    new_name = keyring.keys.new_name(role_of(name), {name, *names_given(args.dir)}, len(elsewhere))
    wish = _wish(args, keyring, name, old)
    check_replacing(keyring.chain, old, now, sure=args.yes)  # before anybody chooses a passphrase
    others = {known[key.keyid] for key in signing_beside(keyring.chain, old) if key.keyid in known}
    warn_of_token(new_name, others & beside(keyring.keys, new_name, wish))
    made = prepare([new_name], wish)(keyring.keys.directory, new_name)
    try:
        areas = replace_key(keyring, old, made, now, sure=args.yes)
    except BaseException as error:
        if _discarded_unless_named(args, new_name, made.public) or not isinstance(error, OSError):
            raise
        raise CannotDo(f"{error.filename or args.dir}: {error.strerror}") from error  # and repeat nothing
    for area in areas:
        print(f"đã ký / signed: {_told(keyring, keyring.chain.newest[area], args, now)}")
    print(f"{name} → {new_name}")
    if role_of(name) in {spec.name for spec in ONLINE}:
        print(START_ANEW)
    tidy = False
    try:  # stations first: until they hear of it, whoever has the old key orders on
        sent = _send(args, keyring, [keyring.chain.newest[area].envelope for area in areas])
    finally:
        tidy = _put_away(keyring, name, new_name, made.public)
    return sent if tidy else 1


def _put_away(keyring: Keyring, name: str, new_name: str, made: PublicKey) -> bool:
    """Whether it could be done, on a disk that may be full. Whoever repeats the command for it replaces the new key."""
    try:
        if keyring.keys.retire(name):
            print(f"khóa cũ đã chuyển vào / the old key was moved to keys/{RETIRED}")
        write_public(keyring.directory, new_name, made)
    except OSError as error:
        where = f"{error.filename or keyring.directory}: {error.strerror}"
        print(f"{where}; {NOT_PUT_AWAY.format(old=name, new=new_name)}; {SIGNED_ALL_THE_SAME}", file=sys.stderr)
        return False
    return True


def _discarded_unless_named(args: argparse.Namespace, new_name: str, made: PublicKey) -> bool:
    """The disk may fail, or Ctrl-C come, when the documents stand already: then this is the only copy of their key."""
    try:
        named = any(made in keys_in(held.document) for held in Keyring(args.dir).chain.newest.values())
    except HeadendError as error:
        print(f"không đọc lại được / cannot be read again: {error}; {KEPT.format(name=new_name)}", file=sys.stderr)
        return False
    if not named:
        KeyFolder(args.dir / "keys").discard(new_name)
        return True
    print(f"{SIGNED_ALL_THE_SAME}; {KEPT.format(name=new_name)}", file=sys.stderr)
    return False


def _send_all(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    return _send(args, keyring, [held.envelope for held in keyring.chain.standing])


def _send(args: argparse.Namespace, keyring: Keyring, documents: Sequence[bytes]) -> int:
    """To whoever is there; the others take them at their next hello."""
    if args.broker is None or not documents:
        return 0
    tops = sorted({enrolled.area.partition("/")[0] for enrolled in keyring.stations.values()})
    again = f"trust send --dir {args.dir} --broker HOST:PORT"
    try:
        with talking(keyring, args.broker) as talk:
            for envelope in documents:
                area = read_document(envelope).area
                topics = [area_job_topic(one) for one in ([area] if area else tops)]
                for topic, receipt in talk.publish(topics, envelope, EXPIRY_S):
                    print(f"{area or SHOWN_ROOT} → {topic}: {SAID[receipt]}")
    except KeyboardInterrupt as error:
        stopped = f"đã ký, CHƯA GỬI HẾT, đừng ký lại / signed, NOT all sent, do not sign again: {again}; {LATER}"
        raise KeyboardInterrupt(stopped) from error
    except PublishError as error:
        print(f"đã ký, CHƯA GỬI / signed, NOT sent: {error}; {again}; {LATER}", file=sys.stderr)
        return 1
    return 0


def _exact(keyring: Keyring, name: str) -> str:
    """A bare role means its only key."""
    if name != role_of(name):
        return name
    numbered = keyring.keys.of_role(name)
    if len(numbered) != 1:
        listed = ", ".join(numbered) or "ở đây không có khóa tên đó / none of that name is here"
        raise KeyringError(f"--key {name}: khóa nào / which one? {listed}")
    return numbered[0]


def _public(keyring: Keyring, name: str, asked: str | None, known: Mapping[str, str]) -> PublicKey:
    """The public half of a key that lies here, or of the one of its role that has this id."""
    here, keyid = keyring.keys.readable(), None if asked is None else "".join(asked.split()).lower()
    if name in here and keyid in (None, here[name].keyid):
        return here[name]
    if keyid is None and keyring.keys.is_retired(name):
        raise KeyringError(f"--key {name}: {REPLACED}")
    others = {key.keyid: key for key in holders_of(keyring, role_of(name)) - set(here.values())}
    if keyid is None or keyid not in others:
        listed = sorted(f"\n  {known.get(one, '?')}: {fingerprint(one)}" for one in others)
        raise KeyringError(
            f"--key {name}: không ở đây; --keyid nói là khóa nào, so từng nhóm với giấy / is not here; --keyid "
            f"says which one of {role_of(name)} it is, compared group by group with the paper; {MISTAKEN}: "
            f"{''.join(listed) or 'none'}"
        )
    if known.get(keyid, name) != name:
        raise KeyringError(
            f"--keyid {fingerprint(keyid)}: là khóa / is {known[keyid]}, --key là / is {name}; {MISTAKEN}"
        )
    if keyid not in known:
        unnamed = "thư mục này không biết tên của khóa bị thu hồi / this folder has no name for the key that is revoked"
        note(f"{unnamed}: {fingerprint(keyid)}; {MISTAKEN}")
    return others[keyid]


def _wish(args: argparse.Namespace, keyring: Keyring, name: str, old: PublicKey) -> Wish:
    """In what the new key shall lie; never in less than the old one, unless somebody says so."""
    wish = wish_of(args)
    asked = wish.passphrases or bool(wish.module)
    if old in keyring.server_keys:
        if asked:
            raise KeyringError(
                f"--encrypt, --token: {name}: khóa của máy chủ tự khởi động, không có ai nhập mật khẩu / serves a "
                "server, which starts with nobody there to type"
            )
        return wish
    plain = name in keyring.keys.readable() and isinstance(keyring.keys.key(name), PlainKey)
    if not (asked or args.plain or plain):
        raise KeyringError(
            f"--key {name}: khóa mới nằm ở đâu / say in what the new key shall lie: --encrypt, --token …, or --plain"
        )
    return wish


def _from_above(keyring: Keyring) -> list[Held]:
    return [keyring.chain.newest[area] for area in sorted(keyring.chain.newest, key=lambda one: (one != ROOT, one))]


def _told(keyring: Keyring, held: Held, args: argparse.Namespace, now: UtcMs) -> str:
    document = held.document
    until, days = day_and_hour(document.expires, args.timezone), (document.expires - now) // DAY_MS
    remark = ", GIA HẠN NGAY / RENEW NOW" if document.expires - now < EXPIRES_SOON_MS else ""
    if held not in keyring.chain.standing:
        remark = ", KHÔNG CÒN HIỆU LỰC, ký lại / DOES NOT STAND, sign it anew"
    place = document.area or f"gốc / {SHOWN_ROOT}"
    return f"{place}: phiên bản / version {document.version}, hết hạn / expires {until}, còn {days} ngày / days{remark}"
