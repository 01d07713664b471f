"""Hands at a station put another trust file there: what told the time before tells nothing any more.

A thief of the root's holders can sign welcomes too, and one a year ahead would have NTP and the chip disbelieved after
each power cut, for as long as the station stands. So can whose key the next root takes away, and where the network
brings nothing, that root comes by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import Readings
from edge_agent.core.clock_trust import ClockSource, KeptTime
from edge_agent.core.units import MonoMs, UtcMs
from edge_agent.trust.bundle import write_file
from edge_agent.trust.chain import begin
from edge_agent.trust.documents import ROOT
from tests.agent_rig import Agent
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers
from tests.trust.delegation import HANOI, PROVINCE_1, ROOT_1, WARD_1, root, ward
from tests.trust.makers import AREA, online_role, signed_trust, signer

STOLEN = write_file([ROOT_1, PROVINCE_1, WARD_1])
BY_HAND = write_file([signed_trust(root(holders=("new",)), "new")])
NEXT_ROOT = signed_trust(
    root(2, roles=[online_role(keyids=[signer("new server").keyid])])
    | {"keys": root(holders=("holder", "new server"))["keys"]},
    "holder",
)
AHEAD = UtcMs(makers.NOON + 365 * makers.DAY_MS)
KEPT = KeptTime("the same boot", MonoMs(0), AHEAD, 10)


class Noting(FakeJournal):
    """Keeps what a boot asks of it, in order."""

    def __init__(self, disk: FakeDisk) -> None:
        super().__init__(disk)
        self.asked: list[tuple[str, object]] = []

    def save_floor(self, floor: UtcMs, kept: KeptTime | None = None) -> None:
        self.asked.append(("floor", (floor, kept)))
        super().save_floor(floor, kept)

    def save_trust(self, area: str, envelope: bytes, anchor: str) -> None:
        self.asked.append(("trust", area))
        super().save_trust(area, envelope, anchor)


@pytest.fixture
def disk() -> FakeDisk:
    """Of a station that was told of a time a year ahead."""
    anchor = begin(ROOT_1).newest[ROOT].digest
    documents = {AREA: (anchor, signed_trust(ward(2), HANOI))}
    disk = FakeDisk()
    disk.committed = replace(disk.committed, floor=AHEAD, kept=KEPT, trust=documents)
    return disk


def booted(folder: Path, disk: FakeDisk, trust: bytes) -> tuple[Agent, Noting]:
    """Beside that trust file, by a server that welcomes nobody."""
    journal = Noting(disk)
    agent = Agent(folder, disk, trust=trust, journal=journal, readings=Readings(boot_id=lambda: KEPT.boot_id))
    agent.broker.welcoming = False
    return agent, journal


def test_beside_its_own_file_a_station_holds_ntp_to_what_it_was_told(tmp_path: Path, disk: FakeDisk) -> None:
    agent, journal = booted(tmp_path, disk, STOLEN)
    assert agent.clock.now().utc >= AHEAD
    with agent:
        agent.until(lambda: agent.broker.said("state") != [])
    assert disk.committed.floor == AHEAD
    assert "floor" not in [what for what, _ in journal.asked]


def test_beside_another_one_nothing_is_left_of_it(tmp_path: Path, disk: FakeDisk) -> None:
    agent, journal = booted(tmp_path, disk, BY_HAND)
    now = agent.clock.now()
    assert (now.source, now.utc < makers.NOON) == (ClockSource.FLOOR, True)
    with agent:
        agent.until(lambda: agent.broker.said("state") != [])
        agent.until(lambda: "" in disk.committed.trust)
    assert (disk.committed.floor, disk.committed.kept) == (0, None)
    assert journal.asked[:2] == [("floor", (0, None)), ("trust", "")]


def test_power_that_goes_before_the_documents_are_kept_leaves_the_file_another_one(
    tmp_path: Path, disk: FakeDisk
) -> None:
    """The floor is on the card before they are, so whatever is lost, the next boot finds the time void or voids it."""
    before = disk.committed
    with booted(tmp_path, disk, BY_HAND)[0] as agent:
        agent.until(lambda: "" in disk.committed.trust)
    for kept in (before, replace(before, floor=UtcMs(0), kept=None)):
        disk.committed = kept
        assert booted(tmp_path, disk, BY_HAND)[0].clock.now().utc < makers.NOON


def test_the_second_start_beside_it_is_one_like_any_other(tmp_path: Path, disk: FakeDisk) -> None:
    with booted(tmp_path, disk, BY_HAND)[0] as agent:
        agent.until(lambda: "" in disk.committed.trust)
    disk.committed = replace(disk.committed, floor=UtcMs(makers.NOON))
    again, journal = booted(tmp_path, disk, BY_HAND)
    assert again.clock.now().utc >= makers.NOON
    with again:
        again.until(lambda: again.broker.said("state") != [])
    assert journal.asked == []


def test_a_root_that_takes_a_key_of_welcomes_away_leaves_nothing_of_what_it_told_when_hands_bring_it(
    tmp_path: Path, disk: FakeDisk
) -> None:
    agent, journal = booted(tmp_path, disk, write_file([ROOT_1, NEXT_ROOT, PROVINCE_1, WARD_1]))
    now = agent.clock.now()
    assert (now.source, now.utc < makers.NOON) == (ClockSource.FLOOR, True)
    with agent:
        agent.until(lambda: disk.committed.trust.get("", ("", b""))[1] == NEXT_ROOT)
    assert (disk.committed.floor, disk.committed.kept) == (0, None)
    assert journal.asked[:2] == [("floor", (0, None)), ("trust", "")]


def test_the_next_start_beside_that_root_keeps_what_the_new_server_has_told(tmp_path: Path, disk: FakeDisk) -> None:
    file = write_file([ROOT_1, NEXT_ROOT, PROVINCE_1, WARD_1])
    with booted(tmp_path, disk, file)[0] as agent:
        agent.until(lambda: disk.committed.trust.get("", ("", b""))[1] == NEXT_ROOT)
    disk.committed = replace(disk.committed, floor=UtcMs(makers.NOON))
    assert booted(tmp_path, disk, file)[0].clock.now().utc >= makers.NOON


def test_a_file_that_is_put_back_is_another_one_though_a_wards_document_lies_there_from_before(
    tmp_path: Path, disk: FakeDisk
) -> None:
    with booted(tmp_path, disk, BY_HAND)[0] as agent:
        agent.until(lambda: "" in disk.committed.trust)
    assert disk.committed.trust[AREA][0] == begin(ROOT_1).newest[ROOT].digest
    disk.committed = replace(disk.committed, floor=AHEAD)
    assert booted(tmp_path, disk, STOLEN)[0].clock.now().utc < makers.NOON


def test_a_card_without_any_document_says_nothing_of_another_file(tmp_path: Path, disk: FakeDisk) -> None:
    disk.committed = replace(disk.committed, trust={})
    assert booted(tmp_path, disk, STOLEN)[0].clock.now().utc >= AHEAD
