"""The worker of ``edge-agent-decode@.service``: run one program for the agent, say how it ended, and be gone.

Its walls (no network, no files, a user of its own, memory) are put up by the service manager before its first line; see
systemd/. It adds what depends on the piece of sound, limits of memory and time, and the filter of calls. It reads no
sound.

    agent   one packet: DATA_BYTES NUL CPU_S NUL PROGRAM NUL ARGUMENT…, and three descriptors: input, output, complaints
    worker  b"began", and b"ended STATUS" when the program is gone; or b"refused WHY" and nothing more

    python -m edge_agent.audio.decode_worker PROGRAM…     the connection is standard input; nothing but PROGRAM… is run
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.audio import call_filter
from edge_agent.audio.child import ADDRESS_BYTES_MAX, ENVIRONMENT, OPEN_FILES_MAX, PROCESSES_MAX, STACK_BYTES

BEGAN = b"began"
ENDED = b"ended "
REFUSED = b"refused "
PACKET_BYTES_MAX = 4_096
DESCRIPTORS = 3
BOUND = re.compile(r"[1-9][0-9]{0,14}")
# -1 would be no bound at all (RLIM_INFINITY).


class Refused(Exception):
    """Nothing was started. The message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A program and its arguments, and what it may take: bytes of private memory, seconds of CPU."""

    data_bytes: int
    cpu_s: int
    argv: tuple[str, ...]


def main(programs: Sequence[str]) -> int:
    """Serve the connection that is standard input."""
    with socket.socket(fileno=os.dup(0)) as line:
        serve(line, programs)
    return 0


def serve(line: socket.socket, programs: Sequence[str]) -> None:
    """Answer the one request of a connection. When the agent hangs up, the program goes too."""
    packet, descriptors, _, _ = socket.recv_fds(line, PACKET_BYTES_MAX, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    try:
        child = _start(packet, descriptors, programs)
    except Refused as refusal:
        _say(line, REFUSED + str(refusal).encode("ascii", "replace"))
        return
    for descriptor in descriptors:
        os.close(descriptor)  # the program's alone now: its end must close them
    with child:
        _say(line, BEGAN)
        if _agent_hangs_up_first(line, child.pid):
            child.kill()
        else:
            _say(line, ENDED + str(_status(child.wait())).encode())


def request(data_bytes: int, cpu_s: int, argv: Sequence[str]) -> bytes:
    """What the agent sends."""
    return b"\0".join(part.encode() for part in (str(data_bytes), str(cpu_s), *argv))


def read_request(packet: bytes, programs: Sequence[str]) -> Request:
    """What ``request`` made. Raises Refused."""
    try:
        data_bytes, cpu_s, *argv = packet.decode().split("\0")
    except ValueError as exc:
        raise Refused("no request") from exc
    if not BOUND.fullmatch(data_bytes) or not BOUND.fullmatch(cpu_s):
        raise Refused("no request")
    if not argv or argv[0] not in programs:
        raise Refused(f"{argv[:1]} is none of {list(programs)}")
    return Request(int(data_bytes), int(cpu_s), tuple(argv))


def _start(packet: bytes, descriptors: Sequence[int], programs: Sequence[str]) -> subprocess.Popen[bytes]:
    asked = read_request(packet, programs)
    if len(descriptors) != DESCRIPTORS:
        raise Refused("no request")
    source, output, complaints = descriptors
    try:
        load_filter = call_filter.loader()
        return subprocess.Popen(
            asked.argv,
            stdin=source,
            stdout=output,
            stderr=complaints,
            env=ENVIRONMENT,
            cwd="/",
            preexec_fn=lambda: _confine(asked, load_filter),
        )
    except (OSError, call_filter.NoFilter, subprocess.SubprocessError) as exc:
        raise Refused(str(exc)) from exc


def _confine(asked: Request, load_filter: Callable[[], None]) -> None:
    """In the child, before the program. The filter last: it lets nobody set limits."""
    for what, most in (
        (resource.RLIMIT_DATA, asked.data_bytes),
        (resource.RLIMIT_AS, ADDRESS_BYTES_MAX),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_CPU, asked.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES_MAX),
        (resource.RLIMIT_NPROC, PROCESSES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    load_filter()


def _agent_hangs_up_first(line: socket.socket, child_pid: int) -> bool:
    """Wait for either. The agent has nothing more to say: whatever comes from it is its end."""
    child = os.pidfd_open(child_pid)
    waiting = select.poll()
    waiting.register(child, select.POLLIN)
    waiting.register(line, select.POLLIN)
    ready = {descriptor for descriptor, _ in waiting.poll()}
    os.close(child)
    return child not in ready


def _status(returned: int) -> int:
    """As a shell says it: 128 + n for signal n."""
    return returned if returned >= 0 else 128 - returned


def _say(line: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it has gone; so do we
        line.send(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
