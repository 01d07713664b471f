"""The bill of materials names what a station carries, no more and no less, and is the same each time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.backends.openssl import backend
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tools import sbom
from tools.locked import BUILD, LOCK, ROOT, Locked, read
from tools.station_lock import STATION

A, B = "a" * 64, "b" * 64
AT = datetime(2026, 9, 1, tzinfo=UTC)
SOURCES = {
    "python3-venv": "python3-defaults",
    "python3-dev": "python3-defaults",
    "gcc": "gcc-defaults",
    "libc6-dev": "glibc",
    "libasound2-dev": "alsa-lib",
    "libtpm2-pkcs11-1": "tpm2-pkcs11",
}
"""Of Debian's packages that the operations have installed: those that are built from one with another name."""

WORLD = {
    "player": sbom.Installed("1.0", (Requirement("sound>=2"), Requirement("extra; extra=='x'")), "MIT"),
    "sound": sbom.Installed("2.0", (Requirement("old; python_version<'3.12'"),), "an own licence"),
    "old": sbom.Installed("0.1", (Requirement("Player"),), None),
    "windows": sbom.Installed("1.0", (), "MIT"),
    "secure": sbom.Installed("3.0", (Requirement("chip"), Requirement("sound")), "MIT"),
    "chip": sbom.Installed("1.0", (), "MIT"),
    "tester": sbom.Installed("9.0", (), "MIT"),
    "builder": sbom.Installed("4.0", (), "MIT", (sbom.Within("crate", "1.5", "pkg:cargo/crate@1.5"),)),
}
ROOTS = [Requirement("player>=1"), Requirement("windows; sys_platform=='win32'")]


def find(name: NormalizedName) -> sbom.Installed | None:
    return WORLD.get(name)


def locks(**versions: str) -> dict[NormalizedName, Locked]:
    known = {canonicalize_name(name): one.version for name, one in WORLD.items()}
    known |= {canonicalize_name(name): version for name, version in versions.items()}
    return {name: Locked(name, version, (A, B)) for name, version in known.items()}


def build(*names: str) -> dict[NormalizedName, Locked]:
    return {name: one for name, one in locks().items() if name in names}


def bill(seed: str = "lock 1") -> dict[str, Any]:
    carries = sbom.station(ROOTS, [Requirement("secure")], locks(), build("builder", "sound"), find)
    bom: dict[str, Any] = json.loads(sbom.written(sbom.bill(carries, AT, seed)))
    return bom


def component(bom: dict[str, Any], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in bom["components"] if one["name"] == name]
    assert len(found) == 1
    return found[0]


def test_what_is_needed_in_turn_is_carried_and_what_only_tests_or_other_systems_need_is_not() -> None:
    assert list(sbom.carried(ROOTS, locks(), find)) == ["old", "player", "sound"]


@pytest.mark.parametrize("machine", ["aarch64", "armv7l", "x86_64"])
def test_what_only_one_processor_needs_is_carried_wherever_the_bill_is_made(machine: str) -> None:
    only_there = Requirement(f"chip; platform_machine=='{machine}'")
    assert "chip" in sbom.carried([*ROOTS, only_there], locks(), find)


def test_what_only_an_older_python_needs_says_so() -> None:
    found = sbom.carried(ROOTS, locks(), find)
    assert {name: one.pythons for name, one in found.items()} == {
        "old": ("3.11",),
        "player": sbom.PYTHONS,
        "sound": sbom.PYTHONS,
    }
    assert {"name": "edge-agent:python", "value": "3.11"} in component(bill(), "old")["properties"]


def test_a_package_carries_its_version_every_hash_and_the_licence_that_it_declares() -> None:
    bom = bill()
    sound = component(bom, "sound")
    assert (sound["version"], sound["purl"]) == ("2.0", "pkg:pypi/sound@2.0")
    assert sound["hashes"] == [{"alg": "SHA-256", "content": A}, {"alg": "SHA-256", "content": B}]
    assert sound["licenses"] == [{"license": {"acknowledgement": "declared", "name": "an own licence"}}]
    assert component(bom, "player")["licenses"] == [{"license": {"acknowledgement": "declared", "id": "MIT"}}]
    assert "licenses" not in component(bom, "old")


def test_who_needs_what_is_told() -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill()["dependencies"]}
    assert needs["pkg:pypi/player@1.0"] == ["pkg:pypi/sound@2.0"]
    assert needs["pkg:pypi/old@0.1"] == ["pkg:pypi/player@1.0"]
    own = [ref for ref in needs["edge-agent"] if ref.startswith("pkg:pypi/")]
    assert own == ["pkg:pypi/player@1.0", "pkg:pypi/secure@3.0"]


def test_what_only_a_station_with_a_secure_element_loads_is_optional() -> None:
    python = [one for one in bill()["components"] if one["purl"].startswith("pkg:pypi/")]
    assert {one["name"]: one["scope"] for one in python} == {
        "builder": "excluded",
        "chip": "optional",
        "old": "required",
        "player": "required",
        "secure": "optional",
        "sound": "required",
    }


def test_what_builds_a_station_and_stays_on_it_is_named_as_loaded_by_nothing() -> None:
    bom = bill()
    left = component(bom, "builder")
    assert (left["purl"], left["hashes"][0]) == ("pkg:pypi/builder@4.0", {"alg": "SHA-256", "content": A})
    assert {"name": "edge-agent:left-behind", "value": sbom.LEFT_BEHIND_NOTE} in left["properties"]
    assert component(bom, "sound")["scope"] == "required", "it builds too, and is loaded as well"
    assert {component(bom, name)["scope"] for name in sbom.DEBIAN_LEFT_BEHIND} == {"excluded"}


def test_what_was_compiled_into_a_package_is_named_within_it() -> None:
    (crate,) = component(bill(), "builder")["components"]
    assert (crate["name"], crate["version"], crate["purl"]) == ("crate", "1.5", "pkg:cargo/crate@1.5")
    assert "components" not in component(bill(), "sound")


@pytest.mark.parametrize("broken", ["", "[]", '{"components": [{"name": "openssl"}]}', '{"components": 7}'])
def test_a_bill_within_a_wheel_that_cannot_be_read_is_not_left_out_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    told = tmp_path / "native-1.0.dist-info"
    (told / "sboms").mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: native\nVersion: 1.0\n")
    (told / "RECORD").write_text("native-1.0.dist-info/METADATA,,\nnative-1.0.dist-info/sboms/own.json,,\n")
    (told / "sboms" / "own.json").write_text('{"components": []}')
    monkeypatch.syspath_prepend(tmp_path)
    native = canonicalize_name("native")
    assert sbom.find_here(native) == sbom.Installed("1.0", (), None)
    (told / "sboms" / "own.json").write_text(broken)
    with pytest.raises(sbom.NotSaid, match="native: the bill within its wheel cannot be read"):
        sbom.find_here(native)


@pytest.mark.host
def test_the_openssl_that_verifies_orders_is_in_it_beside_debians() -> None:
    """Whoever looks for a hole of OpenSSL must find both; one has not Debian's version, nor its updates."""
    bom = json.loads(sbom.make())
    within = {one["purl"]: one["name"] for one in component(bom, "cryptography")["components"]}
    (openssl,) = [purl for purl, name in within.items() if name == "openssl" and not purl.startswith("pkg:cargo/")]
    assert f"OpenSSL {openssl.partition('@')[2]} " in backend.openssl_version_text()
    assert [one["name"] for name in ("cffi", "gpiod") for one in component(bom, name)["components"]] == [
        "libffi",
        "libgpiod",
    ]


def test_what_builds_is_named_at_the_locked_version_or_not_at_all() -> None:
    other = {one.name: Locked(one.name, "4.1", (A,)) for one in build("builder").values()}
    with pytest.raises(sbom.NotSaid, match=r"builder 4\.0 is installed, the lock says 4\.1"):
        sbom.station(ROOTS, [], locks(), other, find)


def test_debians_parts_are_named_and_no_version_is_claimed_for_them() -> None:
    bom = bill()
    for name in (*sbom.DEBIAN_PARTS, *sbom.DEBIAN_AT_TIMES, *sbom.DEBIAN_LEFT_BEHIND):
        part = component(bom, name)
        assert "version" not in part
        assert {"name": "edge-agent:version", "value": sbom.DEBIAN_NOTE} in part["properties"]


@pytest.mark.parametrize(
    ("versions", "missing", "why"),
    [
        ({"sound": "2.1"}, "", r"sound 2\.0 is installed, the lock says 2\.1"),
        ({}, "old", "old is not installed here"),
    ],
    ids=["another version", "not installed"],
)
def test_what_is_not_known_is_not_guessed(versions: dict[str, str], missing: str, why: str) -> None:
    with pytest.raises(sbom.NotSaid, match=why):
        sbom.carried(ROOTS, locks(**versions), lambda name: None if name == missing else find(name))


def test_what_the_lock_does_not_name_is_not_carried_in_silence() -> None:
    known = locks()
    del known[canonicalize_name("sound")]
    with pytest.raises(sbom.NotSaid, match="sound is needed, but the lock does not name it"):
        sbom.carried(ROOTS, known, find)


def test_a_requirement_with_extras_is_not_read_as_one_without() -> None:
    with pytest.raises(sbom.NotSaid, match="player is wanted with extras"):
        sbom.carried([Requirement("player[x]")], locks(), find)


def test_a_bill_that_is_no_cyclonedx_is_not_written() -> None:
    of_no_form = {name: Locked(name, one.version, ("no digest",)) for name, one in locks().items()}
    carries = sbom.station(ROOTS, [], of_no_form, {}, find)
    with pytest.raises(sbom.NotSaid, match=r"not valid CycloneDX 1\.6"):
        sbom.written(sbom.bill(carries, AT, "lock 1"))


def test_the_same_sources_have_the_same_serial_number_and_others_another() -> None:
    assert bill()["serialNumber"] == bill()["serialNumber"]
    assert bill()["serialNumber"] != bill(seed="lock 2")["serialNumber"]


def test_the_time_is_the_builders_else_the_locks_last_commit_else_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one", "utf-8")
    os.utime(lock, (3000, 3000))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert sbom.changed_at(lock).timestamp() == 3000
    if shutil.which("git"):
        who = {f"GIT_{role}_{what}": "a@example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        for words in (("init", "-q"), ("add", "lock.txt"), ("commit", "-q", "-m", "one", "--no-gpg-sign")):
            own = os.environ | who | {"GIT_COMMITTER_DATE": "@2000 +0000", "GIT_CONFIG_GLOBAL": os.devnull}
            subprocess.run(["git", *words], cwd=tmp_path, env=own, check=True)
        assert sbom.changed_at(lock).timestamp() == 2000
        lock.write_text("changed since", "utf-8")
        os.utime(lock, (4000, 4000))
        assert sbom.changed_at(lock).timestamp() == 4000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    assert sbom.changed_at(lock).timestamp() == 1000


def test_every_part_of_debian_that_the_operations_install_is_in_it() -> None:
    operations = (ROOT / "docs/operations.md").read_text("utf-8")
    installed = re.findall(r"^sudo apt(?:-get)? install (.+)$", operations, re.MULTILINE)
    assert len(installed) == 4, "a station's and a TPM's, in each language"
    named = sbom.DEBIAN_PARTS | sbom.DEBIAN_AT_TIMES | sbom.DEBIAN_LEFT_BEHIND
    for line in installed:
        assert {SOURCES.get(name, name) for name in line.split()} - named.keys() == set()


OF_EVERY_DEBIAN = {"cat"}
"""In a package that is marked as essential, without which no system is installed: not a station's own."""


def test_every_library_that_is_loaded_by_name_is_in_it() -> None:
    """No package asks for it, so no list of packages shows it."""
    sources = (path.read_text("utf-8") for path in (ROOT / "edge_agent").rglob("*.py"))
    assert {name for text in sources for name in re.findall(r'"(lib\w+)\.so[.0-9]*"', text)} == {"libseccomp"}
    assert "libseccomp" in sbom.DEBIAN_PARTS


def test_every_program_that_a_unit_runs_is_in_it() -> None:
    units = "\n".join(path.read_text("utf-8") for path in (ROOT / "systemd").glob("*.service"))
    programs = set(re.findall(r"/usr/bin/([a-z-]+)", units)) - {"python"} - OF_EVERY_DEBIAN
    assert programs == {"ffmpeg", "espeak-ng"}
    assert programs <= sbom.DEBIAN_PARTS.keys()


@pytest.mark.host
def test_this_projects_bill_is_the_same_bytes_each_time_and_names_what_setup_cfg_asks_for(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "deep/second.json"
    assert (sbom.main(["--output", str(first)]), sbom.main(["--output", str(second)])) == (0, 0)
    assert first.read_bytes() == second.read_bytes()
    bom = json.loads(first.read_bytes())
    names = {one["name"] for one in bom["components"]}
    assert {canonicalize_name(root.name) for root in sbom.required()} <= names
    assert {"cffi", "tzlocal", "colorzero", "typing-extensions"} <= names
    assert not names & {"pytest", "ruff", "numpy", "pip-audit", "cyclonedx-bom"}
    python = [one for one in bom["components"] if one["purl"].startswith("pkg:pypi/")]
    assert [one["name"] for one in python if one["scope"] == "optional"] == ["asn1crypto", "python-pkcs11"]
    assert {one["name"] for one in python} == read(STATION, BUILD).keys(), "what the operations have pip install"
    locked = read(LOCK, BUILD)
    assert [one["name"] for one in python if one["version"] != locked[one["name"]].version] == []
    assert [one["name"] for one in python if not (one.get("hashes") and one.get("licenses"))] == []


@pytest.mark.host
def test_the_bill_names_no_place_to_download_from(tmp_path: Path) -> None:
    assert sbom.main(["--output", str(tmp_path / "bill.json")]) == 0
    places = re.findall(r"https?://[^\"]+", (tmp_path / "bill.json").read_text("utf-8"))
    assert places == ["http://cyclonedx.org/schema/bom-1.6.schema.json"]


def test_a_failure_is_said_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def unknown() -> str:
        raise sbom.NotSaid("sound is needed, but the lock does not name it")

    assert sbom.main(["--output", str(tmp_path / "bill.json")], unknown) == 1
    assert "sbom: sound is needed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
