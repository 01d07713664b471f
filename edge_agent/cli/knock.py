"""Find out whether a device process listens, without its noticing: it may be switching relays for an agent."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path


def device_up(path: Path) -> bool | None:
    """Whether a living process has bound ``path``; None where this user may not ask.

    It is asked for with the wrong kind of socket: the kernel itself answers, before the process hears of anything.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as knock:
        try:
            knock.connect(os.fspath(path))
        except PermissionError:
            return None
        except OSError as exc:  # else nobody is there, or what lies there is nobody
            return exc.errno == errno.EPROTOTYPE
    return True
