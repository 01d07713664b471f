"""``trust draft``, ``show``, ``sign``, ``merge``, ``take``: a ceremony whose keys lie with their holders, apart.

Each holder has a folder of his own: ``keys``, and a ``trust.json`` of the documents that he has taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Set as AbstractSet
from pathlib import Path

from edge_agent.headend.apart import (
    Sheet,
    counts,
    file_of,
    may_sign,
    merged,
    read_sheet,
    take,
    take_first,
    told,
    unsigned,
    with_signature,
)
from edge_agent.headend.cli.keys import AREA_FORM, add_sources
from edge_agent.headend.cli.options import CannotDo, Tasks, add_dir, add_task, add_yes, add_zone, whole, write_file
from edge_agent.headend.cli.shown import read_before_signing
from edge_agent.headend.errors import HeadendError, KeyringError
from edge_agent.headend.handed import read_envelope
from edge_agent.headend.headend import utc_now
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import check_new
from edge_agent.headend.public_files import check_public, names_known, read_all, read_public, write_public
from edge_agent.headend.trust_drafts import (
    Change,
    Payloads,
    asking_for,
    checked,
    first,
    joined,
    keys_in,
    renewed,
    replaced,
)
from edge_agent.headend.trust_words import differences, in_full, read_out
from edge_agent.trust.chain import Chain, opened_payload
from edge_agent.trust.documents import ROOT
from edge_agent.trust.fields import AREA
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.roles import THRESHOLD_MAX
from edge_agent.trust.strict_json import JsonObject, parse

SHOWN_ROOT = "root"
"""How the root is called on the command line: it has no area."""
NO_LEVEL_BETWEEN = "đã xem, giữa văn bản này và văn bản ở đây không có cấp nào / looked at: no level is between"
CLOCK_IS_RIGHT = "đã xem, đồng hồ máy này đúng / the clock of this machine was looked at, and is right"
DRAFT_MORE = """\
Chưa ký gì. Mỗi văn bản một tệp trong --out; đưa cho từng người giữ khóa ký bằng `trust sign`, rồi `trust take`.
Nothing is signed. Each document is a file in --out; its holders sign it by `trust sign`, then `trust take`.
  trust draft --dir ward --first vn/ha-noi/dong-thanh --realm loa-vn --public ward/public --out van-ban
  trust draft --dir ward --area root --out van-ban
  trust draft --dir ward --replace root-2=root-4.json --out van-ban
  trust draft --dir ward --area root --add root=root-4.json --out van-ban"""
SIGN_MORE = """\
Đọc kỹ trước khi nhập mật khẩu, PIN: nhập là ký. Khóa không có mật khẩu thì ký ngay: xem trước bằng `trust show`.
Read it before you type the passphrase or PIN: typing it signs. A key without one signs at once: `trust show` first."""
TAKE_MORE = """\
Nhận tất cả các tệp, hoặc không nhận tệp nào. Thư mục chưa có trust.json: --first "MÃ VĂN BẢN GỐC", do những người giữ
khóa gốc đọc cho nghe, không chép từ màn hình này.
All the files are taken, or none. A folder without trust.json: --first "FINGERPRINT OF THE ROOT", as its holders have
read it out, not as this screen shows it."""


def add(tasks: Tasks) -> None:
    """Add the commands to ``trust``."""
    _add_draft(tasks)
    showing = add_task(tasks, "show", _show, "xem một văn bản, ai đã ký / what a document says, and who has signed")
    words = "ký một văn bản bằng khóa của mình / add one's own signature"
    signing = add_task(tasks, "sign", _sign, words, SIGN_MORE)
    signing.add_argument("--key", required=True, help="khóa của mình / one's own key: root-1")
    add_yes(signing, NO_LEVEL_BETWEEN)
    merging = add_task(tasks, "merge", _merge, "gộp chữ ký của các bản ký riêng / put copies signed apart together")
    taking = add_task(tasks, "take", _take, "kiểm tra như trạm, rồi nhận / check as stations do, and take", TAKE_MORE)
    taking.add_argument(
        "--first", metavar="FINGERPRINT", help="mã của văn bản gốc / the root's, for a folder without one"
    )
    add_yes(taking, CLOCK_IS_RIGHT)
    for part, number in ((showing, "+"), (signing, None), (merging, "+"), (taking, "+")):
        part.add_argument("file", type=Path, nargs=number, help="tệp văn bản / the document")
        add_dir(part)
        add_zone(part)
    for part, needed in ((signing, False), (merging, True)):
        part.add_argument("--out", type=Path, required=needed, help="tệp kết quả / where the result goes")


def _add_draft(tasks: Tasks) -> None:
    parser = add_task(
        tasks, "draft", _draft, "soạn văn bản, chưa ký / write documents that nobody has signed", DRAFT_MORE
    )
    add_dir(parser)
    add_zone(parser)
    parser.add_argument("--out", type=Path, required=True, help="thư mục để tệp / the folder for the files")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--first", metavar="WARD", help="các văn bản đầu tiên của một xã / the first ones on a ward's path"
    )
    what.add_argument("--replace", metavar="OLD=FILE", help="thay một khóa (tên hoặc mã) / a key, by name or keyid")
    parser.add_argument(
        "--area",
        action="append",
        default=[],
        help=f"địa bàn, hoặc {SHOWN_ROOT} / an area, or {SHOWN_ROOT}; with --first: only these",
    )
    parser.add_argument(
        "--add", action="append", default=[], metavar="GROUP=FILE", help="thêm khóa vào / a key more in"
    )
    told_threshold = "cần bao nhiêu chữ ký / how many must sign"
    parser.add_argument("--threshold", action="append", default=[], metavar="GROUP=N", help=told_threshold)
    parser.add_argument("--realm", help="với --first: tên mạng / with --first, where no document is here: the network")
    parser.add_argument(
        "--public",
        action="append",
        type=Path,
        default=[],
        help="tệp, thư mục khóa công khai / public key files, folders",
    )
    signers = "như `keys init` / as of `keys init` (2)"
    parser.add_argument("--emergency-threshold", type=whole(1, 2), metavar="{1,2}", default=2, help=signers)
    add_sources(parser)
    add_yes(parser, CLOCK_IS_RIGHT)


def _draft(args: argparse.Namespace) -> int:
    chain = _chain(args.dir)
    given = read_all(args.public)
    payloads = _payloads(args, chain, given)
    check_public(args.dir, given)
    paths = _new_paths(args.out, payloads)
    for name, key in given.items():
        write_public(args.dir, name, key)
    for area, payload in payloads.items():
        path = paths[area]
        write_file(path, unsigned(payload), "--out")
        _print(args, chain, _read(path), counting=False)
        print(f"đã soạn, CHƯA KÝ / drafted, NOT signed: {path}")
    return 0


def _new_paths(out: Path, payloads: Payloads) -> dict[str, Path]:
    """Where each draft goes. All of them or none: beside one of an earlier try, those of this one would never do."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotDo(
            f"--out {out}: không tạo được thư mục / no such folder can be made ({error.strerror})"
        ) from error
    paths = {area: out / file_of(area) for area in payloads}
    for path in paths.values():
        if path.exists() or path.is_symlink():
            raise CannotDo(
                f"{path}: đã có, có thể đã có người ký; dùng --out khác / exists, and somebody may have signed it; "
                "take another --out"
            )
    return paths


def _payloads(args: argparse.Namespace, chain: Chain | None, given: dict[str, PublicKey]) -> Payloads:
    areas, now = [ROOT if area == SHOWN_ROOT else area for area in args.area], utc_now()
    if args.first is not None:
        if AREA.pattern.fullmatch(args.first) is None:
            raise KeyringError(f"--first {args.first}: {AREA_FORM}")
        realm = args.realm if chain is None else chain.trust.realm
        if realm is None:
            raise KeyringError("--realm: tên mạng / is needed with --first, where no document is here yet")
        if chain is None:
            check_new(args.dir, realm)
        sources, threshold = tuple(args.source), args.emergency_threshold
        return first(chain, realm, args.first, threshold, given, areas, now, sources, sure=args.yes)
    if chain is None:
        raise KeyringError(f"{args.dir}: chưa có văn bản nào / no document is here; write --first, or `trust take`")
    if args.replace is not None:
        old, new = _pair("--replace", args.replace)
        name, key = read_public(Path(new))
        given[name] = key
        return replaced(chain, _held_key(args.dir, chain, old), key, now, sure=args.yes)
    if len(areas) != 1:
        raise KeyringError(f"--area: văn bản nào / which document? one area, or {SHOWN_ROOT}; or --first, --replace")
    return renewed(chain, areas[0], now, _changes(args, given), sure=args.yes)


def _changes(args: argparse.Namespace, given: dict[str, PublicKey]) -> Change:
    changes: list[tuple[str, Change]] = []
    for text in args.add:
        group, file = _pair("--add", text)
        name, key = read_public(Path(file))
        given[name] = key
        changes.append((f"--add {text}", joined(group, key)))
    for text in args.threshold:
        group, number = _pair("--threshold", text)
        if number not in map(str, range(1, THRESHOLD_MAX + 1)):
            raise KeyringError(f"--threshold {text}: số từ 1 đến {THRESHOLD_MAX} / a number from 1 to {THRESHOLD_MAX}")
        changes.append((f"--threshold {text}", asking_for(group, int(number))))

    def change(payload: JsonObject) -> None:
        for text, one in changes:
            try:
                one(payload)
            except KeyringError as error:
                raise KeyringError(f"{text}: {error}") from error
        try:
            checked(payload)
        except KeyringError as error:
            raise KeyringError(f"{' '.join(text for text, _ in changes)}: {error}") from error

    return change


def _held_key(directory: Path, chain: Chain, called: str) -> PublicKey:
    """A key that stands in a document, by its id or by what it is called here."""
    keys = {key.keyid: key for held in chain.newest.values() for key in keys_in(held.document)}
    names = names_known(directory)
    found = [keys[keyid] for keyid in keys if called in (keyid, names.get(keyid))]
    if len(found) != 1:
        known = ", ".join(f"{names.get(keyid, '?')} = {keyid}" for keyid in sorted(keys))
        raise KeyringError(f"--replace {called}: khóa nào / which key? {known}")
    return found[0]


def _show(args: argparse.Namespace) -> int:
    for path in args.file:
        _print(args, _chain(args.dir), _read(path))
    return 0


def _sign(args: argparse.Namespace) -> int:
    chain, sheet, keys = _chain(args.dir), _read(args.file), KeyFolder(args.dir / "keys")
    if args.out is not None:  # before anybody types a passphrase
        _check_out(args.out, sheet, {*_signers(sheet), keys.key(args.key).public.keyid})
    may_sign(chain, sheet, keys.key(args.key).public, utc_now(), sure=args.yes)
    with read_before_signing():
        _print(args, chain, sheet)
    signed = with_signature(chain, sheet, keys.signer(args.key), utc_now(), sure=args.yes)
    out = args.out or args.file
    if args.out is None:  # whoever signed the same file while the passphrase was typed keeps his signature
        signed = merged(chain, [signed, _read(args.file)])
    write_file(out, signed.data, "FILE" if args.out is None else "--out")
    print(f"đã ký bằng khóa / signed with {args.key}: {out}")
    _print_counts(args.dir, chain, signed)
    return 0


def _merge(args: argparse.Namespace) -> int:
    chain = _chain(args.dir)
    whole = merged(chain, [_read(path) for path in args.file])
    _check_out(args.out, whole, _signers(whole))
    write_file(args.out, whole.data, "--out")
    print(f"đã gộp / merged: {args.out}")
    print(read_out(whole))
    _print_counts(args.dir, chain, whole)
    return 0


def _check_out(out: Path, sheet: Sheet, signers: AbstractSet[str]) -> None:
    """Only the same document is written over, by one that has its signatures as well: a key, a trust file, another's
    signature would be gone."""
    if not (out.exists() or out.is_symlink()):
        return
    try:
        there = _read(out)
    except HeadendError:
        there = None
    if there is None or there.envelope.digest != sheet.envelope.digest or not _signers(there) <= signers:
        raise CannotDo(
            f"--out {out}: đã có, là tệp khác, hoặc có chữ ký mà bản này không có; chọn tên khác / exists, is "
            "something else, or bears signatures that this one has not; take another name"
        )


def _signers(sheet: Sheet) -> AbstractSet[str]:
    return {claim.keyid for claim in sheet.envelope.signatures}


def _take(args: argparse.Namespace) -> int:
    sheets, names, here = [_read(path) for path in args.file], names_known(args.dir), _has_trust(args.dir)
    if args.first is not None:
        keyring = take_first(args.dir, sheets, args.first, names, utc_now(), sure=args.yes)
    elif here:
        keyring = Keyring(args.dir)
        take(keyring, sheets, names, utc_now(), sure=args.yes)
    else:
        raise KeyringError(f"{args.dir}: chưa có văn bản gốc / has no root yet; write --first with its fingerprint")
    for sheet in sheets:
        document = sheet.document
        print(f"đã nhận / taken: {document.area or 'gốc / root'}, phiên bản / version {document.version}")
    fallen = keyring.chain.newest.keys() - {held.document.area for held in keyring.chain.standing}
    for area in sorted(fallen):
        print(f"KHÔNG CÒN HIỆU LỰC, phải ký lại / does NOT stand any more, must be signed anew: {area}")
    if keyring.stations:
        print(f"gửi cho trạm / to stations: edge-agent-headend trust send --dir {args.dir} --broker HOST:PORT")
    return 0


def _print(args: argparse.Namespace, chain: Chain | None, sheet: Sheet, *, counting: bool = True) -> None:
    names = names_known(args.dir)
    for line in in_full(sheet, counts(chain, sheet) if counting else (), names, args.timezone):
        print(line)
    before = None if chain is None else chain.newest.get(sheet.document.area)
    if before is not None:
        print(f"khác với phiên bản / against version {before.document.version}:")
        for line in differences(opened_payload(before), parse(sheet.envelope.payload), names, args.timezone):
            print(line)
    print()


def _print_counts(directory: Path, chain: Chain | None, sheet: Sheet) -> None:
    for count in counts(chain, sheet):
        print(told(count, names_known(directory)))


def _has_trust(directory: Path) -> bool:
    return (directory / "trust.json").exists()


def _chain(directory: Path) -> Chain | None:
    """What this holder believes; nothing before his first root."""
    return Keyring(directory).chain if _has_trust(directory) else None


def _pair(option: str, text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise KeyringError(f"{option} {text}: viết như TÊN=… / write it as NAME=…")
    return left, right


def _read(path: Path) -> Sheet:
    content = read_envelope(path, "FILE")
    try:
        return read_sheet(content)
    except KeyringError as error:
        raise KeyringError(f"{path}: {error}") from error
