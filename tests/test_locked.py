"""A lock that leaves a version or a file open is no lock, and both of this project's are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.locked import BUILD, LOCK, LockError, read

A, B = "a" * 64, "b" * 64
SOUND = f"""# Made by ./run lock; do not edit.
one-two==1.5.post3 \\
    --hash=sha256:{B} \\
    --hash=sha256:{A}
three==2.0 ; python_version >= "3.13" \\
    --hash=sha256:{A}
"""


def lock(folder: Path, text: str, name: str = "lock.txt") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_each_package_has_its_version_and_all_its_hashes(tmp_path: Path) -> None:
    packages = read(lock(tmp_path, SOUND))
    assert {name: (one.version, one.sha256) for name, one in packages.items()} == {
        "one-two": ("1.5.post3", (A, B)),
        "three": ("2.0", (A,)),
    }


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("one-two==1.5.post3", "one-two>=1.5", "one-two has not one version"),
        ("one-two==1.5.post3", "one-two==1.*", "one-two has not one version"),
        ("one-two==1.5.post3", "one-two", "one-two has not one version"),
        (f'three==2.0 ; python_version >= "3.13" \\\n    --hash=sha256:{A}', "three==2.0", "three has no SHA-256"),
        (f"--hash=sha256:{B}", f"--hash=sha1:{B[:40]}", "one-two has no SHA-256"),
        (f"--hash=sha256:{B}", f"--hash=sha256:{B[:63]}", "one-two has no SHA-256"),
        ("three==2.0", "--extra-index-url https://elsewhere.example/", "not a package with a version"),
        (SOUND, "# empty\n", "names no package"),
    ],
    ids=["range", "wildcard", "no version", "no hash", "weak hash", "short hash", "another place", "empty"],
)
def test_a_package_that_is_left_open_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in SOUND
    with pytest.raises(LockError, match=why):
        read(lock(tmp_path, SOUND.replace(old, new)))


def test_two_locks_with_two_versions_of_a_package_are_refused(tmp_path: Path) -> None:
    other = lock(tmp_path, SOUND.replace("==2.0", "==2.1"), "build.txt")
    with pytest.raises(LockError, match=r"build\.txt: three 2\.1, but elsewhere 2\.0"):
        read(lock(tmp_path, SOUND), other)


def test_this_projects_locks_leave_nothing_open_and_what_builds_is_locked_too() -> None:
    assert len(read(LOCK)) > 50
    assert {"setuptools", "wheel"} <= read(BUILD).keys()
    assert {"pip", "setuptools"} <= read(LOCK, BUILD).keys()
