"""Read what the box says of itself (requirement U1). Decides nothing; what cannot be seen is None, never a guess.

Some of it blocks: without a network the resolver waits for seconds, and a dying card answers when it likes. So a thread
of its own reads, and whoever asks gets the last reading at once: the core's thread holds the relays' lease.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from edge_agent.sync.reports import HostStatus
from edge_agent.sync.resolving import addresses

READ_EVERY_S = 30.0
# Temperature and free storage move over minutes, and heartbeats are 300 s apart.
NAME_S = 15.0
# For the broker's name: three name servers, each asked once.
SYSFS = Path("/sys/class")
TEMPERATURE = "thermal/thermal_zone0/temp"
UNDERVOLTAGE = "hwmon/hwmon*/in0_lcrit_alarm"
# The raspberrypi-hwmon driver; vcgencmd's sticky bits clear themselves when read.
MEGABYTE = 1_000_000


class HostReader:
    """Reads in a thread of its own; ``latest`` never blocks. Before the first reading nothing is known."""

    def __init__(self, read: Callable[[], HostStatus], every_s: float = READ_EVERY_S) -> None:
        self._read = read
        self._every_s = every_s
        self._latest = HostStatus()

    def start(self) -> None:
        """Begin to read, at once and then for ever."""
        threading.Thread(target=self._run, name="host", daemon=True).start()

    def latest(self) -> HostStatus:
        """The last reading."""
        return self._latest

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._latest = self._read()
            pause.wait(self._every_s)


class Way:
    """The way to the broker, of which only the end on this side is of interest.

    Its name is asked for once: with each reading, two questions and two answers of some 80 bytes, it would be 0.9 MB of
    SIM a day, more than all else that an idle station says and hears. It is asked for anew where no way leads to what
    was answered.
    """

    def __init__(self, broker: tuple[str, int], ask: Callable[[str, float], list[str]] = addresses) -> None:
        self._host, self._port = broker
        self._ask = ask
        self._found: str | None = None

    def address(self) -> str | None:
        """The local one, as the routes are now. Connecting a datagram socket sends nothing."""
        try:
            self._found = self._found or self._ask(self._host, NAME_S)[0]
            with socket.socket(socket.AF_INET6 if ":" in self._found else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((self._found, self._port))
                return str(probe.getsockname()[0])
        except (OSError, UnicodeError):  # the latter: a name that cannot be one, such as "a..b"
            self._found = None
            return None


def read(state_dir: Path, way: Way, serial: str, sysfs: Path = SYSFS) -> HostStatus:
    """Address, serial number, free storage (MB), temperature (°C), under-voltage. May block for seconds."""
    return HostStatus(
        address=way.address(),
        serial=serial or None,
        storage_free_mb=_free_mb(state_dir),
        temperature_c=_temperature(sysfs),
        undervoltage=_undervoltage(sysfs),
    )


def _free_mb(state_dir: Path) -> int | None:
    try:
        return shutil.disk_usage(state_dir).free // MEGABYTE
    except OSError:
        return None


def _temperature(sysfs: Path) -> int | None:
    try:
        return int((sysfs / TEMPERATURE).read_text()) // 1000
    except (OSError, ValueError):
        return None


def _undervoltage(sysfs: Path) -> bool | None:
    alarms = list(sysfs.glob(UNDERVOLTAGE))
    try:
        return any(alarm.read_text().strip() == "1" for alarm in alarms) if alarms else None
    except OSError:
        return None
