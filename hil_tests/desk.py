"""Runs where the station is installed, as root: the demo with its units, and what is seen of them; JSON and a pickle.

python -m hil_tests.desk RIG FOLDER. Who judges it does so elsewhere: what was heard takes more memory than a process of
the virtual bench can have (each of its pages is a mapping of the host's, which allows 65,530).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo import sounds
from demo.acts import Story, play
from demo.evidence import collect
from demo.screen import Screen
from demo.ward import RelayMove, Ward
from hil_tests.bench import Bench
from hil_tests.installed import give_devices
from hil_tests.rig import read
from hil_tests.sealed import SealedWard
from tests.units.desk import WARD, WatchedWard, looked_at
from tests.units.ward import UNITS, run

HEARD, FOUND = "heard.pickle", "found.json"
VERIFIED = [*(f"{unit}.service" for unit in (*UNITS, "edge-agent-clock", "edge-agent-decode@one"))]
VERIFIED += ["edge-agent-decode.socket", "edge-agent-clock.timer"]
DUE_IN_S = 40
# Decoding takes several times as long here, and more when the host is busy.
SLICE = Path("/sys/fs/cgroup/system.slice")
DEVICES = ("/dev/null", "/dev/gpiochip0", "/dev/snd/pcmC0D0p", "/dev/snd/controlC0", "/dev/kmsg", "/dev/watchdog")


class BenchWard(SealedWard, WatchedWard):
    """Its keys open by a sealed credential only; its relays' moves are those of the kernel's lines."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(WARD, bench.hardware)
        self._bench = bench

    def kill_agent(self) -> None:
        """Without waiting for a word of the service manager, which takes a quarter of a second here."""
        os.kill(self.pids["run"], signal.SIGKILL)
        self._unwanted = subprocess.Popen(["systemctl", "stop", UNITS[0]])

    def moves(self) -> list[RelayMove]:
        return [RelayMove(zone, on, round(at_ms), "") for zone, on, at_ms in self._bench.edges()]


def played(ward: Ward, due_in_s: int) -> Story:
    """The demo."""
    sounds.speak_mp3(sounds.BULLETIN, WARD / "bulletin.mp3")
    sounds.speak_mp3("Bản tin thứ hai. Bản tin này sẽ bị ngắt giữa chừng, vì tiến trình bị giết.", WARD / "short.mp3")
    sounds.speak_mp3("Tệp này bị sửa trên máy chủ, trạm không được phát.", WARD / "altered.mp3")
    sounds.speak_wav(sounds.FLOOD, WARD / "flood.wav")
    return play(ward, WARD, Screen(), due_in_s)


def exposure(unit: str) -> float:
    """What systemd-analyze makes of a unit that is loaded."""
    said = run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
    return float(re.findall(r"exposure level for \S+: ([0-9.]+)", said)[-1])


def complaints() -> list[str]:
    """What systemd-analyze finds wrong with the station's units, whatever else is on the machine."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *VERIFIED], capture_output=True, text=True, check=False
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if "edge-agent" in line]


def opens(unit: str, device: str) -> str:
    """ "" or why root itself may not open it in the unit's control group: the kernel's filter, and no file's mode."""
    tries = f'echo $$ >{SLICE}/{unit}.service/cgroup.procs && exec 3<>"$1"'
    done = subprocess.run(["bash", "-c", tries, "tries", device], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition(": ")[2] if done.returncode else ""


def found(ward: BenchWard) -> dict[str, Any]:
    """While the units run."""
    ward.switch_on()
    return {
        "seen": [*ward.seen, {unit: looked_at(unit) for unit in UNITS}],
        "exposure": {unit: exposure(unit) for unit in UNITS},
        "complaints": complaints(),
        "opens": {unit: {device: opens(unit, device) for device in DEVICES} for unit in UNITS},
        "log": ward.agent_log(),
    }


def main(rig: Path, folder: Path) -> None:
    WARD.mkdir()
    with Bench(read(rig)) as bench:
        give_devices(bench.hardware.gpio_chip)
        bench.watch()
        ward = BenchWard(bench)
        with ward:
            story = played(ward, DUE_IN_S)
            heard = collect(ward, WARD, ward.recording())
            (folder / HEARD).write_bytes(pickle.dumps((story, heard)))
            (folder / FOUND).write_text(json.dumps(found(ward)), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
