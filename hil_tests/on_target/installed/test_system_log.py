"""The system's log on an installed station: in memory, within its bound, and nothing of it on the card.

``/var/log/journal`` is there, as Debian's image for a Raspberry Pi has it or a technician made it: by that alone
journald's own default would write to the card.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.installed import JOURNALD
from hil_tests.machine import ROOT
from tests.units.ward import run

pytestmark = pytest.mark.shows("bench.9")

IN_MEMORY, ON_THE_CARD = Path("/run/log/journal"), Path("/var/log/journal")
PROFILE = JOURNALD / "edge-agent.conf"
OPERATIONS = ROOT / "docs" / "operations.md"
MEGABYTE = 1 << 20
LINE_BYTES, LINES, FLOODS = 40_000, 700, 2
# journald cuts a line at 48 KiB, and presses random letters together by a quarter: 42 MB in all.
INTERVAL_S, LINES_MAX = 30, 900
# 400 in half a minute, times (25 - 16) / 4 where 2^25 bytes are free: journald.conf(5), RateLimitBurst=.


def bound() -> int:
    """Bytes, as the profile says."""
    return int(re.findall(r"(?m)^RuntimeMaxUse=(\d+)M$", PROFILE.read_text())[0]) * MEGABYTE


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def taken() -> int:
    """Bytes of memory."""
    return sum(path.stat().st_blocks * 512 for path in files(IN_MEMORY))


def anew() -> None:
    """journald as at boot: it reads its settings, and is asked to go over to the card."""
    run("systemctl", "restart", "systemd-journald")
    run("journalctl", "--flush")


def say(unit: str, script: str) -> None:
    run("systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}", "bash", "-c", script)
    run("journalctl", "--sync")


def kept(unit: str) -> list[str]:
    return run("journalctl", "--quiet", "--output=cat", f"--unit={unit}", "--identifier=bash").splitlines()


@pytest.fixture(scope="module", autouse=True)
def a_card_that_invites() -> None:
    ON_THE_CARD.mkdir(exist_ok=True)
    anew()


def test_nothing_of_it_is_written_to_the_card_and_it_can_be_read() -> None:
    say("speaks", "echo a line")
    assert kept("speaks") == ["a line"]
    assert files(ON_THE_CARD) == []
    assert files(IN_MEMORY)
    assert PROFILE.name not in run("journalctl", "--output=cat", "--identifier=systemd-journald"), (
        "it names what is wrong"
    )


def test_a_flood_of_one_service_is_cut_off_by_name_and_others_are_heard() -> None:
    meanwhile = "systemd-run --quiet --wait --collect --unit=meanwhile bash -c 'echo still heard'"
    say("floods", f"seq 1 {5 * LINES_MAX}; {meanwhile}; sleep {INTERVAL_S + 1}; echo again")
    told = kept("floods")
    assert told[-1] == "again"
    assert len(told) <= LINES_MAX + 1
    assert kept("meanwhile") == ["still heard"]
    cut_off = run("journalctl", "--quiet", "--output=cat", "--identifier=systemd-journald")
    assert f"Suppressed {5 * LINES_MAX - len(told) + 1} messages from floods.service" in cut_off


def test_it_stays_within_its_bound_and_the_oldest_goes_first(request: pytest.FixtureRequest) -> None:
    say("first", "echo the oldest")
    for number in range(FLOODS):
        long = f"for i in $(seq {LINES}); do head -c {LINE_BYTES * 3 // 4} /dev/urandom | base64 -w 0; echo; done"
        say(f"flood-{number}", long)
        assert taken() <= bound()
    say("last", "echo the newest")
    request.node.user_properties.append(("taken_mb", f"{taken() / MEGABYTE:.1f}"))
    assert taken() > bound() // 2, "else nothing was tried"
    assert (kept("first"), kept("last")) == ([], ["the newest"])
    assert files(ON_THE_CARD) == []


@pytest.fixture
def without_the_profile() -> Iterator[None]:
    away = PROFILE.rename(PROFILE.with_suffix(".away"))
    anew()
    yield
    away.rename(PROFILE)
    anew()
    shutil.rmtree(ON_THE_CARD)


@pytest.mark.usefixtures("without_the_profile")
def test_a_planted_journald_without_the_profile_is_caught() -> None:
    say("planted", "echo a line")
    assert files(ON_THE_CARD) != []


def by_the_operations() -> list[str]:
    """What a technician types, who wants it on the card for a while, and to take that back."""
    text = OPERATIONS.read_text("utf-8").partition("\n---\n")[0]
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "zz-tam.conf" in block]
    return [block.replace("sudo ", "") for block in blocks]


def test_a_technician_keeps_it_on_the_card_for_a_while_and_takes_that_back() -> None:
    keep, take_back = by_the_operations()
    run("bash", "-ec", keep)
    say("kept", "echo a line")
    assert kept("kept") == ["a line"]
    assert files(ON_THE_CARD) != []
    run("bash", "-ec", take_back)
    ON_THE_CARD.mkdir()
    say("after", "echo a line")
    assert kept("after") == ["a line"]
    assert files(ON_THE_CARD) == []
