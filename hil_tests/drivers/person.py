"""A person who stands in for a driver: asked at the terminal what to do and what was seen, Vietnamese first.

What they answer is their word, with their name and the time: evidence of another kind than a wire's, and shown as that.
Whoever does not answer has shown nothing: then the test fails. A part that is done so is labgrid's ManualPowerDriver's
idea.
"""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

TERMINAL = Path("/dev/tty")
# The one that the bench was started at, also where a test's own input and output are somebody else's.
NAME_IN = "BENCH_PERSON"
PATIENCE_S = 300
# For walking to a pole's box and back.
TRIES = 3
ANSWER_BYTES_MAX = 200
DONE = {"x": True, "k": False}
SEEN = {"c": True, "y": True, "k": False, "n": False}


class PersonError(Exception):
    """Nobody answered, or they could not do it; the message says which."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a person was asked, and said. ``at`` is the local time."""

    who: str
    asked: str
    said: str
    at: str


class Person:
    """Whoever sits at a terminal. ``words`` is all that they have said, in order."""

    def __init__(self, terminal: Path = TERMINAL, patience_s: float = PATIENCE_S) -> None:
        self.words: list[Word] = []
        self._terminal = terminal
        self._patience_s = patience_s
        self._name = os.environ.get(NAME_IN, "").strip()

    def do(self, vi: str, en: str) -> None:
        """Returns when they say that they have done it. Raises PersonError."""
        if not self._asked(f"{vi} / {en}", DONE, "x = xong / done, k = không làm được / could not"):
            raise PersonError(f"{self._name} could not: {vi} / {en}")

    def saw(self, vi: str, en: str) -> bool:
        """Their answer to a question. Raises PersonError where there is none."""
        return self._asked(f"{vi} / {en}", SEEN, "c = có / yes, k = không / no")

    def name(self) -> str:
        """Who they are: BENCH_PERSON, or else they are asked once. Raises PersonError."""
        for _ in range(TRIES):
            if self._name:
                return self._name
            self._name = self._answer("Họ tên người thử / your name")
        raise PersonError("nobody gave a name: a word in a report is somebody's")

    def _asked(self, question: str, keys: Mapping[str, bool], how: str) -> bool:
        who = self.name()
        for _ in range(TRIES):
            said = self._answer(f"{question}\n  [{how}]").lower()
            if said in keys:
                self.words.append(Word(who, question, said, datetime.now().astimezone().strftime("%H:%M:%S")))
                return keys[said]
        raise PersonError(f"{who} gave no answer that is known ({how}): {question}")

    def _answer(self, question: str) -> str:
        """One line. What was typed before the question is no answer to it."""
        try:
            terminal = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY)
        except OSError as exc:
            raise PersonError(
                f"không có màn hình để hỏi người thử / there is no terminal to ask a person at ({exc}): {question}"
            ) from exc
        try:
            termios.tcflush(terminal, termios.TCIFLUSH)
            os.write(terminal, f"\n>> {question}: ".encode())
            return self._line(terminal, question).strip()
        except (OSError, termios.error) as exc:
            raise PersonError(f"the terminal is gone ({exc}): {question}") from exc
        finally:
            os.close(terminal)

    def _line(self, terminal: int, question: str) -> str:
        end, typed = time.monotonic() + self._patience_s, b""
        while not typed.endswith(b"\n"):
            if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
                raise PersonError(f"không ai trả lời / nobody answered within {self._patience_s:g} s: {question}")
            more = os.read(terminal, ANSWER_BYTES_MAX)
            if not more:
                raise PersonError(f"the terminal was left without an answer: {question}")
            typed = (typed + more)[-ANSWER_BYTES_MAX:]
        return typed.decode(errors="replace")
