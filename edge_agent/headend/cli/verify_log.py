"""``verify-log``: prove the records of stations offline, by public keys alone."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_agent.core.events import Rejected
from edge_agent.core.units import StationId
from edge_agent.headend.cli.options import CannotDo, Tasks, add_dir, add_json, add_task, add_zone, complain, read_file
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.proof import Whose, Word, believe, proof_path
from edge_agent.headend.verdict_words import for_machines, for_people, well
from edge_agent.headend.verifying import verify
from edge_agent.trust.envelope import open_envelope
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.strict_json import WireError

EXIT_WELL, EXIT_NOT_WHOLE, EXIT_EMPTY = 0, 1, 3
# 2 is a wrong use. Of nothing nothing is proven: a log that was taken away whole looks like one that never began.
WORDS = "chứng minh nhật ký phát nguyên vẹn, không cần mạng / prove that records are whole, offline"
MORE = """\
Chỉ cần trust.json, stations.json, records/ID.jsonl, records/ID.proof; không cần khóa bí mật nào.
All it needs are these four files, and no private key.
--head: một xác nhận đã ký giữ ở nơi khác: dòng cuối của tệp .proof cũ, một `ack`, hoặc một `hello` của trạm.
Chỉ cách này thấy được cả hai tệp cùng bị thay bằng bản cũ.
A signed head kept elsewhere (the last line of an old .proof, an `ack`, a station's `hello`): nothing else shows that
both files were put back to an earlier state.
Mã thoát / exit status: 0 tất cả nguyên vẹn / all are whole, 1 có vấn đề / not whole, 3 có trạm không có bản ghi nào,
chưa chứng minh được gì / a station without any record, of which nothing is proven."""

LISTED = (
    "{count} trạm có trong stations.json: ĐẾM LẠI theo biên bản nghiệm thu, trạm bị xóa khỏi đó không được kiểm / "
    "{count} stations are in stations.json: COUNT the acceptance forms, of one that was taken out nothing is said"
)
# No key signs who belongs to a ward: with its entry and both files gone, nothing here knows of a station.

STRANGE = (
    "{0}: {1} không có trong stations.json, CHƯA KIỂM; dùng tệp của thời gian đó / {1} is not in stations.json, and "
    "NOT proven; take the one of that time"
)
NO_PROOF = "không chứng minh được gì về"


def add(tasks: Tasks) -> None:
    """Add the command."""
    parser = add_task(tasks, "verify-log", _verify_log, WORDS, MORE)
    add_dir(parser)
    parser.add_argument("--station", help="chỉ một trạm / one station only")
    parser.add_argument("--records", type=Path, help="nơi `watch` lưu nhật ký / where records are (DIR/records)")
    parser.add_argument(
        "--key",
        type=_key,
        action="append",
        default=[],
        help="khóa công khai của trạm, trên giấy nghiệm thu; đã thay máy thì thêm --key của máy trước / its public "
        "key as on paper, in hex; after a replacement also --key of each box before",
    )
    parser.add_argument(
        "--head", type=Path, action="append", default=[], help="xác nhận giữ ở nơi khác / a head kept elsewhere"
    )
    add_zone(parser)
    add_json(parser)


def _verify_log(args: argparse.Namespace) -> int:
    keyring, records = Keyring(args.dir), args.records or args.dir / "records"
    if args.station is None and (args.key or args.head):
        raise CannotDo("--key, --head: của trạm nào, thêm --station / say which --station they are of")
    chosen, strange = _chosen(args, keyring, records)
    told = {_prove(args, keyring, records, station) for station in chosen}
    for name in strange:
        complain(STRANGE.format(records, name))
        told.add(EXIT_NOT_WHOLE)
    if args.station is None and not args.json:
        print(LISTED.format(count=len(chosen)))
    # After every station was looked at: what is not whole weighs most.
    return next(status for status in (EXIT_NOT_WHOLE, EXIT_EMPTY, EXIT_WELL) if status in told)


def _prove(args: argparse.Namespace, keyring: Keyring, records: Path, enrolled: Enrolled) -> int:
    if args.key:
        enrolled = replace(enrolled, key=args.key[0], before=tuple(args.key[1:]))
    whose = Whose(keyring.realm, enrolled, keyring.every_ack_key)
    elsewhere = [word for path in args.head for word in _heads(path, whose)]
    # In this order: `watch` writes records first, so what is read of the proof is never ahead of them.
    proof = _content(proof_path(records, enrolled.station))
    verdict = verify(_content(records / f"{enrolled.station}.jsonl"), proof, whose, elsewhere)
    print(for_machines(verdict, whose) if args.json else for_people(verdict, whose, args.timezone), end="")
    return {True: EXIT_WELL, False: EXIT_NOT_WHOLE, None: EXIT_EMPTY}[well(verdict)]


def _chosen(args: argparse.Namespace, keyring: Keyring, records: Path) -> tuple[list[Enrolled], list[str]]:
    """The one that is asked for; else every station of which anything is known here, and at least one.

    And of whom there are records, and no key: it stands there no more, and keeps nobody else from being proven.
    """
    if not records.is_dir():
        raise CannotDo(
            f"{records}: không có thư mục này / there is no such folder; where does `watch` put its records?"
        )
    there = {path.stem for suffix in ("jsonl", "proof") for path in records.glob(f"*.{suffix}")}
    if args.station is not None and args.station not in there:
        raise CannotDo(f"{records}: không có nhật ký của {args.station} / no records of {args.station} here")
    names = {args.station} if args.station is not None else there | set(keyring.ever)
    if not names:
        raise CannotDo(
            f"{args.dir}: không có trạm nào / there is no station: nothing is proven; is this the right --dir?"
        )
    known = sorted(names & set(keyring.ever))
    return [keyring.ever[StationId(name)] for name in known], sorted(names - set(known))


def _content(path: Path) -> bytes:
    return read_file(path, "--records") if path.exists() else b""


def _heads(path: Path, whose: Whose) -> Iterator[Word]:
    """One envelope, however it is laid out, or the lines of a proof."""
    station = whose.station.station
    content = read_file(path, "--head")
    envelopes = content.splitlines() if isinstance(open_envelope(content), Rejected) else [content]
    if not envelopes:  # what a station prints that has no word of the server's yet
        raise CannotDo(
            f"--head {path}: tệp trống, {NO_PROOF} {station} / nothing is in it; it proves nothing of {station}"
        )
    for envelope in envelopes:
        try:
            yield believe(envelope, whose)
        except WireError as error:
            raise CannotDo(f"--head {path}: {NO_PROOF} {station} / {error}; it proves nothing of {station}") from error


def _key(text: str) -> PublicKey:
    """A key of whichever scheme: what lies in a secure element is mostly P-256."""
    for scheme in Scheme:
        with contextlib.suppress(ValueError, UnusableKey):
            return public_key(scheme, bytes.fromhex(text))
    raise argparse.ArgumentTypeError(
        f"{text!r}: khóa công khai, 64 chữ số hex, hoặc 130 nếu khóa nằm trong chip bảo mật / a public key, 64 hex "
        "digits, or 130 of a key in a secure element"
    )
