"""A machine of the virtual bench: a real kernel as an ordinary process, which boots at once and can lose its power.

It sees this machine's files, read-only, and shares one folder with it. Nothing that it does reaches this machine: it
has its own devices, clock, network and memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
INIT = Path(__file__).parent / "guest" / "init.sh"
MEMORY = "2G"
# Of which a station wants half a gigabyte free for its sounds; nothing is taken before it is used.
LOCKS = Path("/dev/shm")
# Where whoever has one of this machine's cores holds a file of its number locked.
CONSOLE_TAIL = 4_000
END_S_MAX = 10
# What a killed process may take to be gone.


class BenchError(Exception):
    """The bench itself does not work; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """``status`` is the command's own, None where the machine ended before the command did."""

    status: int | None
    console: str
    seconds: float


class Machine:
    """A machine that runs; ``booted`` makes one."""

    def __init__(self, process: subprocess.Popen[bytes], shared: Path, began_s: float) -> None:
        self.shared = shared
        self._process = process
        self._began_s = began_s

    def wait(self, at_most_s: float) -> Ended:
        """Until it has powered off or reset by itself. Raises BenchError where it does neither in time."""
        try:
            self._process.wait(at_most_s)
        except subprocess.TimeoutExpired:
            self.cut_power()
            raise BenchError(
                f"the machine still ran after {at_most_s:.0f} s:\n{self.console()[-CONSOLE_TAIL:]}"
            ) from None
        return self._ended()

    def cut_power(self) -> Ended:
        """At once, in the midst of whatever it does: what it had not written to a disk is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(END_S_MAX)
        return self._ended()

    def runs(self) -> bool:
        """Whether it has power and has not powered off."""
        return self._process.poll() is None

    def look_at_its_lines(self) -> None:
        """See what has hung up: this kernel waits for a signal, which a pty gives for a byte, and not for its end."""
        self._process.send_signal(signal.SIGIO)

    def console(self) -> str:
        """What its kernel and its command have said so far."""
        return (self.shared / "console").read_text(errors="replace")

    def _ended(self) -> Ended:
        status = self.shared / "status"
        number = int(status.read_text()) if status.exists() else None
        return Ended(number, self.console(), time.monotonic() - self._began_s)


@contextlib.contextmanager
def booted(
    kernel: Path,
    command: Sequence[str],
    shared: Path,
    *,
    arguments: Sequence[str] = (),
    passed: Sequence[int] = (),
    init: Path = INIT,
    real_time: bool = False,
) -> Iterator[Machine]:
    """A machine that runs ``command`` as root, and then powers off.

    ``shared`` is a folder of its own; ``arguments`` are the kernel's, ``passed`` the file descriptors that they name,
    ``init`` is its first process. Where not ``real_time``, the machine skips what time it would only wait: see ADR 29.
    """
    (shared / "command").write_text(f"cd {shlex.quote(str(ROOT))} || exit\nexec {shlex.join(command)}\n")
    # The machine's memory lies in a file that is deleted when it is opened; on a disk it would wear that out.
    env = {"PATH": os.environ["PATH"], "TMPDIR": "/dev/shm", "HOME": "/root"}
    line = [
        str(kernel),
        f"mem={MEMORY}",
        *("con=null", "con0=null,fd:2", "ssl=null"),
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "panic=-1"),
        f"init={init}",
        f"BENCH_SHARED={shared}",
        f"BENCH_TREE={ROOT}",
        *([] if real_time else ["time-travel"]),
        *arguments,
    ]
    with open(shared / "console", "wb") as console, tempfile.TemporaryDirectory() as own, core_of_its_own() as core:
        process = subprocess.Popen(
            [*core, *line],
            env=env | {"HOME": own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=console,
            pass_fds=passed,
            start_new_session=True,
        )
        machine = Machine(process, shared, time.monotonic())
        try:
            yield machine
        finally:
            machine.cut_power()


@contextlib.contextmanager
def core_of_its_own(cores: Collection[int] = (), locks: Path = LOCKS) -> Iterator[Sequence[str]]:
    """The command's beginning that keeps a machine on one of this machine's cores that no other machine has, if any.

    Its kernel and its programs are processes here that wait for each other at every call. On two cores each of them
    sleeps meanwhile and has to be woken: a start of Python takes five times as long [measured].
    """
    with contextlib.ExitStack() as stack:
        free = (core for core in sorted(cores or os.sched_getaffinity(0)) if _taken(locks, core, stack))
        yield next((("taskset", "--cpu-list", str(core)) for core in free), ())


def _taken(locks: Path, core: int, stack: contextlib.ExitStack) -> bool:
    """Whether it is ours until ``stack`` ends."""
    try:
        lock = os.open(locks / f"edge-agent-bench-core-{core}", os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another machine's, or another user's
        return False
    return True


def kernel_of_the_bench() -> Path:
    """The kernel, made where it is not there yet. Raises BenchError."""
    done = subprocess.run(
        [str(Path(__file__).parent / "kernel" / "build.sh")], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError("the bench's kernel could not be made; see above")
    return Path(done.stdout.strip())


def python(*arguments: str) -> list[str]:
    """A command of this project's own environment."""
    return [sys.executable, *arguments]
