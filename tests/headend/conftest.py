"""Wards whose headend has kept logs, for ``verify-log``; a new one with its desk; holders; commands that run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.headend.desk import Desk
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.identity.file_keys import FileKey
from tests.headend.fake_station import AREA, NOW, FakeStation, heads_here
from tests.headend.holders import Places
from tests.headend.kept_logs import Files, Ward
from tests.headend.running import Running


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


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = create_keyring(tmp_path / "net", "demo", default_roles(AREA, 1), NOW)
    keyring.enrol("tram-01", AREA)
    return keyring


@pytest.fixture
def station(keyring: Keyring) -> FakeStation:
    station = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    station.trust = heads_here(keyring)
    return station


@pytest.fixture
def desk(keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(keyring, Logbook(tmp_path / "records"))


@pytest.fixture
def started() -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.end()  # properly: killed, it would leave its broker behind
