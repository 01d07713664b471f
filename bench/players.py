"""Other players: how each is started, told to play and told to stop. Measures nothing; ``peers`` does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.host.pulse import Pulse

START_S_MAX = 20
LONG_MS, SHORT_MS, PERIODS = 125, 25, 4
# What they take by themselves, four periods of 125 ms (mpv: of 25 ms), said to them so that it stays so. mpg123 is told
# only how much lies in all of them.
REPLY_BYTES = 65_536


@dataclass(frozen=True)
class Stage:
    """Where a peer plays: files of its own, a sink of its own name, and the programme as MP3 and as WAV."""

    folder: Path
    pulse: Pulse
    sink: str
    mp3: Path
    wav: Path
    curtain: contextlib.ExitStack

    def spawn(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a program that finds the sink through alsa-lib, like a station does; it ends with the stage."""
        quiet = subprocess.DEVNULL
        around = {**self.pulse.child_env(), **env}
        child = subprocess.Popen(command, env=around, stdin=quiet, stdout=quiet, stderr=quiet)
        self.curtain.callback(child.wait)
        self.curtain.callback(child.kill)
        return child


@dataclass(frozen=True)
class Peer:
    """``start`` answers with a process that idles until ``play``; without ``play`` it sounds from the start.

    One with ``stop`` can be told to play again and again. ``period_ms`` is how much it writes at a time, into a card
    of PERIODS periods; 0 where that cannot be told.
    """

    name: str
    start: Callable[[Stage], subprocess.Popen[bytes]]
    play: Callable[[Stage], None] | None = None
    stop: Callable[[Stage], None] | None = None
    needs: tuple[str, ...] = ()
    period_ms: int = 0

    @property
    def absent(self) -> bool:
        """Whether it, or what it cannot play without, is not installed."""
        return any(shutil.which(program) is None for program in (self.name, *self.needs))


def _aplay(stage: Stage) -> subprocess.Popen[bytes]:
    timing = (f"--buffer-time={PERIODS * LONG_MS * 1_000}", f"--period-time={LONG_MS * 1_000}")
    return stage.spawn("aplay", "-q", "-D", stage.sink, *timing, str(stage.wav))


def _mpg123(stage: Stage) -> subprocess.Popen[bytes]:
    timing = ("--devbuffer", str(PERIODS * LONG_MS / 1_000))
    return stage.spawn("mpg123", "-q", "-o", "alsa", "-a", stage.sink, *timing, str(stage.mp3))


def _mpd(stage: Stage) -> subprocess.Popen[bytes]:
    config = stage.folder / "mpd.conf"
    config.write_text(
        f'bind_to_address "{stage.folder}/mpd.sock"\n'
        f'state_file "{stage.folder}/mpd.state"\n'
        f'audio_output {{\n  type "alsa"\n  name "sink"\n  device "{stage.sink}"\n  mixer_type "none"\n'
        f'  buffer_time "{PERIODS * LONG_MS * 1_000}"\n  period_time "{LONG_MS * 1_000}"\n}}\n'
    )
    return stage.spawn("mpd", "--no-daemon", str(config))


def _mpd_play(stage: Stage) -> None:
    _say(stage.folder / "mpd.sock", "clear\n", f'add "file://{stage.mp3}"\n', "play\n", greeting=True)


def _mpd_stop(stage: Stage) -> None:
    _say(stage.folder / "mpd.sock", "stop\n", greeting=True)


def _mpv(stage: Stage) -> subprocess.Popen[bytes]:
    sound = ("--ao=alsa", f"--audio-device=alsa/{stage.sink}", "--no-video", "--no-config", "--no-terminal")
    timing = (f"--alsa-buffer-time={PERIODS * SHORT_MS * 1_000}", f"--alsa-periods={PERIODS}")
    return stage.spawn("mpv", "--idle", *sound, *timing, f"--input-ipc-server={stage.folder}/mpv.sock")


def _mpv_play(stage: Stage) -> None:
    _mpv_say(stage, "loadfile", str(stage.mp3))


def _mpv_stop(stage: Stage) -> None:
    _mpv_say(stage, "stop")


def _mpv_say(stage: Stage, *command: str) -> None:
    _say(stage.folder / "mpv.sock", json.dumps({"command": command}) + "\n")


def _snapclient(stage: Stage) -> subprocess.Popen[bytes]:
    fifo = stage.folder / "snapfifo"
    os.mkfifo(fifo)
    config = stage.folder / "snapserver.conf"
    config.write_text(
        f"[server]\ndatadir = {stage.folder}\n[http]\nenabled = false\n[tcp]\nenabled = false\n"
        f"[stream]\nsource = pipe://{fifo}?name=programme&sampleformat=48000:16:2&codec=pcm\n"
    )
    stage.spawn("snapserver", "-c", str(config))
    # It takes only a card that alsa-lib lists, and that needs a hint.
    listed = stage.folder / "listed.conf"
    listed.write_text(
        'pcm.listed { type pulse device "SINK" hint { show on description "sink" } }\n'.replace("SINK", stage.sink)
    )
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
    Peer("aplay", _aplay, period_ms=LONG_MS),
    Peer("mpg123", _mpg123, period_ms=LONG_MS),
    Peer("mpd", _mpd, _mpd_play, _mpd_stop, period_ms=LONG_MS),
    Peer("mpv", _mpv, _mpv_play, _mpv_stop, period_ms=SHORT_MS),
    Peer("snapclient", _snapclient, _snapclient_play, needs=("snapserver",)),
)
