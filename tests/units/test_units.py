"""The units under all that they forbid themselves, in a real systemd: orders are heard, and nothing else gained.

One boot of this machine's own system for all of it (``host.booted``), in which the demo's broker, content server,
headend and ears run too; ``desk`` is what runs there. Not shown: when and how well it is heard, real devices, and
addresses and memory, which are not filtered or limited there; the bench plays the whole demo by these units
(``hil_tests/from_outside/test_units.py``).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.audio.making import needs_decoder, needs_voice
from tests.host.booted import installed, needs_boot, run_booted
from tests.host.parts import needs
from tests.units.probe import ADDRESS, ATTEMPTS, NETWORK, OF_ONE, TRUSTED

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
DROP_IN = SYSTEMD / "drop-ins/edge-agent-confined.conf"
DESK = "opt/desk"
NOTHING = "0000000000000000"
SOUNDED_S_MIN = 25
# In each zone twice a warning and a short file, and nothing else: 37 s, of which one time alone is half.

pytestmark = [
    pytest.mark.host,
    needs_boot,
    needs_decoder,
    needs_voice,
    needs("mosquitto", "pulseaudio", "parec", "ss", "nsenter"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("units")


@pytest.fixture(scope="module")
def found(shared: Path) -> Any:
    """What the desk saw."""
    added = shared / "added"
    installed(added, ROOT / "edge_agent", "edge-agent", "numpy")
    for package in ("demo", "tests"):
        shutil.copytree(ROOT / package, added / DESK / package, ignore=shutil.ignore_patterns("__pycache__"))
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.socket"), *SYSTEMD.glob("*.timer")]:
        shutil.copy(unit, units)
    for name, text in probes().items():
        (units / f"probe-{name}.service").write_text(text)
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(SYSTEMD / kind, added / "usr/lib" / kind)
    shutil.copy(DROP_IN, added / DESK)
    script = f"/opt/edge-agent/bin/python -m tests.units.desk /{DESK}/{DROP_IN.name}"
    # To read the clock, not to set it, which takes a capability that nobody in there has.
    reads_the_clock = "--system-call-filter=adjtimex clock_adjtime"
    said = run_booted(shared, added, script, f"WorkingDirectory=/{DESK}\n", [reads_the_clock])
    return json.loads(said)


def probes() -> dict[str, str]:
    """The probe in place of each unit's program, and in a unit of the same user without any wall."""
    agent, io = ((SYSTEMD / f"{name}.service").read_text() for name in ("edge-agent", "edge-agent-io"))
    walled = {"agent": agent, "agent-confined": agent + DROP_IN.read_text(), "io": io}
    naked = {"agent-naked": without_walls(agent), "io-naked": without_walls(io)}
    return {name: probing(text, name) for name, text in (walled | naked).items()}


def probing(unit: str, name: str) -> str:
    dropped = ("Type=", "NotifyAccess=", "Exec", "Restart=", "RestartSec=", "Watchdog", "Wants=", "After=", "PartOf=")
    lines = [line for line in unit.splitlines() if not line.startswith(dropped)]
    program = f"/opt/edge-agent/bin/python -I /{DESK}/tests/units/probe.py"
    own = [f"ExecStart={program}", "Type=oneshot", f"StandardOutput=file:/run/probe-{name}"]
    own.append(f"BindReadOnlyPaths=/{DESK}")
    at = lines.index("[Service]") + 1
    return "\n".join([*lines[:at], *own, *lines[at:]])


def without_walls(unit: str) -> str:
    kept = [line for line in unit.splitlines() if line.startswith(("User=", "Group=", "SupplementaryGroups="))]
    return "\n".join(["[Service]", *kept])


def test_an_emergency_and_a_file_are_heard_and_recorded_as_succeeded(found: Any) -> None:
    assert outcomes(found["records"]) == {("emergency", "succeeded"), ("normal", "succeeded")}
    assert min(found["sounded_s"]) > SOUNDED_S_MIN


def test_they_are_too_where_the_agent_sees_no_file_but_what_it_needs(found: Any) -> None:
    assert outcomes(found["confined"]) == {("emergency", "succeeded"), ("normal", "succeeded")}
    assert found["seen"][-1]["edge-agent"]["RootDirectory"] == "/run/edge-agent-root"


def outcomes(records: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(record["cls"], record["outcome"]) for record in records}


def test_no_unit_failed_or_was_started_again(found: Any) -> None:
    assert found["failed"] == ""
    states = [(unit["ActiveState"], unit["NRestarts"]) for seen in found["seen"] for unit in seen.values()]
    assert states == [("active", "0")] * 4


def test_sound_from_outside_was_decoded_by_the_decoders_unit(found: Any) -> None:
    said = [line for line in found["log"].splitlines() if "confined by" in line]
    assert said
    assert all("edge-agent-decode" in line for line in said), said


def test_the_kernel_holds_what_the_units_promise(found: Any) -> None:
    for seen in found["seen"]:
        for unit in seen.values():
            capabilities = {value for name, value in unit["kernel"].items() if name.startswith("Cap")}
            assert (unit["kernel"]["Seccomp"], unit["kernel"]["NoNewPrivs"]) == ("2", "1")
            assert capabilities == {NOTHING}
            assert unit["core"] == ["0", "0"]


def test_neither_process_listens(found: Any) -> None:
    for seen in found["seen"]:
        assert [unit["its ports"] for unit in seen.values()] == [[], []]
        assert seen["edge-agent"]["ports"] >= 2, "broker and content server, else nothing was looked at"
        assert seen["edge-agent-io"]["ports"] == 0


def test_a_program_in_the_agents_place_reaches_the_network_and_nothing_else(found: Any) -> None:
    assert found["probed"]["agent"]["gained"] == [NETWORK]
    assert found["probed"]["agent-confined"]["gained"] == [NETWORK]


def test_a_program_in_the_device_processs_place_gains_nothing(found: Any) -> None:
    assert found["probed"]["io"]["gained"] == []


def test_the_same_user_without_walls_gains_it_all(found: Any) -> None:
    assert found["probed"]["agent-naked"]["gained"] == [*ATTEMPTS, *OF_ONE]
    assert found["probed"]["io-naked"]["gained"] == [*ATTEMPTS, *(name for name in OF_ONE if name != TRUSTED)]


def test_behind_its_walls_the_agent_finds_a_name(found: Any) -> None:
    """It starts a process for that, whatever its root and its calls."""
    assert [found["probed"][name]["found"] for name in ("agent", "agent-confined")] == [[ADDRESS]] * 2


def test_behind_its_walls_the_agent_is_told_how_the_clock_is_kept(found: Any) -> None:
    """Nobody keeps it in there: the kernel's bound has run to its end, 16 s, which no report that failed would say."""
    for name in ("agent", "agent-confined"):
        told = found["probed"][name]["told of the clock"]
        assert (told["synchronised"], told["max_error_ms"] // 1_000) == (False, 16)


def test_behind_its_walls_the_agent_would_see_a_clock_chip(found: Any) -> None:
    """There is none in there. It would stand among the kernel's devices, of which a user without walls sees no more."""
    seen, confined, all_of_them = (
        found["probed"][name]["kinds of device"] for name in ("agent", "agent-confined", "agent-naked")
    )
    assert seen == confined == all_of_them != []


def test_behind_its_walls_the_agent_knows_its_boot(found: Any) -> None:
    assert "clock goes on from this boot" in found["log"]
    assert "boot id unreadable" not in found["log"]


def test_no_secret_is_in_logs_files_answers_command_lines_or_environments(found: Any) -> None:
    assert found["secrets"]["clean"] == []
    places = {"journal", "doctor", "status", "next", "show edge-agent", "show edge-agent-io"}
    places |= {"/run/edge-agent/status.json", "/var/lib/edge-agent/journal/journal.db"}
    assert places <= set(found["secrets"]["searched"])


def test_a_secret_that_was_left_is_found(found: Any) -> None:
    where = {place.removeprefix("sign.pem in ").split(" of ")[0] for place in found["secrets"]["planted"]}
    assert where == {"journal", "cmdline", "environ", "/var/lib/edge-agent/leak.log"}


def test_a_damaged_key_is_complained_of_without_quoting_it(found: Any) -> None:
    """That neither was quoted, the search above has seen: it came after."""
    for name, said in zip(("sign.pem", "client.key"), found["complaints"], strict=True):
        assert any("FAULT" in line and name in line for line in said.splitlines()), said
