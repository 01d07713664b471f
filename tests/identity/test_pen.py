"""The agent's key, which may fail: named once, missed afterwards, and looked for again by another process."""

from __future__ import annotations

import logging

import pytest

from edge_agent.identity.pen import Pen
from edge_agent.identity.token_library import PinLocked, TokenAbsent, TokenFailed, WrongPin
from edge_agent.trust.keys import UnusableKey
from tests.fakes.signing_key import FakeSigningKey

FAILS = [TokenAbsent("gone"), TokenFailed("failed"), PinLocked("locked"), UnusableKey("none"), OSError("worn")]


class Desk:
    """A pen over that key, and what became of it."""

    def __init__(self, key: FakeSigningKey) -> None:
        self.told: list[str] = []
        self.pen = Pen(key, lambda: self.told.append("lost"), lambda: self.told.append("anew"))


def test_a_key_that_opens_signs() -> None:
    key = FakeSigningKey()
    desk = Desk(key)
    assert desk.pen.public.signed(b"nhat ky", desk.pen.sign(b"nhat ky"))
    assert desk.pen.keyid == key.keyid
    desk.pen.remind()
    assert desk.told == []


@pytest.mark.parametrize("trouble", FAILS, ids=lambda error: type(error).__name__)
def test_one_that_does_not_open_is_named_once_and_asks_for_another_process_when_reminded(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(FakeSigningKey(trouble))
    for _ in range(3):
        with pytest.raises(UnusableKey, match=str(trouble)):
            desk.pen.sign(b"nhat ky")
        with pytest.raises(UnusableKey, match=str(trouble)):
            _ = desk.pen.keyid
    assert desk.told == ["lost"]
    (said,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert f"error={trouble}" in said
    assert "next=edge-agent doctor" in said
    desk.pen.remind()
    assert desk.told == ["lost", "anew"]


@pytest.mark.parametrize("trouble", FAILS, ids=lambda error: type(error).__name__)
def test_one_that_fails_while_it_is_used_is_not_used_again_in_this_process(trouble: Exception) -> None:
    """A library that has failed may hang, or sign with what is none, when it is asked once more."""
    key = FakeSigningKey()
    desk = Desk(key)
    key.trouble = trouble
    with pytest.raises(UnusableKey, match=str(trouble)):
        desk.pen.sign(b"nhat ky")
    key.trouble = None
    with pytest.raises(UnusableKey, match=str(trouble)):
        desk.pen.sign(b"nhat ky")
    desk.pen.remind()
    assert (desk.told, key.opened) == (["lost", "anew"], 1)


def test_a_wrong_pin_is_tried_once_a_start_and_no_start_is_asked_for() -> None:
    """Three or ten wrong ones lock an element for good."""
    key = FakeSigningKey(WrongPin("wrong"))
    desk = Desk(key)
    for _ in range(10):
        desk.pen.remind()
    assert (desk.told, key.opened) == (["lost"], 1)
