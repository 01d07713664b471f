"""How long each process takes from its start to READY=1, and the agent until the broker has its subscriptions.

Each run starts the program anew, with the files it reads in the page cache and its bytecode compiled, as on every boot
but the first after an update.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Section, spread
from bench.station import FITTING, running
from demo.ward import Ward

RUNS, RUNS_QUICK = 25, 9
READY_MS_MAX = 250
PATIENCE_S = 30
DATAGRAM_BYTES = 4096
SUBSCRIBED = "connected"
# What the agent logs at the SUBACK, when its core has been told of the session.


def measure(quick: bool) -> Section:
    """Start and stop each process again and again."""
    runs = RUNS_QUICK if quick else RUNS
    with running(FITTING) as ward:
        ward.switch_off()
        ready_io = [one_start(ward, "io")[0] for _ in range(runs)]
        ward.switch_on(agent=False)
        both = [one_start(ward, "run") for _ in range(runs)]
    figures = (
        *spread("edge-agent io, exec → ready", ready_io, "ms", median_max=READY_MS_MAX),
        *spread("edge-agent run, exec → ready", [ready for ready, _ in both], "ms", median_max=READY_MS_MAX),
        *spread("edge-agent run, exec → subscribed", [subscribed for _, subscribed in both], "ms"),
    )
    how = "READY=1 on a notify socket of ours; subscribed: the SUBACK, as the log tells it, over TLS 1.3 on loopback"
    return Section("Cold start", how, figures, ("NOTIFY_SOCKET=… python -m edge_agent run --config …",))


def one_start(ward: Ward, task: str) -> tuple[float, float]:
    """One start: ms until ready, and until subscribed (the same where the process subscribes to nothing)."""
    path = ward.folder / f"notify-{task}"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(path))
        notified.settimeout(PATIENCE_S)
        begun_ns = time.monotonic_ns()
        child = _spawn(ward, task, path)
        try:
            while not notified.recv(DATAGRAM_BYTES).startswith(b"READY=1"):
                pass
            ready_ns = time.monotonic_ns()
            subscribed_ns = _await_line(child, SUBSCRIBED) if task == "run" else ready_ns
        finally:
            child.terminate()
            child.communicate(timeout=PATIENCE_S)
    return (ready_ns - begun_ns) / 1e6, (subscribed_ns - begun_ns) / 1e6


def _spawn(ward: Ward, task: str, notify: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge_agent", task, "--config", str(ward.config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **ward.sound_env, "NOTIFY_SOCKET": str(notify)},
    )


def _await_line(child: subprocess.Popen[bytes], words: str) -> int:
    """When a line with these words came out of the log."""
    assert child.stderr is not None
    for line in child.stderr:
        if words.encode() in line:
            return time.monotonic_ns()
    raise RuntimeError(f"the process ended without saying {words!r}")
