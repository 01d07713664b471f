"""What a test saw, for the acceptance report: the relays' moves and what was heard, in a file of the test's name.

The folder is named by BENCH_EVIDENCE; where nobody named one, nothing is kept.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # who writes words alone needs nothing of a station
    from hil_tests.bench import BenchRig


def keep(rig: BenchRig, test: str) -> None:
    """Ends the recording."""
    if not _folder().is_dir():
        return
    write(
        test,
        edges=[{"zone": one.zone, "on": one.on, "at_s": one.at_s} for one in rig.relay_edges()],
        heard=[{"zone": one.zone, "what": one.what, "start_s": one.start_s, "end_s": one.end_s} for one in rig.heard()],
    )


def write(test: str, **seen: Any) -> None:
    """``edges`` and ``heard`` as above; ``words`` of a person, each with who, asked, said, at."""
    if _folder().is_dir():
        (_folder() / f"{test}.json").write_text(json.dumps(seen), "utf-8")


def _folder() -> Path:
    return Path(os.environ.get("BENCH_EVIDENCE", "/nowhere"))
