"""The tests' own scenarios, unchanged, on the bench."""

from __future__ import annotations

import pytest

from hil_tests.bench import BenchRig
from tests.scenarios import ALL, FITTED, Scenario

CASES = [
    pytest.param(scenario, id=scenario.__name__, marks=pytest.mark.fitted(**FITTED.get(scenario, {})))
    for scenario in ALL
]


@pytest.mark.shows("bench.1", "S1", "S2", "S3", "B1", "B5", "B14")
@pytest.mark.parametrize("scenario", CASES)
def test_on_the_bench(scenario: Scenario, rig: BenchRig) -> None:
    scenario(rig)
