"""A station whose keys open by a credential that its machine has sealed: it works by it, and nobody else can read it.

Sealed with the machine's own key; a TPM has not been tried. That the demo is heard with keys so locked, and that the
unit is no more exposed, ``from_outside/test_units.py`` shows.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.identity.credential import VARIABLE
from edge_agent.identity.file_keys import LOCKED
from hil_tests.bench import Bench, BenchRig
from hil_tests.installed import SYSTEMD
from hil_tests.rig import ZONES
from hil_tests.sealed import HANDED_OVER, HOST_KEY, KEYS, NAME, STORED, SealedWard, seal
from tests.rig import Order, Tone
from tests.units.secrets import found
from tests.units.ward import STATE_DIR, UNITS, run

AGENT, DEVICE = UNITS
CONFINED = Path(f"/etc/systemd/system/{AGENT}.service.d/confined.conf")
SAID_S_MAX = 60
# A start of the agent, on a machine whose host is busy.
COMMAND = "/opt/edge-agent/bin/edge-agent"
HANDED = ("systemd-run", "-tPqG", "--wait", "-p", f"LoadCredentialEncrypted={NAME}")
# As a technician types it (docs/operations.md).

pytestmark = pytest.mark.shows("bench.9")


@pytest.fixture(scope="module")
def station(machine: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchRig]:
    with BenchRig(tmp_path_factory.mktemp("ward"), machine, ward_of=SealedWard) as rig:
        rig.switch_on()
        yield rig


@pytest.fixture
def passphrase(station: BenchRig) -> str:
    assert isinstance(station.ward, SealedWard)
    return station.ward.passphrase


def test_an_order_is_heard_by_a_station_whose_keys_it_opens(station: BenchRig) -> None:
    job = station.publish(Order(at_s=8, tones=(Tone("a", 4.0),)))
    station.run_until(16)
    assert [(sound.zone, sound.what) for sound in station.heard()] == [(zone, "a") for zone in ZONES]
    assert [one["outcome"] for one in station.told().records if one.get("job_id") == job] == ["succeeded"]
    assert all(key.read_bytes().startswith(LOCKED) for key in KEYS)


def as_user(user: str, file: Path) -> str:
    """What a program of that user's reads there, in no unit; "" where it may not."""
    reads = ["setpriv", f"--reuid={user}", "--regid=edge-agent", "--clear-groups", "cat", str(file)]
    return subprocess.run(reads, capture_output=True, text=True, check=False).stdout


def test_it_is_handed_to_the_agent_and_to_nobody_else(passphrase: str) -> None:
    pid = run("systemctl", "show", "--property=MainPID", "--value", AGENT).strip()
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"{VARIABLE}={HANDED_OVER.parent}".encode() in environment
    assert HANDED_OVER.read_text() == passphrase, "root, whom nothing is kept from"
    assert as_user("edge-agent", HANDED_OVER) == passphrase, "else nothing was tried below"
    assert {user: as_user(user, HANDED_OVER) for user in ("edge-agent-io", "edge-agent-clock", "nobody")} == {
        "edge-agent-io": "",
        "edge-agent-clock": "",
        "nobody": "",
    }
    assert as_user("edge-agent", STORED) == ""


def test_neither_it_nor_a_key_stands_in_the_open(passphrase: str) -> None:
    run("journalctl", "--sync")
    places = {"journal": run("journalctl", "--output=export", "--all").encode()}
    places |= {f"show {unit}": run("systemctl", "show", unit).encode() for unit in UNITS}
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                places[f"{name} of {process.name}"] = (process / name).read_bytes()
            except OSError:
                continue  # it has ended meanwhile
    on_the_card = [*STATE_DIR.rglob("*"), *KEYS, STORED, HOST_KEY]
    places |= {str(path): path.read_bytes() for path in on_the_card if path.is_file()}
    secrets = {"passphrase": {passphrase.encode()}, "a key": {b"BEGIN PRIVATE KEY"}}
    assert found(secrets, places) == []
    assert found(secrets, places | {"planted": passphrase.encode()}) == ["passphrase in planted"]


def test_a_technicians_command_gets_it_from_systemd_and_without_it_says_how() -> None:
    asked = subprocess.run([*HANDED, COMMAND, "doctor"], capture_output=True, text=True, check=False).stdout
    lines = {line.split(": ")[0].split(" / ")[-1]: line for line in asked.splitlines()}
    assert "owner only" in lines["station's signing key"]
    assert "owner only" in lines["certificate's private key"]
    bare = subprocess.run([COMMAND, "doctor"], capture_output=True, text=True, check=False).stdout
    assert "[trust] key_credential" in bare
    assert "systemd-run" in bare


def logged_since(cursor: str) -> str:
    run("journalctl", "--sync")
    return run("journalctl", "--output=cat", f"--after-cursor={cursor}", f"--unit={AGENT}", "--no-pager")


def cursor() -> str:
    run("journalctl", "--sync")
    return run("journalctl", "--lines=0", "--show-cursor").rpartition("-- cursor: ")[2].strip()


def until(held: Callable[[], bool], what: str) -> None:
    for _ in range(SAID_S_MAX):
        if held():
            return
        time.sleep(1)
    raise AssertionError(what)


def restarted_without_a_word() -> str:
    """A place in the log, from which the agent was started anew; whether it comes up is another matter."""
    since = cursor()
    subprocess.run(["systemctl", "restart", "--no-block", AGENT], check=True)
    return since


def state(unit: str) -> str:
    return run("systemctl", "show", "--property=ActiveState", "--value", unit).strip()


@pytest.fixture
def put_back(passphrase: str) -> Iterator[None]:
    """The right one, whatever became of it, and the service started anew, as the operations have it."""
    own = HOST_KEY.read_bytes()
    yield
    HOST_KEY.unlink()
    HOST_KEY.write_bytes(own)
    HOST_KEY.chmod(0o400)
    seal(passphrase)
    run("systemctl", "restart", AGENT)


@pytest.mark.usefixtures("put_back")
def test_without_it_the_agent_says_in_words_what_it_lacks_and_plays_on() -> None:
    STORED.unlink()
    since = restarted_without_a_word()
    until(lambda: "[trust] key_credential" in logged_since(since), "it said what it lacks")
    said = next(line for line in logged_since(since).splitlines() if "key_credential" in line)
    assert all(word in said for word in (NAME, str(STORED), "credentials.conf", "systemd-run")), said
    until(lambda: state(AGENT) == "active", "it runs without it")
    assert state(DEVICE) == "active"


@pytest.mark.usefixtures("put_back")
def test_one_that_another_machine_sealed_is_refused_by_systemd_by_name(passphrase: str) -> None:
    own = HOST_KEY.read_bytes()
    HOST_KEY.unlink()
    seal(passphrase)
    assert HOST_KEY.read_bytes() != own, "another machine's"
    HOST_KEY.unlink()
    HOST_KEY.write_bytes(own)
    HOST_KEY.chmod(0o400)
    since = restarted_without_a_word()
    until(lambda: "[trust] key_credential" in logged_since(since), "it said what it lacks")
    until(lambda: state(AGENT) == "active", "it runs without it")
    opener = ["journalctl", "--output=cat", f"--after-cursor={since}", "--unit=edge-agent-keys@*", "--no-pager"]
    assert "CREDENTIALS" in run(*opener), "systemd said that it is the credential"


def test_an_agent_that_sees_no_file_but_what_it_needs_gets_it_too() -> None:
    CONFINED.write_text((SYSTEMD / "drop-ins/edge-agent-confined.conf").read_text())
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", AGENT)
    assert run("systemctl", "show", "--property=RootDirectory", "--value", AGENT).strip() == "/run/edge-agent-root"
    assert state(AGENT) == "active", "which it says itself, after its key was opened"
    CONFINED.unlink()
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", AGENT)


@pytest.mark.usefixtures("put_back")
def test_a_passphrase_that_opens_nothing_is_told_from_one_that_is_not_there() -> None:
    seal("another-passphrase-that-is-long-enough")
    since = restarted_without_a_word()
    until(lambda: "does not open it" in logged_since(since), "it said that the keys stay locked")
    assert "another-passphrase" not in logged_since(since)
