"""What an hour costs before it sounds: fetched, decoded, measured and levelled by the real parts, each told apart.

CPU is user and system time. Of a child and its children it is what the kernel had counted when they were last seen,
20 ms before their end at most: bubblewrap hands on no account of what ran in it. Of our side it is that of the one
thread which hashes, stores and copies. The children's peak is what the largest of them once had resident.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bench import proc
from bench.figures import Figure, Section
from bench.longplay import MB, MINUTES, MINUTES_QUICK, PIECE_S, repeated, speech_like
from bench.table import number
from edge_agent.audio.card import RATE
from edge_agent.audio.confined import Confined, Ended, Limits
from edge_agent.audio.loudness import levelling, spoken
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipStaged
from edge_agent.core.units import SECOND_MS
from edge_agent.headend.audio_facts import facts_of
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from edge_agent.sync.port import Fetched
from tests.host.content import running_content
from tests.sync.rigs import host_clock

FETCH, DECODE, MEASURE, LEVEL, STORE = "fetch", "decode", "measure", "level", "digests and store"
LOOK_S = 0.02
CHILDREN = (DECODE, MEASURE, LEVEL)
CHILD, OWN, PEAK, WALL = "child's CPU", "our CPU", "child's peak", "from begin to end"


@dataclass
class Step:
    """Seconds of CPU in a child and in our own thread, bytes that the child had at its most, seconds by the clock."""

    child_s: float = 0.0
    own_s: float = 0.0
    peak: int = 0
    wall_s: float = 0.0


@dataclass
class Steps:
    """What each step took; one that did not occur is not there."""

    taken: dict[str, Step] = field(default_factory=dict)

    @contextlib.contextmanager
    def count(self, name: str) -> Iterator[None]:
        step = self.taken.setdefault(name, Step())
        own, wall = time.thread_time(), time.monotonic()
        with proc.watching(proc.Children((os.getpid(),)), LOOK_S) as children:
            yield
        step.child_s += sum(children.cpu_s.values())
        step.own_s += time.thread_time() - own
        step.wall_s += time.monotonic() - wall
        step.peak = max(step.peak, children.peak)


@dataclass(frozen=True)
class Counted:
    """A ``Confined`` that counts what each run takes, by what the program is asked to do."""

    confined: Confined
    steps: Steps

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        with self.steps.count(named(argv)):
            return self.confined.run(argv, source, limits, take, stop)


def named(argv: tuple[str, ...]) -> str:
    """Which step a call of ffmpeg is: the meter, the change of loudness, or the decoding."""
    words = " ".join(argv)
    return MEASURE if "ebur128" in words else LEVEL if "volume=" in words else DECODE


def measure(quick: bool) -> Section:
    """The whole hour; ten minutes for a look."""
    minutes = MINUTES_QUICK if quick else MINUTES
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        piece = with_peaks(speech_like(Path(folder) / "even.mp3", PIECE_S), Path(folder) / "piece.mp3")
        whole = repeated(piece, minutes, Path(folder) / "whole.mp3")
        steps, staged_ms = stage(whole, Path(folder))
        floor_s = plain_decoding_s(whole)
    return section(minutes, steps, staged_ms, floor_s)


def with_peaks(even: Path, path: Path) -> Path:
    """Once a second far louder than it is otherwise: levelling has its peaks to limit, which is what costs most."""
    peaks = "volume='if(lt(mod(t,1),0.03),1,0.1)':eval=frame"
    command = [
        "ffmpeg",
        "-loglevel",
        "error",
        "-nostdin",
        "-y",
        "-i",
        str(even),
        "-af",
        peaks,
        "-b:a",
        "64k",
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


def stage(original: Path, folder: Path) -> tuple[Steps, int]:
    """Fetch a file over HTTPS and stage it as the agent does; what each step took, and how long it will sound."""
    content, facts = original.read_bytes(), facts_of(original)
    key = facts.digest
    steps = Steps()
    with running_content(folder / "server") as server:
        fetcher = HttpsFetcher(folder / "originals", Trust(server.authority.path, host_clock))
        url = server.put("clip", content)
        with steps.count(FETCH):
            fetched = fetcher.fetch(key, len(content), (url,))
    assert isinstance(fetched, Fetched), fetched
    store = PcmStore(folder / "store")
    confined = Counted(Sandbox(), steps)
    stager = Stager(store, levelling(confined, store.scratch), EspeakVoice(confined), RATE, spoken(confined))
    own = time.thread_time()
    done = stager.stage_clip(key, fetched.path, facts.duration_ms)
    assert isinstance(done, ClipStaged), done
    # The rest of this thread's work is nobody's child: the signed digest, twice, and the clip's files made durable.
    inside = sum(steps.taken[name].own_s for name in CHILDREN if name in steps.taken)
    steps.taken[STORE] = Step(own_s=time.thread_time() - own - inside)
    return steps, done.duration_ms


def section(minutes: int, steps: Steps, staged_ms: int, floor_s: float) -> Section:
    """The figures in a table, and what they come to."""
    figures = []
    for name, step in steps.taken.items():
        figures.append(Figure(name, step.own_s, "s", None, "", OWN))
        if step.child_s:
            figures.append(Figure(name, step.child_s, "s", None, "", CHILD))
            figures.append(Figure(name, step.peak / MB, "MB", None, "VmHWM", PEAK))
        if step.wall_s:
            figures.append(Figure(name, step.wall_s, "s", None, "", WALL))
    total = sum(step.child_s + step.own_s for step in steps.taken.values())
    figures += [
        Figure("all together", total, "s of CPU"),
        Figure("largest child", max(step.peak for step in steps.taken.values()) / MB, "MB"),
        Figure("sound staged", staged_ms / SECOND_MS / 60, "minutes"),
        Figure("ffmpeg decoding it to nowhere", floor_s, "s of CPU", None, "outside any sandbox: the floor"),
    ]
    how = (
        f"an MP3 of {minutes} minutes (64 kbit/s, mono), too quiet and with peaks to be limited, fetched over HTTPS "
        "from this machine and staged by the agent's own fetcher and stager, children in bubblewrap"
    )
    return Section("Staging an hour", how, tuple(figures), notes=(_told(steps, total, staged_ms, floor_s),))


def _told(steps: Steps, total_s: float, staged_ms: int, floor_s: float) -> str:
    """In a sentence: how it divides, and how far it is from doing nothing but decode."""
    both = {name: step.child_s + step.own_s for name, step in steps.taken.items()}
    levels = both.get(MEASURE, 0.0) + both.get(LEVEL, 0.0)
    dearest = max(both, key=lambda name: both[name])
    return (
        f"Decoding takes {number(both[DECODE])} s, levelling {number(levels)} s ({number(100 * levels / total_s)} % of "
        f"all); the dearest step is “{dearest}”. Together {number(total_s / floor_s)} × what plain decoding takes, and "
        f"{number(staged_ms / SECOND_MS / total_s)} × faster than it sounds on one such core: paid once, as playing "
        "what is staged decodes nothing."
    )


def plain_decoding_s(path: Path) -> float:
    """CPU of decoding to the card's form and throwing it away."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    form = ("-ac", "1", "-ar", str(RATE), "-f", "null", "-")
    subprocess.run(["ffmpeg", "-loglevel", "error", "-nostdin", "-threads", "1", "-i", str(path), *form], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
