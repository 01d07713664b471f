"""Runs in a network of its own, where it is the name server too: a hostile one, then an honest one. Prints JSON.

python -m tests.sync.names_desk FOLDER. What it prints is in ``Told``. Everything asks by the machine's own resolver.
"""

from __future__ import annotations

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge_agent import host
from edge_agent.core.events import Connected, Disconnected, Event
from edge_agent.core.units import ClipKey
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.pki import Issued, create_authority, issue_client, issue_server
from edge_agent.identity import asking
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync import client
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import HTTPS_TROUBLE, Patience, Trust, listen
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.port import Fetched
from edge_agent.sync.resolving import ASK
from edge_agent.sync.right_of_way import RightOfWay
from edge_agent.trust.keys import new_signer
from tests.host.content import Content, running_content
from tests.sync.rigs import AREA, STATION, host_clock
from tests.sync.test_hostile_server import AUDIO, KEY

BROKER, CONTENT = "broker.example", "content.example"
PATIENCE_S = 60
# Only there so that what hangs for good ends this program.
SHORT = Patience(stall_s=5, slack_s=15, rate_bytes_s_min=10**9)
HEAD, PAPER = "/head/area/vn", b"a head"


@dataclass
class Told:
    """``ended``: what each said while the names were hostile. ``healed``: what came afterwards, without a restart.

    ``asked_by_tcp`` lookups were led into the trap; ``left`` of their connections were still open at the end.
    ``orphan`` is what ended one that was asked for and left alone.
    """

    ended: dict[str, str] = field(default_factory=dict)
    parted: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    asked_by_tcp: int = 0
    left: int = -1
    orphan: str = ""


class NameServer:
    """Says that each answer is too long and to be had by TCP, and there nothing; once honest, 127.0.0.1."""

    def __init__(self) -> None:
        self.honest = False
        self.held: list[socket.socket] = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 53))
        self._tcp = socket.create_server(("127.0.0.1", 53))
        for serve in (self._hold, self._answer):
            threading.Thread(target=serve, daemon=True).start()

    def left(self) -> int:
        """How many of those whom it holds are still there."""
        return sum(_open(line) for line in self.held)

    def _hold(self) -> None:
        while True:
            self.held.append(self._tcp.accept()[0])

    def _answer(self) -> None:
        while True:
            question, who = self._udp.recvfrom(4_096)
            self._udp.sendto(_true(question) if self.honest else _too_long(question), who)


def _too_long(question: bytes) -> bytes:
    """TC, and no record."""
    return question[:2] + b"\x83\x80" + question[4:6] + bytes(6) + question[12:]


def _true(question: bytes) -> bytes:
    """127.0.0.1; of any other kind of record there is none."""
    end = question.index(b"\0", 12) + 5
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if question[end - 4 : end - 2] == b"\0\1" else b""
    return question[:2] + b"\x81\x80\0\1" + (b"\0\1" if record else b"\0\0") + bytes(4) + question[12:end] + record


def _open(line: socket.socket) -> bool:
    """Whether the other side has not hung up. What it has asked may lie there."""
    line.setblocking(False)
    try:
        while line.recv(4_096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


class Station:
    """Everything of a station's that asks for a name."""

    def __init__(self, folder: Path, content: Content, port: int, identity: Issued) -> None:
        trust = Trust(content.authority.path, host_clock)
        self._url = f"https://{CONTENT}:{content.port}"
        self._trust = trust
        self.port = port
        self.posted: list[Event] = []
        self.fetcher = HttpsFetcher(folder / "originals", trust, SHORT, 0, RightOfWay(others_s=1, spread_s=1))
        self.home = HttpsHome(self._url, trust, SHORT)
        settings = BrokerSettings(
            BROKER,
            port,
            content.authority.path,
            identity.certificate,
            TlsKey(identity.key).show,
            STATION,
            AREA,
            reconnect_base_s=0.2,
            reconnect_ceiling_s=1,
        )
        self.session = MqttSession(settings, self.posted.append, host_clock, lambda: b"will")

    def fetched(self) -> object:
        return self.fetcher.fetch(KEY, len(AUDIO), (f"{self._url}/clip",), urgent=True)

    def read(self) -> object:
        return self.home.get([HEAD], 2_048)[0]

    def all(self) -> dict[str, Callable[[], object]]:
        """The others, beside the session."""
        return {
            "urgent download": self.fetched,
            # It stands back for the warning's, or is hung up on and comes again; and asks for no name itself.
            "routine download": lambda: self.fetcher.fetch(ClipKey("1" * 64), 9, ("https://127.0.0.1:9/a",)),
            "home": self.read,
            "live source": self._listen,
            "renewal": self._renew,
            "box": lambda: host.Way((BROKER, self.port)).address(),
        }

    def _listen(self) -> str:
        try:
            with listen(f"{self._url}/live", self._trust, 10, 5, lambda _: ""):
                return "heard"
        except HTTPS_TROUBLE as error:
            return str(error)

    def _renew(self) -> str:
        try:
            asking.renew(asking.Server(self._url, answer_s=5), "test", STATION, new_signer(), b"csr")
        except asking.NoIdentity as error:
            return str(error)
        return "renewed"


def orphan() -> str:
    """A lookup that has a second, and nobody who looks after it."""
    process = subprocess.Popen([*ASK, CONTENT, "1"], stdout=subprocess.DEVNULL)
    until(lambda: process.poll() is not None)
    return signal.Signals(-process.returncode).name if process.returncode else ""


def told(station: Station, names: NameServer) -> Told:
    found = Told()
    ended: queue.Queue[tuple[str, str]] = queue.Queue()
    users = station.all()
    for name, use in users.items():
        threading.Thread(target=lambda name=name, use=use: ended.put((name, str(use()))), daemon=True).start()
    station.session.start()
    until(lambda: ended.qsize() == len(users) and any(isinstance(event, Disconnected) for event in station.posted))
    while not ended.empty():
        name, said = ended.get()
        found.ended[name] = said
    found.parted = [event.detail for event in station.posted if isinstance(event, Disconnected)][:1]
    found.asked_by_tcp = len(names.held)
    found.orphan = orphan()
    names.honest = True
    again: dict[str, Callable[[], bool]] = {
        "session": lambda: any(isinstance(event, Connected) for event in station.posted),
        "download": lambda: isinstance(station.fetched(), Fetched),
        "home": lambda: station.read() == PAPER,
    }
    heal: queue.Queue[str] = queue.Queue()
    for name, well in again.items():
        threading.Thread(target=lambda name=name, well=well: until(well) and heal.put(name), daemon=True).start()
    until(lambda: heal.qsize() == len(again))
    found.healed = sorted(heal.queue)
    until(lambda: names.left() == 0)
    found.left = names.left()
    return found


def main(folder: Path) -> None:
    # The product's 30 s are a matter of 3G; here they would only be waited for.
    client.CONNECT_TIMEOUT_S, client.DIAL_S, host.NAME_S = 5, 10, 5
    authority = create_authority(folder / "ca", "test")
    server = issue_server(authority, folder / "server", "server", [BROKER, CONTENT])
    identity = issue_client(authority, folder / "clients", STATION)
    setup = BrokerSetup(folder / "broker", authority.path, server, {STATION: AREA}, [])
    with running_content(folder, authority, server) as content, Mosquitto(setup) as mosquitto:
        content.put("clip", AUDIO)
        content.put(HEAD.removeprefix("/"), PAPER)
        found = told(Station(folder, content, mosquitto.port, identity), NameServer())
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
