"""The folder of officers' and servers' private keys: which there are, where each lies, and who signs with it.

ROLE-N.pem      a file, with or without a passphrase (``key_files``)
ROLE-N.token    the note of a key on a PKCS#11 token (``token``)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import make_private_directory
from edge_agent.headend.key_files import KeptKey, lock_key, new_private, read_key, write_key
from edge_agent.headend.passphrases import Ask, ask, ask_new
from edge_agent.identity.token import (
    TokenKey,
    find_token,
    log_in,
    make_key,
    names_on,
    read_note,
    serial_of,
    write_note,
)
from edge_agent.trust.fields import NAME
from edge_agent.trust.keys import PublicKey, Scheme, Signer, UnusableKey

FILE, NOTE = ".pem", ".token"
EVERY_KEY = ""
RETIRED = "retired"

MakeKey: TypeAlias = Callable[[Path, str], Signer]
"""Makes the key of that name in that folder, ready to sign."""


class KeyFolder:
    """Opens each key at most once, so that nobody is asked twice for the same passphrase or PIN."""

    def __init__(self, directory: Path, asking: Ask = ask) -> None:
        self.directory = directory
        self._ask = asking
        self._open: dict[str, Signer] = {}

    def names(self) -> list[str]:
        """Every ``ROLE-N``."""
        return sorted({path.stem for ending in (FILE, NOTE) for path in self.directory.glob(f"[!.]*{ending}")})

    def readable(self) -> dict[str, PublicKey]:
        """What can be read of them: one damaged file, which may be the one to be replaced, hides no other."""
        found: dict[str, PublicKey] = {}
        for name in self.names():
            with contextlib.suppress(KeyringError):
                found[name] = self.key(name).public
        return found

    def of_role(self, role: str) -> list[str]:
        """The keys ``ROLE-N`` of a role, by their numbers."""
        numbers = [number for own, number in map(_split, self.names()) if own == role and number]
        return [f"{role}-{number}" for number in sorted(numbers)]

    def retire(self, name: str) -> bool:
        """Move a key that orders nothing any more out of the way, for whoever must show what it was, or destroy it.

        False: it does not lie here.
        """
        retired = self.directory / RETIRED
        make_private_directory(retired)
        there = [self.directory / f"{name}{ending}" for ending in (FILE, NOTE)]
        for path in (path for path in there if path.exists()):
            path.rename(retired / path.name)
            return True
        return False

    def is_retired(self, name: str) -> bool:
        """Whether ``retire`` has moved it."""
        return any((self.directory / RETIRED / f"{name}{ending}").exists() for ending in (FILE, NOTE))

    def new_name(self, role: str, besides: Collection[str], unnamed: int = 0) -> str:
        """The next number of a role: what was ever called so, here or among ``besides``, is not given out again.

        ``unnamed`` keys of it lie elsewhere, nobody knows under which numbers: one that comes back overwrites no other.
        """
        retired = [path.stem for path in (self.directory / RETIRED).glob(f"{role}-*")]
        numbers = [_split(one)[1] for one in (*self.of_role(role), *retired, *besides) if _split(one)[0] == role]
        return f"{role}-{max(numbers, default=0) + unnamed + 1}"

    def discard(self, name: str) -> None:
        """A key that was made for documents which then were not signed; on a token it stays, named by nothing."""
        for ending in (FILE, NOTE):
            (self.directory / f"{name}{ending}").unlink(missing_ok=True)

    def key(self, name: str) -> KeptKey:
        """The key ``ROLE-N``; a bare role name means its first one. Asks for nothing."""
        path = self._path(name)
        try:
            return read_key(path) if path.suffix == FILE else read_note(path)
        except OSError as error:
            raise KeyringError(f"key {name}: không đọc được / {error}") from error
        except UnusableKey as error:
            raise KeyringError(f"key {name}: {error}") from error

    def signer(self, name: str) -> Signer:
        """The key, ready to sign; asks for its passphrase or PIN, once."""
        stem = self._path(name).stem
        if stem not in self._open:
            try:
                self._open[stem] = self.key(stem).open(self._ask)
            except UnusableKey as error:
                raise KeyringError(f"key {name}: {error}") from error
        return self._open[stem]

    def protect(self, name: str, asking_new: Ask = ask_new) -> None:
        """Put a key file under a new passphrase."""
        path = self._path(name)
        if path.suffix == NOTE:
            raise KeyringError(
                f"key {name}: nằm trong thiết bị ký, đổi PIN bằng công cụ của thiết bị / lies on a token, whose PIN "
                "its own tool changes; a file is needed"
            )
        try:
            lock_key(path, self._ask, asking_new)
        except OSError as error:
            raise KeyringError(
                f"key {name}: {path}: không ghi được, khóa vẫn như cũ / cannot be written, the key is as it was "
                f"({error.strerror})"
            ) from error
        except UnusableKey as error:
            raise KeyringError(f"key {name}: {error}") from error

    def _path(self, name: str) -> Path:
        for stem in (name, *self.of_role(name)[:1]):
            found = [self.directory / f"{stem}{ending}" for ending in (FILE, NOTE)]
            there = [path for path in found if NAME.pattern.fullmatch(name) and path.exists()]
            if len(there) > 1:
                one, other = there[0].name, there[1].name
                raise KeyringError(
                    f"key {name}: có cả {one} và {other}, chuyển tệp sai đi nơi khác / {one} and {other} exist; move "
                    "the wrong one away"
                )
            if there:
                return there[0]
        known = ", ".join(self.names())
        raise KeyringError(
            f"key: không có {name!r} / no {name!r} in {self.directory}; có / there are {known or 'none'}"
        )


def role_of(name: str) -> str:
    """``ward-routine-2`` -> ``ward-routine``, and a bare role is itself."""
    return _split(name)[0]


def _split(name: str) -> tuple[str, int]:
    """Role and number; 0 of a bare role."""
    role, _, number = name.rpartition("-")
    return (role, int(number)) if role and number.isdecimal() and number.isascii() else (name, 0)


@dataclass(frozen=True, slots=True)
class Wish:
    """Where new keys shall lie. ``labels``: a key's or role's name, or EVERY_KEY, to the label of its token."""

    scheme: Scheme | None = None
    passphrases: bool = False
    module: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str | None:
        """The token for the key ``ROLE-N``; None stands for a file."""
        return next((self.labels[one] for one in (name, role_of(name), EVERY_KEY) if one in self.labels), None)


def beside(keys: KeyFolder, name: str, wish: Wish) -> frozenset[str]:
    """Which other keys lie on the token that shall hold ``name``: by its own word, and by the notes here."""
    label = wish.label(name)
    if label is None:
        return frozenset()
    token, noted = find_token(wish.module, label), set[str]()
    for one in keys.names():
        with contextlib.suppress(KeyringError):
            kept = keys.key(one)
            if isinstance(kept, TokenKey) and (kept.token, kept.serial) == (label, serial_of(token)):
                noted.add(one)
    return (names_on(token) | noted) - {name}


def plain_file(directory: Path, name: str) -> Signer:
    """A file that anybody uses who can read it: for servers, which start with nobody there to ask."""
    return write_key(directory / f"{name}{FILE}", new_private(Scheme.ED25519), None)


def prepare(names: Sequence[str], wish: Wish, asking: Ask = ask, asking_new: Ask = ask_new) -> MakeKey:
    """How to make each of these keys. What is asked for to make them is asked for here, before anything is made."""
    meant = {role for name in names for role in (name, role_of(name))}
    if unknown := wish.labels.keys() - meant - {EVERY_KEY}:
        raise KeyringError(
            f"--token-label {', '.join(sorted(unknown))}: không có khóa tên đó, sẽ có / no such key; there will be "
            f"{', '.join(names)}"
        )
    labels = {name: label for name in names if (label := wish.label(name)) is not None}
    sessions = {label: log_in(find_token(wish.module, label), asking) for label in dict.fromkeys(labels.values())}
    files = [name for name in names if name not in labels] if wish.passphrases else []
    passphrases = {name: asking_new(f"mật khẩu cho khóa / passphrase for key {name}") for name in files}

    def make(directory: Path, name: str) -> Signer:
        if name not in labels:
            private = new_private(wish.scheme or Scheme.ED25519)
            return write_key(directory / f"{name}{FILE}", private, passphrases.get(name))
        # Few tokens know Ed25519.
        made = make_key(sessions[labels[name]], wish.module, name, wish.scheme or Scheme.ECDSA_P256)
        write_note(directory / f"{name}{NOTE}", made.note)
        return made

    def make_or_tell(directory: Path, name: str) -> Signer:
        try:
            return make(directory, name)
        except OSError as error:
            raise KeyringError(
                f"key {name}: không ghi được vào / cannot be written to {directory} ({error.strerror})"
            ) from error

    return make_or_tell
