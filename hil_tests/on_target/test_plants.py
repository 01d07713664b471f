"""Faults planted into the station's real processes: each is caught by a test here, or the bench proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from demo.ward import Fitting
from hil_tests.bench import Bench, BenchRig
from hil_tests.on_target.test_relay_faults import (
    test_a_station_that_is_told_to_end_opens_its_relays_itself as ends_with_its_relays_open,
)
from hil_tests.on_target.test_relay_faults import (
    test_no_relay_moves_while_a_station_starts_and_ends as starts_without_a_blip,
)
from hil_tests.plants import planted
from tests.scenarios import bulletin_is_heard_on_both_zones_on_time

pytestmark = [pytest.mark.wants("trace"), pytest.mark.shows("bench.10")]


@pytest.mark.parametrize(
    ("plant", "proof"),
    [
        ("left_on_at_exit", ends_with_its_relays_open),
        ("claimed_before_its_value", starts_without_a_blip),
        ("unpaced", bulletin_is_heard_on_both_zones_on_time),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_planted_fault_is_caught(plant: str, proof: Callable[[BenchRig], None], bench: Bench, tmp_path: Path) -> None:
    fitting = Fitting(framed=False, enter=planted(plant))
    # A scenario that takes the sounds apart says by a ValueError that it heard too few.
    with pytest.raises((AssertionError, ValueError)) as caught, BenchRig(tmp_path, bench, fitting) as rig:
        proof(rig)
    print(f"{plant}: {str(caught.value).splitlines()[0]}")
