"""In which epoch a headend goes on that cannot tell what it gave out: above every head that stations hold."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import renew
from edge_agent.headend.manifests import make
from edge_agent.trust.keys import Signer, new_signer
from edge_agent.trust.strict_json import INTEGER_MAX
from tests.headend.test_manifest_shelf import NOW, WARD, Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def forget(office: Office) -> None:
    """The file was damaged, and moved away as its message says."""
    (office.keyring.directory / "manifests.json").rename(office.keyring.directory / "manifests.bad")


def test_a_memory_that_was_moved_away_after_a_clock_was_ahead_begins_above_what_stations_hold(office: Office) -> None:
    office.now = UtcMs(NOW + 30 * DAY_MS)
    office.renew()
    office.now = NOW
    office.renew()
    lost = office.head()
    assert lost.issued_at == NOW, "dated today: stations hold it"
    forget(office)
    office.pass_ms(HOUR_MS)
    office.renew()
    assert office.head().place > lost.place


def test_a_backup_from_before_the_clock_was_ahead_goes_on_above_what_stations_hold(
    office: Office, tmp_path: Path
) -> None:
    office.renew()
    shutil.copytree(office.keyring.directory, tmp_path / "backup")
    office.now = UtcMs(NOW + 30 * DAY_MS)
    renew(office.keyring, office.shelf, office.now, anew=True)
    office.now = UtcMs(NOW + HOUR_MS)
    office.renew()
    lost = office.head()
    assert lost.issued_at == office.now
    shutil.rmtree(office.keyring.directory)
    shutil.copytree(tmp_path / "backup", office.keyring.directory)
    office.pass_ms(HOUR_MS)
    office.keyring = Keyring(office.keyring.directory)
    renew(office.keyring, office.shelf, office.now, anew=True)
    assert office.head().place > lost.place


def laid_down(office: Office, epoch: int, signer: Signer) -> None:
    """Somebody lays a head on the shelf."""
    made = make(replace(office.manifest(), epoch=epoch), "demo", office.now, signer)
    (office.shelf / "head" / WARD / "head.json").write_bytes(made.envelope)


def test_who_writes_on_the_shelf_without_the_key_drives_no_epoch_up(office: Office) -> None:
    office.renew()
    laid_down(office, INTEGER_MAX - 1, new_signer())
    office.pass_ms(HOUR_MS)
    office.renew()
    assert office.head().epoch == office.now


def test_behind_a_head_of_the_largest_number_nothing_stops(office: Office) -> None:
    """Whose key was stolen signs a new one; its heads must be read until then."""
    office.renew()
    laid_down(office, INTEGER_MAX, office.keyring.signer("head"))
    office.pass_ms(HOUR_MS)
    office.renew()
    assert office.head().epoch == office.now
