"""Read what a job plays. Leaves the sound itself to whoever fetches or speaks it."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

from edge_agent.core.job import ClipItem, Item, LiveItem, TextItem, is_line_in
from edge_agent.core.units import ClipKey
from edge_agent.trust.fields import HASH, Fields, form, free_text

ITEMS_MAX = 20
CLIP_BYTES_MAX = 200_000_000  # two hours at 200 kbit/s and some
CLIP_MS_MAX = 7_200_000  # two hours: the longest time a relay may stay on
URLS_MAX = 4
TITLE = free_text(200, least=1)
FIELD = free_text(40)
SOURCE = free_text(200)
APPROVER = free_text(80)
CODEC = free_text(16)
SPOKEN_TEXT = free_text(2_000, least=1)  # about two minutes and a half of speech
LANGUAGE = form(r"[A-Za-z0-9-]{1,16}", 'a language as "vi" or "vi-VN"')
URL = form(
    r"(?=.{1,500}\Z)https://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?",
    "an https:// address of at most 500 printable ASCII characters, without a user name",
)
LIVE_SOURCE = form(
    r"line-in:[a-z0-9-]{1,32}|(?=.{1,500}\Z)https://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?",
    "an https:// address of at most 500 printable ASCII characters, without a user name, or line-in:NAME",
)
"""Where a live source is: on the net, or on the station's own line-in of that name."""


class Kind(StrEnum):
    """Recorded sound, words that the station speaks, or a live source that it relays."""

    CLIP = "clip"
    TEXT = "text"
    LIVE = "live"


class Recorded(StrEnum):
    """The one kind that a stand-in can have."""

    CLIP = "clip"


class _Particulars(TypedDict):
    title: str
    field: str
    language: str
    source: str
    approver: str


def read_item(fields: Fields) -> Item:
    """One entry of ``items``, or ``WireError``."""
    match fields.choice("kind", Kind):
        case Kind.TEXT:
            return TextItem(**_particulars(fields), text=fields.text("text", SPOKEN_TEXT))
        case Kind.LIVE:
            return LiveItem(
                **_particulars(fields),
                urls=_sources(fields),
                duration_ms=fields.integer("duration_ms", 1, CLIP_MS_MAX),
                stand_in=_stand_in(fields),
            )
        case _:
            return _clip(fields)


def _sources(fields: Fields) -> tuple[str, ...]:
    """Addresses that are tried in turn, or one line-in, which nothing can take the place of."""
    sources = fields.texts("urls", LIVE_SOURCE, 1, URLS_MAX)
    if len(sources) > 1 and any(is_line_in(source) for source in sources):
        raise fields.wrong("urls", "a line-in alone, or https:// addresses")
    return sources


def _stand_in(fields: Fields) -> ClipItem | None:
    """A clip and nothing else: what stands in for a live source needs none itself."""
    if "stand_in" not in fields:
        return None
    within = fields.record("stand_in")
    within.choice("kind", Recorded)
    return _clip(within)


def _clip(fields: Fields) -> ClipItem:
    return ClipItem(
        **_particulars(fields),
        digest=ClipKey(fields.text("digest", HASH)),
        length_bytes=fields.integer("length", 1, CLIP_BYTES_MAX),
        duration_ms=fields.integer("duration_ms", 1, CLIP_MS_MAX),
        codec=fields.text("codec", CODEC, default=""),
        urls=fields.texts("urls", URL, 1, URLS_MAX),
    )


def _particulars(fields: Fields) -> _Particulars:
    return {
        "title": fields.text("title", TITLE),
        "field": fields.text("field", FIELD),
        "language": fields.text("language", LANGUAGE),
        "source": fields.text("source", SOURCE),
        "approver": fields.text("approver", APPROVER),
    }
