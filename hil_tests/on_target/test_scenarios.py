"""The tests' own scenarios, unchanged, on the bench."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hil_tests.bench import BenchRig
from tests.rig import Rig
from tests.scenarios import ALL, FRAMED

CASES = [
    pytest.param(scenario, id=scenario.__name__, marks=[pytest.mark.fitted(framed=True)] if scenario in FRAMED else [])
    for scenario in ALL
]


@pytest.mark.shows("bench.1", "S1", "S2", "S3", "B1", "B5", "B14")
@pytest.mark.parametrize("scenario", CASES)
def test_on_the_bench(scenario: Callable[[Rig], None], rig: BenchRig) -> None:
    scenario(rig)
