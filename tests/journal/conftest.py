"""Every test that takes a ``rig`` runs against SQLite and against the fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.rigs import FakeRig, Rig, StoreRig


@pytest.fixture(params=["store", "fake"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    rig: Rig = StoreRig(tmp_path) if request.param == "store" else FakeRig()
    yield rig
    rig.clear_away()
