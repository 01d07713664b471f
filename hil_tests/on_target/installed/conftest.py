"""One ward for all tests of a file, whose station is the machine's own: systemd starts it, restarts it and stops it.

Its processes can be made to hang (``hangs/sitecustomize.py``); the bench brings that in by a drop-in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.bench import Bench, BenchRig
from hil_tests.installed import HANGS, TOLD, give_devices
from tests.units.ward import UNITS, InstalledWard, run

MEMORY_MAX = "256M"
# Four times what either process takes; the rest of the machine has two gigabytes.


@pytest.fixture(scope="session")
def machine(bench: Bench) -> Bench:
    """Its devices are the station's."""
    give_devices(bench.hardware.gpio_chip)
    return bench


@pytest.fixture(scope="module")
def station(machine: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchRig]:
    """Switched on, and welcomed by its headend; what it can be made to do lies ready."""
    _let_hang()
    with BenchRig(tmp_path_factory.mktemp("ward"), machine, ward_of=InstalledWard) as rig:
        rig.switch_on()
        yield rig


def _let_hang() -> None:
    TOLD.mkdir()
    for unit in UNITS:
        drop_in = Path(f"/run/systemd/system/{unit}.service.d/bench.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text(f"[Service]\nEnvironment=PYTHONPATH={HANGS} HANGS_OF={unit}\nMemoryMax={MEMORY_MAX}\n")
    run("systemctl", "daemon-reload")
