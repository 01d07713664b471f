"""The agent's unit with the drop-in for locked keys, on a booted system: what it is handed, and that it starts without.

In the agent's place stands a program that says what it was handed. Users, walls and the unit that opens what was sealed
are the shipped ones; it is sealed by the machine's own key.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.host.booted import SHARED, needs_boot, run_booted
from tests.host.parts import needs

SYSTEMD = Path(__file__).parents[2] / "systemd"
SECRET = "a-passphrase-that-is-long-enough-for-anybody"
ASKS = """
set -eu
systemd-sysusers /usr/lib/sysusers.d/edge-agent.conf 2>/dev/null
systemd-tmpfiles --create /usr/lib/tmpfiles.d/edge-agent.conf
store=/etc/credstore.encrypted/edge-agent.keys key=/var/lib/systemd/credential.secret
mkdir -p /etc/credstore.encrypted
systemctl daemon-reload
sealed() {{
    rm -f $key $store
    systemd-creds setup 2>/dev/null
    printf {secret} | systemd-creds encrypt --with-key=host --name=edge-agent.keys - $store 2>/dev/null
}}
start() {{
    systemctl start agent.service 2>/dev/null || true
    echo "$1: $(cat {shared}/said-by-it)"
    echo nothing >{shared}/said-by-it
}}
sealed; start "sealed here"
rm $key; systemd-creds setup 2>/dev/null; start "sealed elsewhere"
sealed; : >$store; start "cut short"
rm $store; start "lost"
sealed; start "sealed anew"
systemctl stop edge-agent-keys.socket 2>/dev/null
rm /etc/systemd/system/edge-agent-keys.socket
systemctl daemon-reload
start "no socket"
"""

pytestmark = [pytest.mark.host, needs_boot, needs("systemd-creds")]


def test_the_agent_starts_with_what_was_sealed_and_with_nothing_where_that_does_not_open(tmp_path: Path) -> None:
    """What opens its keys proves no order: without it the ward is warned all the same."""
    shared, added = tmp_path / "shared", tmp_path / "added"
    shared.mkdir()
    units = added / "etc/systemd/system"
    (units / "agent.service.d").mkdir(parents=True)
    for unit in SYSTEMD.glob("edge-agent-keys*"):
        shutil.copy(unit, units)
    (units / "agent.service").write_text(saying_instead((SYSTEMD / "edge-agent.service").read_text()))
    shutil.copy(SYSTEMD / "drop-ins/edge-agent-credentials.conf", units / "agent.service.d")
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(SYSTEMD / kind, added / "usr/lib" / kind)
    (shared / "asks.sh").write_text(ASKS.format(shared=SHARED, secret=SECRET))
    said = run_booted(shared, added, f"/bin/sh {SHARED}/asks.sh").splitlines()
    assert said == [
        f"sealed here: runs with {SECRET}",
        "sealed elsewhere: runs with",
        "cut short: runs with",
        "lost: runs with",
        f"sealed anew: runs with {SECRET}",
        "no socket: runs with",
    ]


def saying_instead(unit: str) -> str:
    """The unit with another program, which ends by itself."""
    kept = re.sub(r"(?m)^(Exec\w+|Type|NotifyAccess|Restart|WatchdogSec|Wants|After)=.*\n", "", unit)
    program = "/bin/sh -c 'echo runs with $(cat $CREDENTIALS_DIRECTORY/edge-agent.keys)'"
    said = f"StandardOutput=truncate:{SHARED}/said-by-it"
    return kept.replace("[Service]\n", f"[Service]\nType=oneshot\nExecStart={program}\n{said}\n", 1)
