"""The agent's and the device process's units on a booted system: they start without what they can do without.

In the units' places stands a program that says that it runs. Users, walls and drop-ins are the shipped ones; the board
has no TPM, the socket of the decoders was not made, and what is written on the card is seen. Then the card takes
nothing, and has lost the station's folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.host.booted import SHARED, needs_boot, run_booted

SYSTEMD = Path(__file__).parents[2] / "systemd"
AGENT, DEVICE, CLOCK = (SYSTEMD / f"edge-agent{name}.service" for name in ("", "-io", "-clock"))
DROP_INS = {"a-tpm": "edge-agent-tpm.conf", "confined": "edge-agent-confined.conf"}
UNITS = {"agent": AGENT, "device": DEVICE, "clock": CLOCK} | dict.fromkeys(DROP_INS, AGENT)
ASKS = """
set -eu
systemd-sysusers /usr/lib/sysusers.d/edge-agent.conf 2>/dev/null
systemd-tmpfiles --create /usr/lib/tmpfiles.d/edge-agent.conf
mkdir -p /opt/edge-agent
groupadd -f tss
test ! -e /dev/tpmrm0
test ! -e /run/edge-agent-decode.sock
systemctl daemon-reload
start() {{
    echo nothing >{shared}/$1.said
    systemctl start $1.service 2>/dev/null || true
    echo "$1 $(cat {shared}/$1.said) $(stat -c %Y /var/tmp)"
}}
touch -d @1000000000 /var/tmp
for name in {units}; do start $name; done
mount -t tmpfs -o ro card /var/lib
for name in {units}; do start $name; done
"""

pytestmark = [pytest.mark.host, needs_boot]


def test_they_start_without_a_chip_decoders_or_a_folder_and_write_nothing_on_the_card_for_it(tmp_path: Path) -> None:
    """What keeps a start back keeps a ward silent; one a minute, or one every two seconds, would wear the card."""
    shared, added = tmp_path / "shared", tmp_path / "added"
    shared.mkdir()
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for name, shipped in UNITS.items():
        (units / f"{name}.service").write_text(saying_instead(shipped.read_text(), f"{SHARED}/{name}.said"))
    for name, drop_in in DROP_INS.items():
        (units / f"{name}.service.d").mkdir()
        shutil.copy(SYSTEMD / "drop-ins" / drop_in, units / f"{name}.service.d")
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(SYSTEMD / kind, added / "usr/lib" / kind)
    (shared / "asks.sh").write_text(ASKS.format(shared=SHARED, units=" ".join(UNITS)))
    said = run_booted(shared, added, f"/bin/sh {SHARED}/asks.sh").splitlines()
    assert said == [f"{name} runs 1000000000" for name in UNITS] * 2


def saying_instead(unit: str, said: str) -> str:
    """The unit with another program, which ends by itself."""
    kept = re.sub(r"(?m)^(Exec\w+|Type|NotifyAccess|Restart|WatchdogSec|Wants|After)=.*\n", "", unit)
    program = f"Type=oneshot\nExecStart=/usr/bin/python3 -c \"print('runs')\"\nStandardOutput=truncate:{said}\n"
    return kept.replace("[Service]\n", f"[Service]\n{program}", 1)
