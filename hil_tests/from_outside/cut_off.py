"""Runs on the station: a ward whose bulletin plays until the power is cut, and the same ward when the power is back.

The arguments are the bench's file, a folder on the station's card, and PLAYS, or RETURNS with the bulletin's job and
how long nobody orders anything. The ward's centre lies on
that card too; what it needs is written down before the station is switched on, and nothing of the station's is synced
for it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

from demo.ward import Ward, wait_until
from edge_agent.clock import boot_ms
from edge_agent.headend.keyring import Keyring
from hil_tests.bench import Bench, BenchRig
from hil_tests.reached import tell
from hil_tests.rig import ZONES, read
from tests.rig import Order, Tone

PLAYS, RETURNS = "plays", "returns"
BOOT = Path("/proc/sys/kernel/random/boot_id")
CLIP_S, TIMES = 45.0, 20
# A quarter of an hour, of one clip again and again: a person has to get to the plug, and the virtual bench's time runs
# ahead of whoever looks at it from outside.
NEXT_S = 3.0
READY_S_MAX = 90
# From the order to the relays: fetched, decoded, staged, on a slow machine.
SOUNDS_S = 5.0
TOLD_S_MAX = 120
LOOK_MS = 50


class LastingWard(Ward):
    """Its folder may be that of an earlier one whose power was cut: the same keys, records and station."""

    def _make_keys(self) -> Keyring:
        for log in self.folder.glob("*.log"):
            log.unlink()  # what was said in another boot says nothing of this one
        headend = self.folder / "headend"
        keyring = Keyring(headend) if headend.exists() else super()._make_keys()
        os.sync()
        return keyring


def plays(rig: BenchRig) -> None:
    """Never returns by itself, but for a power cut that does not come."""
    rig.switch_on()
    job = rig.publish(Order(tones=(Tone("b", CLIP_S),), loops=TIMES))
    closed = _closed(rig)
    wait_until(boot_ms() + round(SOUNDS_S * 1000))
    heard = [asdict(one) for one in rig.heard()]
    tell(PLAYS, boot=BOOT.read_text(), job=job, closed=closed, heard=heard)
    time.sleep(CLIP_S * TIMES)
    tell("over")


def returns(rig: BenchRig, job: str, quiet_s: float) -> None:
    """What moved and sounded since the power is back, and what the centre was told of the bulletin and of the next."""
    rig.switch_on()
    rig.run_until(quiet_s)
    ordered_s = rig.at_s(boot_ms())
    then = rig.publish(Order(tones=(Tone("a", NEXT_S),)))
    for one in (then, job):
        rig.run_until_told(one, TOLD_S_MAX)
    wait_until(boot_ms() + 2_000)
    tell(
        RETURNS,
        boot=BOOT.read_text(),
        ordered_s=ordered_s,
        edges=[asdict(one) for one in rig.relay_edges()],
        heard=[asdict(one) for one in rig.heard()],
        records=[row for row in rig.told().records if row.get("job_id") == job],
        then=[row for row in rig.told().records if row.get("job_id") == then],
    )


def _closed(rig: BenchRig) -> list[str]:
    """The zones whose relays have closed, once all have or it takes too long."""
    end = boot_ms() + READY_S_MAX * 1000
    while True:
        closed = sorted({zone for zone, on, _ in rig.bench.edges() if on})
        if closed == sorted(ZONES) or boot_ms() > end:
            return closed
        wait_until(boot_ms() + LOOK_MS)


def main(file: Path, folder: Path, part: str, job: str = "", quiet_s: str = "0") -> None:
    ward = folder / "ward"
    if part == PLAYS:
        shutil.rmtree(ward, ignore_errors=True)
        ward.mkdir()
    with Bench(read(file)) as bench, BenchRig(ward, bench, ward_of=LastingWard) as rig:
        try:
            plays(rig) if part == PLAYS else returns(rig, job, float(quiet_s))
        finally:
            print(rig.logs(), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
