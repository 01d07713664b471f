"""Decide whether the arrow of imports points down, the core is pure, and only the composition roots choose devices.

Reads the syntax trees of ``edge_agent``; imports nothing of it. Imports inside functions and under ``TYPE_CHECKING``
count as well: a dependence is one wherever it is written. ``tests/test_imports.py`` applies the rules.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = "edge_agent"

# Every part of the package stands on one floor and may import only lower ones and itself. A new part needs a line here.
FLOORS = {
    "boot_time": 0,
    "free_space": 0,
    "toml": 0,
    "fresh_file": 0,
    "plain_file": 0,
    "element": 0,
    "removing": 0,
    "software": 0,
    "terminal": 0,
    "core": 1,
    "durable": 1,
    "ntp": 1,
    "clock_chip": 1,
    "spoken": 1,
    "trust": 2,
    "journal": 2,
    "audio": 2,
    "relay": 2,
    "sync": 2,
    "console": 2,
    "config": 2,
    "clock": 2,
    "watchdog": 2,
    "status_file": 2,
    "link": 2,
    "memory": 2,
    "runtime": 3,
    "device": 3,
    "identity": 3,
    "headend": 4,
    "cli": 5,
    "__main__": 6,
}

# The agent's process is several files on one floor: these count as runtime's own.
OF_RUNTIME = frozenset(
    {
        "aside",
        "fetch_and_stage",
        "host",
        "housekeeping",
        "inbox",
        "journal_worker",
        "live_worker",
        "manifest_worker",
        "restoring",
        "spent_file",
        "staging_worker",
        "upstream",
    }
)

# What opens a device, a socket or a database. Others work against the port beside it.
ADAPTERS = frozenset(
    {
        "audio.alsa",
        "audio.ear",
        "audio.line_in",
        "relay.gpio",
        "relay.simulated",
        "sync.mqtt",
        "sync.download",
        "sync.home",
        "sync.live_stream",
        "console.serial_line",
        "journal.spare",
        "journal.store",
    }
)
CHOOSERS = frozenset({"cli", "headend.cli", "__main__"})

# Pure: the same answer for the same arguments. A part's name stands for all its modules. Beside it, the packages from
# elsewhere that may be imported: the calendar of rules, and signatures over bytes.
PURE: dict[str, frozenset[str]] = {
    "core": frozenset({"apscheduler"}),
    "spoken": frozenset(),
    "trust": frozenset({"cryptography"}),
    "journal.record": frozenset(),
    "audio.hearing": frozenset(),
    "audio.live": frozenset(),
    "audio.tally": frozenset(),
    "audio.timeline": frozenset(),
    "relay.interlock": frozenset(),
    "sync.messages": frozenset(),
    "sync.reports": frozenset(),
    "sync.topics": frozenset(),
    "console.catalogue": frozenset(),
    "console.commands": frozenset(),
    "console.day_svg": frozenset(),
    "console.day_table": frozenset(),
    "console.line_editor": frozenset(),
    "console.screen": frozenset(),
    "console.silence": frozenset(),
    "console.status": frozenset(),
    "console.times": frozenset(),
    "console.words": frozenset(),
}
# A private key's file is made with its mode and never overwritten; the one place in trust that touches a disk. What is
# written short, and how it is said, is a table that lies beside the code.
KEEPS_A_FILE = {"trust.keys": frozenset({"os", "pathlib"}), "spoken.table": frozenset({"pathlib"})}
IMPURE_MODULES = frozenset(
    "asyncio concurrent ctypes glob http io logging multiprocessing os pathlib queue random sched secrets select "
    "selectors shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib uuid warnings".split()
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})
CLOCK_READINGS = frozenset({"now", "utcnow", "today"})

# The libraries that reach out of the process, each with the only part that may use it: the rest sees a port.
HOMES = {
    "alsaaudio": {"audio"},
    "audioop": {"audio"},
    "pydub": {"audio"},
    "gpiod": {"relay"},
    "gpiozero": {"relay"},
    "paho": {"sync", "headend"},
    "serial": {"console"},
    "sqlite3": {"journal"},
    "apscheduler": {"core"},
    "cryptography": {"trust", "identity", "headend", "cli"},
    "pkcs11": {"identity"},
}

# Tests and the demo listen to recordings with numpy, and hold our envelopes to securesystemslib; no station carries
# them (ADR 10).
NOWHERE = frozenset({"numpy", "securesystemslib", "tests", "demo", "tools"})


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package; ``name`` is dotted and relative to it ("" for the package's own ``__init__``)."""

    name: str
    tree: ast.Module

    @property
    def part(self) -> str:
        return part_of(self.name)


def part_of(name: str) -> str:
    part = name.split(".")[0]
    return "runtime" if part in OF_RUNTIME else part


def load(root: Path) -> dict[str, Module]:
    package = root / PACKAGE
    modules = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = Module(name, ast.parse(file.read_text("utf-8")))
    return modules


@cache
def _import_nodes(module: Module) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Its lines of imports: five rules ask for them, and to walk a whole tree is what costs."""
    return tuple(node for node in ast.walk(module.tree) if isinstance(node, ast.Import | ast.ImportFrom))


def imports(module: Module, names: frozenset[str], is_package: bool) -> Iterator[str]:
    """Dotted names of what ``module`` imports: a module of ours where one has that name, else as written."""
    for node in _import_nodes(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
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
    packages = {"", *(name[:at] for name in names for at, char in enumerate(name) if char == ".")}
    result = {}
    for name, module in modules.items():
        is_package = name in packages
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
            other = part_of(target)
            if name == "" or (other != part and FLOORS.get(other, 0) >= FLOORS[part]):
                yield f"{name or PACKAGE}: imports {target}, which is not on a lower floor"


def adapter_faults(modules: dict[str, Module]) -> Iterator[str]:
    for name, targets in ours(modules).items():
        if name in CHOOSERS or any(name.startswith(f"{chooser}.") for chooser in CHOOSERS):
            continue
        for target in targets & ADAPTERS:
            if name in ADAPTERS and part_of(name) == part_of(target):
                continue  # one that stands on another of its own part
            yield f"{name}: imports the adapter {target}, which only {sorted(CHOOSERS)} may choose"


def purity_faults(modules: dict[str, Module]) -> Iterator[str]:
    imported = foreign(modules)
    for pure, allowed in PURE.items():
        for name, module in modules.items():
            if name == pure or name.startswith(f"{pure}."):
                more = allowed | KEEPS_A_FILE.get(name, frozenset())
                yield from (f"{name}: is pure and imports {i}" for i in imported[name] if not _harmless(i, more))
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


def home_faults(modules: dict[str, Module]) -> Iterator[str]:
    for name, imported in foreign(modules).items():
        for library in imported & HOMES.keys():
            if modules[name].part not in HOMES[library]:
                yield f"{name}: uses {library}, whose home is {sorted(HOMES[library])}"


RULES = (floor_faults, adapter_faults, purity_faults, cycle_faults, home_faults, nowhere_faults)


def faults(root: Path) -> list[str]:
    modules = load(root)
    return [fault for rule in RULES for fault in rule(modules)]
