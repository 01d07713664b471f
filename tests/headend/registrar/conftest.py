"""A registrar's desk and a box that asks, anew for each test. What a try of a code costs, ``tests/identity`` shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.headend.registrar.desks import Box, Desk, desk_in, new_box


@pytest.fixture(autouse=True)
def _cheap(cheap_codes: None) -> None:
    """Here are hundreds of tries."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path)


@pytest.fixture
def box() -> Box:
    return new_box()
