"""What a user installs: two commands from one package, and a lock that sends nobody to a place of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from edge_agent.software import version
from edge_agent.trust.keys import new_signer

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "edge_agent"
INSTALL_LIMIT_S = 300  # only so that a hanging install ends; it takes some seconds
LOCKS = ("requirements/build.txt", "requirements/lock.txt", "requirements/station.txt")


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a new environment with this project installed, not editable, from a copy of it."""
    home = tmp_path_factory.mktemp("install")
    source = home / "source"
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "venv", home / "venv")
    # Its dependencies are those of the environment that runs this test: the lock has been installed there already.
    packages = Path(
        run(home / "venv/bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (packages / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    run(home / "venv/bin/python", "-m", "pip", "install", "--no-deps", "--no-build-isolation", source)
    return home / "venv/bin"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tasks(commands: Path) -> dict[str, str]:
    """What each command says of its tasks."""
    return {name: run(commands / name, "--help") for name in ("edge-agent", "edge-agent-headend")}


@pytest.mark.host
@pytest.mark.parametrize("command", ["edge-agent", "edge-agent-headend"])
def test_the_agent_command_knows_its_version(commands: Path, command: str) -> None:
    """By the same mark as in the sources that it was installed from."""
    assert run(commands / command, "--version") == f"{command} {version()}\n"


@pytest.mark.host
@pytest.mark.parametrize("task", ["run", "io", "status", "next", "doctor", "enrol", "renew", "console"])
def test_each_task_of_the_agent_has_help(commands: Path, tasks: dict[str, str], task: str) -> None:
    assert task in tasks["edge-agent"]
    assert "usage" in run(commands / "edge-agent", task, "--help").lower()


@pytest.mark.host
@pytest.mark.parametrize("task", ["keys", "say", "preview", "sign", "publish", "watch", "report", "verify-log"])
def test_each_task_of_the_headend_has_help(commands: Path, tasks: dict[str, str], task: str) -> None:
    assert task in tasks["edge-agent-headend"]
    assert "usage" in run(commands / "edge-agent-headend", task, "--help").lower()


@pytest.mark.host
def test_the_installed_package_is_whole(commands: Path) -> None:
    """Every file of the package that is not Python (console texts, py.typed) has been installed too."""
    where = "import edge_agent, pathlib; print(pathlib.Path(edge_agent.__file__).parent)"
    installed = Path(run(commands / "python", "-I", "-c", where).strip())
    assert installed.is_relative_to(commands.parent)
    source = ROOT / PACKAGE
    data = {f.relative_to(source) for f in source.rglob("*") if f.is_file() and f.suffix not in {".py", ".pyc"}}
    assert Path("py.typed") in data
    assert [name for name in sorted(data) if not (installed / name).is_file()] == []


KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]")
"""With what follows in a real one: a document or a test may name the line."""


def keys_in(folder: Path) -> list[str]:
    """Not what Python has compiled, or is about to: it stands beside its source, where a line break is not one yet."""
    every = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    files = (path for path in every if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(folder)) for path in files if KEY.search(path.read_bytes())]


@pytest.mark.host
def test_what_is_installed_holds_no_private_key(commands: Path) -> None:
    """Every station is installed from the same package: a key in it would be everybody's."""
    (installed,) = (commands.parent / "lib").glob(f"python3*/site-packages/{PACKAGE}")
    assert (installed / "identity").is_dir()
    assert keys_in(installed) == []


def test_nothing_that_goes_onto_a_station_or_into_the_repository_holds_a_private_key() -> None:
    tracked = ("edge_agent", "firmware_image", "systemd", "tools", "demo", "docs", "bench", "tests", "hil_tests")
    there = [ROOT / name for name in tracked if (ROOT / name).is_dir()]
    assert len(there) > 6
    assert [found for folder in there for found in keys_in(folder)] == []


def test_a_key_that_was_left_in_a_folder_is_found(tmp_path: Path) -> None:
    new_signer().save(tmp_path / "left.pem")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMII\n")
    assert keys_in(tmp_path) == ["left.pem"]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_place_to_download_from(lock: str) -> None:
    assert re.findall(r"^-.*|.*://.*", (ROOT / lock).read_text("utf-8"), re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock: str) -> None:
    text = re.sub(r"^#.*\n", "", (ROOT / lock).read_text("utf-8"), flags=re.MULTILINE)
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line]
    assert len(requirements) > 1
    assert [line for line in requirements if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
