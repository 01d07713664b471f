"""Decide how the broker is set up (TLS, who may read and write what, how much it queues), and run it as a child.

The broker is believed by nobody: it can be silent, slow or selective, but it can sign nothing. What it must keep apart
is one station's topics from another's, and that is the ACL below.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from edge_agent.durable import write_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import make_private_directory
from edge_agent.headend.pki import Issued
from edge_agent.sync.limits import PACKET_BYTES_MAX
from edge_agent.sync.topics import Up

QUEUED_MESSAGES_MAX = 10_000
# A day without the headend in a commune of 50 stations: 24 hourly states, about as many changes and 50 log batches each
# are 5,000 messages; doubled. Mosquitto's default of 1,000 silently lost 2,206 of 5,000 that it had acknowledged.
QUEUED_BYTES_MAX = 64 * 1024 * 1024
# Bounds the memory of one absent client; 10,000 messages of about 6 kB.
AUTOSAVE_S = 30
# Queues are written to disk this often and at a proper stop; what a crash loses, stations and headend send again.
START_S = 20
STOP_S = 10
# Generous: only there so that nothing hangs for ever.
PORT_ATTEMPTS = 5
LOG_BYTES_MAX = 16 * 1024 * 1024
# Anybody may knock, and each time a line of 114 bytes is written (measured): ten a second are 100 MB a day, on the disk
# that holds the records. Two of these are kept; who asks why the broker ended needs the last lines.
LOG_LINES = 8
# An OpenSSL failure takes five lines after the one that names the file.
NO_QUEUES = "Couldn't open database"
# Said on stderr, before there is a log, of a file that cannot be read: cut short, rotten, of a newer version.
SEARCHED = "/usr/sbin:/usr/local/sbin"


class BrokerError(HeadendError):
    """The broker cannot run; the text says what to do."""


@dataclass(frozen=True, slots=True)
class BrokerSetup:
    """What the broker needs to know. ``stations`` maps each station id to its area path (vn/ha-noi/dong-thanh)."""

    directory: Path
    authority: Path
    identity: Issued
    stations: Mapping[str, str]
    headends: Sequence[str] = ("headend",)
    publishers: Sequence[str] = ("publisher",)
    host: str = "127.0.0.1"
    queued_messages_max: int = QUEUED_MESSAGES_MAX
    revoked: Path | None = None
    # The authority's list of certificates that it took back; read anew with every changed list of stations.


def configuration(setup: BrokerSetup, port: int) -> str:
    """Mosquitto's configuration file. The certificate's name is user name and client id at once: nobody takes a session
    that is not his."""
    lines = [
        "# Written by edge-agent-headend; changes are lost at the next start.",
        *_user_lines(),
        f"listener {port} {setup.host}",
        f"cafile {setup.authority}",
        f"certfile {setup.identity.certificate}",
        f"keyfile {setup.identity.key}",
        *([] if setup.revoked is None else [f"crlfile {setup.revoked}"]),
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {_acl_path(setup)}",
        f"max_packet_size {PACKET_BYTES_MAX}",
        f"max_queued_messages {setup.queued_messages_max}",
        f"max_queued_bytes {QUEUED_BYTES_MAX}",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {setup.directory}/",
        f"autosave_interval {AUTOSAVE_S}",
        f"log_dest file {_log_path(setup)}",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    return "\n".join(lines) + "\n"


def access_list(setup: BrokerSetup) -> str:
    """Mosquitto's ACL: a station reads its own and its area's topics, writes its own; what is not named is refused."""
    blocks = [_station_block(station, area) for station, area in sorted(setup.stations.items())]
    blocks += [_headend_block(headend) for headend in setup.headends]
    blocks += [_publisher_block(publisher) for publisher in setup.publishers]
    return "\n".join(blocks)


def area_prefixes(area: str) -> tuple[str, ...]:
    """Every area that contains this one, widest first, itself last: vn, vn/ha-noi, vn/ha-noi/dong-thanh."""
    parts = area.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _station_block(station: str, area: str) -> str:
    areas = [f"topic read loa/1/area/{prefix}/{kind}" for prefix in area_prefixes(area) for kind in ("job", "head")]
    # Each by its name: of every topic there is the broker keeps a retained message for ever, in memory and on disk.
    spoken = [f"topic write loa/1/u/{station}/{kind}" for kind in Up]
    own = [f"topic read loa/1/d/{station}/#", *spoken]
    return "\n".join([f"user {station}", *own, *areas, ""])


def _headend_block(headend: str) -> str:
    return f"user {headend}\ntopic write loa/1/d/+/+\ntopic write loa/1/area/#\ntopic read loa/1/u/#\n"


def _publisher_block(publisher: str) -> str:
    own = ["topic write loa/1/d/+/job", "topic write loa/1/area/#"]
    replies = [f"topic read loa/1/u/+/{kind}" for kind in (Up.ANSWER, Up.PLAN)]
    return "\n".join([f"user {publisher}", *own, *replies, ""])


def _user_lines() -> list[str]:
    # Started by root it would become "mosquitto" before it reads its key, which is its owner's alone.
    return ["user root"] if os.geteuid() == 0 else []


def _acl_path(setup: BrokerSetup) -> Path:
    return setup.directory / "acl"


def _log_path(setup: BrokerSetup) -> Path:
    return setup.directory / "mosquitto.log"


def _first_words_path(setup: BrokerSetup) -> Path:
    return setup.directory / "mosquitto.err"


class Mosquitto:
    """A private broker as a child process; a context manager. ``port`` 0 takes a free one at the first start.

    ``put_aside``: where the queues lie that the last start could not read.
    """

    def __init__(self, setup: BrokerSetup, port: int = 0) -> None:
        self.setup = setup
        self._child: subprocess.Popen[bytes] | None = None
        self.port = port
        self.put_aside: Path | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None when it does not run."""
        return self._child.pid if self._child is not None else None

    def runs(self) -> bool:
        """Whether the child is alive."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Write its files, start it, return when it answers. Raises BrokerError with the end of its log."""
        make_private_directory(self.setup.directory)
        self.put_aside = None
        for _ in range(PORT_ATTEMPTS):
            port = self.port or _free_port(self.setup.host)
            if self._run(port):
                self.port = port
                return
            if self._put_queues_aside():
                continue
            if self.port or "in use" not in self.log_tail():
                break  # only a port that somebody took in between is worth another try
        raise BrokerError(f"mosquitto did not start on port {port}: {self.log_tail()}")

    def stop(self) -> None:
        """End it properly: its queues are on disk afterwards."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start on the same port, with the queues it saved."""
        self.stop()
        self.start()

    def admit(self, setup: BrokerSetup) -> None:
        """Take a changed list of stations into the running broker; nobody is disconnected."""
        self.setup = setup
        self._write_files(self.port)
        self._reload()

    def keep_log_short(self) -> None:
        """Have it begin another log where this one has grown too long; the one before stays."""
        log = _log_path(self.setup)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_name(f"{log.name}.1"))
            self._reload()

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _reload(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGHUP)

    def _run(self, port: int) -> bool:
        config = self._write_files(port)
        with _first_words_path(self.setup).open("wb") as first_words:
            self._child = subprocess.Popen(
                [_program(), "-c", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=first_words,
            )
        _let_have_every_file(self._child.pid)
        if self._answers(self._child, port):
            return True
        self._end(signal.SIGKILL)
        return False

    def _put_queues_aside(self) -> bool:
        """What waited for absent stations is worth less than a ward that is on the network."""
        queues = self.setup.directory / "mosquitto.db"
        if NO_QUEUES not in _end_of(_first_words_path(self.setup)) or not queues.exists():
            return False
        self.put_aside = queues.with_name("mosquitto.db.damaged")
        queues.replace(self.put_aside)
        return True

    def _write_files(self, port: int) -> Path:
        config = self.setup.directory / "mosquitto.conf"
        write_durably(_acl_path(self.setup), access_list(self.setup).encode())
        write_durably(config, configuration(self.setup, port).encode())
        return config

    def _answers(self, child: subprocess.Popen[bytes], port: int) -> bool:
        """Whether it shakes hands in time. That it listens proves nothing yet: it does so before it reads its key."""
        tls = ssl.create_default_context(cafile=self.setup.authority)
        tls.check_hostname = False
        until = time.monotonic() + START_S
        while time.monotonic() < until and child.poll() is None:
            try:
                with socket.create_connection((self.setup.host, port), timeout=START_S) as plain:
                    tls.wrap_socket(plain).close()
            except OSError:
                time.sleep(0.02)
            else:
                return child.poll() is None
        return False

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(how)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def log_tail(self) -> str:
        """The end of its log, and what it said before it had one, for whoever has to find out why it does not run."""
        said = filter(None, map(_end_of, (_log_path(self.setup), _first_words_path(self.setup))))
        return " | ".join(said) or "it left no log; is the package complete?"


def _end_of(log: Path) -> str:
    try:
        return " | ".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ""


def _let_have_every_file(pid: int) -> None:
    """Each station is one: of the 1,024 that a shell or a service gives, the thousandth would find none left."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))


def _program() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=SEARCHED)
    if found is None:
        raise BrokerError("mosquitto is not installed: apt install mosquitto")
    return found


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
