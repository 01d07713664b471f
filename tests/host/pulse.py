"""A private PulseAudio with null sinks, as a sound card that keeps time where there is none.

ALSA's own ``null`` and ``file`` do not pace. ``norewinds=1`` matters: a null sink that rewinds changes the first
samples of a stream and moves onsets by up to 50 ms. Nothing of the user's own sound server is read, started or written.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_ALSA_CONFIG = Path("/usr/share/alsa/alsa.conf")
START_S_MAX = 30
NEEDED = ("pulseaudio", "parec")


def missing() -> str:
    """What keeps this host from it, or ""."""
    absent = [name for name in NEEDED if not shutil.which(name)]
    if not SYSTEM_ALSA_CONFIG.exists():
        absent.append(str(SYSTEM_ALSA_CONFIG))
    return ", ".join(absent)


@dataclass(frozen=True)
class Pulse:
    """A running server. ``env`` is all that a child (or this process) needs to play into it through alsa-lib."""

    folder: Path
    process: subprocess.Popen[bytes]
    env: Mapping[str, str]

    def child_env(self) -> dict[str, str]:
        """This process's environment with ours over it."""
        return {**os.environ, **self.env}

    def freeze(self) -> None:
        """Stop serving without going away, like a card that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Go away at once, like a card that is pulled out."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def private_pulse(
    folder: Path, sinks: tuple[str, ...] = ("station",), rate: int = 48_000, channels: int = 2
) -> Iterator[Pulse]:
    """Run a server with its files in ``folder`` (created). alsa-lib finds each sink as a PCM of the same name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    native = folder / "native"
    script = folder / "server.pa"
    script.write_text(_server_script(native, sinks, rate, channels))
    (folder / "client.conf").write_text(f"autospawn = no\ndefault-server = unix:{native}\n")
    (folder / "asound.conf").write_text(alsa_config(native, sinks))
    env = _environment(folder, native)
    with open(folder / "server.log", "ab") as log:
        process = subprocess.Popen(
            _command(script), env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    pulse = Pulse(folder, process, env)
    try:
        _await_socket(pulse, native)
        yield pulse
    finally:
        with contextlib.suppress(ProcessLookupError):
            pulse.thaw()
        pulse.kill()


def alsa_config(native: Path, sinks: tuple[str, ...]) -> str:
    """The text of an ALSA configuration: each sink is ``pcm.NAME``, what it plays can be captured from ``NAME_out``."""
    known = [pair for sink in sinks for pair in ((sink, sink), (f"{sink}_out", f"{sink}.monitor"))]
    return "".join(f'pcm.{name} {{ type pulse server "unix:{native}" device "{device}" }}\n' for name, device in known)


def _server_script(native: Path, sinks: tuple[str, ...], rate: int, channels: int) -> str:
    lines = [f"load-module module-native-protocol-unix socket={native} auth-anonymous=1"]
    form = f"format=s16le rate={rate} channels={channels} norewinds=1"
    lines += [f"load-module module-null-sink sink_name={sink} {form}" for sink in sinks]
    return "\n".join(lines) + "\n"


def _command(script: Path) -> list[str]:
    options = ["--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--use-pid-file=no", "--high-priority=no"]
    return ["pulseaudio", "-n", "-F", str(script), *options, "--realtime=no", "--log-target=stderr", "--log-level=info"]


def _environment(folder: Path, native: Path) -> dict[str, str]:
    own = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"), str(folder))
    return {
        **own,
        "PULSE_CLIENTCONFIG": str(folder / "client.conf"),
        "PULSE_SERVER": f"unix:{native}",
        "ALSA_CONFIG_PATH": f"{SYSTEM_ALSA_CONFIG}:{folder / 'asound.conf'}",
    }


def _listens(path: Path) -> bool:
    # The file is there a moment before anybody listens behind it.
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _await_socket(pulse: Pulse, path: Path) -> None:
    until = time.monotonic() + START_S_MAX
    while not _listens(path):
        log = (pulse.folder / "server.log").read_text(errors="replace")
        if pulse.process.poll() is not None:
            raise RuntimeError(f"pulseaudio ended with {pulse.process.returncode}: {log[-2000:]}")
        if time.monotonic() > until:
            raise RuntimeError(f"pulseaudio does not listen after {START_S_MAX} s: {log[-2000:]}")
        time.sleep(0.02)
