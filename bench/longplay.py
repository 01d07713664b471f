"""An hour's programme, staged by the real agent and played into ALSA's ``null``: no process may grow with it.

A programme of some minutes goes the same way before: what an hour takes beyond that, grew with the length. The decoder
child is watched from its birth to its end; how high it once stood, the kernel remembers for it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import proc
from bench.figures import Figure, Section
from bench.station import FITTING
from demo.acts import draft_of, item_of, recorded, trusts_its_clock, wait
from demo.ward import Ward

MINUTES, MINUTES_QUICK = 60, 10
GROWTH_MB_MAX, DECODER_MB_MAX = 4, 80
MB = 1_000_000
LOOK_EVERY_S = 0.05
PATIENCE_S = 300
PIECE_S = 60
SHORT_MINUTES = 4


@dataclass(frozen=True)
class LongRun:
    """What a long programme cost, in bytes of resident memory at its most: ``grown`` beyond the process at rest before
    it, ``lengthened`` beyond the most that a programme of some minutes took."""

    before: dict[str, int]
    grown: dict[str, int]
    lengthened: dict[str, int]
    decoder_peak: int
    outcome: str
    played_ms: int
    seconds: float


def measure(quick: bool) -> Section:
    """The whole hour; ten minutes for a look."""
    minutes = MINUTES_QUICK if quick else MINUTES
    run = play_long(minutes)
    names = {"run": "agent", "device": "device process"}
    figures = (
        *(
            Figure(names[name], size / MB, "MB", aim, f"{run.before[name] / MB:.1f} MB at rest", column)
            for column, sizes, aim in (
                ("from rest to its most", run.grown, GROWTH_MB_MAX),
                ("of that with the length", run.lengthened, None),
            )
            for name, size in sizes.items()
        ),
        Figure("decoder child, at its most", run.decoder_peak / MB, "MB", DECODER_MB_MAX, "VmHWM of the largest"),
        Figure("sound played", run.played_ms / 60_000, "minutes", None, run.outcome),
        Figure("from order to record", run.seconds, "s"),
    )
    how = (
        f"an MP3 of {minutes} minutes (64 kbit/s), ordered, fetched over HTTPS and staged by the agent, then played by "
        "the station's own player into ALSA's null as fast as it goes"
    )
    return Section("A long programme", how, figures, ("cat /proc/PID/{smaps_rollup,status}",))


def play_long(minutes: int) -> LongRun:
    """Stage and play one programme of ``minutes``, after shorter ones."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        ward = stack.enter_context(Ward(folder, fitting=FITTING))
        device = stack.enter_context(_hurried(ward))
        ward.switch_on(device=False)
        wait(ward, lambda: trusts_its_clock(ward), "a welcomed station")
        pids = {"run": ward.pids["run"], "device": device.pid}
        piece = speech_like(ward.folder / "piece.mp3", PIECE_S)
        # At rest means: after a first programme, with every thread begun and every module loaded.
        _sound(ward, piece)
        with proc.watching(Watch(pids), LOOK_EVERY_S) as short:
            _sound(ward, repeated(piece, SHORT_MINUTES, ward.folder / "short.mp3"))
        begun = time.monotonic()
        with proc.watching(Watch(pids), LOOK_EVERY_S) as long:
            row = _sound(ward, repeated(piece, minutes, ward.folder / "whole.mp3"))
    return LongRun(
        before=long.before,
        grown={name: most - long.before[name] for name, most in long.most.items()},
        lengthened={name: most - short.most[name] for name, most in long.most.items()},
        decoder_peak=long.children.peak,
        outcome=row["reason"] or row["outcome"],
        played_ms=row["played_ms"],
        seconds=time.monotonic() - begun,
    )


class Watch:
    """What processes have resident, before and at the most, and what their children took."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.before = {name: proc.memory(pid).rss for name, pid in pids.items()}
        self.most = dict(self.before)
        self.children = proc.Children(tuple(pids.values()))

    def look(self) -> None:
        for name, pid in self._pids.items():
            self.most[name] = max(self.most[name], proc.memory(pid).rss)
        self.children.look()


def speech_like(path: Path, seconds: int) -> Path:
    """A wavering tone with noise in syllables: no silence that an encoder could save on."""
    voice = f"sine=frequency=180:sample_rate=44100:duration={seconds}"
    hiss = f"anoisesrc=color=pink:amplitude=0.3:sample_rate=44100:duration={seconds}:seed=1"
    mixed = "[0]vibrato=f=5:d=0.5[v];[1]tremolo=f=4:d=0.9[h];[v][h]amix=inputs=2"
    _ffmpeg("-f", "lavfi", "-i", voice, "-f", "lavfi", "-i", hiss, "-filter_complex", mixed, "-b:a", "64k", str(path))
    return path


def repeated(piece: Path, times: int, path: Path) -> Path:
    """The same frames again and again, encoded once."""
    _ffmpeg("-stream_loop", str(times - 1), "-i", str(piece), "-c", "copy", str(path))
    return path


def _sound(ward: Ward, path: Path) -> dict[str, Any]:
    """Order a file now, for all zones, and return its record once it is here."""
    draft = draft_of("normal", "now", item_of("Chương trình", "thoi-su", file=str(path)))
    job = ward.publish(draft, ["ward-routine"])
    wait(ward, lambda: job in recorded(ward), f"the record of {path.name}", PATIENCE_S)
    (row,) = [row for row in ward.rows() if row["job_id"] == job]
    return row


@contextlib.contextmanager
def _hurried(ward: Ward) -> Iterator[subprocess.Popen[bytes]]:
    with open(ward.folder / "device.log", "ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.hurried", str(ward.config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _ffmpeg(*words: str) -> None:
    subprocess.run(["ffmpeg", "-loglevel", "error", "-nostdin", "-y", *words], check=True)
