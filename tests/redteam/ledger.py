"""What was really ordered, as whoever signed it means it: the judges' own book, which knows nothing of the core.

An order explains a sound if it was for that station, that zone and that time, with these words and clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.core.job import Item, LiveItem
from edge_agent.core.programme import ALL_CLEAR, ATTENTION, REHEARSAL, REHEARSAL_WORDS, SIGNAL_MS, item_key, live_key
from edge_agent.core.units import ClipKey
from edge_agent.trust.fields import Fields
from edge_agent.trust.items import read_item
from tests.redteam.papers import STATIONS
from tests.trust.makers import ZONES
from tests.ward.timing import SPEECH_MS_PER_LETTER

ITEM_GAPS_MS = 700
# Around an item, and after the signal: silence that the station adds.


@dataclass(frozen=True, slots=True)
class Given:
    """One order with its ``payload``; ``keys`` signed it, ``serial`` is its number in the campaign."""

    order_id: str
    digest: str
    payload: Mapping[str, Any]
    keys: tuple[str, ...]
    at_ms: int
    stolen: bool = False

    @property
    def kind(self) -> str:
        """job, command, ..."""
        return str(self.payload["type"])

    @property
    def does(self) -> str:
        """Of a command, what it commands."""
        return str(self.payload.get("do", {}).get("what", ""))

    def is_for(self, station: str) -> bool:
        """Whether it is meant for that station at all."""
        return meant(self.payload, station)


@dataclass(frozen=True, slots=True)
class Programme:
    """What one order, or one entry of a timetable, lets sound."""

    job_id: str
    order: Given
    payload: Mapping[str, Any]

    @property
    def urgent(self) -> bool:
        """Whether it is a warning: a rehearsal of one is none (4.13)."""
        return warns(self.payload)

    def sounds_in(self, station: str, zone: str) -> bool:
        """Whether it is for that zone of that station."""
        if not (self.order.is_for(station) and meant(self.payload, station)):
            return False
        audiences = (self.order.payload["audience"], self.payload.get("audience", {}))
        return all(zone in (audience.get("zones") or ZONES) for audience in audiences)

    @property
    def validity(self) -> tuple[int, int]:
        """In UTC ms."""
        return self.order.payload["not_before"], self.order.payload["not_after"]

    def keys(self) -> frozenset[ClipKey]:
        """Every sound that it consists of."""
        own = {key for item in self.payload["items"] for key in _keys(read_item(Fields(item)))}
        return frozenset(own | {key for key, _ in self._frame})

    def sources(self) -> dict[ClipKey, str]:
        """The address of every live source that it relays."""
        items = [read_item(Fields(item)) for item in self.payload["items"]]
        return {live_key(item): url for item in items if isinstance(item, LiveItem) for url in item.urls}

    @property
    def volume(self) -> int:
        """How loud it may be, whatever else holds."""
        return int(self.payload["volume"])

    @property
    def longest_ms(self) -> int:
        """How long one time of it may sound, with every pause that a station makes."""
        frame_ms = sum(length_ms + ITEM_GAPS_MS for _, length_ms in self._frame)
        once = frame_ms + sum(_length_ms(item) + ITEM_GAPS_MS for item in self.payload["items"])
        loops = int(self.payload.get("loops", 1))
        return loops * once + (loops - 1) * int(self.payload.get("gap_s", 0)) * 1_000

    @property
    def _frame(self) -> list[tuple[ClipKey, int]]:
        """What the station adds by itself, each with its length."""
        if self.payload.get("rehearsal"):
            words = (item_key(REHEARSAL_WORDS), SPEECH_MS_PER_LETTER * len(REHEARSAL_WORDS.text))
            return [(REHEARSAL, SIGNAL_MS[REHEARSAL]), words, words]
        signal = ALL_CLEAR if self.payload.get("all_clear") else ATTENTION
        return [(signal, SIGNAL_MS[signal])] if self.urgent else []


@dataclass
class Ledger:
    """Everything that was signed with keys that may sign it, by whomever."""

    given: dict[str, Given] = field(default_factory=dict)
    programmes: dict[str, Programme] = field(default_factory=dict)

    def add(self, given: Given) -> None:
        """Somebody has signed it."""
        self.given[given.order_id] = given
        if given.kind == "job":
            self.programmes[given.order_id] = Programme(given.order_id, given, given.payload)
        for entry in given.payload.get("entries", ()):
            self.programmes[f"{given.order_id} {entry['job_id']}"] = Programme(entry["job_id"], given, entry)

    def may_be(self, job_id: str) -> Iterator[Programme]:
        """Whatever a sound of that name may be: an entry keeps its name from one timetable to the next."""
        for programme in self.programmes.values():
            if programme.job_id == job_id:
                yield programme

    def correcting(self, job_id: str) -> Iterator[Given]:
        """The jobs that set this one right."""
        yield from (given for given in self.given.values() if given.payload.get("corrects") == job_id)

    def of(self, *does: str) -> Iterator[Given]:
        """The orders of these kinds, or the commands that command this."""
        for given in self.given.values():
            if given.kind in does or given.does in does:
                yield given


def _keys(item: Item) -> Iterator[ClipKey]:
    if isinstance(item, LiveItem):
        yield live_key(item)
        if item.stand_in is not None:
            yield item_key(item.stand_in)
    else:
        yield item_key(item)


def _length_ms(item: Mapping[str, Any]) -> int:
    return int(item.get("duration_ms", 0)) or SPEECH_MS_PER_LETTER * len(item["text"])


def warns(payload: Mapping[str, Any]) -> bool:
    """Whether it is an emergency, and no rehearsal."""
    return payload["class"] == "emergency" and not payload.get("rehearsal")


def meant(payload: Mapping[str, Any], station: str) -> bool:
    """Whether an audience names a station; an entry may have none of its own."""
    audience = payload.get("audience")
    if audience is None:
        return True
    area = STATIONS[station].area
    inside = any(area == one or area.startswith(f"{one}/") for one in audience.get("areas", ()))
    return inside or station in audience.get("stations", ())
