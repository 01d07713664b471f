"""Write requirements/station.txt: of the lock, what a station carries and no more, hash by hash.

What that is, ``tools/sbom.py`` decides; this copies the lock's own lines. ``./run lock`` and ``python -m
tools.station_lock`` write; with ``--check`` it fails where something differs.
"""

from __future__ import annotations

import re
import sys

from packaging.utils import canonicalize_name

from tools import sbom
from tools.document import keep
from tools.locked import LOCK, ROOT, read

STATION = ROOT / "requirements/station.txt"
HEAD = "# Made by python -m tools.station_lock from requirements/lock.txt; do not edit.\n"
ENTRY = re.compile(r"^([a-z0-9][a-z0-9._-]*)==.*\n(?:[ \t]+.*\n)*", re.MULTILINE)


def cut(lock: str, names: frozenset[str]) -> str:
    """The entries of these packages as they stand in the lock, in its order."""
    return HEAD + "".join(entry[0] for entry in ENTRY.finditer(lock) if canonicalize_name(entry[1]) in names)


def made() -> str:
    """The file as it should be. Raises NotSaid or LockError, as the bill of materials does."""
    packages = sbom.carried(sbom.required() + sbom.optional(), read(LOCK), sbom.find_here)
    return cut(LOCK.read_text("utf-8"), frozenset(packages))


if __name__ == "__main__":
    sys.exit(keep(STATION, lambda _: made()))
