"""Every test that takes a ``rig`` runs against SQLite and the fake, and on the bench on disks that really refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.host.disks import on_a_bench
from tests.journal.card_rigs import FailingCardRig, FullCardRig
from tests.journal.rigs import FakeRig, Rig, SpareRig, StoreRig

BENCH = [
    pytest.param(name, marks=pytest.mark.shows("bench.6"))
    for name in ("store-on-a-full-card", "store-on-a-failing-card")
]
# Elsewhere they are not even named: no machine but the bench's has a disk that can be made to fail.


@pytest.fixture(params=["store", "spare", "fake", *(BENCH if on_a_bench() else [])])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        rig = _rig(request.param, stack, tmp_path)
        stack.callback(rig.clear_away)
        yield rig


def _rig(kind: str, stack: ExitStack, folder: Path) -> Rig:
    match kind:
        case "store-on-a-full-card":
            return FullCardRig(stack, folder)
        case "store-on-a-failing-card":
            return FailingCardRig(stack, folder)
        case "fake":
            return FakeRig()
    return SpareRig(folder) if kind == "spare" else StoreRig(folder)
