"""Runs on a booted system as the agent's user: has sound decoded by the real unit, sends the intruder in, prints JSON.

python decode_desk.py SHARED_FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from edge_agent.audio.confined import Confined, Ended, Limits
from edge_agent.audio.decode_service import SOCKET, DecodeService
from edge_agent.audio.decoder import FfmpegDecoder, Trouble
from edge_agent.audio.live_decoder import LiveDecoder
from edge_agent.audio.speech import EspeakVoice

LIMITS = Limits(data_bytes=128 << 20, cpu_s=20, wall_s=60, output_bytes=1 << 20)
GONE_S = 20
INTRUDER = "/opt/intruder"
STATE = Path("/var/lib/edge-agent")
KEY = Path("/etc/edge-agent/sign.pem")
RELAYS = Path("/run/edge-agent/io/line.sock")
WEAK = Path("/run/edge-agent-weak.sock")


class Kept:
    """Stands for the writer of a clip."""

    rate = 48_000

    def __init__(self) -> None:
        self.pcm = bytearray()

    def feed(self, chunk: bytes) -> None:
        self.pcm += chunk


def decoded(path: Path) -> dict[str, object]:
    kept = Kept()
    with open(path, "rb") as source:
        trouble: Trouble | None = FfmpegDecoder(DecodeService()).decode(source, kept, 60_000)  # type: ignore[arg-type]
    digest = hashlib.sha256(kept.pcm).hexdigest()
    return {"trouble": trouble and trouble.detail, "frames": len(kept.pcm) // 2, "sha256": digest}


def entered(path: Path) -> bytes:
    """A stream that somebody comes to in the middle."""
    whole = path.read_bytes()
    return whole[len(whole) // 3 :]


def relayed(stream: bytes, confined: Confined) -> dict[str, object]:
    """What is heard of it before it has ended, and in all."""
    kept, closed = Kept(), os.eventfd(0)
    taker = LiveDecoder(confined).begin(kept, closed)
    said = taker.feed(stream)
    deadline = time.monotonic() + GONE_S
    while not (early := len(kept.pcm) > 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    said = said or taker.end()
    os.close(closed)
    return {"said": said, "early": early, "sha256": hashlib.sha256(kept.pcm).hexdigest()}


def closed_early(stream: bytes) -> str:
    """The source is closed while the worker waits for more."""
    closed = os.eventfd(0)
    taker = LiveDecoder(DecodeService()).begin(Kept(), closed)
    said = taker.feed(stream)
    os.eventfd_write(closed, 1)
    return said or taker.end()


def spoken() -> int:
    with open("/dev/shm/words", "w+b") as wav:
        assert EspeakVoice(DecodeService()).speak("vi", "Nước đang lên.", wav) is None
        return wav.tell()


def treasures() -> list[str]:
    (STATE / "journal.sqlite").write_text("secret")
    assert RELAYS.is_socket()
    return [str(STATE), str(STATE / "journal.sqlite"), str(KEY), f"@{RELAYS}", f"%{os.getpid()}", "%1"]


def sent_in(path: Path, arguments: list[str], wall_s: int = 60) -> dict[str, object]:
    said = bytearray()
    limits = Limits(LIMITS.data_bytes, LIMITS.cpu_s, wall_s, LIMITS.output_bytes)
    with open(STATE / "journal.sqlite", "rb") as source:
        ended: Ended = DecodeService(path).run((INTRUDER, *arguments), source, limits, said.extend)
    return {**asdict(ended), "how": ended.how.name, "said": said.decode()}


def workers_left() -> str:
    """What still runs of the units, once they have had time to go."""
    listing = "systemctl list-units --plain --no-legend edge-agent-decode@* edge-agent-weak@*".split()
    deadline = time.monotonic() + GONE_S
    while (left := subprocess.run(listing, capture_output=True, text=True, check=True).stdout) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    return left


def main(shared: Path) -> None:
    wanted = treasures()
    found = {
        "user": os.geteuid() != 0,
        "socket": oct(SOCKET.stat().st_mode & 0o777),
        "clips": {path.name: decoded(path) for path in sorted((shared / "clips").iterdir())},
        "relayed": relayed(entered(shared / "clips" / "a.mp3"), DecodeService()),
        "closed_early": closed_early(entered(shared / "clips" / "a.mp3")),
        "spoken_bytes": spoken(),
        "other_program": DecodeService().run(("/usr/bin/python3",), sys.stdin.buffer, LIMITS, len).complaint,
        "intruder": sent_in(SOCKET, wanted),
        "weak": sent_in(WEAK, wanted),
        "threads": sent_in(SOCKET, ["=threads"]),
        "waits": sent_in(SOCKET, ["=wait"], wall_s=1),
        "frozen": sent_in(SOCKET, ["=freeze"], wall_s=1),
        "left": workers_left(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
