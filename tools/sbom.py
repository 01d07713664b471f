"""Decide what a station carries, and say it as a CycloneDX bill of materials.

From ``setup.cfg`` (what is needed at all), ``requirements/lock.txt`` (which versions and files), what is installed here
at these versions (what each needs in turn, the licence it declares, and what its wheel carries within by its own bill,
PEP 770: cryptography verifies every order with an OpenSSL of its own), and the tables of Debian's parts below. What
only development or this machine wants is not in it; what only a station with a secure element needs is called optional,
and what an installation by hand leaves there of its tools (``requirements/build.txt``, a compiler) excluded: no process
loads it. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from edge_agent import __version__
from tools.locked import BUILD, LOCK, ROOT, Locked, LockError, read

OUTPUT = ROOT / "build/sbom.cdx.json"
SETUP = ROOT / "setup.cfg"
PYTHONS = ("3.11", "3.12", "3.13")
"""What a station may carry, by setup.cfg. What only some of them need says so."""
MACHINES = ("aarch64", "armv7l", "x86_64")
SECURE_ELEMENT_EXTRA = "token"
LICENCE_CHARACTERS_MAX = 100  # a longer "License" field holds the licence's whole text, not its name

DEBIAN_PARTS = {
    "python3-defaults": "runs both processes",
    "glibc": "the C library, and its headers for what is compiled at the installation",
    "systemd": "starts, confines and restarts them; gives the decoder its walls",
    "openssl": "TLS 1.3 to the broker and the content server, by Python's ssl; signatures by the one in cryptography",
    "sqlite3": "the journal, by Python's sqlite3",
    "alsa-lib": "sound, by pyalsaaudio",
    "alsa-utils": "a technician's list of sound cards",
    "ffmpeg": "decodes audio, confined",
    "espeak-ng": "speaks an emergency's text, confined",
    "bubblewrap": "confines the decoder where there is no unit for it",
    "libseccomp": "the list of calls that a decoder may make, by ctypes",
    "tzdata": "the rules of local time",
}
"""Debian's source packages that a station needs, and what for; docs/operations.md has them installed, or systemd brings
them along. Their versions are an image's to say, and there is none yet."""
DEBIAN_AT_TIMES = {
    "tpm2-pkcs11": "speaks with a TPM",
    "tpm2-tools": "sets how a TPM forgives power cuts",
    "opensc": "makes the token in a TPM",
    "pkcs11-provider": "lets OpenSSL show a certificate whose key lies in an element",
}
"""The same of a station whose keys lie in a TPM."""
DEBIAN_LEFT_BEHIND = {
    "gcc-defaults": "compiles pyalsaaudio at the installation",
    "python-pip": "installs the Python packages, and stays in their environment",
}
"""The same of what an installation by hand needs and leaves there."""
DEBIAN_NOTE = "not determined here: what Debian or the station's image carries"
OPTIONAL_NOTE = "loaded only where a station's key lies in a secure element"
LEFT_BEHIND_NOTE = "installed to build what comes as source only; no process of a station loads it"
HASHES_NOTE = "of every file that may be installed as this version; one station has one of them"
UNTOLD = {"cffi": "libffi", "gpiod": "libgpiod"}
"""What lies within wheels that bring no bill of their own. Its version is not known here."""
WITHIN_NOTE = "within the wheel: Debian's updates do not reach it, a new version of the package does"
SCOPE_NOTES = {
    ComponentScope.OPTIONAL: {"edge-agent:optional": OPTIONAL_NOTE},
    ComponentScope.EXCLUDED: {"edge-agent:left-behind": LEFT_BEHIND_NOTE},
}


class NotSaid(Exception):
    """Something that the bill would have to say cannot be found out here."""


@dataclass(frozen=True, slots=True)
class Within:
    """A library that was compiled into a package's files. ``version`` None: not known."""

    name: str
    version: str | None
    purl: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What a package says of itself."""

    version: str
    requires: tuple[Requirement, ...]
    licence: str | None
    within: tuple[Within, ...] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """One Python package of a station."""

    locked: Locked
    licence: str | None
    pythons: tuple[str, ...]
    needs: frozenset[NormalizedName]
    within: tuple[Within, ...] = ()


Find = Callable[[NormalizedName], Installed | None]


def carried(roots: Sequence[Requirement], locked: Mapping[NormalizedName, Locked], find: Find) -> dict[str, Carried]:
    """Every package that these requirements bring along on some station, by name."""
    found: dict[NormalizedName, Carried] = {}
    find = cache(find)
    for python in PYTHONS:
        for machine in MACHINES:
            environment = _environment(python, machine)
            for name, needs in _closure(roots, environment, find).items():
                before = found.get(name) or _at_locked_version(name, locked, find)
                pythons = tuple(dict.fromkeys((*before.pythons, python)))
                found[name] = replace(before, pythons=pythons, needs=before.needs | needs)
    return {str(name): found[name] for name in sorted(found)}


def _closure(
    roots: Sequence[Requirement], environment: Mapping[str, str], find: Find
) -> dict[NormalizedName, frozenset[NormalizedName]]:
    found: dict[NormalizedName, frozenset[NormalizedName]] = {}
    waiting = _needed(roots, environment)
    while waiting:
        name = waiting.pop()
        found[name] = frozenset(_needed(_installed(name, find).requires, environment))
        waiting |= found[name] - found.keys()
    return found


def _needed(requirements: Sequence[Requirement], environment: Mapping[str, str]) -> set[NormalizedName]:
    holds = [one for one in requirements if one.marker is None or one.marker.evaluate(dict(environment))]
    for one in holds:
        if one.extras:
            raise NotSaid(f"{one.name} is wanted with extras; this reads none")
    return {canonicalize_name(one.name) for one in holds}


def _environment(python: str, machine: str) -> dict[str, str]:
    """What markers ask for, of a station and not of this machine."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }


def _installed(name: NormalizedName, find: Find) -> Installed:
    installed = find(name)
    if installed is None:
        raise NotSaid(f"{name} is not installed here, so what it needs and its licence are not known; use Python 3.13")
    return installed


def _at_locked_version(name: NormalizedName, locked: Mapping[NormalizedName, Locked], find: Find) -> Carried:
    if name not in locked:
        raise NotSaid(f"{name} is needed, but the lock does not name it; ./run lock writes it anew")
    installed = _installed(name, find)
    if installed.version != locked[name].version:
        raise NotSaid(f"{name} {installed.version} is installed, the lock says {locked[name].version}")
    return Carried(locked[name], installed.licence, (), frozenset(), installed.within)


def required(setup: Path = SETUP) -> list[Requirement]:
    """What every station asks for."""
    return _listed(setup, "options", "install_requires")


def optional(setup: Path = SETUP) -> list[Requirement]:
    """What a station with a secure element asks for beside it."""
    return _listed(setup, "options.extras_require", SECURE_ELEMENT_EXTRA)


def _listed(setup: Path, section: str, key: str) -> list[Requirement]:
    parser = configparser.ConfigParser()
    parser.read_string(setup.read_text("utf-8"))
    return [Requirement(line) for line in parser[section][key].splitlines() if line]


def find_here(name: NormalizedName) -> Installed | None:
    """What is installed in the environment that this runs in."""
    try:
        said = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    requires = tuple(Requirement(line) for line in said.requires or ())
    return Installed(said.version, requires, _licence(said.metadata), _within(name, said))


def _within(name: NormalizedName, said: metadata.Distribution) -> tuple[Within, ...]:
    """What the bills say that a wheel brings along, each thing once, by its name."""
    bills = [path for path in said.files or () if path.parent.name == "sboms" and path.suffix == ".json"]
    try:
        told = [one for bill in bills for one in json.loads(bill.read_text("utf-8")).get("components", ())]
        found = {Within(one["name"], one["version"], _where_from(one["purl"])) for one in told}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NotSaid(f"{name}: the bill within its wheel cannot be read: {exc}") from exc
    if name in UNTOLD:
        found.add(Within(UNTOLD[name], None, PackageURL("generic", name=UNTOLD[name]).to_string()))
    return tuple(sorted(found, key=lambda one: (one.name, one.version or "")))


def _licence(said: metadata.PackageMetadata) -> str | None:
    """As declared: the expression, or a name, or the last words of its classifier."""
    for field in ("License-Expression", "License"):
        declared = said.get_all(field, [""])[0].strip()
        if declared and len(declared) <= LICENCE_CHARACTERS_MAX and "\n" not in declared:
            return declared
    classifiers = [one for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    return classifiers[0].rpartition(" :: ")[2] if classifiers else None


@dataclass(frozen=True, slots=True)
class Station:
    """The Python packages of a station: all, those that it asks for itself, those that only some stations load.

    ``building``: what is installed beside them to build some, and needed by none.
    """

    packages: Mapping[str, Carried]
    direct: frozenset[str]
    optional: frozenset[str]
    building: Mapping[str, Carried]


def station(
    always: Sequence[Requirement],
    at_times: Sequence[Requirement],
    locked: Mapping[NormalizedName, Locked],
    build: Mapping[NormalizedName, Locked],
    find: Find,
) -> Station:
    """From what every station asks for, what some ask for beside it, and what builds it."""
    packages, everywhere = carried([*always, *at_times], locked, find), carried(always, locked, find)
    direct = frozenset(canonicalize_name(one.name) for one in (*always, *at_times))
    building = {
        str(name): replace(_at_locked_version(name, build, find), pythons=PYTHONS)
        for name in sorted(build)
        if name not in packages
    }
    return Station(packages, direct & packages.keys(), frozenset(packages.keys() - everywhere.keys()), building)


def bill(carries: Station, at: datetime, seed: str) -> Bom:
    """The bill. ``seed`` names its sources: the same one gives the same serial number."""
    agent = Component(
        name="edge-agent",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="edge-agent",
        purl=PackageURL("generic", name="edge-agent", version=__version__),
        licenses=_licences("Apache-2.0"),
    )
    required, optional, excluded = ComponentScope.REQUIRED, ComponentScope.OPTIONAL, ComponentScope.EXCLUDED
    python = {
        name: _python_component(one, optional if name in carries.optional else required)
        for name, one in carries.packages.items()
    }
    debian = [_debian_component(name, purpose, required) for name, purpose in DEBIAN_PARTS.items()]
    debian += [_debian_component(name, purpose, optional) for name, purpose in DEBIAN_AT_TIMES.items()]
    left_behind = [_debian_component(name, purpose, excluded) for name, purpose in DEBIAN_LEFT_BEHIND.items()]
    left_behind += [_python_component(one, excluded) for one in carries.building.values()]
    bom = Bom(
        components=[*python.values(), *debian, *left_behind],
        serial_number=uuid5(NAMESPACE_URL, seed),
        metadata=BomMetaData(component=agent, timestamp=at),
    )
    bom.register_dependency(agent, [*(python[name] for name in sorted(carries.direct)), *debian])
    for name, one in carries.packages.items():
        bom.register_dependency(python[name], [python[need] for need in sorted(one.needs)])
    return bom


def _python_component(one: Carried, scope: ComponentScope) -> Component:
    purl = PackageURL("pypi", name=one.locked.name, version=one.locked.version)
    notes = {"edge-agent:hashes": HASHES_NOTE, **SCOPE_NOTES.get(scope, {})}
    if one.pythons != PYTHONS:
        notes["edge-agent:python"] = ", ".join(one.pythons)
    return Component(
        name=one.locked.name,
        version=one.locked.version,
        bom_ref=purl.to_string(),
        purl=purl,
        scope=scope,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in one.locked.sha256],
        licenses=_licences(one.licence),
        properties=[Property(name=name, value=value) for name, value in notes.items()],
        components=[_component_within(each, purl) for each in one.within],
    )


def _where_from(purl: str) -> str:
    """What it is and of whom; not where its makers' builder had it from."""
    kind, owner, name, version, _, _ = PackageURL.from_string(purl)
    return PackageURL(kind, owner, name, version).to_string()


def _component_within(one: Within, package: PackageURL) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        bom_ref=f"{package}#{one.purl}",
        purl=PackageURL.from_string(one.purl),
        properties=[Property(name="edge-agent:within", value=WITHIN_NOTE)],
    )


def _debian_component(name: str, purpose: str, scope: ComponentScope) -> Component:
    purl = PackageURL("deb", "debian", name, qualifiers={"arch": "source"})
    return Component(
        name=name,
        type=ComponentType.APPLICATION,
        bom_ref=purl.to_string(),
        purl=purl,
        scope=scope,
        description=purpose,
        properties=[
            Property(name=name, value=value)
            for name, value in ({"edge-agent:version": DEBIAN_NOTE} | SCOPE_NOTES.get(scope, {})).items()
        ],
    )


def _licences(declared: str | None) -> list[License]:
    if declared is None:
        return []
    return [LicenseFactory().make_from_string(declared, license_acknowledgement=LicenseAcknowledgement.DECLARED)]


def changed_at(lock: Path) -> datetime:
    """When the lock was last changed: SOURCE_DATE_EPOCH, else its last commit, else (changed since) the file's time."""
    told = os.environ.get("SOURCE_DATE_EPOCH") or _committed_at(lock)
    return datetime.fromtimestamp(int(told) if told else int(lock.stat().st_mtime), UTC)


def _committed_at(lock: Path) -> str:
    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words, lock.name], cwd=lock.parent, capture_output=True, text=True, check=False)

    try:
        unchanged = git("diff", "--quiet", "HEAD", "--").returncode == 0
        return git("log", "-1", "--format=%ct", "--").stdout.strip() if unchanged else ""
    except FileNotFoundError:
        return ""


def written(bom: Bom) -> str:
    """The bill as it is kept: indented, and held to CycloneDX's own schema. Raises NotSaid where it does not fit."""
    text = JsonV1Dot6(bom).output_as_string(indent=1) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise NotSaid(f"the bill is not valid CycloneDX 1.6: {wrong}")
    return text


def make(setup: Path = SETUP, lock: Path = LOCK, build: Path = BUILD, find: Find = find_here) -> str:
    """The whole bill as text. Raises NotSaid or LockError."""
    carries = station(required(setup), optional(setup), read(lock), read(build), find)
    seed = "\0".join(["edge-agent", __version__, *(path.read_text("utf-8") for path in (setup, lock, build))])
    return written(bill(carries, changed_at(lock), seed))


def main(argv: Sequence[str] | None = None, make: Callable[[], str] = make) -> int:
    """The exit status."""
    arguments = _parser().parse_args(argv)
    try:
        text = make()
    except (NotSaid, LockError) as exc:
        print(f"sbom: {exc}", file=sys.stderr)
        return 1
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text, "utf-8")
    digests, within = text.count('"alg": "SHA-256"'), text.count('"edge-agent:within"')
    packages, debian = text.count('"bom-ref": "pkg:pypi/') - within, text.count('"bom-ref": "pkg:deb/')
    figures = f"{packages} Python packages with {digests} hashes and {within} libraries within them"
    figures += f", {debian} parts of Debian without versions"
    print(f"sbom: {arguments.output}: CycloneDX 1.6, valid; {figures}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run sbom", description="A CycloneDX bill of what a station carries.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to write it (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
