"""The device process's unit on a booted system: what its scheduling is as shipped, and with the drop-in for real time.

In the unit's place stands a program that says how it is scheduled, in threads from before and behind its start too.
Users, walls and calls are the shipped unit's.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.host.booted import SHARED, needs_boot, run_booted

SYSTEMD = Path(__file__).parents[2] / "systemd"
SHIPPED, REALTIME = SYSTEMD / "edge-agent-io.service", SYSTEMD / "drop-ins/edge-agent-io-realtime.conf"
TELLS = """
import json, os, signal, socket, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
found, asked = [], threading.Event()
def look():
    asked.wait()
    found.append(os.sched_getscheduler(0))
before = threading.Thread(target=look)
before.start()
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.sigwait([signal.SIGUSR1])
asked.set()
behind = threading.Thread(target=look)
behind.start()
look()
before.join()
behind.join()
print(json.dumps({"policies": found, "nice": os.getpriority(os.PRIO_PROCESS, 0)}), flush=True)
"""
ASKS = """
set -eu
systemd-sysusers {shared}/users.conf 2>/dev/null
mkdir -p /run/edge-agent/io
systemctl daemon-reload
for name in shipped realtime; do
    echo '"not started"' >{shared}/$name.json
    if systemctl start $name.service 2>/dev/null; then
        pid=$(systemctl show --property=MainPID --value $name.service)
        kill -USR1 $pid
        tail --pid=$pid -f /dev/null
        cat {shared}/$name.json
    else
        echo '"not started"'
    fi
done
"""

pytestmark = [pytest.mark.host, needs_boot]


def told(folder: Path, *options: str) -> tuple[Any, Any]:
    """By the unit as shipped, and with the drop-in, in a system booted with these options."""
    shared, added = folder / "shared", folder / "added"
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
    shipped, realtime = map(
        json.loads, run_booted(shared, added, f"/bin/sh {SHARED}/asks.sh", "", options).splitlines()
    )
    return shipped, realtime


def test_as_shipped_it_is_ordinary_and_with_the_drop_in_every_thread_is_round_robin(tmp_path: Path) -> None:
    shipped, realtime = told(tmp_path)
    assert shipped == {"policies": [os.SCHED_OTHER] * 3, "nice": -5}
    assert realtime == {"policies": [os.SCHED_RR] * 3, "nice": -5}


def test_where_real_time_is_refused_it_starts_all_the_same(tmp_path: Path) -> None:
    """A kernel that gives it today may not after an update, and nobody stands at the pole then."""
    for found in told(tmp_path, "--drop-capability=CAP_SYS_NICE"):
        assert found["policies"] == [os.SCHED_OTHER] * 3


def telling_instead(unit: str, said: str) -> str:
    """The unit with another program, which ends by itself."""
    kept = re.sub(r"(?m)^(Exec\w+|Restart|WatchdogSec|Wants|After)=.*\n", "", unit)
    program = f"ExecStart=/usr/bin/python3 {SHARED}/tells.py\nStandardOutput=truncate:{said}\nStandardError=journal\n"
    return kept.replace("[Service]\n", f"[Service]\n{program}", 1)
