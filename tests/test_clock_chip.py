"""The clock chip as the kernel shows it: there or not, with a time or with its battery flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.clock_chip import Chip, read_chip


def fit(chips: Path, name: str, told: str) -> None:
    (chips / name).mkdir(parents=True)
    (chips / name / "since_epoch").write_text(told)


def test_no_chip_and_a_kernel_without_any_are_the_same(tmp_path: Path) -> None:
    assert read_chip(tmp_path) is None
    assert read_chip(tmp_path / "absent") is None


def test_the_first_chip_is_the_one_that_the_kernel_sets_its_clock_by(tmp_path: Path) -> None:
    fit(tmp_path, "rtc1", "0\n")
    fit(tmp_path, "rtc0", "1790830800\n")
    assert read_chip(tmp_path) == Chip("rtc0", 1_790_830_800_000)


@pytest.mark.parametrize("told", ["", "\n", "soon\n", "1790830800.5\n"])
def test_what_is_no_time_is_none(tmp_path: Path, told: str) -> None:
    fit(tmp_path, "rtc0", told)
    chip = read_chip(tmp_path)
    assert chip is not None
    assert chip.utc_ms is None
    assert chip.trouble


def test_a_chip_whose_battery_was_flat_tells_none_and_the_kernel_s_words(tmp_path: Path) -> None:
    (tmp_path / "rtc0").mkdir()
    # The kernel refuses to tell (EINVAL); here another file that it refuses to read.
    (tmp_path / "rtc0" / "since_epoch").symlink_to("/proc/self/mem")
    assert read_chip(tmp_path) == Chip("rtc0", None, "Input/output error")
