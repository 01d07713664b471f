"""Runs a program on a real station for as long as whoever started it holds on: python -m hil_tests.leash MODULE WORDS.

A line to the station that ends takes its own end of the program's input with it, and leaves the program: relays, card
and ports would stay taken. So the program is interrupted, as by a person's Ctrl-C, when its input ends.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _hold(stream: int) -> None:
    while os.read(stream, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    held = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what the program starts inherits nothing of it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts aside deaf to it
    threading.Thread(target=_hold, args=(held,), daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
