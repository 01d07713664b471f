"""Commands of the headend that run on, for the tests of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.headend.mqtt_client import TIMEOUT_S


class Running:
    """A command in a process of its own, read line by line."""

    def __init__(self, *words: str, stderr: IO[str] | int = subprocess.STDOUT) -> None:
        code = "import sys; from edge_agent.headend.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )

    def line_with(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"ended without saying {text!r}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode


def run_broker(ward: Path, started: list[Running]) -> tuple[Running, int]:
    """A broker, and its port."""
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    return broker, int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
