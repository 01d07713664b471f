"""PKCS#11 tokens of software: SoftHSM's library, each test with tokens of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
import pytest

from tests.host.parts import needs

PIN = "so-pin-khong-lo-4711"
SO_PIN = "so-pin-of-the-officer-0815"
NEEDS_SOFTHSM = (needs("softhsm2-util"), pytest.mark.host)
_CONFIGURATION = "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"


def library() -> str:
    """Where Debian puts the library: in a folder of its own, or in one for each architecture."""
    found = [path for place in ("lib", "lib/*") for path in Path("/usr").glob(f"{place}/softhsm/libsofthsm2.so")]
    return str(found[0])


class Drawer:
    """Tokens that are plugged in, until they are pulled."""

    def __init__(self, place: Path) -> None:
        self.module = library()
        self._tokens, self._away = place / "tokens", place / "away"
        self._tokens.mkdir(parents=True)
        self.configuration = place / "softhsm2.conf"
        self.configuration.write_text(_CONFIGURATION.format(self._tokens))

    def plug_in_new(self, label: str) -> str:
        """A fresh token; returns its serial number."""
        words = ("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN)
        self._util(*words)
        slots = self._util("--show-slots")
        serials = re.findall(r"Serial number:\s+(\w+)\s+Initialized:\s+yes.*?Label:\s+(\S+)", slots, re.DOTALL)
        return next(serial for serial, named in serials if named == label)

    def pull_all(self) -> None:
        self._tokens.rename(self._away)
        self._tokens.mkdir()

    def plug_in_again(self) -> None:
        self._tokens.rmdir()
        self._away.rename(self._tokens)

    def _util(self, *words: str) -> str:
        environment = {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}
        return subprocess.run(
            ["softhsm2-util", *words], env=environment, check=True, capture_output=True, text=True
        ).stdout


@contextmanager
def drawer(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawer]:
    """A drawer that this process sees too: the library reads its configuration when it is initialised."""
    made = Drawer(place)
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    pkcs11.lib(made.module).reinitialize()
    yield made
    pkcs11.lib(made.module).finalize()


def see_again(made: Drawer) -> None:
    """As a new process would: tokens that were initialised meanwhile, nobody logged in."""
    pkcs11.lib(made.module).reinitialize()
