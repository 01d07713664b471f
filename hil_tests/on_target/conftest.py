"""The bench that these tests run on: BENCH_RIG names its file, and what they saw goes to the folder BENCH_EVIDENCE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.ward import Fitting
from hil_tests.bench import Bench, BenchRig
from hil_tests.evidence import keep
from hil_tests.rig import CAN, read


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    with Bench(read(Path(os.environ["BENCH_RIG"]))) as bench:
        yield bench


@pytest.hookimpl(tryfirst=True)  # before anything of the test is set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test wants and the bench cannot do is left out where its file says why, and fails where it does not."""
    file = read(Path(os.environ["BENCH_RIG"]))
    for want in (want for mark in item.iter_markers("wants") for want in mark.args):
        if want in file.absent:
            pytest.skip(file.absent[want])
        assert want in file.can, f"{file.name} cannot {CAN[want]}, and its file does not say why"


@pytest.fixture
def rig(bench: Bench, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BenchRig]:
    """A ward whose station stands on the bench, without chimes; ``fitted(name=value)`` says what is otherwise."""
    mark = request.node.get_closest_marker("fitted")
    fitting = Fitting(**{"framed": False, **(mark.kwargs if mark else {})})
    with BenchRig(tmp_path, bench, fitting) as rig:
        yield rig
        print(rig.logs())  # shown where the test failed
        keep(rig, request.node.name)
