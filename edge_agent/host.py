"""Read what the box says of itself (requirement U1). Decides nothing; what cannot be seen is None, never a guess."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from edge_agent.sync.messages import HostStatus

THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
UNDERVOLTAGE = "hwmon*/in0_lcrit_alarm"
# The raspberrypi-hwmon driver; vcgencmd's sticky bits clear themselves when read.
MEGABYTE = 1_000_000


def read(state_dir: Path, broker: tuple[str, int], serial: str) -> HostStatus:
    """Address, serial number, free storage (MB), temperature (°C), under-voltage."""
    return HostStatus(
        address=_address(broker),
        serial=serial or None,
        storage_free_mb=_free_mb(state_dir),
        temperature_c=_temperature(),
        undervoltage=_undervoltage(),
    )


def _address(broker: tuple[str, int]) -> str | None:
    """The local address of the route to the broker. Connecting a datagram socket sends nothing."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(broker)
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _free_mb(state_dir: Path) -> int | None:
    try:
        return shutil.disk_usage(state_dir).free // MEGABYTE
    except OSError:
        return None


def _temperature() -> int | None:
    try:
        return int(THERMAL.read_text()) // 1000
    except (OSError, ValueError):
        return None


def _undervoltage() -> bool | None:
    alarms = list(Path("/sys/class/hwmon").glob(UNDERVOLTAGE))
    try:
        return any(alarm.read_text().strip() == "1" for alarm in alarms) if alarms else None
    except OSError:
        return None
