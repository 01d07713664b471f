"""Confine a program by the service manager: a worker for each piece of sound, behind a socket (``decode_worker``).

Decides how a worker is asked and what its silence means. The agent itself then needs no right to make namespaces. The
agent opens the file and hands it over; the worker could not.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from edge_agent.audio.confined import KILLED_STATUS, End, Ended, Limits, printable, watch
from edge_agent.audio.decode_worker import BEGAN, ENDED, PACKET_BYTES_MAX, REFUSED, request

SOCKET = Path("/run/edge-agent-decode.sock")
BEGIN_S_MAX = 30.0
# A worker begins within 0.1 s [measured, amd64]; a Raspberry Pi that has just booted has other things to do.


@dataclass(frozen=True, slots=True)
class DecodeService:
    """``edge-agent-decode.socket``. Holds nothing; any number of threads may run children."""

    path: Path = SOCKET

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        """See ``Confined``. Hanging up, at the end of this, ends the worker and everything inside."""
        with contextlib.ExitStack() as stack:
            try:
                line = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                line.settimeout(BEGIN_S_MAX)
                line.connect(os.fspath(self.path))
                output, complaints = _begin(stack, line, request(limits.data_bytes, limits.cpu_s, argv), source)
            except OSError as exc:
                return Ended(End.NO_SANDBOX, 127, 0, f"{self.path}: {exc.strerror or exc}")
            return watch(output, complaints, partial(_status_within, line), limits, take, stop)


def _begin(
    stack: contextlib.ExitStack, line: socket.socket, packet: bytes, source: BinaryIO
) -> tuple[BinaryIO, BinaryIO]:
    """Where the program's output and its complaints can be read once it runs. OSError if it does not."""
    output, into_output = _pipe(stack)
    complaints, into_complaints = _pipe(stack)
    # Ours are closed as soon as they are handed over: the pipes must end with the program.
    with into_output, into_complaints:
        inherited = [source.fileno(), into_output.fileno(), into_complaints.fileno()]
        socket.send_fds(line, [packet], inherited)
    answer = line.recv(PACKET_BYTES_MAX)
    if answer != BEGAN:
        raise OSError(printable(answer.removeprefix(REFUSED)) or "the worker hung up before it began")
    return output, complaints


def _pipe(stack: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    read_end, write_end = os.pipe()
    return stack.enter_context(os.fdopen(read_end, "rb")), os.fdopen(write_end, "wb")


def _status_within(line: socket.socket, seconds: float) -> int | None:
    """What the worker says of the program's end. It says nothing where it was killed too: out of memory, for one."""
    line.settimeout(seconds)
    try:
        answer = line.recv(PACKET_BYTES_MAX)
    except (BlockingIOError, TimeoutError):
        return None
    except ConnectionError:
        return KILLED_STATUS
    status = answer.removeprefix(ENDED)
    return int(status) if status.isdigit() else KILLED_STATUS
