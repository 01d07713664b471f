"""While the publisher listens: an enrolled station's own word is heard, whatever else comes is not, and no longer."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.headend.dispatch import Talk, is_taken
from edge_agent.headend.inbox import Inbox
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Heard
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import Arrival, LinkUp, Message, Receipt, Session
from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import AREA, AT, PLAN, FakeStation


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    made = create_keyring(tmp_path, "demo", default_roles(AREA, 1), UtcMs(AT))
    made.enrol("tram-01", AREA)
    return made


def heard(keyring: Keyring, *arrivals: Arrival, wait_s: float) -> list[Heard]:
    inbox = Inbox()
    for arrival in arrivals:
        inbox.put(arrival)
    return [*Talk(keyring, cast(Session, None), inbox).heard(wait_s)]


def test_only_an_enrolled_stations_own_word_is_heard(keyring: Keyring) -> None:
    own = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    forger, stranger = FakeStation(new_signer()), FakeStation(new_signer(), "tram-09")
    came = [LinkUp(), *(Message(*one.plan(PLAN)) for one in (forger, stranger, own))]
    assert [(one.station, one.said) for one in heard(keyring, *came, wait_s=0.05)] == [("tram-01", PLAN)]


def test_a_flood_of_one_stations_answers_hides_no_others(keyring: Keyring) -> None:
    honest = FakeStation(FileKey(keyring.enrol("tram-02", AREA).sign).open(), "tram-02")
    thief = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    flood = [Message(*thief.plan(PLAN))] * 20_000  # more than anybody reads in that time
    came = heard(keyring, *flood, Message(*honest.plan(PLAN)), wait_s=2)
    assert "tram-02" in [one.station for one in came[:2]]


def test_whoever_waits_not_at_all_hears_nothing(keyring: Keyring) -> None:
    own = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    assert heard(keyring, Message(*own.plan(PLAN)), wait_s=0) == []


@pytest.mark.parametrize(
    ("receipts", "taken"),
    [((), False), ((Receipt.NOBODY_LISTENS,), False), ((Receipt.NOBODY_LISTENS, Receipt.TAKEN), True)],
)
def test_an_order_is_taken_where_anybody_listens(receipts: tuple[Receipt, ...], taken: bool) -> None:
    assert is_taken(tuple(("loa/1/d/tram-01/job", one) for one in receipts)) is taken
