"""The folder of officers' and servers' private keys: which there are, where each lies, and who signs with it.

ROLE-N.pem      a file, with or without a passphrase (``key_files``)
ROLE-N.token    the note of a key on a PKCS#11 token (``token``)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import make_private_directory
from edge_agent.headend.key_files import KeptKey, lock_key, new_private, read_key, write_key
from edge_agent.headend.passphrases import Ask, ask, ask_new
from edge_agent.headend.token import find_token, log_in, make_key, read_note, write_note
from edge_agent.trust.fields import NAME
from edge_agent.trust.keys import Scheme, Signer, UnusableKey

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

    def of_role(self, role: str) -> list[str]:
        """The keys ``ROLE-N`` of a role, by their numbers."""
        named = [name.rpartition("-") for name in self.names()]
        numbers = sorted(int(number) for own, _, number in named if own == role and number.isdigit())
        return [f"{role}-{number}" for number in numbers]

    def retire(self, name: str) -> None:
        """Move a key that orders nothing any more out of the way: for whoever must show what it was, or destroy it."""
        retired = self.directory / RETIRED
        make_private_directory(retired)
        path = self._path(name)
        path.rename(retired / path.name)

    def key(self, name: str) -> KeptKey:
        """The key ``ROLE-N``; a bare role name means its first one. Asks for nothing."""
        path = self._path(name)
        try:
            return read_key(path) if path.suffix == FILE else read_note(path)
        except (OSError, UnusableKey) as error:
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
            raise KeyringError(f"key {name}: lies on a token, whose PIN its own tool changes; a file is needed")
        try:
            lock_key(path, self._ask, asking_new)
        except (OSError, UnusableKey) as error:
            raise KeyringError(f"key {name}: {error}") from error

    def _path(self, name: str) -> Path:
        for stem in (name, *self.of_role(name)[:1]):
            found = [self.directory / f"{stem}{ending}" for ending in (FILE, NOTE)]
            there = [path for path in found if NAME.pattern.fullmatch(name) and path.exists()]
            if len(there) > 1:
                raise KeyringError(f"key {name}: {there[0].name} and {there[1].name} exist; move the wrong one away")
            if there:
                return there[0]
        known = ", ".join(self.names())
        raise KeyringError(f"key: no {name!r} in {self.directory}; there are {known or 'none'}")


@dataclass(frozen=True, slots=True)
class Wish:
    """Where new keys shall lie. ``labels``: a key's or role's name, or EVERY_KEY, to the label of its token."""

    scheme: Scheme | None = None
    passphrases: bool = False
    module: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str | None:
        """The token for the key ``ROLE-N``; None stands for a file."""
        role = name.rpartition("-")[0]
        return next((self.labels[one] for one in (name, role, EVERY_KEY) if one in self.labels), None)


def plain_file(directory: Path, name: str) -> Signer:
    """A file that anybody uses who can read it: for servers, which start with nobody there to ask."""
    return write_key(directory / f"{name}{FILE}", new_private(Scheme.ED25519), None)


def prepare(names: Sequence[str], wish: Wish, asking: Ask = ask, asking_new: Ask = ask_new) -> MakeKey:
    """How to make each of these keys. Every passphrase and PIN is asked for here, before anything has been made."""
    meant = {role for name in names for role in (name, name.rpartition("-")[0])}
    if unknown := wish.labels.keys() - meant - {EVERY_KEY}:
        raise KeyringError(f"--token-label {', '.join(sorted(unknown))}: no such key; there will be {', '.join(names)}")
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

    return make
