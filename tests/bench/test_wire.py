from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import sdcard, wire

STAT = "   12    3   1000   40   55   66   800   90   0   60   130   0 0 0 0 0 0\n"
# Documentation/block/stat.rst: the seventh field counts sectors written.
UDP_AND_IP_BYTES = 28

needs_root = pytest.mark.skipif(bool(wire.missing()), reason=wire.missing() or "nothing")


def test_ethernet_heads_are_not_billed() -> None:
    assert wire.ip_bytes(1_000, 10) == 860


def test_traffic_between_two_looks_is_a_difference_in_each_direction() -> None:
    used = wire.Traffic(100, 20, 3, 2) - wire.Traffic(40, 15, 1, 1)
    assert used == wire.Traffic(60, 5, 2, 1)
    assert used.both == 65


def test_written_blocks_are_sectors_of_512_bytes() -> None:
    assert sdcard.parse_written(STAT) == 800 * 512


@pytest.mark.host
@needs_root
def test_a_datagram_from_the_station_is_counted_to_the_byte_and_nothing_else_is() -> None:
    with wire.laid_out() as net:
        before = net.traffic()
        say = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(bytes(100), ('{net.address}', 9))"
        subprocess.run([*net.enter, sys.executable, "-c", say], check=True)
        used = net.traffic() - before
    assert (used.up, used.packets_up) == (100 + UDP_AND_IP_BYTES, 1)
    assert used.packets_down <= 1, "the answer that nobody listens there"
    assert net.card not in {path.name for path in Path("/sys/class/net").iterdir()}


@pytest.mark.host
@needs_root
def test_what_is_written_to_the_card_is_counted_with_its_file_systems_own_blocks(tmp_path: Path) -> None:
    with sdcard.mounted(tmp_path) as card:
        if card is None:
            pytest.skip("no loop devices here")
        before = card.written()
        assert card.written() == before, "counting writes nothing"
        (card.folder / "file").write_bytes(bytes(1_000_000))
        assert 1_000_000 <= card.written() - before < 1_500_000
    assert not (tmp_path / "card" / "file").exists()
