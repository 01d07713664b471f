"""Runs on a booted system as root: the station's own units play, then what can be seen of them; prints JSON.

python -m tests.units.desk CONFINED_DROP_IN. An emergency and a file, with the demo's broker, server, headend and ears;
the whole demo plays by these units on the bench (``hil_tests.desk``).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from demo import sounds
from demo.acts import draft_of, item_of, recorded, trusts_its_clock, wait
from demo.ward import NO_HARDWARE, Hardware
from tests.units.probe import ADDRESS, MARK, NAME, OPEN_FOLDER, SHARED_MEMORY_KEY
from tests.units.secrets import forms, found, number
from tests.units.ward import ETC, UNITS, InstalledWard, run

WARD = Path("/srv/ward")
PROBES = ("agent", "agent-naked", "agent-confined", "io", "io-naked")
AGENT = UNITS[0]
STATE = Path("/var/lib/edge-agent")
RUN = Path("/run/edge-agent")
IPC_CREAT = 0o1000
PATIENCE_S = 120
# A station that is well needs a few seconds; other tests may be at work beside it.
KERNEL = ("Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")
KEYS = (ETC / "sign.pem", ETC / "client.key")


class WatchedWard(InstalledWard):
    """Looks at the units each time before they are switched off."""

    def __init__(self, folder: Path, hardware: Hardware = NO_HARDWARE) -> None:
        super().__init__(folder, hardware)
        self.seen: list[dict[str, Any]] = []

    def switch_off(self) -> None:
        self.seen.append({unit: looked_at(unit) for unit in UNITS})
        super().switch_off()


def looked_at(unit: str) -> dict[str, Any]:
    """What the service manager and the kernel say of a running unit."""
    wanted = "ActiveState,NRestarts,MainPID,RootDirectory"
    shown = dict(line.split("=", 1) for line in run("systemctl", "show", f"--property={wanted}", unit).splitlines())
    pid = shown["MainPID"]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    listening = run("nsenter", f"--net=/proc/{pid}/ns/net", "ss", "-Hltunp").splitlines()
    return {
        **shown,
        "kernel": {name: status[name].strip() for name in KERNEL},
        "core": next(line.split()[4:6] for line in limits if line.startswith("Max core")),
        "its ports": [line for line in listening if f"pid={pid}," in line],
        "ports": len(listening),
    }


def heard(ward: WatchedWard) -> list[dict[str, object]]:
    """An emergency and a file, once the station has been switched on and welcomed: their records."""
    before = recorded(ward)
    ward.switch_on()
    wait(ward, lambda: trusts_its_clock(ward), "a welcomed station", PATIENCE_S)
    flood = {**item_of("Lũ quét", "thien-tai"), "text": sounds.FLOOD}
    ward.publish(draft_of("emergency", "now", flood) | {"event": "lu-quet"}, ["ward-emergency"])
    wait(ward, lambda: len(recorded(ward)) == len(before) + 1, "the record of an emergency", PATIENCE_S)
    short = item_of("Bản tin", "khac", file=str(WARD / "short.mp3"))
    ward.publish(draft_of("normal", "now", short), ["ward-routine"])
    wait(ward, lambda: len(recorded(ward)) == len(before) + 2, "the record of a file", PATIENCE_S)
    return [row for row in ward.rows() if row["kind"] == "play" and row["job_id"] not in before]


def confined(ward: WatchedWard, drop_in: Path) -> list[dict[str, object]]:
    """The same, once the agent's root holds nothing but what it needs."""
    place = Path("/etc/systemd/system/edge-agent.service.d")
    place.mkdir()
    (place / "confined.conf").write_text(drop_in.read_text())
    run("systemctl", "daemon-reload")
    return heard(ward)


def places() -> dict[str, bytes]:
    """All that the station writes or says, and what the machine shows of every process."""
    run("journalctl", "--sync")
    every = {"journal": run("journalctl", "--output=export", "--all").encode()}
    for task in ("doctor", "status", "next"):
        done = subprocess.run(["/opt/edge-agent/bin/edge-agent", task], capture_output=True, check=False)
        every[task] = done.stdout + done.stderr
    for unit in UNITS:
        every[f"show {unit}"] = run("systemctl", "show", unit).encode()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                every[f"{name} of {process.name}"] = (process / name).read_bytes()
    for folder in (STATE, RUN):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # a folder, or it has been put in place of another meanwhile
                every[str(path)] = path.read_bytes()
    return every


def secrets() -> dict[str, Any]:
    """Where the station's private keys are found: as it is, and after one was left in four places."""
    keys = {path.name: forms(path) for path in KEYS}
    searched = places()
    clean = found(keys, searched)
    line = KEYS[0].read_text().splitlines()[1]
    run("systemd-run", "--unit=leak", f"--setenv=KEY={line}", "sh", "-c", 'echo "$1"; sleep 600; true', "leak", line)
    late_s = time.monotonic() + PATIENCE_S
    (STATE / "leak.log").write_text(f"key={number(KEYS[0]).hex()}")
    while line not in run("journalctl", "--output=cat", "_SYSTEMD_UNIT=leak.service"):
        assert late_s > time.monotonic(), "what was left has said nothing"
        time.sleep(0.1)
    planted = found(keys, places())
    run("systemctl", "stop", "leak")
    return {
        "clean": clean,
        "planted": planted,
        "searched": {place: len(content) for place, content in searched.items()},
    }


def complained_of_damaged_keys(ward: InstalledWard) -> list[str]:
    """What doctor says of keys that are damaged, while the agent tries to use them. Complaints like to quote."""
    said = []
    for key in KEYS:
        run("systemctl", "stop", AGENT)
        whole = key.read_bytes()
        key.write_bytes(whole.replace(b"M", b"%", 1))
        with contextlib.suppress(RuntimeError):  # without its own key it gives up, without a certificate's it does not
            run("systemctl", "start", AGENT)
        said.append(ward.command("doctor"))
        run("systemctl", "stop", AGENT)
        key.write_bytes(whole)
    return said


def probed() -> dict[str, Any]:
    """What each unit's walls let through."""
    OPEN_FOLDER.mkdir()
    OPEN_FOLDER.chmod(0o777)
    Path("/tmp", MARK).touch()
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write(f"\n{ADDRESS} {NAME}\n")
    assert ctypes.CDLL(None).shmget(SHARED_MEMORY_KEY, 4096, IPC_CREAT | 0o666) >= 0
    for name in PROBES:
        run("systemctl", "start", f"probe-{name}.service")
    return {name: json.loads(Path("/run", f"probe-{name}").read_text()) for name in PROBES}


def main(drop_in: Path) -> None:
    WARD.mkdir()
    sounds.speak_mp3("Tệp này được giải mã ngoài tác tử, rồi phát ở cả hai cụm loa.", WARD / "short.mp3")
    with WatchedWard(WARD) as ward:
        records = heard(ward)
        ward.switch_off()
        narrow = confined(ward, drop_in)
        complaints = complained_of_damaged_keys(ward)
        ward.switch_on()
        wait(ward, lambda: trusts_its_clock(ward), "a welcomed station, with its keys again", PATIENCE_S)
        kept = secrets()
        ward.switch_off()
        log, recording = ward.agent_log(), ward.recording()
    found_all = {
        "sounded_s": [np.count_nonzero(one) / recording.rate for one in recording.samples.T],
        "records": records,
        "confined": narrow,
        "seen": ward.seen,
        "secrets": kept,
        "complaints": complaints,
        "log": log,
        "probed": probed(),
        "failed": run("systemctl", "--failed", "--plain", "--no-legend", "list-units"),
    }
    print(json.dumps(found_all))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
