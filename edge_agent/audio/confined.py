"""What it means to run a program confined: what it may take, how its end is called, and how it is watched.

Decides when a child has taken too much or too long. Who puts up the walls, others decide: bubblewrap in ``sandbox``,
the service manager in ``decode_service``. What the child is for, ``decoder``, ``live_decoder`` and ``speech`` decide.
"""

from __future__ import annotations

import os
import select
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from edge_agent.core.reasons import Reason

CHUNK_BYTES = 65_536
COMPLAINT_BYTES_MAX = 4_096
DETAIL_CHARS_MAX = 200
KILLED_STATUS = 128 + 9
# A child that got SIGKILL: the kernel's out-of-memory killer, for one.
LOOK_S = 0.2
# How often one that has closed its output and still runs is looked at, where it may be told to stop.


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: private memory of each process, seconds of CPU and of wall time, bytes of output."""

    data_bytes: int
    cpu_s: int
    wall_s: int
    output_bytes: int


CHECK_LIMITS = Limits(data_bytes=128 * 1_024 * 1_024, cpu_s=5, wall_s=30, output_bytes=CHUNK_BYTES)
# A program that only has to start.


class End(Enum):
    """How a child came to its end."""

    EXITED = auto()
    TOO_MUCH = auto()  # more output than allowed
    TOO_SLOW = auto()  # past its wall time
    NO_SANDBOX = auto()  # never started, because it could not be confined
    STOPPED = auto()  # nobody wants what it does any more


@dataclass(frozen=True, slots=True)
class Ended:
    """A child's end. ``status`` is its exit status (128 + n for signal n); ``complaint`` is printable and short."""

    how: End
    status: int
    output_bytes: int
    complaint: str

    @property
    def well(self) -> bool:
        return self.how is End.EXITED and self.status == 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no sound; ``again`` says whether another try may help."""

    reason: Reason
    again: bool
    detail: str


class Confined(Protocol):
    """Whatever runs a program where it reaches neither network nor files. Any number of threads may run children."""

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        """Run ``argv`` (absolute program first) with ``source`` as its input, its output going to ``take``.

        Blocks until the child is gone, whatever happens. What ``take`` raises ends the child and goes on to the caller;
        once the descriptor ``stop`` can be read, it is ended too. Where it cannot be confined there is no child.
        """
        ...


def trouble_with(confined: Confined, program: str) -> str:
    """Why ``program`` cannot be started there, or "". For the self-test."""
    with open(os.devnull, "rb") as nothing:
        ended = confined.run((program,), nothing, CHECK_LIMITS, _ignore)
    return ended.complaint if ended.how is End.NO_SANDBOX else ""


def available(*programs: str) -> bool:
    """Whether these programs (absolute paths) are installed at all."""
    return all(Path(program).exists() for program in programs)


def watch(
    output: IO[bytes],
    complaints: IO[bytes],
    status_within: Callable[[float], int | None],
    limits: Limits,
    take: Callable[[bytes], object],
    stop: int | None,
) -> Ended:
    """Read what a child says until it has ended or must be ended, which is the caller's to do.

    ``status_within`` waits that many seconds for its exit status; None means that it still runs.
    """
    deadline = time.monotonic() + limits.wall_s
    complaint = bytearray()
    passed = 0
    stops = () if stop is None else (stop,)
    with selectors.DefaultSelector() as waiting:
        for each in (output, complaints, *stops):
            waiting.register(each, selectors.EVENT_READ)
        while len(waiting.get_map()) > len(stops):
            ready = waiting.select(_left(deadline))
            # A child that never stops talking is always ready.
            if not ready or not _left(deadline):
                return _ended(End.TOO_SLOW, KILLED_STATUS, passed, complaint)
            if any(key.fd in stops for key, _ in ready):
                return _ended(End.STOPPED, KILLED_STATUS, passed, complaint)
            for key, _ in ready:
                chunk = os.read(key.fd, CHUNK_BYTES)
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is complaints:
                    complaint += chunk[: COMPLAINT_BYTES_MAX - len(complaint)]
                else:
                    passed += len(chunk)
                    if passed > limits.output_bytes:
                        return _ended(End.TOO_MUCH, KILLED_STATUS, passed, complaint)
                    take(chunk)
    status = _last_status(status_within, deadline, stop)
    if isinstance(status, End):
        return _ended(status, KILLED_STATUS, passed, complaint)
    return _ended(End.EXITED, status, passed, complaint)


def _last_status(status_within: Callable[[float], int | None], deadline: float, stop: int | None) -> int | End:
    """The exit status of a child that has nothing more to say, or why it is not waited for."""
    while True:
        status = status_within(_left(deadline) if stop is None else min(_left(deadline), LOOK_S))
        if status is not None:
            return status
        if stop is not None and select.select([stop], [], [], 0)[0]:
            return End.STOPPED
        if not _left(deadline):
            return End.TOO_SLOW


def printable(complaint: bytes) -> str:
    """A child's words for a log: one short line of plain ASCII, since an attacker may have chosen them."""
    words = "".join(char if " " <= char <= "~" else " " for char in complaint.decode("ascii", "replace"))
    return " ".join(words.split())[:DETAIL_CHARS_MAX]


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0)


def _ended(how: End, status: int, passed: int, complaint: bytearray) -> Ended:
    return Ended(how, status, passed, printable(bytes(complaint)))


def _ignore(chunk: bytes) -> None:
    del chunk
