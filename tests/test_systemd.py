"""The units as the service manager reads them. Whether they keep what they promise, a booted system shows, not this."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import ntp
from edge_agent.audio import decode_worker, live_decoder
from edge_agent.audio.child import OPEN_FILES_MAX, PROCESSES_MAX
from edge_agent.audio.decode_service import SOCKET
from edge_agent.audio.decoder import CPU_BASE_S, CPU_SHARE, DATA_BYTES_MAX, WALL_BASE_S, WALL_SHARE, FfmpegDecoder
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.clock import BOOT_ID_VARIABLE
from edge_agent.core.units import MINUTE_MS, SECOND_MS
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.link.client import ANSWER_S
from edge_agent.link.server import AGENT_USER
from edge_agent.live_worker import OPEN_MAX
from edge_agent.runtime import STOP_MS_MAX
from edge_agent.staging_worker import RESERVES
from edge_agent.sync.connection import FLUSH_S
from edge_agent.sync.mqtt import JOIN_S
from edge_agent.watchdog import FEED_EVERY_MS
from tests.host.parts import ABSENT

SYSTEMD = Path(__file__).parents[1] / "systemd"
AGENT, DEVICE, CLOCK = "edge-agent.service", "edge-agent-io.service", "edge-agent-clock.service"
UNITS = [AGENT, DEVICE]
CLOCK_TIMER = "edge-agent-clock.timer"
CONFINED = SYSTEMD / "drop-ins/edge-agent-confined.conf"
# For the agent, where it sees no file but what it needs.
CREDENTIALS = SYSTEMD / "drop-ins/edge-agent-credentials.conf"
# For the agent, whose key files are locked with what systemd has sealed.
TPM = SYSTEMD / "drop-ins/edge-agent-tpm.conf"
# For the agent, whose signing key lies in the board's TPM.
JOURNALD = SYSTEMD / "journald.conf.d/edge-agent.conf"
REALTIME = SYSTEMD / "drop-ins/edge-agent-io-realtime.conf"
# For the device process, where nothing may hold up its sound.
DECODE_SOCKET = "edge-agent-decode.socket"
DECODE_WORKER = "edge-agent-decode@.service"
KEYS, KEYS_SOCKET = "edge-agent-keys@.service", "edge-agent-keys.socket"
ALL = [*UNITS, CLOCK, CLOCK_TIMER, DECODE_SOCKET, DECODE_WORKER, KEYS, KEYS_SOCKET]
CLIP_S_MAX = 2 * 3_600
# The longest clip that a job may sign for.
PROGRAM = "/opt/edge-agent/bin/edge-agent"
CONFIG = "--config /etc/edge-agent/edge-agent.toml"
OPEN_S_MAX = 5
# After a hang, requirement S3.
HOOK_S_MAX = 2
# A Python that starts and opens lines, on a slow board.
RESTART_S_MAX = 15
# The promise in threats-and-faults for a deadlock or a dead thread.
SMALLEST_BOARD_MB = 512
LARGEST_MB = {AGENT: 64, DEVICE: 32}
# Whole cgroups while a bulletin sounds, virtual bench, 2026-11-27: 59 and 26 MiB.
NEVER_ENDED = -1_000


def directives(unit: str) -> dict[str, list[str]]:
    """Every directive of a unit with all its values."""
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(ABSENT + name)
    return path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.host
@pytest.mark.parametrize("unit", ALL)
def test_the_service_manager_finds_no_fault_in_a_unit(unit: str, tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    true = shutil.which("true") or "/bin/true"
    for name in ALL:  # each names another
        text = (SYSTEMD / name).read_text().replace(PROGRAM, true).replace("/opt/edge-agent/bin/python", true)
        (tmp_path / name).write_text(text)
    given = tmp_path / unit.replace("@.", "@one.")
    assert run(analyze, "verify", "--man=no", "--recursive-errors=no", str(given)).strip() == ""


def exposure(unit: str, folder: Path, drop_in: str = "", without: str = "") -> float:
    """What systemd-analyze makes of a shipped unit, alone or with a drop-in, whole or without one directive."""
    kept = [line for line in (SYSTEMD / unit).read_text().splitlines() if not without or not line.startswith(without)]
    (folder / unit).write_text("\n".join(kept))
    if drop_in:
        (folder / f"{unit}.d").mkdir()
        (folder / f"{unit}.d" / "drop-in.conf").write_text(drop_in)
    command = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    done = subprocess.run([*command, str(folder / unit)], capture_output=True, text=True, timeout=120, check=False)
    return float(re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)[-1])


SCORES = [
    pytest.param(AGENT, "", 1.1, id="agent"),
    pytest.param(AGENT, CONFINED.read_text(), 0.9, id="agent with a root of its own"),
    pytest.param(AGENT, CREDENTIALS.read_text(), 1.1, id="agent with locked keys"),
    pytest.param(AGENT, TPM.read_text(), 1.1, id="agent with a TPM"),
    pytest.param(DEVICE, "", 0.4, id="device process"),
    pytest.param(CLOCK, "", 0.6, id="clock"),
    pytest.param(DECODE_WORKER, "", 1.1, id="decoder"),
    pytest.param(KEYS, "", 0.2, id="opener of keys"),
]
DEVICE_BEFORE_257, CLOCK_BEFORE_257 = 0.6, 0.7
"""An older systemd does not know PrivateUsers=identity and PrivateTmp=disconnected, and goes without."""


@pytest.mark.host
@pytest.mark.parametrize(("unit", "drop_in", "most"), SCORES)
def test_a_unit_is_exposed_no_more_than_was_promised(unit: str, drop_in: str, most: float, tmp_path: Path) -> None:
    if int(run(tool("systemd-analyze"), "--version").split()[1]) < 257:
        most = {DEVICE: DEVICE_BEFORE_257, CLOCK: CLOCK_BEFORE_257}.get(unit, most)
    assert exposure(unit, tmp_path, drop_in) <= most


NO_ROOT, DEVICES, UNIX = "RootDirectoryOrRootImage", "DeviceAllow", "RestrictAddressFamilies_AF_UNIX"
LEFT_OPEN = {
    AGENT: {NO_ROOT, DEVICES, UNIX, "UMask"}
    | {"RestrictAddressFamilies_AF_INET_INET6", "PrivateNetwork", "IPAddressDeny"},
    DEVICE: {NO_ROOT, DEVICES, UNIX, "PrivateDevices", "SupplementaryGroups"},
    CLOCK: {NO_ROOT, "SystemCallFilter_privileged", "SystemCallFilter_clock", "ProtectClock", "UMask"},
    # What needs /proc, /sys or /dev to be there: they are absent.
    DECODE_WORKER: {DEVICES, "PrivateDevices", "PrivateUsers", "ProtectProc", "ProcSubset", "ProtectHostname"}
    | {"ProtectControlGroups", "ProtectKernelTunables"},
}
"""By the names that systemd-analyze has for them; why, stands in the units and in docs/adr/0017."""


@pytest.mark.host
@pytest.mark.parametrize("unit", LEFT_OPEN)
def test_a_unit_leaves_open_what_it_needs_and_no_wall_that_a_rounded_score_would_hide(unit: str) -> None:
    systemd = int(run(tool("systemd-analyze"), "--version").split()[1])
    command = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager", "--json=short", str(SYSTEMD / unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = {one["json_field"] for one in json.loads(done.stdout) if float(one["exposure"] or 0) > 0}
    if systemd < 257:
        found -= {DEVICE: {"PrivateUsers"}, CLOCK: {"PrivateTmp"}}.get(unit, set())
    assert found - LEFT_OPEN[unit] == set()


@pytest.mark.host
@pytest.mark.parametrize("without", ["SystemCallFilter=", "ProtectClock=", "CapabilityBoundingSet=", "PrivateUsers="])
def test_an_agent_without_one_directive_is_exposed_more(without: str, tmp_path: Path) -> None:
    assert exposure(AGENT, tmp_path, without=without) > 1.1


@pytest.mark.host
@pytest.mark.parametrize("without", ["SystemCallFilter=", "PrivateNetwork=", "CapabilityBoundingSet="])
def test_a_device_process_without_one_directive_is_exposed_more(without: str, tmp_path: Path) -> None:
    assert exposure(DEVICE, tmp_path, without=without) > DEVICE_BEFORE_257


@pytest.mark.host
def test_a_device_process_and_a_clock_on_debian_12_keep_the_promise(tmp_path: Path) -> None:
    assert exposure(DEVICE, tmp_path, without="PrivateUsers=") <= DEVICE_BEFORE_257
    assert exposure(CLOCK, tmp_path, without="PrivateTmp=") <= CLOCK_BEFORE_257


def test_sound_goes_before_ordinary_work_by_what_no_kernel_refuses() -> None:
    """Real time may be refused (docs/adr/0027)."""
    device, agent, worker = directives(DEVICE), directives(AGENT), directives(DECODE_WORKER)
    assert [int(unit.get("CPUWeight", ["100"])[0]) for unit in (device, agent, worker)] == [400, 100, 100]
    assert [int(unit.get("Nice", ["0"])[0]) for unit in (device, agent, worker)] == [-5, 0, 10]
    assert {"CPUSchedulingPolicy", "CPUSchedulingPriority", "LimitRTPRIO"} & device.keys() == set()
    assert device["RestrictRealtime"] == ["yes"]


@pytest.mark.host
def test_real_time_that_the_service_manager_gives_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "as_shipped").mkdir()
    assert exposure(DEVICE, tmp_path, drop_in=REALTIME.read_text()) == exposure(DEVICE, tmp_path / "as_shipped")


@pytest.mark.host
def test_a_writer_that_may_ask_for_real_time_costs_more_exposure_than_was_promised_to_be_left(tmp_path: Path) -> None:
    """What its thread would need: the call, and the right to it."""
    asks = "[Service]\nRestrictRealtime=no\nLimitRTPRIO=10\nSystemCallFilter=sched_setscheduler\n"
    (tmp_path / "as_shipped").mkdir()
    assert exposure(DEVICE, tmp_path, drop_in=asks) > exposure(DEVICE, tmp_path / "as_shipped")


def test_the_clock_is_asked_by_a_unit_of_its_own_and_told_where_the_agent_reads() -> None:
    clock, agent = directives(CLOCK), directives(AGENT)
    assert clock["ExecStart"] == [f"/opt/edge-agent/bin/python -I -m {ntp.__name__} {ntp.REPORT}"]
    assert clock["ReadWritePaths"] == [str(ntp.REPORT.parent)]
    assert CLOCK_TIMER in agent["Wants"][0].split()
    assert agent["Environment"] == [f"{BOOT_ID_VARIABLE}=%b"]
    minutes = int(directives(CLOCK_TIMER)["OnUnitActiveSec"][0].removesuffix("min"))
    assert 2 * minutes * MINUTE_MS < ntp.REPORT_AGE_MS_MAX, "one that was missed costs nothing"
    assert str(ntp.REPORT.parent) in CONFINED.read_text()


def test_the_passphrase_is_opened_by_a_unit_of_its_own_so_that_the_agent_itself_says_what_it_lacks() -> None:
    """Where systemd cannot open a credential it starts no unit with it (docs/adr/0036)."""
    opened, asked = directives(KEYS), directives("drop-ins/edge-agent-credentials.conf")
    (name,), (line,) = opened["LoadCredentialEncrypted"], directives(KEYS_SOCKET)["ListenStream"]
    assert asked == {
        "Wants": [KEYS_SOCKET],
        "After": [KEYS_SOCKET],
        "LoadCredential": [f"{name}:{line}"],
        "SetCredential": [f"{name}:\\x20"],
    }
    assert directives(KEYS_SOCKET)["SocketMode"] == ["0600"]
    example = (SYSTEMD.parent / "docs/edge-agent.example.toml").read_text("utf-8")
    assert f'# key_credential = "{name}"' in example


def test_no_shipped_unit_holds_a_secret_or_asks_for_one_unasked() -> None:
    asked = (CREDENTIALS, SYSTEMD / KEYS)
    texts = {path: path.read_text("utf-8") for path in SYSTEMD.rglob("*") if path.is_file() and path not in asked}
    assert [path.name for path, text in texts.items() if "Credential" in text] == []


@pytest.mark.host
@pytest.mark.parametrize("drop_in", [CREDENTIALS, TPM], ids=["locked keys", "a TPM"])
def test_the_service_manager_finds_no_fault_in_an_agent_with(drop_in: Path, tmp_path: Path) -> None:
    true = shutil.which("true") or "/bin/true"
    (tmp_path / AGENT).write_text((SYSTEMD / AGENT).read_text().replace(PROGRAM, true))
    (tmp_path / f"{AGENT}.d").mkdir()
    shutil.copy(drop_in, tmp_path / f"{AGENT}.d")
    said = run(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(tmp_path / AGENT))
    assert said.strip() == ""


def test_the_systems_log_is_bounded_in_memory_and_written_nowhere_else() -> None:
    found = {key: value for key, (value,) in directives("journald.conf.d/edge-agent.conf").items()}
    bound_mb, file_mb = (int(found.pop(key).removesuffix("M")) for key in ("RuntimeMaxUse", "RuntimeMaxFileSize"))
    assert bound_mb <= SMALLEST_BOARD_MB // 16
    assert file_mb * 8 <= bound_mb, "what goes at a time"
    assert found.pop("Storage") == "volatile"
    assert (found.pop("RateLimitIntervalSec"), found.pop("RateLimitBurst")) == ("30s", "400")
    assert found == {f"ForwardTo{where}": "no" for where in ("Syslog", "KMsg", "Console", "Wall")}


def test_the_operations_install_the_profile_of_the_log() -> None:
    operations = (SYSTEMD.parent / "docs/operations.md").read_text("utf-8")
    shipped = JOURNALD.relative_to(SYSTEMD.parent)
    line = f"sudo install -D -m 644 {shipped} /etc/systemd/journald.conf.d/{JOURNALD.name}\n"
    assert operations.count(line) == 2, "one in each language"


@pytest.mark.parametrize("unit", UNITS)
def test_no_part_of_a_process_is_written_to_a_card(unit: str) -> None:
    found = directives(unit)
    assert (found["LimitCORE"], found["MemorySwapMax"]) == (["0"], ["0"])


def memory_max_mb(unit: str) -> int:
    return int(directives(unit)["MemoryMax"][0].removesuffix("M"))


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_has_four_times_the_memory_that_it_takes_and_is_ended_rather_than_slowed(unit: str) -> None:
    assert memory_max_mb(unit) == 4 * LARGEST_MB[unit]
    assert "MemoryHigh" not in directives(unit)


def test_a_leak_of_one_process_leaves_the_smallest_board_room_for_the_other_and_a_system() -> None:
    assert memory_max_mb(AGENT) + memory_max_mb(DEVICE) <= SMALLEST_BOARD_MB * 3 // 4
    assert memory_max_mb(AGENT) + memory_max_mb(DEVICE) + memory_max_mb(DECODE_WORKER) <= 2 * SMALLEST_BOARD_MB * 3 // 4


def test_where_memory_ends_the_decoder_goes_first_and_the_device_process_last_and_none_is_spared_for_ever() -> None:
    first_to_last = [int(directives(unit)["OOMScoreAdjust"][0]) for unit in (DECODE_WORKER, AGENT, DEVICE)]
    assert first_to_last == [1_000, -500, -900]
    assert min(first_to_last) > NEVER_ENDED


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_never_gives_up_and_is_fed_by_notification(unit: str) -> None:
    found = directives(unit)
    assert found["Type"] == ["notify"]
    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert int(found["WatchdogSec"][0]) * SECOND_MS > 2 * FEED_EVERY_MS


def test_nobody_is_killed_at_the_end_before_the_slowest_goodbye_is_over() -> None:
    sound_s = journal_s = STOP_MS_MAX / SECOND_MS
    goodbye_s = sound_s + journal_s + FLUSH_S + JOIN_S + ANSWER_S
    assert goodbye_s < int(directives(AGENT)["TimeoutStopSec"][0])


def test_relays_open_before_every_start_and_after_every_end() -> None:
    found = directives(DEVICE)
    hook = f"{PROGRAM} relays-off {CONFIG}"
    assert [command.removeprefix("-") for command in found["ExecStartPre"]] == [hook]
    assert found["ExecStopPost"] == [hook]
    assert found["ExecStart"] == [f"{PROGRAM} io {CONFIG}"]


def test_a_sound_card_that_is_plugged_in_late_may_be_opened_by_the_device_process_that_runs() -> None:
    """systemd looks up once, at the start, what "char-alsa" is, and the kernel has none before its module is there."""
    found = directives(DEVICE)
    assert "char-alsa rw" in found["DeviceAllow"]
    assert [found[key] for key in ("Wants", "After")] == [["modprobe@snd.service"]] * 2


def test_a_line_that_the_hook_cannot_open_keeps_no_other_zone_from_being_served() -> None:
    """The hook exits with 1 for it, and a start before which a command fails is none, again and again."""
    assert all(command.startswith("-") for command in directives(DEVICE)["ExecStartPre"])


def test_a_device_process_that_hangs_is_ended_in_time_for_its_hook_to_open_the_relays() -> None:
    watchdog_s = int(directives(DEVICE)["WatchdogSec"][0])
    assert watchdog_s + HOOK_S_MAX <= OPEN_S_MAX


def test_a_wedged_writer_restarts_the_device_process_within_the_promise() -> None:
    watchdog_s = int(directives("edge-agent-io.service")["WatchdogSec"][0])
    assert WRITER_MS_MAX / SECOND_MS + watchdog_s <= RESTART_S_MAX


def test_the_device_process_has_no_network_and_the_agent_no_device() -> None:
    io, agent = directives("edge-agent-io.service"), directives("edge-agent.service")
    assert io["PrivateNetwork"] == ["yes"]
    assert io["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert io["DeviceAllow"] == ["char-alsa rw", "char-gpiochip rw"]
    assert agent["PrivateDevices"] == ["yes"]
    assert agent["User"] == [AGENT_USER]
    assert io["User"] != agent["User"]


def test_an_agent_without_a_device_process_or_a_network_starts_all_the_same() -> None:
    found = directives("edge-agent.service")
    assert "Requires" not in found
    assert "BindsTo" not in found
    assert not any("network-online" in value for value in found.get("After", []) + found.get("Wants", []))


def test_the_decoding_socket_is_the_agents_and_each_connection_gets_a_worker() -> None:
    found = directives(DECODE_SOCKET)
    assert found["ListenSequentialPacket"] == [str(SOCKET)]
    assert found["Accept"] == ["yes"]
    assert (found["SocketUser"], found["SocketMode"]) == ([AGENT_USER], ["0600"])
    agent = directives("edge-agent.service")
    assert DECODE_SOCKET in agent["Wants"][0].split()
    assert DECODE_SOCKET in agent["After"][0].split()


def test_there_is_a_worker_for_everything_that_the_agent_does_at_a_time() -> None:
    """A clip here, one fetched, a text, warnings' beside them; live sources, one beside the last that goes."""
    assert int(directives(DECODE_SOCKET)["MaxConnections"][0]) >= 6 + RESERVES + 2 * OPEN_MAX


def test_the_worker_runs_the_decoder_and_the_voice_and_sees_them() -> None:
    found = directives(DECODE_WORKER)
    walls = Sandbox()
    programs = [FfmpegDecoder(walls).program, EspeakVoice(walls).program]
    interpreter = "/opt/edge-agent/bin/python -I -m"
    assert found["ExecStart"] == [f"{interpreter} {decode_worker.__name__} {' '.join(programs)}"]
    seen = " ".join(found["BindReadOnlyPaths"]).split()
    assert {*programs, "/opt/edge-agent", "/usr/lib"} <= set(seen)
    assert not any(path.startswith(("/etc/edge", "/var", "/home", "/run")) for path in seen)


def test_the_worker_may_take_what_the_longest_clip_and_the_longest_relay_need_and_no_more() -> None:
    found = directives(DECODE_WORKER)
    megabytes = int(found["MemoryMax"][0].removesuffix("M"))
    assert DATA_BYTES_MAX < megabytes * 1_024 * 1_024 <= 2 * DATA_BYTES_MAX
    hours = int(found["RuntimeMaxSec"][0].removesuffix("h"))
    assert hours * 3_600 > WALL_BASE_S + CLIP_S_MAX // WALL_SHARE
    assert int(found["LimitCPU"][0].removesuffix("h")) * 3_600 > CPU_BASE_S + CLIP_S_MAX // CPU_SHARE
    assert hours * 3_600 > live_decoder.RELAY_S_MAX + live_decoder.WALL_SLACK_S
    live_cpu_s = live_decoder.CPU_BASE_S + live_decoder.RELAY_S_MAX // live_decoder.CPU_SHARE
    assert int(found["LimitCPU"][0].removesuffix("h")) * 3_600 > live_cpu_s
    for limit, most in (("NOFILE", OPEN_FILES_MAX), ("NPROC", PROCESSES_MAX), ("FSIZE", 0), ("CORE", 0)):
        assert found[f"Limit{limit}"] == [str(most)], "else the worker could not lower it to that"
    assert found["TasksMax"] == [str(PROCESSES_MAX)]
    assert found["MemorySwapMax"] == ["0"], "or MemoryMax would bound nothing but what is not on the card yet"
    assert (found["OOMPolicy"], found["KillSignal"]) == (["kill"], ["SIGKILL"]), "nothing of it stays behind"


@pytest.mark.parametrize("unit", [*UNITS, CLOCK, DECODE_WORKER, KEYS])
def test_no_unit_may_ask_by_io_uring_for_what_its_filter_of_calls_refuses(unit: str) -> None:
    found = directives(unit)
    refused = {call for line in found["SystemCallFilter"] if line.startswith("~") for call in line[1:].split()}
    assert {"@aio", "@privileged", "@resources"} <= refused
    assert found["SystemCallErrorNumber"] == ["EPERM"], "a call is refused, and the station goes on"


def test_what_the_units_write_is_nobodys_but_theirs_and_the_groups() -> None:
    agent, device = directives(AGENT), directives(DEVICE)
    assert (agent["UMask"], device["UMask"]) == (["0027"], ["0077"])
    assert agent["ReadWritePaths"] == ["/run/edge-agent -/var/lib/edge-agent"]
    assert device["ReadWritePaths"] == ["/run/edge-agent/io"]


def test_the_worker_has_neither_network_nor_privileges_and_the_agent_no_namespaces() -> None:
    worker, agent = directives(DECODE_WORKER), directives("edge-agent.service")
    assert worker["PrivateNetwork"] == worker["DynamicUser"] == worker["NoNewPrivileges"] == ["yes"]
    assert worker["MemoryDenyWriteExecute"] == worker["RestrictNamespaces"] == ["yes"]
    assert worker["IPAddressDeny"] == ["any"]
    assert worker["RestrictAddressFamilies"] == ["none"]
    assert worker["CapabilityBoundingSet"] == [""]
    # No score counts these: neither /proc, /sys and /dev nor what other processes have in memory are there.
    assert (worker["MountAPIVFS"], worker["InaccessiblePaths"], worker["DevicePolicy"]) == (
        ["no"],
        ["-+/sys"],
        ["strict"],
    )
    assert all(directives(unit)["PrivateIPC"] == ["yes"] for unit in (*UNITS, CLOCK, DECODE_WORKER))
    assert all(directives(unit)["KeyringMode"] == ["private"] for unit in (*UNITS, CLOCK, DECODE_WORKER))
    assert agent["RestrictNamespaces"] == ["yes"]
    assert "AF_NETLINK" not in agent["RestrictAddressFamilies"][0]


def users_and_folders(root: Path) -> None:
    """As systemd makes them on a station where ``root`` is all that there is."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a folder away")
    run(tool("systemd-sysusers"), f"--root={root}", str(SYSTEMD / "sysusers.d" / "edge-agent.conf"))
    run(tool("systemd-tmpfiles"), f"--root={root}", "--create", str(SYSTEMD / "tmpfiles.d" / "edge-agent.conf"))


@pytest.mark.host
def test_the_users_and_folders_come_into_being_as_the_units_need_them(tmp_path: Path) -> None:
    users_and_folders(tmp_path)
    groups = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    members = {name: users.split(",") for name, _, _, users in groups}
    assert all("edge-agent-io" in members[group] for group in ("edge-agent", "audio", "gpio"))
    gid = next(int(gid) for name, _, gid, _ in groups if name == "edge-agent")
    for folder, mode in (
        ("run/edge-agent", 0o3770),
        ("run/edge-agent/live", 0o750),
        ("run/edge-agent/io", 0o750),
        ("run/edge-agent/warnings", 0o750),
        ("etc/edge-agent", 0o750),
        ("var/lib/edge-agent/audio", 0o750),
    ):
        made = (tmp_path / folder).stat()
        assert (folder, oct(stat.S_IMODE(made.st_mode)), made.st_gid) == (folder, oct(mode), gid)
    # The device process may make no ring, nor put another's in its place.
    assert (tmp_path / "run/edge-agent/live").stat().st_uid == (tmp_path / "var/lib/edge-agent").stat().st_uid != 0


@pytest.mark.host
def test_an_agent_that_was_taken_over_lays_nothing_where_the_device_process_will_listen(tmp_path: Path) -> None:
    users_and_folders(tmp_path)
    tmp_path.chmod(0o755)
    agent = (tmp_path / "var/lib/edge-agent").stat()
    tries = [sys.executable, "-c", TRIES_OF_THE_AGENT, str(tmp_path), str(agent.st_uid), str(agent.st_gid)]
    assert json.loads(run(*tries)) == {
        "its own file": "OK",
        "in the way": "EACCES",
        "moved": "EPERM",
        "taken away": "EPERM",
    }


TRIES_OF_THE_AGENT = """
import errno, json, os, sys
root, uid, gid = sys.argv[1:]
os.chroot(root)
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
os.chdir("/run/edge-agent")
said = {}
for name, act in {
    "its own file": lambda: os.mkdir("status.new"),
    "in the way": lambda: os.mkdir("io/line.sock"),
    "moved": lambda: os.rename("io", "aside"),
    "taken away": lambda: os.rmdir("io"),
}.items():
    try:
        act()
        said[name] = "OK"
    except OSError as exc:
        said[name] = errno.errorcode[exc.errno]
print(json.dumps(said))
"""
