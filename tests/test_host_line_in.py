"""A whole station with a microphone plugged in: the street hears it under a verified order alone, and no longer.

Somebody speaks into it all the time, as into a microphone that was forgotten: what matters is when it is let out (B7).
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.ward import AREA, Fitting, Ward
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import new_signer
from tests.host.parts import ABSENT
from tests.host.pulse import Pulse, missing, private_pulse
from tests.host.recording import Recorder
from tests.host_rig import PITCHES, HostRig
from tests.rig import LEFT, RIGHT
from tests.scenarios import near, records_of, sounds

MIC = "line-in:mic"
RELAYED_S = 4
OPENING_MS = 2_000
# Nothing sounds before it that it could be opened under, as a chime would be.
# Long enough that whoever lets the microphone out for nothing is heard.
AFTERWARDS_S = 3


class PluggedIn(Ward):
    """Its microphone is a sink whose monitor the station captures; ``spoken_into`` speaks."""

    def __init__(self, *given: Any, fitting: Fitting) -> None:
        super().__init__(*given, fitting=replace(fitting, sources=(*fitting.sources, MIC)))
        self.pulse: Pulse | None = None

    def _listen(self, stack: contextlib.ExitStack) -> None:
        self.pulse = stack.enter_context(private_pulse(self.folder / "pulse", ("station", "mic")))
        self.sound_env = self.pulse.env
        self._recorder = stack.enter_context(Recorder(self.pulse))

    def _write_config(self) -> Path:
        path = super()._write_config()
        text = path.read_text()
        path.write_text(text.replace("[relays]", '[inputs.mic]\ndevice = "mic_out"\nchannels = 2\n\n[relays]', 1))
        return path


@contextlib.contextmanager
def spoken_into(ward: Ward, what: str) -> Iterator[None]:
    """A tone without end goes into the microphone."""
    assert isinstance(ward, PluggedIn)
    assert ward.pulse is not None
    tone = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", f"sine=frequency={PITCHES[what]}", "-af", "volume=4"]
    into = ["pacat", "-d", "mic", "--raw", "--format=s16le", "--rate=44100", "--channels=1", "--latency-msec=500"]
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(subprocess.Popen([*tone, "-f", "s16le", "-"], stdout=subprocess.PIPE))
        stack.callback(made.kill)
        speaking = stack.enter_context(subprocess.Popen(into, env=ward.pulse.child_env(), stdin=made.stdout))
        stack.callback(speaking.kill)
        yield


def draft(source: str = MIC) -> Mapping[str, object]:
    item = {"title": "Tiếp âm", "field": "thoi-su", "language": "vi", "source": "UBND phường", "approver": "ng-01"}
    live = {**item, "live": [source], "duration_s": RELAYED_S}
    return {"class": "normal", "areas": [AREA], "volume": 80, "when": "now", "items": [live]}


@pytest.mark.host
@pytest.mark.live
def test_a_microphone_is_heard_as_long_as_it_was_ordered_and_by_no_order_of_anybody_else(tmp_path: Path) -> None:
    if absent := missing():
        pytest.skip(f"{ABSENT}{absent}")
    with HostRig(tmp_path, ward_of=PluggedIn) as rig, spoken_into(rig.ward, "a"):
        rig.switch_on()
        headend = rig.ward.headend
        finished, _ = headend.compose(draft(), ["ward-routine"])
        forged = sign(payload_type("job"), finished.payload, [new_signer()])
        headend.publish(forged)
        rig.ward.publish(draft("line-in:phone"), ["ward-routine"])
        headend.wait_for(lambda: len(headend.answers()) == 2, 30)
        rig.run_until(AFTERWARDS_S)
        edges_before = rig.relay_edges()
        job = rig.ward.publish(draft(), ["ward-routine"])
        rig.run_until_told(job, 60)
        rig.run_until(rig.relay_edges()[-1].at_s + AFTERWARDS_S)
    assert edges_before == []
    assert [answer["reason"] for answer in rig.told().answers] == ["signature_invalid", "over_limit", None]
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("succeeded", None)
    relayed = record["relayed"]
    assert isinstance(relayed, dict)
    assert sum(relayed.values()) == RELAYED_S * 1_000
    assert relayed["silent_ms"] <= OPENING_MS
    for zone in (LEFT, RIGHT):
        (heard,) = sounds(rig, zone)
        assert heard.what == "a"
        near(rig, heard.end_s - heard.start_s, relayed["live_ms"] / 1_000)
        closed, opened = [edge for edge in rig.relay_edges() if edge.zone == zone]
        assert closed.on
        assert closed.at_s < heard.start_s < heard.end_s < opened.at_s + rig.tolerance_s
