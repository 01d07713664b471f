"""A desk with our own station on it: real Mosquitto, real processes, simulated relays, a null sink; no headend."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from demo.ward import AREA, REALM, STATION, Ward
from edge_agent.clock import system_utc_ms
from edge_agent.headend.ceremonies import renew
from edge_agent.headend.conform.clause import Clause, Result
from edge_agent.headend.conform.kit import Wanted, run
from edge_agent.headend.conform.orders import Rules
from edge_agent.headend.conform.pace import PROTOCOL, Pace
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress
from tests.host.ports import free_port

PROVINCE_HOURS = [["06:00", "20:00"]]
EMERGENCY_SIGNATURES = 2


def _by_day_only(province: Any) -> None:
    province["roles"][0]["limits"]["hours"] = PROVINCE_HOURS


class TestDesk(Ward):
    """A ward whose headend is the kit. ``planted`` names a deviation; ``pace`` is how fast the station lives."""

    __test__ = False

    def __init__(self, folder: Path, pace: Pace = PROTOCOL, planted: str = "") -> None:
        super().__init__(folder)
        self.pace = pace
        self.planted = planted
        self.relay = BrokerAddress("127.0.0.1", free_port())

    def __enter__(self) -> TestDesk:
        super().__enter__()
        self.headend.stop()
        return self

    def conform(self, clauses: Sequence[Clause], *, audible: bool = False) -> list[Result]:
        """Run the kit against the station that is on."""
        wanted = Wanted(
            STATION,
            BrokerAddress("localhost", self.broker.port),
            self.folder / "records",
            Rules(ZoneInfo(self.timezone), (time(21), time(5))),
            content=BrokerAddress("localhost", 0),
            relay=self.relay,
            audible=audible,
            pace=self.pace,
        )
        return run(Keyring(self.keyring.directory), wanted, clauses)

    def _make_keys(self) -> Keyring:
        """As for a ward whose emergencies need two officers, and whose province may plan by day only."""
        directory = self.folder / "headend"
        keyring = create_keyring(directory, REALM, default_roles(AREA, EMERGENCY_SIGNATURES), system_utc_ms())
        renew(keyring, AREA.rpartition("/")[0], system_utc_ms(), _by_day_only)
        keyring.enrol(STATION, AREA, "Trạm loa Đông Thành 01")
        return keyring

    def _write_config(self) -> Path:
        """The station connects through the kit's relay."""
        path = super()._write_config()
        direct, through = f"port = {self.broker.port}\n", f"port = {self.relay.port}\n"
        assert direct in path.read_text()
        path.write_text(path.read_text().replace(direct, through))
        return path

    def _start(self, task: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        if task != "run" or (self.pace is PROTOCOL and not self.planted):
            return super()._start(task, env)  # the product itself
        quick = "" if self.pace is PROTOCOL else "1"
        with open(self.folder / "run.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.headend.conform.station", task, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env, "QUICK": quick, "PLANTED": self.planted},
            )
