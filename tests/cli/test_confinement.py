"""What confines programs that read sound from outside is what was configured, and never nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.sandbox import Sandbox as Bubblewrap
from edge_agent.cli.confinement import Walls, confinement
from edge_agent.config import Sandbox


@pytest.mark.parametrize(
    ("wish", "socket_is_there", "unit"),
    [
        (Sandbox.AUTO, True, True),
        (Sandbox.AUTO, False, False),
        (Sandbox.UNIT, True, True),
        (Sandbox.UNIT, False, True),
        (Sandbox.BWRAP, True, False),
        (Sandbox.BWRAP, False, False),
    ],
)
def test_the_worker_where_it_is_wished_or_there_and_else_bubblewrap(
    tmp_path: Path, wish: Sandbox, socket_is_there: bool, unit: bool
) -> None:
    socket = tmp_path / "decode.sock"
    if socket_is_there:
        socket.touch()
    expected: Walls = DecodeService(socket) if unit else Bubblewrap()
    assert confinement(wish, socket) == expected
