from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity.street import Street, with_broker


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    """Its headend enrols, and its broker runs."""
    with with_broker(tmp_path) as made:
        yield made
