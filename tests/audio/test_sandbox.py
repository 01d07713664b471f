"""What runs in bubblewrap reaches neither network nor files, by its walls alone: the filter of calls is taken off.

The planted program is the system's Python: whoever takes a decoder over can do at least what it can. What a child may
take, and how its end is called, is in ``test_confined_contract``; what both together hold back, in ``test_intruder``.
"""

from __future__ import annotations

import io
import os
import resource
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.audio import call_filter
from edge_agent.audio.confined import End, available
from edge_agent.audio.sandbox import Handed, Sandbox
from tests.audio.walls import LIMITS, PYTHON, WithoutFilter, said, script
from tests.host.parts import ABSENT

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not available("/usr/bin/bwrap", PYTHON), reason=f"{ABSENT}bubblewrap or the system's Python"),
]


@pytest.fixture
def nothing() -> Iterator[io.BufferedReader]:
    with open(os.devnull, "rb") as source:
        yield source


def answer(code: str, source: io.BufferedReader) -> str:
    return said(WithoutFilter(), script(code), source).strip()


TRY = """
def attempt(what):
    try:
        return what()
    except OSError as exc:
        return type(exc).__name__
"""


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


def test_no_other_process_is_seen(nothing: io.BufferedReader) -> None:
    assert answer("import os; print(os.getppid() <= 1)", nothing) == "True"


def test_no_capability_is_left_and_root_is_nobody_inside(nothing: io.BufferedReader) -> None:
    probe = TRY + "import os; print(os.getuid(), attempt(lambda: os.chroot('/usr')), attempt(lambda: os.setuid(0)))"
    assert answer(probe, nothing) == "65534 PermissionError OSError"


def test_nothing_of_a_child_outlives_its_end(nothing: io.BufferedReader, tmp_path: Path) -> None:
    """Whatever it forks holds the pipe to us; when all of it is gone, the pipe's other end reads as closed."""
    read_end, write_end = os.pipe()
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\nprint('up', flush=True)\ntime.sleep(1_000)"
    with os.fdopen(write_end, "r+b", buffering=0) as held:
        ended = WithoutFilter().run(script(code), held, replace(LIMITS, wall_s=2), lambda chunk: None)  # type: ignore[arg-type]
    assert ended.how is End.TOO_SLOW
    seen = threading.Thread(target=os.read, args=(read_end, 1), daemon=True)
    seen.start()
    seen.join(60)
    assert not seen.is_alive(), "something inside still holds its input"
    os.close(read_end)


def test_each_wall_is_asked_for_although_another_would_hide_that_it_is_not() -> None:
    words = Sandbox().command((PYTHON,), LIMITS, Handed(3, 4, 5))
    assert {"--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"} <= {*words}
    assert {("--cap-drop", "ALL"), ("--seccomp", "3"), ("--remount-ro", "/")} <= {*pairwise(words)}


@pytest.mark.parametrize("bwrap", ["/nonexistent/bwrap", "/usr/bin/false-bwrap"])
def test_without_bubblewrap_nothing_runs_at_all(nothing: io.BufferedReader, bwrap: str) -> None:
    taken = bytearray()
    ended = Sandbox(bwrap).run(script("print('ran')"), nothing, LIMITS, taken.extend)
    assert ended.how is End.NO_SANDBOX
    assert bwrap in ended.complaint
    assert not taken


def test_where_bubblewrap_cannot_set_up_its_walls_nothing_runs(nothing: io.BufferedReader) -> None:
    """As in a container that forbids namespaces: planted by taking a wall's material away."""
    taken = bytearray()
    ended = Sandbox().run(("/usr/bin/no-such-program", "x"), nothing, LIMITS, taken.extend)
    assert (ended.how, bytes(taken)) == (End.NO_SANDBOX, b"")
    assert "no-such-program" in ended.complaint


def test_without_the_filter_of_calls_nothing_runs_at_all(
    nothing: io.BufferedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_filter() -> bytes:
        raise call_filter.NoFilter("no call filter: libseccomp is gone")

    monkeypatch.setattr(call_filter, "program", no_filter)
    taken = bytearray()
    ended = Sandbox().run(script("print('ran')"), nothing, LIMITS, taken.extend)
    assert (ended.how, ended.complaint, bytes(taken)) == (End.NO_SANDBOX, "no call filter: libseccomp is gone", b"")


def test_without_a_bound_of_its_processes_nothing_runs_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(resource, "prlimit", refuse)
    read_end, write_end = os.pipe()
    taken = bytearray()
    with os.fdopen(write_end, "r+b", buffering=0) as held:
        ended = Sandbox().run(script("print('ran')"), held, LIMITS, taken.extend)  # type: ignore[arg-type]
    assert ended.complaint == "no bound of processes: [Errno 1] Operation not permitted"
    assert (ended.how, bytes(taken)) == (End.NO_SANDBOX, b"")
    assert select.select([read_end], [], [], 60)[0], "something inside still holds its input"
    os.close(read_end)


def test_a_program_has_its_input_its_output_and_its_complaints_and_no_more(nothing: io.BufferedReader) -> None:
    probe = "import fcntl\nfor n in range(64):\n    attempt(lambda: print(n, fcntl.fcntl(n, fcntl.F_GETFD)))"
    assert said(Sandbox(), script(TRY + probe), nothing) == "0 0\n1 0\n2 0\n"


def test_a_program_cannot_pass_its_words_off_as_the_sandboxs(nothing: io.BufferedReader) -> None:
    forged = script("import sys; print('x\\nbwrap: gone', file=sys.stderr); sys.exit(1)")
    ended = Sandbox().run(forged, nothing, LIMITS, lambda chunk: None)
    assert ended.how is End.EXITED
