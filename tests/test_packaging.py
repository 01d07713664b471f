"""What a user installs: two commands from one package, and a lock that sends nobody to a place of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import edge_agent

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "edge_agent"
INSTALL_LIMIT_S = 300  # only so that a hanging install ends; it takes some seconds
LOCKS = ("requirements/build.txt", "requirements/lock.txt")


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


@pytest.mark.host
def test_the_agent_command_knows_its_version(commands: Path) -> None:
    assert edge_agent.__version__ in run(commands / "edge-agent", "--version")


@pytest.mark.host
@pytest.mark.parametrize("task", ["run", "io", "status", "next", "doctor", "console"])
def test_each_task_of_the_agent_has_help(commands: Path, task: str) -> None:
    assert task in run(commands / "edge-agent", "--help")
    assert "usage" in run(commands / "edge-agent", task, "--help").lower()


@pytest.mark.host
@pytest.mark.parametrize("task", ["keys", "preview", "sign", "publish", "watch", "report", "verify-log"])
def test_each_task_of_the_headend_has_help(commands: Path, task: str) -> None:
    assert task in run(commands / "edge-agent-headend", "--help")
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


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_place_to_download_from(lock: str) -> None:
    assert re.findall(r"^-.*|.*://.*", (ROOT / lock).read_text("utf-8"), re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock: str) -> None:
    text = re.sub(r"^#.*\n", "", (ROOT / lock).read_text("utf-8"), flags=re.MULTILINE)
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line]
    assert len(requirements) > 1
    assert [line for line in requirements if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
