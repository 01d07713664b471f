"""The book of one-time codes: for which station each is, until when, how often it was tried, and by whom it was used.

Of a code it keeps the key that both sides stretch from it, and never the code. One writer at a time; each change is
durable before anybody hears of it.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.core.units import DAY_MS, HOUR_MS, StationId, UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend.enrolment import STATION_NAME
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import alone
from edge_agent.identity.codes import SLOT_CHARS, Code, new_code
from edge_agent.identity.messages import DER_BYTES_MAX, SLOT
from edge_agent.trust.fields import AREA, HASH, NAME, Fields, form, free_text
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump, parse

HOURS, HOURS_MAX = 72, 24 * 14
# Long enough for a technician's way into the mountains; a code that lies about longer is a code that somebody finds.
AHEAD_MAX_MS = DAY_MS
# A headend's clock that was set right by some hours takes no code from a technician who is on his way.
TRIES_MAX = 10
# Wrong proofs of one slot. Of 2^60 secrets that is nothing; whoever burns codes so makes work, and gets nothing.
CODES_MAX = 1_000
# A province enrols some hundreds of stations at once; 32,768 slots are more than enough apart.


@dataclass(frozen=True, slots=True)
class Taken:
    """Who used a code: SHA-256 of the TLS key, keyid of the signing key; and the certificate (DER) that was given."""

    tls: str
    keyid: str
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One code, without itself."""

    station: StationId
    area: str
    name: str
    key: bytes
    expires: UtcMs
    tries: int = 0
    taken: Taken | None = None


class CodeBook:
    """``codes.json`` of a keyring's directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "codes.json"
        self._lock = directory / "codes.lock"

    def entries(self) -> dict[str, Entry]:
        """Every entry, by its slot."""
        try:
            fields = Fields(parse(self._path.read_bytes()))
            fields.only("type", "codes")
            fields.text("type", form("codes", '"codes"'))
            listed = fields.record("codes")
            return {slot: _read(slot, listed) for slot in listed.values}
        except FileNotFoundError:
            return {}
        except (WireError, ValueError) as error:
            raise KeyringError(
                f"codes.json: tệp hỏng, xóa tệp rồi cấp mã mới / {error}; remove it, and give out new codes"
            ) from error

    def give_out(self, station: StationId, area: str, name: str, now: UtcMs, hours: int = HOURS) -> Code:
        """A new code for a station. Earlier ones for it are gone; those out of date too, where the book is full.

        Not before: by a clock ahead every technician who is on his way would lose his.
        """
        with self.changing() as entries:
            _remove(entries, lambda entry: entry.station == station)
            if len(entries) >= CODES_MAX:
                _remove(entries, lambda entry: entry.expires < now)
            if len(entries) >= CODES_MAX:
                raise KeyringError(
                    f"codes: sổ đã có {CODES_MAX} mã, kể cả mã đã dùng; chờ mã quá hạn, hoặc hủy mã đã dùng / the book "
                    f"holds {CODES_MAX}, used ones too: wait until some are out of date, or take back those that are "
                    "used (`codes list`, `codes drop`)"
                )
            code = new_code(frozenset(entries))
            entries[code.slot] = Entry(station, area, name, code.key(), UtcMs(now + hours * HOUR_MS))
        return code

    def drop(self, station: str) -> int:
        """Take back the codes of a station; how many there were."""
        with self.changing() as entries:
            return _remove(entries, lambda entry: entry.station == station)

    def drop_all(self) -> tuple[StationId, ...]:
        """Take every code back; whose they were."""
        with self.changing() as entries:
            stations = tuple(sorted({entry.station for entry in entries.values()}))
            entries.clear()
        return stations

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, Entry]]:
        """The entries, to be changed in place; written at the end, if the block ends well."""
        with alone(self._lock):
            entries = self.entries()
            before = dict(entries)
            yield entries
            if entries != before:
                listed = {slot: _entry(entry) for slot, entry in entries.items()}
                write_durably(self._path, dump({"type": "codes", "codes": listed}))


def _remove(entries: dict[str, Entry], what: Callable[[Entry], bool]) -> int:
    slots = [slot for slot, entry in entries.items() if what(entry)]
    for slot in slots:
        del entries[slot]
    return len(slots)


def is_good(entry: Entry, now: UtcMs) -> bool:
    """Whether its hours have not passed. One that a clock ahead has given out would be good for a year: it is not."""
    return 0 <= entry.expires - now <= HOURS_MAX * HOUR_MS + AHEAD_MAX_MS


def tried(entry: Entry) -> Entry:
    """After one more wrong proof."""
    return replace(entry, tries=entry.tries + 1)


def _read(slot: str, listed: Fields) -> Entry:
    if SLOT.pattern.fullmatch(slot) is None:
        raise listed.wrong(slot, f"a slot has {SLOT_CHARS} characters")
    fields = listed.record(slot)
    fields.only("station", "area", "name", "key", "expires", "tries", "taken")
    return Entry(
        station=StationId(fields.text("station", NAME)),
        area=fields.text("area", AREA),
        name=fields.text("name", STATION_NAME),
        key=bytes.fromhex(fields.text("key", HASH)),
        expires=UtcMs(fields.integer("expires", 0, INTEGER_MAX)),
        tries=fields.integer("tries", 0, TRIES_MAX),
        taken=_read_taken(fields.record("taken")) if "taken" in fields else None,
    )


def _read_taken(fields: Fields) -> Taken:
    der = base64.b64decode(fields.text("certificate", free_text(DER_BYTES_MAX * 2)), validate=True)
    return Taken(fields.text("tls", HASH), fields.text("keyid", HASH), der)


def _entry(entry: Entry) -> dict[str, Any]:
    written: dict[str, Any] = {"station": entry.station, "area": entry.area, "name": entry.name}
    written |= {"key": entry.key.hex(), "expires": entry.expires, "tries": entry.tries}
    if entry.taken is not None:
        der = base64.b64encode(entry.taken.certificate).decode()
        written["taken"] = {"tls": entry.taken.tls, "keyid": entry.taken.keyid, "certificate": der}
    return written
