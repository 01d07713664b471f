"""A studio without ffmpeg and espeak-ng: files are raw PCM, and words are tones, so that every frame is known."""

from __future__ import annotations

import os
import tomllib
import wave
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import FfmpegDecoder, Sink
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.job import ClipItem, Job, LiveItem
from edge_agent.core.reasons import Reason
from edge_agent.core.units import UtcMs
from edge_agent.headend.preview import Studio
from edge_agent.headend.preview_jobs import job_of_draft

RATE = 48_000
NOW = UtcMs(1_790_000_000_000)  # 2026-09-21T14:13:20Z
RAMP = RATE * 5 // 1_000  # where a programme fades in, and out
SPOKEN_HZ = 300
SPOKEN_FRAMES = 12_345
HEAD = 'class = "normal"\nareas = ["vn/ha-noi/dong-thanh"]\nvolume = 70\n'
EMERGENCY = 'class = "emergency"\nevent = "lu-quet"\nareas = ["vn/ha-noi/dong-thanh"]\nvolume = 100\n'

Samples = NDArray[np.int16]


class RawDecoder:
    """Takes a file for PCM as it is, unless it says that it is broken or is longer than allowed."""

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        data = os.pread(source.fileno(), os.fstat(source.fileno()).st_size, 0)
        if data.startswith(b"broken"):
            return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="Invalid data found")
        if len(data) > ms_max * RATE // 1_000 * 2:
            return Trouble(Reason.AUDIO_TOO_LONG, again=False, detail="more sound than was signed")
        into.feed(data)
        return None


@dataclass
class ToneVoice:
    """Speaks one language as a tone; remembers its words."""

    speaks: str = "vi"
    stamp: str = "ab" * 8
    said: list[str] = field(default_factory=list)

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        if language != self.speaks:
            return Trouble(Reason.NO_VOICE, again=False, detail=f"no voice for {language!r}")
        self.said.append(text)
        wav.write(tone(SPOKEN_HZ, SPOKEN_FRAMES).tobytes())
        return None


def tone(hz: int, frames: int) -> Samples:
    """A sine of half the full scale."""
    return np.round(16_384 * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)).astype(np.int16)


def put(path: Path, samples: Samples) -> Path:
    path.write_bytes(samples.tobytes())
    return path


def studio(folder: Path, content: Path | None = None, voice: ToneVoice | None = None) -> Studio:
    return Studio(Stager(PcmStore(folder / "store"), RawDecoder(), voice or ToneVoice(), RATE), content)


def real_stager(folder: Path) -> Stager:
    return Stager(PcmStore(folder), FfmpegDecoder(Sandbox()), EspeakVoice(Sandbox()), RATE)


def job_in(where: Studio, folder: Path, text: str, entry: int | None = None) -> Job:
    """The job of a draft that lies in ``folder``."""
    return job_of_draft(tomllib.loads(text), entry, folder, where.find_audio, NOW)


def heard(path: Path) -> Samples:
    """What is in a WAV file that is mono, 16 bit, at the rate."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def sounded(where: Studio, job: Job, out: Path) -> Samples:
    where.write(where.programme(job), out)
    return heard(out)


def loudest_hz(samples: Samples) -> float:
    """Where the spectrum has its peak."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE / len(samples)


def relaying(where: Studio, folder: Path, text: str, *, stand_in: bool = True) -> Job:
    """The job of a draft with a live source of two seconds after its items, the last of which may stand in for it."""
    job = job_in(where, folder, text)
    *before, last = job.items
    assert isinstance(last, ClipItem)
    clip = last if stand_in else None
    live = LiveItem("VOV1", "news", "vi", "VOV", "", ("https://example.vn/vov1",), 2_000, clip)
    return replace(job, items=(*before, live))


def items(*written: str) -> str:
    return "".join(f'[[items]]\ntitle = "{index}"\n{line}\n' for index, line in enumerate(written))
