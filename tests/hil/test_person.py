"""A person's word is asked for, given with a name, and never made up: whoever says nothing has shown nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hil_tests.drivers.person import NAME_IN, Person, PersonError
from tests.hil.terminal import Terminal

NAME = "Nguyễn Văn An"


@pytest.fixture(autouse=True)
def a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_IN, NAME)


def person(terminal: Terminal, patience_s: float = 30) -> Person:
    return Person(Path(terminal.path), patience_s)


@pytest.mark.parametrize(("typed", "meant"), [("c", True), ("k", False), ("y", True), ("n", False), (" C ", True)])
def test_what_was_seen_is_their_word_with_name_and_question(typed: str, meant: bool) -> None:
    with Terminal(lambda _: typed) as terminal:
        somebody = person(terminal)
        assert somebody.saw("Loa im hẳn?", "are the loudspeakers silent?") is meant
    (word,) = somebody.words
    assert (word.who, word.asked, word.said) == (
        NAME,
        "Loa im hẳn? / are the loudspeakers silent?",
        typed.strip().lower(),
    )
    assert "c = có / yes, k = không / no" in terminal.asked[0]


def test_vietnamese_comes_first() -> None:
    with Terminal(lambda _: "x") as terminal:
        person(terminal).do("Rút dây", "pull the cable")
    assert terminal.asked[0].startswith("Rút dây / pull the cable\n")


def test_who_could_not_do_it_fails_the_test() -> None:
    with Terminal(lambda _: "k") as terminal, pytest.raises(PersonError, match=f"{NAME} could not: Rút dây"):
        person(terminal).do("Rút dây", "pull the cable")


def test_a_key_that_means_nothing_is_asked_again_and_is_no_yes() -> None:
    answers = iter(["", "q", "c"])
    with Terminal(lambda _: next(answers)) as terminal:
        somebody = person(terminal)
        assert somebody.saw("Loa im?", "silent?")
    assert len(terminal.asked) == 3
    assert [word.said for word in somebody.words] == ["c"]


def test_who_never_answers_with_a_known_key_has_said_nothing() -> None:
    with Terminal(lambda _: "") as terminal:
        somebody = person(terminal)
        with pytest.raises(PersonError, match="no answer that is known"):
            somebody.saw("Loa im?", "silent?")
    assert somebody.words == []


def test_nobody_answers() -> None:
    with Terminal(lambda _: None) as terminal:
        somebody = person(terminal, patience_s=0.3)
        with pytest.raises(PersonError, match=r"không ai trả lời / nobody answered within 0\.3 s: Loa im"):
            somebody.saw("Loa im?", "silent?")
    assert somebody.words == []


def test_what_was_typed_before_the_question_is_no_answer() -> None:
    with Terminal(lambda _: "k") as terminal:
        os.write(terminal._person, b"c\nc\n")
        assert not person(terminal).saw("Loa im?", "silent?")


def test_there_is_no_terminal(tmp_path: Path) -> None:
    with pytest.raises(PersonError, match="không có màn hình để hỏi người thử / there is no terminal"):
        Person(tmp_path / "tty").saw("Loa im?", "silent?")


def test_a_terminal_that_is_closed_is_no_answer() -> None:
    with Terminal(lambda _: "\x04") as terminal, pytest.raises(PersonError, match="left without an answer"):
        person(terminal).saw("Loa im?", "silent?")


def test_a_word_without_a_name_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME_IN)
    with Terminal(lambda _: "") as terminal, pytest.raises(PersonError, match="nobody gave a name"):
        person(terminal).saw("Loa im?", "silent?")


def test_the_name_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME_IN)
    with Terminal(lambda asked: "Lê Bình" if "Họ tên" in asked else "c") as terminal:
        somebody = person(terminal)
        assert all(somebody.saw(f"{number}?", "?") for number in range(2))
    assert [word.who for word in somebody.words] == ["Lê Bình"] * 2
    assert len(terminal.asked) == 3
