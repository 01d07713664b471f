"""A network whose keys lie with their holders, each in his own folder: ``Places`` has a ceremony held by commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_agent.core.site import Site
from edge_agent.core.units import StationId
from edge_agent.headend.cli import main
from edge_agent.trust.documents import ROOT
from edge_agent.trust.keeper import believing

WARD, PROVINCE = "vn/ha-noi/dong-thanh", "vn/ha-noi"
SITE = Site(StationId("tram-01"), "loa-vn", WARD, "Asia/Ho_Chi_Minh", {})
ROOTS = ("root-1", "root-2", "root-3")
ABOVE = ("national-trust-1", "ha-noi-trust-1")
OFFICERS = ("province-1", "ward-routine-1", "ward-emergency-1", "ward-emergency-2", "ward-policy-1")
HOLDERS = (*ROOTS, *ABOVE, *OFFICERS)
NAMES = {ROOT: "root.json", PROVINCE: "vn.ha-noi.json", WARD: "vn.ha-noi.dong-thanh.json"}


class Places:
    """The folder of each holder and of the headend, and what travels between them."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self._capsys = place, capsys
        self.handed = place / "handed"
        self.handed.mkdir()

    def run(self, *words: object, status: int = 0) -> str:
        found = main([str(word) for word in words])
        said = self._capsys.readouterr()
        assert found == status, said.out + said.err
        return said.out if status == 0 else said.err

    def trust(self, what: str, holder: str, *words: object, status: int = 0) -> str:
        return self.run("trust", what, "--dir", self.place / holder, *words, status=status)

    def make_key(self, name: str, *how: object) -> str:
        """Returns what the holder writes on his paper."""
        said = self.run("keys", "new", "--dir", self.place / name, "--key", name, *(how or ("--plain",)))
        shutil.copyfile(self.place / name / "public" / f"{name}.json", self.handed / f"{name}.json")
        return said.splitlines()[-1].rpartition(": ")[2]

    def draft(self, *words: object, out: str = "drafts") -> Path:
        self.trust("draft", "ward", *words, "--out", self.place / out)
        return self.place / out

    def sign(self, file: Path, holder: str, status: int = 0) -> str:
        return self.trust("sign", holder, file, "--key", holder, status=status)

    def begin(self) -> Path:
        """A network's first drafts, all keys with their holders."""
        ward = self.place / "ward"
        self.run("keys", "init", "--dir", ward, "--realm", "loa-vn", "--area", WARD, "--apart")
        for name in HOLDERS:
            if not (self.handed / f"{name}.json").exists():
                self.make_key(name)
        public = ("--public", self.handed, "--public", ward / "public")
        return self.draft("--first", WARD, "--realm", "loa-vn", *public)

    def finish(self, drafts: Path) -> None:
        """Two of the root's holders sign, then the nation, then the province; everybody takes what is signed."""
        root, province, ward = (drafts / name for name in NAMES.values())
        for holder in ("root-3", "root-1"):
            self.sign(root, holder)
        read_out = self.read_out(root)
        self.trust("take", "national-trust-1", root, "--first", read_out)
        self.sign(province, "national-trust-1")
        self.trust("take", "ha-noi-trust-1", province, root, "--first", read_out)
        self.sign(ward, "ha-noi-trust-1")
        for holder in ("ward", *ROOTS):
            self.trust("take", holder, ward, province, root, "--first", read_out)
        self.trust("take", "national-trust-1", root, province, ward)
        self.trust("take", "ha-noi-trust-1", root, province, ward)

    def read_out(self, file: Path, holder: str = "ward") -> str:
        (line,) = [line for line in self.trust("show", holder, file).splitlines() if line.startswith("mã văn bản")]
        return line.rpartition(": ")[2]


def believes(directory: Path, site: Site = SITE) -> list[tuple[str, int]]:
    """What a station of the ward makes of the trust file."""
    keeper = believing((directory / "trust.json").read_bytes(), (), site)
    return [(head.area, head.version) for head in keeper.standing.heads]


def read_first(places: Places) -> str:
    return places.read_out(places.place / "drafts" / NAMES[ROOT], "root-1")
