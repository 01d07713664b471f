"""Decide whether a clock can be right by which trust documents are signed or taken. Reads none: callers pass ``now``.

The dates and the epochs of a document are those of its signing. An area's, by a clock that runs ahead, is refused by
every station, while here nothing honest comes after it any more: a stolen key stays good, and nobody is told. A root's
is taken by every station, and nothing below it is until its day. So of these people are asked each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.errors import KeyringError
from edge_agent.trust.chain import Chain
from edge_agent.trust.documents import ROOT, Document

WHOSE = "đồng hồ máy nào sai? / whose clock is wrong?"
SURE = "máy này đúng giờ thì thêm --yes / if this machine is right, add --yes"
BACK = "máy này đúng giờ thì lấy lại trust.json của trước lần ký đó / if this machine is right, put back the trust.json"
BACK += " of before that signing (docs/operations.md)"
FORWARD = (
    "trạm nhận văn bản gốc dù sai giờ, nên đừng quay lại: ký bản gốc tiếp theo / stations take a root whatever its "
    "date, so do not go back: sign the next root (docs/operations.md)"
)
HAVE_IT = (
    "trạm đã nhận nó rồi thì thêm --yes, và ký ngay bản gốc tiếp theo / if stations have it already, add --yes, and "
    "sign the next root at once"
)
LOOK = (
    "đồng hồ máy này đúng chưa? So với điện thoại, cả ngày, tháng, năm / is this machine's clock right? Compare it "
    "with a telephone, day, month and year too"
)
LASTS = (
    "trạm nhận văn bản gốc dù sai giờ, và kỳ mới không lùi lại được / stations take a root whatever its date, and a "
    "new epoch does not go back"
)
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
# What a watch shows there: in a zone that is wrong, the machine's own time may look right and be hours ahead.


def from_the_future(document: Document, now: UtcMs) -> str | None:
    """Why a document cannot have been signed yet, by as much as stations let their own clocks be wrong."""
    if document.issued_at <= now + TIMETABLE_ERROR_MAX_MS:
        return None
    return f"{WHOSE} {_place(document)}: ký lúc / signed at {_told(document.issued_at)}; {_here(now)}"


def out_of_date(document: Document, now: UtcMs) -> str | None:
    """Why there is no use in a document any more."""
    if document.expires > now:
        return None
    return f"{WHOSE} {_place(document)}: hết hạn / expired {_told(document.expires)}; {_here(now)}"


def check_dates(document: Document, now: UtcMs) -> None:
    """Refuse what is from the future or out of date."""
    if refusal := from_the_future(document, now) or out_of_date(document, now):
        raise KeyringError(refusal)


def check_taken(document: Document, now: UtcMs, *, sure: bool = False) -> None:
    """So may be taken: of the root's also one that is out of date, as whoever signs the next one begins at it.

    ``sure``: somebody has looked at a clock. Then of the root's also one from the future, for the same reason.
    """
    refusal = from_the_future(document, now)
    if document.area != ROOT:
        refusal = refusal or out_of_date(document, now)
    elif refusal is not None:
        refusal = None if sure else f"{refusal}; {HAVE_IT}"
    if refusal is not None:
        raise KeyringError(refusal)


def check_next(chain: Chain, now: UtcMs, *, sure: bool, lasting: bool = False) -> None:
    """Whether new documents can be of ``now``, behind those that are here. ``sure``: somebody has looked at a clock.

    Earlier than the newest of them it cannot be. Later than an area's end it hardly is: whoever signs renews before.
    What says so within that time is a clock that is less than three months ahead, and only people see that: they are
    asked where what is signed is ``lasting``, a root or a new epoch.
    """
    newest, root = _newest([held.document for held in chain.newest.values()]), chain.newest[ROOT].document
    areas = [held.document for area, held in chain.newest.items() if area != ROOT]
    standing = [held.document for held in chain.standing if held.document.area != ROOT]
    epochs = (document.delegates.epoch for document in standing if document.delegates is not None)
    if max(epochs, default=0) > now:  # in such an epoch of an area nothing can be signed before that day
        raise KeyringError(f"{_seen(newest, now)}; {BACK}")
    if sure:
        return
    if now < newest.issued_at:
        raise KeyringError(f"{_seen(newest, now)}; {FORWARD if now < root.issued_at else BACK}; {SURE}")
    ending = _newest(areas or [root])  # a root's end tells nothing for two years
    if now >= ending.expires:
        told = f"hết hạn đã lâu / expired {_told(ending.expires)}"
        raise KeyringError(f"{_seen(ending, now)}, {told}; {SURE}")
    if lasting:
        raise KeyringError(f"{LOOK}: {_on_a_watch(now)}; {LASTS}; {SURE}")


def of_a_beginning(now: UtcMs) -> str:
    """For whoever has signed a network's first documents alone: nothing else tells him of a clock that is wrong."""
    told = f"ký lúc / signed at {_on_a_watch(now)}"
    return f"{told}; sai giờ thì bỏ thư mục này, chỉnh đồng hồ, làm lại / wrong? leave this folder, begin anew"


def _newest(documents: Sequence[Document]) -> Document:
    """Of several that were signed at once the one that ends first."""
    return max(documents, key=lambda document: (document.issued_at, -document.expires))


def _seen(newest: Document, now: UtcMs) -> str:
    signed = f"văn bản mới nhất ở đây / the newest document here, {_place(newest)}, ký lúc / signed at"
    return f"{WHOSE} {_here(now)}; {signed} {_told(newest.issued_at)}"


def _here(now: UtcMs) -> str:
    return f"máy này đang là / this machine says {_told(now)}"


def _place(document: Document) -> str:
    return document.area or "gốc / root"


def _on_a_watch(now: UtcMs) -> str:
    at = datetime.fromtimestamp(now / SECOND_MS, VIETNAM)
    return f"{at:%Hh%M} ngày {at:%d/%m/%Y}, giờ Việt Nam / in Vietnam"


def _told(utc: UtcMs) -> str:
    """As the machine's own clock shows it, with its offset."""
    return datetime.fromtimestamp(utc / SECOND_MS).astimezone().isoformat(" ", "minutes")
