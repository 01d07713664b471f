"""What holds for every test of the bench, wherever it runs."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test shows of the requirements goes into its result, for the report."""
    for item in items:
        for mark in item.iter_markers("shows"):
            item.user_properties += [("shows", number) for number in mark.args]
