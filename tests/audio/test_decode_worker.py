"""The worker runs what it was started for and nothing else; the agent is told whatever goes wrong on the way."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.audio import call_filter, decode_service, decode_worker
from edge_agent.audio.confined import KILLED_STATUS, End, Ended, Limits
from edge_agent.audio.decode_service import DecodeService
from tests.audio.walls import LIMITS, PYTHON, script

TRUE = "/usr/bin/true"
FALSE = "/usr/bin/false"
SLEEP = "/usr/bin/sleep"

Lines = tuple[socket.socket, socket.socket]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The agent's end of a connection, and the worker's."""
    agent, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with agent, worker:
        agent.settimeout(60)
        yield agent, worker


def asked(lines: Lines, packet: bytes, descriptors: int = 3) -> list[bytes]:
    """What a worker for two programs answers."""
    agent, worker = lines
    with open(os.devnull, "r+b") as nothing:
        socket.send_fds(agent, [packet], [nothing.fileno()] * descriptors)
    decode_worker.serve(worker, [TRUE, FALSE, SLEEP])
    worker.close()
    return list(iter(lambda: agent.recv(4_096), b""))


def request(*argv: str, cpu_s: int = 5) -> bytes:
    return decode_worker.request(LIMITS.data_bytes, cpu_s, argv)


@pytest.mark.parametrize(("program", "status"), [(TRUE, b"ended 0"), (FALSE, b"ended 1")])
def test_a_program_begins_and_its_end_is_told(lines: Lines, program: str, status: bytes) -> None:
    assert asked(lines, request(program)) == [b"began", status]


@pytest.mark.parametrize(
    ("packet", "descriptors", "why"),
    [
        (request("/usr/bin/python3", "-c", "print()"), 3, "none of"),
        (request(), 3, "none of"),
        (request("true"), 3, "none of"),
        (request(TRUE), 2, "no request"),
        (b"x\x005\x00" + TRUE.encode(), 3, "no request"),
        (b"5", 3, "no request"),
        (b"\xff\x005\x00" + TRUE.encode(), 3, "no request"),
        (request(TRUE, cpu_s=10**30), 3, "no request"),
        (request(TRUE, cpu_s=-1), 3, "no request"),
        (b"05\x005\x00" + TRUE.encode(), 3, "no request"),
    ],
    ids=[
        "another program",
        "no program",
        "not its path",
        "no descriptors",
        "no number",
        "too short",
        "no text",
        "limit",
        "no limit at all",
        "another way to write a limit",
    ],
)
def test_what_it_was_not_started_for_is_refused(lines: Lines, packet: bytes, descriptors: int, why: str) -> None:
    (answer,) = asked(lines, packet, descriptors)
    assert answer.startswith(b"refused ")
    assert why in answer.decode()


def test_without_the_filter_of_calls_it_runs_nothing(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_filter, "LIBRARY", "libseccomp.so.none")
    (answer,) = asked(lines, request(TRUE))
    assert answer.startswith(b"refused no call filter: libseccomp.so.none")


def test_an_agent_that_hangs_up_takes_the_program_with_it(lines: Lines) -> None:
    agent, worker = lines
    with open(os.devnull, "r+b") as nothing:
        socket.send_fds(agent, [request(SLEEP, "1000")], [nothing.fileno()] * 3)
    hang_up = threading.Timer(0.5, agent.shutdown, [socket.SHUT_RDWR])
    hang_up.start()
    decode_worker.serve(worker, [SLEEP])  # which it could not leave before 1,000 s otherwise
    hang_up.join()


def test_an_agent_that_is_gone_already_is_no_fault(lines: Lines) -> None:
    agent, worker = lines
    agent.close()
    decode_worker.serve(worker, [TRUE])


def test_the_connection_is_the_workers_standard_input(lines: Lines) -> None:
    agent, worker = lines
    with open(os.devnull, "r+b") as nothing:
        socket.send_fds(agent, [request(TRUE)], [nothing.fileno()] * 3)
    saved = os.dup(0)
    os.dup2(worker.fileno(), 0)
    try:
        assert decode_worker.main([TRUE]) == 0
    finally:
        os.dup2(saved, 0)
        os.close(saved)
    assert [agent.recv(64), agent.recv(64)] == [b"began", b"ended 0"]


def test_a_worker_carries_nothing_that_it_does_not_need() -> None:
    """It starts anew for each piece of sound."""
    names = "import edge_agent.audio.decode_worker, sys; print(*sorted(n for n in sys.modules if 'edge_agent' in n))"
    loaded = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout.split()
    ours = ["edge_agent", "edge_agent.audio", "edge_agent.audio.call_filter", "edge_agent.audio.child"]
    assert loaded == [*ours, "edge_agent.audio.decode_worker"]


# The agent's end, with workers that misbehave


def asked_of(folder: Path, manners: Callable[[socket.socket], None], limits: Limits = LIMITS) -> Ended:
    """What becomes of a program whose worker has these manners."""
    path = folder / "decode.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                manners(line)

        worker = threading.Thread(target=serve)
        worker.start()
        with open(os.devnull, "rb") as nothing:
            ended = DecodeService(path).run((TRUE,), nothing, limits, lambda chunk: None)
        worker.join()
        return ended


def taking(line: socket.socket) -> None:
    _, descriptors, _, _ = socket.recv_fds(line, 4_096, 3)
    for descriptor in descriptors:
        os.close(descriptor)


def test_nobody_at_the_socket_is_named(tmp_path: Path) -> None:
    path = tmp_path / "decode.sock"
    with open(os.devnull, "rb") as nothing:
        absent = DecodeService(path).run((TRUE,), nothing, LIMITS, lambda chunk: None)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stopped:
            stopped.bind(str(path))
        dead = DecodeService(path).run((TRUE,), nothing, LIMITS, lambda chunk: None)
    assert absent == Ended(End.NO_SANDBOX, 127, 0, f"{path}: No such file or directory")
    assert dead == Ended(End.NO_SANDBOX, 127, 0, f"{path}: Connection refused")


def test_a_worker_that_hangs_up_before_it_began_is_no_sandbox(tmp_path: Path) -> None:
    ended = asked_of(tmp_path, taking)
    assert (ended.how, ended.complaint.split(": ")[1]) == (End.NO_SANDBOX, "the worker hung up before it began")


def test_a_worker_that_does_not_begin_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_service, "BEGIN_S_MAX", 0.2)
    ended = asked_of(tmp_path, lambda line: (taking(line), line.recv(1), None)[-1])
    assert (ended.how, ended.complaint.split(": ")[1]) == (End.NO_SANDBOX, "timed out")


@pytest.mark.parametrize("last_words", [None, b"", b"ended", b"ended -1", b"ended x", b"began"])
def test_a_worker_that_does_not_say_how_it_ended_was_killed(tmp_path: Path, last_words: bytes | None) -> None:
    def manners(line: socket.socket) -> None:
        line.send(b"began")
        taking(line)
        if last_words:
            line.send(last_words)

    assert asked_of(tmp_path, manners) == Ended(End.EXITED, KILLED_STATUS, 0, "")


def test_a_worker_that_resets_the_line_was_killed_too(tmp_path: Path) -> None:
    def manners(line: socket.socket) -> None:
        line.send(b"began")
        while struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0]:
            time.sleep(0.01)  # until that was read; the request is not

    assert asked_of(tmp_path, manners) == Ended(End.EXITED, KILLED_STATUS, 0, "")


def test_a_worker_that_never_says_how_it_ended_is_given_up(tmp_path: Path) -> None:
    """Its program has said all, so what is left is the wait for its status, until the time of the whole is over."""

    def manners(line: socket.socket) -> None:
        line.send(b"began")
        taking(line)
        line.recv(1)

    assert asked_of(tmp_path, manners, replace(LIMITS, wall_s=1)).how is End.TOO_SLOW


@pytest.mark.host
def test_a_worker_killed_in_the_middle_leaves_nothing_and_may_be_tried_again(tmp_path: Path) -> None:
    """As the kernel kills the whole unit when it is out of memory."""
    path = tmp_path / "decode.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, open(os.devnull, "rb") as nothing:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            command = [sys.executable, "-m", "edge_agent.audio.decode_worker", PYTHON]
            with line:
                worker = subprocess.Popen(command, stdin=line, start_new_session=True)
            began.wait(60)
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

        began = threading.Event()
        accepting = threading.Thread(target=serve)
        accepting.start()
        program = script("import time; print('up', flush=True); time.sleep(1_000)")
        ended = DecodeService(path).run(program, nothing, LIMITS, lambda chunk: began.set())
        accepting.join()
    assert ended == Ended(End.EXITED, KILLED_STATUS, 3, "")
