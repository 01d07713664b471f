"""What the kernel says of its clock, asked and told: an old report, or of a clock since stepped, is not believed."""

from __future__ import annotations

import ctypes
import stat
import subprocess
from pathlib import Path

import pytest

from edge_agent import ntp
from edge_agent.ntp import NOT_SYNCHRONISED, REPORT_AGE_MS_MAX, Instant, KernelSync, asked_or_told, report, told
from tests.in_the_way import IN_THE_WAY, Lay

THEN = Instant(boot_ms=20_000, utc_ms=1_790_830_800_000)
GOOD = KernelSync(synchronised=True, max_error_ms=20)


def later(ms: int, stepped_ms: int = 0) -> Instant:
    return Instant(THEN.boot_ms + ms, THEN.utc_ms + ms + stepped_ms)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report"
    path.write_text(report(GOOD, THEN))
    return path


def test_a_fresh_report_is_believed_and_its_error_grows(file: Path) -> None:
    assert told(file, THEN) == KernelSync(True, 22)
    assert told(file, later(60_000)) == KernelSync(True, 52)


def test_an_unsynchronised_clock_is_told_as_one(file: Path) -> None:
    file.write_text(report(KernelSync(False, 16_000), THEN))
    assert not told(file, THEN).synchronised


def test_an_old_report_is_not_believed(file: Path) -> None:
    assert told(file, later(REPORT_AGE_MS_MAX)).synchronised
    assert told(file, later(REPORT_AGE_MS_MAX + 1)) == NOT_SYNCHRONISED


def test_a_report_of_another_boot_is_not_believed(file: Path) -> None:
    assert told(file, later(-1)) == NOT_SYNCHRONISED


@pytest.mark.parametrize("step_ms", [-3_600_000, -40, 40, 3_600_000])
def test_a_clock_that_was_stepped_since_is_not_believed(file: Path, step_ms: int) -> None:
    assert told(file, later(60_000, step_ms)) == NOT_SYNCHRONISED


def test_a_clock_that_is_being_slewed_is_believed(file: Path) -> None:
    assert told(file, later(60_000, 30)).synchronised
    assert told(file, later(60_000, -30)).synchronised


@pytest.mark.parametrize("lay", IN_THE_WAY)
def test_what_lies_in_the_reports_place_keeps_no_station_waiting(file: Path, lay: Lay) -> None:
    """The agent asks between two steps, and whoever lays it is another user."""
    with lay(file):
        assert told(file, THEN) == NOT_SYNCHRONISED


def test_a_report_of_an_error_below_none_makes_no_clock_better_than_exact(file: Path) -> None:
    """Its error would never have grown too large: a timetable by it for ever."""
    file.write_text(report(KernelSync(True, 0), THEN))
    assert told(file, THEN).synchronised
    file.write_text(report(KernelSync(True, -1), THEN))
    assert told(file, THEN) == NOT_SYNCHRONISED


@pytest.mark.parametrize("content", [None, b"", b"1 2 3", b"a b c d", b"1 2 3 4 5", b"\xff"])
def test_a_report_that_cannot_be_read_is_no_synchronisation(file: Path, content: bytes | None) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert told(file, THEN) == NOT_SYNCHRONISED


def test_where_the_kernel_may_not_be_asked_the_report_is_read(file: Path) -> None:
    file.write_text(report(GOOD, ntp.instant()))
    assert asked_or_told(None, file).synchronised


def test_where_the_kernel_may_be_asked_no_report_is_read(file: Path) -> None:
    file.write_text(report(GOOD, ntp.instant()))
    assert asked_or_told(KernelSync(False, 7), file) == KernelSync(False, 7)


def test_the_report_is_what_the_kernel_says_and_replaces_the_last_one(file: Path) -> None:
    asked = ntp.ask()
    assert asked is not None
    assert ntp.leave(asked, file) == 0
    assert told(file, ntp.instant()).synchronised == asked.synchronised
    assert [path.name for path in file.parent.iterdir()] == ["report"]
    assert stat.S_ISREG(file.stat().st_mode)


def test_who_may_not_ask_reports_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_bytes()
    assert ntp.leave(None, file) == 1
    assert file.read_bytes() == before
    assert "may not be read" in capsys.readouterr().err


def test_what_the_kernel_says_of_its_clock_is_plausible() -> None:
    sync = ntp.kernel_sync()
    assert isinstance(sync.synchronised, bool)
    # It counts up to 16 s (NTP_PHASE_LIMIT) and stays there while nobody disciplines it; then it is never called good.
    assert 0 <= sync.max_error_ms <= 16_000
    assert not (sync.synchronised and sync.max_error_ms == 16_000)


def test_the_kernel_s_answer_has_room(tmp_path: Path) -> None:
    """adjtimex writes a whole ``struct timex``, as long as the system's own headers say."""
    source = tmp_path / "size.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <sys/timex.h>\n"
        'int main(void) { printf("%zu %zu %zu", sizeof(struct timex), offsetof(struct timex, maxerror),'
        " offsetof(struct timex, status)); return 0; }\n"
    )
    subprocess.run(["cc", "-o", tmp_path / "size", source], check=True)
    told = subprocess.run([tmp_path / "size"], check=True, capture_output=True, text=True).stdout
    size, maxerror, status = (int(number) for number in told.split())
    assert ctypes.sizeof(ntp._Timex) >= size
    assert (ntp._Timex.maxerror.offset, ntp._Timex.status.offset) == (maxerror, status)
