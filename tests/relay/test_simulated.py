"""Relays as files: what they show, and that they survive the process as a driven line does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.core.units import ZoneId
from edge_agent.relay.port import RelayError
from edge_agent.relay.simulated import SimulatedRelays, relays_off

A, B = ZoneId("a"), ZoneId("b")


def edges(directory: Path) -> list[tuple[str, bool, str]]:
    path = directory / "edges.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(edge["zone"], edge["on"], edge["cause"]) for edge in map(json.loads, lines)]


def test_a_relays_state_is_one_character_in_a_file_of_its_zones_name(tmp_path: Path) -> None:
    relays = SimulatedRelays(tmp_path / "relays", [A, B])
    relays.switch(A, True)
    assert {path.name: path.read_text() for path in (tmp_path / "relays").iterdir() if path.suffix == ""} == {
        "a": "1",
        "b": "0",
    }


def test_the_file_is_written_in_place_so_that_a_watcher_never_misses_it(tmp_path: Path) -> None:
    relays = SimulatedRelays(tmp_path, [A])
    inode = (tmp_path / "a").stat().st_ino
    relays.switch(A, True)
    assert (tmp_path / "a").stat().st_ino == inode


def test_every_change_is_an_edge_and_a_repeated_order_is_none(tmp_path: Path) -> None:
    relays = SimulatedRelays(tmp_path, [A, B])
    for on in (False, True, True, False):
        relays.switch(A, on)
    relays.switch(B, True)
    relays.close()
    assert edges(tmp_path) == [
        ("a", True, "switch"),
        ("a", False, "switch"),
        ("b", True, "switch"),
        ("b", False, "close"),
    ]


def test_an_edge_tells_both_times(tmp_path: Path) -> None:
    SimulatedRelays(tmp_path, [A]).switch(A, True)
    (edge,) = map(json.loads, (tmp_path / "edges.jsonl").read_text().splitlines())
    assert set(edge) == {"mono_ms", "utc_ms", "zone", "on", "cause"}
    assert edge["utc_ms"] > edge["mono_ms"] > 0


def test_the_hook_opens_what_a_dead_process_left_closed(tmp_path: Path) -> None:
    SimulatedRelays(tmp_path, [A, B]).switch(B, True)
    assert relays_off(tmp_path) == (B,)
    assert (tmp_path / "b").read_text() == "0"
    assert edges(tmp_path)[-1] == ("b", False, "hook")
    assert relays_off(tmp_path) == ()


def test_the_hook_has_nothing_to_do_before_the_first_start(tmp_path: Path) -> None:
    assert relays_off(tmp_path / "never") == ()


def test_a_relay_found_closed_opens_with_the_claim(tmp_path: Path) -> None:
    SimulatedRelays(tmp_path, [A]).switch(A, True)
    SimulatedRelays(tmp_path, [A])
    assert edges(tmp_path)[-1] == ("a", False, "claim")


@pytest.mark.parametrize("zone", ["", "..", "edges.jsonl", "x/y", "/etc/passwd", "ổ"])
def test_a_zone_that_names_no_plain_file_is_refused(tmp_path: Path, zone: str) -> None:
    with pytest.raises(RelayError):
        SimulatedRelays(tmp_path, [ZoneId(zone)])
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RelayError, match=r"file/relays.*make the directory"):
        SimulatedRelays(tmp_path / "file" / "relays", [A])


def test_a_zones_file_that_cannot_be_written_or_read_is_a_relay_error(tmp_path: Path) -> None:
    relays = SimulatedRelays(tmp_path, [A])
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    with pytest.raises(RelayError, match="make the directory"):
        relays.switch(A, True)
    with pytest.raises(RelayError):
        relays.read_back(A)
