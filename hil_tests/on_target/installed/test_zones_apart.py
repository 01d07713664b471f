"""Two zones of one card, each with a queue of its own, as the shipped units let alsa-lib have it (SysV IPC, a fork).

That the one loses no sample where somebody cuts in on the other is ``tests/audio/test_zones_apart.py``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hil_tests.bench import Bench, BenchRig
from hil_tests.installed import SYSTEMD
from tests.scenarios import emergency_cuts_in_and_the_zone_rejoins
from tests.units.ward import CONFIG, InstalledWard

CONF_D = Path("/etc/alsa/conf.d")
ONE_CARD = '[cards.main]\ndevice = "hw:Loopback,0,0"\nchannels = 2\n'

pytestmark = pytest.mark.shows("bench.9", "sound.4", "S1")


class ApartWard(InstalledWard):
    """Its two zones are two cards of one channel, as docs/configuration.md says."""

    def _write_config(self) -> Path:
        text = super()._write_config().read_text()
        assert ONE_CARD in text
        CONF_D.mkdir(parents=True, exist_ok=True)
        shutil.copy(SYSTEMD / "alsa/90-loa-zones.conf", CONF_D)
        cards = ""
        for channel, side in enumerate(("left", "right")):
            cards += f'[cards.{side}]\ndevice = "loa:{channel},Loopback"\nchannels = 1\n\n'
            text = text.replace(f'card = "main"\nchannel = "{side}"', f'card = "{side}"\nchannel = "mono"')
        CONFIG.write_text(text.replace(ONE_CARD, cards))
        return CONFIG


def test_a_warning_cuts_in_on_one_and_the_other_plays_on(machine: Bench, tmp_path: Path) -> None:
    with BenchRig(tmp_path, machine, ward_of=ApartWard) as rig:
        emergency_cuts_in_and_the_zone_rejoins(rig)
