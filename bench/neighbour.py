"""What the other zone of the same card hears when one is cut into: how much of its sound is missing or stands still."""

from __future__ import annotations

import random
from pathlib import Path

from edge_agent.audio.card import CardConfig
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    begin,
    feeds,
    first_of,
    noise,
    pause,
    stage,
    until_ended,
    until_started,
)
from tests.host.device_process import DeviceProcess
from tests.host.listening import seams
from tests.host.pulse import Pulse
from tests.host.recording import Recorder

FULL_MS, APART_MS = 1_500, (400, 600)
# The queue is full again long before the next cut.
TAIL_S = 3
SEED = 1


def torn_ms(folder: Path, pulse: Pulse, sink: str, cuts: int) -> list[float]:
    """A programme in both zones, cut into on the left so often; of each cut what the right one lacks or waits for."""
    chance = random.Random(SEED)
    programme = noise((FULL_MS + cuts * APART_MS[1]) / 1_000 + TAIL_S, SEED)
    with Recorder(pulse, sink) as recorder, DeviceProcess(folder, pulse.env, CardConfig(sink), recorder) as rig:
        urgent = stage(rig, "urgent", noise(0.1, SEED + 1))
        begin(rig, "programme", (stage(rig, "programme", programme),), feeds(LEFT, RIGHT))
        until_started(rig, "programme")
        pause(rig, FULL_MS)
        for number in range(cuts):
            pause(rig, chance.randrange(*APART_MS))
            begin(rig, f"urgent{number}", (urgent,), feeds(LEFT), at=rig.now_ms())
        until_ended(rig, "programme")
        heard = rig.heard()
    first = first_of(heard, 1, programme)
    found = seams(heard.samples[first + RAMP :, 1], programme[RAMP:-RAMP])
    torn = [(abs(seam.missing) + seam.silent) * 1_000 / RATE for seam in found]
    return torn + [0.0] * (cuts - len(torn))
