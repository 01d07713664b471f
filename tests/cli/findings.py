"""What the tests of findings share: clocks to judge by, and what a finding that is well, or a fault, must say."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from edge_agent.cli.finding import Finding
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from tests.host.parts import needs

NOW = Now(boot_ms(), UtcMs(system_utc_ms() + HOUR_MS), ClockSource.NTP, 60_000)
# An hour from the collection of the tests: the files of these tests are made by then, whatever runs before it.
LATER = replace(NOW, utc=UtcMs(NOW.utc + 4_000 * DAY_MS))
EARLIER = replace(NOW, utc=UtcMs(0))
LOST = replace(EARLIER, source=ClockSource.UNSET)
NOBODY = 54_321
END_S = 30
# Only bounds a hanging test.
needs_broker = needs("mosquitto")
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def assert_well(finding: Finding) -> None:
    assert not finding.fault, finding.line()


def assert_fault(finding: Finding, seen: str, remedy: str) -> None:
    assert finding.remedy is not None, finding.line()
    assert seen in finding.seen
    assert remedy in finding.remedy.en
    assert finding.remedy.vi
