"""A bench of a real board sees contacts alone; that this is what the kernel traces of the lines is shown here.

The whole of it is a real bench's: its file's driver, its watch, its scenarios. The board that moves the contacts is the
virtual bench's, so both can be laid side by side.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hil_tests.bench import Bench, BenchRig
from hil_tests.drivers.looped_contacts import BOUNCE
from tests.scenarios import bulletin_is_heard_on_both_zones_on_time

LATE_MS = 20.0 + BOUNCE.total_seconds() * 1000
# The board looks at its lines every 10 ms and takes another 10 to be read; then the contact has to be still.

pytestmark = [pytest.mark.wants("trace"), pytest.mark.shows("bench.1")]


@pytest.fixture
def real(bench: Bench) -> Bench:
    """As ``rigs/desk.toml`` describes one, on the chip of this machine."""
    assert bench.rig.relays is not None
    return Bench(replace(bench.rig, relays=replace(bench.rig.relays, driver="gpio", chip=bench.chip.path)))


def test_what_a_real_benchs_contacts_tell_is_what_the_lines_did(bench: Bench, real: Bench, tmp_path: Path) -> None:
    with real, BenchRig(tmp_path, real) as rig:
        bench.watch()
        bulletin_is_heard_on_both_zones_on_time(rig)
        # Both zones move within a millisecond: which contact was first says nothing.
        traced, seen = (sorted(edges, key=lambda edge: edge[0]) for edges in (bench.edges(), real.edges()))
    assert [(zone, on) for zone, on, _ in seen] == [(zone, on) for zone, on, _ in traced]
    assert len(seen) == 4
    for (_, _, ordered_ms), (_, _, moved_ms) in zip(traced, seen, strict=True):
        assert 0 <= moved_ms - ordered_ms <= LATE_MS
