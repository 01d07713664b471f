"""What a real bench's file names and is not there, in words that say where to look; each half where its parts are.

python -m hil_tests.there RIG runs on the station and tells what is missing among the station's own parts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hil_tests.drivers.person import TERMINAL
from hil_tests.rig import RigFile, read

CARDS = Path("/proc/asound")
CARD = re.compile(r"^(?:plug)?hw:(?:CARD=)?(\w+)")
OWN_UNITS = ("edge-agent.service", "edge-agent-io.service")


def missing_beside(rig: RigFile, terminal: Path = TERMINAL) -> list[str]:
    """Of the parts at this computer: the power switch, the serial adapter, a person's terminal."""
    found = []
    for command in (rig.power.off, rig.power.on) if rig.power else ():
        if command and shutil.which(command[0]) is None:
            found.append(f"[power] {command[0]}: không có lệnh này / no such program")
    if rig.serial and not Path(rig.serial.device).exists():
        found.append(f"[serial] device {rig.serial.device}: không có / not there; ls /dev/serial/by-id")
    if needs_a_person(rig) and not _opens(terminal):
        found.append(
            f"[power], [look], [listen], [cable]: không có màn hình để hỏi / no terminal to ask at ({terminal})"
        )
    return found


def needs_a_person(rig: RigFile) -> bool:
    """Whether somebody has to sit at the terminal."""
    return bool(rig.by_hand) or (rig.power is not None and rig.power.driver == "person")


def missing_on_the_station(rig: RigFile, cards: Path = CARDS) -> Iterator[str]:
    """Of the parts at the station; and what would hold them in the bench's place."""
    if rig.relays and not Path(rig.relays.chip).exists():
        yield f"[relays] chip {rig.relays.chip}: không có / not there; gpiodetect"
    for field, device in (("device", rig.sound.device), ("capture", rig.sound.capture)) if rig.sound else ():
        card = CARD.match(device)
        if card and not any((cards / name).exists() for name in (card[1], f"card{card[1]}")):
            yield f"[sound] {field} {device}: không có card này / no such card; aplay -l, arecord -l"
    if rig.serial and not Path(rig.serial.port).exists():
        yield f"[serial] port {rig.serial.port}: không có / not there"
    for unit in filter(_holds_them, OWN_UNITS):
        yield f"{unit}: đang giữ rơ-le và card / holds relays and card, now or after a boot; systemctl disable --now"


def _holds_them(unit: str) -> bool:
    asked = (["systemctl", how, "--quiet", unit] for how in ("is-active", "is-enabled"))
    try:
        return any(subprocess.run(one, check=False, stderr=subprocess.DEVNULL).returncode == 0 for one in asked)
    except FileNotFoundError:  # a station without systemd has no units of ours
        return False


def _opens(terminal: Path) -> bool:
    try:
        with open(terminal, "rb+", buffering=0):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    for one in missing_on_the_station(read(Path(sys.argv[1]))):
        print(one)
