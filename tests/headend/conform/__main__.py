"""``./run conform [ARGUMENTS]``: our own station on a desk of its own, and the kit at the protocol's own pace.

Arguments go to ``edge-agent-headend conform``; without any every clause is tried, the audible ones into a null sink.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from demo.ward import STATION
from edge_agent.headend.cli import main
from tests.headend.conform.rig import TestDesk


def conform(words: list[str]) -> int:
    """The kit's exit status."""
    with tempfile.TemporaryDirectory(prefix="conform-") as folder, TestDesk(Path(folder)) as desk:
        desk.switch_on()
        relay = f"{desk.relay.host}:{desk.relay.port}"
        where = [
            "--dir",
            str(desk.keyring.directory),
            "--broker",
            f"localhost:{desk.broker.port}",
            "--station",
            STATION,
        ]
        reach = ["--relay", relay, "--content", "localhost:0", "--timezone", desk.timezone, "--audible"]
        return main(["conform", *where, *reach, *words])


if __name__ == "__main__":
    sys.exit(conform(sys.argv[1:]))
