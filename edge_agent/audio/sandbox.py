"""Confine a program by bubblewrap: the walls of machines where no service manager puts up others (``decode_service``).

Decides what such a child sees: its own program file, what is under /usr/lib, its input as standard input, and nothing
else: no shell, no home, no /proc, no /dev, no writable place. What it may ask of the kernel, ``call_filter`` decides.
Where any of this cannot be had there is no child, never one without sandbox.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

from edge_agent.audio import call_filter
from edge_agent.audio.child import ADDRESS_BYTES_MAX, ENVIRONMENT, OPEN_FILES_MAX, PROCESSES_MAX, STACK_BYTES
from edge_agent.audio.confined import End, Ended, Limits, watch

NICE = 10
# Staging may take its time; sound and relays may not.

_SET_UP = re.compile(r"(nice|prlimit|bwrap): ")


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
        try:
            with _as_file(call_filter.program()) as filter_file:
                child = subprocess.Popen(
                    self.command(argv, limits, filter_file.fileno()),
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=ENVIRONMENT,
                    cwd="/",
                    pass_fds=(filter_file.fileno(),),
                )
        except (FileNotFoundError, call_filter.NoFilter) as exc:
            return Ended(End.NO_SANDBOX, 127, 0, str(exc))
        assert child.stdout is not None
        assert child.stderr is not None
        with child:
            try:
                return _named(watch(child.stdout, child.stderr, _status_of(child), limits, take, stop))
            finally:
                # bubblewrap takes everything inside with it; without effect on a child that is gone.
                child.kill()

    def command(self, argv: tuple[str, ...], limits: Limits, filter_fd: int) -> tuple[str, ...]:
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
            *("--seccomp", str(filter_fd)),
            *("--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/usr/lib64", "/usr/lib64"),
            *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
            # Debian's libblas, which ffmpeg needs, is found through here.
            *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
            *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
            *("--ro-bind", argv[0], argv[0], "--remount-ro", "/", "--chdir", "/", "--", *argv),
        )


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
    """Those who set the sandbox up speak before the program can: what it prints later never comes first."""
    unconfined = ended.how is End.EXITED and ended.status != 0 and _SET_UP.match(ended.complaint)
    return replace(ended, how=End.NO_SANDBOX) if unconfined else ended
