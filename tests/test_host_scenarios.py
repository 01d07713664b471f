"""The same scenarios as in virtual time, here over real parts. They wait more than they work, so two run at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.host_rig import UNFRAMED, HostRig
from tests.scenarios import ALL, FITTED, Scenario

AT_ONCE = 2
# Beside whatever else runs then: of four at once, one was late by what the others took of two cores.
pytestmark = [pytest.mark.host, pytest.mark.live]


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[None]]]:
    """Every chosen scenario, running or done."""
    chosen = {item.callspec.params["scenario"] for item in request.session.items if item.module is request.module}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            scenario.__name__: pool.submit(_run, scenario, tmp_path_factory.mktemp("ward"))
            for scenario in ALL
            if scenario in chosen
        }


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
def test_over_real_parts(scenario: Scenario, outcomes: dict[str, Future[None]]) -> None:
    outcomes[scenario.__name__].result()


def _run(scenario: Scenario, folder: Path) -> None:
    with HostRig(folder, fitting=replace(UNFRAMED, **FITTED.get(scenario, {}))) as rig:
        scenario(rig)
