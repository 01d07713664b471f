"""What holds for every test: a busy machine is no failure of a property, and what was installed may not be missed.

And which tests count as coverage: each branch that matters is reached by a test of its own beside its file's, so nobody
else is traced, which makes a test up to two and a half times slower. And which files begin first.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from tests.host.parts import ABSENT, required

# The same examples each time: a change is refused for what it did, not for what chance found. Chance is `./run fuzz`'s.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

COUNTED = ("core/", "trust/", "headend/test_proof.py", "headend/test_verify_log")
# Where the tests of what pyproject.toml holds to the last branch stand; tools/branch_floor.py tells what they lack.
OF_ADDRESSES = "rfc3987_syntax"
CAMPAIGNS = (
    "soak/",
    "oracle/",
    "plant/",
    "fuzz/test_fuzz.py",
    "fuzz/test_guided.py",
    "redteam/",
    "core/test_invariants.py",
    "core/test_arrival.py",
    "core/test_day_ahead.py",
    "theft/",
    "headend/test_schemas",
    "ward/test_convergence.py",
)
LONGEST = (
    "test_host_scenarios.py",
    "test_host_cards.py",
    "units/",
    "headend/conform/test_on_our_station.py",
    "demo/test_end_to_end.py",
    "soak/test_soak.py",
    "crash/",
    "core/test_invariants.py",
    "sync/test_mqtt_host.py",
    "identity/",
    "headend/test_keys_cli.py",
    "headend/test_schemas.py",
    "sync/test_hostile_broker.py",
    "test_packaging.py",
)
# Half a minute and more each: one that began last would go on alone when all other workers are done.
HERE = Path(__file__).parent


@cache
def _addresses() -> ModuleType:
    del sys.modules[OF_ADDRESSES]
    return importlib.import_module(OF_ADDRESSES)


def _parse_addresses_only_when_asked() -> None:
    """Jsonschema makes 38 parsers when imported, two seconds of each worker, for forms that no schema of ours names."""
    later = ModuleType(OF_ADDRESSES)
    later.is_valid_syntax = lambda *asked: _addresses().is_valid_syntax(*asked)  # type: ignore[attr-defined]
    sys.modules[OF_ADDRESSES] = later


if importlib.util.find_spec(OF_ADDRESSES) is not None:
    _parse_addresses_only_when_asked()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=int, metavar="N", help="of a test with more cases take N, as far apart as can be")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    few = config.getoption("--cases")
    if few is not None:
        chosen = {id(item) for cases in _by_test(items) for item in cases[:: max(1, -(-len(cases) // few))]}
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in chosen])
        items[:] = [item for item in items if id(item) in chosen]
    for item in items:
        if _lies_in(item, CAMPAIGNS):
            item.add_marker("campaign")
        if item.get_closest_marker("campaign") or not _lies_in(item, COUNTED):
            item.add_marker("no_cover")
    items.sort(key=lambda item: not _lies_in(item, LONGEST))


def _by_test(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """The cases of each test, in their order."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return [*cases.values()]


def _lies_in(item: pytest.Item, places: Sequence[str]) -> bool:
    return item.path.as_posix().startswith(tuple(f"{HERE}/{place}" for place in places))


@pytest.fixture
def cheap_keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try at an officer's passphrase costs next to nothing, but where a test is ``dear``."""
    from edge_agent.headend import pkcs8_scrypt

    if "dear" not in request.fixturenames:
        monkeypatch.setattr(pkcs8_scrypt, "SCRYPT_N", 2)


@pytest.fixture
def cheap_codes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try at an enrolment code costs next to nothing, but where a test is ``dear``."""
    from edge_agent.identity import codes

    if "dear" not in request.fixturenames:
        monkeypatch.setattr(codes, "SCRYPT_N", 2)


@pytest.fixture
def dear() -> None:
    """This test pays the product's own price."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and required() and ABSENT in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"left out although everything was installed: {report.longrepr}"
    return report
