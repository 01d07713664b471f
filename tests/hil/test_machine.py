"""A machine of the bench has a core of this one to itself, where there is one left."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests import machine


@pytest.fixture(autouse=True)
def two_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CORES", str(tmp_path / "core"))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {4, 7})


def test_each_machine_takes_a_core_that_no_other_has_and_gives_it_back() -> None:
    with machine._core() as one:
        assert one == ("taskset", "--cpu-list", "4")
        with machine._core() as other, machine._core() as third:
            assert other == ("taskset", "--cpu-list", "7")
            assert third == (), "none is left: it runs wherever there is time"
    with machine._core() as again:
        assert again == one


def test_what_fails_while_a_machine_runs_is_not_taken_for_a_core_that_is_not_free() -> None:
    with pytest.raises(BlockingIOError), machine._core():
        raise BlockingIOError
