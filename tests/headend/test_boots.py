"""Which boot a state, a will or a hello is of: what is shown again changes nothing, and two boxes are told of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.desk import CloneSuspected, Desk, LateWill, OldState, Presence
from edge_agent.headend.keyring import Keyring
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync.reports import StateMsg, Why
from tests.headend.fake_station import NOW, STATE, FakeStation


def test_a_will_tells_the_death_of_its_own_boot_only(desk: Desk, station: FakeStation) -> None:
    lost = replace(STATE, online=False, why=Why.CONNECTION_LOST)
    later = FakeStation(station.key, boot_id="boot-2")
    desk.take(*station.state(), NOW)
    desk.take(*later.state(), NOW)
    assert desk.take(*station.state(lost), NOW) == ([LateWill(StationId("tram-01"), "boot-1")], [])
    assert desk.presence["tram-01"] == Presence(True, Why.BIRTH, "boot-2")
    desk.take(*later.state(lost), NOW)
    assert desk.presence["tram-01"] == Presence(False, Why.CONNECTION_LOST, "boot-2")


def test_a_will_between_the_next_hello_and_its_state_is_of_the_boot_before(desk: Desk, station: FakeStation) -> None:
    lost = replace(STATE, online=False, why=Why.CONNECTION_LOST)
    desk.take(*station.state(), NOW)
    desk.take(*FakeStation(station.key, boot_id="boot-2").hello(), NOW)
    assert desk.take(*station.state(lost), NOW) == ([LateWill(StationId("tram-01"), "boot-1")], [])
    assert desk.presence["tram-01"].online


def made(after_s: int, why: Why, *, online: bool) -> StateMsg:
    clock = replace(STATE.clock, utc=UtcMs(STATE.clock.utc + after_s * 1_000))
    return replace(STATE, why=why, online=online, clock=clock)


def test_a_will_of_an_earlier_connection_of_the_same_boot_is_not_believed(desk: Desk, station: FakeStation) -> None:
    will = station.state(made(0, Why.CONNECTION_LOST, online=False))
    desk.take(*station.state(made(61, Why.BIRTH, online=True)), NOW)
    assert desk.take(*will, NOW) == ([LateWill(StationId("tram-01"), "boot-1")], [])
    assert desk.presence["tram-01"].online


def test_a_will_is_believed_however_long_its_own_connection_has_lasted(desk: Desk, station: FakeStation) -> None:
    will = station.state(made(0, Why.CONNECTION_LOST, online=False))
    desk.take(*station.state(made(60, Why.BIRTH, online=True)), NOW)  # as long as connecting may take
    desk.take(*station.state(made(9_000, Why.CHANGE, online=True)), NOW)
    desk.take(*will, NOW)
    assert desk.presence["tram-01"] == Presence(False, Why.CONNECTION_LOST, "boot-1")


def test_a_state_of_a_boot_that_another_has_followed_is_an_old_one_shown_again(
    desk: Desk, station: FakeStation
) -> None:
    later = FakeStation(station.key, boot_id="boot-2")
    goodbye = replace(STATE, online=False, why=Why.GOODBYE)
    for state in (station.state(), later.state()):
        desk.take(*state, NOW)
    for old in (station.state(), station.state(goodbye)):
        assert desk.take(*old, NOW) == ([OldState(StationId("tram-01"), "boot-1")], [])
    assert desk.presence["tram-01"] == Presence(True, Why.BIRTH, "boot-2")
    desk.take(*station.hello(), NOW)  # shown again too: it does not bring the boot back
    desk.take(*later.state(replace(STATE, online=False, why=Why.CONNECTION_LOST)), NOW)
    assert desk.presence["tram-01"] == Presence(False, Why.CONNECTION_LOST, "boot-2")


def test_a_proper_goodbye_is_no_lost_connection(desk: Desk, station: FakeStation) -> None:
    desk.take(*station.state(), NOW)
    desk.take(*station.state(replace(STATE, online=False, why=Why.GOODBYE)), NOW)
    assert desk.presence["tram-01"] == Presence(False, Why.GOODBYE, "boot-1")


def test_a_cloned_card_is_told_by_boots_that_alternate(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    clone = FakeStation(FileKey(keyring.folder("tram-01").sign).open(), "tram-01", "boot-2")
    suspected = []
    for one in (station, clone, station, clone):
        noted, _ = desk.take(*one.hello(), NOW)
        suspected += [said for said in noted if isinstance(said, CloneSuspected)]
        desk.take(*one.state(), NOW)
    assert [one.boot_id for one in suspected] == ["boot-1"], "the other one is the newest, as far as anybody knows"


def test_a_clone_that_comes_back_when_the_other_has_started_several_times_is_told(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    key = FileKey(keyring.folder("tram-01").sign).open()
    for boot in ("boot-1", "boot-2", "boot-3"):
        desk.take(*FakeStation(key, boot_id=boot).state(), NOW)
    noted, _ = desk.take(*station.hello(), NOW)
    assert CloneSuspected(StationId("tram-01"), "boot-1") in noted


def test_a_restart_is_no_clone(desk: Desk, keyring: Keyring) -> None:
    for boot in ("boot-1", "boot-2", "boot-3"):
        one = FakeStation(FileKey(keyring.folder("tram-01").sign).open(), "tram-01", boot)
        noted, _ = desk.take(*one.hello(), NOW)
        assert not any(isinstance(said, CloneSuspected) for said in noted)
        desk.take(*one.state(), NOW)
