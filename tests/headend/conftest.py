"""Wards whose headend has kept logs, for the tests of ``verify-log``; and keys with their holders, for ceremonies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.headend.holders import Places
from tests.headend.kept_logs import Files, Ward


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path / "ward")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ward, Files]:
    """Three records that came one by one: to be read only."""
    ward = Ward(tmp_path_factory.mktemp("small") / "ward")
    ward.play(3)
    return ward, ward.files()


@pytest.fixture
def places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Places:
    return Places(tmp_path, capsys)
