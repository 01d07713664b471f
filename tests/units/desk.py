"""Runs on a booted system as root: the demo with the station's own units, then what can be seen of them; prints JSON.

python -m tests.units.desk SHARED_FOLDER CONFINED_DROP_IN. What the demo shows goes to SHARED_FOLDER/story.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo import sounds
from demo.acts import DUE_IN_S, Story, draft_of, item_of, play, recorded, trusts_its_clock, wait
from demo.evidence import gather
from demo.screen import Screen
from demo.verdict import checks
from demo.ward import NO_HARDWARE, Hardware
from tests.units.probe import MARK, OPEN_FOLDER, SHARED_MEMORY_KEY
from tests.units.secrets import forms, found, number
from tests.units.ward import ETC, UNITS, InstalledWard, run

STORY = "story"
WARD = Path("/srv/ward")
PROBES = ("agent", "agent-naked", "agent-confined", "io", "io-naked")
AGENT = UNITS[0]
STATE = Path("/var/lib/edge-agent")
RUN = Path("/run/edge-agent")
IPC_CREAT = 0o1000
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


def demonstrated(ward: WatchedWard) -> list[dict[str, Any]]:
    """The demo, and its verdict over what was heard."""
    story = played(ward)
    return [asdict(check) for check in checks(story, gather(ward, WARD, ward.recording()))]


def played(ward: WatchedWard, due_in_s: int = DUE_IN_S) -> Story:
    """The demo."""
    sounds.speak_mp3(sounds.BULLETIN, WARD / "bulletin.mp3")
    sounds.speak_mp3("Bản tin thứ hai. Bản tin này sẽ bị ngắt giữa chừng, vì tiến trình bị giết.", WARD / "short.mp3")
    sounds.speak_mp3("Tệp này bị sửa trên máy chủ, trạm không được phát.", WARD / "altered.mp3")
    sounds.speak_wav(sounds.FLOOD, WARD / "flood.wav")
    return play(ward, WARD, Screen(), due_in_s)


def confined(ward: WatchedWard, drop_in: Path) -> list[dict[str, object]]:
    """An emergency and a file, once the agent's root holds nothing but what it needs: their records."""
    place = Path("/etc/systemd/system/edge-agent.service.d")
    place.mkdir()
    (place / "confined.conf").write_text(drop_in.read_text())
    run("systemctl", "daemon-reload")
    before = recorded(ward)
    ward.switch_on()
    wait(ward, lambda: trusts_its_clock(ward), "a welcomed station, confined")
    flood = {**item_of("Lũ quét", "thien-tai"), "text": sounds.FLOOD}
    ward.publish(draft_of("emergency", "now", flood) | {"event": "lu-quet"}, ["ward-emergency"])
    wait(ward, lambda: len(recorded(ward)) == len(before) + 1, "the record of an emergency, confined")
    short = item_of("Bản tin thứ hai", "khac", file=str(WARD / "short.mp3"))
    ward.publish(draft_of("normal", "now", short), ["ward-routine"])
    wait(ward, lambda: len(recorded(ward)) == len(before) + 2, "the record of a file, confined")
    return [row for row in ward.rows() if row["kind"] == "play" and row["job_id"] not in before]


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
        every |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return every


def secrets() -> dict[str, Any]:
    """Where the station's private keys are found: as it is, and after one was left in four places."""
    keys = {path.name: forms(path) for path in KEYS}
    searched = places()
    clean = found(keys, searched)
    line = KEYS[0].read_text().splitlines()[1]
    run("systemd-run", "--unit=leak", f"--setenv=KEY={line}", "sh", "-c", 'echo "$1"; sleep 600; true', "leak", line)
    (STATE / "leak.log").write_text(f"key={number(KEYS[0]).hex()}")
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
    assert ctypes.CDLL(None).shmget(SHARED_MEMORY_KEY, 4096, IPC_CREAT | 0o666) >= 0
    for name in PROBES:
        run("systemctl", "start", f"probe-{name}.service")
    return {name: json.loads(Path("/run", f"probe-{name}").read_text()) for name in PROBES}


def main(shared: Path, drop_in: Path) -> None:
    WARD.mkdir()
    with open(shared / STORY, "w") as screen, contextlib.redirect_stdout(screen):
        with WatchedWard(WARD) as ward:
            verdict = demonstrated(ward)
            records = [row for row in ward.rows() if row["kind"] == "play"]
            narrow = confined(ward, drop_in)
            complaints = complained_of_damaged_keys(ward)
            ward.switch_on()
            wait(ward, lambda: trusts_its_clock(ward), "a welcomed station, with its keys again")
            kept = secrets()
            ward.switch_off()
            log = ward.agent_log()
        found_all = {
            "verdict": verdict,
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
    main(Path(sys.argv[1]), Path(sys.argv[2]))
