"""What a station believes and its server has not got: nobody else would tell the officers that it was signed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.site import Site
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import DAY_MS, StationId, UtcMs
from edge_agent.headend.ceremonies import renew, replace_key
from edge_agent.headend.desk import Desk
from edge_agent.headend.greeting import Greeter, TrustAhead
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.telling import for_machines
from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.keys import PublicKey, new_signer
from tests.headend.fake_station import AREA, NOW, FakeStation, heads_here


def keys_of(station: Keeper) -> set[PublicKey]:
    """Of everybody whom a station obeys."""
    return {key for role in station.chain.trust.roles for key in role.keys}


def told(keyring: Keyring, tmp_path: Path, heads: tuple[TrustHead, ...]) -> list[TrustAhead]:
    desk = Desk(keyring, Logbook(tmp_path / "records"))
    noted, replies = desk.take(*FakeStation(FileKey(keyring.folder("tram-01").sign).open()).hello(trust=heads), NOW)
    assert replies, "it is welcomed all the same"
    return [one for one in noted if isinstance(one, TrustAhead)]


def test_a_station_that_believes_what_the_server_has_is_nothing_to_tell(keyring: Keyring, tmp_path: Path) -> None:
    assert told(keyring, tmp_path, heads_here(keyring)) == []


def test_a_station_that_is_behind_is_nothing_to_tell(keyring: Keyring, tmp_path: Path) -> None:
    before = heads_here(keyring)
    renew(keyring, AREA, UtcMs(NOW + DAY_MS))
    assert heads_here(keyring) != before
    assert told(keyring, tmp_path, before) == []
    assert told(keyring, tmp_path, before[:1]) == []


def test_a_ceremony_held_from_the_backup_gives_a_stolen_key_its_rights_back_and_was_told_of_before(
    keyring: Keyring, tmp_path: Path
) -> None:
    """No station could tell: the next version but one is newer than what it believes, and signed by those who may."""
    shutil.copytree(keyring.directory, tmp_path / "backup")
    stolen = keyring.keys.key("ward-routine-1").public
    replace_key(keyring, stolen, new_signer(), UtcMs(NOW + DAY_MS))
    site = Site(StationId("tram-01"), keyring.realm, AREA, "Asia/Ho_Chi_Minh", {})
    station = believing((keyring.directory / "trust.json").read_bytes(), (), site)
    assert stolen not in keys_of(station)
    old = Keyring(tmp_path / "backup")
    assert told(old, tmp_path, station.standing.heads)
    for days in (2, 3):
        renew(old, AREA, UtcMs(NOW + days * DAY_MS))
    station.take(old.documents[-1])
    assert stolen in keys_of(station)


@pytest.mark.parametrize("ahead", [{"version": 2}, {"epoch": 2}, {"epoch": 2, "version": 1}])
def test_a_document_that_thieves_of_keys_have_signed_behind_the_servers_back_is_told(
    keyring: Keyring, tmp_path: Path, ahead: dict[str, int]
) -> None:
    *above, ward = heads_here(keyring)
    (said,) = told(keyring, tmp_path, (*above, replace(ward, **ahead)))
    assert [(one.area, one.epoch, one.version) for one in said.believed] == [
        (AREA, ahead.get("epoch", 1), ahead.get("version", 1))
    ]
    assert json.loads(for_machines(said, NOW))["believed"][0]["area"] == AREA


def test_another_document_of_the_same_number_is_told(keyring: Keyring, tmp_path: Path) -> None:
    """Two ceremonies that knew nothing of each other, or a thief who was first."""
    root, *below = heads_here(keyring)
    (said,) = told(keyring, tmp_path, (replace(root, expires=UtcMs(root.expires + DAY_MS)), *below))
    assert [one.area for one in said.believed] == [""]


def test_a_document_of_an_area_of_which_the_server_knows_none_is_told(keyring: Keyring, tmp_path: Path) -> None:
    (said,) = told(keyring, tmp_path, (*heads_here(keyring), TrustHead("vn/hue", 1, 1, NOW)))
    assert [one.area for one in said.believed] == ["vn/hue"]


def test_whoever_keeps_the_hello_from_the_broker_does_not_keep_it_from_the_officers(
    keyring: Keyring, tmp_path: Path
) -> None:
    """Without a welcome the station asks over HTTPS."""
    said: list[TrustAhead] = []
    greeter = Greeter(keyring.directory, tmp_path / "records", lambda: NOW, said.append)
    station = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    *above, ward = heads_here(keyring)
    assert greeter.answer("tram-01", station.hello(trust=(*above, ward))[1]) is not None
    assert said == []
    assert greeter.answer("tram-01", station.hello(trust=(*above, replace(ward, version=2)))[1]) is not None
    assert [one.area for (ahead,) in [said] for one in ahead.believed] == [AREA]
