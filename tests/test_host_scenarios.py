"""The same scenarios as in virtual time, here over real parts. They wait more than they work, so two run at once.

All of them run on the bench as well (``hil_tests/on_target/test_scenarios.py``): the suite takes two, ``./run live``
the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests import scenarios
from tests.host_rig import UNFRAMED, HostRig
from tests.scenarios import FITTED, Scenario

AT_ONCE = 2
# Beside whatever else runs then: of four at once, one was late by what the others took of two cores.
pytestmark = [pytest.mark.host, pytest.mark.live]
SHORT = (scenarios.bulletin_is_heard_on_both_zones_on_time, scenarios.emergency_cuts_in_and_the_zone_rejoins)
CASES = [pytest.param(one, id=one.__name__, marks=() if one in SHORT else pytest.mark.benched) for one in scenarios.ALL]


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[None]]]:
    """Every chosen scenario, running or done."""
    chosen = {item.callspec.params["scenario"] for item in request.session.items if item.module is request.module}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            scenario.__name__: pool.submit(_run, scenario, tmp_path_factory.mktemp("ward"))
            for scenario in scenarios.ALL
            if scenario in chosen
        }


@pytest.mark.parametrize("scenario", CASES)
def test_over_real_parts(scenario: Scenario, outcomes: dict[str, Future[None]]) -> None:
    outcomes[scenario.__name__].result()


def _run(scenario: Scenario, folder: Path) -> None:
    with HostRig(folder, fitting=replace(UNFRAMED, **FITTED.get(scenario, {}))) as rig:
        scenario(rig)
