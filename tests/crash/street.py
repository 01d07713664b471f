"""The street around an agent's process: the ward in virtual time, and a real process that lives and dies in it.

Broker, headend, device process and card are the ward's (``tests.ward``); they outlive the agent's process, as the real
ones do. The street forks each life, passes it one event at a time, and does what it says; when it is gone, the disk is
left as a killed process leaves it, or as a power cut does, and after a while the next life begins.
"""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edge_agent.core.events import DeviceDown, Event, HeartbeatDue, HelloDue, StopAsked, SweepDue
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, LocalPolicy, ZoneSite
from edge_agent.core.units import ZoneId
from edge_agent.link.messages import ToCore
from tests.crash import day, life, shim
from tests.crash.checks import at_rest
from tests.crash.day import ORDERS, Do, Step
from tests.crash.disk import Disk
from tests.crash.life import Birth
from tests.crash.line import Acked, Idle, Line, Ordered, Published, Turn, Up, pair
from tests.crash.shim import NEVER, Entry, Order
from tests.rig import LEFT, RIGHT
from tests.sim import BEGAN, TIMEZONE, WARM_UP_MS, ward_trust
from tests.trust import makers
from tests.ward import World
from tests.ward.timing import LINK_MS, LINK_RETRY_MS, RESTART_MS

LIVES_MAX = 12
# A day has two lives, a case adds one or two; more means an agent that cannot boot any more.
AGAIN_MS, AGAIN_MAX = 15_007, 20
# How often the centre sends again what a station could not save; an order for now is valid for ten minutes. Odd, so
# that it never coincides with a step of the day.
EVENTS = {Do.HELLO: HelloDue(), Do.HEARTBEAT: HeartbeatDue(), Do.SWEEP: SweepDue(), Do.STOP: StopAsked()}
POLICY = LocalPolicy((replace(STANDARD, sessions_per_day=6),))
# The scripted day has more of them than a ward's.


@dataclass(frozen=True)
class Fate:
    """How one life ends before its time: ``power`` takes away what was not durable, ``dice`` leaves some of it."""

    order: Order = NEVER
    dies_in_s: float | None = None
    power: bool = False
    dice: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a street may work, and where its content server stands."""

    folder: Path
    content_ca: Path
    content_url: str


class ProcessAgent:
    """What the ward knows as its agent; the agent itself is another process."""

    hung = False

    def __init__(self, street: Street) -> None:
        self.wake: int | None = None
        self.stopping = False
        self.device_there = False
        self.session = street.broker.session_for(self.post, lambda: self._will)
        self._street = street
        self._will = b""

    @property
    def alive(self) -> bool:
        return self._street.agent is self

    def begin(self, pid: int, line: Line) -> None:
        """The process runs; let it come up."""
        self.pid, self.line = pid, line
        self._listen()

    def post(self, event: Event, ms: int) -> None:
        self._street.after(ms, lambda: self.take(event))

    def tick(self) -> None:
        self.take(None)

    def take(self, event: Event | None) -> None:
        """Let it live through one event, and do what it says meanwhile."""
        if self.alive:
            self.line.pass_turn(Turn(self._street.machine.boot(), event, self._street.network))
            self._listen()

    def hear_device(self, message: ToCore) -> None:
        self.device_there = True
        self.post(message, LINK_MS)

    def link_lost(self, ms: int) -> None:
        """The device process is gone; its line is looked for again."""
        self.device_there = False
        self.post(DeviceDown("killed"), ms)
        self._street.after(LINK_RETRY_MS, self.look_for_device)

    def look_for_device(self) -> None:
        if self.alive and self._street.io is not None:
            self._street.io.knock()
        elif self.alive:
            self._street.after(LINK_RETRY_MS, self.look_for_device)

    def _listen(self) -> None:
        """Until it has nothing more to do, or is dead."""
        while (frame := self.line.hear()) is not None:
            match frame:
                case Idle():
                    self._plan(frame.wake)
                    return
                case Up():
                    self._will = frame.will
                    self.look_for_device()
                    self.session.start()
                case _:
                    self._do(frame)
        self._street.bury(self)

    def _plan(self, wake: int | None) -> None:
        street = self._street
        self.wake = None if wake is None else max(street.machine.true_of(wake), street.mono + 1)

    def _do(self, frame: Acked | Ordered | Published) -> None:
        match frame:
            case Acked():
                self.session.ack(frame.token)
            case Published():
                self.session.publish(frame.topic, frame.payload, qos=1, retain=frame.retain)
            case Ordered() if self._street.io is not None and self.device_there:
                self._street.io.hear(frame.order)


class Street(World):
    """One scripted day. ``fates`` says of each life, counted from 1, how it ends; ``seed`` orders its threads.

    ``points`` is every change and message of the day, with its life; ``deaths`` when a life ended too early, in ms;
    ``trouble`` what went wrong already on the way.
    """

    def __init__(self, place: Place, seed: int | None, fates: dict[int, Fate], plant: str = "") -> None:
        zones = {ZoneId(zone): ZoneSite(ZoneId(zone), zone, WARM_UP_MS) for zone in (LEFT, RIGHT)}
        super().__init__(makers.make_site(zones=zones, timezone=TIMEZONE, policy=POLICY), ward_trust(), BEGAN)
        self.place = place
        self.state_dir = place.folder / "state"
        self.state_dir.mkdir(parents=True)
        (place.folder / "run").mkdir()
        self.points: list[tuple[int, Entry]] = []
        self.trouble: list[str] = []
        self.deaths: list[int] = []
        self.lives = 0
        self.envelopes: dict[str, bytes] = {}
        self._seed = seed
        self._fates = fates
        self._plant = plant
        self._model = Disk(self.state_dir)
        self._log = open(place.folder / "changes", "w+b", buffering=0)  # noqa: SIM115 - see close

    def live(self) -> None:
        """The whole day."""
        for step in day.DAY:
            self.after(round(step.at_s * 1000), partial(self._do, step))
        self.run_until(day.ENDS_S * 1000)

    def close(self) -> None:
        super().close()
        self._log.close()

    def boot(self) -> None:
        """Power, the device process, and the next life of the agent, whichever is missing."""
        if self.agent is not None or self._enough():
            return
        self.lives += 1
        agent = ProcessAgent(self)
        self.agent = agent  # type: ignore[assignment]
        super().boot()
        ours, theirs = pair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            os._exit(self._be_born(theirs))
        theirs.close()
        agent.begin(pid, ours)

    def bury(self, agent: ProcessAgent) -> None:
        """The process is gone: what it leaves, who notices, and when the next one comes."""
        agent.line.close()
        _, status = os.waitpid(agent.pid, 0)
        fate = self._fates.get(self.lives, Fate())
        self._follow()
        if os.WIFSIGNALED(status) and fate.power:
            self.cut_power()
            self._lose(None if fate.dice is None else random.Random(fate.dice))
        else:
            self._compare(exact=self._seed is not None)
            self._leave(agent, os.waitstatus_to_exitcode(status))
        self.trouble += at_rest(self.state_dir)
        if status or not agent.stopping:
            self.deaths.append(self.mono)
            self.after(RESTART_MS, self.boot)

    def _leave(self, agent: ProcessAgent, status: int) -> None:
        """Only the agent is gone; its device process notices."""
        if status == 0 and agent.stopping:
            agent.session.stop()
        elif status >= 0 and not self._fates.get(self.lives, Fate()).order.error:
            self.trouble.append(f"life {self.lives} ended by itself with status {status}")
        self.kill_agent()

    def _enough(self) -> bool:
        if self.lives < LIVES_MAX:
            return False
        self.trouble.append(f"{LIVES_MAX} lives were not enough")
        return True

    def _do(self, step: Step) -> None:
        match step.do:
            case Do.PUBLISH:
                self.envelopes[step.job] = day.envelope_of(step.job, self.utc(), self.place.content_url)
                self._publish(step.job)
            case Do.REPLAY:
                self.broker.publish(makers.JOB_TOPIC, self.envelopes[step.job])
            case Do.CUT_NETWORK | Do.MEND_NETWORK:
                self.set_network(step.do is Do.MEND_NETWORK)
            case Do.BOOT:
                self.boot()
            case _:
                self._tell(EVENTS[step.do])

    def _publish(self, job: str) -> None:
        """Send an order, and again until a station that could not save it has, as ADR 0009 asks of the centre."""
        self.broker.publish(makers.JOB_TOPIC, self.envelopes[job])
        if ORDERS[job].outcome and any(fate.order.error for fate in self._fates.values()):
            self.after(AGAIN_MS, partial(self._again, job, AGAIN_MAX))

    def _again(self, job: str, times: int) -> None:
        said = [answer["reason"] for answer in self.headend.answers if answer["job_id"] == job]
        if not times or any(reason != Reason.NOT_SAVED for reason in said):
            return
        if self.network:
            self.broker.publish(makers.JOB_TOPIC, self.envelopes[job])
        self.after(AGAIN_MS, partial(self._again, job, times - self.network))

    def _tell(self, event: Event) -> None:
        agent: object = self.agent
        if isinstance(agent, ProcessAgent):
            agent.stopping = isinstance(event, StopAsked)
            agent.take(event)

    def _be_born(self, line: Line) -> int:
        """In the new process: arm the shim and be an agent. Everything that is the street's is left alone."""
        fate = self._fates.get(self.lives, Fate())
        birth = Birth(
            state_dir=self.state_dir,
            run_dir=self.place.folder / "run",
            content_ca=self.place.content_ca,
            site=self.site,
            boot_id=f"{self.lives:016x}",
            kernel_boot_id=self.machine.boot_id(),
            mono=self.machine.boot(),
            seed=self._seed,
            plant=self._plant,
        )
        shim.arm(self.state_dir, self._log.fileno(), line.fd, fate.order, fate.dies_in_s)
        return life.run(birth, line, self.place.folder / f"life-{self.lives}.log")

    def _follow(self) -> None:
        """Make the model of the disk see what this life has done."""
        self._log.seek(0)
        made = list(shim.entries(self._log.read()))
        self._log.truncate(0)
        self._log.seek(0)
        self._model.follow(made)
        self.points += [(self.lives, entry) for entry in made if entry.point]

    def _lose(self, dice: random.Random | None) -> None:
        left = self._model.cut_power(dice)
        shutil.rmtree(self.state_dir)
        for path, data in sorted(left.items()):
            if data is None:
                Path(path).mkdir()
            else:
                Path(path).write_bytes(data)

    def _compare(self, *, exact: bool) -> None:
        """The model and the folder say the same, or the shim has missed a call."""
        found = tree(self.state_dir)
        if found == self._model.now():
            return
        if exact:
            odd = sorted({path for path, _ in found.items() ^ self._model.now().items()})
            self.trouble.append(f"the shim missed a call: {odd}")
        self._model.adopt(found)


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything under a folder, SQLite's mapped file left out; None is a folder."""
    paths = [root, *(path for path in root.rglob("*") if not path.name.endswith("-shm"))]
    return {str(path): None if path.is_dir() else path.read_bytes() for path in paths}
