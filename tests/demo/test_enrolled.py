"""The demo's station is brought in as on a pole: it makes its own keys, and the centre holds none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.enrolled import CODE, NOBODY, EnrolledWard
from demo.ward import AREA, NAME, REALM, STATION
from edge_agent.config import load
from edge_agent.identity.codes import read_code
from edge_agent.identity.file_keys import FileKey

pytestmark = pytest.mark.host


def test_the_station_has_keys_of_its_own_and_the_centre_knows_only_their_public_half(tmp_path: Path) -> None:
    with EnrolledWard(tmp_path) as ward:
        config, centre = load(ward.config), ward.keyring
    assert (config.site.station, config.site.area, config.site.realm, config.name) == (STATION, AREA, REALM, NAME)
    assert FileKey(config.trust.station_key_file).open().keyid == centre.stations[STATION].key.keyid
    private = [path.read_bytes() for path in (config.trust.station_key_file, config.broker.key_file)]
    assert not (centre.directory / "stations").exists()
    assert [path for path in centre.directory.rglob("*") if path.is_file() and path.read_bytes() in private] == []


class Mistyping(EnrolledWard):
    """Whoever types there gets the code wrong."""

    seen = ""

    def command(self, *words: str) -> str:
        self.seen = self.config.read_text("utf-8")
        wrong = [word[::-1] if word == CODE.findall(self.slip)[0] else word for word in words]
        return super().command(*wrong)


def test_before_it_types_the_code_the_box_is_nobody(tmp_path: Path) -> None:
    """And a demo whose box is not taken in ends there, with what the station was told."""
    ward = Mistyping(tmp_path)
    with pytest.raises(RuntimeError, match="the station was not enrolled: lỗi / error"):
        ward.__enter__()
    assert f'id = "{NOBODY}"' in ward.seen
    assert STATION not in ward.seen
    assert [file.name for file in tmp_path.glob("identity/*") if file.suffix == ".pem"] == []
    assert read_code(CODE.findall(ward.slip)[0])
