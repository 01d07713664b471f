"""What ./run does before a task, on machines that lack something: real bash, a fake apt and dpkg that remember."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 60  # only so that a hanging shell ends

DPKG_QUERY = """#!/bin/sh
for name in python3 gcc tzdata; do echo "installed $name"; done
echo "config-files ffmpeg"
exit 1
"""
APT_GET = """#!/bin/sh
echo "$USER_IS apt-get $*" >> "$CALLS"
case "$*" in *"$APT_FAILS_AT"*) echo "E: Unable to locate"; exit 100;; esac
"""
SUDO = """#!/bin/sh
[ "$1" = -v ] && exit 0
USER_IS=sudo exec "$@"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A project as far as its set-up goes, and a folder ``bin`` that stands for the machine's own."""
    for name in ("tools/setup.sh", "setup.cfg", "pyproject.toml", "requirements"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    needed = "bash sh env cat cp grep mkdir rm sed sha256sum sleep tail tr".split()
    (tmp_path / "bin").mkdir()
    for name in needed:
        found = shutil.which(name)
        assert found, name
        (tmp_path / "bin" / name).symlink_to(Path(found).resolve())
    give(tmp_path, "dpkg-query", DPKG_QUERY)
    give(tmp_path, "apt-get", APT_GET)
    return tmp_path


def give(machine: Path, command: str, script: str) -> None:
    (machine / "bin" / command).write_text(script, "utf-8")
    (machine / "bin" / command).chmod(0o755)


def shell(machine: Path, script: str, uid: int = 0, apt_fails_at: str = "nothing") -> subprocess.CompletedProcess[str]:
    """Runs ``script`` with the set-up functions, as a user of that number as far as the script can tell."""
    give(machine, "id", f"#!/bin/sh\necho {uid}\n")
    settings = {"PATH": str(machine / "bin"), "CALLS": str(machine / "calls"), "USER_IS": "self"}
    return subprocess.run(
        [machine / "bin/bash", "-c", f"set -euo pipefail; source tools/setup.sh; {script}"],
        cwd=machine,
        env=settings | {"APT_FAILS_AT": apt_fails_at},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def calls(machine: Path) -> list[str]:
    file = machine / "calls"
    return file.read_text("utf-8").splitlines() if file.exists() else []


THREE = "DEBIAN_PACKAGES=(gcc ffmpeg strace); ensure_debian_packages"


def test_only_the_missing_packages_are_installed(machine: Path) -> None:
    done = shell(machine, THREE)
    assert done.returncode == 0, done.stderr
    update, install = calls(machine)
    assert update.startswith("self ")
    assert update.endswith(" -y update")
    assert install.endswith(" -y install --no-install-recommends ffmpeg strace")


def test_who_is_not_root_installs_through_sudo(machine: Path) -> None:
    give(machine, "sudo", SUDO)
    assert shell(machine, THREE, uid=1000).returncode == 0
    assert [call.split()[0] for call in calls(machine)] == ["sudo", "sudo"]


def test_without_root_or_sudo_the_missing_packages_are_named(machine: Path) -> None:
    done = shell(machine, THREE, uid=1000)
    assert done.returncode == 1
    assert "neither root nor sudo. As root: apt-get install ffmpeg strace" in done.stderr
    assert calls(machine) == []


def test_a_complete_machine_is_left_alone(machine: Path) -> None:
    done = shell(machine, "DEBIAN_PACKAGES=(gcc tzdata); ensure_debian_packages", uid=1000)
    assert (done.returncode, done.stderr, calls(machine)) == (0, "", [])


def test_a_failing_installation_shows_what_it_said_and_ends(machine: Path) -> None:
    done = shell(machine, f"{THREE}; echo went on", apt_fails_at="strace")
    assert done.returncode == 100
    assert "E: Unable to locate" in done.stderr
    assert "went on" not in done.stdout


def test_elsewhere_than_on_debian_the_packages_are_named(machine: Path) -> None:
    (machine / "bin/dpkg-query").unlink()
    done = shell(machine, THREE)
    assert done.returncode == 1
    assert "gcc ffmpeg strace" in done.stderr


ENVIRONMENT = """
fill_environment() { mkdir -p "$1/bin" && cp "$2" "$1/bin/python" && echo filled >> "$CALLS"; }
ensure_environment .venv ./python
"""
PYTHON = """#!/bin/sh
[ "$1" = -c ] && exit $UNSUPPORTED
echo "Python 3.13.5"
"""


def with_python(machine: Path, unsupported: int = 0) -> None:
    (machine / "python").write_text(PYTHON.replace("$UNSUPPORTED", str(unsupported)), "utf-8")
    (machine / "python").chmod(0o755)


def test_the_environment_is_filled_once(machine: Path) -> None:
    with_python(machine)
    assert [shell(machine, ENVIRONMENT).returncode for _ in range(3)] == [0, 0, 0]
    assert calls(machine) == ["filled"]


@pytest.mark.parametrize("changed", ["requirements/lock.txt", "requirements/build.txt", "setup.cfg", "pyproject.toml"])
def test_the_environment_is_filled_again_after_a_change(machine: Path, changed: str) -> None:
    with_python(machine)
    shell(machine, ENVIRONMENT)
    with (machine / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    shell(machine, ENVIRONMENT)
    assert calls(machine) == ["filled", "filled"]


def test_an_interrupted_filling_is_done_again(machine: Path) -> None:
    with_python(machine)
    broken = ENVIRONMENT.replace("cp ", "false && cp ")
    assert shell(machine, broken).returncode != 0
    assert shell(machine, ENVIRONMENT).returncode == 0
    assert calls(machine) == ["filled"]


def test_an_unsupported_python_is_refused_with_the_remedy(machine: Path) -> None:
    with_python(machine, unsupported=1)
    done = shell(machine, ENVIRONMENT)
    assert done.returncode == 1
    assert "PYTHON=/path/to/python ./run" in done.stderr


def test_help_shows_every_task() -> None:
    text = (ROOT / "run").read_text("utf-8")
    tasks = {line[5:].split("(")[0].replace("_", "-") for line in text.splitlines() if line.startswith("task_")}
    shown = subprocess.run([ROOT / "run", "help"], capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
    assert {line.split()[0] for line in shown.splitlines()[2:]} == tasks
    assert "demo" in tasks


def test_an_unknown_task_is_named_and_nothing_is_installed() -> None:
    done = subprocess.run([ROOT / "run", "dmeo"], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2
    assert "no task 'dmeo'" in done.stderr
