"""Serial numbers: none is given out twice, whoever asks, and none goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.serials import SERIALS_BEGAN, Serials

WARD = "dong-thanh"


def test_a_serial_is_never_given_out_twice_whoever_asks(tmp_path: Path) -> None:
    given: list[int] = []

    def ask() -> None:
        other = Serials(tmp_path)
        given.extend(other.next(WARD, SERIALS_BEGAN) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 81))
    assert Serials(tmp_path).last() == {WARD: 80}


def test_a_folder_that_knows_nothing_of_what_was_given_out_elsewhere_goes_by_the_clock(tmp_path: Path) -> None:
    an_hour = UtcMs(SERIALS_BEGAN + 3_600_000)
    assert Serials(tmp_path).next(WARD, an_hour) == 3_600
    assert Serials(tmp_path).next(WARD, an_hour) == 3_601
    assert Serials(tmp_path).next(WARD, SERIALS_BEGAN) == 3_602, "a clock that was set back takes no number back"


def test_what_was_given_out_elsewhere_is_noted_upwards_alone_and_of_its_issuer(tmp_path: Path) -> None:
    serials = Serials(tmp_path)
    serials.note(WARD, 7)
    serials.note(WARD, 5)
    serials.note("ha-noi", 3)
    assert serials.last() == {WARD: 7, "ha-noi": 3}
    assert serials.next(WARD, SERIALS_BEGAN) == 8


def test_a_torn_serial_file_stops_signing_instead_of_beginning_again_at_one(tmp_path: Path) -> None:
    Serials(tmp_path).next(WARD, SERIALS_BEGAN)
    (tmp_path / "serials.json").write_text("{")
    with pytest.raises(KeyringError, match="never go back"):
        Serials(tmp_path).next(WARD, SERIALS_BEGAN)


def test_what_can_wait_is_given_no_number_that_the_disk_has_not_taken(tmp_path: Path) -> None:
    serials = Serials(tmp_path)
    (tmp_path / "serials.lock").mkdir()
    with pytest.raises(IsADirectoryError):
        serials.next(WARD, SERIALS_BEGAN)
    assert serials.next(WARD, SERIALS_BEGAN, at_once=True) == 1
    assert serials.last() == {}


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{"), lambda path: path.mkdir()])
def test_a_stop_waits_for_no_file_that_nobody_can_read(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """By the clock it has a number that nobody else had, and stations stop whatever its number."""
    spoil(tmp_path / "serials.json")
    an_hour = UtcMs(SERIALS_BEGAN + 3_600_000)
    with pytest.raises(KeyringError):
        Serials(tmp_path).next(WARD, an_hour)
    assert Serials(tmp_path).next(WARD, an_hour, at_once=True) == 3_600
