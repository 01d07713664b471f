"""The sections that stand beside other players, in their shortest form; peers that are not installed are left out."""

from __future__ import annotations

import pytest

from bench import cuts, equal, wakes
from bench.places import STATION
from bench.players import LONG_MS, PEERS, PERIODS
from tests.host.parts import ABSENT
from tests.host.pulse import missing

pytestmark = [pytest.mark.host, pytest.mark.live]
needs_pulse = pytest.mark.skipif(bool(missing()), reason=ABSENT + missing())


@needs_pulse
def test_at_equal_periods_each_peer_has_a_row_a_reason_and_the_station_a_place() -> None:
    made = equal.measure(True, window_s=1)
    here = [peer.name for peer in PEERS if peer.period_ms and not peer.absent]
    assert "aplay" in here, "it comes with alsa-utils, which the recorder needs too"
    rows = {(figure.name, figure.column): figure.value for figure in made.figures}
    for peer in here:
        (row,) = {name for name, _ in rows if name.startswith(f"{peer}, ")}
        assert rows[row, equal.RATIO] == rows[row, "station, CPU of a core"] / rows[row, "peer, CPU of a core"]
        assert 0 < rows[row, "station, CPU of a core"] < 100
    assert len([note for note in made.notes if " × aplay: " in note]) == 1
    assert any(note.startswith(f"{PERIODS} × {LONG_MS} ms: station is ") for note in made.notes)


@needs_pulse
def test_cutting_in_is_measured_beside_whoever_can_be_told_and_beside_the_server_alone() -> None:
    made = cuts.measure(True, runs=2)
    here = [STATION, *(peer.name for peer in PEERS if peer.stop and not peer.absent)]
    names = [f"{name}, {doing}" for doing in (cuts.IDLE, cuts.CUTTING) for name in here]
    assert list(dict.fromkeys(figure.name for figure in made.figures)) == [*names, cuts.SERVER, cuts.NEIGHBOUR]
    assert all(figure.value > -cuts.LATENCY_MS for figure in made.figures)
    judged = [figure.whole_name for figure in made.figures if figure.at_most is not None]
    assert judged == [f"{STATION}, {cuts.CUTTING}, p99"]
    assert [note.split(":")[0] for note in made.notes[:3]] == ["Idle", "Cutting in", "Cutting in against idle"]


def test_a_sleeper_is_looked_at_in_each_way_that_is_allowed() -> None:
    ordinary, *others = wakes.WAYS
    late = wakes.lateness(ordinary, 0.5)
    assert late is not None
    assert len(late) >= 2
    assert min(late) >= 0
    assert all(found is None or min(found) >= 0 for found in (wakes.lateness(way, 0.2) for way in others))
    assert wakes.lateness(wakes.Way("none", ("false",)), 0.1) is None


def test_two_that_are_alike_share_a_core_evenly_and_a_session_with_more_weight_gets_more() -> None:
    even = wakes.share(wakes.ORDINARY, 0.5)
    assert even is not None
    assert 1 / 2 < even < 2
    (weighty,) = (way for way in wakes.SHARING if way.session)
    more = wakes.share(weighty, 0.5)
    assert more is None or more > even
    assert wakes.share(wakes.Way("none", ("false",)), 0.1) is None
