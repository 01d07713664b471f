"""The demo's ward: its station comes as a box that holds nothing, and is brought in as a technician does it.

At the centre a slip with a one-time code, on the station ``enrol``. Where a test only needs a station, ``Ward`` has its
keys made for it.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from demo.ward import AREA, NAME, STATION, Ward
from edge_agent.clock import system_utc_ms
from edge_agent.config.identity import BROKER, Words, with_words
from edge_agent.config.identity import STATION as IN_STATION
from edge_agent.headend import cli
from edge_agent.headend.enrolment_server import EnrolmentServer
from edge_agent.headend.keyring import Keyring, StationFolder
from edge_agent.headend.pki import Issued
from edge_agent.headend.registrar import Registrar
from edge_agent.headend.session import BrokerAddress

NOBODY = "chua-dang-ky"
OFF_THE_SHELF: Words = {
    (IN_STATION, "id"): NOBODY,
    (IN_STATION, "realm"): NOBODY,
    (IN_STATION, "name"): "Chưa đăng ký",
    (IN_STATION, "area"): "vn",
    (BROKER, "host"): NOBODY,
    (BROKER, "port"): 8883,
}
"""What a box says of itself before anybody has told it who it is."""
CODE = re.compile(r"--code (\S+)")


class EnrolledWard(Ward):
    """``slip`` is what the centre printed, ``enrolled`` what the station did."""

    slip = ""
    enrolled = ""

    def _make_keys(self) -> Keyring:
        return self._make_network()

    def _station_files(self) -> StationFolder:
        place = self.folder / "identity"
        tls = Issued(place / "station.pem", place / "station.key")
        return StationFolder(place, tls, place / "signing.key", place / "trust.json", place / "ca.pem")

    def _write_config(self) -> Path:
        self.config = super()._write_config()
        self.config.write_text(with_words(self.config.read_text("utf-8"), OFF_THE_SHELF), "utf-8")
        self._enrol()
        return self.config

    def _enrol(self) -> None:
        """Raises RuntimeError where the box has not become the station."""
        broker = BrokerAddress(self.fitting.host, self.broker.port)
        registrar, server = Registrar(Keyring(self.keyring.directory), broker), self.keyring.server("content")
        with EnrolmentServer(registrar, server, system_utc_ms, self.fitting.address) as service:
            url = f"https://{self.fitting.host}:{service.port}"
            self.slip = self._new_code(url)
            (code,) = CODE.findall(self.slip)
            self.enrolled = self.command("enrol", "--server", url, "--code", code)
        self.keyring.refresh()
        if STATION not in self.keyring.stations:
            raise RuntimeError(f"the station was not enrolled: {self.enrolled}")

    def _new_code(self, url: str) -> str:
        """What ``edge-agent-headend codes new`` prints."""
        words = ["codes", "new", STATION, "--dir", str(self.keyring.directory), "--area", AREA]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            cli.main([*words, "--name", NAME, "--server", url])
        return printed.getvalue()
