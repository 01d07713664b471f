"""A busy machine, and one that stands still: the whole device process, heard behind a real sink (sound.7)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.card import CardConfig
from tests.audio.player_rig import (
    LEFT,
    RAMP,
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
from tests.host.busy import busy
from tests.host.device_process import DeviceProcess
from tests.host.pulse import Pulse
from tests.host.recording import Recorder
from tests.host.served import served

pytestmark = [pytest.mark.host, pytest.mark.live]

SECONDS = 20
STATION = CardConfig("station")
TINY = CardConfig("station", period_ms=10, periods=2)
STOPS, STILL_S = 3, 0.5
TOLD = "underrun device=station next=same_block_again"
# Many times what the tiny buffer holds, a sixth of the lease.


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with served(tmp_path / "pulse") as server:
        yield server


def test_with_every_core_busy_and_the_disk_written_to_no_sample_is_lost_or_late(tmp_path: Path, pulse: Pulse) -> None:
    sound = noise(SECONDS, 1)
    with Recorder(pulse) as recorder, DeviceProcess(tmp_path / "io", pulse.env, STATION, recorder) as rig:
        part = stage(rig, "a", sound)
        with busy(os.cpu_count() or 1, tmp_path / "written"):
            begin(rig, "p", (part,), feeds(LEFT, RIGHT))
            end = until_ended(rig, "p")
        heard = rig.heard()
    assert (end.reason, end.underruns, end.frames) == (None, 0, len(sound)), rig.log
    assert "underrun" not in rig.log
    first = first_of(heard, 0, sound)
    for channel in (0, 1):
        assert np.array_equal(heard.samples[first : first + len(sound), channel][RAMP:-RAMP], sound[RAMP:-RAMP])


def test_a_process_that_stood_still_for_longer_than_the_card_holds_goes_on_at_the_same_sample(
    tmp_path: Path, pulse: Pulse
) -> None:
    sound = noise(6, 2)
    with Recorder(pulse) as recorder, DeviceProcess(tmp_path / "io", pulse.env, TINY, recorder) as rig:
        begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
        until_started(rig, "p")
        before = rig.log.count(TOLD)
        for _ in range(2 * STOPS):  # once the sound server told nothing of one
            pause(rig, 700)
            if rig.log.count(TOLD) - before >= STOPS:
                break
            rig.stand_still(STILL_S)
        end = until_ended(rig, "p")
        heard = rig.heard()
    assert (end.reason, end.frames) == (None, len(sound))
    # Those before the first sample and after the last one are nobody's.
    assert STOPS <= end.underruns <= rig.log.count(TOLD)
    first = first_of(heard, 0, sound)
    played = heard.samples[first:, 0]
    sounded = played[played != 0]
    assert len(sounded) < np.flatnonzero(played)[-1] + 1, "it was heard to stand still"
    assert np.array_equal(sounded[RAMP : len(sound) - 2 * RAMP], sound[RAMP : len(sound) - 2 * RAMP])
