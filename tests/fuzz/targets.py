"""Which properties a campaign runs: every ``@given`` of these modules that needs nothing else, so none is forgotten.

A property that takes a fixture or a parameter is left to pytest.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

MODULES = (
    "tests.trust.test_strict_json",
    "tests.trust.test_strict_json_oracle",
    "tests.trust.test_envelope",
    "tests.trust.test_orders",
    "tests.trust.test_rule_orders",
    "tests.trust.test_timetable_order",
    "tests.trust.test_judge",
    "tests.trust.test_changed_on_the_way",
    "tests.trust.test_wrong_fields",
    "tests.sync.test_messages",
    "tests.sync.test_message_properties",
    "tests.sync.test_guard",
    "tests.test_link",
    "tests.test_link_properties",
    "tests.test_config_properties",
    "tests.spoken.test_properties",
    "tests.spoken.test_stems",
    "tests.core.test_schedule",
    "tests.core.test_text",
    "tests.core.test_policy",
    "tests.journal.test_record",
    "tests.journal.test_record_properties",
    "tests.console.test_line_editor",
    "tests.console.test_commands",
    "tests.console.test_status",
    "tests.console.test_words",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A property: called without arguments, it tries as many examples as it has been told to."""

    name: str
    prove: Callable[[], None]


def targets_of(module: ModuleType) -> Iterator[Target]:
    """The properties that stand in a module."""
    where = module.__name__.removeprefix("tests.").replace(".test_", ".").removeprefix("test_")
    for name, value in vars(module).items():
        if name.startswith("test_") and hasattr(value, "hypothesis") and not inspect.signature(value).parameters:
            yield Target(f"{where}:{name.removeprefix('test_')}", value)


def all_targets() -> list[Target]:
    """Every property of MODULES."""
    return [target for name in MODULES for target in targets_of(importlib.import_module(name))]
