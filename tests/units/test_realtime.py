"""The device process's unit on a booted system: what its scheduling is as shipped, and with the drop-in for real time.

In the unit's place stands a program that says how it is scheduled, in a thread of its own too. Users, walls and calls
are the shipped unit's.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.host.booted import SHARED, needs_boot, run_booted

SYSTEMD = Path(__file__).parents[2] / "systemd"
SHIPPED, REALTIME = SYSTEMD / "edge-agent-io.service", SYSTEMD / "drop-ins/edge-agent-io-realtime.conf"
TELLS = """
import json, os, threading
found = []
def look():
    found.append(os.sched_getscheduler(0))
look()
thread = threading.Thread(target=look)
thread.start()
thread.join()
print(json.dumps({"policies": found, "nice": os.getpriority(os.PRIO_PROCESS, 0)}), flush=True)
"""
ASKS = """
set -eu
systemd-sysusers {shared}/users.conf 2>/dev/null
mkdir -p /run/edge-agent/io
systemctl daemon-reload
for name in shipped realtime; do
    systemctl start $name.service
    cat {shared}/$name.json
done
"""

pytestmark = [pytest.mark.host, needs_boot]


def test_as_shipped_it_is_ordinary_and_with_the_drop_in_every_thread_is_round_robin(tmp_path: Path) -> None:
    shared, added = tmp_path / "shared", tmp_path / "added"
    shared.mkdir()
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in ("shipped", "realtime"):
        (units / f"{name}.service").write_text(telling_instead(SHIPPED.read_text(), f"{SHARED}/{name}.json"))
    (units / "realtime.service.d").mkdir()
    (units / "realtime.service.d" / "realtime.conf").write_text(REALTIME.read_text())
    (shared / "tells.py").write_text(TELLS)
    (shared / "users.conf").write_text((SYSTEMD / "sysusers.d/edge-agent.conf").read_text())
    (shared / "asks.sh").write_text(ASKS.format(shared=SHARED))
    shipped, realtime = map(json.loads, run_booted(shared, added, f"/bin/sh {SHARED}/asks.sh").splitlines())
    assert shipped == {"policies": [os.SCHED_OTHER] * 2, "nice": -5}
    assert realtime == {"policies": [os.SCHED_RR] * 2, "nice": -5}


def telling_instead(unit: str, said: str) -> str:
    """The unit with another program, which ends by itself."""
    kept = re.sub(r"(?m)^(Exec\w+|Type|NotifyAccess|Restart|WatchdogSec)=.*\n", "", unit)
    program = f"Type=oneshot\nExecStart=/usr/bin/python3 {SHARED}/tells.py\nStandardOutput=truncate:{said}\n"
    return kept.replace("[Service]\n", f"[Service]\n{program}", 1)
