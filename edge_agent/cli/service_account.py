"""Who the service runs as, and what lies within its reach: doctor is run by root, who reads everything.

Asked is the kernel, by a process of that account: it looks at every folder on the way, and at lists of access.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_agent.cli.finding import Finding
from edge_agent.console.words import Text
from edge_agent.link.server import AGENT_USER

TEST = "/usr/bin/test"
IO_USER = "edge-agent-io"
UNREADABLE = f"tài khoản dịch vụ không đọc được / the service's user {AGENT_USER} cannot read it"
UNWRITABLE = f"tài khoản dịch vụ không ghi được / the service's user {AGENT_USER} cannot write into it"


def service_account() -> int | None:
    """The user id that must own the keys. Only root can read them and not be it; None for everybody else."""
    try:
        agent = pwd.getpwnam(AGENT_USER).pw_uid
    except KeyError:
        return None  # not installed as a service: a laptop, a demo
    return agent if os.geteuid() == 0 else None


def not_read(what: Text, file: Path, service_uid: int | None) -> Finding | None:
    """A file that root can read and the service cannot; None where there is nothing to say."""
    if service_uid is None or _may("-r", file, service_uid):
        return None
    remedy = Text(
        f"chmod a+r {file}; các thư mục chứa nó: chmod a+x", f"chmod a+r {file}; the folders that it lies in: chmod a+x"
    )
    return Finding(what, f"{file}: {UNREADABLE}", remedy)


def not_written(what: Text, folder: Path, service_uid: int | None) -> Finding | None:
    """The same of a folder that the service writes into."""
    if service_uid is None or _may("-w", folder, service_uid):
        return None
    remedy = Text(f"chown {AGENT_USER}: {folder}", f"chown {AGENT_USER}: {folder}")
    return Finding(what, f"{folder}: {UNWRITABLE}", remedy)


def not_driven(what: Text, device: Path, account: str = IO_USER) -> Finding | None:
    """A device that root may use and the device process may not; None where there is nothing to say."""
    try:
        user = pwd.getpwnam(account)
    except KeyError:
        return None  # not installed as a service
    groups = os.getgrouplist(account, user.pw_gid)
    if os.geteuid() != 0 or all(_may(how, device, user.pw_uid, groups) for how in ("-r", "-w")):
        return None
    remedy = Text(
        "luật udev cho nhóm gpio: xem operations.md, phần 2",
        "a udev rule for the group gpio: see operations.md, part 2",
    )
    return Finding(what, f"{device}: tài khoản không dùng được / the user {account} may not use it", remedy)


def _may(what: str, path: Path, uid: int, groups: Sequence[int] = ()) -> bool:
    try:
        group = pwd.getpwuid(uid).pw_gid
    except KeyError:
        group = uid
    asked = (TEST, what, path)
    try:
        return subprocess.run(asked, user=uid, group=group, extra_groups=groups, check=False).returncode == 0
    except OSError:
        return True  # root of a container that has no other accounts: not to be known, and no fault
