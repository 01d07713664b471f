"""The same programme to the same null sink by other players, as far as they are installed: memory, CPU, wake-ups.

Peers do less: none of them checks a signature, keeps a journal or holds a relay. aplay, which only copies samples to
alsa-lib, is the floor.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, Section
from bench.machine import program_version
from bench.memory import ALONE, CPU, PSS, TOGETHER, WAKEUPS, process_figures
from bench.proc import Memory, Work
from bench.station import Look, programme, watch
from tests.host.pulse import Pulse, private_pulse

PACKAGES = ("mpd", "mpv", "mpg123", "snapclient", "snapserver")
WINDOW_S, WINDOW_QUICK_S = 30, 8
LOOKS = 4
SETTLE_S = 4
START_S_MAX = 20
REPLY_BYTES = 65_536


@dataclass(frozen=True)
class Stage:
    """Where a peer plays: files of its own, the sink, and the programme as MP3 and as WAV."""

    folder: Path
    pulse: Pulse
    mp3: Path
    wav: Path
    curtain: contextlib.ExitStack

    def spawn(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a program that finds the sink as ``station``, like a station does; it ends with the stage."""
        quiet = subprocess.DEVNULL
        around = {**self.pulse.child_env(), **env}
        child = subprocess.Popen(command, env=around, stdin=quiet, stdout=quiet, stderr=quiet)
        self.curtain.callback(child.wait)
        self.curtain.callback(child.kill)
        return child


@dataclass(frozen=True)
class Peer:
    """``start`` answers with a process that idles until ``play``; without ``play`` it sounds from the start."""

    name: str
    start: Callable[[Stage], subprocess.Popen[bytes]]
    play: Callable[[Stage], None] | None = None
    needs: tuple[str, ...] = ()


def measure(quick: bool) -> Section:
    """Every peer, one after the other."""
    window_s = WINDOW_QUICK_S if quick else WINDOW_S
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, private_pulse(Path(name) / "pulse") as pulse:
        mp3 = programme(Path(name), 2 * (window_s + SETTLE_S + START_S_MAX))
        wav = _as_wav(mp3)
        figures: list[Figure] = []
        for peer in PEERS:
            if not _absent(peer):
                with contextlib.ExitStack() as curtain:
                    figures += _measure(peer, Stage(Path(name), pulse, mp3, wav, curtain), window_s)
    versions = ", ".join(
        f"{peer.name} {program_version(peer.name, '--version')}" for peer in PEERS if not _absent(peer)
    )
    absent = ", ".join(peer.name for peer in PEERS if _absent(peer))
    notes = (f"Versions: {versions}.", *([f"Not installed, so not measured: {absent}."] if absent else []))
    how = "the same programme (aplay: as WAV; snapclient: from a local snapserver) to a null sink of PulseAudio"
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


def _absent(peer: Peer) -> bool:
    return any(shutil.which(program) is None for program in (peer.name, *peer.needs))


def _as_wav(mp3: Path) -> Path:
    """48 kHz, two channels: what the sink takes without any work."""
    wav = mp3.with_suffix(".wav")
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-i", str(mp3), "-ar", "48000", "-ac", "2", str(wav)]
    subprocess.run(command, check=True)
    return wav


def _measure(peer: Peer, stage: Stage, window_s: float) -> Iterator[Figure]:
    def itself(one: Look) -> tuple[Memory, Work]:
        return one.of(peer.name)

    pids = {peer.name: peer.start(stage).pid}
    time.sleep(SETTLE_S)
    if peer.play is not None:
        yield from process_figures(f"{peer.name} idle", watch(pids, window_s, LOOKS), itself)
        peer.play(stage)
        time.sleep(SETTLE_S)
    yield from process_figures(f"{peer.name} playing", watch(pids, window_s, LOOKS), itself)


def _aplay(stage: Stage) -> subprocess.Popen[bytes]:
    return stage.spawn("aplay", "-q", "-D", "station", str(stage.wav))


def _mpg123(stage: Stage) -> subprocess.Popen[bytes]:
    return stage.spawn("mpg123", "-q", "-o", "alsa", "-a", "station", str(stage.mp3))


def _mpd(stage: Stage) -> subprocess.Popen[bytes]:
    config = stage.folder / "mpd.conf"
    config.write_text(
        f'bind_to_address "{stage.folder}/mpd.sock"\n'
        f'state_file "{stage.folder}/mpd.state"\n'
        'audio_output {\n  type "alsa"\n  name "station"\n  device "station"\n  mixer_type "none"\n}\n'
    )
    return stage.spawn("mpd", "--no-daemon", str(config))


def _mpd_play(stage: Stage) -> None:
    _say(stage.folder / "mpd.sock", f'add "file://{stage.mp3}"\n', "play\n", greeting=True)


def _mpv(stage: Stage) -> subprocess.Popen[bytes]:
    sound = ("--ao=alsa", "--audio-device=alsa/station", "--no-video", "--no-config", "--no-terminal")
    return stage.spawn("mpv", "--idle", *sound, f"--input-ipc-server={stage.folder}/mpv.sock")


def _mpv_play(stage: Stage) -> None:
    _say(stage.folder / "mpv.sock", json.dumps({"command": ["loadfile", str(stage.mp3)]}) + "\n")


def _snapclient(stage: Stage) -> subprocess.Popen[bytes]:
    fifo = stage.folder / "snapfifo"
    os.mkfifo(fifo)
    config = stage.folder / "snapserver.conf"
    config.write_text(
        f"[server]\ndatadir = {stage.folder}\n[http]\nenabled = false\n[tcp]\nenabled = false\n"
        f"[stream]\nsource = pipe://{fifo}?name=station&sampleformat=48000:16:2&codec=pcm\n"
    )
    stage.spawn("snapserver", "-c", str(config))
    # It takes only a card that alsa-lib lists, and that needs a hint.
    listed = stage.folder / "listed.conf"
    listed.write_text('pcm.listed { type pulse device "station" hint { show on description "station" } }\n')
    known = f"{stage.pulse.env['ALSA_CONFIG_PATH']}:{listed}"
    return stage.spawn(
        "snapclient", "--player", "alsa", "--soundcard", "listed", "--host", "127.0.0.1", ALSA_CONFIG_PATH=known
    )


def _snapclient_play(stage: Stage) -> None:
    form = ("-ar", "48000", "-ac", "2", "-f", "s16le")
    stage.spawn(
        "ffmpeg", "-loglevel", "error", "-y", "-re", "-i", str(stage.wav), *form, str(stage.folder / "snapfifo")
    )


def _say(path: Path, *lines: str, greeting: bool = False) -> None:
    """Say lines to a player that listens at ``path``, and hear an answer to each; mpd speaks first."""
    until = time.monotonic() + START_S_MAX
    with socket.socket(socket.AF_UNIX) as line:
        while line.connect_ex(str(path)) != 0:
            if time.monotonic() > until:
                raise RuntimeError(f"nobody listens at {path}")
            time.sleep(0.05)
        line.settimeout(START_S_MAX)
        if greeting:
            line.recv(REPLY_BYTES)
        for words in lines:
            line.sendall(words.encode())
            answer = line.recv(REPLY_BYTES)
            if b"ACK" in answer:
                raise RuntimeError(f"{words.strip()}: {answer.decode(errors='replace').strip()}")


PEERS = (
    Peer("aplay", _aplay),
    Peer("mpg123", _mpg123),
    Peer("mpd", _mpd, _mpd_play),
    Peer("mpv", _mpv, _mpv_play),
    Peer("snapclient", _snapclient, _snapclient_play, needs=("snapserver",)),
)
