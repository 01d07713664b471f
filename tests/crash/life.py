"""One life of the agent's process: the real runtime, threads, core, judge, journal, downloads and clip store.

Around it: the broker session and the device line lead to the street; the decoder and the voice make sound without
children and without files of their own. Planted faults are put in here.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_agent.audio.clip import FRAME_BYTES
from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import Sink
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.staging import Stager
from edge_agent.cli.process import die_with_any_thread
from edge_agent.clock import Readings, StationClock
from edge_agent.core.effects import FetchAhead, FetchClip, RoutePlay, SpeakText, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import AckToken, ClipFailed, ClipFetched, ClipStaged, Connected, Disconnected, Event
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import SECOND_MS, ClipKey, MonoMs
from edge_agent.fetch_and_stage import FetchAndStage, Staging
from edge_agent.journal.record import Origin
from edge_agent.journal.store import Store
from edge_agent.runtime import Ports, Runtime
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from edge_agent.sync.messages import Sender
from edge_agent.sync.reports import HostStatus
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keeper import believing
from edge_agent.upstream import Identity, Upstream
from tests.crash import plants
from tests.crash.line import Acked, Line, Ordered, Published
from tests.crash.turns import Machine, StreetInbox
from tests.fakes.live import FakeLiveSources
from tests.sim import ward_trust
from tests.sync.rigs import host_clock
from tests.trust import makers

RATE = 1_000
# Frames per second: a minute of sound is two blocks, enough to be torn.
WAV_BYTES_PER_LETTER = 4
SPEECH_MS_PER_LETTER = 60
CACHE_BYTES_MAX = 150_000
# About two programmes, so that the nightly sweep has something to take away.
SOFTWARE = "edge-agent test"


@dataclass(frozen=True)
class Birth:
    """All that an agent's process begins with. ``seed`` None lets its threads run as they like."""

    state_dir: Path
    run_dir: Path
    content_ca: Path
    site: Site
    boot_id: str
    kernel_boot_id: str
    mono: int
    seed: int | None
    plant: str = ""


def live(birth: Birth, line: Line) -> None:
    """Be the station's agent until told to stop."""
    die_with_any_thread()
    machine = Machine(birth.mono)
    plants.before_start(birth.plant)
    journal = Store(birth.state_dir / "journal", Origin(birth.site.station, SOFTWARE, birth.boot_id))
    plants.on_store(birth.plant, journal)
    contents = journal.load()
    # Neither NTP nor a chip: the system's UTC is not asked.
    readings = Readings(lambda: MonoMs(machine.mono), boot_id=lambda: birth.kernel_boot_id)
    clock = StationClock(ntp=False, rtc=False, floor=contents.floor, kept=contents.kept, readings=readings)
    inbox = StreetInbox(line, machine, birth.seed, lambda: upstream.will(clock.now()))
    session = LineSession(line)
    inbox.heard = session.hear
    sender = Sender(birth.site.realm, birth.site.station, birth.boot_id, SOFTWARE)
    upstream = Upstream(Identity(sender, birth.site.area, "Trạm thử"), session, _sign, HostStatus)
    ports = Ports(
        site=birth.site,
        clock=clock,
        journal=journal,
        contents=contents,
        session=session,
        device=LineDevice(line),
        staging=Reachable(_staging(birth), machine),
        live=FakeLiveSources(),
        upstream=upstream,
        trust=believing(ward_trust(), contents.trust, birth.site),
        status_file=birth.run_dir / "status.json",
        spent_file=birth.run_dir / "spent.json",
        ready=lambda: None,
        alive=lambda: None,
    )
    runtime = Runtime(ports, inbox)
    plants.on_runtime(birth.plant, runtime)
    inbox.take_turns(runtime)
    runtime.run()


class LineSession:
    """A ``sync.port.Session`` whose broker stands in the street."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._connected = False

    def hear(self, event: Event | None) -> None:
        """What the session's own thread would have noticed."""
        if isinstance(event, Connected | Disconnected):
            self._connected = isinstance(event, Connected)

    def start(self) -> None:
        """The street connects as soon as the process is up."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        if self._connected:
            self._line.say(Published(topic, payload, retain))
        return self._connected

    def ack(self, token: AckToken) -> None:
        self._line.say(Acked(token))

    def stop(self) -> None:
        self._connected = False


class LineDevice:
    """A ``runtime.Device`` whose other end stands in the street."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def start(self) -> None:
        """The street says when the device answers."""

    def send(self, order: SwitchRelay | StartPlay | RoutePlay | StopPlay) -> bool:
        self._line.say(Ordered(order))
        return True

    def renew(self) -> bool:
        """The street counts every turn as a renewal."""
        return True

    def stop(self) -> None:
        """The line's end says it."""


class Reachable:
    """Staging that gets no answer while the street has no network."""

    def __init__(self, staging: Staging, machine: Machine) -> None:
        self._staging = staging
        self._machine = machine

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None:
        return self._staging.at_hand(order)

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed:
        if not self._machine.network:
            return ClipFailed(order.key, Reason.AUDIO_UNREACHABLE, again=True)
        return self._staging.original(order)

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        if not self._machine.network:
            return ClipFailed(order.key, Reason.AUDIO_UNREACHABLE, again=True)
        return self._staging.clip(order)

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed:
        return self._staging.text(order)

    def makes(self, key: ClipKey) -> bool:
        return self._staging.makes(key)

    def spare(self, key: ClipKey) -> None:
        self._staging.spare(key)

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        self._staging.sweep(keep)


class RawDecoder:
    """A ``Decoder`` of files that begin with their own duration: the rest is repeated until it is long enough."""

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        source.seek(0)
        data = source.read()
        wanted = int(data[: data.index(b"\n")]) * into.rate // SECOND_MS * FRAME_BYTES
        into.feed((data * (wanted // len(data) + 1))[:wanted])
        return None


class RawVoice:
    """A ``Voice`` whose words are understood by ``RawDecoder``."""

    stamp = "ab" * 8

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        wav.write(f"{SPEECH_MS_PER_LETTER * len(text)}\n".encode() + text.encode() * WAV_BYTES_PER_LETTER)
        return None


def _staging(birth: Birth) -> Staging:
    """As ``cli.agent`` composes it."""
    store = PcmStore(birth.state_dir / "audio")
    store.sweep()
    stager = Stager(store, RawDecoder(), RawVoice(), RATE)
    logging.info("pinned emergency set: %s", stager.ensure_pinned())
    fetcher = HttpsFetcher(birth.state_dir / "originals", Trust(birth.content_ca, host_clock))
    return FetchAndStage(fetcher, stager, CACHE_BYTES_MAX)


def _sign(kind: str, payload: bytes) -> bytes:
    return sign(payload_type(kind), payload, [makers.signer("station")])


def run(birth: Birth, line: Line, log: Path) -> int:
    """``live``, its log in a file; the status to end with, as the interpreter would."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, 2)
    logging.disable(logging.NOTSET)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(logging.NOTSET)  # the ward hushes what runs in its own process
    try:
        live(birth, line)
    except BaseException:  # it ends the process, and the log says why
        logging.critical("the agent died", exc_info=True)
        return 1
    return 0
