"""Asking for secrets: at a real terminal, in a file, or not at all; and never seen afterwards."""

from __future__ import annotations

import getpass
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.headend.cli import main
from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE, NoPassphrase, ask, ask_new
from tests.host.terminal import WAIT_S, Person, unattended

SECRET = "bốn từ rất dễ nhớ"
ASKING = """
import sys
from edge_agent.headend import passphrases
try:
    found = getattr(passphrases, sys.argv[1])("mật khẩu / passphrase")
except passphrases.NoPassphrase as error:
    sys.exit(f"REFUSED {error}")
print("GOT", len(found), found.isascii())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(0o600)
    return path


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"{SECRET}\r\nsecond line\n", f"\ufeff{SECRET}\r\n"])
def test_the_first_line_of_the_named_file_is_it(file: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    file.write_text(content, newline="")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    monkeypatch.setenv(NEW_FILE_VARIABLE, str(file))
    assert (ask("PIN"), ask_new("passphrase")) == (SECRET, SECRET)


def test_the_same_words_are_the_same_secret_however_a_keyboard_writes_marks(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(unicodedata.normalize("NFD", SECRET))
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert ask("PIN") == SECRET


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (SECRET.encode(), 0o640, "chmod 600"),
        (SECRET.encode(), 0o604, "chmod 600"),
        (b"", 0o600, "is empty"),
        (b"\nsecond", 0o600, "is empty"),
        (b"hush\xff-hush", 0o600, "not UTF-8"),
    ],
)
def test_a_file_that_will_not_do_is_refused_by_name_and_without_its_words(
    file: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, mode: int, told: str
) -> None:
    file.write_bytes(content)
    file.chmod(mode)
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    with pytest.raises(NoPassphrase, match=rf"{FILE_VARIABLE}.*{told}") as caught:
        ask("PIN")
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["no-such-file", "."])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / name))
    with pytest.raises(NoPassphrase, match="cannot be read"):
        ask("PIN")


def test_a_blank_at_an_end_belongs_to_it_as_it_does_at_a_terminal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f" {SECRET} \n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert ask("PIN") == f" {SECRET} "


def test_a_new_passphrase_is_not_short(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("mật khẩu 12")
    monkeypatch.setenv(NEW_FILE_VARIABLE, str(file))
    with pytest.raises(NoPassphrase, match="at least 12 characters"):
        ask_new("passphrase")
    file.write_text("mật khẩu 123")
    assert ask_new("passphrase") == "mật khẩu 123"


def test_where_there_is_no_terminal_nobody_is_asked_and_nothing_is_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKING, "ask"],
        input=f"{SECRET}\n",
        env=unattended(),
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("REFUSED mật khẩu / passphrase: không có màn hình")
    assert FILE_VARIABLE in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("question", "typed", "told"),
    [
        ("ask", [SECRET], f"GOT {len(SECRET)} False"),
        ("ask", [""], "REFUSED mật khẩu / passphrase: để trống"),
        ("ask_new", [SECRET, SECRET], f"GOT {len(SECRET)} False"),
        ("ask_new", [SECRET, "bốn từ khác hẳn"], "REFUSED hai lần nhập không giống nhau"),
    ],
)
def test_at_a_terminal_it_is_typed_unseen(question: str, typed: list[str], told: str) -> None:
    person = Person("-c", ASKING, question)
    person.answer("mật khẩu / passphrase", *typed)
    status = person.leave()
    assert told in person.seen
    assert (status == 0) is told.startswith("GOT")
    assert not any(secret and secret in person.seen for secret in typed)


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is typed next at a terminal that this process does not have."""
    typed: list[str] = []
    for variable in (FILE_VARIABLE, NEW_FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: typed.pop(0))
    yield typed
    assert typed == []


def test_what_exists_is_typed_once_and_what_is_new_twice(typing: list[str]) -> None:
    typing += [SECRET, SECRET, SECRET]
    assert (ask("PIN"), ask_new("passphrase")) == (SECRET, SECRET)


@pytest.mark.parametrize(
    ("typed", "told"),
    [([SECRET, "bốn từ khác hẳn"], "the two differ"), ([""], "is empty"), (["bí mật"] * 2, "at least 12")],
)
def test_a_slip_while_typing_is_told_without_what_was_typed(typing: list[str], typed: list[str], told: str) -> None:
    typing += typed
    with pytest.raises(NoPassphrase, match=told) as caught:
        ask_new("passphrase")
    assert not any(one and one in str(caught.value) for one in typed)


def test_who_breaks_off_at_the_question_has_not_done_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``sign … && publish …`` would send what lay there before."""

    def broken_off(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.delenv(NEW_FILE_VARIABLE, raising=False)
    monkeypatch.setattr(getpass, "getpass", broken_off)
    assert main(["keys", "new", "--dir", str(tmp_path / "own"), "--key", "root-1", "--encrypt"]) == 1
    assert "bỏ dở, chưa làm gì / broken off; nothing was done" in capsys.readouterr().err


def test_a_backspace_that_leaves_half_a_letter_is_told_without_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal that does not know UTF-8 takes one byte away, and ă has two."""

    def half(_prompt: str) -> str:
        return f"{SECRET}ă".encode()[:-1].decode()

    monkeypatch.delenv(NEW_FILE_VARIABLE, raising=False)
    monkeypatch.setattr(getpass, "getpass", half)
    assert main(["keys", "new", "--dir", str(tmp_path / "own"), "--key", "root-1", "--encrypt"]) == 1
    said = capsys.readouterr().err
    assert "a backspace left half a letter" in said
    assert SECRET not in said


@pytest.mark.parametrize("trouble", [getpass.GetPassWarning("it would be shown"), EOFError()])
def test_whatever_keeps_a_terminal_from_asking_names_the_file_instead(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def broken(_prompt: str) -> str:
        raise trouble

    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.setattr(getpass, "getpass", broken)
    with pytest.raises(NoPassphrase, match=f"name in {FILE_VARIABLE} a file"):
        ask("PIN")
