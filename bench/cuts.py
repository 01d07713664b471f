"""From an order to the first sample it asks for: idle, and cutting in upon a sound, beside players that can be told.

Every player plays a faint programme, is ordered a loud one at a moment chosen anew each time, and is heard on its own
sink. The station's order is what its core sends to the device process when an emergency cuts in: a stop and a start.
What of it is the sound server's own is measured beside it: a card that is already open, emptied and written to.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.equal import BOTH, staged
from bench.figures import Section, median, spread
from bench.neighbour import torn_ms
from bench.peers import stages_of
from bench.places import STATION, place
from bench.players import PEERS, START_S_MAX, Peer, Stage
from bench.station import QUIET_MAX
from bench.table import number
from edge_agent.audio.alsa import AlsaCard
from edge_agent.audio.bell import Bell
from edge_agent.audio.card import CardConfig
from edge_agent.clock import boot_ms
from edge_agent.core.effects import StartPlay, StopPlay
from edge_agent.core.programme import Sound
from edge_agent.core.units import PlayId
from tests.host.device_process import DeviceProcess
from tests.host.pulse import Pulse, private_pulse
from tests.host.recording import LATENCY_MS, Recorder, Recording

RUNS, RUNS_QUICK = 40, 6
HARD_MS_MAX = 10
# Requirement sound.4.
SERVER, NEIGHBOUR = "server alone, drop and write", "neighbour of a hard cut, torn"
SPARE_SINK = "spare"
IDLE, CUTTING = "idle", "cutting in"
REST_S = 2.5
# The station has given its card back by then.
PLAYED_S = (1.0, 1.4)
# Every queue is full; chosen anew each time, so that ordering keeps no step with anybody's period.
SETTLED_S, SOUND_S = 0.3, 0.4
# For a sink to have taken on the steps that its listener asks for.
HURRY_S = 0.05
LOUD_HZ, LOUD_S = 1_000, 5
SEED = 1
FRAME_BYTES = 4


@dataclass(frozen=True)
class Player:
    """Somebody that can be told: to play the faint programme, the loud one, or nothing."""

    name: str
    faint: Callable[[], None]
    loud: Callable[[], None]
    stop: Callable[[], None]


def measure(quick: bool, runs: int = 0) -> Section:
    """All of them in turn, first from rest, then out of the faint programme."""
    runs = runs or (RUNS_QUICK if quick else RUNS)
    peers = [peer for peer in PEERS if peer.stop and not peer.absent]
    names = (STATION, *(peer.name for peer in peers))
    with contextlib.ExitStack() as curtain:
        folder = Path(curtain.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        pulse = curtain.enter_context(private_pulse(folder / "pulse", (*names, SPARE_SINK)))
        seconds = round(runs * (PLAYED_S[1] + len(names) * SOUND_S)) + START_S_MAX
        loud = _loud(folder / "loud.mp3")
        players = [_station(folder, loud, pulse, curtain)]
        for peer, stage in stages_of(peers, folder, pulse, curtain, seconds):
            peer.start(stage)
            players.append(_peer(peer, stage, loud))
        idle = _rounds(pulse, players, runs, lambda player: player.stop(), (REST_S, REST_S))
        cutting = _rounds(pulse, players, runs, lambda player: player.faint(), PLAYED_S)
        server = _server_alone(pulse, runs)
        torn = torn_ms(folder / "neighbour", pulse, SPARE_SINK, runs)
    found = {(name, doing): told[name] for doing, told in ((IDLE, idle), (CUTTING, cutting)) for name in names}
    aims = {(STATION, CUTTING): HARD_MS_MAX}
    figures = [
        figure
        for (name, doing), delays in found.items()
        for figure in spread(f"{name}, {doing}", delays, "ms", p99_max=aims.get((name, doing)))
    ]
    how = (
        "an order on each player's own socket (station: its device process's; mpd: clear, add, play; mpv: loadfile) → "
        f"the first loud sample in a recording of its null sink, whose one step ({LATENCY_MS} ms) is added to all; "
        f"idle: {REST_S:g} s after a stop; cutting in: out of a faint programme with its queue full; server alone: an "
        "open card's queue is dropped and written to again by nobody but alsa-lib; torn: what another zone of the "
        f"station's card lacks of its sound there, or waits for; seed {SEED}, players in turn; mpd and "
        "mpv decode an MP3, the station plays what it staged before"
    )
    return Section(
        "Order → first sample, beside peers",
        how,
        (*figures, *spread(SERVER, server, "ms"), *spread(NEIGHBOUR, torn, "ms")),
        notes=tuple(_notes({key: median(delays) for key, delays in found.items()}, median(server))),
    )


def _notes(medians: Mapping[tuple[str, str], float], server: float) -> Sequence[str]:
    """Places, and where the time goes, from the medians."""
    names = list(dict.fromkeys(name for name, _ in medians))
    places = [
        f"{doing.capitalize()}: {place({name: medians[name, doing] for name in names}, 'ms')}."
        for doing in (IDLE, CUTTING)
    ]
    more = ", ".join(f"{name} {medians[name, CUTTING] - medians[name, IDLE]:+.1f} ms" for name in names)
    ours = medians[STATION, CUTTING]
    return [
        *places,
        f"Cutting in against idle: {more}.",
        f"Of the station's {number(ours)} ms cutting in, {number(server)} ms are the server's and alsa-lib's (the "
        f"recording's step included), {number(max(ours - server, 0))} ms its own: the line between its processes, the "
        "clip's first block, the mixing of a period.",
    ]


def _rounds(
    pulse: Pulse,
    players: Sequence[Player],
    runs: int,
    before: Callable[[Player], None],
    passing_s: tuple[float, float],
) -> dict[str, list[float]]:
    """How long after its order each was loud, ms: all are brought where they begin, then it is one's turn.

    Each round has a recording of its own: over minutes on a busy machine a long one loses its hold on the clock.
    """
    chance = random.Random(SEED)
    delays: dict[str, list[float]] = {player.name: [] for player in players}
    for _ in range(runs):
        for player in players:
            before(player)
        time.sleep(chance.uniform(*passing_s))
        with contextlib.ExitStack() as listening:
            ears = [listening.enter_context(Recorder(pulse, player.name)) for player in players]
            time.sleep(SETTLED_S)
            told = [_ordered_ms(player, chance) for player in players]
            for player, ear, told_ms in zip(players, ears, told, strict=True):
                delays[player.name].append(_onset_ms(ear.stop(), told_ms) - told_ms)
    return delays


def _ordered_ms(player: Player, chance: random.Random) -> float:
    """Order one to be loud, and let it sound; when it was ordered (boot time)."""
    time.sleep(chance.uniform(0, SOUND_S / 4))
    told_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6
    player.loud()
    time.sleep(SOUND_S)
    return told_ms


def _onset_ms(heard: Recording, told_ms: float) -> float:
    """When it first was loud after ``told_ms``; the recording dates a step's end to when the sink began it."""
    onset = heard.onset(0, QUIET_MAX, heard.frame_at(told_ms - 2 * LATENCY_MS))
    assert onset is not None, "what was ordered was not heard"
    return heard.instant_ms(onset) + LATENCY_MS


def _loud(path: Path) -> Path:
    source = f"sine=frequency={LOUD_HZ}:sample_rate=44100:duration={LOUD_S},volume=4"
    command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, "-b:a", "64k", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def _peer(peer: Peer, stage: Stage, loud: Path) -> Player:
    play, stop = peer.play, peer.stop
    assert play is not None
    assert stop is not None
    other = replace(stage, mp3=loud)
    return Player(peer.name, lambda: play(stage), lambda: play(other), lambda: stop(stage))


class _Told:
    """The station's device process, told by plays that are never called the same."""

    def __init__(self, device: DeviceProcess) -> None:
        self._device = device
        self._number = 0

    def play(self, sound: Sound) -> None:
        """Instead of whatever sounds."""
        self.stop()
        self._number += 1
        self._device.start(StartPlay(self._now, (sound,), BOTH, boot_ms()))

    def stop(self) -> None:
        if self._number:
            self._device.stop(StopPlay(self._now))

    @property
    def _now(self) -> PlayId:
        return PlayId(f"play{self._number}")


def _station(folder: Path, loud: Path, pulse: Pulse, curtain: contextlib.ExitStack) -> Player:
    device = curtain.enter_context(DeviceProcess(folder / "io", pulse.env, CardConfig(STATION)))
    told = _Told(device)
    faint = folder / "faint.wav"
    source = "sine=frequency=300:sample_rate=48000:duration=60,volume=0.024"
    command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, str(faint)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    sounds = staged(device, "faint", faint), staged(device, "loud", loud)
    return Player(STATION, lambda: told.play(sounds[0]), lambda: told.play(sounds[1]), told.stop)


def _server_alone(pulse: Pulse, runs: int) -> list[float]:
    """From the drop of a full queue to the first sample of what is written then; ms."""
    delays = []
    config = CardConfig(SPARE_SINK)
    silence, sound = bytes(config.period_frames * FRAME_BYTES), b"\x00\x40" * 2 * config.period_frames
    with _environment(pulse.env):
        card = AlsaCard(config)
        for _ in range(runs):
            with Recorder(pulse, SPARE_SINK) as recorder:
                _keep_full(card, silence, PLAYED_S[0])
                told_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6
                card.drop()
                card.write(sound)
                time.sleep(SOUND_S)
                delays.append(_onset_ms(recorder.stop(), told_ms) - told_ms)
        card.close()
    return delays


def _keep_full(card: AlsaCard, block: bytes, seconds: float) -> None:
    bell = Bell()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if card.room() >= len(block) // FRAME_BYTES:
            card.write(block)
        card.wait(HURRY_S, bell)


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """This process's alsa-lib finds what a child's would."""
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
