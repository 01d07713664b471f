"""Tell which software this is: its release, and a mark of the very files that are installed.

A release stands for many states of the sources, and a file may be altered or damaged on a card. The same mark is the
same software, in any folder and on any machine.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from edge_agent import __version__

PACKAGE = Path(__file__).parent
KINDS = frozenset({".py", ".toml", ".json", ".txt"})
# What of the package runs or is read (setup.cfg installs these).
MARK_DIGITS = 8
UNREAD = "unread"


def version(package: Path = PACKAGE) -> str:
    """The release, and behind ``+`` the mark (PEP 440): ``0.1.0+3f9a1c2e``; ``0.1.0+unread`` where a file is no good.

    Reads 3 MB, so once in a process.
    """
    try:
        return f"{__version__}+{_mark(package)}"
    except OSError:  # a bad sector under a file that is never loaded keeps nobody from starting
        return f"{__version__}+{UNREAD}"


def software() -> str:
    """As a station names itself in all that it says: ``edge-agent 0.1.0+3f9a1c2e``."""
    return f"edge-agent {version()}"


class ShowVersion(argparse.Action):
    """``--version``. No other task pays for the mark."""

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="phiên bản / the version", **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"{parser.prog} {version()}")
        parser.exit()


def _mark(package: Path) -> str:
    told = hashlib.sha256()
    files = {file.relative_to(package).as_posix(): file for file in package.rglob("*") if file.suffix in KINDS}
    for name, file in sorted(files.items()):
        told.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()[:MARK_DIGITS]
