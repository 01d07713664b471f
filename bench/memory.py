"""Memory, CPU and wake-ups of both processes: idle, and while a programme sounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from bench.figures import Figure, Section, median
from bench.proc import Memory
from bench.station import Look, programme, put_on_air, rates, running, watch

MB = 1_000_000
SETTLE_S, SETTLE_QUICK_S = 60, 10
WINDOW_S, WINDOW_QUICK_S = 60, 15
LOOKS = 7
START_S = 5
# The card has been opened and the first blocks were read.
IDLE_MB_MAX, PLAYING_MB_MAX = 45, 50
PLAYING_CPU_MAX = 0.3
NAMES = {"run": "edge-agent run", "io": "edge-agent io"}
COMMANDS = ("cat /proc/PID/smaps_rollup", "cat /proc/PID/task/*/{schedstat,status}")


def measure_idle(quick: bool) -> Section:
    """A welcomed station with nothing to do."""
    with running() as ward:
        time.sleep(SETTLE_QUICK_S if quick else SETTLE_S)
        looks = watch(ward.pids, WINDOW_QUICK_S if quick else WINDOW_S, LOOKS)
    figures = figures_of(looks, IDLE_MB_MAX)
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
    return (*_memory(looks, mb_max), *_work(looks, cpu_max))


def _memory(looks: list[Look], mb_max: float) -> Iterator[Figure]:
    for name in looks[0].memory:
        yield from _three(NAMES[name], [one.memory[name] for one in looks])
    rss, pss, anonymous = _three("together", [one.memory_sum for one in looks])
    weights = [one.weight for one in looks if one.weight is not None]
    # Where page frames are shown, the aim is held against what the kernel's PSS would be on a board.
    yield from (rss, pss if weights else replace(pss, at_most=mb_max), anonymous)
    if weights:
        alone, once = max(one.alone for one in weights) / MB, max(one.once for one in weights) / MB
        yield Figure("together, PSS where no other Python runs", alone, "MB", mb_max, f"most of {len(looks)}")
        yield Figure("together, each page once", once, "MB", None, f"most of {len(looks)}")


def _three(name: str, seen: list[Memory]) -> tuple[Figure, Figure, Figure]:
    among = f"median of {len(seen)}, most {max(one.pss for one in seen) / MB:.1f} PSS"
    return (
        Figure(f"{name}, RSS", median([one.rss for one in seen]) / MB, "MB", None, among),
        Figure(f"{name}, PSS", median([one.pss for one in seen]) / MB, "MB", None, among),
        Figure(f"{name}, anonymous", median([one.anonymous for one in seen]) / MB, "MB", None, among),
    )


def _work(looks: list[Look], cpu_max: float | None) -> Iterator[Figure]:
    for name in looks[0].work:
        cpu, wakeups = rates(looks, lambda one, name=name: one.work[name])  # type: ignore[misc]
        yield Figure(f"{NAMES[name]}, CPU", cpu, "% of a core")
        yield Figure(f"{NAMES[name]}, wake-ups", wakeups, "/s")
    cpu, wakeups = rates(looks, lambda one: one.work_sum)
    yield Figure("together, CPU", cpu, "% of a core", cpu_max)
    yield Figure("together, wake-ups", wakeups, "/s")
