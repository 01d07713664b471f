"""A network whose papers are renewed and replaced, a station that hears of it, and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS
from edge_agent.core.site import Site
from edge_agent.core.units import DAY_MS, StationId, UtcMs
from edge_agent.headend.ceremonies import replace_key
from edge_agent.headend.cli import main
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.trust.bundle import read_document
from edge_agent.trust.documents import ROOT
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.keys import Ed25519Signer, new_signer

NOW = UtcMs(1_790_000_000_000)
LATER = UtcMs(NOW + 60 * DAY_MS)
SOON = UtcMs(NOW + 80 * DAY_MS)
WARD = "vn/ha-noi/dong-thanh"
PROVINCE = "vn/ha-noi"
OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
SITE = Site(StationId("tram-01"), "demo", WARD, "Asia/Ho_Chi_Minh", {})


class Station:
    """Believes what it was given at first, then what the headend sends after each hello."""

    def __init__(self, keyring: Keyring) -> None:
        self.keeper: Keeper = believing((keyring.directory / "trust.json").read_bytes(), (), SITE)

    def hear(self, keyring: Keyring, now: UtcMs) -> list[str]:
        """Be sent what is lacking, and take it as the core does by a clock that is right; returns what stands then."""
        for envelope in keyring.lacking(WARD, self.keeper.standing.heads):
            document = read_document(envelope)
            if document.area == ROOT or document.issued_at <= now + TIMETABLE_ERROR_MAX_MS:
                self.keeper.take(envelope)
        return [head.area for head in self.keeper.standing.heads]

    def greet(self, keyring: Keyring) -> list[str]:
        """Say hello and take what is lacking; returns the areas of it."""
        before = {head.area: head for head in self.keeper.standing.heads}
        for envelope in keyring.lacking(WARD, self.keeper.standing.heads):
            self.keeper.take(envelope)
        after = {head.area: head for head in self.keeper.standing.heads}
        assert keyring.lacking(WARD, self.keeper.standing.heads) == ()
        return [area for area in after if after[area] != before.get(area)]


def new_network(folder: Path) -> Keyring:
    """Root, province and ward, of which two officers sign an emergency."""
    return create_keyring(folder, "demo", default_roles(WARD, 2), NOW)


def on_the_clock(monkeypatch: pytest.MonkeyPatch, now: UtcMs) -> None:
    """What the commands of ceremonies find on this machine's clock."""
    monkeypatch.setattr("edge_agent.headend.cli.trust.utc_now", lambda: now)


def new_key(keyring: Keyring, name: str) -> Ed25519Signer:
    made = new_signer()
    made.save(keyring.directory / "keys" / f"{name}.pem")
    return made


def replace(keyring: Keyring, name: str, new: str) -> tuple[str, ...]:
    made = new_key(keyring, new)
    return replace_key(keyring, keyring.keys.key(name).public, made, LATER, sure=True)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    said = capsys.readouterr()
    return status, said.out, said.err
