"""Tell the service manager how we are: sd_notify, and a gate that feeds the watchdog by progress only.

A timer would feed it while everything else hangs. So each source of progress is named, with the longest time that it
may stand still; only while none is late does the service manager hear of us. Who the sources are is the process's
business.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

from edge_agent.core.units import SECOND_MS, MonoMs

FEED_EVERY_MS = SECOND_MS
# The units say WatchdogSec=10, the device process's 3: two feeds may be late, and one datagram a second costs nothing.

log = logging.getLogger(__name__)


class Notifier:
    """Sends sd_notify datagrams; does nothing where no service manager listens."""

    def __init__(self, address: str) -> None:
        """``address`` is a path, "@name" in the abstract namespace, or "" for nobody."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    @classmethod
    def from_environment(cls) -> Notifier:
        """The service manager that started this process, if one did."""
        return cls(os.environ.get("NOTIFY_SOCKET", ""))

    def ready(self) -> None:
        """The process does its work from here on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The process was told to end and is doing so."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={' '.join(text.split())}")

    def alive(self) -> None:
        """Feed the watchdog. Call it by progress, see ``Progress``."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError as exc:
            # Nothing better to do here: if it lasts, the watchdog is not fed, and that is the right end.
            log.warning("service manager not told what=%s error=%s", text.partition("=")[0], exc)


class Progress:
    """Feeds the watchdog only while every named source has progressed within its limit (ms)."""

    def __init__(self, notifier: Notifier, limits_ms: Mapping[str, int], now: MonoMs) -> None:
        """Every source counts as just seen, and owes its next sign within its limit."""
        self._notifier = notifier
        self._limits_ms = dict(limits_ms)
        self._seen: dict[str, MonoMs | None] = dict.fromkeys(limits_ms, now)
        self._fed_at: MonoMs | None = None
        self._late: tuple[str, ...] = ()

    def mark(self, source: str, at: MonoMs) -> None:
        """``source`` progressed at ``at``."""
        assert source in self._limits_ms, source
        self._seen[source] = at

    def rest(self, source: str) -> None:
        """``source`` has nothing to do and owes no progress until it is marked again."""
        assert source in self._limits_ms, source
        self._seen[source] = None

    def late(self, now: MonoMs) -> tuple[str, ...]:
        """The sources that stand still."""
        return tuple(
            source for source, at in self._seen.items() if at is not None and now - at > self._limits_ms[source]
        )

    def feed(self, now: MonoMs) -> None:
        """Tell the service manager that we live, if we do. To be called as often as there is time."""
        late = self.late(now)
        if late != self._late:
            self._late = late
            log.error("watchdog late=%s next=%s", ",".join(late) or "none", "restart" if late else "feed")
        if late or (self._fed_at is not None and now - self._fed_at < FEED_EVERY_MS):
            return
        self._fed_at = now
        self._notifier.alive()
