"""Find out what an order says of an audio file: length, digest, duration. Judges of its sound only that there is any.

The file is the operator's own and already published by him, so it is decoded without the sandbox that a station needs.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.audio.decoder import LET_IN, NOT_LET_IN
from edge_agent.audio.joined import another_begins
from edge_agent.audio.loudness import MEASURABLE_MS, SILENT_LUFS
from edge_agent.core.programme import unlike
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.units import SECOND_MS, ClipKey
from edge_agent.headend.errors import HeadendError

DECODE_S_MAX = 300
# The longest clip, two hours, takes about 15 s; the rest is for a slow machine.
PROGRESS = re.compile(rb"^out_time_us=(\d+)$", re.MULTILINE)
COUNTING = "asetpts=N/SR/TB"
"""By what sounds, as a station does, and not by the file's times: those of a pause that was not recorded go on."""
MEASURING = (
    r"aformat=channel_layouts=mono,apad=pad_dur=0.1,ebur128=metadata=1,"
    r"ametadata=mode=print:key=lavfi.r128.I:file=pipe\\:1"
)
"""As a station measures (``audio.loudness``): of all channels together, which a horn gets as one."""
LUFS = re.compile(rb"^lavfi\.r128\.I=(-?[0-9.]+|-inf)$", re.MULTILINE)


class AudioError(HeadendError):
    """The file cannot be used; the text says why and what to do."""


class NotMeasuredError(AudioError):
    """Nothing here can say how long the file sounds."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """``codec`` is a hint: the file's ending."""

    digest: ClipKey
    length_bytes: int
    duration_ms: int
    codec: str


def on_disk(path: Path) -> Path:
    """The file of that name, also where the disk has its marks apart, as a Mac writes them: both look alike."""
    if path == path.parent:
        return path
    folder = on_disk(path.parent)
    try:
        alike = [one.name for one in folder.iterdir() if unicodedata.normalize("NFC", one.name) == path.name]
    except OSError:
        alike = []  # told where the file is read
    return folder / (alike[0] if alike and path.name not in alike else path.name)


def facts_of(path: Path, duration_ms: int | None = None) -> AudioFacts:
    """Read the file and decode it to the end for its duration. Raises AudioError, also where another one is given.

    A station refuses what is longer or shorter than was signed: better that nobody signs it. What is given is believed
    only where nothing here can measure.
    """
    told = described(path, duration_ms or 0)
    with path.open("rb") as file:
        another = another_begins(file)
    if another is not None:
        raise AudioError(f"{path}: {explain(Reason.AUDIO_UNREADABLE)} [{Reason.AUDIO_UNREADABLE}]: {another}")
    length_ms = measured_ms(path) if duration_ms is None else _confirmed(path, duration_ms)
    if length_ms >= MEASURABLE_MS:
        _refuse_silence(path)
    return replace(told, duration_ms=length_ms)


def described(path: Path, duration_ms: int) -> AudioFacts:
    """Read the file; how long it sounds is told. Raises AudioError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path}: không đọc được / cannot be read ({error.strerror})") from error
    digest = ClipKey(hashlib.sha256(content).hexdigest())
    return AudioFacts(digest, len(content), duration_ms, path.suffix.removeprefix(".").lower()[:16])


def _confirmed(path: Path, given_ms: int) -> int:
    """What is given, if the file sounds for so long."""
    try:
        measured = measured_ms(path)
    except NotMeasuredError:
        return given_ms
    reason = unlike(given_ms, measured)
    if reason is None:
        return given_ms
    lengths = f"{measured / SECOND_MS:.1f} s, not {given_ms / SECOND_MS:.1f} s"
    raise AudioError(
        f"{path}: {explain(reason)} [{reason}]: {lengths}; bỏ duration_s thì máy tự đo / without duration_s it is "
        "measured"
    )


def measured_ms(path: Path) -> int:
    """How long the file sounds, by decoding it: the headers of an MP3 are often wrong. Raises AudioError.

    Of what stations let in, and no more: an ffmpeg reads much that they refuse when it is due.
    """
    done = _decoded(path, "-af", COUNTING, "-progress", "pipe:1")
    found = PROGRESS.findall(done.stdout)
    if done.returncode != 0 or not found or int(found[-1]) == 0:
        raise AudioError(f"{path}: {_why_not(done.stderr)}")
    return -(-int(found[-1]) // 1_000)


def _refuse_silence(path: Path) -> None:
    """Raises AudioError for what no horn in a street would let anybody hear."""
    try:
        told = LUFS.findall(_decoded(path, "-af", MEASURING).stdout)
    except NotMeasuredError:
        return
    if told and float(told[-1]) <= SILENT_LUFS:
        silent = f"{explain(Reason.AUDIO_SILENT)} [{Reason.AUDIO_SILENT}]: {float(told[-1]):.1f} LUFS"
        raise AudioError(f"{path}: {silent}; thu lại, hoặc chọn tệp khác / record it again, or take another file")


def _decoded(path: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """What ffmpeg says of the file when it has decoded all of it. Raises NotMeasuredError."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise NotMeasuredError(
            "chưa cài ffmpeg: apt install ffmpeg, hoặc ghi duration_s / ffmpeg is not installed: apt install ffmpeg, "
            "or give duration_s in the draft"
        )
    command = [program, "-v", "error", "-nostdin", "-protocol_whitelist", "file", *LET_IN]
    command += ["-i", f"file:{path.resolve()}", "-map", "0:a:0", *options, "-f", "null", "-"]
    try:
        return subprocess.run(command, capture_output=True, timeout=DECODE_S_MAX, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotMeasuredError(
            f"{path}: {DECODE_S_MAX} giây chưa đọc xong, ghi duration_s trong bản nháp / is not "
            f"decoded after {DECODE_S_MAX} s: give duration_s in the draft"
        ) from error


def _why_not(stderr: bytes) -> str:
    complaint = stderr.decode(errors="replace").strip()
    refused = NOT_LET_IN.search(complaint)
    if refused is not None:
        return (
            f"trạm không đọc được {refused[1]}, lưu lại thành MP3 hoặc WAV 16 bit / stations do not read "
            f"{refused[1]}: save it as MP3, or as WAV of 16 bits"
        )
    last = (complaint.splitlines() or ["no reason given"])[-1][:200]
    return f"không phải âm thanh ffmpeg đọc được / is no audio that ffmpeg can decode: {last}"
