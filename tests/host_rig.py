"""``HostRig``: the same scenarios in real time, on a real broker over TLS, a real content server, real alsa-lib.

The relays are the simulated driver and the card is a null sink (``demo.ward`` says so in the configuration); what was
heard is told from the recording behind alsa-lib.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

from demo.ear import listen
from demo.ward import AREA, NO_HARDWARE, STATION, WARM_UP_MS, Fitting, Hardware, Ward, wait_until
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.headend.greeting import TrustAhead
from edge_agent.headend.headend import Shown
from edge_agent.headend.listening import Heard as Said
from edge_agent.headend.session import Arrival, Message
from edge_agent.sync.reports import AnswerMsg
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import Signer, new_signer
from edge_agent.trust.strict_json import dump, parse
from tests.host.recording import Recording
from tests.host.stream import ToneStream
from tests.rig import HONEST, Edge, Heard, Order, Tampering, Told, Tone
from tests.traffic import Tap

PITCHES = {"a": 500, "b": 650, "c": 1250}
UNFRAMED = Fitting(framed=False)
READY_S_MAX = 120
# A station that starts beside three others on two busy cores was not connected after 8 s once.
LOOK_MS = 50


class HostRig:
    """A context manager; second zero is a whole second, soon after the station, first switched on, is ready.

    So a slow machine makes a scenario begin later, and leaves its own seconds as they are.
    """

    tolerance_s = 0.15
    # Two busy cores, PulseAudio's own timer and a window of 40 ms; the bench measures finer.
    warm_up_s = WARM_UP_MS / 1000

    def __init__(
        self,
        folder: Path,
        *,
        hardware: Hardware = NO_HARDWARE,
        fitting: Fitting = UNFRAMED,
        ward_of: Callable[..., Ward] = Ward,
    ) -> None:
        self.folder = folder
        self._stream = ToneStream()
        self.ward = ward_of(folder, hardware, fitting=replace(fitting, sources=(self._stream.base,)))
        self._sent: dict[str, tuple[bytes, str]] = {}
        self._recording: Recording | None = None
        self._held_hellos: list[Arrival] | None = None
        self._utc0 = self._mono0 = 0
        self.tap = Tap()

    def __enter__(self) -> HostRig:
        self.ward.__enter__()
        self._hold_hellos_when_told()
        self._watch_what_goes_down()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            print(self.logs())
        self.ward.__exit__(kind, value, at)
        self._stream.close()
        if kind is None:
            assert self.tap.faults == []
            assert {"hello", "welcome", "state", "job", "answer"} <= self.tap.seen.keys()

    def logs(self) -> str:
        """What the station's processes have said."""
        return f"agent:\n{self.ward.agent_log()}\nio:\n{self.ward.device_log()}"

    def switch_on(self, *, welcome: bool = True) -> None:
        self._held_hellos = None if welcome else []
        self.ward.switch_on()
        if self._utc0 == 0:
            self._begin_when_ready()

    def allow_welcome(self) -> None:
        held, self._held_hellos = self._held_hellos, None
        for arrival in held or []:
            self.ward.headend._inbox.put(arrival)

    def publish(self, order: Order, tampering: Tampering = HONEST) -> str:
        assert not tampering.under_signed, "in this ward one officer is enough"
        key = "ward-emergency" if order.cls == "emergency" else "ward-routine"
        finished, envelope = self.ward.headend.compose(self._draft(order, tampering), [key], self.folder)
        payload = parse(finished.payload)
        assert isinstance(payload, dict)
        if tampering.other_ward:
            payload["audience"] = {"stations": [], "areas": ["vn/ha-noi/tay-thanh"], "zones": []}
        if tampering.forged or tampering.other_ward:
            signer: Signer = new_signer() if tampering.forged else self.ward.keyring.signer(key)
            envelope = sign(payload_type("job"), dump(payload), [signer])
        if tampering.altered_audio:
            self._alter(order.tones)
        job_id = str(finished.job.job_id)
        self._sent[job_id] = (envelope, f"loa/1/d/{STATION}/job")
        self.replay(job_id)
        return job_id

    def command(self, zones: tuple[str, ...] = (), **do: Any) -> str:
        return self._rule({"type": "command", "do": do.pop("what"), **do}, zones, "ward-routine")

    def window(self, kind: str, from_s: float, to_s: float, zones: tuple[str, ...] = ()) -> str:
        begins, ends = (datetime.fromtimestamp(self._utc0 / 1000 + at, UTC) for at in (from_s, to_s))
        draft = {"type": "window", "kind": kind, "basis": "Kịch bản kiểm thử", "begins": begins, "ends": ends}
        return self._rule(draft, zones, "ward-policy")

    def regulate(self, **clause: Any) -> str:
        general = {"quiet": ["21:00", "05:00"], "session_s": 900, "volume": 80, **clause}
        today = datetime.now(UTC).date()
        draft = {"type": "regulation", "number": "12/QĐ-UBND", "dated": today, "clauses": [general]}
        return self._rule(draft, (), "ward-policy")

    def _rule(self, draft: dict[str, object], zones: tuple[str, ...], key: str) -> str:
        audience = {"areas": [AREA], **({"zones": list(zones)} if zones else {})}
        return str(self.ward.headend.publish_order({**draft, **audience}, [key], self.folder))

    def source(self, name: str, *, gives: bool) -> None:
        self._stream.serve(self.ward.keyring.server("content"), PITCHES[name], self.folder)
        (self._stream.gives.set if gives else self._stream.gives.clear)()

    def replay(self, job_id: str) -> None:
        self.ward.headend.publish_raw(*self._sent[job_id])

    def run_until(self, at_s: float) -> None:
        wait_until(round(self._mono0 + at_s * 1000))

    def cut_network(self) -> None:
        self.ward.broker.stop()

    def restore_network(self) -> None:
        self.ward.broker.start()

    def cut_power(self) -> None:
        self.ward.cut_power()

    def kill_agent(self) -> None:
        self.ward.kill_agent()

    def run_until_told(self, job_id: str, at_most_s: float) -> None:
        self.ward.headend.wait_for(lambda: any(row["job_id"] == job_id for row in self.ward.rows()), at_most_s)

    def relay_edges(self) -> list[Edge]:
        return [Edge(move.zone, move.on, self.at_s(move.at_ms)) for move in self.ward.moves()]

    def at_s(self, boot: float) -> float:
        """A boot time (ms) in seconds of the scenario."""
        return (boot - self._mono0) / 1000

    def heard(self) -> list[Heard]:
        if self._recording is None:
            self._recording = self.ward.recording()
        shift_s = (self._recording.instant_ms(0) - self._mono0) / 1000
        return [
            Heard(zone, one.what, one.start_s + shift_s, one.end_s + shift_s)
            for channel, zone in enumerate(("c1", "c2"))
            for one in listen(self._recording.samples[:, channel], self._recording.rate, PITCHES)
        ]

    def told(self) -> Told:
        headend = self.ward.headend
        assert not [one for one in headend.noted if isinstance(one, TrustAhead)], "nobody else signs documents here"
        answers = [_answer(answer) for _, answer in headend.answers()]
        records: list[dict[str, Any]] = [json.loads(record.body) for record in headend.records(STATION)]
        return Told(answers, [_state(one) for one in headend.noted if isinstance(one, Said)], records)

    def _begin_when_ready(self) -> None:
        latest = boot_ms() + READY_S_MAX * 1000
        while not self._ready():
            assert boot_ms() < latest, f"not ready after {READY_S_MAX} s"
            wait_until(boot_ms() + LOOK_MS)
        self._utc0 = system_utc_ms() // 1000 * 1000 + 1000
        self._mono0 = boot_ms() + self._utc0 - system_utc_ms()

    def _ready(self) -> bool:
        """Whether it has asked for the time, and got it where it may."""
        return bool(self._held_hellos) or "welcome utc=" in self.ward.agent_log()

    def _hold_hellos_when_told(self) -> None:
        headend = self.ward.headend
        handle = headend._handle

        def gate(arrival: Arrival) -> list[Shown]:
            if isinstance(arrival, Message):
                self.tap(arrival.topic, arrival.payload)
            if self._held_hellos is not None and isinstance(arrival, Message) and arrival.topic.endswith("/hello"):
                self._held_hellos.append(arrival)
                return []
            return handle(arrival)

        headend._handle = gate  # type: ignore[method-assign]

    def _watch_what_goes_down(self) -> None:
        session = self.ward.headend._session
        send = session._publish

        def watched(topic: str, payload: bytes, expiry_s: int | None) -> int | None:
            self.tap(topic, payload)
            return send(topic, payload, expiry_s)

        session._publish = watched  # type: ignore[method-assign]

    def _draft(self, order: Order, tampering: Tampering) -> Mapping[str, object]:
        items: list[dict[str, object]] = [_item(tone.name, file=str(_tone(self.folder, tone))) for tone in order.tones]
        if order.relay:
            stand_in = _item(order.relay.stand_in.name, file=str(_tone(self.folder, order.relay.stand_in)))
            live = {"live": [f"{self._stream.base}{order.relay.name}.mp3"], "duration_s": order.relay.seconds}
            items.append(_item(order.relay.name, **live, stand_in=stand_in))
        if order.spoken:
            items.append(_item("lời", text=order.spoken))
        draft: dict[str, object] = {
            "class": order.cls,
            "areas": [AREA],
            "zones": list(order.zones),
            "volume": min(order.volume, 80),
            "preemption": order.preemption,
            "loops": order.loops,
            "gap_s": order.gap_s,
            "when": self._when(order, tampering),
            "items": items,
        }
        return draft | ({"event": "lu-quet"} if order.cls == "emergency" else {})

    def _when(self, order: Order, tampering: Tampering) -> object:
        zone = ZoneInfo(self.ward.timezone)
        if tampering.wall_time:
            day = (datetime.now(zone) + timedelta(days=1)).date()
            return {"at": f"{day}T{tampering.wall_time}", "timezone": self.ward.timezone}
        if order.at_s is None:
            return "now"
        due = datetime.fromtimestamp((self._utc0 + order.at_s * 1000) / 1000, UTC).astimezone(zone)
        if not order.recurring:
            return {"at": due.isoformat()}
        day = due.date()
        return {
            "timezone": self.ward.timezone,
            "first_day": day,
            "last_day": day,
            "weekdays": [due.isoweekday()],
            "times": [due.strftime("%H:%M:%S")],
        }

    def _alter(self, tones: tuple[Tone, ...]) -> None:
        """The server hands out other bytes of the same length than those that were signed."""
        for clip in (self.folder / "content").iterdir():
            content = clip.read_bytes()
            if content == _tone(self.folder, tones[0]).read_bytes():
                clip.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _tone(folder: Path, tone: Tone) -> Path:
    path = folder / f"tone-{tone.name}-{tone.seconds}.flac"
    if not path.exists():
        source = f"sine=frequency={PITCHES[tone.name]}:sample_rate=44100:duration={tone.seconds}"
        command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", source, "-af", "volume=4", str(path)]
        subprocess.run(command, check=True)
    return path


def _item(title: str, **content: object) -> dict[str, object]:
    return {
        "title": f"Bản tin {title}",
        "field": "thoi-su",
        "language": "vi",
        "source": "Đài truyền thanh phường",
        "approver": "ng-01",
        **content,
    }


def _answer(answer: AnswerMsg) -> dict[str, Any]:
    reason = answer.reason.value if answer.reason else None
    return {"verdict": answer.verdict.value, "job_id": answer.job_id, "reason": reason}


def _state(said: Said) -> dict[str, Any]:
    return {"said": said.said}
