"""Every scenario in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rig import Rig
from tests.scenarios import ALL
from tests.sim import SimRig


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
def test_in_virtual_time(scenario: Callable[[Rig], None]) -> None:
    scenario(SimRig())
