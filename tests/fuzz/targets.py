"""Which properties a campaign runs: every ``@given`` of the tests that needs nothing else, so none is forgotten.

They are looked for and not listed: a property that moves to another module moves here with it. One that takes a fixture
or a parameter is left to pytest.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).parent.parent
ITSELF = "tests.fuzz.test_fuzz"
"""Whose properties try this campaign; some are wrong on purpose."""


@dataclass(frozen=True, slots=True)
class Target:
    """A property: called without arguments, it tries as many examples as it has been told to."""

    name: str
    prove: Callable[[], None]


def modules() -> list[str]:
    """Every module of the tests with a property in it, but ITSELF."""
    files = sorted(TESTS.rglob("test_*.py"))
    names = [".".join(file.relative_to(TESTS.parent).with_suffix("").parts) for file in files if _has_property(file)]
    return [name for name in names if name != ITSELF]


def _has_property(file: Path) -> bool:
    return "\n@given(" in file.read_text(encoding="utf-8")


def targets_of(module: ModuleType) -> Iterator[Target]:
    """The properties that stand in a module."""
    where = module.__name__.removeprefix("tests.").replace(".test_", ".").removeprefix("test_")
    for name, value in vars(module).items():
        if name.startswith("test_") and hasattr(value, "hypothesis") and not inspect.signature(value).parameters:
            yield Target(f"{where}:{name.removeprefix('test_')}", value)


def all_targets() -> list[Target]:
    """Every property of ``modules()``."""
    return [target for name in modules() for target in targets_of(importlib.import_module(name))]
