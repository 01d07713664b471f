"""What runs on a station ends, tidily, when whoever started it has let go; and by itself as any program does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import pathlib, sys, time
try:
    print("up", sys.stdin.read(), flush=True)
    for _ in range(int(sys.argv[1])):  # as a test runs: no interpreter hears what comes just before it sleeps
        time.sleep(1)
finally:
    pathlib.Path(sys.argv[2]).touch()
"""
ENDS_S_MAX = 60


def on_a_leash(folder: Path, seconds: str) -> subprocess.Popen[bytes]:
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "hil_tests.leash", "program", seconds, str(folder / "tidied")]
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(  # deaf, as what a shell has put aside
        ["env", "--ignore-signal=INT", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd=folder,
    )


def test_a_program_that_is_let_go_tidies_up_and_ends(tmp_path: Path) -> None:
    with on_a_leash(tmp_path, "90") as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == b"up \n", "what it starts must not take the leash"
        assert program.poll() is None
        program.stdin.close()
        assert program.wait(ENDS_S_MAX) != 0
    assert (tmp_path / "tidied").exists()


def test_a_program_that_has_done_ends_by_itself(tmp_path: Path) -> None:
    with on_a_leash(tmp_path, "0") as program:
        assert program.wait(ENDS_S_MAX) == 0
    assert (tmp_path / "tidied").exists()
