"""A station's folder as the headend hands it over, and a configuration that stands in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clock import system_utc_ms
from edge_agent.config import Config, load
from edge_agent.headend.keyring import Keyring, StationFolder
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles

REALM = "test"
STATION = "dt-01"
AREA = "vn/ha-noi/dong-thanh"

WIRED = """
[paths]
state_dir = "state"
run_dir = "run"

[clock]
ntp = "off"
rtc = true

[cards.main]
device = "null"
channels = 2

[relays]
driver = "simulated"
[relays.simulated]
dir = "relays"

[[zones]]
id = "cho"
name = "Cụm loa chợ"
card = "main"
channel = "left"
line = 17
warm_up_ms = 800
"""
"""What the box has, whoever it is."""

TOML = """
[station]
id = "{station}"
realm = "{realm}"
name = "Trạm loa Đông Thành 01"
area = "{area}"
timezone = "Asia/Ho_Chi_Minh"

[broker]
host = "localhost"
port = {port}
ca_file = "{given.authority}"
cert_file = "{given.tls.certificate}"
key_file = "{given.tls.key}"

[content]
ca_file = "{given.authority}"

[trust]
file = "{given.trust}"
station_key_file = "{given.sign}"
"""


@dataclass(frozen=True, slots=True)
class StationRig:
    """One enrolled station. ``file`` is its configuration, ``given`` what it got from the headend."""

    keyring: Keyring
    given: StationFolder
    file: Path
    config: Config

    @property
    def status_file(self) -> Path:
        return self.config.paths.run_dir / "status.json"

    def show(self, picture: bytes, age_s: float = 0) -> None:
        """Write a status file that the agent renewed ``age_s`` ago."""
        self.status_file.write_bytes(picture)
        then = self.status_file.stat().st_mtime - age_s
        os.utime(self.status_file, (then, then))


def make_station(folder: Path, *, port: int = 1, more: str = "", station: str = STATION) -> StationRig:
    """Enrol a station and write its configuration; both its folders exist, as after the service's first start."""
    keyring = create_keyring(folder / "headend", REALM, default_roles(AREA, 1), system_utc_ms())
    given = keyring.enrol(station, AREA)
    file = folder / "station.toml"
    identity = TOML.format(station=station, realm=REALM, area=AREA, port=port, given=given)
    file.write_text(f"{identity}{WIRED}\n{more}\n")
    for name in ("state", "run"):
        (folder / name).mkdir()
    return StationRig(keyring, given, file, load(file))
