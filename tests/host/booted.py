"""This machine's own system, booted as a container on an overlay that is thrown away: a real systemd, and real units.

Needs root, and a kernel that lets it mount; takes about two seconds. In there a unit's memory and number of tasks are
not limited where the host has given those controllers away, and addresses are not filtered; all else of a unit holds.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

import pytest

from tests.host.parts import needs

BOOT_S = 600  # only so that a system that hangs ends; booting and ending take two seconds
TARGET = "booted-test.target"
SERVICE = "booted-test.service"
SHARED = "/mnt"
# Where the system inside sees the folder that it shares with the test.

_UNITS = {
    TARGET: f"[Unit]\nRequires={SERVICE}\nAfter={SERVICE}\n",
    # The system is off when the script has ended, whichever way.
    SERVICE: """[Unit]
After=sysinit.target sockets.target
Wants=sockets.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart={script}
StandardOutput=file:{shared}/said
StandardError=file:{shared}/complaints
{service}
""",
}
_BOOT = """
set -eu
mount --make-rprivate /
mountpoint -q /sys/fs/cgroup && umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs overlay "$1"
# Every one of them is called "root" there: of two at once, who ends takes away what the other is about to mount.
mkdir -p /run/systemd/nspawn
mount -t tmpfs nspawn /run/systemd/nspawn
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cp -r "$2/." "$1/root/"
# Whatever is switched on for this machine is not for this test.
rm -rf "$1"/root/etc/systemd/system/*.wants
cp -r "$2/etc/systemd/system/." "$1/root/etc/systemd/system/"
# And each would keep its units in the same group of processes: a unit that has just begun in the one, whose name the
# other has too, is not there any more when its process is to be put into it.
here="/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)"
for controller in $(cat "$here/cgroup.controllers"); do
    echo "+$controller" > "$here/cgroup.subtree_control" || true  # has processes of its own: what is limited, is not
done 2> /dev/null
own="$here/booted-$$"
mkdir "$own"
(
    echo $BASHPID > "$own/cgroup.procs"
    exec systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --private-network --bind="$3:$4" \\
        "${@:6}" --boot -- systemd.unit="$5" systemd.show_status=no
) || true
find "$own" -depth -type d -exec rmdir {} +
"""

needs_boot = needs("systemd-nspawn", "unshare")


@functools.cache
def _may_mount() -> bool:
    """Whether this is root, and in a place where root may mount: an unprivileged container is not."""
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "trial", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(trial, capture_output=True, check=False).returncode == 0


def run_booted(folder: Path, added: Path, script: str, service: str = "", options: Sequence[str] = ()) -> str:
    """Boot with the files under ``added`` put over the system's own, run ``script`` there, and return what it said.

    ``folder`` is shared with it as SHARED, ``script`` a command line, ``service`` more lines for the unit that runs it,
    ``options`` more for systemd-nspawn. Skips the test where nothing can be mounted.
    """
    if not _may_mount():
        pytest.skip("only root that may mount can boot a system")
    units = added / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for name, text in _UNITS.items():
        (units / name).write_text(text.format(script=script, service=service, shared=SHARED))
    place = folder / "system"
    place.mkdir()
    folder.chmod(0o755)  # whoever runs the script reads it too
    boot = ["unshare", "--mount", "bash", "-c", _BOOT, "boot", str(place), str(added), str(folder), SHARED, TARGET]
    boot += options
    done = subprocess.run(boot, capture_output=True, text=True, timeout=BOOT_S, check=False, stdin=subprocess.DEVNULL)
    said = folder / "said"
    complaints = folder / "complaints"
    assert said.exists(), f"it did not boot:\n{done.stdout}\n{done.stderr}"
    assert complaints.read_text() == "", f"{said.read_text()}\n{complaints.read_text()}"
    return said.read_text()


def installed(root: Path, package: Path, *libraries: str) -> None:
    """The package as stations have it, under /opt/edge-agent, for the system's Python, and compiled as pip leaves it.

    With its command, and with the libraries that it and these need, as they lie in this environment.
    """
    home = root / "opt/edge-agent"
    python = Path("/usr/bin/python3")
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(python)
    (home / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    command = home / "bin/edge-agent"
    command.write_text("#!/opt/edge-agent/bin/python\nimport sys\nfrom edge_agent.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    place = home / "lib" / python.resolve().name / "site-packages"
    shutil.copytree(package, place / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for distribution in _closure(libraries):
        for file in distribution.files or ():
            # No .pth: through it this checkout would be found too, which no station has.
            if ".." not in file.parts and "__pycache__" not in file.parts and file.suffix != ".pth":
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(distribution.locate_file(file))), place / file)
    # Who runs it may not write there, and would compile every file at every start; whatever dates they get on the way.
    how = ["-W", "ignore", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(place)]
    subprocess.run([home / "bin/python", *how], check=True, stdin=subprocess.DEVNULL)


def _closure(names: Iterable[str]) -> list[metadata.Distribution]:
    """These distributions and all that they require, where it is installed; extras are nobody's need."""
    wanted, known = list(names), {}
    while wanted:
        name = wanted.pop()
        if name in known:
            continue
        try:
            known[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another Python or another system
            continue
        for line in known[name].requires or ():
            if "extra ==" not in line:
                wanted.append(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    return list(known.values())
