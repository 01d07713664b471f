"""Audio files for tests, made by the system's ffmpeg and espeak-ng, and what is heard in PCM."""

from __future__ import annotations

import array
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.audio.confined import available
from tests.host.parts import ABSENT

FFMPEG = "/usr/bin/ffmpeg"
ESPEAK = "/usr/bin/espeak-ng"
BWRAP = "/usr/bin/bwrap"

needs_decoder = pytest.mark.skipif(not available(FFMPEG, BWRAP), reason=f"{ABSENT}ffmpeg or bubblewrap")
needs_voice = pytest.mark.skipif(not available(ESPEAK, BWRAP), reason=f"{ABSENT}espeak-ng or bubblewrap")


def ffmpeg(*arguments: str | Path) -> None:
    command = [FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=300)


def sine(path: Path, seconds: float, *arguments: str, hz: int = 440) -> Path:
    """A sine at −18 dBFS peak (ffmpeg's own level) in whatever format the name says."""
    ffmpeg("-f", "lavfi", "-i", f"sine={hz}:duration={seconds}:sample_rate=44100", *arguments, path)
    return path


def hours_of_silence(path: Path, minutes: int, rate: int) -> Path:
    """A small FLAC that says truly how long it is: one minute again and again, as to make hours takes long."""
    minute = path.with_name(f"minute-{path.name}")
    ffmpeg("-f", "lavfi", "-i", f"anullsrc=r={rate}:cl=mono:d=60", "-c:a", "flac", minute)
    ffmpeg("-stream_loop", str(minutes - 1), "-i", minute, "-c", "copy", path)
    content = bytearray(path.read_bytes())
    assert int.from_bytes(content[22:26], "big") == 60 * rate  # samples in all, in STREAMINFO (RFC 9639, 8.2)
    content[22:26] = (60 * rate * minutes).to_bytes(4, "big")
    path.write_bytes(content)
    return path


def samples(pcm: bytes) -> array.array[int]:
    values = array.array("h", pcm)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def peak_dbfs(pcm: bytes) -> float:
    return 20 * math.log10(max(1, *map(abs, samples(pcm))) / 32_768)


def heard_hz(pcm: bytes, rate: int) -> float:
    """The pitch of a clean tone, by its upward zero crossings."""
    rising = [at for at, (one, two) in enumerate(pairwise(samples(pcm))) if one < 0 <= two]
    return (len(rising) - 1) * rate / (rising[-1] - rising[0])
