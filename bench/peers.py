"""The same programme to the same null sink by other players, as far as they are installed.

Peers do less: none of them checks a signature, keeps a journal or holds a relay. aplay, which only copies samples to
alsa-lib, is the floor. All play at once, each to a sink of its own, on less than a tenth of a core.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import pages
from bench.figures import Figure, Section, spread
from bench.machine import program_version
from bench.memory import ALONE, CPU, MB, PSS, TOGETHER, WAKEUPS, process_figures
from bench.players import PEERS, START_S_MAX, Peer, Stage
from bench.proc import Memory, Work
from bench.station import Look, programme, watch
from tests.host.pulse import Pulse, private_pulse
from tests.host.recording import LATENCY_MS, Recorder

PACKAGES = ("mpd", "mpv", "mpg123", "snapclient", "snapserver")
WINDOW_S, WINDOW_QUICK_S = 20, 8
RUNS, RUNS_QUICK = 20, 5
LOOKS = 4
SETTLE_S = 4
SOUND_S, REST_S = 0.5, 0.4
ABOVE = 20
# The programme is faint; silence is exactly zero.


def measure(quick: bool) -> Section:
    """Memory and work of all that are here, then how soon those that can be ordered sound."""
    window_s, runs = (WINDOW_QUICK_S, RUNS_QUICK) if quick else (WINDOW_S, RUNS)
    here = [peer for peer in PEERS if not peer.absent]
    with contextlib.ExitStack() as curtain:
        folder = Path(curtain.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        pulse = curtain.enter_context(private_pulse(folder / "pulse", tuple(peer.name for peer in here)))
        stages = stages_of(here, folder, pulse, curtain, 2 * (window_s + SETTLE_S + START_S_MAX))
        figures = [*_watched(stages, window_s), *_delays(stages, runs)]
    versions = ", ".join(f"{peer.name} {program_version(peer.name, '--version')}" for peer in here)
    absent = ", ".join(peer.name for peer in PEERS if peer.absent)
    notes = (f"Versions: {versions}.", *([f"Not installed, so not measured: {absent}."] if absent else []))
    how = (
        "the same programme (aplay: as WAV; snapclient: from a local snapserver) to null sinks of PulseAudio through "
        "alsa-lib, all at once; PSS as if no other of them ran, nor any Python; order → sample is from the command on "
        "the player's own socket to what a recording of the sink holds"
    )
    return Section("Peers", how, tuple(figures), notes=notes)


def install() -> None:
    """Fetch the peers from the system's packages. Needs root; mpd's own service is told not to start."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}, check=True)


def compare(play: Section, peers: Section) -> Section:
    """The playing station's figures as multiples of each peer's."""
    ours = {figure.column or PSS: figure.value for figure in play.figures if figure.name in (TOGETHER, ALONE)}
    theirs = {(figure.name, figure.column): figure.value for figure in peers.figures}
    figures = tuple(
        Figure(f"station / {peer.name}", ours[what] / value, "×", None, "", what)
        for peer in PEERS
        for what in (PSS, CPU, WAKEUPS)
        if (value := theirs.get((f"{peer.name} playing", what), 0)) > 0
    )
    return Section("Station beside its peers", "both processes of a playing station against one of a peer", figures)


Stages = Sequence[tuple[Peer, Stage]]


def stages_of(
    here: Sequence[Peer], folder: Path, pulse: Pulse, curtain: contextlib.ExitStack, seconds: int
) -> list[tuple[Peer, Stage]]:
    mp3 = programme(folder, seconds)
    wav = mp3.with_suffix(".wav")
    # 48 kHz, two channels: what the sink takes without any work.
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-i", str(mp3), "-ar", "48000", "-ac", "2", str(wav)]
    subprocess.run(command, check=True)
    return [(peer, Stage(folder, pulse, peer.name, mp3, wav, curtain)) for peer in here]


def _watched(stages: Stages, window_s: float) -> Iterator[Figure]:
    """Those that can idle do, then all play."""
    pids = {peer.name: peer.start(stage).pid for peer, stage in stages if peer.play}
    time.sleep(SETTLE_S)
    yield from _figures("idle", pids, watch(pids, window_s, LOOKS))
    for peer, stage in stages:
        if peer.play:
            peer.play(stage)
        else:
            pids[peer.name] = peer.start(stage).pid
    time.sleep(SETTLE_S)
    yield from _figures("playing", pids, watch(pids, window_s, LOOKS))


def _figures(doing: str, pids: dict[str, int], looks: list[Look]) -> Iterator[Figure]:
    for name, pid in pids.items():

        def itself(one: Look, name: str = name) -> tuple[Memory, Work]:
            return one.of(name)

        weight = pages.weight([pid], {*pages.other_pythons([pid]), *pids.values()} - {pid})
        for figure in process_figures(f"{name} {doing}", looks, itself):
            told = weight is not None and figure.column == PSS
            yield replace(figure, value=weight.alone / MB) if told and weight else figure


def _delays(stages: Stages, runs: int) -> Iterator[Figure]:
    for peer, stage in stages:
        if peer.play and peer.stop:
            yield from spread(f"{peer.name}, order → first sample", _order_to_sample(peer, stage, runs), "ms")


def _order_to_sample(peer: Peer, stage: Stage, runs: int) -> list[float]:
    """Stop, rest, order, and hear when it came; ms."""
    assert peer.play is not None
    assert peer.stop is not None
    told_ms = []
    with Recorder(stage.pulse, stage.sink) as recorder:
        for _ in range(runs):
            peer.stop(stage)
            time.sleep(REST_S)
            told_ms.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6)
            peer.play(stage)
            time.sleep(SOUND_S)
        heard = recorder.stop()
    onsets = [heard.onset(0, ABOVE, heard.frame_at(told)) for told in told_ms]
    return [
        heard.instant_ms(onset) + LATENCY_MS - told
        for onset, told in zip(onsets, told_ms, strict=True)
        if onset is not None
    ]
