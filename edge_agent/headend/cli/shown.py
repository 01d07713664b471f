"""How an order is shown on the screen: what will be refused, what the broker said, what each station answered."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.core.effects import Verdict
from edge_agent.core.order import Timetable
from edge_agent.core.reasons import explain
from edge_agent.headend.cli.options import CannotDo, note
from edge_agent.headend.foresight import Foreseen, entries_for_nobody, foresee
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.never_due import never_due
from edge_agent.headend.session import Receipt
from edge_agent.headend.signing import SigningError
from edge_agent.headend.summary import summary
from edge_agent.headend.words import VERDICTS, day_and_hour, reason_explained
from edge_agent.sync.reports import AnswerMsg

BROKER_SAID = {
    Receipt.TAKEN: "máy chủ đã nhận / taken by the broker; trạm trả lời ở `watch`",
    Receipt.NOBODY_LISTENS: "không trạm nào đang nhận / taken, but no station listens there: gửi lại khi có kết nối",
}

FOR_NOBODY = (
    "không trạm nào nhận lịch này mà mục này ghi tên: không ai phát / no station that gets this timetable is meant by "
    "it: nobody plays it"
)
NOBODY = "không trạm nào đã đăng ký ở vùng phát này / no enrolled station is addressed"
NOT_ENROLLED = "chưa đăng ký, xem `keys list` / not enrolled; `keys list` names those that are"


@contextlib.contextmanager
def read_before_signing() -> Iterator[None]:
    """What is printed in here stands on the screen when the passphrase or PIN is asked for: typing that signs.

    Where nobody can read it, nothing is signed, and that is no success: what follows in a script takes it for signed.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise CannotDo("không ai đọc trang này, CHƯA KÝ / nobody reads this page; NOT signed") from error


@contextlib.contextmanager
def of_file(option: str, path: Path) -> Iterator[None]:
    """What is wrong with the order in a file is told with the file."""
    try:
        yield
    except SigningError as error:
        raise SigningError(
            f"{option} {path}: không phải lệnh dùng được / is no order that can be used: {error}"
        ) from error


def show_order(order: Given, zone: ZoneInfo) -> None:
    """What stations will do, before anything is sent."""
    print(summary(order, zone), end="")


def warn(keyring: Keyring, order: Given, envelope: bytes, zone: ZoneInfo) -> None:
    """On stderr, and no failure: the second officer may still be to come, or the station still to be enrolled."""
    foreseen: Foreseen = foresee(keyring.trust, keyring.stations, order, envelope, zone.key)
    for told in _left_out(keyring, order) if foreseen.addressed else (NOBODY,):
        note(told)
    for station, reason, detail in foreseen.refusals:
        note(f"trạm {station} sẽ từ chối / will refuse: {explain(reason)}: {detail}")
    for told in never_due(order, utc_now(), zone):
        note(told)


def _left_out(keyring: Keyring, order: Given) -> Iterator[str]:
    """Which stations are not enrolled that it, or an entry of it, names; and which entries no station plays."""
    jobs = order.jobs if isinstance(order, Timetable) else ()
    named = heading_of(order).audience.stations.union(*(job.audience.stations for job in jobs))
    if strange := sorted(named - keyring.stations.keys()):
        yield f"{', '.join(strange)}: {NOT_ENROLLED}"
    for number in entries_for_nobody(keyring.stations, order) if isinstance(order, Timetable) else ():
        yield f"mục {number} / entry {number}: {FOR_NOBODY}"


def shows_receipts(order: Given) -> Callable[[str, Receipt], None]:
    """One line for each topic, as it comes."""
    return lambda topic, receipt: print(f"{heading_of(order).order_id} → {topic}: {BROKER_SAID[receipt]}")


def answered(answer: AnswerMsg | None, zone: ZoneInfo) -> str:
    """What a station said to a command, or that it said nothing."""
    if answer is None:
        return "CHƯA TRẢ LỜI, có thể chưa nhận lệnh / NO ANSWER, it may not have it"
    if answer.verdict is Verdict.REFUSED:
        why = f": {reason_explained(answer.reason)}" if answer.reason else ""
        return f"{VERDICTS[answer.verdict]} / refused{why}"
    return f"{VERDICTS[answer.verdict]} lúc {day_and_hour(answer.at, zone)} / {answer.verdict}"
