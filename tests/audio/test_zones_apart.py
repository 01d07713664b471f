"""Two zones of one card, each with a queue of its own (``systemd/alsa``): who cuts in on one leaves the other exact."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.card import CardConfig
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RIGHT,
    ApartRig,
    apart_rig,
    begin,
    feeds,
    first_of,
    needs_loopback,
    noise,
    pause,
    played_ms,
    stage,
    until_ended,
)

STATION = CardConfig("station")
QUEUE_MS = STATION.period_ms * STATION.periods
CUTS = int(os.environ.get("REAL_CUTS", "7"))
TENTH = 10
TOGETHER_MS = 20
# What is promised between neighbouring clusters (S4).
SEED = 4

pytestmark = [pytest.mark.host, pytest.mark.live, pytest.mark.benched, pytest.mark.shows("bench.3"), needs_loopback]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApartRig]:
    with apart_rig(tmp_path, monkeypatch) as apart:
        yield apart


def test_they_begin_together(rig: ApartRig) -> None:
    sound = noise(1.5, 1)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    assert until_ended(rig, "p").zone_ms == {LEFT: 1_500, RIGHT: 1_500}
    heard = rig.heard()
    left, right = (first_of(heard, channel, sound) for channel in (0, 1))
    assert abs(left - right) <= TOGETHER_MS * STATION.rate // 1_000


def test_the_neighbour_of_a_hard_cut_is_bit_exact(rig: ApartRig) -> None:
    chance = random.Random(SEED)
    bulletin = noise(CUTS * 0.6 + 5, 99)
    begin(rig, "bulletin", (stage(rig, "bulletin", bulletin),), feeds(LEFT, RIGHT))
    urgent = [noise(0.1, number) for number in range(CUTS)]
    parts = [stage(rig, f"u{number}", sound) for number, sound in enumerate(urgent)]
    assert rig.run_until(lambda: played_ms(rig, "bulletin") > 0)
    ordered = []
    for number, part in enumerate(parts):
        pause(rig, chance.randrange(350, 550))
        ordered.append(begin(rig, f"u{number}", (part,), feeds(LEFT), at=rig.now_ms()))
    end = until_ended(rig, "bulletin")
    heard = rig.heard()
    first = first_of(heard, 1, bulletin)
    assert np.array_equal(heard.samples[first : first + len(bulletin), 1][RAMP:-RAMP], bulletin[RAMP:-RAMP])
    assert end.zone_ms[RIGHT] == len(bulletin) * 1_000 // STATION.rate
    waited_ms = [heard.instant_ms(first_of(heard, 0, sound)) - at for at, sound in zip(ordered, urgent, strict=True)]
    assert max(waited_ms) < QUEUE_MS / TENTH, waited_ms
