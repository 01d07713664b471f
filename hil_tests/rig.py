"""What a bench has, from its file: what is wired to what, how exactly it is seen, and what it has not.

A bench's file is its promise. What it names has to work, and a test that needs it fails where it does not; what it
calls absent, with the reason, is left out and stands so in the report; what it does not mention at all fails too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("virtual", "real")
DRIVERS = ("gpio-sim", "gpio")
ZONES = ("c1", "c2")
CAN = {
    "trace": "tell each order that a relay's line gets, and whether anybody gave it",
    "bad-contacts": "let a relay's contact stick or chatter, and be another board",
    "lose-card": "take the sound card away and give it back",
    "clock": "set the station's clock wrong",
    "network": "do to packets whatever a line may do to them",
    "disk": "give disks that fail when they are told to, and write down all that they get",
}
"""What a bench may be able to do beside closing relays and listening; tests say what they want of it."""


class RigError(Exception):
    """The bench's file cannot be used; the message names the field and the remedy."""


@dataclass(frozen=True, slots=True)
class RelayWiring:
    """The line of each zone's relay on the chip, and that to which its contact is led back (to ground when closed)."""

    driver: str
    chip: str
    lines: Mapping[str, int]
    contacts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SoundWiring:
    """ALSA devices: what the station plays into, and what hears that."""

    device: str
    capture: str


@dataclass(frozen=True, slots=True)
class RigFile:
    """A bench. ``can`` is some of CAN; ``absent`` says of what it cannot do, or has not, why."""

    name: str
    title_vi: str
    title_en: str
    kind: str
    sound_tolerance_s: float
    relays: RelayWiring | None
    sound: SoundWiring | None
    can: frozenset[str]
    absent: Mapping[str, str]


def read(path: Path) -> RigFile:
    """Raises RigError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise RigError(f"{path}: {exc}; a bench's file is TOML, see hil_tests/rigs/desk.toml") from exc
    return _Reader(path, table).rig()


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        self._path = path
        self._table = table

    def rig(self) -> RigFile:
        known = {"name", "title", "kind", "tolerance", "relays", "sound", "can", "absent"}
        if unknown := sorted(self._table.keys() - known):
            raise self._error(unknown[0], f"not known; one of {', '.join(sorted(known))} is meant")
        title = self._table.get("title", {})
        absent = self._table.get("absent", {})
        for part, reason in absent.items():
            if not isinstance(reason, str) or not reason.strip():
                raise self._error(f"absent.{part}", "the reason is missing: say in words why this bench has none")
            if part in self._table:
                raise self._error(f"absent.{part}", "is there and absent; take one of the two out")
        return RigFile(
            name=self._text("name"),
            title_vi=str(title.get("vi", self._table.get("name"))),
            title_en=str(title.get("en", self._table.get("name"))),
            kind=self._one_of("kind", self._text("kind"), KINDS),
            sound_tolerance_s=self._number("tolerance", "sound_s"),
            relays=self._relays(),
            sound=self._sound(),
            can=self._can(absent),
            absent=absent,
        )

    def _relays(self) -> RelayWiring | None:
        table = self._table.get("relays")
        if table is None:
            return None
        driver = self._one_of("relays.driver", table.get("driver"), DRIVERS)
        chip = table.get("chip", "")
        if driver == "gpio" and not chip:
            raise self._error("relays.chip", "missing; gpiodetect lists the chips")
        lines, contacts = (self._lines(f"relays.{name}", table.get(name)) for name in ("lines", "contacts"))
        if taken := set(lines.values()) & set(contacts.values()):
            raise self._error("relays.contacts", f"line {min(taken)} is a relay's; a contact needs a line of its own")
        return RelayWiring(driver, chip, lines, contacts)

    def _lines(self, field: str, table: object) -> Mapping[str, int]:
        if not isinstance(table, dict) or set(table) != set(ZONES):
            raise self._error(field, f"a line for each of {', '.join(ZONES)} is needed")
        if not all(isinstance(line, int) and line >= 0 for line in table.values()):
            raise self._error(field, "offsets on the chip are numbers from 0 on, as gpioinfo counts them")
        if len(set(table.values())) != len(table):
            raise self._error(field, "one line is used twice")
        return {str(zone): int(line) for zone, line in table.items()}

    def _sound(self) -> SoundWiring | None:
        table = self._table.get("sound")
        if table is None:
            return None
        device, capture = (str(table.get(name, "")) for name in ("device", "capture"))
        if not device or not capture:
            raise self._error("sound", "device (aplay -L) and capture (arecord -L) are both needed")
        return SoundWiring(device, capture)

    def _can(self, absent: Mapping[str, str]) -> frozenset[str]:
        words = self._table.get("can", [])
        for word in words if isinstance(words, list) else [words]:
            self._one_of("can", word, tuple(CAN))
        if both := sorted(set(words) & set(absent)):
            raise self._error(f"absent.{both[0]}", "the bench can and cannot; take one of the two out")
        return frozenset(words)

    def _text(self, field: str) -> str:
        value = self._table.get(field)
        if not isinstance(value, str) or not value:
            raise self._error(field, "missing")
        return value

    def _number(self, table: str, field: str) -> float:
        value = self._table.get(table, {}).get(field)
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise self._error(f"{table}.{field}", "seconds, more than 0, are needed")
        return float(value)

    def _one_of(self, field: str, value: object, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            raise self._error(field, f"{value!r} is none of {', '.join(allowed)}")
        return str(value)

    def _error(self, field: str, words: str) -> RigError:
        return RigError(f"{self._path}: {field}: {words}")
