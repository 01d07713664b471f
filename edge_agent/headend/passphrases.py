"""Ask for passphrases and PINs: at the terminal, unseen, or in a file that the environment names.

Never in an argument or in the environment itself: every user of the machine can read the one, every child the other.
What is asked for is never printed and stands in no error.
"""

from __future__ import annotations

import getpass
import os
import stat
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edge_agent.headend.errors import HeadendError

FILE_VARIABLE = "LOA_PASSPHRASE_FILE"
NEW_FILE_VARIABLE = "LOA_NEW_PASSPHRASE_FILE"
FILE_BYTES_MAX = 1_024
NEW_LETTERS_MIN = 12
# Four of the commonest words are as long; with scrypt's price for each try that outlasts whoever found the file.

Ask: TypeAlias = Callable[[str], str]
"""From what is asked for, in words, to the secret."""


class NoPassphrase(HeadendError):
    """Nobody can be asked, or what was given cannot be used."""


def ask(what: str) -> str:
    """The passphrase or PIN of something that exists."""
    return _given(FILE_VARIABLE) or _typed(what, FILE_VARIABLE)


def ask_new(what: str) -> str:
    """A passphrase that is chosen now: typed twice, and not a short one."""
    chosen = _given(NEW_FILE_VARIABLE)
    if chosen is None:
        chosen = _typed(f"{what}, mới / new", NEW_FILE_VARIABLE)
        if _typed(f"{what}, nhập lại / again", NEW_FILE_VARIABLE) != chosen:
            raise NoPassphrase("hai lần nhập không giống nhau, chưa thay đổi gì / the two differ; nothing was changed")
    if len(chosen) < NEW_LETTERS_MIN:
        raise NoPassphrase(
            f"mật khẩu mới quá ngắn / the new passphrase is too short: at least {NEW_LETTERS_MIN} characters, "
            "e.g. four words"
        )
    return chosen


def _given(variable: str) -> str | None:
    """The first line of the file that ``variable`` names; nothing where it is not set."""
    name = os.environ.get(variable)
    if not name:
        return None
    try:
        content = _read(Path(name), variable)
        # An editor on Windows begins a file with a mark that nobody sees, and that nobody could ever type.
        return _composed(content.decode("utf-8-sig").split("\n", 1)[0].removesuffix("\r"), variable)
    except OSError as error:
        raise NoPassphrase(f"{variable}={name}: không đọc được / cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        # Without its cause, which quotes what it could not read.
        raise NoPassphrase(
            f"{variable}={name}: không phải chữ UTF-8, viết mật khẩu ở dòng đầu / is not UTF-8 text; write the "
            "passphrase as its first line"
        ) from None


def _read(path: Path, variable: str) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NoPassphrase(
                f"{variable}={path}: người khác đọc được tệp, chmod 600, và đổi mật khẩu / others can read it; "
                "chmod 600, and choose a new passphrase"
            )
        return file.read(FILE_BYTES_MAX)


def _typed(what: str, variable: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on, and show what is typed
            return _composed(getpass.getpass(f"{what}: "), what)
    except KeyboardInterrupt as error:  # no success, or what follows in a script goes on with an older file
        raise NoPassphrase(f"{what}: bỏ dở, chưa làm gì / broken off; nothing was done") from error
    except UnicodeDecodeError:
        # Over a serial line or an old ssh, a backspace takes half a letter with a mark. Without its cause, which quotes
        # what was typed.
        raise NoPassphrase(
            f"{what}: có nửa chữ còn lại khi xóa lùi, chưa làm gì: gõ lại, gõ sai thì Ctrl-U xóa cả dòng / a backspace "
            "left half a letter; nothing was done: type it again, and after a slip delete the line by Ctrl-U"
        ) from None
    except (getpass.GetPassWarning, EOFError) as error:
        raise NoPassphrase(
            f"{what}: không có màn hình để nhập / no terminal to type it at; run this at one, or name in {variable} "
            "a file (mode 600) whose first line it is"
        ) from error


def _composed(text: str, where: str) -> str:
    """Some keyboards write Vietnamese marks apart: the same words must be the same secret."""
    if not text:
        raise NoPassphrase(f"{where}: để trống / is empty; nothing was done")
    return unicodedata.normalize("NFC", text)
