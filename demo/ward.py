"""Set up a ward on this machine: broker, content server, headend, one station of two zones, and ears.

Everything is real but what a bare machine cannot have, and that is chosen openly in the station's configuration: the
relays are the ``simulated`` driver, the sound card is a null sink of a private PulseAudio behind alsa-lib. With
hardware both are given by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.content import ContentServer
from edge_agent.headend.headend import Headend, Shown
from edge_agent.headend.keyring import Keyring, StationFolder
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress
from tests.host.pulse import Pulse, private_pulse
from tests.host.recording import Capture, Recorder, Recording

REALM = "demo"
AREA = "vn/ha-noi/dong-thanh"
STATION = "dong-thanh-01"
NAME = "Trạm loa Đông Thành 01"
ZONES = {"c1": "Nhà văn hóa tổ dân phố số 1", "c2": "Chợ Đông Thành"}
WARM_UP_MS = 800
MORNING_H = 9
STOP_S_MAX = 15
COMMAND_S_MAX = 60
# `doctor` looks at everything; with both cores busy beside it that takes a while.


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Real parts instead of the stand-ins: an ALSA card, a line-in that hears it, and the lines of the relays."""

    device: str = ""
    gpio_chip: str = ""
    gpio_lines: tuple[int, ...] = ()
    active_low: bool = False
    # Whether the board closes its relays at low level.
    contact_lines: tuple[int, ...] = ()
    # Each relay's own contact, led back; none where nobody wired it.
    capture: str = ""

    @property
    def heard(self) -> bool:
        """Whether somebody listens: behind the null sink always, behind a real card only where a line-in is given."""
        return not self.device or bool(self.capture)

    @property
    def watched(self) -> bool:
        """Whether the relays' moves can be told; nobody sees the contacts of real ones from here."""
        return not self.gpio_chip


NO_HARDWARE = Hardware()


@dataclass(frozen=True)
class Fitting:
    """How a ward is fitted out: as below for the demo, otherwise where figures are taken."""

    warm_up_ms: int = WARM_UP_MS
    heartbeat_s: int = 15
    # The shortest that is allowed, so that a demo of a minute sees some.
    recorded: bool = True
    # Listening makes the null sink step every 5 ms, which costs whoever plays into it.
    address: str = "127.0.0.1"
    host: str = "localhost"
    # Where the servers listen, and what everybody else calls that place.
    enter: tuple[str, ...] = ()
    # What the station's commands stand behind, such as the way into a network namespace.
    state_dir: Path | None = None
    run_dir: Path | None = None
    # The station's folders where they should not lie in the ward's own.
    session_minutes: int = 30
    minutes_per_day: int = 60
    # The station's own limits; a programme that is measured may be longer than a ward would stand.
    sources: tuple[str, ...] = ()
    # The live sources that the ward may relay.
    ntp: bool = False
    # Whether the station believes its system's clock while its kernel calls that synchronised.
    rtc: bool = False
    # Whether a clock chip is fitted.
    least_off_ms: int = 0
    # How long a relay rests that has opened.
    ears: Mapping[str, str] = field(default_factory=dict)
    # What listens at a zone's horn: lines of its table.
    framed: bool = True
    # As a station is that says nothing of it: chimes around ordinary programmes, which rise out of silence.
    stagger_ms: int = 0
    # The silence between the turns of the two zones, where they take turns.


AS_IN_THE_DEMO = Fitting()


@dataclass(frozen=True)
class RelayMove:
    """A relay moved at ``at_ms`` (boot time)."""

    zone: str
    on: bool
    at_ms: int
    cause: str


class Ward:
    """A context manager: on entering everything but the station runs; ``switch_on`` starts that."""

    def __init__(
        self,
        folder: Path,
        hardware: Hardware = NO_HARDWARE,
        on_noted: Callable[[Shown], None] = lambda _: None,
        fitting: Fitting = AS_IN_THE_DEMO,
    ) -> None:
        self.folder = folder
        self.hardware = hardware
        self.fitting = fitting
        self._on_noted = on_noted
        self.timezone = mid_morning_zone()
        self.sent: dict[str, bytes] = {}
        self._stack = contextlib.ExitStack()
        self.sound_env: Mapping[str, str] = {}
        self._recorder: Recorder | Capture | None = None
        self._io: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.keyring = self._make_keys()
            here, host = self.fitting.address, self.fitting.host
            setup = BrokerSetup(
                self.folder / "broker",
                self.keyring.authority_path,
                self.keyring.server("broker"),
                {STATION: AREA},
                host=here,
            )
            self.broker = stack.enter_context(Mosquitto(setup))
            shelf = self.folder / "content"
            shelf.mkdir(exist_ok=True)
            self.content = stack.enter_context(ContentServer(shelf, self.keyring.server("content"), here))
            self.headend = stack.enter_context(
                Headend(
                    self.keyring,
                    BrokerAddress(host, self.broker.port),
                    self.folder / "records",
                    self.content.shelf(host),
                    self._on_noted,
                )
            )
            self._listen(stack)
            self.config = self._write_config()
            stack.callback(self._stop_station)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def switch_on(self, *, device: bool = True, agent: bool = True) -> None:
        """Start the device process, then the agent, as systemd would."""
        if device and (self._io is None or self._io.poll() is not None):
            self._io = self._start("io", self.sound_env)
        if agent:
            self._agent = self._start("run", {})

    def switch_off(self) -> None:
        """Ask both processes to end, the agent first."""
        for child in (self._agent, self._io):
            if child is not None and child.poll() is None:
                child.terminate()
                child.wait(STOP_S_MAX)

    def kill_agent(self) -> None:
        """SIGKILL: no goodbye, no tidying."""
        assert self._agent is not None
        self._agent.kill()
        self._agent.wait()

    def kill_device(self) -> None:
        """SIGKILL for the device process; the stop hook opens its relays."""
        assert self._io is not None
        self._io.kill()
        self._io.wait()
        self.command("relays-off")

    def cut_power(self) -> None:
        """Both processes die at once; the relays fall open, which the stop hook stands for here."""
        for child in (self._agent, self._io):
            if child is not None:
                child.send_signal(signal.SIGKILL)
                child.wait()
        self.command("relays-off")

    @property
    def pids(self) -> dict[str, int]:
        """The station's processes by the name of their task."""
        return {name: child.pid for name, child in (("run", self._agent), ("io", self._io)) if child is not None}

    def command(self, *words: str) -> str:
        """Run an ``edge-agent`` command for this station and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "edge_agent", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )
        return done.stdout + done.stderr

    def publish(self, draft: Mapping[str, object], keys: Sequence[str]) -> str:
        """Sign and publish an order; its bytes stay in ``sent``, for whoever wants to replay them."""
        finished, envelope = self.headend.compose(draft, keys)
        job_id = str(finished.job.job_id)
        self.sent[job_id] = envelope
        self.headend.publish(envelope)
        return job_id

    def rows(self) -> list[dict[str, Any]]:
        """The as-run log as the headend holds it."""
        return [json.loads(record.body) for record in self.headend.records(STATION)]

    def agent_log(self) -> str:
        """Everything the agent has said so far."""
        return (self.folder / "run.log").read_text(errors="replace")

    def device_log(self) -> str:
        """The same of the device process."""
        return (self.folder / "io.log").read_text(errors="replace")

    def moves(self) -> list[RelayMove]:
        """How the simulated relays moved."""
        path = self.folder / "relays" / "edges.jsonl"
        if not path.exists():
            return []
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [RelayMove(row["zone"], row["on"], row["mono_ms"], row["cause"]) for row in rows]

    def recording(self) -> Recording:
        """End the recording and return it."""
        assert self._recorder is not None, "nobody listens behind this card"
        return self._recorder.stop()

    def _make_keys(self) -> Keyring:
        """The network's, and those of the station."""
        keyring = self._make_network()
        keyring.enrol(STATION, AREA, NAME)
        return keyring

    def _make_network(self) -> Keyring:
        roles = default_roles(AREA, 1, self.fitting.sources)
        return create_keyring(self.folder / "headend", REALM, roles, system_utc_ms(), [self.fitting.host])

    def _station_files(self) -> StationFolder:
        """Where the station's keys and certificates lie."""
        return self.keyring.folder(STATION)

    def _listen(self, stack: contextlib.ExitStack) -> None:
        if self.hardware.capture:
            self._recorder = stack.enter_context(Capture(self.hardware.capture))
        if self.hardware.device:
            return
        pulse: Pulse = stack.enter_context(private_pulse(self.folder / "pulse"))
        self.sound_env = pulse.env
        if self.fitting.recorded:
            self._recorder = stack.enter_context(Recorder(pulse))

    def _start(self, task: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{task}.log", "ab") as log:
            return subprocess.Popen(
                [*self.fitting.enter, sys.executable, "-m", "edge_agent", task, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
            )

    def _stop_station(self) -> None:
        """At once, but for real relays: a Raspberry Pi's kernel leaves a line driven when its process is killed."""
        for child in (self._agent, self._io):
            if child is None or child.poll() is not None:
                continue
            if child is self._io and self.hardware.gpio_chip:
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(STOP_S_MAX)
            child.kill()
            child.wait()
        if self.hardware.gpio_chip and self._io is not None and self._io.returncode < 0:
            self.command("relays-off")

    def _write_config(self) -> Path:
        given = self._station_files()
        path = self.folder / "station.toml"
        path.write_text(
            f"""
# Trạm loa của buổi trình diễn. The station of the demo: what stands in for hardware is chosen here, openly.
[station]
id = "{STATION}"
realm = "{REALM}"
name = "{NAME}"
area = "{AREA}"
timezone = "{self.timezone}"

[broker]
host = "{self.fitting.host}"
port = {self.broker.port}
ca_file = "{given.authority}"
cert_file = "{given.tls.certificate}"
key_file = "{given.tls.key}"

[content]
ca_file = "{given.authority}"

[trust]
file = "{given.trust}"
station_key_file = "{given.sign}"

[paths]
state_dir = "{self.fitting.state_dir or self.folder / "state"}"
run_dir = "{self.fitting.run_dir or self.folder / "run"}"

[clock]
ntp = "{"auto" if self.fitting.ntp else "off"}"   # off: the time is trusted by a signed welcome only
rtc = {str(self.fitting.rtc).lower()}

[policy]
session_minutes = {self.fitting.session_minutes}
minutes_per_day = {self.fitting.minutes_per_day}

[programme]
opening_chime = {str(self.fitting.framed).lower()}
closing_chime = {str(self.fitting.framed).lower()}
rise_s = {int(self.fitting.framed)}
stagger_ms = {self.fitting.stagger_ms}

[reporting]
heartbeat_s = {self.fitting.heartbeat_s}

[cards.main]
device = "{self.hardware.device or "station"}"
channels = 2

{self._relays()}
{"".join(self._zone(index, zone) for index, zone in enumerate(ZONES))}
"""
        )
        return path

    def _relays(self) -> str:
        if self.hardware.gpio_chip:
            return f'[relays]\ndriver = "gpio"\nchip = "{self.hardware.gpio_chip}"\n'
        return f'[relays]\ndriver = "simulated"\n[relays.simulated]\ndir = "{self.folder / "relays"}"\n'

    def _zone(self, index: int, zone: str) -> str:
        line = self.hardware.gpio_lines[index] if self.hardware.gpio_lines else 17 + index
        contacts = self.hardware.contact_lines
        read_back = f"read_back_line = {contacts[index]}\n" if contacts else ""
        group = f'stagger_group = "{"ab"[index]}"\n' if self.fitting.stagger_ms else ""
        return f"""
[[zones]]
id = "{zone}"
name = "{ZONES[zone]}"
card = "main"
channel = "{("left", "right")[index]}"
line = {line}
active_low = {str(self.hardware.active_low).lower()}
warm_up_ms = {self.fitting.warm_up_ms}
least_off_ms = {self.fitting.least_off_ms}
{self.fitting.ears.get(zone, "")}
{read_back}{group}"""


def mid_morning_zone() -> str:
    """A time zone in which it is mid-morning now, so that nothing of the demo falls into the quiet hours."""
    ahead = MORNING_H - datetime.now(UTC).hour
    if ahead < -11:
        ahead += 24
    # The sign in these names is reversed (POSIX): Etc/GMT-7 is seven hours ahead of Greenwich.
    return "Etc/GMT" if ahead == 0 else f"Etc/GMT{-ahead:+d}"


def wait_until(boot: int) -> None:
    """Sleep until a boot time (ms)."""
    time.sleep(max(0, boot - boot_ms()) / 1000)
