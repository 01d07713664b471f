"""Whatever a serial line brings becomes lines of text, and the echo shows what will be understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.line_editor import BELL, LINE_CHARS_MAX, LineEditor
from edge_agent.console.words import width


def feed(*pieces: bytes) -> tuple[str, list[str]]:
    editor = LineEditor()
    echoes, lines = [], []
    for piece in pieces:
        echo, done = editor.feed(piece)
        echoes.append(echo)
        lines += done
    return "".join(echoes), lines


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_line_ends_with_cr_lf_or_both(end: bytes) -> None:
    assert feed(b"tt" + end + b"kt" + end) == ("tt\r\nkt\r\n", ["tt", "kt"])


def test_cr_and_lf_that_come_apart_are_one_end() -> None:
    assert feed(b"tt\r", b"\nkt\r", b"\n") == ("tt\r\nkt\r\n", ["tt", "kt"])


def test_two_lfs_are_two_lines() -> None:
    assert feed(b"tt\n\n")[1] == ["tt", ""]


def test_letters_that_come_in_halves_are_put_together() -> None:
    whole = "vì sao".encode()
    assert feed(*(bytes([byte]) for byte in whole), b"\r") == ("vì sao\r\n", ["vì sao"])


@pytest.mark.parametrize("key", [b"\x08", b"\x7f"])
def test_backspace_takes_back_a_letter_with_its_marks(key: bytes) -> None:
    assert feed(b"ta", key, b"t\r") == ("ta\b \bt\r\n", ["tt"])
    assert feed("tie\u0302\u0301".encode(), key, b"\r")[1] == ["ti"]


def test_backspace_on_an_empty_line_leaves_the_prompt_alone() -> None:
    assert feed(b"\x7f\x7f\x08") == ("", [])


@pytest.mark.parametrize("key", [b"\x03", b"\x15"])
def test_a_line_can_be_begun_anew(key: bytes) -> None:
    assert feed(b"abc", key, b"tt\r") == ("abc" + "\b \b" * 3 + "tt\r\n", ["tt"])


@pytest.mark.parametrize("key", [b"\x1b[A", b"\x1bOP", b"\x1b[1;5C", b"\x1b[3~", b"\x1bx", b"\x1b\x1b[D"])
def test_arrow_and_function_keys_write_nothing(key: bytes) -> None:
    assert feed(b"t", key, b"t\r") == ("tt\r\n", ["tt"])


def test_enter_ends_a_line_also_within_a_broken_escape_sequence() -> None:
    assert feed(b"tt\x1b[", b"\r", b"kt\r")[1] == ["tt", "kt"]


def test_breaks_and_other_controls_are_ignored() -> None:
    assert feed(b"\x00t\x00\x07\x11t\x00\r") == ("tt\r\n", ["tt"])


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert feed(b"t\xfft\r")[1] == ["t\ufffdt"]


def test_a_line_has_an_end_whatever_is_typed() -> None:
    echo, lines = feed(b"x" * 10_000 + b"\r")
    assert lines == ["x" * LINE_CHARS_MAX]
    assert echo.count(BELL) == 10_000 - LINE_CHARS_MAX


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_lines_in_bounds_however_they_are_cut(pieces: list[bytes]) -> None:
    editor = LineEditor()
    lines = [line for piece in pieces for line in editor.feed(piece)[1]]
    assert all(len(line) <= LINE_CHARS_MAX for line in lines)
    assert lines == LineEditor().feed(b"".join(pieces))[1]


class Screen:
    """What a terminal shows of an echo: its rows, by column; a wide letter takes two, a mark none."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.column = 0

    def show(self, echo: str) -> None:
        for char in echo.replace("\r\n", "\n"):
            self._show(char)

    def _show(self, char: str) -> None:
        row = self.rows[-1]
        if char == "\n":
            self.rows.append([])
            self.column = 0
        elif char == "\b":
            assert self.column > 0, "the prompt was rubbed out"
            self.column -= 1
        elif char == BELL:
            pass
        elif width(char) == 0:
            if self.column:
                row[self.column - 1] += char
        else:
            row[self.column : self.column + width(char)] = [char, *[""] * (width(char) - 1)]
            self.column += width(char)


KEYS = st.one_of(
    st.sampled_from("abđ ếê2?".split(" ")),
    st.sampled_from(["e\u0302\u0301", "\u0323", "漢", "한", " ", "x" * 30]),
    st.sampled_from(["\b", "\x7f", "\x03", "\x15", "\r", "\n", "\r\n", "\x1b[A", "\x1bOP", "\x00", "\x1b[3~"]),
)


@given(st.lists(KEYS, max_size=60).map("".join), st.lists(st.integers(1, 9), max_size=30))
def test_the_screen_shows_what_will_be_understood(typed: str, sizes: list[int]) -> None:
    editor, screen, data = LineEditor(), Screen(), (typed + "\r").encode()
    lines: list[str] = []
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        echo, done = editor.feed(piece)
        screen.show(echo)
        lines += done
    shown = ["".join(row).rstrip(" ") for row in screen.rows]
    assert shown == [*(line.lstrip("\u0301\u0302\u0323").rstrip(" ") for line in lines), ""]


@given(st.text(st.characters(exclude_categories=["C", "M", "Zl", "Zp"]), max_size=LINE_CHARS_MAX))
def test_what_is_typed_is_the_line_letter_for_letter(typed: str) -> None:
    assert feed(typed.encode(), b"\r")[1] == [typed]
