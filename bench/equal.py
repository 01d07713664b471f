"""Plain play at equal periods: what a player writes at a time decides what it costs, so each peer's own is given to us.

The station is its device process alone, with the line to an agent that only renews its lease: as in a station it plays
what was staged before, while a peer that is given an MP3 decodes it as it goes.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, Section
from bench.memory import CPU, WAKEUPS
from bench.peers import LOOKS, SETTLE_S, WINDOW_QUICK_S, WINDOW_S, Stages, stages_of
from bench.places import STATION, Effort, place, why
from bench.players import PEERS, PERIODS, START_S_MAX, Peer
from bench.station import rates, watch
from edge_agent.audio.card import RATE, CardConfig
from edge_agent.core.effects import StartPlay
from edge_agent.core.programme import Sound, ZoneFeed
from edge_agent.core.units import ClipKey, MonoMs, PlayId, ZoneId
from tests.host.device_process import DeviceProcess
from tests.host.pulse import Pulse, private_pulse

RATIO = "station / peer"
BOTH = (ZoneFeed(ZoneId("left"), 100), ZoneFeed(ZoneId("right"), 100))


def measure(quick: bool, window_s: float = 0) -> Section:
    """All peers and the station, once with each of their periods, all at once, each to a sink of its own."""
    window_s = window_s or (WINDOW_QUICK_S if quick else WINDOW_S)
    here = [peer for peer in PEERS if peer.period_ms and not peer.absent]
    efforts = _efforts(here, window_s)
    figures, notes = [], []
    for peer in here:
        ours, theirs = efforts[_station(peer.period_ms)], efforts[peer.name]
        row = f"{peer.name}, {PERIODS} × {peer.period_ms} ms"
        figures += [
            Figure(row, theirs.cpu, "%", None, "", f"peer, {CPU}"),
            Figure(row, ours.cpu, "%", None, "", f"station, {CPU}"),
            Figure(row, ours.cpu / theirs.cpu, "×", None, "", RATIO),
            Figure(row, theirs.wakeups, "/s", None, "", f"peer, {WAKEUPS}"),
            Figure(row, ours.wakeups, "/s", None, "", f"station, {WAKEUPS}"),
        ]
        notes.append(f"{why(peer.name, theirs, ours)}.")
    notes += [f"{PERIODS} × {ms} ms: {_place(here, efforts, ms)}." for ms in sorted({peer.period_ms for peer in here})]
    how = (
        f"the same programme to null sinks of PulseAudio through alsa-lib, in a window of {window_s:g} s, all at once; "
        "aplay copies a WAV, the other peers decode an MP3 as they go, the station's device process plays what was "
        "staged before and verifies the digest of every block; the agent beside it is in “Playing”"
    )
    return Section("Plain play at equal periods", how, tuple(figures), notes=tuple(notes))


def _place(here: Sequence[Peer], efforts: dict[str, Effort], period_ms: int) -> str:
    alike = {peer.name: efforts[peer.name].cpu for peer in here if peer.period_ms == period_ms}
    return place({**alike, STATION: efforts[_station(period_ms)].cpu}, "%")


def _station(period_ms: int) -> str:
    """The name of a station's process and of its sink."""
    return f"station{period_ms}"


def _efforts(here: Sequence[Peer], window_s: float) -> dict[str, Effort]:
    """What each process takes while it plays, by its sink's name."""
    lengths = sorted({peer.period_ms for peer in here})
    sinks = (*(peer.name for peer in here), *map(_station, lengths))
    with contextlib.ExitStack() as curtain:
        folder = Path(curtain.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        pulse = curtain.enter_context(private_pulse(folder / "pulse", sinks))
        seconds = round(window_s + SETTLE_S + START_S_MAX)
        stages = stages_of(here, folder, pulse, curtain, seconds)
        pids = {_station(ms): _play_staged(ms, stages[0][1].wav, folder, pulse, curtain) for ms in lengths}
        pids |= _play(stages)
        time.sleep(SETTLE_S)
        looks = watch(pids, window_s, LOOKS)
    return {name: Effort(*rates(looks, lambda one, name=name: one.work[name])) for name in pids}  # type: ignore[misc]


def _play(stages: Stages) -> dict[str, int]:
    pids = {}
    for peer, stage in stages:
        pids[peer.name] = peer.start(stage).pid
        if peer.play:
            peer.play(stage)
    return pids


def _play_staged(period_ms: int, programme: Path, folder: Path, pulse: Pulse, curtain: contextlib.ExitStack) -> int:
    """A device process with such periods, and the programme in both of its zones; its process's id."""
    card = CardConfig(_station(period_ms), period_ms=period_ms, periods=PERIODS)
    device = curtain.enter_context(DeviceProcess(folder / _station(period_ms), pulse.env, card))
    sound = staged(device, "programme", programme)
    device.start(StartPlay(PlayId("programme"), (sound,), BOTH, MonoMs(0)))
    return device.pid


def staged(device: DeviceProcess, name: str, file: Path) -> Sound:
    """Put a file's sound into the device process's store, as it is; what plays it."""
    form = ("-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1")
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-i", str(file), *form]
    pcm = subprocess.run(command, check=True, capture_output=True).stdout
    with device.store.writer(ClipKey(name), RATE) as writer:
        writer.feed(pcm)
        frames = writer.commit()
    return Sound(ClipKey(name), frames * 1_000 // RATE)
