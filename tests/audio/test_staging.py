"""Sound is staged when it is what was signed, and every other end has its name."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio import signals
from edge_agent.audio.clip import BLOCK_BYTES
from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import FfmpegDecoder, Sink
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.job import TextItem
from edge_agent.core.programme import ATTENTION, ATTENTION_MS, DURATION_TOLERANCE_MS, SIGNAL_MS, text_key, unlike
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.making import heard_hz, needs_decoder, needs_voice, peak_dbfs, sine
from tests.audio.test_pcm_store import on_a_bad_sector

RATE = 48_000
EVERY_SIGNAL = tuple(ClipStaged(key, ms) for key, ms in SIGNAL_MS.items())
TEXT = TextItem("Lũ", "thien-tai", "vi", "UBND", "An", "Cảnh báo lũ. Bà con di chuyển đến nơi cao ngay!")


@dataclass
class PlainDecoder:
    """Takes a file for PCM as it is. Remembers what reached it; ``meanwhile`` happens while it is at work."""

    seen: list[bytes] = field(default_factory=list)
    trouble: Trouble | None = None
    refusal: OSError | None = None
    meanwhile: list[tuple[Path, bytes]] = field(default_factory=list)

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        # By its descriptor, as a child would: what is still buffered here it cannot see.
        size = os.fstat(source.fileno()).st_size
        self.seen.append(os.pread(source.fileno(), size, 0))
        into.feed(self.seen[-1])
        if self.refusal:
            raise self.refusal
        for path, data in self.meanwhile:
            path.write_bytes(data)
        return self.trouble


@dataclass
class PlainVoice:
    """Writes what it is told to say as if that were sound."""

    trouble: Trouble | None = None
    stamp: str = "ab" * 8

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        wav.write(text.encode("utf-16-le"))
        return self.trouble


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path / "state")


@pytest.fixture
def real(store: PcmStore) -> Stager:
    return Stager(store, FfmpegDecoder(Sandbox()), EspeakVoice(Sandbox()), RATE)


def plain(store: PcmStore, decoder: PlainDecoder, voice: PlainVoice | None = None, rate: int = RATE) -> Stager:
    return Stager(store, decoder, voice or PlainVoice(), rate)


def original(tmp_path: Path, data: bytes) -> tuple[ClipKey, Path]:
    path = tmp_path / "original"
    path.write_bytes(data)
    return key_of(data), path


def key_of(data: bytes) -> ClipKey:
    return ClipKey(hashlib.sha256(data).hexdigest())


def sound_of(store: PcmStore, key: ClipKey) -> bytes:
    with store.open(key) as clip:
        return clip.read(0, clip.frames)


def nothing_is_left(tmp_path: Path) -> bool:
    return not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]


@pytest.mark.host
@needs_decoder
def test_a_signed_clip_is_staged_with_the_length_that_it_really_has(
    real: Stager, store: PcmStore, tmp_path: Path
) -> None:
    path = sine(tmp_path / "clip.mp3", 3)
    key = key_of(path.read_bytes())
    staged = real.stage_clip(key, path, 3_000)
    assert isinstance(staged, ClipStaged)
    assert staged.key == key
    pcm = sound_of(store, key)
    assert staged.duration_ms == -(-len(pcm) // 2 * 1_000 // RATE)
    assert staged.duration_ms == pytest.approx(3_000, abs=150)
    assert heard_hz(pcm[RATE:-RATE], RATE) == pytest.approx(440, abs=2)


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", ["a.mp3", "a.aac", "a.ogg", "a.wav", "a.flac"])
def test_a_clip_cut_off_in_its_middle_is_staged_as_long_as_it_is_which_is_not_what_was_signed(
    real: Stager, tmp_path: Path, name: str
) -> None:
    """Whether it plays then is the core's to say: a warning does."""
    path = sine(tmp_path / name, 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    staged = real.stage_clip(key_of(path.read_bytes()), path, 10_000)
    assert isinstance(staged, ClipStaged), staged
    assert 3_000 < staged.duration_ms < 7_000
    assert unlike(10_000, staged.duration_ms) is Reason.AUDIO_TOO_SHORT


@pytest.mark.host
@needs_decoder
def test_a_clip_longer_than_signed_is_refused_and_leaves_nothing(real: Stager, tmp_path: Path) -> None:
    path = sine(tmp_path / "clip.mp3", 10)
    failed = real.stage_clip(key_of(path.read_bytes()), path, 10_000 - DURATION_TOLERANCE_MS - 500)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_TOO_LONG, False)
    assert nothing_is_left(tmp_path)


@pytest.mark.host
@needs_decoder
def test_signed_noise_is_unreadable_and_leaves_nothing(real: Stager, tmp_path: Path) -> None:
    key, path = original(tmp_path, random.Random(3).randbytes(100_000))
    failed = real.stage_clip(key, path, 10_000)
    assert isinstance(failed, ClipFailed)
    assert (failed.key, failed.reason, failed.again) == (key, Reason.AUDIO_UNREADABLE, False)
    assert nothing_is_left(tmp_path)


@pytest.mark.host
@needs_decoder
@needs_voice
def test_an_emergency_text_is_spoken_at_the_cards_rate(real: Stager, store: PcmStore) -> None:
    key = text_key(TEXT)
    staged = real.stage_text(key, TEXT.language, TEXT.text)
    assert isinstance(staged, ClipStaged)
    assert 2_000 < staged.duration_ms < 12_000
    assert peak_dbfs(sound_of(store, key)) > -12
    with store.open(key) as clip:
        assert clip.rate == RATE


@pytest.mark.host
@needs_decoder
@needs_voice
def test_a_language_nobody_speaks_here_is_named(real: Stager, tmp_path: Path) -> None:
    failed = real.stage_text(key_of(b"x"), "hmn", "Nyob zoo")
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.NO_VOICE, False)
    assert nothing_is_left(tmp_path)


def test_the_attention_signal_is_there_after_the_first_start(store: PcmStore) -> None:
    assert ClipStaged(ATTENTION, ATTENTION_MS) in plain(store, PlainDecoder()).ensure_pinned()
    assert len(sound_of(store, ATTENTION)) == ATTENTION_MS * RATE // 1_000 * 2


def test_every_signal_is_rendered_once_and_never_evicted(store: PcmStore, tmp_path: Path) -> None:
    stager = plain(store, PlainDecoder())
    assert stager.ensure_pinned() == EVERY_SIGNAL
    files = [tmp_path / "state" / "pinned" / f"{key}.pcm" for key in SIGNAL_MS]
    written = [path.stat().st_ino for path in files]
    assert stager.ensure_pinned() == EVERY_SIGNAL
    assert [path.stat().st_ino for path in files] == written
    store.evict_to(0, set())
    assert {key: len(sound_of(store, key)) for key in SIGNAL_MS} == {
        key: ms * RATE // 1_000 * 2 for key, ms in SIGNAL_MS.items()
    }


@pytest.mark.parametrize("key", SIGNAL_MS)
def test_a_rotten_or_truncated_signal_is_rendered_anew(store: PcmStore, tmp_path: Path, key: ClipKey) -> None:
    stager = plain(store, PlainDecoder())
    stager.ensure_pinned()
    good = sound_of(store, key)
    path = tmp_path / "state" / "pinned" / f"{key}.pcm"
    for rotten in (good[:-1] + b"\xff", good[:1_000], b""):
        path.write_bytes(rotten)
        assert stager.ensure_pinned() == EVERY_SIGNAL
        assert sound_of(store, key) == good


@pytest.mark.parametrize("key", SIGNAL_MS)
def test_a_signal_of_another_length_is_not_the_signal(store: PcmStore, key: ClipKey) -> None:
    with store.writer(key, RATE, pinned=True) as writer:
        writer.feed(bytes(RATE))
        writer.commit()
    assert plain(store, PlainDecoder()).ensure_pinned() == EVERY_SIGNAL


def test_a_signal_that_cannot_be_written_keeps_no_other_from_its_place(
    store: PcmStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(rate: int) -> bytes:
        raise OSError(errno.EIO, "worn out")

    monkeypatch.setitem(signals.SIGNALS, ATTENTION, refuse)
    failed, *others = plain(store, PlainDecoder()).ensure_pinned()
    assert isinstance(failed, ClipFailed)
    assert (failed.key, failed.reason) == (ATTENTION, Reason.AUDIO_UNREADABLE)
    assert tuple(others) == EVERY_SIGNAL[1:]


@pytest.mark.parametrize("key", SIGNAL_MS)
def test_a_signal_whose_digests_lie_on_a_bad_sector_is_rendered_anew(
    store: PcmStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: ClipKey
) -> None:
    stager = plain(store, PlainDecoder())
    stager.ensure_pinned()
    on_a_bad_sector(monkeypatch, tmp_path / "state" / "pinned" / f"{key}.blocks")
    assert stager.ensure_pinned() == EVERY_SIGNAL
    assert len(sound_of(store, key)) == SIGNAL_MS[key] * RATE // 1_000 * 2


def test_sound_whose_digests_lie_on_a_bad_sector_is_staged_anew(
    store: PcmStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path = original(tmp_path, b"signed sound")
    stager = plain(store, decoder := PlainDecoder())
    first = stager.stage_clip(key, path, 1_000)
    on_a_bad_sector(monkeypatch, tmp_path / "state" / "pcm" / f"{key}.blocks")
    assert stager.stage_clip(key, path, 1_000) == first
    assert (sound_of(store, key), len(decoder.seen)) == (b"signed sound", 2)


def test_whole_sound_on_a_card_that_takes_nothing_more_is_still_played(
    store: PcmStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worn card goes read-only: when the sound was last used cannot be noted, and that is no reason for silence."""

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    key, path = original(tmp_path, b"signed sound")
    stager = plain(store, decoder := PlainDecoder())
    first = stager.stage_clip(key, path, 1_000)
    monkeypatch.setattr(os, "utime", refuse)
    assert stager.stage_clip(key, path, 1_000) == stager.lying(key) == first
    assert len(decoder.seen) == 1


def test_another_card_gets_its_own_rate(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, bytes(9_600))
    for rate in (48_000, 44_100):
        stager = plain(store, PlainDecoder(), rate=rate)
        stager.ensure_pinned()
        stager.stage_clip(key, path, 100)
        with store.open(ATTENTION) as signal, store.open(key) as clip:
            assert (signal.rate, clip.rate) == (rate, rate)


def test_a_swapped_original_never_reaches_the_decoder(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")
    path.write_bytes(b"sound of somebody else")
    decoder = PlainDecoder()
    failed = plain(store, decoder).stage_clip(key, path, 1_000)
    assert isinstance(failed, ClipFailed)
    assert (failed.key, failed.reason, failed.again) == (key, Reason.AUDIO_ALTERED, True)
    assert decoder.seen == []
    assert nothing_is_left(tmp_path)


def test_an_original_altered_while_it_is_decoded_is_not_kept(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")
    failed = plain(store, PlainDecoder(meanwhile=[(path, b"altered now.")])).stage_clip(key, path, 1_000)
    assert isinstance(failed, ClipFailed)
    assert failed.reason is Reason.AUDIO_ALTERED
    assert nothing_is_left(tmp_path)


def test_an_original_replaced_while_it_is_decoded_changes_nothing(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")

    class Replacing(PlainDecoder):
        def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
            (tmp_path / "other").write_bytes(b"other sound!")
            os.replace(tmp_path / "other", path)
            return super().decode(source, into, ms_max)

    assert isinstance(plain(store, Replacing()).stage_clip(key, path, 1_000), ClipStaged)
    assert sound_of(store, key) == b"signed sound"


def test_a_clip_that_lies_there_intact_is_not_decoded_again(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")
    decoder = PlainDecoder()
    stager = plain(store, decoder)
    first = stager.stage_clip(key, path, 1_000)
    path.unlink()
    assert stager.stage_clip(key, path, 1_000) == first == ClipStaged(key, 1)
    assert len(decoder.seen) == 1


def test_a_clip_that_is_asked_for_again_counts_as_used(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")
    stager = plain(store, PlainDecoder())
    stager.stage_clip(key, path, 1_000)
    blocks = tmp_path / "state" / "pcm" / f"{key}.blocks"
    os.utime(blocks, (1_000, 1_000))
    stager.stage_clip(key, path, 1_000)
    assert blocks.stat().st_mtime > 1_000


def test_a_flipped_bit_in_a_staged_clip_is_healed_by_staging_again(store: PcmStore, tmp_path: Path) -> None:
    sound = random.Random(5).randbytes(3 * BLOCK_BYTES)
    key, path = original(tmp_path, sound)
    stager = plain(store, PlainDecoder())
    stager.stage_clip(key, path, 10_000)
    with open(tmp_path / "state" / "pcm" / f"{key}.pcm", "r+b") as file:
        file.seek(2 * BLOCK_BYTES + 9)
        file.write(bytes([sound[2 * BLOCK_BYTES + 9] ^ 1]))
    assert isinstance(stager.stage_clip(key, path, 10_000), ClipStaged)
    assert sound_of(store, key) == sound


def test_a_fetched_file_that_is_gone_is_named(store: PcmStore, tmp_path: Path) -> None:
    failed = plain(store, PlainDecoder()).stage_clip(key_of(b"x"), tmp_path / "gone", 1_000)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREACHABLE, True)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, Reason.CACHE_FULL),
        (errno.EDQUOT, Reason.CACHE_FULL),
        (errno.EIO, Reason.AUDIO_UNREADABLE),
        (errno.EROFS, Reason.AUDIO_UNREADABLE),
    ],
)
def test_a_disk_that_refuses_is_named_and_tried_again(
    store: PcmStore, tmp_path: Path, number: int, reason: Reason
) -> None:
    key, path = original(tmp_path, b"signed sound")
    decoder = PlainDecoder(refusal=OSError(number, os.strerror(number)))
    failed = plain(store, decoder).stage_clip(key, path, 1_000)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (reason, True)
    assert os.strerror(number) in failed.detail
    assert nothing_is_left(tmp_path)


def test_a_clip_for_which_the_disk_has_no_room_is_not_begun(store: PcmStore, tmp_path: Path) -> None:
    key, path = original(tmp_path, b"signed sound")
    decoder = PlainDecoder()
    longer_than_any_disk_ms = 10**15
    failed = plain(store, decoder).stage_clip(key, path, longer_than_any_disk_ms)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.CACHE_FULL, True)
    assert decoder.seen == []


@pytest.mark.parametrize("where", ["voice", "decoder"])
def test_trouble_with_a_text_keeps_its_name_and_leaves_nothing(store: PcmStore, tmp_path: Path, where: str) -> None:
    trouble = Trouble(Reason.NO_VOICE, again=True, detail="hoarse")
    decoder = PlainDecoder(trouble=trouble if where == "decoder" else None)
    voice = PlainVoice(trouble if where == "voice" else None)
    failed = plain(store, decoder, voice).stage_text(text_key(TEXT), "vi", TEXT.text)
    assert failed == ClipFailed(text_key(TEXT), Reason.NO_VOICE, again=True, detail="hoarse")
    assert nothing_is_left(tmp_path)


def test_all_of_a_spoken_text_reaches_the_decoder(store: PcmStore) -> None:
    decoder = PlainDecoder()
    assert isinstance(plain(store, decoder).stage_text(text_key(TEXT), "vi", TEXT.text), ClipStaged)
    assert decoder.seen == [TEXT.text.encode("utf-16-le")]
