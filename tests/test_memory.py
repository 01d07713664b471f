"""After the start the collector leaves alone what will never be garbage."""

from __future__ import annotations

import subprocess
import sys

SETTLED = """
import gc, json
import edge_agent.cli.agent
from edge_agent.memory import settle
before = len(gc.get_objects())
settle()
print(before, len(gc.get_objects()), gc.get_freeze_count())
"""


def test_a_full_collection_passes_over_what_was_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)
    before, looked_at, frozen = map(int, done.stdout.split())
    assert frozen >= before * 9 // 10
    assert looked_at <= before // 10
