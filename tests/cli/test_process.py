"""A process stops when it is told to, and does not live on with a dead thread: shown on real child processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.cli.process import EXIT_BROKEN

END_S = 60
# Only bounds a hanging test.

LIFE = """
import sys, threading
from edge_agent.cli.process import die_with_any_thread, log_to_stderr, on_stop

log_to_stderr()
die_with_any_thread()
stop = threading.Event()
on_stop(stop.set)
"""
WAITS = f"{LIFE}\nprint('ready', flush=True)\nstop.wait()\nprint('stopped', flush=True)\nsys.stdin.read()\n"
BUSY = f"{LIFE}\nprint('ready', flush=True)\nwhile not stop.is_set():\n    pass\nprint('stopped', flush=True)\n"
BROKEN = f"""{LIFE}
def work():
    raise RuntimeError("the card fell out")

threading.Thread(target=work, name="writer").start()
stop.wait()
"""
DEAF = f"""{LIFE}
def work():
    while True:
        try:
            raise RuntimeError("the card fell out")
        finally:
            break

thread = threading.Thread(target=work, name="writer")
thread.start()
thread.join()
print("lived on", flush=True)
"""


@contextmanager
def child(program: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    started = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def line(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


@pytest.mark.parametrize("program", [WAITS, BUSY], ids=["waiting", "busy"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process(program: str, number: signal.Signals) -> None:
    with child(program) as started:
        assert line(started) == "ready"
        started.send_signal(number)
        assert line(started) == "stopped"
        _, errors = started.communicate(timeout=END_S)
        assert (started.returncode, errors) == (0, "")


def test_signals_that_come_while_it_stops_do_no_harm() -> None:
    with child(WAITS) as started:
        assert line(started) == "ready"
        for _ in range(3):
            started.send_signal(signal.SIGTERM)
        assert line(started) == "stopped"
        started.send_signal(signal.SIGTERM)
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=END_S)
        assert (started.returncode, errors) == (0, "")


def test_a_thread_that_dies_takes_the_process_with_it() -> None:
    with child(BROKEN) as started:
        out, errors = started.communicate(timeout=END_S)
        assert (started.returncode, out) == (EXIT_BROKEN, "")
        assert "CRITICAL root: thread died thread=writer next=the process ends" in errors
        assert "RuntimeError: the card fell out" in errors, "with where it happened"


def test_a_thread_that_ends_by_itself_does_not() -> None:
    with child(DEAF) as started:
        out, errors = started.communicate(timeout=END_S)
        assert (started.returncode, out, errors) == (0, "lived on\n", "")


def test_the_log_names_level_and_origin_and_leaves_the_time_to_the_service_manager() -> None:
    with child(f"{LIFE}\nimport logging\nlogging.getLogger('edge_agent.core').info('a=%s', 1)\n") as started:
        _, errors = started.communicate(timeout=END_S)
        assert errors == "INFO edge_agent.core: a=1\n"
