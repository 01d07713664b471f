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
POWER_DRIVERS = ("machine", "command", "person")
SERIAL_DRIVERS = ("machine", "device")
SPEEDS = (9_600, 19_200, 38_400, 57_600, 115_200)
OFF_S, UP_S = (1, 600), (10, 1_800)
# A supply's capacitors keep a small board alive for a second; nobody waits longer than half an hour for a boot.
ZONES = ("c1", "c2")
CAN = {
    "trace": "tell each order that a relay's line gets, and whether anybody gave it",
    "bad-contacts": "let a relay's contact stick or chatter, and be another board",
    "lose-card": "take the sound card away and give it back",
    "clock": "set the station's clock wrong",
    "network": "do to packets whatever a line may do to them",
    "disk": "give disks that fail when they are told to, and write down all that they get",
    "machine": "boot machines of its own",
    "second-line": "watch two serial lines at once",
    "cable": "pull the serial cable",
    "hang-up": "let a serial line hang up so that the station is told",
}
"""What a bench may be able to do beside closing relays and listening; tests say what they want of it."""
BY_HAND = {
    "look": "tell whether the relays are open",
    "listen": "tell whether anything sounds",
    "cable": "pull the serial cable",
}
"""What a person does for a bench that has a table of that name; their word stands in the report as what it is."""
PARTS = {
    **CAN,
    **BY_HAND,
    "power": "cut the station's power",
    "serial": "type at the station's serial line",
}
"""All that a test may want."""


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
class PowerWiring:
    """Who cuts the station's power: the virtual bench's machine itself, a pair of commands, or a person.

    The power stays off for ``off_s``, and the station answers ``up_s`` after it is back at the latest.
    """

    driver: str
    off_s: float
    up_s: float
    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SerialWiring:
    """The station's serial line: ``device`` here is wired to ``port`` there. All empty where it is the machine's."""

    driver: str
    device: str = ""
    port: str = ""
    speed: int = 0


@dataclass(frozen=True, slots=True)
class StationWiring:
    """How the bench reaches a real station from beside it.

    ``reach`` is a command that takes one word more, a line for a shell, and has it run on the station as root. This
    project lies there in ``tree``, set up; what a power cut must leave lies in ``folder``, on the station's own card.
    """

    reach: tuple[str, ...]
    tree: str
    folder: str


@dataclass(frozen=True, slots=True)
class RigFile:
    """A bench. ``can`` is some of CAN, ``by_hand`` of BY_HAND; ``absent`` says of what it has not, why."""

    name: str
    title_vi: str
    title_en: str
    kind: str
    sound_tolerance_s: float
    relays: RelayWiring | None
    sound: SoundWiring | None
    can: frozenset[str]
    absent: Mapping[str, str]
    power: PowerWiring | None = None
    serial: SerialWiring | None = None
    station: StationWiring | None = None
    by_hand: frozenset[str] = frozenset()

    def has(self, part: str) -> bool:
        """Whether it has one of PARTS."""
        wired = {"power": self.power, "serial": self.serial}
        return part in self.can | self.by_hand or wired.get(part) is not None


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
        known |= {"power", "serial", "station", *BY_HAND}
        if unknown := sorted(self._table.keys() - known):
            raise self._error(unknown[0], f"not known; one of {', '.join(sorted(known))} is meant")
        title = self._table.get("title", {})
        absent = self._table.get("absent", {})
        for part, reason in absent.items():
            if not isinstance(reason, str) or not reason.strip():
                raise self._error(f"absent.{part}", "the reason is missing: say in words why this bench has none")
            if part in self._table:
                raise self._error(f"absent.{part}", "is there and absent; take one of the two out")
        kind = self._one_of("kind", self._text("kind"), KINDS)
        return RigFile(
            name=self._text("name"),
            title_vi=str(title.get("vi", self._table.get("name"))),
            title_en=str(title.get("en", self._table.get("name"))),
            kind=kind,
            sound_tolerance_s=self._number("tolerance", "sound_s"),
            relays=self._relays(),
            sound=self._sound(),
            can=self._can(absent),
            absent=absent,
            power=self._power(kind),
            serial=self._serial(kind),
            station=self._station(kind),
            by_hand=frozenset(part for part in BY_HAND if self._a_person_does(part)),
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

    def _power(self, kind: str) -> PowerWiring | None:
        table = self._table.get("power")
        if table is None:
            return None
        driver = self._driver("power", table, POWER_DRIVERS, kind)
        off, on = (self._words(f"power.{name}", table.get(name, [])) for name in ("off", "on"))
        if (driver == "command") != bool(off and on) or bool(off) != bool(on):
            raise self._error("power", 'driver = "command" and two commands, off and on, belong together')
        off_s, up_s = (
            self._within(f"power.{name}", table, bound) for name, bound in (("off_s", OFF_S), ("up_s", UP_S))
        )
        return PowerWiring(driver, off_s, up_s, off, on)

    def _serial(self, kind: str) -> SerialWiring | None:
        table = self._table.get("serial")
        if table is None:
            return None
        driver = self._driver("serial", table, SERIAL_DRIVERS, kind)
        if driver == "machine":
            return SerialWiring(driver)
        device, port = (str(table.get(name, "")) for name in ("device", "port"))
        if not device.startswith("/dev/") or not port.startswith("/dev/"):
            raise self._error("serial", "device (/dev/ttyUSB0, here) and port (/dev/serial0, the station's) are needed")
        if table.get("speed") not in SPEEDS:
            raise self._error("serial.speed", f"one of {', '.join(map(str, SPEEDS))} is needed")
        return SerialWiring(driver, device, port, int(table["speed"]))

    def _station(self, kind: str) -> StationWiring | None:
        table = self._table.get("station")
        if (table is None) != (kind == "virtual"):
            raise self._error("station", "a real bench has one, and says how it is reached; a virtual one has none")
        if table is None:
            return None
        reach = self._words("station.reach", table.get("reach", []))
        tree, folder = (str(table.get(name, "")) for name in ("tree", "folder"))
        if not reach or not tree.startswith("/") or not folder.startswith("/"):
            raise self._error("station", "reach (a command), tree and folder (whole paths on the station) are needed")
        return StationWiring(reach, tree, folder)

    def _a_person_does(self, part: str) -> bool:
        table = self._table.get(part)
        if table is None:
            return False
        self._one_of(f"{part}.driver", table.get("driver") if isinstance(table, dict) else table, ("person",))
        return True

    def _driver(self, part: str, table: Mapping[str, Any], drivers: tuple[str, ...], kind: str) -> str:
        """Only a virtual bench's machine has the part in itself, and it has it nowhere else."""
        driver = self._one_of(f"{part}.driver", table.get("driver"), drivers)
        if (driver == "machine") != (kind == "virtual"):
            raise self._error(f"{part}.driver", '"machine" is a virtual bench\'s, and its only one')
        return driver

    def _words(self, field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise self._error(field, 'a command is a list of words: ["ssh", "root@tram"]')
        return tuple(value)

    def _within(self, field: str, table: Mapping[str, Any], bound: tuple[int, int]) -> float:
        value = table.get(field.partition(".")[2])
        low, high = bound
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self._error(field, f"seconds from {low} to {high} are needed")
        return float(value)

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
