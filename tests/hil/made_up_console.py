"""The console on a serial line, of a station that is only a picture: python -m tests.hil.made_up_console PORT:SPEED."""

from __future__ import annotations

import sys
import threading

from tests.console.terminal import served

if __name__ == "__main__":
    port, speed = sys.argv[1].split(":")
    with served(port, int(speed)):
        threading.Event().wait()
