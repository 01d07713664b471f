"""The proof beside the records: there before the acknowledgement, as small as it can be, and never going back."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.units import StationId, UtcMs
from edge_agent.durable import PART
from edge_agent.headend.desk import Desk, Kept, LogTrouble
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import LogBatch
from edge_agent.headend.logbook import CHAINS_MAX, Logbook
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.proof import Held, Whose, believe, canonical_form
from edge_agent.headend.roles import default_roles
from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import new_signer
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import keys_for
from edge_agent.trust.strict_json import WireError, parse
from tests.headend.fake_station import AREA, RECORD, FakeStation

NOW = UtcMs(1_791_239_999_000)
SMALL = replace(RECORD, items=(), zones=())


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = create_keyring(tmp_path, "demo", default_roles(AREA, 1), NOW)
    keyring.enrol("tram-01", AREA)
    return keyring


@pytest.fixture
def station(keyring: Keyring) -> FakeStation:
    return FakeStation(FileKey(keyring.folder("tram-01").sign).open())


@pytest.fixture
def path(keyring: Keyring) -> Path:
    return keyring.directory / "records" / "tram-01.proof"


def desk_of(keyring: Keyring) -> Desk:
    return Desk(keyring, Logbook(keyring.directory / "records"))


def words(keyring: Keyring, path: Path) -> tuple[list[LogBatch], Held]:
    whose = Whose("demo", keyring.stations[StationId("tram-01")], keys_for(keyring.trust, OrderType.ACK))
    *batches, held = [believe(line, whose) for line in path.read_bytes().splitlines()]
    assert isinstance(held, Held)
    return [one for one in batches if isinstance(one, LogBatch)], held


def heads(held: Held) -> list[tuple[str, int, int]]:
    return [(chain.epoch, chain.before.seq, chain.head.seq) for chain in held.chains]


def test_the_newest_batch_and_our_word_are_kept_and_the_file_does_not_grow(
    keyring: Keyring, station: FakeStation, path: Path
) -> None:
    desk, sizes = desk_of(keyring), []
    for seq in range(1, 6):
        station.play(SMALL)
        desk.take(*station.log(seq), NOW)
        batches, held = words(keyring, path)
        assert [one.records[-1].seq for one in batches] == [seq]
        assert heads(held) == [("epoch-1", 0, seq)]
        sizes.append(len(path.read_bytes()))
    assert max(sizes) - min(sizes) < 20


def test_a_proof_that_the_disk_refuses_is_told_and_nothing_is_acknowledged(
    keyring: Keyring, station: FakeStation, path: Path
) -> None:
    desk = desk_of(keyring)
    path.with_name(f".{path.name}.{os.getpid()}{PART}").mkdir(parents=True)  # nothing can be begun there
    station.play(SMALL)
    ((trouble,), replies) = desk.take(*station.log(), NOW)
    assert isinstance(trouble, LogTrouble)
    assert "tram-01.proof: Is a directory" in trouble.detail
    assert replies == []


def test_each_chain_has_a_batch_of_its_own(keyring: Keyring, station: FakeStation, path: Path) -> None:
    desk = desk_of(keyring)
    for epoch in ("b", "a"):
        station.new_chain(epoch)
        station.play(SMALL, SMALL)
        desk.take(*station.log(), NOW)
    batches, held = words(keyring, path)
    assert [one.epoch for one in batches] == ["a", "b"]
    assert heads(held) == [("b", 0, 2), ("a", 0, 2)]  # as they came


def test_nothing_is_acknowledged_that_cannot_be_proven(keyring: Keyring, station: FakeStation, path: Path) -> None:
    desk = desk_of(keyring)
    path.mkdir()  # nothing can be written there
    station.play(SMALL)
    ((trouble,), replies) = desk.take(*station.log(), NOW)
    assert isinstance(trouble, LogTrouble)
    assert "tram-01.proof: Is a directory; nothing was acknowledged" in trouble.detail
    assert replies == []


def test_records_that_a_power_cut_left_unproven_are_proven_when_they_come_again(
    keyring: Keyring, station: FakeStation, path: Path
) -> None:
    station.play(SMALL, SMALL)
    Logbook(path.parent).of("tram-01").add(LogBatch("epoch-1", tuple(station.records)))
    noted, (_,) = desk_of(keyring).take(*station.log(), NOW)
    assert noted == [Kept(StationId("tram-01"), "epoch-1", ())]
    assert heads(words(keyring, path)[1]) == [("epoch-1", 0, 2)]


def test_a_batch_that_comes_again_writes_nothing(keyring: Keyring, station: FakeStation, path: Path) -> None:
    desk = desk_of(keyring)
    station.play(SMALL, SMALL)
    desk.take(*station.log(), NOW)
    before = path.stat()
    desk.take(*station.log(1, 1), UtcMs(NOW + 1))
    desk.take(*station.log(), UtcMs(NOW + 1))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_records_from_a_backup_do_not_take_our_word_back(keyring: Keyring, station: FakeStation, path: Path) -> None:
    station.play(*[SMALL] * 4)
    desk_of(keyring).take(*station.log(1, 3), NOW)
    records = path.with_suffix(".jsonl")
    proof = path.read_bytes()
    records.write_bytes(records.read_bytes().splitlines(keepends=True)[0])
    desk = desk_of(keyring)
    desk.take(*station.log(2, 2), NOW)
    assert path.read_bytes() == proof
    desk.take(*station.log(3, 4), NOW)  # all that was lost has come again, and more
    assert heads(words(keyring, path)[1]) == [("epoch-1", 0, 4)]


@pytest.mark.parametrize("lie", ["the file cut", "the file swapped"])
def test_another_history_behind_a_card_and_a_log_that_were_put_back_takes_the_place_of_no_proof(
    keyring: Keyring, station: FakeStation, path: Path, lie: str
) -> None:
    """Cut to the third record, with the card of that time: the next three would have been kept, and two plays gone."""
    station.play(*[SMALL] * 5)
    desk_of(keyring).take(*station.log(), NOW)
    records, proof = path.with_suffix(".jsonl"), path.read_bytes()
    lines = records.read_bytes().splitlines(keepends=True)
    station.records[3:] = []
    station.play(*(replace(SMALL, job_id=f"other-{number}") for number in range(3)))
    records.write_bytes(b"".join(lines[:3]))
    if lie == "the file swapped":  # by one that another server has written
        Logbook(path.parent).of("tram-01").add(LogBatch("epoch-1", tuple(station.records[3:5])))
    desk = desk_of(keyring)
    for first in (6, 4) if lie == "the file swapped" else (4,):
        ((trouble,), replies) = desk.take(*station.log(first, 6), NOW)
        assert isinstance(trouble, LogTrouble)
        assert "record 5 of the chain epoch-1 was signed for with another hash; nothing was" in trouble.detail
        assert replies == []
    assert path.read_bytes() == proof
    records.write_bytes(b"".join(lines))
    ((trouble,), _) = desk.take(*station.log(4, 6), NOW)
    assert trouble == LogTrouble(StationId("tram-01"), "rewritten: record 4 is held with another hash"), "as ever"
    station.records[3:] = []
    station.new_chain("epoch-2")
    station.play(SMALL)
    assert desk.take(*station.log(), NOW)[1], "by the welcome it goes on in another chain"


def test_a_damaged_proof_is_told_and_nothing_is_acknowledged(
    keyring: Keyring, station: FakeStation, path: Path
) -> None:
    desk_of(keyring)
    path.write_bytes(b"nothing\n")
    station.play(SMALL)
    noted, replies = desk_of(keyring).take(*station.log(), NOW)
    assert isinstance(noted[0], LogTrouble)
    assert "tram-01.proof:1: " in noted[0].detail
    assert replies == []


def test_a_line_that_belongs_into_no_proof_is_damage(keyring: Keyring, station: FakeStation, path: Path) -> None:
    station.play(SMALL)
    path.parent.mkdir()
    path.write_bytes(station.hello(1)[1] + b"\n")
    noted, _ = desk_of(keyring).take(*station.log(), NOW)
    assert isinstance(noted[0], LogTrouble)
    assert "log or held" in noted[0].detail


def test_one_station_begins_so_many_chains_and_not_more(keyring: Keyring, station: FakeStation, path: Path) -> None:
    desk = desk_of(keyring)
    for number in range(CHAINS_MAX):
        station.new_chain(f"{number:064}")
        station.play(SMALL)
        assert desk.take(*station.log(), NOW)[1]
    assert len(words(keyring, path)[1].chains) == CHAINS_MAX
    station.play(SMALL)
    assert desk.take(*station.log(2), NOW)[1]  # a chain that is held goes on
    station.new_chain("one-more")
    station.play(SMALL)
    noted, replies = desk.take(*station.log(), NOW)
    detail = f"chains: {CHAINS_MAX} chains are held: look at the station's card"
    assert (noted, replies) == ([LogTrouble(StationId("tram-01"), detail)], [])


def test_of_several_signatures_the_stations_own_is_kept(station: FakeStation) -> None:
    own, other = new_signer(), new_signer()
    envelope = sign(payload_type("log"), b"{}", [other, own])
    kept = parse(canonical_form(envelope, [own.public]))
    assert kept == {**parse(envelope), "signatures": [parse(sign(payload_type("log"), b"{}", [own]))["signatures"][0]]}
    with pytest.raises(WireError, match="none of the keys"):
        canonical_form(envelope, [new_signer().public])


def test_what_is_no_envelope_says_nothing(keyring: Keyring) -> None:
    whose = Whose("demo", keyring.stations[StationId("tram-01")], frozenset())
    with pytest.raises(WireError, match="envelope"):
        believe(b"{}", whose)
