"""Memory, CPU and wake-ups of both processes: idle, and while a programme sounds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench import libraries
from bench.figures import Figure, Section, median
from bench.proc import Memory, Work
from bench.station import Look, look, programme, put_on_air, rates, running, watch

MB = 1_000_000
SETTLE_S, SETTLE_QUICK_S = 60, 10
WINDOW_S, WINDOW_QUICK_S = 60, 15
LOOKS = 7
START_S = 5
# The card has been opened and the first blocks were read.
IDLE_MB_MAX, PLAYING_MB_MAX = 45, 50
PLAYING_CPU_MAX = 0.3
RSS, PSS, ANONYMOUS, CPU, WAKEUPS = "RSS", "PSS", "anonymous", "CPU of a core", "wake-ups"
TOGETHER, ALONE = "together", "together, PSS where no other Python runs"
NAMES = {"run": "edge-agent run", "io": "edge-agent io"}
COMMANDS = ("cat /proc/PID/smaps_rollup", "cat /proc/PID/task/*/{schedstat,status}")


def measure_idle(quick: bool) -> Section:
    """A welcomed station with nothing to do."""
    with running() as ward:
        time.sleep(SETTLE_QUICK_S if quick else SETTLE_S)
        looks = watch(ward.pids, WINDOW_QUICK_S if quick else WINDOW_S, LOOKS)
    figures = (*figures_of(looks, IDLE_MB_MAX), *_floor())
    return Section("Idle", "a welcomed station of two zones, connected over TLS, nothing ordered", figures, COMMANDS)


def measure_play(quick: bool) -> Section:
    """A programme on both zones, in real time, to a null sink of PulseAudio."""
    window_s = WINDOW_QUICK_S if quick else WINDOW_S
    with running() as ward:
        put_on_air(ward, programme(ward.folder, window_s + 3 * START_S))
        time.sleep(START_S)
        looks = watch(ward.pids, window_s, LOOKS)
    figures = figures_of(looks, PLAYING_MB_MAX, PLAYING_CPU_MAX)
    how = "an MP3 (64 kbit/s, mono), staged before, on two zones of one card, to a null sink of PulseAudio"
    return Section("Playing", how, figures, COMMANDS)


def figures_of(looks: list[Look], mb_max: float, cpu_max: float | None = None) -> tuple[Figure, ...]:
    """Memory of each process and of both together, held against ``mb_max``, and what they did meanwhile."""
    each = [process_figures(NAMES[task], looks, lambda one, task=task: one.of(task)) for task in looks[0].memory]  # type: ignore[misc]
    return (*itertools.chain(*each), *_together(looks, mb_max, cpu_max))


def process_figures(name: str, looks: list[Look], of: Callable[[Look], tuple[Memory, Work]]) -> tuple[Figure, ...]:
    """Memory (median of the looks) and work (from the first to the last) of one process, or of some together."""
    seen = [of(one)[0] for one in looks]
    cpu, wakeups = rates(looks, lambda one: of(one)[1])
    among = f"{len(looks)} looks"
    return (
        Figure(name, median([one.rss for one in seen]) / MB, "MB", None, among, RSS),
        Figure(name, median([one.pss for one in seen]) / MB, "MB", None, among, PSS),
        Figure(name, median([one.anonymous for one in seen]) / MB, "MB", None, among, ANONYMOUS),
        Figure(name, cpu, "%", None, among, CPU),
        Figure(name, wakeups, "/s", None, among, WAKEUPS),
    )


def _floor() -> Iterator[Figure]:
    """What is left of it when all that is ours is taken out."""
    with libraries.running() as pids:
        held = look(pids)
    among = "two interpreters that do nothing but import"
    if held.weight is None:
        yield Figure("its libraries without it, PSS", held.memory_sum.pss / MB, "MB", None, among)
    else:
        yield Figure("its libraries without it, PSS likewise", held.weight.alone / MB, "MB", None, among)


def _together(looks: list[Look], mb_max: float, cpu_max: float | None) -> Iterator[Figure]:
    weights = [one.weight for one in looks if one.weight is not None]
    aims = {PSS: None if weights else mb_max, CPU: cpu_max}
    for figure in process_figures(TOGETHER, looks, lambda one: (one.memory_sum, one.work_sum)):
        yield replace(figure, at_most=aims.get(figure.column))
    if weights:
        # Where page frames are shown, the aim is held against what the kernel's PSS would be on a board.
        yield Figure(ALONE, max(one.alone for one in weights) / MB, "MB", mb_max, f"most of {len(looks)}")
        yield Figure("together, each page once", max(one.once for one in weights) / MB, "MB", None, "the same looks")
