"""Who asks an element: one at a time, and none for longer than it may take."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from edge_agent import element
from edge_agent.element import IN_USE, ElementHangs, answered
from tests.sync.test_right_of_way import until

LONG_S = 60
# Only bounds a hanging test.
SHORT_S = 0.05


@pytest.fixture
def woken() -> threading.Event:
    """An element that hangs until this is set; it holds the library meanwhile."""
    return threading.Event()


def hang(woken: threading.Event, inside: threading.Event) -> str:
    with IN_USE:
        inside.set()
        woken.wait(LONG_S)
    return "late"


def test_what_the_element_says_is_handed_on() -> None:
    assert answered(lambda: "signed", LONG_S) == "signed"
    with pytest.raises(ValueError, match="no key"):
        answered(partial(int, "no key"), LONG_S)


def test_that_somebody_elses_time_was_over_is_not_taken_for_the_elements() -> None:
    def gives_up() -> None:
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs"):
        answered(gives_up, LONG_S)


def test_whoever_asks_one_that_hangs_is_let_go_and_whoever_comes_after_does_not_get_in(
    woken: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not element.hangs()
    inside = threading.Event()
    with pytest.raises(ElementHangs):
        answered(partial(hang, woken, inside), SHORT_S)
    assert element.hangs()
    assert inside.wait(LONG_S)
    monkeypatch.setattr(element, "OPEN_S", SHORT_S)
    with pytest.raises(ElementHangs), IN_USE:
        pass
    woken.set()
    monkeypatch.setattr(element, "OPEN_S", LONG_S)
    assert answered(partial(hang, woken, inside), LONG_S) == "late"
    until(lambda: not element.hangs())  # or this process would end in haste for a guest who has long left


def test_a_question_within_a_question_waits_in_the_same_turn() -> None:
    """Else it would wait for its own asker, who holds the library."""

    def show() -> str:
        with IN_USE:
            return answered(sign, SHORT_S)

    def sign() -> str:
        with IN_USE:
            return "signed"

    assert answered(show, LONG_S) == "signed"
