"""The arrow of imports points down, the core stays pure, and only the composition roots choose real devices.

Reads the syntax trees of ``edge_agent``; imports nothing of it. Imports inside functions and under ``TYPE_CHECKING``
count as well: a dependence is one wherever it is written.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "edge_agent"

# Every part of the package stands on one floor and may import only lower ones and itself. A new part needs a line here.
FLOORS = {
    "core": 1,
    "trust": 2,
    "journal": 2,
    "audio": 2,
    "relay": 2,
    "sync": 2,
    "console": 2,
    "config": 2,
    "clock": 2,
    "watchdog": 2,
    "link": 2,
    "runtime": 3,
    "device": 3,
    "headend": 3,
    "cli": 4,
    "__main__": 4,
}

# What opens a device, a socket or a database. Others work against the port beside it.
ADAPTERS = frozenset(
    {
        "audio.alsa",
        "relay.gpio",
        "relay.simulated",
        "sync.mqtt",
        "sync.download",
        "console.serial_line",
        "journal.store",
    }
)
CHOOSERS = frozenset({"cli", "headend.cli", "__main__"})

# Pure: the same answer for the same arguments. A part's name stands for all its modules. Beside it, the packages from
# elsewhere that may be imported: schedule arithmetic, and signatures over bytes.
PURE: dict[str, frozenset[str]] = {
    "core": frozenset({"apscheduler"}),
    "trust": frozenset({"cryptography", "securesystemslib"}),
    "journal.record": frozenset(),
    "audio.programme": frozenset(),
    "audio.timeline": frozenset(),
    "relay.interlock": frozenset(),
    "console.commands": frozenset(),
}
IMPURE_MODULES = frozenset(
    "asyncio concurrent ctypes glob http io logging multiprocessing os pathlib queue random sched secrets select "
    "selectors shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib uuid warnings".split()
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})
CLOCK_READINGS = frozenset({"now", "utcnow", "today"})

# Tests and the demo listen to recordings with numpy; no station carries it.
NOWHERE = frozenset({"numpy", "tests", "demo", "tools"})


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package; ``name`` is dotted and relative to it ("" for the package's own ``__init__``)."""

    name: str
    tree: ast.Module

    @property
    def part(self) -> str:
        return self.name.split(".")[0]


def load(root: Path) -> dict[str, Module]:
    package = root / PACKAGE
    modules = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = Module(name, ast.parse(file.read_text("utf-8")))
    return modules


def imports(module: Module, names: frozenset[str], is_package: bool) -> Iterator[str]:
    """Dotted names of what ``module`` imports: a module of ours where one has that name, else as written."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                home = [PACKAGE, *filter(None, module.name.split("."))]
                up = node.level - 1 if is_package else node.level
                base = ".".join([*home[: len(home) - up], *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full.removeprefix(f"{PACKAGE}.") in names else base


def ours(modules: dict[str, Module]) -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports, itself and the package's root left out."""
    return {name: {i for i in found if i not in ("", name)} for name, (found, _) in _split(modules).items()}


def foreign(modules: dict[str, Module]) -> dict[str, set[str]]:
    """For each module, the top-level names that it imports from elsewhere."""
    return {name: {i.split(".")[0] for i in found} for name, (_, found) in _split(modules).items()}


def _split(modules: dict[str, Module]) -> dict[str, tuple[set[str], set[str]]]:
    names = frozenset(modules)
    result = {}
    for name, module in modules.items():
        is_package = any(other.startswith(f"{name}.") for other in names) or name == ""
        found = set(imports(module, names, is_package))
        inside = {i for i in found if i == PACKAGE or i.startswith(f"{PACKAGE}.")}
        result[name] = ({i.removeprefix(PACKAGE).removeprefix(".") for i in inside}, found - inside)
    return result


def floor_faults(modules: dict[str, Module]) -> Iterator[str]:
    for name, targets in ours(modules).items():
        part = modules[name].part
        if name and part not in FLOORS:
            yield f"{name}: stands on no floor"
            continue
        for target in targets:
            other = target.split(".")[0]
            if name == "" or (other != part and FLOORS.get(other, 0) >= FLOORS[part]):
                yield f"{name or PACKAGE}: imports {target}, which is not on a lower floor"


def adapter_faults(modules: dict[str, Module]) -> Iterator[str]:
    for name, targets in ours(modules).items():
        if name in CHOOSERS or any(name.startswith(f"{chooser}.") for chooser in CHOOSERS):
            continue
        for target in targets & ADAPTERS:
            yield f"{name}: imports the adapter {target}, which only {sorted(CHOOSERS)} may choose"


def purity_faults(modules: dict[str, Module]) -> Iterator[str]:
    imported = foreign(modules)
    for pure, allowed in PURE.items():
        for name, module in modules.items():
            if name == pure or name.startswith(f"{pure}."):
                yield from (f"{name}: is pure and imports {i}" for i in imported[name] if not _harmless(i, allowed))
                yield from (f"{name}: is pure and uses {use}" for use in _impure_uses(module.tree))


def _harmless(imported: str, allowed: frozenset[str]) -> bool:
    return imported in allowed or (imported in sys.stdlib_module_names and imported not in IMPURE_MODULES)


def _impure_uses(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"{node.func.id}()"
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READINGS:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner in {"datetime", "date"}:
                yield f"{owner}.{node.attr}"


def cycle_faults(modules: dict[str, Module]) -> Iterator[str]:
    try:
        TopologicalSorter(ours(modules)).prepare()
    except CycleError as error:
        yield f"circle of imports: {' <- '.join(error.args[1])}"


def nowhere_faults(modules: dict[str, Module]) -> Iterator[str]:
    for name, imported in foreign(modules).items():
        yield from (f"{name or PACKAGE}: imports {i}" for i in imported & NOWHERE)


RULES = (floor_faults, adapter_faults, purity_faults, cycle_faults, nowhere_faults)


def faults(root: Path) -> list[str]:
    modules = load(root)
    return [fault for rule in RULES for fault in rule(modules)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule) -> None:
    modules = load(ROOT)
    assert "core.occurrence" in modules
    assert list(rule(modules)) == []


SOUND = {
    "__init__": "__version__ = '1'",
    "core/__init__": "",
    "core/units": "from datetime import date, time\n",
    "core/station": "from apscheduler.triggers.cron import CronTrigger\nfrom . import units\n",
    "trust/__init__": "",
    "trust/envelope": "from cryptography.hazmat.primitives import hashes\nfrom edge_agent.core.units import UtcMs\n",
    "relay/__init__": "",
    "relay/port": "from ..core import units\n",
    "relay/gpio": "import gpiod\nfrom edge_agent.relay.port import Relays\n",
    "runtime": "import time\nfrom edge_agent.core import station\nfrom edge_agent.relay import port\n",
    "cli": "from edge_agent import __version__, runtime\ndef main():\n    from edge_agent.relay.gpio import Gpio\n",
}


def plant(root: Path, changed: dict[str, str]) -> Path:
    for name, text in (SOUND | changed).items():
        file = root / PACKAGE / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def test_a_sound_house_has_no_fault(tmp_path: Path) -> None:
    assert faults(plant(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        (
            "core/station",
            "from edge_agent.relay import port",
            "core.station: imports relay.port, which is not on a lower",
        ),
        ("core/station", "from ..runtime import run", "core.station: imports runtime, which is not on a lower floor"),
        (
            "trust/envelope",
            "from edge_agent.relay.port import R",
            "trust.envelope: imports relay.port, which is not on a l",
        ),
        ("trust/envelope", "import edge_agent.relay", "trust.envelope: imports relay, which is not on a lower floor"),
        ("runtime", "import edge_agent.cli", "runtime: imports cli, which is not on a lower floor"),
        (
            "__init__",
            "from edge_agent.core import units",
            "edge_agent: imports core.units, which is not on a lower floor",
        ),
        ("helpers", "", "helpers: stands on no floor"),
        ("runtime", "from edge_agent.relay.gpio import Gpio", "runtime: imports the adapter relay.gpio"),
        ("relay/port", "def f():\n    from . import gpio", "relay.port: imports the adapter relay.gpio"),
        ("core/station", "import time", "core.station: is pure and imports time"),
        ("core/station", "import os.path", "core.station: is pure and imports os"),
        ("core/station", "from gpiod import request_lines", "core.station: is pure and imports gpiod"),
        ("core/station", "import cryptography", "core.station: is pure and imports cryptography"),
        ("core/station", "import datetime\nx = datetime.datetime.now()", "core.station: is pure and uses datetime.now"),
        ("core/station", "from datetime import date\nf = date.today", "core.station: is pure and uses date.today"),
        ("core/station", "print('x')", "core.station: is pure and uses print()"),
        ("trust/envelope", "import socket", "trust.envelope: is pure and imports socket"),
        ("relay/interlock", "import threading", "relay.interlock: is pure and imports threading"),
        ("core/units", "from edge_agent.core import station", "circle of imports"),
        ("runtime", "import numpy as np", "runtime: imports numpy"),
        ("relay/port", "from tests.fakes import relay", "relay.port: imports tests"),
    ],
)
def test_a_planted_fault_is_named(tmp_path: Path, file: str, text: str, fault: str) -> None:
    found = faults(plant(tmp_path, {file: text}))
    assert any(fault in sentence for sentence in found), found
