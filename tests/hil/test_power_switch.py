"""The bench's test of a power cut, unchanged, on a made-up desk: by command and by hand, and with faults planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil_tests.drivers.person import NAME_IN, Person, PersonError
from hil_tests.drivers.power import PowerError
from hil_tests.from_outside import test_power_switch as bench
from hil_tests.rig import read
from tests.hil.made_up_desk import EYES_AND_EARS, HAND, PLAYS, RETURNS, SWITCH_FAILS, SWITCHES_NOTHING, MadeUpDesk
from tests.hil.terminal import Done, Terminal, at, pytest_of

TESTS = "hil_tests/from_outside/test_power_switch.py"
NAME = "Nguyễn Văn An"
QUIETLY = bench.test_nothing_moves_or_sounds_after_the_return_before_it_is_ordered
Judge = Callable[[bench.Story], None]


@pytest.fixture(autouse=True)
def a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_IN, NAME)


def tried(file: Path, terminal: Terminal | None = None) -> Done:
    evidence = file.parent / "evidence"
    evidence.mkdir()
    env = {"BENCH_RIG": str(file), "BENCH_EVIDENCE": str(evidence)}
    return at(terminal, pytest_of(TESTS, f"--basetemp={file.parent / 'tests'}"), env)


class Hand:
    """Somebody at the plug of a desk, who sees and hears what is there; ``says`` is what they answer otherwise."""

    def __init__(self, desk: MadeUpDesk, **says: str) -> None:
        self._desk = desk
        self._says = says

    def __call__(self, asked: str) -> str:
        if "power NOW" in asked:
            if "off" not in self._says:
                self._desk.power(on=False)
            return self._says.get("off", "x")
        if "power again" in asked:
            self._desk.power(on=True)
            return "x"
        part = "look" if "relays" in asked else "listen"
        return self._says.get(f"{part} again" if "since" in asked else part, "c")


def test_a_command_cuts_the_power_and_gives_it_back(tmp_path: Path) -> None:
    desk = MadeUpDesk(tmp_path)
    done = tried(desk.file())
    assert "4 passed, 4 skipped" in done.said, done.said
    assert desk.switched() == ["off", "on"]


def test_a_person_does_it_and_their_word_is_kept_with_every_test(tmp_path: Path) -> None:
    desk = MadeUpDesk(tmp_path)
    with Terminal(Hand(desk)) as terminal:
        done = tried(desk.file(HAND, EYES_AND_EARS, ""), terminal)
    assert "8 passed" in done.said, done.said
    kept = [json.loads(one.read_text("utf-8"))["words"] for one in (tmp_path / "evidence").iterdir()]
    assert len(kept) == 8
    for words in kept:
        assert [(word["who"], word["said"]) for word in words] == [(NAME, key) for key in "xccxcc"]


def test_nobody_at_a_terminal_fails_it_and_skips_nothing(tmp_path: Path) -> None:
    done = tried(MadeUpDesk(tmp_path).file(HAND, EYES_AND_EARS, ""))
    assert "8 errors" in done.said, done.said
    assert "skipped" not in done.said
    assert "không có màn hình để hỏi người thử" in done.said


def lived(file: Path, terminal: Terminal | None = None) -> bench.Story:
    person = Person(Path("/dev/null" if terminal is None else terminal.path))
    (file.parent / "here").mkdir()
    return bench.lived(read(file), file, file.parent / "here", person)


@pytest.mark.parametrize(
    ("says", "judged", "named"),
    [
        ({"look": "k"}, bench.test_relays_are_open_while_there_is_no_power, "saw a relay that is not open"),
        ({"listen": "k"}, bench.test_nothing_sounds_while_there_is_no_power, "heard something"),
        ({"look again": "k"}, bench.test_relays_stay_open_while_the_station_boots, "saw a relay that closed"),
        ({"listen again": "k"}, bench.test_nothing_sounds_while_the_station_boots, "heard something"),
    ],
)
def test_a_person_who_says_no_fails_it(says: dict[str, str], judged: Judge, named: str, tmp_path: Path) -> None:
    desk = MadeUpDesk(tmp_path)
    with Terminal(Hand(desk, **says)) as terminal:
        story = lived(desk.file(HAND, EYES_AND_EARS, ""), terminal)
        with pytest.raises(AssertionError, match=f"{NAME} {named}"):
            judged(story)


@pytest.mark.parametrize(("says", "named"), [({"off": "k"}, "could not: Cắt điện"), ({"look": ""}, "gave no answer")])
def test_a_person_who_does_or_says_nothing_ends_it(says: dict[str, str], named: str, tmp_path: Path) -> None:
    desk = MadeUpDesk(tmp_path)
    with Terminal(Hand(desk, **says)) as terminal, pytest.raises(PersonError, match=f"{NAME} {named}"):
        lived(desk.file(HAND, EYES_AND_EARS, ""), terminal)


def test_a_switch_that_fails_ends_it(tmp_path: Path) -> None:
    with pytest.raises(PowerError, match=r"the power switch does not work: .* no such port"):
        lived(MadeUpDesk(tmp_path, SWITCH_FAILS).file())


def test_a_switch_that_says_so_and_switches_nothing_is_caught(tmp_path: Path) -> None:
    story = lived(MadeUpDesk(tmp_path, SWITCHES_NOTHING, boot="one").file())
    with pytest.raises(AssertionError, match="the switch switched nothing"):
        bench.test_the_bulletin_was_heard_and_the_power_really_cut(story)


@pytest.mark.parametrize(
    ("tells", "judged"),
    [
        ({"edges": [{"zone": "c1", "on": True, "at_s": 3.0}]}, QUIETLY),
        ({"heard": [{"zone": "c2", "what": "b", "start_s": -1.0, "end_s": 2.0}]}, QUIETLY),
        ({"records": [{"outcome": "succeeded", "reason": None}]}, bench.test_the_record_says_that_the_power_cut_it_off),
        ({"records": []}, bench.test_the_record_says_that_the_power_cut_it_off),
        ({"then": [{"outcome": "missed", "reason": "late"}]}, bench.test_the_next_bulletin_is_heard_and_nothing_else),
        ({"heard": []}, bench.test_the_next_bulletin_is_heard_and_nothing_else),
        ({"edges": []}, bench.test_the_next_bulletin_is_heard_and_nothing_else),
    ],
)
def test_a_station_that_comes_back_wrong_is_caught(tells: dict[str, Any], judged: Judge) -> None:
    judged(bench.Story(PLAYS, RETURNS, Person()))
    with pytest.raises((AssertionError, ValueError)):
        judged(bench.Story(PLAYS, {**RETURNS, **tells}, Person()))
