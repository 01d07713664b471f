"""A machine of the bench has a core of this one to itself, where there is one left."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.machine import core_of_its_own

CORES = (4, 7)


def test_each_machine_takes_a_core_that_no_other_has_and_gives_it_back(tmp_path: Path) -> None:
    with core_of_its_own(CORES, tmp_path) as one:
        assert one == ("taskset", "--cpu-list", "4")
        with core_of_its_own(CORES, tmp_path) as other, core_of_its_own(CORES, tmp_path) as third:
            assert other == ("taskset", "--cpu-list", "7")
            assert third == (), "none is left: it runs wherever there is time"
    with core_of_its_own(CORES, tmp_path) as again:
        assert again == one


def test_what_fails_while_a_machine_runs_is_not_taken_for_a_core_that_is_not_free(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), core_of_its_own(CORES, tmp_path):
        raise BlockingIOError
