"""Load the libraries of PKCS#11 tokens, and give each failure a name and a remedy. Knows no keys (``token``).

They are loaded only when a token is used: most headends have none, and few stations.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge_agent.element import IN_USE

if TYPE_CHECKING:
    import pkcs11

PULLED_OUT = "was it pulled out? Plug it in again, and repeat the command; a TPM fails so with a card of another board"

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class TokenError(Exception):
    """A token cannot be used; the text says what to do. Each kind is a class of its own."""


class NoTokenLibrary(TokenError):
    """python-pkcs11, or the token's own library, cannot be loaded."""


class TokenAbsent(TokenError):
    """No such token is plugged in."""


class WrongPin(TokenError):
    """Not this token's PIN."""


class PinLocked(TokenError):
    """Too many wrong PINs."""


class KeyAbsent(TokenError):
    """The token is there, the key is not on it."""


class OtherKey(TokenError):
    """What signed is not the key of the note."""


class TokenFailed(TokenError):
    """It answered with an error, or was pulled out."""


def p11() -> ModuleType:
    """python-pkcs11."""
    try:
        import pkcs11
    except ImportError as error:
        raise NoTokenLibrary(
            "thiếu thư viện Python cho thiết bị ký số / the Python library for tokens is missing: "
            "pip install 'edge-agent[token]'"
        ) from error
    return pkcs11


def tokens(module: str, label: str) -> list[pkcs11.Token]:
    """Those of that label that are plugged in, as the library ``module`` sees them."""
    python = p11()
    if why := _not_for_root(Path(module)):
        raise _cannot_load(module, why)
    try:
        with IN_USE:
            loaded = python.lib(module)
    except python.PKCS11Error as error:
        raise _cannot_load(module, str(error) or type(error).__name__) from error
    with failures(label):
        return list(loaded.get_tokens(token_label=label))


def _not_for_root(module: Path) -> str:
    """Why root does not load it: a note, which the service can write, names what then runs as root. Else ""."""
    if os.geteuid() != 0:
        return ""
    try:
        real = module.resolve(strict=True)
        others = next((one for one in (module, *module.parents, real, *real.parents) if _others_change(one)), None)
    except OSError as error:
        return str(error)
    if others is None:
        return ""
    return f"root chỉ nạp thư viện của root / root loads root's own alone, and others can change {others}"


def _others_change(path: Path) -> bool:
    seen = path.lstat()
    return seen.st_uid != 0 or (not stat.S_ISLNK(seen.st_mode) and bool(seen.st_mode & OTHERS_WRITE))


def _cannot_load(module: str, why: str) -> NoTokenLibrary:
    return NoTokenLibrary(
        f"thư viện của thiết bị ký số / token library {module}: cannot be loaded ({why}); install what came with the "
        "token and name its .so with its whole path. A TPM: is it there (/dev/tpmrm0), may we open it, is "
        "TPM2_PKCS11_STORE its folder?"
    )


@contextmanager
def failures(label: str, remedy: str = PULLED_OUT) -> Iterator[None]:
    """Within it nobody else is in the library, whose errors have names and no words."""
    try:
        with IN_USE:
            yield
    except p11().PKCS11Error as error:
        raise TokenFailed(f"token {label}: thiết bị báo lỗi / failed ({type(error).__name__}): {remedy}") from error
