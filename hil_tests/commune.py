"""A commune's stations in one process, as far as they fetch: each with the product's own core, threads and downloads.

What they are told comes by stdin, a line of JSON for all or for the first; what became of it goes to a file. Their
orders are verified already, their journals and devices obey, and no sound is decoded.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from edge_agent.clock import boot_ms
from edge_agent.core import effects as fx
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event, ManifestRead, Tick
from edge_agent.core.heads import Head
from edge_agent.core.site import Clause, LocalPolicy
from edge_agent.core.units import ClipKey
from edge_agent.manifest_worker import ManifestWorker
from edge_agent.staging_worker import StagingWorker
from edge_agent.sync import resolving
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Trust
from edge_agent.sync.port import FetchFailed
from tests.core.bench import Bench
from tests.sync.rigs import host_clock

HEAD = b"the head of the ward"
AT_ANY_HOUR = LocalPolicy((Clause(),))
FREE_BYTES_MIN = 64 * 1_024 * 1_024
# Of the machine's memory, in which two hundred cards lie.


@dataclass(frozen=True, slots=True)
class Seen:
    """A station's sound or manifest was ``asked`` for, its fetching ``began``, it was ``whole`` or ``failed``."""

    at_ms: int
    station: str
    what: str
    key: str
    why: str = ""


class Log:
    """Where all of it is told, by whichever thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._lock = threading.Lock()

    def tell(self, station: str, what: str, key: str, why: str = "") -> None:
        with self._lock:
            self._file.write(json.dumps([boot_ms(), station, what, key, why]) + "\n")
            self._file.flush()


class Originals:
    """A ``fetch_and_stage.Staging`` whose decoder needs no time: what was fetched has the length that was signed."""

    def __init__(self, station: str, fetcher: HttpsFetcher, log: Log) -> None:
        self._station = station
        self._fetcher = fetcher
        self._log = log

    def at_hand(self, order: fx.FetchAhead | fx.FetchClip) -> None:
        """Nothing lies here when the commune's day begins."""

    def original(self, order: fx.FetchAhead) -> ClipFetched | ClipFailed:
        return self._fetch(order) or ClipFetched(order.key)

    def clip(self, order: fx.FetchClip) -> ClipStaged | ClipFailed:
        return self._fetch(order) or ClipStaged(order.key, order.duration_ms)

    def text(self, order: fx.SpeakText) -> ClipStaged | ClipFailed:
        return ClipStaged(order.key, 1_000)

    def makes(self, key: ClipKey) -> bool:  # noqa: ARG002 - none is made
        """Of what was fetched, in no time."""
        return False

    def spare(self, key: ClipKey) -> None:
        """Nothing is swept."""

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        """Nothing is."""

    def _fetch(self, order: fx.FetchAhead | fx.FetchClip) -> ClipFailed | None:
        self._log.tell(self._station, "began", order.key)
        got = self._fetcher.fetch(order.key, order.length_bytes, order.urls, urgent=order.urgent)
        if isinstance(got, FetchFailed):
            self._log.tell(self._station, "failed", order.key, got.detail)
            return ClipFailed(order.key, got.reason, got.again, got.detail, got.came_bytes)
        self._log.tell(self._station, "whole", order.key)
        return None


class Station(Bench):
    """The core with the real clock, and real answers to what it fetches."""

    def __init__(self, name: str, folder: Path, ca_file: Path, home: str, log: Log, inbox: Inbox) -> None:
        super().__init__(station=name, polls_home=True, policy=AT_ANY_HOUR)
        self.name = name
        self._log = log
        trust = Trust(ca_file, host_clock)
        staging = Originals(name, HttpsFetcher(folder / name, trust, free_bytes_min=FREE_BYTES_MIN), log)
        self._staging = StagingWorker(staging, lambda event: inbox.put((self, event)))
        self._manifests = ManifestWorker(HttpsHome(home, trust), lambda event: inbox.put((self, event)))
        self._staging.start()
        self._manifests.start()

    def send(self, event: Event) -> list[fx.Effect]:
        self.now = host_clock()
        if isinstance(event, ManifestRead):
            self._log.tell(self.name, "whole", event.digest)
        return super().send(event)

    def knows_the_head(self, head: Head) -> None:
        """It is a good one."""
        self._judgements[HEAD] = head

    def _answers(self, effect: fx.Effect) -> list[Event]:
        match effect:
            case fx.FetchAhead() | fx.FetchClip():
                self._log.tell(self.name, "asked", effect.key)
                self._staging.order(effect)
                return []
            case fx.FetchHeads() | fx.FetchManifest() | fx.FetchPaper() | fx.FetchRoot():
                self._log.tell(self.name, "began", type(effect).__name__)
                self._manifests.order(effect)
                return []
        return super()._answers(effect)


Inbox = queue.SimpleQueue[tuple[Station, Event] | dict[str, Any] | None]


def _known_here(host: str) -> list[str]:
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def main(folder: Path, ca_file: Path, home: str, count: int) -> None:
    """Until stdin ends."""
    # A station has a processor of its own to ask for a name with; two hundred processes on this one would take so long
    # that the first stations are done before the last begin.
    resolving.known = _known_here
    inbox: Inbox = queue.SimpleQueue()
    log = Log(folder / "seen")
    stations = [Station(f"tram-{number:03}", folder, ca_file, home, log, inbox) for number in range(count)]
    threading.Thread(target=_listen, args=(sys.stdin, inbox), daemon=True).start()
    wakes: dict[Station, float] = dict.fromkeys(stations, float("inf"))
    while True:
        try:
            told = inbox.get(timeout=max(0.0, min(min(wakes.values()) - boot_ms(), 10_000) / 1000))
        except queue.Empty:
            for station in [one for one, at in wakes.items() if at <= boot_ms()]:
                station.send(Tick())
                wakes[station] = station.now.mono + max(station.wakes_in_ms(), 1)
            continue
        if told is None:
            os._exit(0)  # eight hundred threads wait for nothing more
        for station in [told[0]] if isinstance(told, tuple) else stations[: told["first"]]:
            station.send(told[1]) if isinstance(told, tuple) else _tell(station, told)
            wakes[station] = station.now.mono + max(station.wakes_in_ms(), 1)


def _tell(station: Station, told: dict[str, Any]) -> None:
    station.now = host_clock()
    if "head" in told:
        station.knows_the_head(Head(**told["head"]))
        station.boot()
    else:
        station.order(**told["order"])


def _listen(lines: TextIO, inbox: Inbox) -> None:
    for line in lines:
        inbox.put(json.loads(line))
    inbox.put(None)


class Commune:
    """The stations, from outside; ``opened`` makes them."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, count: int) -> None:
        self._process = process
        self._folder = folder
        self._count = count

    def switch_on(self, head: dict[str, Any]) -> None:
        """All are welcomed in the same second, and can have a newer manifest."""
        self._say({"head": head, "first": self._count})

    def order(self, first: int | None = None, **job: Any) -> None:
        """An order that comes to all in the same second; or to the ``first`` so many alone."""
        self._say({"order": job, "first": self._count if first is None else first})

    def seen(self, what: str, key: str) -> list[Seen]:
        """What was told so far."""
        lines = (self._folder / "seen").read_text().splitlines()
        told = [Seen(*json.loads(line)) for line in lines if line.endswith("]")]
        return [one for one in told if (one.what, one.key) == (what, key)]

    def begun(self, key: str) -> int:
        """How many have a part of it, or all."""
        return sum(file.stat().st_size > 0 for file in self._folder.glob(f"*/{key}*"))

    def bytes_of(self, key: str) -> int:
        """What all of them have of a recording, also where it is still on its way."""
        return sum(file.stat().st_size for file in self._folder.glob(f"*/{key}*"))

    def _say(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()


@contextmanager
def opened(folder: Path, enter: tuple[str, ...], ca_file: Path, home: str, count: int) -> Iterator[Commune]:
    """So many stations behind ``enter``, which have told nothing yet."""
    folder.mkdir()
    (folder / "seen").touch()
    command = [*enter, sys.executable, "-m", "hil_tests.commune", str(folder), str(ca_file), home, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield Commune(process, folder, count)
        finally:
            process.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
