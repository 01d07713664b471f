"""What the shipped units may take, as a kernel holds it: the decoder's, the agent's and the device process's.

An intruder (``hil_tests/greedy.py``) stands in the decoder's place, or in its worker's, where the worker's own limits
and its filter of calls are gone too, and the unit alone holds. Each limit is taken out once, and that is seen.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.ward import wait_until
from edge_agent.clock import boot_ms
from hil_tests.bench import BenchRig
from hil_tests.installed import SYSTEMD
from hil_tests.machine import ROOT
from hil_tests.on_target.installed.lives import DEAD_S, ended_by, life_of, opened_ms, part, say, struck
from hil_tests.rig import ZONES
from tests.rig import Order, Tone
from tests.units.ward import UNITS, run

BACK_MS = 20_000
# Another one begins within 15 s of an end.

pytestmark = [pytest.mark.shows("trust.9", "trust.10", "bench.9"), pytest.mark.usefixtures("station")]

AGENT, DEVICE = UNITS
DECODER = "edge-agent-decode"
FFMPEG, PLACE = Path("/usr/bin/ffmpeg"), Path("/opt/decoder")
# The second is what the decoder's unit takes for the first.
INTRUDER = Path("/opt/greedy.py")
RUNTIME = Path("/run/systemd/system")
SERVICES = Path("/sys/fs/cgroup/system.slice")
MIB = 1 << 20
SAID_S_MAX = 60
RESTART_MS_MAX = 5_000
EAR_FIRST, GIVES_WAY = -10, 19
# A card that is not read in time, while others take all they can, proves nothing.
HEARD_S = 1
# How long a packet that was sent is waited for; one that comes is there at once.
BYSTANDER_MIB, SMALL_MIB = 64, 32
STEP_BYTES, FLOOR_BYTES = 8 * MIB, 100 * MIB

TOO_MUCH, TOO_MANY = ("waits", "320"), ("processes", "200")
# A quarter more memory than the unit gives; three times as many.
NO_LIMIT_OF_ITS_USER = "LimitNPROC=infinity"
# 64 too: else nobody could tell which of the two it was.
WALLS = {
    "PrivateNetwork": ("PrivateNetwork=no",),
    "RestrictAddressFamilies": ("RestrictAddressFamilies=",),
    "IPAddressDeny": ("IPAddressDeny=",),
    "SystemCallFilter": ("SystemCallFilter=",),
}


def without(*walls: str) -> tuple[str, ...]:
    return tuple(line for wall in walls for line in WALLS[wall])


INTRUDERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "memory": (TOO_MUCH, ()),
    "memory-unlimited": (TOO_MUCH, ("MemoryMax=infinity",)),
    "processes": (TOO_MANY, (NO_LIMIT_OF_ITS_USER,)),
    "processes-unlimited": (TOO_MANY, (NO_LIMIT_OF_ITS_USER, "TasksMax=infinity")),
    "small": (("waits", str(SMALL_MIB)), ()),
    "small-no-sooner": (("waits", str(SMALL_MIB)), ("OOMScoreAdjust=0",)),
    "bystander": (("waits", str(BYSTANDER_MIB)), ("OOMScoreAdjust=0",)),
    "packet": (("packet",), ()),
    **{f"packet-{wall}": (("packet",), without(*(WALLS.keys() - {wall}))) for wall in WALLS},
    "packet-no-wall": (("packet",), without(*WALLS)),
}
"""What stands in the worker's place, and what its unit has otherwise."""


@dataclass(frozen=True, slots=True)
class Killed:
    """Whom the kernel ended for want of memory: its unit, and whose memory there was no more of ("": the machine's)."""

    unit: str
    had_no_more: str


def kernel() -> list[str]:
    """What it has said."""
    run("journalctl", "--sync")
    return run("journalctl", "--dmesg", "--output=cat").splitlines()


def killed() -> list[Killed]:
    """All of them so far."""
    whose = re.compile(r"oom-kill:.*?(?:oom_memcg=([^,]*)|global_oom),task_memcg=([^,]*),")
    found = [whose.search(line) for line in kernel()]
    return [Killed(Path(one[2]).name, Path(one[1] or "").name) for one in found if one]


@pytest.fixture(scope="module")
def ear() -> Iterator[socket.socket]:
    """Where packets would arrive, on the machine itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(HEARD_S)
        yield ear


@pytest.fixture(scope="module", autouse=True)
def intruders(ear: socket.socket) -> None:
    """A copy of the decoder's socket and unit for each, and a way into the decoder's own."""
    os.nice(EAR_FIRST)
    shutil.copy(ROOT / "hil_tests/greedy.py", INTRUDER)
    INTRUDER.chmod(0o755)
    listens, works = ((SYSTEMD / name).read_text() for name in (f"{DECODER}.socket", f"{DECODER}@.service"))
    stand_in(FFMPEG)
    seen = [one.replace(str(FFMPEG), f"{PLACE}:{FFMPEG}") for one in re.findall(r"(?m)^BindReadOnlyPaths=.*$", works)]
    drop_in = RUNTIME / f"{DECODER}@.service.d" / "greedy.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("\n".join(["[Service]", "BindReadOnlyPaths=", *seen, ""]))
    for name, ((what, *much), lines) in INTRUDERS.items():
        asked = " ".join([what, *(much or [str(ear.getsockname()[1])])])
        place = ["ExecStart=", f"ExecStart=/usr/bin/python3 -IS {INTRUDER} {asked}", f"BindReadOnlyPaths={INTRUDER}"]
        (RUNTIME / f"greedy-{name}@.service").write_text("\n".join([works, *place, *lines, ""]))
        (RUNTIME / f"greedy-{name}.socket").write_text(listens.replace(f"{DECODER}.sock", f"greedy-{name}.sock"))
    run("systemctl", "daemon-reload")


@contextlib.contextmanager
def sent_in(name: str) -> Iterator[str]:
    """What an intruder has to say to the agent, "" where it was ended first; inside, it is still there."""
    run("systemctl", "start", f"greedy-{name}.socket")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(SAID_S_MAX)
            line.connect(f"/run/greedy-{name}.sock")
            yield _said(line)
    finally:
        run("systemctl", "stop", f"greedy-{name}.socket", f"greedy-{name}@*.service")


def _said(line: socket.socket) -> str:
    try:
        return line.recv(100).decode()
    except ConnectionResetError:
        return ""


# Memory of the decoder


@contextlib.contextmanager
def in_the_decoders_place() -> Iterator[None]:
    """Whatever the agent has decoded now, the intruder gets."""
    stand_in(INTRUDER)
    yield
    stand_in(FFMPEG)


def stand_in(program: Path) -> None:
    PLACE.unlink(missing_ok=True)
    PLACE.symlink_to(program)


def test_a_station_whose_decoder_takes_memory_without_end_plays_on_and_names_the_clip(station: BenchRig) -> None:
    """Memory that is shared, for which there is no limit but the unit's: RLIMIT_DATA counts what is private."""
    pids, before = [life_of(unit).pid for unit in UNITS], len(killed())
    now_s = round(station.at_s(boot_ms()))
    station.publish(Order(at_s=now_s + 8, tones=(Tone("b", 10.0),)))
    station.run_until(now_s + 10)
    with in_the_decoders_place():
        job = station.publish(Order(at_s=now_s + 20, tones=(Tone("a", 3.0),)))
        station.run_until(now_s + 32)
    station.publish(Order(at_s=now_s + 40, tones=(Tone("c", 3.0),)))
    station.run_until(now_s + 46)
    ended = killed()[before:]
    assert ended
    assert all(one.unit == one.had_no_more and one.unit.startswith(f"{DECODER}@") for one in ended), ended
    told = [(one["outcome"], one["reason"]) for one in station.told().records if one.get("job_id") == job]
    assert told == [("failed", "audio_unreadable")]
    heard = [(one.zone, one.what, round(one.start_s - now_s), round(one.end_s - now_s)) for one in station.heard()]
    assert heard == [(zone, *one) for zone in ZONES for one in (("b", 8, 18), ("c", 40, 43))]
    assert [life_of(unit).pid for unit in UNITS] == pids


def is_killed_in_its_own_cgroup(name: str) -> None:
    before = len(killed())
    with sent_in(name) as said:
        assert said == ""
    (one,) = killed()[before:]
    assert one.unit == one.had_no_more != ""
    assert one.unit.startswith(f"greedy-{name}@")


def test_who_takes_more_memory_than_the_decoder_may_have_is_killed_in_its_own_cgroup() -> None:
    is_killed_in_its_own_cgroup("memory")


@pytest.mark.shows("bench.10")
def test_a_planted_decoder_without_that_limit_is_caught() -> None:
    with pytest.raises(AssertionError, match="has 320 MiB"):
        is_killed_in_its_own_cgroup("memory-unlimited")


# Processes of the decoder


def are_stopped(name: str) -> None:
    with sent_in(name) as said:
        assert said == "63 beside itself"
    assert any(f"fork rejected by pids controller in /{SERVICES.name}/" in line for line in kernel())


def test_who_starts_processes_without_end_has_64_with_itself() -> None:
    are_stopped("processes")


@pytest.mark.shows("bench.10")
def test_a_planted_decoder_with_as_many_as_it_likes_is_caught() -> None:
    with pytest.raises(AssertionError, match="200 beside itself"):
        are_stopped("processes-unlimited")


# Packets of the decoder


def goes_nowhere(name: str, ear: socket.socket) -> None:
    with sent_in(name) as said:
        print(f"{name}: {said}")
        assert said
        with pytest.raises(TimeoutError):
            ear.recv(100)


@pytest.mark.parametrize("wall", ["packet", *(f"packet-{wall}" for wall in WALLS)])
def test_a_packet_goes_nowhere_by_all_walls_and_by_each_alone(wall: str, ear: socket.socket) -> None:
    goes_nowhere(wall, ear)


@pytest.mark.shows("bench.10")
def test_a_planted_decoder_without_these_walls_is_caught(ear: socket.socket) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        goes_nowhere("packet-no-wall", ear)


# Memory of the agent and of the device process


def ends_in_its_own_cgroup(unit: str, fault: str, rig: BenchRig, request: pytest.FixtureRequest) -> None:
    """And costs the other process nothing."""
    (other,) = set(UNITS) - {unit}
    stays, before = life_of(other).pid, len(killed())
    since, after = struck(unit, part(fault))
    open_after_s = (opened_ms(rig, since) - after.died_ms) / 1000
    say(request, open_after_s, since, after)
    assert open_after_s <= DEAD_S
    assert ended_by(unit) == "oom-kill"
    assert killed()[before:] == [Killed(f"{unit}.service", f"{unit}.service")]
    assert life_of(other).pid == stays


@pytest.mark.shows("bench.5", "S3")
@pytest.mark.parametrize("unit", UNITS)
def test_one_that_leaks_is_ended_alone_relays_open_and_another_begins(
    sounding: BenchRig, request: pytest.FixtureRequest, unit: str
) -> None:
    ends_in_its_own_cgroup(unit, "memory", sounding, request)


@pytest.fixture
def no_limit() -> Iterator[None]:
    """For the agent that runs. With the limit put back, the kernel ends at once what has more."""
    run("systemctl", "set-property", "--runtime", AGENT, "MemoryMax=infinity")
    yield
    shutil.rmtree(f"/run/systemd/system.control/{AGENT}.service.d")
    run("systemctl", "daemon-reload")
    wait_until(boot_ms() + RESTART_MS_MAX)


@pytest.mark.shows("bench.10")
@pytest.mark.usefixtures("no_limit")
def test_a_planted_agent_without_a_limit_is_caught() -> None:
    pid = life_of(AGENT).pid
    with pytest.raises(AssertionError):
        struck(AGENT, part("more-memory"))
    assert life_of(AGENT).pid == pid
    assert int(run("systemctl", "show", "--property=MemoryCurrent", "--value", AGENT)) > 256 * MIB


# Where all services together have no more


@pytest.fixture
def bystander() -> Iterator[None]:
    """Whatever else runs on the machine, and larger than the decoder. This test's own process is nobody's choice."""
    own = Path("/proc/self/oom_score_adj")
    own.write_text("-1000")
    with sent_in("bystander") as said:
        assert said == f"has {BYSTANDER_MIB} MiB"
        yield
    own.write_text("0")


@contextlib.contextmanager
def giving_way() -> Iterator[None]:
    """To whoever is killed: who lowers a limit asks the kernel without rest whether it is kept, and where the first to
    go is not gone in 2 s, others follow, down to what runs this test. At EAR_FIRST it was gone in 1 s, so in 0.2 s."""
    os.setpriority(os.PRIO_PROCESS, 0, GIVES_WAY)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, EAR_FIRST)


def first_to_go() -> str:
    """A unit, when what all services together may have is made less and less; another may follow at once."""

    def kills() -> str:
        return (SERVICES / "memory.events").read_text().split("oom_kill ")[1].split()[0]

    most, before, kills_before = int((SERVICES / "memory.current").read_text()), len(killed()), kills()
    try:
        while kills() == kills_before and most > FLOOR_BYTES:
            most -= STEP_BYTES
            with giving_way():
                (SERVICES / "memory.max").write_text(str(most))
    finally:
        (SERVICES / "memory.max").write_text("max")
    one, *_ = killed()[before:]
    assert one.had_no_more == SERVICES.name
    return one.unit


@pytest.mark.usefixtures("bystander")
def test_where_the_machine_has_no_memory_left_the_decoder_goes_first_although_others_have_more() -> None:
    with sent_in("small") as said:
        assert said == f"has {SMALL_MIB} MiB"
        assert first_to_go().startswith("greedy-small@")


@pytest.mark.shows("bench.10")
@pytest.mark.usefixtures("bystander")
def test_a_planted_decoder_that_would_go_no_sooner_than_others_is_caught() -> None:
    with sent_in("small-no-sooner") as said:
        assert said == f"has {SMALL_MIB} MiB"
        assert first_to_go().startswith("greedy-bystander@")


def running() -> list[int]:
    """The processes of the units; one that has just been ended begins again, and has its place only when it is up."""
    latest = boot_ms() + BACK_MS
    while any((found := life_of(unit)).state != "active" for unit in UNITS):
        assert boot_ms() < latest, f"not all of {UNITS} run: {found}"
        wait_until(boot_ms() + 100)
    return [life_of(unit).pid for unit in UNITS]


def test_the_order_in_which_they_would_go() -> None:
    """The device process last: it holds the relays."""
    found = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in running()]
    assert found == [-500, -900]
