"""Whoever has taken a decoder over gains nothing: planted in bubblewrap's walls, with the filter and without.

That the list of what it gained can be longer is shown by walls with a hole. The same program in the worker's walls, on
a booted system: ``test_decode_unit``.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.audio.confined import End, available
from edge_agent.audio.sandbox import Sandbox
from tests.audio.intruding import NOBODY, compiled, gains, needs_compiler, said_to_nobody, treasures
from tests.audio.making import BWRAP
from tests.audio.walls import LIMITS, WithAHole, WithoutFilter, said, script, stand_in_manager
from tests.host.parts import ABSENT

SIGSYS_STATUS = 128 + 31
PROCESSES_MAX = 64
MANY_THREADS = """
import threading, time
for _ in range(100):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("up", flush=True)
time.sleep(600)
"""

pytestmark = [
    pytest.mark.host,
    needs_compiler,
    pytest.mark.skipif(not available(BWRAP), reason=f"{ABSENT}bubblewrap"),
]


@pytest.fixture(scope="module")
def intruder() -> Iterator[str]:
    with compiled() as program:
        yield str(program)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "clip").write_bytes(b"signed sound")
    return tmp_path / "clip"


def gained(sandbox: Sandbox, intruder: str, clip: Path) -> list[str]:
    with treasures(clip.parent) as wanted, open(clip, "rb") as source:
        return gains(said(sandbox, (intruder, *wanted, f"%{os.getpid()}", "%1"), source))


def test_an_intruder_gains_nothing(intruder: str, clip: Path) -> None:
    assert gained(Sandbox(), intruder, clip) == []
    assert clip.read_bytes() == b"signed sound"


def test_a_hole_in_the_walls_is_found(intruder: str, clip: Path) -> None:
    assert gained(WithAHole(), intruder, clip) == ["read /etc/passwd"]


def test_walls_without_the_filter_of_calls_let_it_get_at_the_kernel(intruder: str, clip: Path) -> None:
    could = gained(WithoutFilter(), intruder, clip)
    assert {"socket inet", "process clone", "mode of input", "code writable", "call clone3"} <= set(could)
    assert not [gain for gain in could if gain.startswith(("read", "write", "reach"))]


def test_the_filter_holds_where_the_walls_are_not_there(intruder: str, clip: Path) -> None:
    """The worker without its unit: it sees every file, and can do nothing but read."""
    with (
        stand_in_manager(clip.parent, intruder) as service,
        treasures(clip.parent) as wanted,
        open(clip, "rb") as source,
    ):
        could = gains(said(service, (intruder, *wanted, f"%{os.getpid()}", "%1"), source))
    assert f"read {clip.parent / 'sign.pem'}" in could
    assert [gain for gain in could if not gain.startswith(("read ", "shell "))] == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="no other processor has that door")
def test_the_old_door_to_the_kernel_is_deadly(intruder: str, clip: Path) -> None:
    with open(clip, "rb") as source:
        ended = Sandbox().run((intruder, "=old"), source, LIMITS, lambda chunk: None)
        assert (ended.how, ended.status) == (End.EXITED, SIGSYS_STATUS)
        assert said(WithoutFilter(), (intruder, "=old"), source).startswith("answered ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call it as somebody else")
def test_threads_without_end_come_to_an_end(intruder: str, clip: Path) -> None:
    with open(clip, "rb") as source:
        assert 0 < int(said_to_nobody((intruder, "=threads"), source)) < PROCESSES_MAX


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call it as somebody else")
def test_what_else_its_user_runs_takes_no_place_from_a_program(clip: Path) -> None:
    """A desktop's own programs, an agent's threads and six decoders beside this one: more than one may have."""
    with (
        subprocess.Popen(script(MANY_THREADS), stdout=subprocess.PIPE, user=NOBODY, group=NOBODY) as others,
        open(clip, "rb") as source,
    ):
        assert others.stdout is not None
        assert others.stdout.readline() == b"up\n"
        try:
            assert said_to_nobody(script("import sys; print(sys.stdin.read())"), source) == "signed sound\n"
        finally:
            others.kill()
