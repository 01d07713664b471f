"""What runs in the sandbox reaches neither the network nor files, and takes no more than it may.

The planted program is the system's Python: whoever takes a decoder over can do at least what it can.
"""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.audio.sandbox import End, Ended, Limits, Sandbox, available, printable
from tests.host.parts import ABSENT

PYTHON = "/usr/bin/python3"
MIB = 1_024 * 1_024
LIMITS = Limits(data_bytes=128 * MIB, cpu_s=20, wall_s=120, output_bytes=MIB)

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not available("/usr/bin/bwrap", PYTHON), reason=f"{ABSENT}bubblewrap or the system's Python"),
]


@pytest.fixture
def nothing() -> Iterator[io.BufferedReader]:
    with open(os.devnull, "rb") as source:
        yield source


def run(code: str, source: io.BufferedReader, limits: Limits = LIMITS) -> tuple[Ended, bytes]:
    """Run a script inside; -I -S keep it from reading anything but its own library."""
    taken = bytearray()
    ended = Sandbox().run((PYTHON, "-I", "-S", "-c", code), source, limits, taken.extend)
    return ended, bytes(taken)


def answer(code: str, source: io.BufferedReader) -> str:
    ended, said = run(code, source)
    assert ended.well, ended
    return said.decode().strip()


TRY = """
def attempt(what):
    try:
        return what()
    except OSError as exc:
        return type(exc).__name__
"""


def test_the_program_runs_and_its_output_arrives_whole(nothing: io.BufferedReader) -> None:
    ended, said = run("import sys; sys.stdout.write('x' * 300_000)", nothing)
    assert ended == Ended(End.EXITED, 0, 300_000, "")
    assert said == b"x" * 300_000


def test_the_input_is_read_from_the_file_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"sound")
    with open(tmp_path / "clip", "rb") as source:
        assert answer("print(input())", source) == "sound"


def test_the_exit_status_and_complaint_come_back(nothing: io.BufferedReader) -> None:
    ended, _ = run("import sys; print('broken\\n\\x1b[31mred', file=sys.stderr); sys.exit(3)", nothing)
    assert ended == Ended(End.EXITED, 3, 0, "broken [31mred")


def test_a_listener_on_this_machine_cannot_be_reached(nothing: io.BufferedReader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        dial = f"import socket; print(attempt(lambda: socket.create_connection(('127.0.0.1', {port}), 5)))"
        with socket.create_connection(("127.0.0.1", port), 5):
            pass  # it does answer outside
        assert answer(TRY + dial, nothing) in {"ConnectionRefusedError", "OSError"}


def test_no_network_interface_but_an_own_loopback_is_seen(nothing: io.BufferedReader) -> None:
    assert answer("import socket; print([name for _, name in socket.if_nameindex()])", nothing) == "['lo']"


def test_an_abstract_socket_of_this_machine_cannot_be_reached(nothing: io.BufferedReader) -> None:
    name = f"\0clip-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        dial = f"import socket; print(attempt(lambda: socket.socket(socket.AF_UNIX).connect({name!r})))"
        assert answer(TRY + dial, nothing) == "ConnectionRefusedError"


def test_files_of_this_machine_are_not_there(nothing: io.BufferedReader, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("secret")
    for path in (
        "/etc/passwd",
        str(secret),
        "/proc/self/status",
        "/dev/null",
        "/bin/sh",
        "/usr/bin/env",
        "/root",
        "/home",
    ):
        assert answer(TRY + f"print(attempt(lambda: open({path!r}).read()))", nothing) == "FileNotFoundError", path
    assert answer("import os; print(sorted(os.listdir('/')))", nothing) == str(sorted({"etc", "lib", "lib64", "usr"}))
    assert set(answer("import os; print(*os.listdir('/etc'))", nothing).split()) <= {"alternatives", "ld.so.cache"}


def test_nothing_can_be_written_anywhere(nothing: io.BufferedReader) -> None:
    places = ("/x", "/tmp/x", "/etc/x", "/usr/x", "/usr/lib/x", "/usr/bin/x", "/etc/alternatives/x", PYTHON)
    for place in places:
        said = answer(TRY + f"print(attempt(lambda: open({place!r}, 'w')))", nothing)
        assert said in {"OSError", "PermissionError", "FileNotFoundError"}, (place, said)


def test_the_clip_itself_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"sound")
    with open(tmp_path / "clip", "rb") as source:
        assert answer(TRY + "import os; print(attempt(lambda: os.write(0, b'x')))", source) == "OSError"


def test_no_other_process_and_no_descriptor_is_inherited(nothing: io.BufferedReader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(server.fileno(), True)
        probe = """
import os
def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
print([fd for fd in range(64) if is_open(fd)], os.getppid() <= 1)
"""
        assert answer(probe, nothing) == "[0, 1, 2] True"


def test_the_environment_of_the_station_is_not_there(
    nothing: io.BufferedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATION_SECRET", "x")
    assert "STATION_SECRET" not in answer("import os; print(*os.environ)", nothing)


def test_no_capability_is_left_and_root_is_nobody_inside(nothing: io.BufferedReader) -> None:
    probe = TRY + "import os; print(os.getuid(), attempt(lambda: os.chroot('/usr')), attempt(lambda: os.setuid(0)))"
    assert answer(probe, nothing) == "65534 PermissionError OSError"


def test_a_child_that_never_stops_printing_is_ended_at_its_bound(nothing: io.BufferedReader) -> None:
    ended, said = run("while True: print('x' * 1_000)", nothing)
    assert ended.how is End.TOO_MUCH
    assert len(said) <= LIMITS.output_bytes


def test_a_child_that_floods_its_complaints_neither_blocks_nor_fills_memory(nothing: io.BufferedReader) -> None:
    ended, _ = run("import sys; [sys.stderr.write('y' * 65_536) for _ in range(200)]", nothing)
    assert ended.well
    assert set(ended.complaint) == {"y"}
    assert len(ended.complaint) <= 200


def test_a_child_that_hangs_is_ended_at_its_wall_time(nothing: io.BufferedReader) -> None:
    limits = Limits(LIMITS.data_bytes, LIMITS.cpu_s, 1, LIMITS.output_bytes)
    ended, _ = run("import time; time.sleep(1_000)", nothing, limits)
    assert ended.how is End.TOO_SLOW


def test_a_child_that_closes_its_output_and_hangs_is_ended_too(nothing: io.BufferedReader) -> None:
    limits = Limits(LIMITS.data_bytes, LIMITS.cpu_s, 1, LIMITS.output_bytes)
    ended, _ = run("import os, time; os.close(1); os.close(2); time.sleep(1_000)", nothing, limits)
    assert ended.how is End.TOO_SLOW


def test_a_child_that_burns_its_cpu_time_is_killed_by_the_kernel(nothing: io.BufferedReader) -> None:
    limits = Limits(LIMITS.data_bytes, 1, LIMITS.wall_s, LIMITS.output_bytes)
    ended, _ = run("while True: pass", nothing, limits)
    assert (ended.how, ended.status > 128) == (End.EXITED, True)


def test_a_child_cannot_take_more_memory_than_its_bound(nothing: io.BufferedReader) -> None:
    grab = "held = []\nwhile True: held.append(bytearray(8 << 20)); print(len(held), flush=True)"
    ended, said = run(grab, nothing)
    assert ended.status == 1
    assert "MemoryError" in ended.complaint
    assert 0 < int(said.split()[-1]) * 8 * MIB <= LIMITS.data_bytes


def test_nothing_of_a_child_outlives_its_end(nothing: io.BufferedReader, tmp_path: Path) -> None:
    """Whatever it forks holds the pipe to us; when all of it is gone, the pipe's other end reads as closed."""
    read_end, write_end = os.pipe()
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\nprint('up', flush=True)\ntime.sleep(1_000)"
    limits = Limits(LIMITS.data_bytes, LIMITS.cpu_s, 2, LIMITS.output_bytes)
    with os.fdopen(write_end, "r+b", buffering=0, closefd=True) as held:
        ended = Sandbox().run((PYTHON, "-I", "-S", "-c", code), held, limits, lambda chunk: None)
    assert ended.how is End.TOO_SLOW
    seen = threading.Thread(target=os.read, args=(read_end, 1), daemon=True)
    seen.start()
    seen.join(60)
    assert not seen.is_alive(), "something inside still holds its input"
    os.close(read_end)


def test_what_the_taker_raises_ends_the_child_and_reaches_the_caller(nothing: io.BufferedReader) -> None:
    def full(chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Sandbox().run((PYTHON, "-I", "-S", "-c", "while True: print('x' * 1_000)"), nothing, LIMITS, full)


@pytest.mark.parametrize("bwrap", ["/nonexistent/bwrap", "/usr/bin/false-bwrap"])
def test_without_bubblewrap_nothing_runs_at_all(nothing: io.BufferedReader, bwrap: str) -> None:
    taken = bytearray()
    ended = Sandbox(bwrap).run((PYTHON, "-I", "-S", "-c", "print('ran')"), nothing, LIMITS, taken.extend)
    assert ended.how is End.NO_SANDBOX
    assert bwrap in ended.complaint
    assert not taken


def test_where_bubblewrap_cannot_set_up_its_walls_nothing_runs(nothing: io.BufferedReader) -> None:
    """As in a container that forbids namespaces: planted by taking a wall's material away."""
    taken = bytearray()
    ended = Sandbox().run(("/usr/bin/no-such-program", "x"), nothing, LIMITS, taken.extend)
    assert (ended.how, bytes(taken)) == (End.NO_SANDBOX, b"")
    assert "no-such-program" in ended.complaint
    assert "no-such-program" in Sandbox().check("/usr/bin/no-such-program")


def test_the_check_is_silent_where_the_sandbox_works() -> None:
    assert Sandbox().check() == ""


def test_a_program_cannot_pass_its_words_off_as_the_sandboxs(nothing: io.BufferedReader) -> None:
    ended, _ = run("import sys; print('x\\nbwrap: gone', file=sys.stderr); sys.exit(1)", nothing)
    assert ended.how is End.EXITED


def test_complaints_are_one_short_line_of_plain_ascii() -> None:
    assert printable(b"a\x1b[2J\r\n\xff b\x00" + b"z" * 500).startswith("a [2J b z")
    assert len(printable(b"z" * 500)) == 200
