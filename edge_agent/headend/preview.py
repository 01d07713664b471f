"""Make of a job what a station would sound, as a file on the officer's own computer, before anybody else hears it.

Decides nothing that is heard: the parts are ``core.programme``'s, their sound is ``audio.staging``'s, and how they join
is the mixing desk's, as at a station. A live source is not opened: its stand-in is heard in its place, as where it is
lost. Which job is meant, ``preview_jobs`` finds out. Neither knows a relay, a card, a broker or a key: nothing from
here can reach a street.
"""

from __future__ import annotations

import os
import threading
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.audio.card import Wiring
from edge_agent.audio.desk import Desk
from edge_agent.audio.mixer import SAMPLE_BYTES, Outlet
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.prefetch import Prefetch
from edge_agent.audio.staging import Staged, Stager
from edge_agent.audio.stream_clock import StreamClock
from edge_agent.audio.timeline import Timeline, lay
from edge_agent.audio.voice import Block
from edge_agent.core import clips
from edge_agent.core.effects import StartPlay
from edge_agent.core.events import ClipFailed, ClipStaged, PlayEnded
from edge_agent.core.job import ClipItem, Job
from edge_agent.core.programme import (
    Part,
    Sound,
    StagedItem,
    ZoneFeed,
    item_key,
    items_of,
    length_ms,
    parts_of,
    promised_ms,
    signal_of,
    unlike,
)
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import MINUTE_MS, SECOND_MS, ClipKey, MonoMs, PlayId, ZoneId
from edge_agent.durable import sync_directory
from edge_agent.headend.audio_facts import AudioError, AudioFacts, described
from edge_agent.headend.errors import HeadendError

PREVIEW_MS_MAX = 60 * MINUTE_MS
# What a ward may sound in a whole day (site.STANDARD); 345 MB of WAV at 48 kHz.
BLOCK_MS = 500
_ZONE, _PLAY = ZoneId("preview"), PlayId("preview")
_REMEDIES = {
    Reason.AUDIO_ALTERED: "lấy lại đúng tệp đã ký / put the file back that was signed",
    Reason.AUDIO_UNREADABLE: "lưu lại thành MP3, FLAC, Ogg, M4A hoặc WAV 16 bit; máy này cần ffmpeg và bubblewrap / "
    "save it as MP3, FLAC, Ogg, M4A or WAV of 16 bits; ffmpeg and bubblewrap must be installed",
    Reason.AUDIO_SILENT: "ngoài đường sẽ không nghe thấy gì: thu lại, hoặc chọn tệp khác / nothing would be heard in "
    "the street: record it again, or take another file",
    Reason.AUDIO_TOO_LONG: "nghe thử tối đa 60 phút, mỗi bản tin không dài hơn duration_s / a preview takes 60 minutes "
    "at most, and of an item what duration_s says",
    Reason.AUDIO_TOO_SHORT: "bỏ duration_s thì máy tự đo / leave duration_s out, and it is measured",
    Reason.NO_VOICE: 'dùng language = "vi" hoặc "en", hoặc bản thu; máy này cần espeak-ng và bubblewrap / language = '
    '"vi" or "en", or a recording; espeak-ng and bubblewrap must be installed',
    Reason.CACHE_FULL: "dọn chỗ nơi để tệp tạm (TMPDIR) / make room where temporary files lie (TMPDIR)",
}
_NOT_HERE = (
    "không có tệp này ở đây, chỉ thư mục bằng --content-dir: nơi `sign` đã đặt (DIR/content) / its file is not here; "
    "name the folder by --content-dir: where `sign` has put it (DIR/content)"
)


class PreviewError(HeadendError):
    """There is nothing to be heard; the text names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Programme:
    """A job whose every sound lies ready: its parts, and where they lie."""

    job: Job
    parts: tuple[Part, ...]
    timeline: Timeline


class Studio:
    """A station's way from items to sound. ``content`` is where the audio of signed orders lies, by its digest."""

    def __init__(self, stager: Stager, content: Path | None = None) -> None:
        self._stager = stager
        self._content = content
        self.files: dict[ClipKey, Path] = {}
        """The audio that was read; never to be written over."""

    def find_audio(self, path: Path, duration_ms: int | None) -> AudioFacts:
        """What a draft says of a file, by the very decoding that a station will do. Raises AudioError."""
        facts = described(path, duration_ms or PREVIEW_MS_MAX)
        self.files[facts.digest] = path
        staged = self._stager.stage_clip(facts.digest, path, facts.duration_ms)
        if isinstance(staged, ClipFailed):
            raise AudioError(_why(staged))
        wrong = unlike(facts.duration_ms, staged.duration_ms) if duration_ms else None
        if wrong is not None:
            raise AudioError(_why(_as_refused(staged, wrong)))
        return facts if duration_ms else replace(facts, duration_ms=staged.duration_ms)

    def programme(self, job: Job) -> Programme:
        """Stage what the job needs and lay it out. Raises PreviewError where a station would be silent."""
        _refuse_length(promised_ms(job))  # before an hour of it is decoded
        if signal_of(job) is not None:
            self._render_signals()
        durations = {item_key(item): self._staged_ms(job, item) for item in items_of(job)}
        parts = parts_of(job, durations)
        _refuse_length(length_ms(parts))
        frames = {part.key: self._frames(part.key) for part in parts if isinstance(part, Sound)}
        return Programme(job, parts, lay(parts, frames, self._stager.rate))

    def write(self, programme: Programme, out: Path) -> None:
        """Put it into a WAV file, which appears whole or not at all. OSError if the disk refuses."""
        store, rate = self._stager.store, self._stager.rate
        _write_wav(out, rate, programme.timeline.frames, sound_of(store, programme.parts, rate))

    def _render_signals(self) -> None:
        for staged in self._stager.ensure_pinned():
            if isinstance(staged, ClipFailed):
                raise PreviewError(f"{staged.key}: {_why(staged)}")

    def _staged_ms(self, job: Job, item: StagedItem) -> int:
        staged = self._stage(job, item)
        if isinstance(staged, ClipFailed):
            raise PreviewError(f"{_place(job, item)}: {_why(staged)}")
        wrong = clips.objection(job, item, staged.duration_ms)
        if wrong is not None:
            raise PreviewError(f"{_place(job, item)}: {_why(_as_refused(staged, wrong))}")
        return staged.duration_ms

    def _stage(self, job: Job, item: StagedItem) -> Staged:
        if not isinstance(item, ClipItem):
            return self._stager.stage_text(item_key(item), item.language, item.text)
        path = self._original(item)
        if path is None or not path.exists():
            raise PreviewError(f"{_place(job, item)}: {item.digest[:12]}…: {_NOT_HERE}")
        self.files[item.digest] = path
        return self._stager.stage_clip(item.digest, path, item.duration_ms)

    def _original(self, item: ClipItem) -> Path | None:
        if item.digest in self.files or self._content is None:
            return self.files.get(item.digest)
        return self._content / item.digest

    def _frames(self, key: ClipKey) -> int:
        with self._stager.store.open(key) as clip:
            return clip.frames


def sound_of(store: PcmStore, parts: tuple[Part, ...], rate: int) -> Iterator[bytes]:
    """What a station's desk gives its card for one zone at full volume, from the first frame to the last."""
    pcm = Prefetch(parts, store, rate, threading.Event())
    desk = Desk(Wiring(rate, 1, {_ZONE: Outlet.MONO}), 0, lambda _: pcm)
    desk.obey(StartPlay(_PLAY, parts, (ZoneFeed(_ZONE, VOLUME_MAX),), MonoMs(0)))
    frames, clock, first = rate * BLOCK_MS // SECOND_MS, StreamClock(rate), 0
    try:
        while desk.busy:
            _fill(pcm)
            block = desk.next_block(Block(first, frames, 0, clock))
            yield block[: max((pcm.frames or 0) - first, 0) * SAMPLE_BYTES]
            first += frames
            for report in desk.reports(first, 0, clock):
                if isinstance(report, PlayEnded) and report.reason:
                    raise PreviewError(f"{explain(report.reason)}; {_REMEDIES[Reason.CACHE_FULL]}")
    finally:
        pcm.close()
        _fill(pcm)


def _fill(pcm: Prefetch) -> None:
    """What the reader's thread does at a station."""
    while pcm.fill():
        pass


def _write_wav(path: Path, rate: int, frames: int, sound: Iterable[bytes]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            with wave.open(file, "wb") as wav:
                wav.setparams((1, SAMPLE_BYTES, rate, frames, "NONE", ""))
                for block in sound:
                    wav.writeframesraw(block)
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)


def _refuse_length(ms: int) -> None:
    if ms > PREVIEW_MS_MAX:
        minutes, most = -(-ms // MINUTE_MS), PREVIEW_MS_MAX // MINUTE_MS
        remedy = "loops = 1, hoặc ít bản tin hơn / or fewer items"
        raise PreviewError(
            f"loops, items: {minutes} phút / minutes, nghe thử tối đa / a preview {most} at most: {remedy}"
        )


def _place(job: Job, item: StagedItem) -> str:
    """How the item is found in the draft; what the station itself says stands in none."""
    return f"items[{job.items.index(item)}] ({item.title})" if item in job.items else item.title


def _as_refused(staged: ClipStaged, reason: Reason) -> ClipFailed:
    return ClipFailed(staged.key, reason, again=False, detail=f"{staged.duration_ms / SECOND_MS:.1f} s")


def _why(failed: ClipFailed) -> str:
    """As the station would name it, and what to do."""
    remedy = _REMEDIES.get(failed.reason)
    return f"{explain(failed.reason)} [{failed.reason}]: {failed.detail}" + (f"; {remedy}" if remedy else "")
