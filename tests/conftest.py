"""What holds for every test: a busy machine is no failure of a property, and what was installed may not be missed."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.host.parts import ABSENT, required

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and required() and ABSENT in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"left out although everything was installed: {report.longrepr}"
    return report
