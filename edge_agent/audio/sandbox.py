"""Confine a program by bubblewrap: the walls of machines where no service manager puts up others (``decode_service``).

Decides what such a child sees: its own program file, what is under /usr/lib, its input as standard input, and nothing
else: no shell, no home, no /proc, no /dev, no writable place. What it may ask of the kernel, ``call_filter`` decides.
Where any of this cannot be had there is no child, never one without sandbox.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple

from edge_agent.audio import call_filter
from edge_agent.audio.child import ADDRESS_BYTES_MAX, ENVIRONMENT, OPEN_FILES_MAX, PROCESSES_MAX, STACK_BYTES
from edge_agent.audio.confined import End, Ended, Limits, watch

NICE = 10
# Staging may take its time; sound and relays may not.

_INSIDE = re.compile(rb'"child-pid": ([0-9]+)')
_SET_UP = re.compile(r"(nice|prlimit|bwrap): ")


class Handed(NamedTuple):
    """What bubblewrap is handed beside the three that it hands on: descriptors, which it closes before the program."""

    call_filter: int
    tells: int  # where it says who is inside
    waits: int  # that one begins when this can be read


@dataclass(frozen=True, slots=True)
class Sandbox:
    """bubblewrap, and how it is called. Holds nothing; any number of threads may run children."""

    bwrap: str = "/usr/bin/bwrap"

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        """See ``Confined``."""
        with contextlib.ExitStack() as stack:
            told, tells = _pipe(stack)
            waits, opens = _pipe(stack)
            try:
                child = self._started(argv, source, limits, tells, waits)
            except (FileNotFoundError, call_filter.NoFilter) as exc:
                return Ended(End.NO_SANDBOX, 127, 0, str(exc))
            assert child.stdout is not None
            assert child.stderr is not None
            with child, contextlib.ExitStack() as ending:
                # bubblewrap takes everything inside with it; without effect on a child that is gone.
                ending.callback(child.kill)
                try:
                    _let_in(ending, told, opens, limits.wall_s)
                except PermissionError as exc:
                    return Ended(End.NO_SANDBOX, 127, 0, f"no bound of processes: {exc}")
                return _named(watch(child.stdout, child.stderr, _status_of(child), limits, take, stop))

    def _started(
        self, argv: tuple[str, ...], source: BinaryIO, limits: Limits, tells: BinaryIO, waits: BinaryIO
    ) -> subprocess.Popen[bytes]:
        # Ours are closed as soon as they are handed over.
        with _as_file(call_filter.program()) as filter_file, tells, waits:
            handed = Handed(filter_file.fileno(), tells.fileno(), waits.fileno())
            return subprocess.Popen(
                self.command(argv, limits, handed),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=handed,
            )

    def command(self, argv: tuple[str, ...], limits: Limits, handed: Handed) -> tuple[str, ...]:
        """The whole command line. The limits but one are set outside, so that they hold for bubblewrap too."""
        return (
            *("/usr/bin/nice", "-n", str(NICE)),
            *("/usr/bin/prlimit", f"--data={limits.data_bytes}", f"--as={ADDRESS_BYTES_MAX}", f"--stack={STACK_BYTES}"),
            *(f"--cpu={limits.cpu_s}", "--fsize=0", f"--nofile={OPEN_FILES_MAX}", "--core=0"),
            *("--", self.bwrap, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"),
            *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "none"),
            *("--seccomp", str(handed.call_filter), "--info-fd", str(handed.tells), "--block-fd", str(handed.waits)),
            *("--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/usr/lib64", "/usr/lib64"),
            *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
            # Debian's libblas, which ffmpeg needs, is found through here.
            *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
            *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
            *("--ro-bind", argv[0], argv[0], "--remount-ro", "/", "--chdir", "/", "--", *argv),
        )


def _pipe(stack: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    read_end, write_end = os.pipe()
    return stack.enter_context(os.fdopen(read_end, "rb")), stack.enter_context(os.fdopen(write_end, "wb", buffering=0))


def _let_in(ending: contextlib.ExitStack, told: BinaryIO, opens: BinaryIO, wall_s: float) -> None:
    """Bound the processes of whoever waits inside, and open. PermissionError where that is not to be had.

    Counted are all of one user's, and apart only in a namespace: set before it, the same bound takes in whatever else
    our user runs. A desktop's is past it always, and one program that takes all of it would leave none to the next.
    """
    ready, _, _ = select.select([told], [], [], wall_s)
    inside = _INSIDE.search(told.read()) if ready else None
    if inside is None:
        return  # it could not set its walls up, and says why
    pid = int(inside[1])
    with contextlib.suppress(ProcessLookupError, BrokenPipeError):  # it has ended, and says why
        # bubblewrap's own end reaches it only once its walls are up.
        ending.callback(_end, os.pidfd_open(pid))
        resource.prlimit(pid, resource.RLIMIT_NPROC, (PROCESSES_MAX, PROCESSES_MAX))
        opens.write(b"\n")


def _end(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    os.close(process)


def _as_file(filter_program: bytes) -> BinaryIO:
    """To be read once, from its beginning: each child needs its own."""
    file = os.fdopen(os.memfd_create("filter"), "w+b")
    file.write(filter_program)
    file.seek(0)
    return file


def _status_of(child: subprocess.Popen[bytes]) -> Callable[[float], int | None]:
    def status_within(seconds: float) -> int | None:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    return status_within


def _named(ended: Ended) -> Ended:
    """Those who set the sandbox up speak first, if they do. A program that says the same gains one thing: another try.

    That it has by its own death too (``decoder``).
    """
    unconfined = ended.how is End.EXITED and ended.status != 0 and _SET_UP.match(ended.complaint)
    return replace(ended, how=End.NO_SANDBOX) if unconfined else ended
