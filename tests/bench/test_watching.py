"""What a child took is known after its end, because it was looked at while it lived (``bench.proc.watching``)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from bench.proc import Children, watching

LOOK_S = 0.01


def test_what_a_childs_child_took_is_known_after_its_end() -> None:
    took = (
        "import time\n"
        "x = bytearray(40_000_000); x[::4096] = b'1' * len(x[::4096]); del x\n"
        "while time.process_time() < 0.3: pass\n"
        "print(flush=True); input()\n"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {took!r}])"
    seen = threading.Event()

    class Seen(Children):
        def look(self) -> None:
            super().look()
            if self.peak > 40_000_000 and max(self.cpu_s.values()) > 0.25:
                seen.set()

    with (
        watching(Seen((os.getpid(),)), LOOK_S) as eye,
        subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        assert seen.wait(30)
        child.communicate(b"\n")
    assert eye.peak > 40_000_000
    assert 0.25 < max(eye.cpu_s.values()) < 30
    assert child.pid in eye.cpu_s


def test_nobody_looks_any_more_once_it_is_left_even_by_an_error() -> None:
    before = {*threading.enumerate()}

    def fails_meanwhile() -> None:
        with watching(Children(()), LOOK_S):
            assert len({*threading.enumerate()} - before) == 1
            raise KeyError

    with pytest.raises(KeyError):
        fails_meanwhile()
    assert {*threading.enumerate()} <= before, "but what an earlier test has left may end meanwhile"
