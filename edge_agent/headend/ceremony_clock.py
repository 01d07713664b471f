"""Decide whether a clock can be right by which trust documents are signed or taken. Reads none: callers pass ``now``.

The dates and the epochs of a document are those of its signing. Of a clock that runs ahead they are refused by every
station, while here nothing honest comes after them any more: a stolen key stays good, and nobody is told.
"""

from __future__ import annotations

from datetime import datetime

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.errors import KeyringError
from edge_agent.trust.chain import Chain, Held
from edge_agent.trust.documents import ROOT, Document

WHOSE = "đồng hồ máy nào sai? / whose clock is wrong?"
SURE = "máy này đúng giờ thì thêm --yes / if this machine is right, add --yes"
BACK = "máy này đúng giờ thì lấy lại trust.json của trước lần ký đó / if this machine is right, put back the trust.json"
BACK += " of before that signing (docs/operations.md)"


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


def check_taken(document: Document, now: UtcMs) -> None:
    """So may be taken: of the root's also one that is out of date, as whoever signs the next one begins at it."""
    refusal = from_the_future(document, now)
    if refusal is None and document.area != ROOT:
        refusal = out_of_date(document, now)
    if refusal is not None:
        raise KeyringError(refusal)


def check_next(chain: Chain, now: UtcMs, *, sure: bool) -> None:
    """Whether new documents can be of ``now``, behind those that are here. ``sure``: somebody has looked at a clock.

    Earlier than the newest of them it cannot be. Later than that one's end it hardly is: whoever signs renews before.
    What says so within that time is a clock that is less than three months ahead, and only people see that.
    """
    newest = _newest(chain).document
    epochs = (held.document.delegates.epoch for held in chain.standing if held.document.delegates is not None)
    if max(epochs, default=0) > now:  # in such an epoch nothing can be signed before that day
        raise KeyringError(f"{_seen(newest, now)}; {BACK}")
    if not sure and now < newest.issued_at:
        raise KeyringError(f"{_seen(newest, now)}; {BACK}; {SURE}")
    if not sure and now >= newest.expires:
        told = f"hết hạn đã lâu / expired {_told(newest.expires)}"
        raise KeyringError(f"{_seen(newest, now)}, {told}; {SURE}")


def _newest(chain: Chain) -> Held:
    """Of several that were signed at once the one that ends first."""
    return max(chain.newest.values(), key=lambda held: (held.document.issued_at, -held.document.expires))


def _seen(newest: Document, now: UtcMs) -> str:
    signed = f"văn bản mới nhất ở đây / the newest document here, {_place(newest)}, ký lúc / signed at"
    return f"{WHOSE} {_here(now)}; {signed} {_told(newest.issued_at)}"


def _here(now: UtcMs) -> str:
    return f"máy này đang là / this machine says {_told(now)}"


def _place(document: Document) -> str:
    return document.area or "gốc / root"


def _told(utc: UtcMs) -> str:
    """As the machine's own clock shows it, with its offset."""
    return datetime.fromtimestamp(utc / SECOND_MS).astimezone().isoformat(" ", "minutes")
