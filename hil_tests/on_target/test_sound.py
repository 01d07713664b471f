"""A real card runs dry, or is taken away, while a ward listens: what was lost is told, the next programme is heard."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.bench import BenchRig
from hil_tests.rig import ZONES
from tests.rig import LEFT, Order, Tone
from tests.scenarios import near, records_of, sounds

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
CARD = "snd_aloop.0"
OPEN_S = 1.0
HUNG_S = 1.5
# Longer than the card's buffer of 600 ms, shorter than the lease of 3 s.

pytestmark = pytest.mark.shows("bench.3", "S6", "S7")


@pytest.fixture
def card() -> Iterator[Path]:
    yield DRIVER
    if not (DRIVER / CARD).exists():
        (DRIVER / "bind").write_text(CARD)


def test_a_card_that_ran_dry_goes_on_where_it_was_and_says_how_often(rig: BenchRig) -> None:
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", 10.0),)))
    rig.run_until(9)
    os.kill(rig.ward.pids["io"], signal.SIGSTOP)
    time.sleep(HUNG_S)
    os.kill(rig.ward.pids["io"], signal.SIGCONT)
    rig.run_until(22)
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("succeeded", None)
    assert record["underruns"] == 1
    before, after = sounds(rig, LEFT)
    near(rig, before.start_s, 6)
    silent_s = after.start_s - before.end_s
    assert 0 < silent_s <= HUNG_S
    near(rig, after.end_s - before.start_s, 10 + silent_s)
    assert [edge.on for edge in rig.relay_edges() if edge.zone == LEFT] == [True, False], "no relay moved meanwhile"


@pytest.mark.wants("lose-card")
def test_a_card_that_is_taken_away_opens_its_relays_and_serves_again_when_it_is_back(rig: BenchRig, card: Path) -> None:
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", 30.0),)))
    rig.run_until(9)
    (card / "unbind").write_text(CARD)
    rig.run_until(14)
    opened = [edge for edge in rig.relay_edges() if not edge.on]
    assert sorted(edge.zone for edge in opened) == sorted(ZONES)
    assert max(edge.at_s for edge in opened) <= 9 + OPEN_S + rig.tolerance_s
    (record,) = records_of(rig, job)
    assert record["reason"] == "device_failed"
    (card / "bind").write_text(CARD)
    later = rig.publish(Order(at_s=24, tones=(Tone("a", 3.0),)))
    rig.run_until(32)
    assert [record["outcome"] for record in records_of(rig, later)] == ["succeeded"]
