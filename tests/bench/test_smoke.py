"""One quick look at real processes, so that whoever breaks the bench hears of it before it is needed."""

from __future__ import annotations

import pytest

from bench.memory import IDLE_MB_MAX, figures_of
from bench.pages import frames_of
from bench.start import one_start
from bench.station import running, watch
from tests.host.parts import ABSENT
from tests.host.pulse import missing

pytestmark = [pytest.mark.host, pytest.mark.live, pytest.mark.skipif(bool(missing()), reason=ABSENT + missing())]


LOOK_S = 2.5
# Idle, a station need not do anything for a second: its shortest period.


def test_a_real_station_is_looked_at_and_started_anew() -> None:
    with running() as ward:
        looks = watch(ward.pids, LOOK_S, 2)
        found = {figure.whole_name: figure for figure in figures_of(looks, IDLE_MB_MAX)}
        seen = all(frames_of(pid) for pid in ward.pids.values())
        ward.switch_off()
        ready_ms, subscribed_ms = one_start(ward, "run")
    parts = [found[f"edge-agent {task}, PSS"].value for task in ("run", "io")]
    assert min(parts) > 1, "a process of less than a megabyte is none of ours"
    assert found["together, PSS"].value == pytest.approx(sum(parts), rel=0.05)
    judged = [name for name, figure in found.items() if figure.at_most is not None]
    assert judged == ["together, PSS where no other Python runs" if seen else "together, PSS"]
    assert 0 < found["together, CPU of a core"].value < 200
    assert 0 < ready_ms <= subscribed_ms
