"""A whole agent with its real runtime, threads, core, judge and upstream; at its ports stand fakes with memory.

The headend at the other end of the fake broker really signs. ``Agent`` runs in real time. ``run_in_virtual_time`` lets
the same runtime live through minutes at once: its inbox, instead of waiting, moves the clock.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from edge_agent.clock import Readings, StationClock
from edge_agent.core.events import AckToken, Event, StopAsked
from edge_agent.core.site import ZoneSite
from edge_agent.core.units import MonoMs, StationId, UtcMs, ZoneId
from edge_agent.inbox import Inbox
from edge_agent.journal_worker import Afterwards
from edge_agent.restoring import beside
from edge_agent.runtime import Ports, Runtime
from edge_agent.sync.messages import Sender
from edge_agent.sync.reports import HostStatus
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.upstream import Identity, Upstream
from tests.fakes.device_line import FakeDeviceLine
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.fakes.live import FakeLiveSources
from tests.fakes.session import FakeBroker, FakeSession
from tests.fakes.staging import FakeStaging
from tests.trust import makers

PATIENCE_S = 60
LOOK_AGAIN_S = 0.005
STATION = StationId(makers.STATION)
ZONES = {ZoneId(zone): ZoneSite(ZoneId(zone), zone, warm_up_ms=0) for zone in makers.ZONES}


class HeadendBroker(FakeBroker):
    """A broker that threads may use at once, with a headend behind it: a hello is welcomed, a log acknowledged."""

    def __init__(self, utc: Callable[[], int]) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.welcoming = True
        self._utc = utc

    def publish(self, topic: str, payload: bytes, times: int = 1) -> None:
        with self.lock:
            super().publish(topic, payload, times)

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        super().take(topic, payload, retain=retain)
        said = opened(payload)
        if said["type"] == "hello" and self.welcoming:
            self.publish(makers.WELCOME_TOPIC, makers.signed_welcome(nonce=said["nonce"], utc=self._utc()))
        elif said["type"] == "log":
            last = said["records"][-1]
            log = {"epoch": said["epoch"], "seq": last["seq"], "hash": last["hash"]}
            self.publish(makers.ACK_TOPIC, makers.signed_ack(log=log))

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of that kind so far."""
        with self.lock:
            messages = list(self.heard)
        return [opened(message.payload) for message in messages if message.topic.endswith(f"/{kind}")]

    def waiting(self) -> int:
        """Deliveries to the station that it has not acknowledged."""
        with self.lock:
            return len(self.memories[STATION].waiting)


class SharedSession(FakeSession):
    """A session that the runtime, the journal's thread and the test use at once."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        with self._broker.lock:  # type: ignore[attr-defined]
            return super().publish(topic, payload, qos=qos, retain=retain)

    def ack(self, token: AckToken) -> None:
        with self._broker.lock:  # type: ignore[attr-defined]
            super().ack(token)


class Agent:
    """A context manager: the agent has booted on entering and is told to stop on leaving.

    ``steps`` counts how often the core has stepped since READY; ``ready`` how often that was said.
    """

    def __init__(
        self,
        folder: Path,
        disk: FakeDisk | None = None,
        *,
        trust: bytes | None = None,
        readings: Readings | None = None,
        inbox: Inbox | None = None,
        journal: FakeJournal | None = None,
    ) -> None:
        self.disk = disk or FakeDisk()
        self.journal = journal or FakeJournal(self.disk)
        self.inbox = inbox or Inbox()
        self.staging = FakeStaging()
        self.live = FakeLiveSources()
        self.status_file = folder / "status.json"
        self.steps = 0
        self.ready = 0
        self.readings = readings or Readings()
        site = makers.make_site(zones=ZONES)
        keeper, contents = beside(trust or makers.trust_file(), self.journal.load(), site)
        floor = keeper.standing.floor(contents.floor)
        self.clock = StationClock(ntp=False, rtc=False, floor=floor, kept=contents.kept, readings=self.readings)
        self._began = self.readings.boot()
        self.broker = HeadendBroker(self.utc)
        self.device = FakeDeviceLine(self.inbox.post, self.readings.boot)
        self.session = SharedSession(self.broker, STATION, makers.AREA, self.inbox.post, self._will)
        self.upstream = _upstream(self.session)
        self.ports = Ports(
            site=site,
            clock=self.clock,
            journal=self.journal,
            contents=contents,
            session=self.session,
            device=self.device,
            staging=self.staging,
            live=self.live,
            upstream=self.upstream,
            trust=keeper,
            status_file=self.status_file,
            spent_file=folder / "spent.json",
            ready=self._is_ready,
            alive=self._is_alive,
        )
        self.runtime = Runtime(self.ports, self.inbox)
        self._died: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Agent:
        self._thread.start()
        self.until(lambda: self.ready == 1)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.device.open_line.set()
        self.staging.downloads.set()
        if self._thread.is_alive():
            self.inbox.stop_asked()
        self.join()

    def utc(self) -> UtcMs:
        """The true time: noon when the rig was made."""
        return UtcMs(makers.NOON + self.readings.boot() - self._began)

    def publish(self, **job: Any) -> None:
        """An officer's order, issued and valid from now unless told otherwise."""
        now = self.utc()
        given = {"issued_at": now, "not_before": now, "not_after": now + 600_000} | job
        self.broker.publish(makers.JOB_TOPIC, makers.signed_job(**given))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; fails where the agent has died or it never does."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._died is None, self._died
            assert time.monotonic() < until, "it never came about"
            time.sleep(LOOK_AGAIN_S)

    def until_welcomed(self) -> Agent:
        """The station knows the time, and has said so."""
        self.until(lambda: any(state["welcomed"] for state in self.broker.said("state")))
        return self

    def status(self) -> dict[str, Any]:
        """What the technician's console reads."""
        shown: dict[str, Any] = json.loads(self.status_file.read_bytes())
        return shown

    def truth(self) -> dict[str, Any]:
        """What the console would read if the file were written now."""
        state, now = self.runtime._state, self.clock.now()
        shown: dict[str, Any] = json.loads(self.upstream.picture_bytes(state, now))
        return shown

    def records(self) -> list[dict[str, Any]]:
        """The durable records."""
        return [json.loads(stored.body) for stored, _ in self.disk.committed.records]

    def join(self) -> None:
        """Wait for the end; raises what the agent died of."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the agent does not end"
        if self._died is not None:
            raise self._died

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def run_in_virtual_time(self) -> None:
        """Run to the end in this thread; needs an inbox that moves the clock and ends by itself."""
        assert isinstance(self.inbox, VirtualInbox)
        self.inbox.at_rest = self._others_are_at_rest
        self.runtime.run()

    def _others_are_at_rest(self) -> None:
        """Wait until the threads of journal and staging have done, and posted, what they were told so far."""
        committed = threading.Event()
        self.runtime._journal.order(Afterwards(committed.set))
        assert committed.wait(PATIENCE_S), "the journal's thread hangs"
        staging = self.runtime._staging
        self.until(lambda: not any(orders._waiting or orders._under_way for orders in (staging._clips, staging._texts)))

    def _run(self) -> None:
        try:
            self.runtime.run()
        except BaseException as died:  # noqa: BLE001 - whatever it is, the test must hear of it
            self._died = died

    def _will(self) -> bytes | None:
        return self.upstream.will(self.clock.now())

    def _is_ready(self) -> None:
        self.ready += 1

    def _is_alive(self) -> None:
        self.steps += 1


class VirtualMachine:
    """Clocks that only a ``VirtualInbox`` moves; each machine has booted by itself."""

    def __init__(self) -> None:
        self.mono = 50_000
        self.boot_id = str(uuid4())

    def readings(self) -> Readings:
        return Readings(lambda: MonoMs(self.mono), lambda: UtcMs(makers.NOON + self.mono), boot_id=lambda: self.boot_id)


class VirtualInbox(Inbox):
    """Instead of waiting it moves the clock; after ``lasts_ms`` it asks the agent to stop.

    No time passes before ``at_rest`` has come back: then the agent's other threads have answered whatever they were
    told. ``waits`` is how long each wait was meant to be; ``on_wait`` is called with that before the clock moves.
    """

    def __init__(self, machine: VirtualMachine, lasts_ms: int) -> None:
        super().__init__()
        self.waits: list[int] = []
        self.at_rest: Callable[[], None] = lambda: None
        self.on_wait: Callable[[int], None] = lambda timeout_ms: None
        self._machine = machine
        self._ends_at = machine.mono + lasts_ms

    def wait(self, timeout_ms: int) -> Event | None:
        self.waits.append(timeout_ms)
        if (event := super().wait(0)) is not None:
            return event
        self.at_rest()
        if (event := super().wait(0)) is not None:
            return event
        self.on_wait(timeout_ms)
        self._machine.mono += max(1, timeout_ms)
        return StopAsked() if self._machine.mono >= self._ends_at else None


def opened(message: bytes) -> dict[str, Any]:
    """The payload of a signed message; that it is signed well is for ``test_upstream``."""
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    payload: dict[str, Any] = json.loads(envelope.payload)
    return payload


def _upstream(session: FakeSession) -> Upstream:
    sender = Sender(makers.REALM, STATION, "0123abcd", "edge-agent test")

    def signed(kind: str, payload: bytes) -> bytes:
        return sign(payload_type(kind), payload, [makers.signer("station")])

    return Upstream(Identity(sender, makers.AREA, "Trạm thử"), session, signed, HostStatus)
