"""The demo's ward with its station installed as on a pole: systemd's units, under all that they forbid themselves.

Runs on a booted system as root (``desk``, and the bench). What differs from a station where no hardware is given: the
card is a null sink of a private PulseAudio, which the device process's unit is told of by its environment, and the
relays are simulated.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from demo.ward import AS_IN_THE_DEMO, NO_HARDWARE, STATION, Fitting, Hardware, Ward

ETC = Path("/etc/edge-agent")
CONFIG = ETC / "edge-agent.toml"
RELAYS = Path("/run/edge-agent/io/relays")
# The only folder in which the device process may write.
UNITS = ("edge-agent", "edge-agent-io")
STATE_DIR, RUN_DIR = Path("/var/lib/edge-agent"), Path("/run/edge-agent")
COMMAND_S_MAX = 120


def run(*command: str) -> str:
    """What a command prints; raises where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class InstalledWard(Ward):
    """The station's processes are units. Everybody else runs as in the demo."""

    def __init__(self, folder: Path, hardware: Hardware = NO_HARDWARE, *, fitting: Fitting = AS_IN_THE_DEMO) -> None:
        super().__init__(folder, hardware, fitting=replace(fitting, state_dir=STATE_DIR, run_dir=RUN_DIR))

    def switch_on(self, *, device: bool = True, agent: bool = True) -> None:
        try:
            run("systemctl", "start", *(unit for unit, on in zip(UNITS, (agent, device), strict=True) if on))
        except RuntimeError as error:
            # Of a unit that does not start, only the manager's log says why, and it is gone with the booted system.
            raise RuntimeError(f"{error}{run('journalctl', '--output=short-precise', '--lines=60')}") from error

    def switch_off(self) -> None:
        run("systemctl", "stop", *UNITS)

    def kill_agent(self) -> None:
        """And at once say that it is not wanted: the demo looks at its relays and waits for its will meanwhile."""
        run("systemctl", "kill", "--signal=SIGKILL", UNITS[0])
        run("systemctl", "stop", UNITS[0])

    def command(self, *words: str) -> str:
        program = "/opt/edge-agent/bin/edge-agent"
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False)
        return done.stdout + done.stderr

    def agent_log(self) -> str:
        return run("journalctl", "--output=cat", *(f"--unit={unit}" for unit in UNITS))

    def device_log(self) -> str:
        return run("journalctl", "--output=cat", f"--unit={UNITS[1]}")

    @property
    def pids(self) -> dict[str, int]:
        """0 for one that does not run."""
        tasks = zip(("run", "io"), UNITS, strict=True)
        return {task: int(run("systemctl", "show", "--property=MainPID", "--value", unit)) for task, unit in tasks}

    def _stop_station(self) -> None:
        run("systemctl", "stop", *UNITS)

    def _write_config(self) -> Path:
        """Keys and configuration as docs/operations.md installs them, and the card's stand-in."""
        text = super()._write_config().read_text()
        given = self.keyring.folder(STATION)
        for path in (given.tls.key, given.sign, given.trust):
            run("install", "-o", "edge-agent", "-g", "edge-agent", "-m", "600", "-t", str(ETC), str(path))
        for path in (given.tls.certificate, given.authority):
            run("install", "-o", "root", "-g", "edge-agent", "-m", "640", "-t", str(ETC), str(path))
        for path in (given.tls.key, given.sign, given.trust, given.tls.certificate, given.authority):
            text = text.replace(f'"{path}"', f'"{ETC / path.name}"')
        CONFIG.write_text(text.replace(f'"{self.folder / "relays"}"', f'"{RELAYS}"'))
        shutil.chown(CONFIG, "root", "edge-agent")
        CONFIG.chmod(0o640)
        if not self.hardware.gpio_chip:
            (self.folder / "relays").symlink_to(RELAYS)
        if not self.hardware.device:
            self._tell_of_the_sink()
        return CONFIG

    def _tell_of_the_sink(self) -> None:
        for folder in (self.folder, self.folder / "pulse"):
            folder.chmod(0o755)  # the device process is another user
        environment = "".join(f"Environment={name}={value}\n" for name, value in self.sound_env.items())
        drop_in = Path("/run/systemd/system/edge-agent-io.service.d/sink.conf")
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(f"[Service]\n{environment}")
        run("systemctl", "daemon-reload")
