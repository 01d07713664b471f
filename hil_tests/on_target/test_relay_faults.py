"""What dies, hangs or breaks while a ward hears a bulletin, and how soon its loudspeakers are off, on the lines.

S3: open within a second after a death, within five after a hang. Every move of a line is traced by the kernel, so a
blip of a microsecond would be seen.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from demo.ward import Fitting, wait_until
from edge_agent.clock import boot_ms
from hil_tests.bench import Bench, BenchRig
from hil_tests.rig import ZONES
from tests.rig import Order, Tone
from tests.scenarios import bulletin_is_heard_on_both_zones_on_time, records_of

DEAD_S, HUNG_S = 1.0, 5.0
# docs/requirements.md, S3.
BULLETIN_S = 60.0
SOUNDING_S = 8.0

pytestmark = pytest.mark.shows("bench.2", "S3")


def sounding(rig: BenchRig) -> str:
    """A bulletin of a minute sounds in both zones; its job."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", BULLETIN_S),)))
    rig.run_until(SOUNDING_S)
    assert [(zone, on) for zone, on, _ in rig.bench.edges()] == [(zone, True) for zone in ZONES]
    return job


def opened_within(rig: BenchRig, since_ms: int, within_s: float) -> None:
    """Each relay opens once, in time, and stays open."""
    end = since_ms + within_s * 1000
    wait_until(round(end) + 2_000)
    moves = [move for move in rig.bench.edges() if move[2] >= since_ms]
    assert sorted((zone, on) for zone, on, _ in moves) == [(zone, False) for zone in ZONES], moves
    assert max(at for _, _, at in moves) <= end


@pytest.mark.wants("trace")
def test_a_station_that_is_told_to_end_opens_its_relays_itself(rig: BenchRig) -> None:
    sounding(rig)
    since = boot_ms()
    os.kill(rig.ward.pids["io"], signal.SIGTERM)
    opened_within(rig, since, DEAD_S)
    assert rig.bench.left_to_the_kernel() == []


@pytest.mark.parametrize(
    ("who", "how", "within_s"),
    [
        ("run", signal.SIGTERM, DEAD_S),
        ("run", signal.SIGKILL, DEAD_S),
        ("run", signal.SIGSTOP, HUNG_S),
        ("io", signal.SIGKILL, DEAD_S),
    ],
)
def test_the_relays_open_when_a_process(rig: BenchRig, who: str, how: signal.Signals, within_s: float) -> None:
    sounding(rig)
    since = boot_ms()
    os.kill(rig.ward.pids[who], how)
    opened_within(rig, since, within_s)


def test_no_relay_moves_while_a_station_starts_and_ends(rig: BenchRig) -> None:
    rig.switch_on()
    job = rig.publish(Order(at_s=600, tones=(Tone("a", 3.0),)))
    rig.run_until(5)
    rig.ward.switch_off()
    assert [answer["verdict"] for answer in rig.told().answers if answer["job_id"] == job] == ["accepted"]
    assert rig.bench.edges() == []


@pytest.mark.wants("bad-contacts")
def test_a_relay_that_does_not_close_is_told_and_its_neighbour_sounds(rig: BenchRig) -> None:
    rig.bench.board.stick("c1", closed=False)
    try:
        rig.switch_on()
        rig.run_until(1)
        job = rig.publish(Order(at_s=6, tones=(Tone("b", 3.0),)))
        rig.run_until(13)
    finally:
        rig.bench.board.mend("c1")
    (record,) = records_of(rig, job)
    zones = record["zones"]
    assert isinstance(zones, list)
    reasons = {zone["zone"]: zone["reason"] for zone in zones}
    assert reasons == {"c1": "relay_failed", "c2": None}, record


@pytest.mark.wants("bad-contacts")
def test_a_relay_that_stays_closed_is_told(rig: BenchRig) -> None:
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=6, tones=(Tone("b", 3.0),)))
    rig.run_until(8)
    rig.bench.board.stick("c1", closed=True)
    try:
        rig.run_until(16)
        assert "zone=c1 wanted=open failed=stuck closed" in rig.ward.device_log()
    finally:
        rig.bench.board.mend("c1")


@pytest.mark.wants("bad-contacts")
def test_a_chattering_contact_loses_its_own_zone_and_no_other(rig: BenchRig) -> None:
    """The alarm is said, and not at every look."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", 12.0),)))
    rig.run_until(9)
    rig.bench.board.chatter("c1")
    try:
        rig.run_until(21)
    finally:
        rig.bench.board.mend("c1")
    (record,) = records_of(rig, job)
    zones = record["zones"]
    assert isinstance(zones, list)
    assert {zone["zone"]: zone["reason"] for zone in zones} == {"c1": "relay_failed", "c2": None}, record
    alarms = rig.ward.device_log().count("zone=c1 wanted=")
    assert 1 <= alarms <= 20


@pytest.mark.wants("bad-contacts")
def test_a_board_that_closes_at_low_level_does_not_blip_and_is_heard(bench: Bench, tmp_path: Path) -> None:
    with bench.low_board():
        with BenchRig(tmp_path / "blip", bench, Fitting(framed=False)) as rig:
            test_no_relay_moves_while_a_station_starts_and_ends(rig)
        with BenchRig(tmp_path / "heard", bench, Fitting(framed=False)) as rig:
            bulletin_is_heard_on_both_zones_on_time(rig)
