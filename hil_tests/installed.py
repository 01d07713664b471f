"""A machine on which the station is installed as on a pole: the package, its units, users and folders, under systemd.

``lay_out`` puts the files where ``guest/systemd.sh`` takes them from. What is switched on there is the bench's own unit
alone, which runs the command that the machine was booted for; the station's are the tests' to start. What can be made
to hang lies at HANGS (``hangs/sitecustomize.py``), for a drop-in to bring in.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hil_tests.machine import ROOT
from tests.host.booted import installed

HANGS, TOLD = Path("/opt/hangs"), Path("/run/hangs")
# Where what can be made to hang lies, and where it is told to: a file of a part's name with a process's number in it.
INIT = Path(__file__).parent / "guest" / "systemd.sh"
JOURNALD = Path("/etc/systemd/journald.conf.d")
SOUND = Path("/dev/snd")
TARGET = "bench.target"
ARGUMENTS = (f"systemd.unit={TARGET}", "systemd.show_status=no")
SYSTEMD = ROOT / "systemd"
UNITS = {
    TARGET: "[Unit]\nRequires=bench.service\nAfter=bench.service\n",
    # The machine is off when the command has ended, whichever way.
    "bench.service": """[Unit]
After=sysinit.target sockets.target
Wants=sockets.target
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate
[Service]
Type=oneshot
Environment=HOME=/root LANG=C.UTF-8 TERM=dumb
ExecStart=/bin/bash -c 'bash /run/shared/command >/dev/console 2>&1; echo $? >/run/shared/status'
""",
}


def lay_out(shared: Path) -> None:
    """``shared`` is the folder that the machine will be booted with."""
    added = shared / "added"
    installed(added, ROOT / "edge_agent", "edge-agent")
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in (one for kind in ("service", "socket", "timer") for one in SYSTEMD.glob(f"*.{kind}")):
        shutil.copy(unit, units)
    for name, text in UNITS.items():
        (units / name).write_text(text)
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(SYSTEMD / kind, added / "usr/lib" / kind)
    shutil.copytree(SYSTEMD / JOURNALD.name, added / JOURNALD.relative_to("/"))
    shutil.copytree(Path(__file__).parent / "hangs", added / HANGS.relative_to("/"))
    # By its date systemd knows that the clock is right: it puts one back that is years ahead of systemd's own making.
    (added / "usr/lib/clock-epoch").touch()


def give_devices(chip: str) -> None:
    """To their groups, as the rules of a station's system have it: nobody reads such rules in there."""
    for device in (Path(chip), *(one for one in SOUND.iterdir() if not one.is_dir())):
        shutil.chown(device, "root", "gpio" if "gpiochip" in device.name else "audio")
        device.chmod(0o660)
