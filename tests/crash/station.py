"""Whole real stations, killed at random instants: both processes, a real broker over TLS, real alsa-lib, in real time.

Each evening has the same orders and deaths of its own, which a seed gives: the agent, the device process, or both with
the power. What must hold is told from the centre's records, the journal on disk, the relays' trace and a recording.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from demo.ward import STATION
from edge_agent.core.reasons import Reason
from edge_agent.journal.record import ChainPoint, Origin, verify_chain
from edge_agent.journal.store import Store
from tests.host_rig import HostRig
from tests.rig import LEFT, RIGHT, Order, Tampering, Tone

MINUTES = 5.0
DEATHS = (3, 5)
FIRST_DEATH_S = 3.0
ALIVE_S = (0.2, 6.0)
# From one return to the next death.
REST_S = (0.05, 1.5)
# How long systemd, or the grid, takes.
SETTLES_S = 90
# After the last death: reconnecting with jitter, a hello, the log.
ORDERS = {
    "bulletin": Order(at_s=8, tones=(Tone("a", 3.0),)),
    "later": Order(at_s=16, tones=(Tone("b", 3.0),), zones=(RIGHT,)),
    "flood": Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay.", zones=(LEFT,)),
}
REFUSED = {"forged": Tampering(forged=True), "other ward": Tampering(other_ward=True)}
REFUSED |= {"at night": Tampering(wall_time="03:15:00")}


class Evening:
    """One station's evening, and how often what died."""

    def __init__(self, rig: HostRig, seed: int) -> None:
        self.rig = rig
        self.dice = random.Random(seed)
        self.deaths: Counter[str] = Counter()
        self.jobs: dict[str, str] = {}

    def live(self) -> Iterator[str]:
        """Orders, deaths, calm; yields what was broken."""
        ward = self.rig.ward
        self.rig.switch_on()
        if not ward.headend.wait_for(lambda: ward.headend.presence(STATION) is not None, SETTLES_S):
            yield "the station never came up"
            return
        for name, tampering in REFUSED.items():
            self.jobs[name] = self.rig.publish(ORDERS["bulletin"], tampering)
        for at_s, happen in sorted(self._happenings(), key=lambda one: one[0]):
            self.rig.run_until(at_s)
            happen()
        expected = {job for name, job in self.jobs.items() if name != "forged"}
        ward.headend.wait_for(lambda: expected <= {row["job_id"] for row in ward.rows()}, SETTLES_S)
        ward.switch_off()
        yield from self.judge(ward.rows())

    def _happenings(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """All of it written down beforehand: each death, and the return after it."""
        yield 2.5, lambda: self._order("bulletin")
        yield 2.6, lambda: self._order("later")
        yield self.dice.uniform(4, 18), lambda: self._order("flood")
        ward, at_s = self.rig.ward, FIRST_DEATH_S
        deaths: dict[str, Callable[[], None]] = {
            "agent": ward.kill_agent,
            "device": ward.kill_device,
            "power": ward.cut_power,
        }
        for _ in range(self.dice.randint(*DEATHS)):
            who = self.dice.choice(("agent", "agent", "device", "power"))
            self.deaths[who] += 1
            at_s += self.dice.uniform(*ALIVE_S)
            yield at_s, deaths[who]
            at_s += self.dice.uniform(*REST_S)
            yield at_s, partial(ward.switch_on, agent=who != "device")

    def _order(self, name: str) -> None:
        self.jobs[name] = self.rig.publish(ORDERS[name])

    def judge(self, rows: list[dict[str, Any]]) -> Iterator[str]:
        """What is broken, where ``rows`` is the log that the centre holds."""
        counted = Counter(row["job_id"] for row in rows)
        for name, job in self.jobs.items():
            if counted[job] != (name != "forged"):
                yield f"{name} has {counted[job]} records"
        for row in rows:
            if row["outcome"] != "succeeded" and row["reason"] not in list(Reason):
                yield f"{row['job_id']} is {row['outcome']} for no reason of the catalogue"
        yield from self._journal(rows)
        yield from self._street()

    def _journal(self, rows: list[dict[str, Any]]) -> Iterator[str]:
        store = Store(self.rig.folder / "state" / "journal", Origin("reader", "", ""))
        contents, records = store.load(), store.records_after(0, 1 << 40)
        store.close()
        head = ChainPoint(contents.last_seq, contents.last_hash)
        if contents.quarantined or verify_chain(records, head=head) is not None or len(records) != len(rows):
            yield f"the journal holds {len(records)} records, the centre {len(rows)} {contents.quarantined}"
        if contents.jobs or contents.marks:
            yield f"never over: {[job.job_id for job in contents.jobs]} {contents.marks}"

    def _street(self) -> Iterator[str]:
        last = {edge.zone: edge.on for edge in self.rig.relay_edges()}
        if any(last.values()):
            yield f"a relay stayed closed: {last}"
        pieces = Counter((heard.zone, heard.what) for heard in self.rig.heard() if heard.what in ("a", "b"))
        for (zone, what), times in pieces.items():
            if times > 1:
                yield f"{what} sounded {times} times in {zone}"


def evening(folder: Path, seed: int) -> tuple[Counter[str], list[str]]:
    """One evening; how often what died, and what was broken."""
    with HostRig(folder) as rig:
        one = Evening(rig, seed)
        broken = list(one.live())
    return one.deaths, broken


def main(minutes: float, seed: int) -> int:
    """Evenings until the time is up; the status."""
    began, deaths, evenings, broken = time.monotonic(), Counter[str](), 0, 0
    while time.monotonic() < began + minutes * 60:
        with tempfile.TemporaryDirectory(prefix="crash-", dir="/var/tmp") as folder:
            died, found = evening(Path(folder), seed + evenings)
        deaths += died
        if found:
            broken += 1
            print(
                f"./run crash --processes --minutes 0.1 --seed {seed + evenings}\n  " + "\n  ".join(found), flush=True
            )
        evenings += 1
    told = ", ".join(f"{count} of the {name}" for name, count in sorted(deaths.items()))
    print(f"crash: {evenings} evenings of a real station, deaths: {told}, {broken} broken, from seed {seed}")
    return 1 if broken else 0
