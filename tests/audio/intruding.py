"""The intruder (``intruder.c``), compiled, and what it is sent for."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.sandbox import Sandbox
from tests.audio.walls import said
from tests.host.parts import ABSENT

SOURCE = Path(__file__).with_name("intruder.c")
ATTEMPTS_MIN = 150
COMPILE_S = 120  # only so that a hanging compiler ends

NOBODY = 65_534

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason=f"{ABSENT}gcc")


@contextlib.contextmanager
def compiled() -> Iterator[Path]:
    """The program, in a folder of its own that any user can read."""
    with tempfile.TemporaryDirectory(prefix="intruder-") as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "intruder"
        command = ["gcc", "-static", "-O1", "-pthread", "-o", str(program), str(SOURCE)]
        subprocess.run(command, check=True, timeout=COMPILE_S)
        yield program


@contextlib.contextmanager
def treasures(folder: Path) -> Iterator[list[str]]:
    """What a station must keep: a key, its journal, the line to its relays; as the intruder's arguments."""
    line = folder / "io.sock"
    for name in ("sign.pem", "journal.sqlite"):
        (folder / name).write_text("secret")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as relays:
        relays.bind(str(line))
        relays.listen()
        yield [str(folder), str(folder / "sign.pem"), str(folder / "journal.sqlite"), f"@{line}"]


def gains(printed: str) -> list[str]:
    """What the intruder could do. It must have tried everything."""
    *could, last = printed.splitlines()
    tried, _, attempts = last.partition(" ")
    assert tried == "tried"
    assert int(attempts) >= ATTEMPTS_MIN
    return could


def said_to_nobody(argv: tuple[str, ...], source: BinaryIO) -> str:
    """What a program prints in a sandbox of somebody else: root's own processes are not counted."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(write_end, said(Sandbox(), argv, source).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text
