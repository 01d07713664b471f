"""A whole real station to measure: broker, headend and content server here, its two processes as in a ward."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import pages, proc
from bench.pages import Weight
from bench.proc import NO_MEMORY, NO_WORK, Memory, Work
from demo.acts import draft_of, item_of, on_air, trusts_its_clock, wait
from demo.ward import NO_HARDWARE, Fitting, Ward
from edge_agent.headend.headend import Shown

FITTING = Fitting(warm_up_ms=0, heartbeat_s=300, recorded=False, session_minutes=120, minutes_per_day=240, framed=False)
# The station's own defaults, but an amplifier that is warm at once and room for a programme of an hour.
PROGRAMME_HZ, PROGRAMME_SHARE = 300, 0.003
# A faint tone: 98 of 32,767, so that an emergency's first sample stands out of it.
QUIET_MAX = 200
# Louder than any sample of the programme.


@contextlib.contextmanager
def running(fitting: Fitting = FITTING, on_noted: Callable[[Shown], None] = lambda _: None) -> Iterator[Ward]:
    """A station that has been welcomed, until the block ends; its files are removed with it."""
    # On a disk: /tmp may live in memory, and then no journal would ever wait.
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        Ward(Path(folder), NO_HARDWARE, on_noted, fitting) as ward,
    ):
        ward.switch_on()
        wait(ward, lambda: trusts_its_clock(ward), "a welcomed station")
        yield ward


def programme(folder: Path, seconds: int, name: str = "programme.mp3") -> Path:
    """An MP3 as a ward's officer would send it, but faint: 64 kbit/s, 44.1 kHz, mono."""
    path = folder / name
    source = f"sine=frequency={PROGRAMME_HZ}:sample_rate=44100:duration={seconds},volume={PROGRAMME_SHARE * 8}"
    command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, "-b:a", "64k", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def put_on_air(ward: Ward, path: Path, patience_s: float = 60) -> str:
    """Order a file now, for all zones, and return its job once it sounds."""
    draft = draft_of("normal", "now", item_of("Chương trình", "thoi-su", file=str(path)))
    job = ward.publish(draft, ["ward-routine"])
    wait(ward, lambda: on_air(ward, job), "a programme on air", patience_s)
    return job


@dataclass(frozen=True)
class Look:
    """Both processes at one instant. ``weight`` is None where nobody shows us page frames."""

    at_ns: int
    memory: dict[str, Memory]
    work: dict[str, Work]
    weight: Weight | None

    def of(self, task: str) -> tuple[Memory, Work]:
        """One process's."""
        return self.memory[task], self.work[task]

    @property
    def memory_sum(self) -> Memory:
        return sum(self.memory.values(), NO_MEMORY)

    @property
    def work_sum(self) -> Work:
        return sum(self.work.values(), NO_WORK)


def look(pids: dict[str, int]) -> Look:
    """Read memory and work of all of them."""
    return Look(
        time.monotonic_ns(),
        {name: proc.memory(pid) for name, pid in pids.items()},
        {name: proc.work(pid) for name, pid in pids.items()},
        pages.weight(pids.values(), pages.other_pythons(pids.values())),
    )


def watch(pids: dict[str, int], seconds: float, looks: int) -> list[Look]:
    """Look so often in ``seconds``, first and last included. Looking costs the looker, not the looked at."""
    found = [look(pids)]
    for _ in range(looks - 1):
        time.sleep(seconds / (looks - 1))
        found.append(look(pids))
    return found


def rates(looks: list[Look], of: Callable[[Look], Work]) -> tuple[float, float]:
    """CPU in percent of a core and wake-ups a second, from the first look to the last."""
    passed_ns = looks[-1].at_ns - looks[0].at_ns
    done = of(looks[-1]) - of(looks[0])
    return done.cpu_ns * 100 / passed_ns, done.wakeups * 1e9 / passed_ns


def recorded_fitting() -> Fitting:
    """With somebody who listens behind the card."""
    return replace(FITTING, recorded=True)
