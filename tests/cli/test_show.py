"""``status`` and ``next`` show what the agent wrote, and say so when there is nothing fresh to show."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.ward import Ward
from edge_agent.cli import show
from edge_agent.cli.knock import device_up
from edge_agent.cli.show import STALE_S, read_picture
from edge_agent.console.status import STATUS_BYTES_MAX, Absence
from edge_agent.link.server import DeviceServer
from tests.cli.stations import StationRig, make_station
from tests.console.pictures import BULLETIN, picture
from tests.console.terminal import PROMPT, Terminal
from tests.host.parts import ABSENT, needs
from tests.host.pulse import missing
from tests.in_the_way import IN_THE_WAY, Lay

STOP_S = 30
COMMANDS = [("status", show.status), ("next", show.coming)]


@pytest.fixture
def station(tmp_path: Path) -> StationRig:
    return make_station(tmp_path)


def test_a_fresh_picture_is_shown(station: StationRig, capsys: pytest.CaptureFixture[str]) -> None:
    station.show(picture(), age_s=STALE_S - 5)
    assert show.status(station.config, as_json=False) == 0
    assert "Âm thanh, rơ-le: KHÔNG CHẠY" in capsys.readouterr().out
    assert show.coming(station.config, as_json=False) == 0
    down, _, coming = capsys.readouterr().out.partition("\nSắp phát:\n")
    assert down.startswith("Âm thanh, rơ-le: KHÔNG CHẠY\n"), "nothing of it will sound"
    assert coming.startswith("  17h30 T4 25/11/2026  Bản tin sáng\n")


@pytest.mark.parametrize(("language", "words"), [("vi-ascii", "Sap phat:"), ("en", "Next:")])
def test_it_speaks_the_configured_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: str
) -> None:
    station = make_station(tmp_path, more=f'[console]\nlanguage = "{language}"\n')
    station.show(picture())
    show.coming(station.config, as_json=False)
    assert f"\n{words}" in capsys.readouterr().out


def test_machines_get_what_the_agent_wrote(station: StationRig, capsys: pytest.CaptureFixture[str]) -> None:
    station.show(picture())
    assert show.status(station.config, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(picture())
    assert show.coming(station.config, as_json=True) == 0
    coming = json.loads(capsys.readouterr().out)
    assert sorted(coming) == ["clock", "next", "playing"]
    assert [play["title"] for play in coming["next"]] == [BULLETIN.title]


def test_what_machines_get_moves_no_cursor_of_a_technician(
    station: StationRig, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {**json.loads(picture()), "name": "Trạm\x1b\x9b\x7f\u202e\ud800\U000e0001"}
    station.show(json.dumps(whole).encode())
    assert show.status(station.config, as_json=True) == 0
    heard = capsys.readouterr().out
    assert "Trạm\\u001b\\u009b\\u007f\\u202e\\ud800\\udb40\\udc01" in heard
    assert json.loads(heard) == whole


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_without_an_agent_the_remedy_is_told_and_the_exit_is_1(
    station: StationRig, capsys: pytest.CaptureFixture[str], name: str, command: object, as_json: bool
) -> None:
    assert callable(command)
    assert command(station.config, as_json=as_json) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "không chạy" in told.err
    assert "systemctl status edge-agent; sudo journalctl -u edge-agent" in told.err


def test_an_old_picture_is_not_shown_as_if_it_were_now(station: StationRig, capsys: pytest.CaptureFixture[str]) -> None:
    station.show(picture(), age_s=STALE_S + 1)
    assert show.status(station.config, as_json=False) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "đã cũ quá 10 giây" in told.err


def test_a_picture_from_the_future_is_old_too(station: StationRig) -> None:
    """The agent died, and then the clock was put back by a year."""
    station.show(picture())
    now_s = station.status_file.stat().st_mtime
    assert isinstance(read_picture(station.status_file, now_s), tuple)
    assert read_picture(station.status_file, now_s - STALE_S - 1) is Absence.STALE


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b" " * (STATUS_BYTES_MAX + 1)], ids=len)
def test_a_picture_that_makes_no_sense_is_not_guessed_at(station: StationRig, content: bytes) -> None:
    station.show(content)
    assert show.status(station.config, as_json=False) == 1
    assert show.coming(station.config, as_json=True) == 1


@pytest.mark.parametrize("lay", IN_THE_WAY)
def test_what_an_agent_that_was_taken_over_lays_in_the_pictures_place_keeps_no_technician_waiting(
    station: StationRig, lay: Lay
) -> None:
    station.status_file.parent.mkdir(parents=True, exist_ok=True)
    with lay(station.status_file):
        assert read_picture(station.status_file, time.time()) is Absence.DAMAGED


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user, whom only root can become")
def test_a_user_who_may_not_read_it_is_told_how_to(station: StationRig) -> None:
    station.show(picture())
    station.status_file.chmod(0o600)
    program = (  # what it imports may be closed to other users too, so it becomes one afterwards
        "import os, sys, pathlib; from edge_agent.cli.show import read_picture;"
        "os.setgroups([]); os.setgid(54321); os.setuid(54321); print(read_picture(pathlib.Path(sys.argv[1]), 0))"
    )
    command = [sys.executable, "-c", program, str(station.status_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Absence.FORBIDDEN", done.stderr


# Knocking at the device process


def test_a_device_process_that_listens_is_seen_without_hearing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "io.sock"
    with closing(DeviceServer(path, frozenset({os.geteuid()}))) as server:
        assert device_up(path) is True
        with pytest.raises(BlockingIOError):
            server.listener.accept()
    assert device_up(path) is False


def test_a_socket_that_a_dead_process_left_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "io.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(path))
    assert path.exists()
    assert device_up(path) is False


def test_whatever_else_lies_in_the_sockets_place_is_nobody(tmp_path: Path) -> None:
    """The device process may have been taken over, and ends no console by what it lays there."""
    path = tmp_path / "io.sock"
    path.symlink_to(path)
    assert device_up(path) is False


# The whole


@contextmanager
def console_of(file: Path, terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge_agent", "console", "--port", terminal.path, "--config", str(file)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_the_console_is_a_process_that_stops_when_told(station: StationRig) -> None:
    station.show(picture())
    with closing(Terminal()) as terminal, console_of(station.file, terminal) as child:
        assert "Trạm loa Đông Thành 01 (dt-01)" in terminal.until(PROMPT)
        assert "Sắp phát:" in terminal.ask("kt")
        child.send_signal(signal.SIGTERM)
        _, log = child.communicate(timeout=STOP_S)
        assert child.returncode == 0, log
        assert f"console open port={terminal.path} baud=115200" in log


@pytest.mark.host
@pytest.mark.live
@needs("mosquitto")
@pytest.mark.skipif(missing() != "", reason=ABSENT + missing())
def test_a_running_station_shows_itself_on_every_way(tmp_path: Path) -> None:
    with Ward(tmp_path) as ward:
        ward.switch_on()
        shown = ""
        while "Máy chủ: đã trả lời" not in shown:
            shown = ward.command("status")
        assert "Âm thanh, rơ-le: đang chạy" in shown
        assert "giờ máy chủ đã ký số" in shown
        assert "  c2: Chợ Đông Thành, rơ-le mở" in shown
        assert ward.command("next") == "Sắp phát: không có lệnh phát nào đang chờ.\n"
        with closing(Terminal()) as terminal, console_of(ward.config, terminal):
            terminal.until(PROMPT)
            assert terminal.ask("vs")[0] == "1. Không có lệnh phát nào đang chờ."
            ward.kill_agent()
            while "không trả lời" not in terminal.ask("tt")[0]:
                pass
