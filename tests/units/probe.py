"""Runs in place of a unit's program and tries what any user of the machine may do; prints what it was let to, as JSON.

Each attempt succeeds in a unit of the same user without walls (``test_units``), so none is refused for another reason.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge_agent.ntp import REPORT, ask, instant, told
from edge_agent.sync.resolving import addresses

OPEN_FOLDER = Path("/srv/open")
MARK = "mark-of-the-desk"
SHARED_MEMORY_KEY = 4242
# What the desk has left for everybody to find, in a folder, in /tmp and in shared memory.
NAME, ADDRESS = "may-chu.example", "192.0.2.7"
# Which stands in the machine's hosts file.
NAME_S = 60
TRUST = Path("/etc/edge-agent/trust.json")
PER_LINUX32 = 8
CLONE_NEWUSER = 0x10000000
IO_URING_SETUP = 425
# On every processor. What is asked for through it passes all filters of calls: sockets of any family, for one.

_libc = ctypes.CDLL(None, use_errno=True)


def _called(name: str, *arguments: object) -> bool:
    return bool(getattr(_libc, name)(*arguments) >= 0)


def _written(path: Path) -> bool:
    with open(path, "ab"):
        return True


def _socket(family: int, kind: int) -> bool:
    socket.socket(family, kind).close()
    return True


def _writable_code() -> bool:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    return True


def _set_user_id() -> bool:
    path = Path(f"/tmp/suid-{os.getpid()}")
    path.touch()
    path.chmod(0o4755)
    return True


def _asked_the_clock() -> bool:
    return ask() is not None


def _others() -> bool:
    """Whether another user's process is to be seen."""
    return any(entry.name.isdigit() and entry.stat().st_uid != os.geteuid() for entry in os.scandir("/proc"))


ATTEMPTS: dict[str, Callable[[], bool]] = {
    "write outside its folders": lambda: _written(OPEN_FOLDER / f"by-{os.getpid()}"),
    "see the machine's /tmp": lambda: Path("/tmp", MARK).exists(),
    "see other users' processes": _others,
    "read the kernel's settings": lambda: bool(Path("/proc/sys/kernel/ostype").read_text()),
    "find shared memory": lambda: _called("shmget", SHARED_MEMORY_KEY, 0, 0),
    "ask the clock": _asked_the_clock,
    "ask the kernel by a ring": lambda: _called("syscall", IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
    "netlink socket": lambda: _socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "make a user namespace": lambda: _called("unshare", CLONE_NEWUSER),
    "writable code": _writable_code,
    "become 32-bit": lambda: _called("personality", PER_LINUX32),
    "set-user-id file": _set_user_id,
    "be traced": lambda: _called("ptrace", 0, 0, 0, 0),
    "lower its own priority": lambda: os.nice(1) >= -20,
    "leave a core dump": lambda: resource.getrlimit(resource.RLIMIT_CORE)[1] != 0,
}
NETWORK = "internet socket"
TRUSTED = "write the trust file"
OF_ONE: dict[str, Callable[[], bool]] = {
    NETWORK: lambda: _socket(socket.AF_INET, socket.SOCK_STREAM),
    TRUSTED: lambda: _written(TRUST),
}
# The first is the agent's business, and the second not the device process's, whatever the unit says.


def let(attempt: Callable[[], bool]) -> bool:
    """Whether it came through."""
    try:
        return attempt()
    except (OSError, ValueError):
        return False


def found() -> list[str] | str:
    """The addresses of a name, as the agent asks for them: by a process of its own."""
    try:
        return addresses(NAME, NAME_S)
    except OSError as error:
        return str(error)


def kinds_of_device() -> list[str]:
    """What of the kernel's devices can be looked at: a clock chip would be among them."""
    return sorted(os.listdir("/sys/class")) if os.path.isdir("/sys/class") else []


if __name__ == "__main__":
    # "be traced" and the namespace change the process itself: each attempt has one of its own.
    gained = []
    for name, attempt in (ATTEMPTS | OF_ONE).items():
        child = os.fork()
        if child == 0:
            os._exit(0 if let(attempt) else 1)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            gained.append(name)
    told_of_the_clock = asdict(told(REPORT, instant()))
    seen = {"told of the clock": told_of_the_clock, "found": found(), "kinds of device": kinds_of_device()}
    json.dump({"gained": gained, **seen}, sys.stdout)
