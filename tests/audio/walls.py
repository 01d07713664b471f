"""What confines programs in tests: bubblewrap as it is, and the worker, started by what stands for the service manager.

The stand-in starts a worker for each connection, as edge-agent-decode@.service does, and puts up none of the unit's
walls; what those hold back, ``test_decode_unit`` shows on a booted system.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from edge_agent.audio.confined import Ended, Limits
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.sandbox import Handed, Sandbox

PYTHON = "/usr/bin/python3"
MIB = 1_024 * 1_024
OWN_COUNT = ("/usr/bin/unshare", "--user", "--map-current-user")
# The unit's worker has a user of its own, whose processes are counted apart. Here it is ours, and a desktop's are many.
LIMITS = Limits(data_bytes=128 * MIB, cpu_s=20, wall_s=120, output_bytes=MIB)


@contextlib.contextmanager
def stand_in_manager(folder: Path, *programs: str) -> Iterator[DecodeService]:
    """A service whose workers run ``programs``, as long as the block lasts."""
    path = folder / "decode.sock"
    workers: list[subprocess.Popen[bytes]] = []

    def start_a_worker_for_each() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            with line:
                command = [*OWN_COUNT, sys.executable, "-m", "edge_agent.audio.decode_worker", *programs]
                workers.append(subprocess.Popen(command, stdin=line))

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        accepting = threading.Thread(target=start_a_worker_for_each)
        accepting.start()
        try:
            yield DecodeService(path)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            assert [worker.wait(30) for worker in workers] == [0] * len(workers), "a worker never fails or stays"


class WithoutFilter(Sandbox):
    """Planted: bubblewrap's walls alone."""

    def command(self, argv: tuple[str, ...], limits: Limits, handed: Handed) -> tuple[str, ...]:
        whole = list(super().command(argv, limits, handed))
        at = whole.index("--seccomp")
        return (*whole[:at], *whole[at + 2 :])


class WithAHole(Sandbox):
    """Planted: one folder too many."""

    def command(self, argv: tuple[str, ...], limits: Limits, handed: Handed) -> tuple[str, ...]:
        whole = list(super().command(argv, limits, handed))
        at = whole.index("--remount-ro")
        return (*whole[:at], "--ro-bind", "/etc/passwd", "/etc/passwd", *whole[at:])


def script(code: str) -> tuple[str, ...]:
    """A program in Python; -I -S keep it from reading anything but its own library."""
    return (PYTHON, "-I", "-S", "-c", code)


def said(confined: Sandbox | DecodeService, argv: tuple[str, ...], source: object, limits: Limits = LIMITS) -> str:
    """What a program printed that ended well."""
    taken = bytearray()
    ended: Ended = confined.run(argv, source, limits, taken.extend)  # type: ignore[arg-type]
    assert ended.well, ended
    return taken.decode()
