"""A real chrony in the station's system, and the server that it asks: one that tells the time, right or wrong.

The server is our own, of a few lines, since no honest one can be told to lie; chrony is Debian's, and moves the
kernel's clock as on a pole.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

FROM_1900_S = 2_208_988_800
# NTP counts from there.
# ``rtcsync`` stands in Debian's own file too: without it chrony never lets the kernel call its clock synchronised.
CONFIG = """
server 127.0.0.1 port {port} iburst minpoll 0 maxpoll 2
makestep 1 -1
rtcsync
port 0
cmdport 0
bindcmdaddress /
pidfile {folder}/chronyd.pid
"""


class TimeServer:
    """A context manager: an NTP server on a port of its own, which says that it is ``now()`` (s since 1970)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> TimeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                asked, who = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(asked), who)
            except OSError:
                return

    def _answer(self, asked: bytes) -> bytes:
        now, its_own = _stamp(self._now()), struct.unpack("!2I", asked[40:48])
        # Version 4, a server of stratum 1, a precision of 2^-20 s, no delay of its own, "GPS".
        return struct.pack("!BBbb11I", 0x24, 1, 0, -20, 0, 0, 0x47505300, *now, *its_own, *now, *now)


class Chrony:
    """A context manager: chronyd, asking ``server`` alone; ``enter`` stands before its command."""

    def __init__(self, folder: Path, server: TimeServer, enter: Sequence[str] = ()) -> None:
        config = folder / "chrony.conf"
        config.write_text(CONFIG.format(port=server.port, folder=folder))
        program = shutil.which("chronyd", path="/usr/sbin:/usr/bin")
        assert program is not None, "chronyd is not installed"
        self._command = [*enter, program, "-d", "-f", str(config), "-u", "root"]
        self._log = folder / "chrony.log"

    def __enter__(self) -> Chrony:
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        print(self._log.read_text(errors="replace"))


def _stamp(utc_s: float) -> tuple[int, int]:
    return int(utc_s) + FROM_1900_S & 0xFFFFFFFF, int(utc_s % 1 * 2**32)
