"""The demo's station is brought in as on a pole: it makes its own keys, and the centre holds none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.enrolled import CODE, NOBODY, EnrolledWard
from demo.ward import AREA, NAME, REALM, STATION, Ward
from edge_agent.config import load
from edge_agent.identity.codes import read_code
from edge_agent.trust.keys import load_signer

pytestmark = pytest.mark.host


def test_the_station_has_keys_of_its_own_and_the_centre_knows_only_their_public_half(tmp_path: Path) -> None:
    with EnrolledWard(tmp_path) as ward:
        config, centre = load(ward.config), ward.keyring
    assert (config.site.station, config.site.area, config.site.realm, config.name) == (STATION, AREA, REALM, NAME)
    assert load_signer(config.trust.station_key_file).keyid == centre.stations[STATION].key.keyid
    private = [path.read_bytes() for path in (config.trust.station_key_file, config.broker.key_file)]
    assert not (centre.directory / "stations").exists()
    assert [path for path in centre.directory.rglob("*") if path.is_file() and path.read_bytes() in private] == []


def test_before_it_types_the_code_the_box_is_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a demo whose box is not taken in ends there, with what the station was told."""
    seen: list[str] = []

    def mistyped(ward: Ward, *words: str) -> str:
        seen.append(ward.config.read_text("utf-8"))
        return "a wrong code"

    monkeypatch.setattr(EnrolledWard, "command", mistyped)
    ward = EnrolledWard(tmp_path)
    with pytest.raises(RuntimeError, match="the station was not enrolled: a wrong code"):
        ward.__enter__()
    (text,) = seen
    assert f'id = "{NOBODY}"' in text
    assert STATION not in text
    assert not (tmp_path / "identity").exists()
    assert read_code(CODE.findall(ward.slip)[0])
