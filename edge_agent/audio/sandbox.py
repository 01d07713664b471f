"""Run a program that reads untrusted input where it can reach neither network nor files, and bound what it takes.

Decides what such a child sees and when it is ended. What the child is for, its callers decide: ``decoder``, ``speech``.
The child sees its own program file, what is under /usr/lib, its input as standard input, and nothing else: no shell, no
home, no /proc, no /dev, no writable place. Where bubblewrap cannot run there is no child, never one without sandbox.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO

from edge_agent.core.reasons import Reason

NICE = 10
# Staging may take its time; sound and relays may not.
ADDRESS_BYTES_MAX = 1_024 * 1_024 * 1_024
# Debian's ffmpeg maps 320 MB of libraries before its first line [measured, amd64]; this only stops the absurd.
STACK_BYTES = 1_024 * 1_024
# Also the size of each thread's stack, which counts as data; the usual 8 MiB would eat the limit unused.
OPEN_FILES_MAX = 64
PROCESSES_MAX = 64
# ffmpeg runs about ten threads. Not enforced by the kernel for root itself.
CHUNK_BYTES = 65_536
COMPLAINT_BYTES_MAX = 4_096
DETAIL_CHARS_MAX = 200
KILLED_STATUS = 128 + 9
# What bubblewrap reports of a child that got SIGKILL: the kernel's out-of-memory killer, for one.

_SET_UP = re.compile(r"(nice|prlimit|bwrap): ")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: private memory of each process, seconds of CPU and of wall time, bytes of output."""

    data_bytes: int
    cpu_s: int
    wall_s: int
    output_bytes: int


class End(Enum):
    """How a child came to its end."""

    EXITED = auto()
    TOO_MUCH = auto()  # more output than allowed
    TOO_SLOW = auto()  # past its wall time
    NO_SANDBOX = auto()  # never started, because it could not be confined


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


@dataclass(frozen=True, slots=True)
class Sandbox:
    """bubblewrap, and how it is called. Holds nothing; any number of threads may run children."""

    bwrap: str = "/usr/bin/bwrap"

    def run(self, argv: tuple[str, ...], source: BinaryIO, limits: Limits, take: Callable[[bytes], object]) -> Ended:
        """Run ``argv`` (absolute program first) with ``source`` as its input, its output going to ``take``.

        Blocks until the child is gone, whatever happens. What ``take`` raises ends the child and goes on to the caller.
        """
        try:
            child = subprocess.Popen(
                self.command(argv, limits),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_ENV,
                cwd="/",
            )
        except FileNotFoundError as exc:
            return Ended(End.NO_SANDBOX, 127, 0, str(exc))
        with child:
            try:
                return _watch(child, limits, take)
            finally:
                # bubblewrap takes everything inside with it; without effect on a child that is gone.
                child.kill()

    def check(self, program: str = "/usr/bin/true") -> str:
        """Why ``program`` cannot be run here, or "". For the self-test."""
        limits = Limits(data_bytes=128 * 1_024 * 1_024, cpu_s=5, wall_s=30, output_bytes=CHUNK_BYTES)
        with open(os.devnull, "rb") as nothing:
            ended = self.run((program,), nothing, limits, _ignore)
        return ended.complaint if ended.how is End.NO_SANDBOX else ""

    def command(self, argv: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
        """The whole command line. The limits are set outside, so that they hold for bubblewrap too."""
        return (
            *("/usr/bin/nice", "-n", str(NICE)),
            *("/usr/bin/prlimit", f"--data={limits.data_bytes}", f"--as={ADDRESS_BYTES_MAX}", f"--stack={STACK_BYTES}"),
            *(
                f"--cpu={limits.cpu_s}",
                "--fsize=0",
                f"--nofile={OPEN_FILES_MAX}",
                f"--nproc={PROCESSES_MAX}",
                "--core=0",
            ),
            *("--", self.bwrap, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"),
            *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "none"),
            *("--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/usr/lib64", "/usr/lib64"),
            *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
            # Debian's libblas, which ffmpeg needs, is found through here.
            *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
            *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
            *("--ro-bind", argv[0], argv[0], "--remount-ro", "/", "--chdir", "/", "--", *argv),
        )


_ENV = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    # One arena: glibc would reserve 64 MiB of address space for each thread.
    "MALLOC_ARENA_MAX": "1",
}


def _ignore(chunk: bytes) -> None:
    del chunk


def available(*programs: str) -> bool:
    """Whether these programs (absolute paths) are installed at all."""
    return all(Path(program).exists() for program in programs)


def _watch(child: subprocess.Popen[bytes], limits: Limits, take: Callable[[bytes], object]) -> Ended:
    assert child.stdout is not None
    assert child.stderr is not None
    deadline = time.monotonic() + limits.wall_s
    complaint = bytearray()
    passed = 0
    with selectors.DefaultSelector() as waiting:
        for pipe in (child.stdout, child.stderr):
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(deadline - time.monotonic(), 0))
            if not ready:
                return _ended(End.TOO_SLOW, KILLED_STATUS, passed, complaint)
            for key, _ in ready:
                chunk = os.read(key.fd, CHUNK_BYTES)
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    complaint += chunk[: COMPLAINT_BYTES_MAX - len(complaint)]
                else:
                    passed += len(chunk)
                    if passed > limits.output_bytes:
                        return _ended(End.TOO_MUCH, KILLED_STATUS, passed, complaint)
                    take(chunk)
    return _exited(child, deadline, passed, complaint)


def _exited(child: subprocess.Popen[bytes], deadline: float, passed: int, complaint: bytearray) -> Ended:
    try:
        status = child.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return _ended(End.TOO_SLOW, KILLED_STATUS, passed, complaint)
    # Those who set the sandbox up speak before the program can: what it prints later never comes first.
    confined = status == 0 or not _SET_UP.match(complaint.decode("ascii", "replace"))
    return _ended(End.EXITED if confined else End.NO_SANDBOX, status, passed, complaint)


def _ended(how: End, status: int, passed: int, complaint: bytearray) -> Ended:
    return Ended(how, status, passed, printable(bytes(complaint)))


def printable(complaint: bytes) -> str:
    """A child's words for a log: one short line of plain ASCII, since an attacker may have chosen them."""
    words = "".join(char if " " <= char <= "~" else " " for char in complaint.decode("ascii", "replace"))
    return " ".join(words.split())[:DETAIL_CHARS_MAX]
