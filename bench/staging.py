"""What it costs to stage an hour: processor time and memory, decoded only, and at one loudness as a station keeps it.

Each way is gone by a process of its own. What that takes itself the kernel tells it at the end; what ffmpeg takes in
its confinement is looked at while it lives, for bubblewrap ends without asking what its children took.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.figures import Figure, Section
from bench.longplay import DECODER_MB_MAX, GROWTH_MB_MAX, LOOK_EVERY_S, MB, PIECE_S, repeated, speech_like
from edge_agent.audio.decoder import Decoder, FfmpegDecoder
from edge_agent.audio.loudness import levelling
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipStaged
from edge_agent.core.units import ClipKey

MINUTES, MINUTES_QUICK = 60, 10
RATE = 48_000
KB = 1_024
WAYS = {"decode": "decoded only", "level": "decoded and brought to one loudness"}


@dataclass(frozen=True)
class Cost:
    """Of staging one clip: seconds of processors, bytes at the most (``grown``: of the stager beyond its rest)."""

    own_cpu_s: float
    children_cpu_s: float
    child_peak: int
    grown: int
    staged_ms: int

    @property
    def cpu_s(self) -> float:
        return self.own_cpu_s + self.children_cpu_s


def measure(quick: bool) -> Section:
    """The whole hour; ten minutes for a look, told as for an hour."""
    minutes = MINUTES_QUICK if quick else MINUTES
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        costs = {way: cost_of(Path(folder), way, minutes) for way in WAYS}
    figures: list[Figure] = []
    for way, cost in costs.items():
        name, among = WAYS[way], f"{cost.staged_ms / 60_000:.1f} minutes of sound"
        an_hour = MINUTES / minutes
        figures += [
            Figure(name, cost.cpu_s * an_hour, "s", None, among, "CPU for an hour"),
            Figure(name, cost.child_peak / MB, "MB", DECODER_MB_MAX, among, "largest child, at its most"),
            Figure(name, cost.grown / MB, "MB", GROWTH_MB_MAX, among, "the stager, beyond its rest"),
        ]
    how = (
        f"an MP3 of {minutes} minutes (64 kbit/s, mono) staged by a stager of its own in bubblewrap, to PCM at "
        f"{RATE // 1000} kHz on a disk; levelling measures all of it, and changes it in another ffmpeg"
    )
    return Section("Staging an hour", how, tuple(figures), ("getrusage(RUSAGE_SELF)", "cat /proc/PID/{stat,status}"))


def cost_of(folder: Path, way: str, minutes: int) -> Cost:
    """Stage ``minutes`` in a process of its own, which waits until it is looked at."""
    piece = speech_like(folder / "piece.mp3", PIECE_S)
    whole = repeated(piece, minutes, folder / "whole.mp3")
    command = [sys.executable, "-m", "bench.staging", str(folder / way), str(piece), str(whole), way, str(minutes)]
    cpu_s: dict[int, float] = {}
    peak = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as stager:
        assert stager.stdin is not None
        assert stager.stdout is not None
        stager.stdout.readline()
        stager.stdin.write("\n")
        while stager.poll() is None:
            for child in proc.children(stager.pid):
                cpu_s[child] = max(cpu_s.get(child, 0.0), proc.cpu_s(child))
                peak = max(peak, proc.peak(child))
            time.sleep(LOOK_EVERY_S)
        told = json.loads(stager.stdout.read())
    return Cost(children_cpu_s=sum(cpu_s.values()), child_peak=peak, **told)


def _stage(folder: Path, piece: Path, whole: Path, way: str, minutes: int) -> dict[str, float]:
    """At rest is whoever has staged a minute before: with every module loaded, and every buffer made."""
    confined, store = Sandbox(), PcmStore(folder)
    decoder: Decoder = FfmpegDecoder(confined) if way == "decode" else levelling(confined, store.scratch)
    stager = Stager(store, decoder, EspeakVoice(confined), RATE)
    _staged_ms(stager, piece, 1)
    before = resource.getrusage(resource.RUSAGE_SELF)
    print("at rest", flush=True)
    sys.stdin.readline()
    staged_ms = _staged_ms(stager, whole, minutes)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "own_cpu_s": _cpu_s(after) - _cpu_s(before),
        "grown": (after.ru_maxrss - before.ru_maxrss) * KB,
        "staged_ms": staged_ms,
    }


def _staged_ms(stager: Stager, path: Path, minutes: int) -> int:
    with open(path, "rb") as file:
        key = ClipKey(hashlib.file_digest(file, "sha256").hexdigest())
    # An encoder's padding at each joint is more than the second that a signed length may be wrong by.
    staged = stager.stage_clip(key, path, minutes * 61_500)
    assert isinstance(staged, ClipStaged), staged
    return staged.duration_ms


def _cpu_s(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(_stage(Path(given[0]), Path(given[1]), Path(given[2]), given[3], int(given[4]))))
