"""What a real bench's file names and is not there is told at once, all of it, before anything is tried."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from hil_tests import __main__ as hil
from hil_tests import there
from hil_tests.rig import PowerWiring, RelayWiring, SerialWiring, SoundWiring, read
from tests.hil.made_up_desk import EYES_AND_EARS, HAND, MadeUpDesk

ROOT = Path(__file__).parents[2]
DESK = ROOT / "hil_tests" / "rigs" / "desk.toml"
POWER_CUTS = (str(hil.ON_TARGET / "test_power_cuts.py"),)
RELAYS = RelayWiring("gpio", "/dev/gpiochip-nowhere", {"c1": 17, "c2": 27}, {"c1": 5, "c2": 6})
HERE = """
name = "here"
kind = "real"
[tolerance]
sound_s = 0.15
[station]
reach = ["sh", "-c"]
tree = "{root}"
folder = "{folder}"
[absent]
disk = "no disk of its own"
"""


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hil, "BUILT", tmp_path / "built")
    return tmp_path / "built"


def test_what_is_not_there_beside_the_station_is_named() -> None:
    power = PowerWiring("command", 1, 10, ("uhubctl-nowhere", "off"), ("true",))
    rig = replace(read(DESK), power=power, serial=SerialWiring("device", "/dev/ttyUSB99", "/dev/serial0", 9_600))
    assert there.missing_beside(rig, Path("/dev/nowhere")) == [
        "[power] uhubctl-nowhere: không có lệnh này / no such program",
        "[serial] device /dev/ttyUSB99: không có / not there; ls /dev/serial/by-id",
        "[power], [look], [listen], [cable]: không có màn hình để hỏi / no terminal to ask at (/dev/nowhere)",
    ]


def test_what_is_not_there_on_the_station_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there, "_holds_them", lambda unit: unit == "edge-agent-io.service")
    (tmp_path / "Device").mkdir()
    (tmp_path / "card1").mkdir()
    sound = SoundWiring("hw:CARD=Headphones", "plughw:CARD=Device,DEV=0")
    serial = SerialWiring("device", "/dev/null", "/dev/serial-nowhere", 9_600)
    rig = replace(read(DESK), relays=RELAYS, sound=sound, serial=serial)
    assert list(there.missing_on_the_station(rig, tmp_path)) == [
        "[relays] chip /dev/gpiochip-nowhere: không có / not there; gpiodetect",
        "[sound] device hw:CARD=Headphones: không có card này / no such card; aplay -l, arecord -l",
        "[serial] port /dev/serial-nowhere: không có / not there",
        "edge-agent-io.service: đang giữ rơ-le và card / holds relays and card, now or after a boot; "
        "systemctl disable --now",
    ]
    whole = replace(rig, relays=replace(RELAYS, chip="/dev/null"), sound=SoundWiring("hw:1,0", "default"), serial=None)
    monkeypatch.setattr(there, "_holds_them", lambda unit: False)
    assert list(there.missing_on_the_station(whole, tmp_path)) == []


@pytest.mark.parametrize(("says", "holds"), [("is-active", True), ("is-enabled", True), ("cat", False)])
def test_a_unit_that_runs_holds_the_relays_whether_it_holds_them_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, holds: bool
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$1" = {says} ]\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    rig = replace(read(DESK), relays=None, sound=None, serial=None)
    assert bool(list(there.missing_on_the_station(rig, tmp_path))) is holds


def test_the_desk_that_nobody_has_wired_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "desk.toml"
    nowhere = DESK.read_text("utf-8").replace("tram-thu", "tram-thu.invalid").replace("ttyUSB0", "ttyUSB-nowhere")
    file.write_text(nowhere, "utf-8")
    assert hil.main(["--rig", str(file)]) == 2
    said = capsys.readouterr().err
    assert "bàn thử còn thiếu / the bench lacks" in said
    assert "[serial] device /dev/ttyUSB-nowhere" in said
    assert "[station] không tới được trạm / the station is not reached" in said


def test_what_the_station_lacks_is_told_with_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = MadeUpDesk(tmp_path)
    desk.missing.write_text("[relays] chip /dev/gpiochip0: không có / not there; gpiodetect\n")
    assert hil.main(["--rig", str(desk.file())]) == 2
    assert "\n  [relays] chip /dev/gpiochip0: không có / not there; gpiodetect\n" in capsys.readouterr().err


def test_a_bench_of_hands_does_not_begin_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(there, "_opens", lambda _: False)
    assert hil.main(["--rig", str(MadeUpDesk(tmp_path).file(HAND, EYES_AND_EARS, ""))]) == 2
    assert "không có màn hình để hỏi / no terminal to ask at" in capsys.readouterr().err


def test_what_is_tried_on_the_station_is_brought_here(
    tmp_path: Path, built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_station = hil.Group("test_power_cuts", (*POWER_CUTS, "-k", "test_the_day_writes_in_every_way"))
    monkeypatch.setattr(hil, "_on_target", lambda _: [of_the_station])
    monkeypatch.setattr(hil, "_from_outside", lambda _: [])
    file = tmp_path / "here.toml"
    file.write_text(HERE.format(root=ROOT, folder=tmp_path / "folder"), "utf-8")
    assert hil.main(["--rig", str(file)]) == 1, "what is absent is no success"
    assert "hil rig=here: 0 passed, 0 failed, 1 absent" in capsys.readouterr().out
    (skipped,) = ET.parse(built / "test_power_cuts.xml").iter("skipped")
    assert skipped.get("message") == "no disk of its own"
    assert "no disk of its own" in (built / "report.html").read_text("utf-8")


def test_tests_of_which_nothing_came_back_have_failed_on_paper_too(
    tmp_path: Path, built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine stood still, or the line to the station broke: the paper that people sign told of the others alone."""
    whole = hil.Group("test_report", (str(ROOT / "tests" / "hil" / "test_report.py"), "-k", "one_failure"), here=True)
    monkeypatch.setattr(hil, "_on_target", lambda _: [hil.Group("test_power_cuts", POWER_CUTS)])
    monkeypatch.setattr(hil, "_from_outside", lambda _: [whole])
    monkeypatch.setattr(hil, "_on_the_station", lambda *_: 255)
    file = tmp_path / "here.toml"
    file.write_text(HERE.format(root=ROOT, folder=tmp_path / "folder"), "utf-8")
    assert hil.main(["--rig", str(file)]) == 1
    assert "hil rig=here: 1 passed, 1 failed, 0 absent" in capsys.readouterr().out
    text = (built / "report.html").read_text("utf-8")
    assert "Kết luận: <span class=failed>" in text
    assert "test_power_cuts" in text


def test_a_desk_whose_power_test_fails_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = hil.Group("test_power_switch", (str(hil.FROM_OUTSIDE / "test_power_switch.py"),), here=True)
    monkeypatch.setattr(hil, "_on_target", lambda _: [])
    monkeypatch.setattr(hil, "_from_outside", lambda _: [beside])
    desk = MadeUpDesk(tmp_path, then=[{"outcome": "missed", "reason": "late"}])
    assert hil.main(["--rig", str(desk.file())]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "3 passed, 1 failed, 4 absent" in said[-1]
    assert "không đạt / failed: " in said[-2]
    assert "missed" in said[-2], "why, where a reader of a long log looks first"
