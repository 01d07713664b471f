"""A whole station on whose card a record of its log has rotted before the centre had it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.rig import LEFT, Order, Tone
from tests.sim import SimRig

FLOOD = Order(cls="emergency", tones=(Tone("b", 20.0),))


def rot(rig: SimRig, seq: int, body: bytes) -> None:
    """What the card gives back of record ``seq`` from now on."""
    now = rig.world.disk.committed
    records = tuple((replace(one, body=body) if one.seq == seq else one, at) for one, at in now.records)
    rig.world.disk.committed = replace(now, records=records)


def four_records(rig: SimRig) -> list[str]:
    """One that the centre has, and three that wait for the network."""
    rig.switch_on()
    rig.run_until(1)
    jobs = [rig.publish(Order(at_s=at_s, tones=(Tone("a", 5.0),))) for at_s in (30, 120, 180, 240)]
    rig.run_until(60)
    rig.cut_network()
    rig.run_until(300)
    assert rig.world.disk.committed.head.seq == 4
    return jobs


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"k\x00', id="no JSON"),
        pytest.param(b"\xff" * 40, id="no UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"kind":"play"}', id="another record"),
    ],
)
@pytest.mark.parametrize("seq", [2, 3, 4])
def test_a_record_that_has_rotted_on_the_card_keeps_back_neither_a_warning_nor_the_records_behind_it(
    seq: int, body: bytes
) -> None:
    """It ended the agent whenever the log was sent: at each connection, and what sounded with it."""
    rig = SimRig(chip=True)
    jobs = four_records(rig)
    rot(rig, seq, body)
    rig.restore_network()
    rig.run_until(310)
    flood = rig.publish(FLOOD)
    rig.run_until(500)
    assert [one.what for one in rig.heard() if one.zone == LEFT][-1] == "b"
    headend = rig.world.headend
    assert headend.broken == ""
    held = [one["job_id"] for chain in (*headend.lost_epochs, headend.records) for one in chain]
    assert [job for job in held if job] == [job for number, job in enumerate(jobs, 1) if number != seq] + [flood]
    chain = next(one for one in headend.records if one["kind"] == "chain")
    assert chain["detail"].startswith(f"rotten seq={seq} to={seq} after epoch=")


def test_records_that_have_rotted_beside_each_other_are_left_out_together() -> None:
    rig = SimRig(chip=True)
    four_records(rig)
    for seq in (2, 3):
        rot(rig, seq, b"{}")
    rig.restore_network()
    rig.run_until(400)
    (chain,) = [one for one in rig.world.headend.records if one["kind"] == "chain"]
    assert chain["detail"].startswith("rotten seq=2 to=3 after epoch=")
    assert [json.loads(one.body)["kind"] for one, _ in rig.world.disk.committed.records[3:]] == ["play", "chain"]
