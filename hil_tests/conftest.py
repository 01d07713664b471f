"""What holds for every test of the bench, wherever it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hil_tests.rig import PARTS, read


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test shows of the requirements goes into its result, for the report."""
    for item in items:
        for mark in item.iter_markers("shows"):
            item.user_properties += [("shows", number) for number in mark.args]


@pytest.hookimpl(tryfirst=True)  # before anything of the test is set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test wants and the bench has not is left out where its file says why, and fails where it does not."""
    wants = [want for mark in item.iter_markers("wants") for want in mark.args]
    if not wants:
        return
    file = read(Path(os.environ["BENCH_RIG"]))
    for want in wants:
        if want in file.absent:
            pytest.skip(file.absent[want])
        assert file.has(want), f"{file.name} cannot {PARTS[want]}, and its file does not say why"
