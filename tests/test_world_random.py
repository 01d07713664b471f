"""A ward in virtual time under random orders, kills, power cuts and network cuts: what the street may count on.

Real core, real signatures, the real interlock (``tests/world.py``). Each seed is one evening or morning; a failure
prints the command that replays it. ``WORLD_SEEDS=2000`` tries that many, ``WORLD_SEED=17`` that one alone.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from edge_agent.core.events import DeviceDown, DeviceUp
from edge_agent.core.job import JobClass
from edge_agent.core.policy import touches_quiet_hours
from edge_agent.core.units import UtcMs, ZoneId
from edge_agent.relay.interlock import Cause
from tests.rig import HONEST, LEFT, RIGHT, Order, Tampering, Tone
from tests.sim import BEGAN, TIMEZONE, WARM_UP_MS, SimRig
from tests.world import DISK_MS, LINK_MS, NET_MS, STOP_MS, Run

SEEDS = int(os.environ.get("WORLD_SEEDS", "120"))
ONE = os.environ.get("WORLD_SEED")
HOUR_S = 3_600
BEGINNINGS_S = (0.0, 11 * HOUR_S - 300.0, 19 * HOUR_S - 300.0)
# From 10:00 on: mid-morning, five minutes before the quiet hours, five minutes before their end.
CHAOS_S = 600
CALM_S = 3 * HOUR_S
# An order lives for an hour after its instant, and may be as late.
DEVICE_RESTART_MS = 1_000
EARS_MS = 3 * LINK_MS
# A route changes one message after the relay that it is about; nobody hears that.
CLOCK_MS = NET_MS + LINK_MS
# A welcome is as imprecise as half its round trip.
UNSEEN_MS = DISK_MS + LINK_MS
# How long a first sample may sound before the journal knows of it: a crash within that is as if nothing had sounded.


class Street:
    """One station's evening, and what everybody in it did."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.rig = SimRig()
        self.now_s = self.dice.choice(BEGINNINGS_S)
        self.ends_s = self.now_s + CHAOS_S
        self.device_back = 0
        self.jobs: dict[str, tuple[Order, Tampering]] = {}
        self.rig.run_until(self.now_s)
        self.rig.switch_on(welcome=self.dice.random() < 0.9)

    def live(self) -> None:
        """Chaos, then hours in which everything works again."""
        while self.now_s < self.ends_s:
            self._something_happens()
            self.now_s += self.dice.choice((0.001, 0.005, 0.03, 0.2, 1.0, 3.0, 10.0, 30.0))
            self.rig.run_until(self.now_s)
        self.rig.restore_network()
        self.rig.switch_on()
        self.rig.allow_welcome()
        self.rig.run_until(self.ends_s + CALM_S)

    def _something_happens(self) -> None:
        happen = self.dice.choices(
            (self._order, self._replay, self._kill, self._device, self._power, self._network, self._on, self._welcome),
            (10, 2, 1, 1, 1, 2, 6, 2),
        )
        happen[0]()

    def _order(self) -> None:
        dice = self.dice
        cls = dice.choice(("normal", "normal", "priority", "emergency"))
        tone = Tone(dice.choice("abc"), dice.choice((3.0, 12.0, 60.0)))
        urgent = cls == "emergency"
        order = Order(
            cls=cls,
            at_s=None if urgent or dice.random() < 0.4 else self.now_s + dice.choice((-2, 1, 3, 8, 40, 300)),
            recurring=dice.random() < 0.3,
            tones=() if urgent else (tone,),
            spoken=dice.choice(("Lũ quét!", "Bà con rời nhà ngay, lên chỗ cao.")) if urgent else "",
            zones=dice.choice(((), (), (LEFT,), (RIGHT,))),
            preemption=dice.choice(("rejoin", "drop")),
            loops=dice.choice((1, 1, 2)),
            late_limit_s=dice.choice((0, 0, 60, 1_800)),
        )
        tampering = dice.choices(
            (HONEST, Tampering(forged=True), Tampering(other_ward=True), Tampering(wall_time="03:15:00")), (12, 1, 1, 1)
        )[0]
        self.jobs[self.rig.publish(order, tampering)] = (order, tampering)

    def _replay(self) -> None:
        if self.jobs:
            self.rig.replay(self.dice.choice(list(self.jobs)))

    def _kill(self) -> None:
        self.rig.kill_agent()

    def _device(self) -> None:
        """The device process dies and is restarted: its relays open, its plays are gone."""
        world = self.rig.world
        if world.agent is None or world.mono < self.device_back:
            return
        self.device_back = world.mono + DEVICE_RESTART_MS
        world.device.hung_up(Cause.LINK_LOST)
        world.agent.post(DeviceDown("killed"), LINK_MS)
        world.agent.post(DeviceUp(), DEVICE_RESTART_MS)

    def _welcome(self) -> None:
        self.rig.allow_welcome()

    def _power(self) -> None:
        self.rig.cut_power()

    def _network(self) -> None:
        (self.rig.cut_network if self.dice.random() < 0.5 else self.rig.restore_network)()

    def _on(self) -> None:
        self.rig.world.boot()

    # What was heard and told

    def runs(self) -> list[tuple[str, Run]]:
        """(job, run) of everything that the device was told to play."""
        return [(run.play.play_id.rsplit(".", 2)[0], run) for run in self.rig.world.device.runs]

    def sounded(self, run: Run, longer_than_ms: int = 0) -> list[tuple[ZoneId, int, int]]:
        """(zone, from, to) of what the run's zones heard."""
        return [span for span in run.spans(self.rig.world.mono) if span[2] - span[1] > longer_than_ms]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.rig.told().records if record["kind"] == kind]


def seeds() -> list[int]:
    return [int(ONE)] if ONE else list(range(SEEDS))


@pytest.mark.parametrize("seed", seeds())
def test_what_the_street_may_count_on(seed: int) -> None:
    print(f"replay with: WORLD_SEED={seed} ./run test tests/test_world_random.py")
    street = Street(seed)
    street.live()
    warm_relays(street)
    no_two_at_once(street)
    quiet_nights(street)
    only_honest_orders(street)
    nothing_twice(street)
    one_outcome_each(street)
    whole_log(street)


def warm_relays(street: Street) -> None:
    """No sound without a relay that was closed for a warm-up before and stayed closed; in the end all are open."""
    closed: dict[str, list[list[float]]] = {LEFT: [], RIGHT: []}
    for edge in street.rig.world.device.edges:
        if edge.on:
            closed[edge.zone].append([edge.mono, float("inf")])
        else:
            closed[edge.zone][-1][1] = edge.mono
    for job_id, run in street.runs():
        for zone, start, end in street.sounded(run):
            warm = any(on + WARM_UP_MS <= start and end <= off + EARS_MS for on, off in closed[zone])
            assert warm, f"{job_id} sounds in {zone} from {start} to {end}, its relay is closed {closed[zone]}"
    assert all(off < float("inf") for spans in closed.values() for _, off in spans), "a relay stayed closed"


def no_two_at_once(street: Street) -> None:
    spans = sorted(span for _, run in street.runs() for span in street.sounded(run))
    for (zone, _, end), (next_zone, start, _) in pairwise(spans):
        assert zone != next_zone or start >= end - STOP_MS - EARS_MS, "two programmes sound in one zone"


def quiet_nights(street: Street) -> None:
    site = street.rig.world.site
    for job_id, run in street.runs():
        if street.jobs[job_id][0].cls == JobClass.EMERGENCY:
            continue
        for _, start, end in street.sounded(run):
            lasts_ms = max(1, end - start - 2 * CLOCK_MS)
            quiet = touches_quiet_hours(site.policy, TIMEZONE, UtcMs(BEGAN + start + CLOCK_MS), lasts_ms)
            assert not quiet, f"{job_id} sounds in the quiet hours"


def only_honest_orders(street: Street) -> None:
    for job_id, _ in street.runs():
        assert street.jobs[job_id][1] == HONEST, "a wrong order moved something"


def nothing_twice(street: Street) -> None:
    """A routine job sounds once, an emergency begins three times at most."""
    heard: Counter[str] = Counter()
    for job_id, run in street.runs():
        heard[job_id] += bool(street.sounded(run, UNSEEN_MS))
    for job_id, times in heard.items():
        assert times <= (3 if street.jobs[job_id][0].cls == JobClass.EMERGENCY else 1), f"{job_id} was repeated"


def one_outcome_each(street: Street) -> None:
    plays = Counter((record["job_id"], record["planned"]) for record in street.records("play"))
    assert set(plays.values()) <= {1}, "two records of one occurrence"
    played, refused = ({record["job_id"] for record in street.records(kind)} for kind in ("play", "refusal"))
    accepted = {answer["job_id"] for answer in street.rig.told().answers if answer["verdict"] == "accepted"}
    assert accepted <= played | refused, "accepted, and never heard of again"
    for record in street.records("play"):
        truthful(street, record)


def truthful(street: Street, record: dict[str, Any]) -> None:
    """What the record says was seen: a success sounded whole where it names no reason, a miss not at all."""
    runs = [run for job_id, run in street.runs() if job_id == record["job_id"]]
    if record["outcome"] in ("missed", "rejected", "expired") and record["cls"] != "emergency":
        assert not any(street.sounded(run, UNSEEN_MS) for run in runs), "it sounded, and the record denies it"
    if record["outcome"] != "succeeded":
        return
    total: Counter[str] = Counter()
    for zone, start, end in street.sounded(runs[-1]):
        total[zone] += end - start
    for zone in record["zones"]:
        assert zone["played_ms"] == total[zone["zone"]], "the record counts what nobody heard"
        assert zone["reason"] is not None or zone["played_ms"] == record["planned_ms"], "cut short without a reason"


def whole_log(street: Street) -> None:
    """The chain arrived without a gap (``World`` checks each link) and to its end."""
    held = street.rig.world.journal.records
    assert len(street.rig.told().records) == len(held) > 0 or not street.jobs
