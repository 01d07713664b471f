"""Makes a part of a station's real process hang or die when it is told to. Python reads it before the program.

It comes in by PYTHONPATH, from a drop-in of the bench, so that the product has no word of it. HANGS_OF names
the unit that this is. A part hangs when the file of its name in TOLD holds the process's own number: the process
that systemd starts in its place has another, and works.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOLD = Path("/run/hangs")


def stand_still() -> None:
    threading.Event().wait()


def stand_still_fed_by_a_timer() -> None:
    """What a careless watchdog is: a thread that says all is well, whatever the others do."""
    from edge_agent.watchdog import Notifier

    feeder = Notifier.from_environment()

    def feed() -> None:
        while True:
            feeder.alive()
            time.sleep(1)

    threading.Thread(target=feed, daemon=True).start()
    stand_still()


def die() -> None:
    raise RuntimeError("planted")


def eat() -> None:
    while True:
        eaten.append(b"x" * 2**24)


def eat_some() -> None:
    """32 MiB at a turn, until there are more than 256, and work on."""
    if len(eaten) < 18:
        eaten.extend((b"x" * 2**24, b"y" * 2**24))


eaten: list[bytes] = []


# Each where its thread comes by at every turn, or at every period of sound.
PARTS: dict[str, dict[str, tuple[str, str, str, Callable[[], None]]]] = {
    "edge-agent": {
        "loop": ("edge_agent.runtime", "Inbox", "wait", stand_still),
        "loop-and-timer": ("edge_agent.runtime", "Inbox", "wait", stand_still_fed_by_a_timer),
        "network": ("edge_agent.sync.connection", "Connection", "_note_answers", stand_still),
        "network-dies": ("edge_agent.sync.connection", "Connection", "_note_answers", die),
        "memory": ("edge_agent.sync.connection", "Connection", "_note_answers", eat),
        "more-memory": ("edge_agent.sync.connection", "Connection", "_note_answers", eat_some),
    },
    "edge-agent-io": {
        "loop": ("edge_agent.device.loop", "Device", "turn", stand_still),
        "write": ("edge_agent.audio.alsa", "AlsaCard", "write", stand_still),
        "writer-dies": ("edge_agent.audio.alsa", "AlsaCard", "write", die),
        "memory": ("edge_agent.audio.alsa", "AlsaCard", "write", eat),
    },
}


def plant(name: str, module: str, owner: str, method: str, fault: Callable[[], None]) -> None:
    """Whatever else is planted in the same place."""
    place = getattr(importlib.import_module(module), owner)
    sound = getattr(place, method)

    def planted(*arguments: Any) -> Any:
        if told(name):
            fault()
        return sound(*arguments)

    setattr(place, method, planted)


def told(name: str) -> bool:
    try:
        return (TOLD / name).read_text() == str(os.getpid())
    except OSError:
        return False


for name, part in PARTS.get(os.environ.get("HANGS_OF", ""), {}).items():
    plant(name, *part)
