"""How late a sleeper is woken on a busy machine, by what the scheduler was told of it: what ADR 27 decides upon.

A process sleeps as the audio writer does between two periods, while loops that never pause run beside it, each in a
session of its own as services are. How late it wakes is held against the periods that lie queued when the writer should
have written. What CPUWeight= gives a unit is told here to the session: the kernel shares out by the same weights.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, Section, spread
from bench.table import number
from edge_agent.audio.card import CardConfig
from tests.host.busy import busy

WINDOW_S, WINDOW_QUICK_S = 30, 5
LOADS = (0, 1, 4)
# Loops for each core.
SPARE_MS = CardConfig("").period_ms * (CardConfig("").periods - 1)
# So much lies queued when there is room for the next period.
SLEEPS = """
import json, sys, time
if sys.argv[2]:
    with open("/proc/self/autogroup", "w") as group:
        group.write(sys.argv[2])
late, due = [], time.monotonic() + 0.1
until = due + float(sys.argv[1])
while due < until:
    time.sleep(max(due - time.monotonic(), 0))
    late.append((time.monotonic() - due) * 1e3)
    due = max(due, time.monotonic()) + 0.05
print(json.dumps(late))
"""


SPINS = """
import sys, time
if sys.argv[2]:
    with open("/proc/self/autogroup", "w") as group:
        group.write(sys.argv[2])
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    pass
print(time.process_time())
"""
SHARE_S, SHARE_QUICK_S = 5, 2


@dataclass(frozen=True)
class Way:
    """What the scheduler is told: by the command before the program's own, and by the nice value of its session."""

    name: str
    prefix: tuple[str, ...] = ()
    session: str = ""


ORDINARY = Way("ordinary")
WAYS = (
    ORDINARY,
    Way("Nice=-5", ("nice", "-n", "-5")),
    # sched_prio_to_weight has 3,906 for -6, which is 381 % of an ordinary one's 1,024.
    Way("CPUWeight=381", session="-6"),
    Way("round robin", ("chrt", "--rr", "1")),
)
SHARING = WAYS[:-1]
# Real time leaves others nothing but what the kernel keeps for them; nobody is to be held up to see that.


def measure(quick: bool, window_s: float = 0) -> Section:
    """Each way under each load, one after the other."""
    window_s = window_s or (WINDOW_QUICK_S if quick else WINDOW_S)
    cores = os.cpu_count() or 1
    figures: list[Figure] = []
    worst: dict[str, float] = {}
    for load in LOADS:
        with busy(load * cores):
            for way in WAYS:
                late = lateness(way, window_s)
                if late is not None:
                    figures += spread(f"{way.name}, {load * cores} busy loops", late, "ms")
                    worst[way.name] = max([worst.get(way.name, 0), *late])
    for way in SHARING:
        ratio = share(way, SHARE_QUICK_S if quick else SHARE_S)
        if ratio is not None:
            figures.append(Figure(f"{way.name}, share of a core against another's", ratio, "×"))
    how = (
        f"a process that sleeps 50 ms again and again for {window_s:g} s beside loops that never pause, on {cores} "
        "cores, each in a session of its own; late is by how much it slept too long; ways that this machine does not "
        "allow are left out; share: two loops on one core, in sessions of their own"
    )
    return Section("Waking up on a busy machine", how, tuple(figures), _commands(), notes=tuple(_notes(worst)))


def lateness(way: Way, window_s: float) -> list[float] | None:
    """By how many ms each sleep was too long; None where such a process may not be had."""
    if not _allowed(way):
        return None
    command = [*way.prefix, sys.executable, "-c", SLEEPS, str(window_s), way.session]
    plain = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False, start_new_session=True)
    # nice goes on without what it was refused, and says so.
    if done.returncode or "cannot set" in done.stderr:
        return None
    late: list[float] = json.loads(done.stdout)
    return late


def sessions_count(enabled: str, groups: str) -> bool:
    """Whether the kernel shares out among sessions here: it is told to, and no control group does it instead."""
    paths = {path for _, controllers, path in (line.split(":", 2) for line in groups.splitlines()) if _cpu(controllers)}
    return enabled.strip() == "1" and paths == {"/"}


def _cpu(controllers: str) -> bool:
    """Whether a hierarchy may share out the processor: the second kind of control groups names none."""
    return not controllers or "cpu" in controllers.split(",")


def _allowed(way: Way) -> bool:
    if not way.session:
        return True
    enabled = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return enabled.exists() and sessions_count(enabled.read_text(), Path("/proc/self/cgroup").read_text())


def share(way: Way, window_s: float) -> float | None:
    """How much of one core a loop gets for each part that an ordinary one gets; None where it may not be had."""
    if not _allowed(way):
        return None
    core = str(max(os.sched_getaffinity(0)))
    both = [
        subprocess.Popen(
            ["taskset", "-c", core, *one.prefix, sys.executable, "-c", SPINS, str(window_s), one.session],
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for one in (way, ORDINARY)
    ]
    (ours, complaint), (theirs, _) = [child.communicate() for child in both]
    if both[0].returncode or "cannot set" in complaint:
        return None
    return float(ours) / float(theirs)


def _notes(worst: dict[str, float]) -> Iterator[str]:
    """Whether the queue rides over the worst that was seen."""
    for name, late in worst.items():
        told = f"{number(SPARE_MS / late)} × within" if late < SPARE_MS else "not within"
        yield f"{name}: the worst of all, {number(late)} ms, is {told} the {SPARE_MS} ms that lie queued."


def _commands() -> tuple[str, ...]:
    told = (f"echo {way.session} > /proc/PID/autogroup" if way.session else " ".join(way.prefix) for way in WAYS)
    return tuple(command for command in told if command)
