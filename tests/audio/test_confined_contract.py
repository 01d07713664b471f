"""A confined child takes no more than it may and its end has a name, whoever confines it: bubblewrap, or the worker.

The worker is started by what stands for the service manager (``walls.stand_in_manager``).
"""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.audio.child import ADDRESS_BYTES_MAX, OPEN_FILES_MAX, STACK_BYTES
from edge_agent.audio.confined import Confined, End, Ended, Limits, available, printable, trouble_with
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.sandbox import Sandbox
from tests.audio.walls import LIMITS, MIB, PYTHON, said, script, stand_in_manager
from tests.host.parts import ABSENT

TRUE = "/usr/bin/true"
GONE = "/usr/bin/no-such-program"

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not available("/usr/bin/bwrap", PYTHON), reason=f"{ABSENT}bubblewrap or the system's Python"),
]


@pytest.fixture(params=["bubblewrap", "worker"])
def confined(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox | DecodeService]:
    if request.param == "bubblewrap":
        yield Sandbox()
        return
    with stand_in_manager(tmp_path, PYTHON, TRUE, GONE) as service:
        yield service


@pytest.fixture
def stop() -> Iterator[int]:
    """What can be read once nobody wants the child any more."""
    told = os.eventfd(0)
    yield told
    os.close(told)


@pytest.fixture
def nothing() -> Iterator[io.BufferedReader]:
    with open(os.devnull, "rb") as source:
        yield source


def run(confined: Confined, code: str, source: io.BufferedReader, limits: Limits = LIMITS) -> tuple[Ended, bytes]:
    taken = bytearray()
    return confined.run(script(code), source, limits, taken.extend), bytes(taken)


def test_the_program_runs_and_its_output_arrives_whole(confined: Confined, nothing: io.BufferedReader) -> None:
    ended, heard = run(confined, "import sys; sys.stdout.write('x' * 300_000)", nothing)
    assert ended == Ended(End.EXITED, 0, 300_000, "")
    assert heard == b"x" * 300_000


def test_the_input_is_the_file_that_was_given_and_can_be_sought_in(confined: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"a sound")
    with open(tmp_path / "clip", "rb") as source:
        assert said(confined, script("import os; os.lseek(0, 2, 0); print(input())"), source) == "sound\n"


def test_the_exit_status_and_complaint_come_back(confined: Confined, nothing: io.BufferedReader) -> None:
    ended, _ = run(confined, "import sys; print('broken\\n\\x1b[31mred', file=sys.stderr); sys.exit(3)", nothing)
    assert ended == Ended(End.EXITED, 3, 0, "broken [31mred")


def test_a_program_that_dies_of_a_signal_says_which(confined: Confined, nothing: io.BufferedReader) -> None:
    ended, _ = run(confined, "import os; os.abort()", nothing)
    assert (ended.how, ended.status) == (End.EXITED, 128 + 6)


def test_nothing_of_the_station_is_inherited(
    confined: Sandbox, nothing: io.BufferedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATION_SECRET", "x")
    probe = """
import os
def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
print([fd for fd in range(64) if is_open(fd)], sorted(os.environ))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(server.fileno(), True)
        descriptors, _, names = said(confined, script(probe), nothing).partition("] ")
    assert descriptors == "[0, 1, 2"
    assert "STATION_SECRET" not in names


def test_a_child_writes_no_file_and_leaves_no_picture_of_its_memory(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    """Each of these bounds lies behind another wall, so nothing else would show that it is gone."""
    bounds = (("FSIZE", 0), ("CORE", 0), ("NOFILE", OPEN_FILES_MAX), ("STACK", STACK_BYTES), ("AS", ADDRESS_BYTES_MAX))
    code = f"import resource as r; print([r.getrlimit(getattr(r, 'RLIMIT_' + one)) for one, _ in {bounds!r}])"
    _, told = run(confined, code, nothing)
    assert told.decode() == f"{[(most, most) for _, most in bounds]}\n"


def test_a_program_may_not_ask_the_kernel_for_more_than_it_needs(confined: Sandbox, nothing: io.BufferedReader) -> None:
    probe = """
import os, socket
def refused(what):
    try:
        what()
    except OSError as exc:
        return exc.strerror
attempts = os.fork, socket.socket, lambda: os.fchmod(0, 0), lambda: os.memfd_create("x")
print({refused(attempt) for attempt in attempts})
"""
    assert said(confined, script(probe), nothing) == "{'Function not implemented'}\n"


def test_a_child_that_never_stops_printing_is_ended_at_its_bound(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    ended, heard = run(confined, "while True: print('x' * 1_000)", nothing)
    assert ended.how is End.TOO_MUCH
    assert len(heard) <= LIMITS.output_bytes


def test_a_child_that_floods_its_complaints_neither_blocks_nor_fills_memory(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    ended, _ = run(confined, "import sys; [sys.stderr.write('y' * 65_536) for _ in range(200)]", nothing)
    assert ended.well
    assert set(ended.complaint) == {"y"}
    assert len(ended.complaint) <= 200


def test_a_child_that_never_stops_complaining_is_ended_at_its_wall_time(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    limits = replace(LIMITS, wall_s=1)
    ended, _ = run(confined, "import sys\nwhile True: sys.stderr.write('y' * 65_536)", nothing, limits)
    assert ended.how is End.TOO_SLOW


@pytest.mark.deep
@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(1_000)",
        "import os, time; os.close(1); os.close(2); time.sleep(1_000)",
        "import time\nwhile True: print('x', flush=True); time.sleep(0.1)",
    ],
    ids=["silent", "hung up", "drop by drop"],
)
def test_a_child_that_hangs_is_ended_at_its_wall_time(
    confined: Confined, nothing: io.BufferedReader, code: str
) -> None:
    ended, _ = run(confined, code, nothing, replace(LIMITS, wall_s=1))
    assert ended.how is End.TOO_SLOW


def test_a_source_that_gives_nothing_and_never_ends_is_given_up(confined: Confined) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as source, os.fdopen(write_end, "wb"):
        ended, _ = run(confined, "print(input())", source, replace(LIMITS, wall_s=1))
    assert ended.how is End.TOO_SLOW


def test_a_child_that_burns_its_cpu_time_is_killed_by_the_kernel(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    ended, _ = run(confined, "while True: pass", nothing, replace(LIMITS, cpu_s=1))
    assert (ended.how, ended.status > 128) == (End.EXITED, True)


def test_a_child_cannot_take_more_memory_than_its_bound(confined: Confined, nothing: io.BufferedReader) -> None:
    grab = "held = []\nwhile True: held.append(bytearray(8 << 20)); print(len(held), flush=True)"
    ended, heard = run(confined, grab, nothing)
    assert ended.status == 1
    assert "MemoryError" in ended.complaint
    assert 0 < int(heard.split()[-1]) * 8 * MIB <= LIMITS.data_bytes


@pytest.mark.parametrize(
    "code",
    [
        "import time; print('x', flush=True); time.sleep(1_000)",
        "import os, time; print('x', flush=True); os.close(1); os.close(2); time.sleep(1_000)",
        "import time\nwhile True: print('x', flush=True); time.sleep(0.01)",
    ],
    ids=["silent", "hung up", "talking"],
)
def test_a_child_that_nobody_wants_any_more_is_ended(
    confined: Confined, nothing: io.BufferedReader, stop: int, code: str
) -> None:
    def take(chunk: bytes) -> None:
        os.eventfd_write(stop, 1)

    ended = confined.run(script(code), nothing, replace(LIMITS, wall_s=10_000), take, stop)
    assert ended.how is End.STOPPED


def test_a_child_that_is_wanted_to_its_end_is_not_ended_before(
    confined: Confined, nothing: io.BufferedReader, stop: int
) -> None:
    code = "import os, sys, time; print('x', flush=True); os.close(1); os.close(2); time.sleep(0.5); os._exit(3)"
    ended = confined.run(script(code), nothing, LIMITS, len, stop)
    assert (ended.how, ended.status, ended.output_bytes) == (End.EXITED, 3, 2)


def test_a_child_that_hung_up_and_stays_is_too_slow_where_it_may_be_stopped_too(
    confined: Confined, nothing: io.BufferedReader, stop: int
) -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(1_000)"
    ended = confined.run(script(code), nothing, replace(LIMITS, wall_s=1), len, stop)
    assert ended.how is End.TOO_SLOW


def test_a_child_is_gone_when_its_end_is_told(confined: Confined) -> None:
    """It holds the pipe that is its input; when it is gone, the pipe's other end reads as closed."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "r+b", buffering=0) as held:
        ended, _ = run(confined, "import time; time.sleep(1_000)", held, replace(LIMITS, wall_s=2))  # type: ignore[arg-type]
    assert ended.how is End.TOO_SLOW
    seen = threading.Thread(target=os.read, args=(read_end, 1), daemon=True)
    seen.start()
    seen.join(60)
    assert not seen.is_alive(), "something inside still holds its input"
    os.close(read_end)


def test_what_the_taker_raises_ends_the_child_and_reaches_the_caller(
    confined: Confined, nothing: io.BufferedReader
) -> None:
    def full(chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        confined.run(script("while True: print('x' * 1_000)"), nothing, LIMITS, full)


def test_a_program_that_is_not_there_is_named_and_nothing_runs(confined: Confined, nothing: io.BufferedReader) -> None:
    taken = bytearray()
    ended = confined.run((GONE, "x"), nothing, LIMITS, taken.extend)
    assert (ended.how, bytes(taken)) == (End.NO_SANDBOX, b"")
    assert GONE in ended.complaint
    assert GONE in trouble_with(confined, GONE)


def test_there_is_no_trouble_with_a_program_that_starts(confined: Confined) -> None:
    assert trouble_with(confined, TRUE) == ""


def test_complaints_are_one_short_line_of_plain_ascii() -> None:
    assert printable(b"a\x1b[2J\r\n\xff b\x00" + b"z" * 500).startswith("a [2J b z")
    assert len(printable(b"z" * 500)) == 200
