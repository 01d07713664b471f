"""Decide what a hashed lock names: each package with its one version and its hashes, or that it is no such lock.

For ``./run sbom`` and ``./run audit``, which must speak of what is installed and of nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements/lock.txt"
BUILD = ROOT / "requirements/build.txt"
HASH = re.compile(r"\s+--hash=")
SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


class LockError(Exception):
    """A file that does not say, for every package, which version and which files it means."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One package. Whether it is for every system is the marker's to say, and here of no interest."""

    name: NormalizedName
    version: str
    sha256: tuple[str, ...]
    """Of each file that may be installed as this version: the sources, and one for each kind of system."""


def read(*paths: Path) -> dict[NormalizedName, Locked]:
    """What these locks name together, by name. Raises LockError where two of them disagree."""
    found: dict[NormalizedName, Locked] = {}
    for path in paths:
        for package in _packages(path):
            known = found.setdefault(package.name, package)
            if known.version != package.version:
                raise LockError(f"{path.name}: {package.name} {package.version}, but elsewhere {known.version}")
    return found


def _packages(path: Path) -> list[Locked]:
    lines = path.read_text("utf-8").replace("\\\n", " ").splitlines()
    packages = [_package(path, line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    if not packages:
        raise LockError(f"{path.name} names no package")
    return packages


def _package(path: Path, line: str) -> Locked:
    head, *hashes = HASH.split(line)
    try:
        requirement = Requirement(head)
    except InvalidRequirement as exc:
        raise LockError(f"{path.name}: not a package with a version: {head}") from exc
    pins = list(requirement.specifier)
    if len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise LockError(f"{path.name}: {requirement.name} has not one version")
    digests = [SHA256.fullmatch(written) for written in hashes]
    if not digests or None in digests:
        raise LockError(f"{path.name}: {requirement.name} has no SHA-256, or something else instead of one")
    return Locked(
        name=canonicalize_name(requirement.name),
        version=pins[0].version,
        sha256=tuple(sorted(digest[1] for digest in digests if digest)),
    )
