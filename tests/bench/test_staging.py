"""What staging costs is told of all that takes part: the stager itself, and each ffmpeg in its confinement."""

from __future__ import annotations

import pytest

from bench.longplay import DECODER_MB_MAX, MB
from bench.staging import Cost, cost_of
from tests.audio.making import needs_decoder

pytestmark = [pytest.mark.host, pytest.mark.live, needs_decoder]

MINUTES = 3


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    return {way: cost_of(tmp_path_factory.mktemp(way), way, MINUTES) for way in ("decode", "level")}


def test_both_ways_stage_all_of_it(costs: dict[str, Cost]) -> None:
    assert costs["decode"].staged_ms == costs["level"].staged_ms
    assert costs["level"].staged_ms == pytest.approx(MINUTES * 60_000, rel=0.01)


def test_levelling_costs_what_its_own_programs_take(costs: dict[str, Cost]) -> None:
    """Measuring and changing go over all the sound again; were only the first ffmpeg seen, both would cost the same."""
    assert costs["level"].children_cpu_s > 1.2 * costs["decode"].children_cpu_s > 0


def test_the_decoder_was_seen_and_stays_small(costs: dict[str, Cost]) -> None:
    for way, cost in costs.items():
        assert 10 * MB < cost.child_peak < DECODER_MB_MAX * MB, (way, "less than ffmpeg's own libraries: it was missed")
