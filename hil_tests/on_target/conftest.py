"""The bench that these tests run on: BENCH_RIG names its file, and what they saw goes to the folder BENCH_EVIDENCE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.ward import Fitting
from hil_tests.bench import Bench, BenchRig
from hil_tests.evidence import keep
from hil_tests.rig import read


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    with Bench(read(Path(os.environ["BENCH_RIG"]))) as bench:
        yield bench


@pytest.fixture
def rig(bench: Bench, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BenchRig]:
    """A ward whose station stands on the bench, without chimes; ``fitted(name=value)`` says what is otherwise."""
    mark = request.node.get_closest_marker("fitted")
    fitting = Fitting(**{"framed": False, **(mark.kwargs if mark else {})})
    with BenchRig(tmp_path, bench, fitting) as rig:
        yield rig
        print(rig.logs())  # shown where the test failed
        keep(rig, request.node.name)
