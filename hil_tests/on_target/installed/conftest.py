"""One ward for all tests of a file, whose station is the machine's own: systemd starts it, restarts it and stops it.

Its processes can be made to hang (``hangs/sitecustomize.py``); the bench brings that in by a drop-in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clock import boot_ms
from hil_tests.bench import Bench, BenchRig
from hil_tests.installed import HANGS, TOLD, give_devices
from hil_tests.rig import ZONES
from tests.rig import Order, Tone
from tests.units.ward import UNITS, InstalledWard, run

pytest.register_assert_rewrite("hil_tests.on_target.installed.lives")

BULLETIN_S = 28.0
BEGINS_S, SOUNDS_S = 8, 3


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


@pytest.fixture
def sounding(station: BenchRig) -> Iterator[BenchRig]:
    """A bulletin sounds in both zones; afterwards its time has gone by, whoever was there to end it."""
    station.bench.watch()
    begins_s = round(station.at_s(boot_ms())) + BEGINS_S
    station.publish(Order(at_s=begins_s, tones=(Tone("b", BULLETIN_S),)))
    station.run_until(begins_s + SOUNDS_S)
    assert [(zone, on) for zone, on, _ in station.bench.edges()] == [(zone, True) for zone in ZONES]
    yield station
    station.run_until(begins_s + BULLETIN_S + 3)


def _let_hang() -> None:
    TOLD.mkdir()
    for unit in UNITS:
        drop_in = Path(f"/run/systemd/system/{unit}.service.d/bench.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text(f"[Service]\nEnvironment=PYTHONPATH={HANGS} HANGS_OF={unit}\n")
    run("systemctl", "daemon-reload")
