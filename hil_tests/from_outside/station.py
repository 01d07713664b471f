"""A whole station with a console on each serial line; runs until it is ended, or its machine's power is cut.

The first argument names the bench's file, each further one a line as PORT:SPEED. A line's first prompt says that all of
it stands.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from demo.acts import draft_of, item_of, trusts_its_clock, wait
from demo.ward import Ward
from hil_tests.bench import Bench
from hil_tests.rig import read

TITLE = "Bản tin đường thủy, phà Đông Thành"
# Four letters of three bytes, five of two: what is cut or mixed in them does not come out as the same words.
STATION_S_MAX = 120


def main(rig: Path, lines: Sequence[str]) -> None:
    """Never returns by itself."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(read(rig)) as bench,
        Ward(Path(folder), bench.hardware) as ward,
    ):
        ward.switch_on()
        wait(ward, lambda: trusts_its_clock(ward), "a welcomed station", STATION_S_MAX)
        _order_for_tomorrow(ward)
        consoles = [_console(ward, *line.split(":")) for line in lines]
        try:
            while all(console.poll() is None for console in consoles):
                time.sleep(1)
            print(f"a console ended: {[console.poll() for console in consoles]}", flush=True)
        finally:
            for console in consoles:
                console.terminate()


def _order_for_tomorrow(ward: Ward) -> None:
    day = (datetime.now(ZoneInfo(ward.timezone)) + timedelta(days=1)).date()
    item = {**item_of(TITLE, "thoi-su"), "text": "Phà ngừng chạy từ mười giờ."}
    job = ward.publish(draft_of("normal", {"at": f"{day}T10:00:00", "timezone": ward.timezone}, item), ["ward-routine"])
    wait(ward, lambda: bool(ward.headend.answers(job)), "an answer to tomorrow's order", STATION_S_MAX)
    picture = ward.folder / "run" / "status.json"
    # What the console shows is in there, and is written once a second.
    wait(ward, lambda: job in picture.read_text("utf-8"), "tomorrow's order in the agent's picture", STATION_S_MAX)


def _console(ward: Ward, port: str, speed: str) -> subprocess.Popen[bytes]:
    words = ["console", "--port", port, "--baud", speed, "--config", str(ward.config)]
    return subprocess.Popen([sys.executable, "-m", "edge_agent", *words], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
