"""What a station that is connected and has nothing to do sends and gets: bytes of an hour, made a day.

The clock skips what would only be waited for, and still an hour takes a minute of work. BENCH_IDLE_HOURS takes more: in
six there is one hello that proves freshness, in a day everything.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.idle import DAY_S, HEARTBEAT_S, MB, WIRE_BYTES_MAX
from bench.station import FITTING
from bench.wire import laid_out
from demo.acts import trusts_its_clock, wait
from demo.ward import Hardware, Ward, wait_until
from edge_agent.clock import boot_ms
from hil_tests.rig import read

HOURS = int(os.environ.get("BENCH_IDLE_HOURS", "1"))
WINDOW_S = HOURS * 3600
SETTLED_S = 60
READY_S_MAX = 120


@pytest.mark.wants("network")
@pytest.mark.shows("bench.7", "O2")
def test_an_idle_day_stays_within_its_bytes(tmp_path: Path) -> None:
    sound = read(Path(os.environ["BENCH_RIG"])).sound
    assert sound is not None
    # Without the bench's own relays: whoever looks at their lines fifty times a second would fill the quiet hours.
    with laid_out() as line:
        fitting = replace(FITTING, address=line.address, host=line.address, enter=line.enter, heartbeat_s=HEARTBEAT_S)
        with Ward(tmp_path, Hardware(device=sound.device), fitting=fitting) as ward:
            ward.switch_on()
            wait(ward, lambda: trusts_its_clock(ward), "a welcomed station", READY_S_MAX)
            wait_until(boot_ms() + SETTLED_S * 1000)
            before = line.traffic()
            wait_until(boot_ms() + WINDOW_S * 1000)
            used = line.traffic() - before
            assert trusts_its_clock(ward), "it did not stay connected"
            broken = ward.agent_log().count("event=disconnected")
    day = used.both * DAY_S / WINDOW_S
    print(
        f"idle: {used.up} bytes up and {used.down} down in {HOURS} h, {used.packets_up + used.packets_down} "
        f"packets, {broken} reconnects; a day: {day / MB:.3f} MB (at most {WIRE_BYTES_MAX / MB:g})"
    )
    assert day <= WIRE_BYTES_MAX
