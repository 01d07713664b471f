"""Doctor tells every fault at once, each on a line in both languages, and calls nothing a fault that is well."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from demo.ward import Ward
from edge_agent.cli import check_files, check_parts, check_talk, doctor, main
from tests.audio.making import needs_decoder, needs_voice
from tests.cli.findings import NOBODY, assert_fault, assert_well, is_root, needs_broker
from tests.cli.stations import StationRig, make_station
from tests.console.pictures import picture
from tests.host.parts import ABSENT
from tests.host.pulse import missing

ESCAPES = "\x1b\x9b\x7f\u202e\ud800"
# What a terminal obeys, what turns its writing round, and half a letter, which nothing can print.


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    """A station whose files no test changes."""
    return make_station(tmp_path_factory.mktemp("station"))


def test_a_finding_is_one_line_in_vietnamese_and_english(shared: StationRig) -> None:
    finding = check_talk.device(False)
    assert finding.line().startswith(
        "LỖI/FAULT phần âm thanh và rơ-le / device process: KHÔNG CHẠY / is not running → xem: "
    )
    assert check_talk.device(True).line() == "tốt/ok    phần âm thanh và rơ-le / device process: is running"


def test_every_fault_of_an_empty_box_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station = make_station(tmp_path)
    shutil.rmtree(station.given.directory)
    assert doctor.run(station.config, station.file) == 1
    *lines, closing_line = capsys.readouterr().out.splitlines()
    faults = [line for line in lines if line.startswith("LỖI/FAULT")]
    assert closing_line.startswith(f"{len(faults)} lỗi")
    assert len(faults) >= 7
    assert all(line.startswith(("LỖI/FAULT", "tốt/ok")) for line in lines)
    assert all(" → " in line for line in faults)


@is_root
def test_a_configuration_that_the_service_cannot_read_is_not_called_well() -> None:
    """Root wrote it, root reads it: the next start would be the first to notice."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        station = make_station(Path(folder))
        station.file.chmod(0o600)
        assert_fault(doctor.configuration(station.config, station.file, NOBODY), "cannot read it", "chmod a+r")
        station.file.chmod(0o644)
        assert_well(doctor.configuration(station.config, station.file, NOBODY))


@is_root
def test_without_sudo_doctor_ends_and_sends_nobody_to_enrol_the_station_anew(shared: StationRig) -> None:
    """The console's own words sent a technician to it; what he may not look into ended it with a traceback."""
    program = (  # what it imports may be closed to other users too, so it becomes one afterwards
        "import os, sys, pathlib; from edge_agent.audio import alsa, capture; from edge_agent.cli import doctor;"
        "from edge_agent.config import load; file = pathlib.Path(sys.argv[1]); config = load(file);"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(doctor.run(config, file))"
    )
    command = [sys.executable, "-c", program, str(shared.file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stdout.splitlines()
    assert "".join(told[-1:]).endswith("the remedy stands behind →"), done.stderr
    for what in (check_files.TRUST, check_files.SIGNING_KEY, check_files.TLS_KEY, check_files.CERTIFICATE):
        (line,) = [line for line in told if line.startswith(f"LỖI/FAULT {what.vi} / ")]
        assert line.endswith("Permission denied → chạy doctor bằng sudo / run doctor with sudo")


@pytest.mark.parametrize(("walls", "looked"), [("unit", True), ("bwrap", False)])
def test_limits_of_memory_are_looked_at_where_units_have_them(walls: str, looked: bool, tmp_path: Path) -> None:
    station = make_station(tmp_path, more=f'[decoder]\nsandbox = "{walls}"\n')
    assert (check_parts.MEMORY in [finding.what for finding in doctor.findings(station.config, station.file)]) == looked


def test_without_diacritics_doctor_prints_plain_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station = make_station(tmp_path, more='[console]\nlanguage = "vi-ascii"\n')
    doctor.run(station.config, station.file)
    assert capsys.readouterr().out.isascii()


@pytest.mark.parametrize("language", ["vi", "vi-ascii"])
def test_what_an_agent_that_was_taken_over_says_of_itself_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    station = make_station(tmp_path, more=f'[console]\nlanguage = "{language}"\n')
    station.show(json.dumps({**json.loads(picture()), "software": ESCAPES}).encode())
    doctor.run(station.config, station.file)
    heard = capsys.readouterr().out
    assert "is running" in heard
    assert not any(char in heard for char in ESCAPES)


def test_ctrl_c_while_doctor_looks_is_a_short_word(
    shared: StationRig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "findings", stop)
    assert main(["doctor", "--config", str(shared.file)]) == 130
    assert capsys.readouterr().err == "\nđã dừng / stopped\n"


@pytest.mark.host
@pytest.mark.live
@needs_broker
@needs_decoder
@needs_voice
@pytest.mark.skipif(missing() != "", reason=ABSENT + missing())
def test_a_station_that_runs_is_well_from_top_to_bottom(tmp_path: Path) -> None:
    with Ward(tmp_path) as ward:
        ward.switch_on()
        printed = ""
        for _ in range(60):
            printed = ward.command("doctor")
            if "LỖI" not in printed:
                break
        assert printed.splitlines()[-1] == "Không có lỗi / no fault.", printed
        assert "SIMULATED" in printed
        assert "not opened, as the device process may need it" in printed
        assert "turned away" not in (tmp_path / "io.log").read_text(), "doctor must not knock at the device process"
