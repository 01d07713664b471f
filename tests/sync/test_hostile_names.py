"""A hostile name server in a station's way, asked by this machine's own resolver; and what works once it is honest.

One run for all of it, in a network of its own; ``names_desk`` is what runs there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.host.parts import needs

pytestmark = [pytest.mark.host, needs("unshare", "ip", "mosquitto")]

ROOT = Path(__file__).resolve().parent.parent.parent
IN_ITS_PLACE = """
set -e
ip link set lo up
echo "nameserver 127.0.0.1" > "$1/resolv.conf"
echo "127.0.0.1 localhost" > "$1/hosts"
echo "hosts: files dns" > "$1/nsswitch.conf"
for each in resolv.conf hosts nsswitch.conf; do mount --bind "$1/$each" "/etc/$each"; done
exec "$2" -m tests.sync.names_desk "$1"
"""
APART = ("unshare", "--user", "--map-root-user", "--mount", "--net")
USERS = {"urgent download", "routine download", "home", "live source", "renewal", "box"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the desk saw, in a network and with a resolver's configuration that are nobody else's."""
    trial = subprocess.run([*APART, "mount", "-t", "tmpfs", "trial", "/mnt"], capture_output=True, check=False)
    if trial.returncode != 0:
        pytest.skip("only where a network and mounts of one's own are allowed can a name server be put in the way")
    folder = tmp_path_factory.mktemp("names")
    command = [*APART, "bash", "-c", IN_ITS_PLACE, "bash", str(folder), sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.deep
def test_held_by_tcp_every_one_that_asks_for_a_name_gives_up_by_itself_and_says_why(found: Any) -> None:
    assert found["ended"].keys() == USERS
    assert found["asked_by_tcp"] >= 5, "else nobody was held"
    ended = dict(found["ended"])
    assert ended.pop("box") == "None"
    assert "Connection refused" in ended.pop("routine download"), "it waited for the warning's, and went on"
    for said in ended.values():
        assert "no address of content.example: no answer within" in said
    assert "no address of broker.example: no answer within" in found["parted"][0]


def test_once_it_is_honest_again_session_downloads_and_home_work_without_a_restart(found: Any) -> None:
    assert found["healed"] == ["download", "home", "session"]


def test_nothing_is_left_hanging(found: Any) -> None:
    assert found["left"] == 0


def test_a_lookup_that_nobody_is_left_to_end_ends_itself(found: Any) -> None:
    assert found["orphan"] == "SIGALRM"
