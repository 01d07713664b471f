"""What both long-running processes need around them: a log on stderr, a way to be told to stop, no half-dead life."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

EXIT_BROKEN = 70
# sysexits.h EX_SOFTWARE: systemd restarts, and the relays' stop hook runs.


def log_to_stderr() -> None:
    """One line for each event; the service manager adds the time."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def die_with_any_thread() -> None:
    """An exception that nobody caught ends the process: systemd restarts a dead one, but not a half-dead one."""

    def hook(args: threading.ExceptHookArgs) -> None:
        thread = args.thread.name if args.thread else "?"
        exc = args.exc_value or args.exc_type()
        logging.critical("thread died thread=%s next=the process ends", thread, exc_info=exc)
        os._exit(EXIT_BROKEN)

    threading.excepthook = hook


def on_stop(stop: Callable[[], None]) -> None:
    """Call ``stop`` from a thread of its own at SIGTERM or SIGINT: a handler may not touch a queue's lock."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)

    def wait() -> None:
        with reader, writer:
            reader.recv(1)
            stop()
            threading.Event().wait()  # keep the pair open: a second signal must find its writer

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _ignore(_number: int, _frame: object) -> None:
    """The wake-up descriptor has done the work."""
