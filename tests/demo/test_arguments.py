"""What the demo may be told, and what it refuses before it has touched anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.__main__ import EXIT_CANNOT, _emptied, _hardware
from demo.verdict import checks
from tests.demo.rehearsal import Rehearsal


def refused(capsys: pytest.CaptureFixture[str], *hardware: str) -> str:
    with pytest.raises(SystemExit) as ended:
        _hardware(*hardware)
    assert ended.value.code == EXIT_CANNOT
    return capsys.readouterr().err


def test_without_hardware_everything_is_heard_and_watched() -> None:
    hardware = _hardware("", "", "")
    assert (hardware.heard, hardware.watched) == (True, True)


def test_a_real_card_is_heard_only_through_a_line_in() -> None:
    assert not _hardware("hw:0", "", "").heard
    assert _hardware("hw:0", "", "hw:1").heard


def test_real_relays_are_named_by_chip_and_lines_and_not_watched() -> None:
    hardware = _hardware("", "/dev/gpiochip0:17,27", "")
    assert (hardware.gpio_chip, hardware.gpio_lines) == ("/dev/gpiochip0", (17, 27))
    assert (hardware.heard, hardware.watched) == (True, False)


def test_a_line_in_without_a_card_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--device" in refused(capsys, "", "", "hw:1")


@pytest.mark.parametrize("gpio", ["/dev/gpiochip0", "/dev/gpiochip0:x,y", "/dev/gpiochip0:17", "gpiochip0:1,2,3"])
def test_lines_that_are_none_are_refused(gpio: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpio in refused(capsys, "", gpio, "")


def test_the_relays_of_a_board_are_not_judged_and_everything_else_is() -> None:
    ward = Rehearsal()
    story, evidence = ward.story, ward.evidence()
    judged = {check.english for check in checks(story, evidence, relays_watched=False)}
    left_out = {check.english for check in checks(story, evidence)} - judged
    assert len(left_out) == 5
    assert all("relay" in english for english in left_out)


def test_an_earlier_demo_s_folder_is_emptied(tmp_path: Path) -> None:
    folder = _emptied(tmp_path / "demo")
    (folder / "c1.wav").touch()
    assert [path.name for path in _emptied(folder).iterdir()] == [".demo"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert _emptied(tmp_path).is_dir()


def test_anybody_else_s_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("four years")
    with pytest.raises(SystemExit) as ended:
        _emptied(tmp_path)
    assert ended.value.code == EXIT_CANNOT
    assert (tmp_path / "thesis.odt").read_text() == "four years"
