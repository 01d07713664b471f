"""Recordings are heard before the voice is, and none that is missing or broken keeps a text silent."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import subprocess
import wave
from pathlib import Path

import pytest

from edge_agent.audio import stems
from edge_agent.audio.clip import ClipAltered
from edge_agent.audio.confined import Trouble
from edge_agent.audio.loudness import PEAK_DBTP_MAX, TARGET_LUFS, levelling, spoken
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.audio.stems import (
    JOIN_MS,
    LISTING_BYTES_MAX,
    PINNED_MS_MAX,
    STEM_BYTES_MAX,
    STEM_MS_MAX,
    RecordedFirst,
    missing,
    read_stems,
    recorded_first,
)
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.programme import SIGNAL_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.spoken.stems import STEMS_MAX, Spoken
from tests.audio.making import ESPEAK, ffmpeg, needs_decoder, needs_voice
from tests.audio.meter import lufs, true_peak_dbtp
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.voice import FakeVoice

RATE = 48_000
BREATH = bytes(JOIN_MS * RATE // 1_000 * 2)
GREETING, LEAVE = b"\x01\x02" * 4_000, b"\x03\x04" * 6_000
TEXT = "Kính thưa bà con! Lũ lên 5 m. Bà con rời nhà ngay."
BETWEEN = "Lũ lên năm mét."
LISTING = '[vi]\n"chao.wav" = "Kính thưa bà con!"\n"di.wav" = "Bà con rời nhà ngay."\n'
KEY = ClipKey("ee" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings, as a technician puts them there."""
    where = tmp_path / "stems"
    where.mkdir()
    (where / "stems.toml").write_text(LISTING)
    (where / "chao.wav").write_bytes(GREETING)
    (where / "di.wav").write_bytes(LEAVE)
    return where


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path / "state")


@pytest.fixture
def voice(folder: Path, store: PcmStore) -> RecordedFirst:
    return RecordedFirst(folder, Stager(store, PlainDecoder(), PlainVoice(), RATE))


def said(voice: RecordedFirst, text: str = TEXT, language: str = "vi") -> bytes:
    """The PCM of what was joined."""
    wav = io.BytesIO()
    assert voice.speak(language, text, wav) is None
    wav.seek(0)
    with wave.open(wav) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return file.readframes(file.getnframes())


def by_the_voice(text: str) -> bytes:
    """What ``PlainVoice`` makes of a text."""
    return text.encode("utf-16-le")


def test_recordings_and_the_voice_follow_each_other_with_a_breath_between(voice: RecordedFirst) -> None:
    assert said(voice) == GREETING + BREATH + by_the_voice(BETWEEN) + BREATH + LEAVE


def test_a_text_that_is_all_recorded_needs_no_voice(voice: RecordedFirst) -> None:
    assert isinstance(voice.plain.voice, PlainVoice)
    voice.plain.voice.trouble = Trouble(Reason.NO_VOICE, again=True, detail="hoarse")
    assert said(voice, "Kính thưa bà con, bà con rời nhà ngay".replace(", b", ". B")) == GREETING + BREATH + LEAVE


def test_a_text_of_which_the_voice_cannot_say_its_part_is_not_half_said(voice: RecordedFirst) -> None:
    hoarse = Trouble(Reason.NO_VOICE, again=True, detail="hoarse")
    assert isinstance(voice.plain.voice, PlainVoice)
    voice.plain.voice.trouble = hoarse
    wav = io.BytesIO()
    assert voice.speak("vi", TEXT, wav) == hoarse
    assert wav.getvalue() == b""


def test_where_nothing_fits_the_voice_has_the_text_and_the_file_to_itself(voice: RecordedFirst) -> None:
    wav = io.BytesIO()
    assert voice.speak("vi", "UBND họp 7h30.", wav) is None
    assert wav.getvalue() == by_the_voice("UBND họp 7h30.")


def test_a_station_without_recordings_speaks(voice: RecordedFirst, folder: Path, tmp_path: Path) -> None:
    bare = RecordedFirst(tmp_path / "nowhere", voice.plain)
    assert bare.pieces("vi", TEXT) == (Spoken(TEXT),)
    (folder / "stems.toml").unlink()
    assert voice.pieces("vi", TEXT) == (Spoken(TEXT),)


def spoil(path: Path, how: str) -> None:
    match how:
        case "missing":
            path.unlink()
        case "a folder":
            path.unlink()
            path.mkdir()
        case "a pipe":
            path.unlink()
            os.mkfifo(path)
        case "a link":
            path.rename(path.with_name("elsewhere"))
            path.symlink_to("elsewhere")
        case "too large":
            os.truncate(path, STEM_BYTES_MAX + 1)


@pytest.mark.parametrize("how", ["missing", "a folder", "a pipe", "a link", "too large"])
def test_a_recording_that_cannot_be_read_is_named_and_the_voice_says_its_words(
    voice: RecordedFirst, folder: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    spoil(folder / "di.wav", how)
    assert [fault.split(":")[0] for fault in missing(folder, read_stems(folder))] == ["di.wav"]
    left = f"{BETWEEN} Bà con rời nhà ngay."
    assert said(voice) == GREETING + BREATH + by_the_voice(left)
    (note,) = caplog.messages
    assert note.startswith(f"recorded stem not used file={folder}/di.wav error=")
    assert note.endswith(" next=the voice says it")


def test_a_recording_that_cannot_be_decoded_is_named_with_the_reason(
    voice: RecordedFirst, caplog: pytest.LogCaptureFixture
) -> None:
    decoder = voice.plain.decoder
    assert isinstance(decoder, PlainDecoder)
    decoder.trouble = Trouble(Reason.AUDIO_SILENT, again=False, detail="-70.0 LUFS")
    assert voice.pieces("vi", TEXT) == (Spoken(TEXT),)
    assert [note.partition(" file=")[0] for note in caplog.messages] == ["recorded stem not used"] * 2
    assert all("reason=audio_silent detail=-70.0 LUFS next=the voice says it" in note for note in caplog.messages)


def test_a_recording_has_thirty_seconds(voice: RecordedFirst, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    stage = Stager.stage_clip

    def remembering(
        stager: Stager, key: ClipKey, original: Path, duration_ms: int, *, pinned: bool
    ) -> ClipStaged | ClipFailed:
        asked.append(duration_ms)
        return stage(stager, key, original, duration_ms, pinned=pinned)

    monkeypatch.setattr(Stager, "stage_clip", remembering)
    said(voice)
    assert set(asked) == {STEM_MS_MAX} == {30_000}


def test_a_recording_is_decoded_once_and_rot_in_what_was_kept_is_healed(voice: RecordedFirst, tmp_path: Path) -> None:
    decoder = voice.plain.decoder
    assert isinstance(decoder, PlainDecoder)
    voice.prepare()
    assert decoder.seen == [GREETING, LEAVE]
    whole = said(voice)
    assert len(decoder.seen) == 3, "the voice's alone"
    for kept in (tmp_path / "state" / "pinned").glob("*.pcm"):
        kept.write_bytes(b"\xff" + kept.read_bytes()[1:])
    assert said(voice) == whole
    assert len(decoder.seen) == 6, "both anew"
    said(voice)
    assert len(decoder.seen) == 7, "once"


def digest(sound: bytes) -> str:
    return hashlib.sha256(sound).hexdigest()


def test_recordings_stay_ready_when_all_else_has_gone_for_new_programmes(voice: RecordedFirst, store: PcmStore) -> None:
    """They are the longest unused of all on the day of the flood."""
    decoder = voice.plain.decoder
    assert isinstance(decoder, PlainDecoder)
    voice.prepare()
    store.evict_to(0, set())
    assert decoder.seen == [GREETING, LEAVE]
    said(voice)
    assert len(decoder.seen) == 3, "the voice's alone"


def test_recordings_that_were_made_ready_where_they_could_go_are_made_to_stay(
    voice: RecordedFirst, store: PcmStore
) -> None:
    said(voice)
    assert store.pinned() == set()
    voice.prepare()
    assert store.pinned() == {digest(GREETING), digest(LEAVE)}


def test_what_is_in_the_folder_no_more_takes_no_room_and_the_signals_stay(
    voice: RecordedFirst, folder: Path, store: PcmStore
) -> None:
    voice.plain.ensure_pinned()
    voice.prepare()
    (folder / "di.wav").unlink()
    (folder / "chao.wav").write_bytes(LEAVE + LEAVE)
    voice.prepare()
    assert store.pinned() == {*SIGNAL_MS, digest(LEAVE + LEAVE)}


def test_so_much_of_it_stays_ready_and_the_rest_is_heard_all_the_same(
    voice: RecordedFirst,
    folder: Path,
    store: PcmStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first of the listing; also where another order of it had others there before."""
    caplog.set_level(logging.INFO)
    voice.prepare()
    monkeypatch.setattr(stems, "PINNED_MS_MAX", STEM_MS_MAX)
    (folder / "stems.toml").write_text('[vi]\n"di.wav" = "Bà con rời nhà ngay."\n"chao.wav" = "Kính thưa bà con!"\n')
    voice.prepare()
    assert store.pinned() == {digest(LEAVE)}
    assert said(voice) == GREETING + BREATH + by_the_voice(BETWEEN) + BREATH + LEAVE
    assert caplog.messages[-1] == f"recorded stems ready=2 of=2 kept=1 folder={folder}"


def test_what_stays_ready_is_little_beside_a_card() -> None:
    assert PINNED_MS_MAX * 96 <= 200_000_000
    assert PINNED_MS_MAX >= STEMS_MAX * 10_000


def test_a_card_that_lets_nothing_go_ends_nothing(
    voice: RecordedFirst, store: PcmStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    voice.prepare()
    (folder / "di.wav").unlink()
    monkeypatch.setattr(PcmStore, "unpin", refuse)
    voice.prepare()
    assert said(voice).startswith(GREETING)


def test_what_is_lost_while_it_is_joined_leaves_all_to_the_voice(
    voice: RecordedFirst, store: PcmStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def rotten(key: ClipKey) -> None:
        raise ClipAltered(key, 0)

    voice.prepare()
    pieces = voice.pieces("vi", TEXT)
    monkeypatch.setattr(RecordedFirst, "pieces", lambda *_: pieces)
    monkeypatch.setattr(RecordedFirst, "_play", lambda *_: rotten(KEY))
    wav = io.BytesIO()
    assert voice.speak("vi", TEXT, wav) is None
    assert wav.getvalue() == by_the_voice(TEXT)
    assert "next=the voice says all of it" in caplog.messages[-1]


def test_a_file_that_goes_between_the_plan_and_its_turn_leaves_all_to_the_voice(
    voice: RecordedFirst, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = voice.pieces("vi", TEXT)
    monkeypatch.setattr(RecordedFirst, "pieces", lambda *_: pieces)
    (folder / "di.wav").unlink()
    wav = io.BytesIO()
    assert voice.speak("vi", TEXT, wav) is None
    assert wav.getvalue() == by_the_voice(TEXT)


def test_making_ready_tells_what_is_wrong_and_how_many_are_well(
    voice: RecordedFirst, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (folder / "stems.toml").write_text(f'{LISTING}"so.wav" = "Họp 5/7."\n"mat.wav" = "Xin hết."\n')
    voice.prepare()
    left_out, gone, ready = caplog.messages
    assert left_out.startswith("recorded stem left out: so.wav: không đọc được")
    assert gone.startswith(f"recorded stem not used file={folder}/mat.wav error=")
    assert ready == f"recorded stems ready=2 of=3 kept=2 folder={folder}"


@pytest.mark.parametrize("listing", [b"\xff\xfe", b"[vi", b"x" * (LISTING_BYTES_MAX + 1)])
def test_a_listing_that_cannot_be_used_is_told_and_the_voice_speaks(
    voice: RecordedFirst, folder: Path, listing: bytes
) -> None:
    (folder / "stems.toml").write_bytes(listing)
    assert len(read_stems(folder).faults) == 1
    assert voice.pieces("vi", TEXT) == (Spoken(TEXT),)


def test_what_is_put_into_the_folder_counts_from_the_next_text_on(voice: RecordedFirst, folder: Path) -> None:
    said(voice)
    (folder / "stems.toml").write_text(f'{LISTING}"lu.wav" = "Lũ lên 5 m."\n')
    (folder / "lu.wav").write_bytes(b"\x05\x06" * 100)
    assert said(voice) == GREETING + BREATH + b"\x05\x06" * 100 + BREATH + LEAVE


# The stamp


def change(folder: Path, how: str) -> None:
    match how:
        case "another recording":
            (folder / "di.wav").write_bytes(LEAVE + LEAVE)
        case "a recording anew":
            os.utime(folder / "di.wav", ns=(1, 1))
        case "a recording gone":
            (folder / "di.wav").unlink()
        case "other words":
            (folder / "stems.toml").write_text(LISTING.replace("rời nhà ngay", "ở trong nhà"))
        case "no listing":
            (folder / "stems.toml").unlink()


CHANGES = ["another recording", "a recording anew", "a recording gone", "other words", "no listing"]


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_in_the_folder_changes_the_stamp(voice: RecordedFirst, folder: Path, how: str) -> None:
    before = voice.stamp
    change(folder, how)
    assert voice.stamp != before


def test_what_was_spoken_before_a_recording_was_changed_is_spoken_anew_and_else_it_stays(
    voice: RecordedFirst, folder: Path, store: PcmStore
) -> None:
    stager = recorded_first(voice.plain, folder)

    def sound() -> bytes:
        assert isinstance(stager.stage_text(KEY, "vi", TEXT), ClipStaged)
        with store.open(KEY) as clip:
            return clip.read(0, clip.frames)

    decoder = voice.plain.decoder
    assert isinstance(decoder, PlainDecoder)
    first, decoded = sound(), len(decoder.seen)
    assert sound() == first
    assert len(decoder.seen) == decoded
    assert first.endswith(BREATH + LEAVE)
    (folder / "di.wav").write_bytes(b"\x07\x08" * 500)
    assert sound().endswith(BREATH + b"\x07\x08" * 500)


def test_what_another_voice_has_spoken_is_spoken_anew(store: PcmStore) -> None:
    decoder = PlainDecoder()
    for stamp in ("ab" * 8, "ab" * 8, "cd" * 8, ""):
        stager = Stager(store, decoder, PlainVoice(stamp=stamp), RATE)
        assert isinstance(stager.stage_text(KEY, "vi", TEXT), ClipStaged)
    assert len(decoder.seen) == 3


# Real parts


@pytest.mark.host
@needs_decoder
@needs_voice
def test_a_quiet_recording_and_the_voice_are_heard_alike(tmp_path: Path) -> None:
    """A telephone's recording, 15 dB too quiet, beside the station's own voice."""
    stems = tmp_path / "stems"
    stems.mkdir()
    words = "Ủy ban nhân dân xã Đồng Thanh thông báo, kính mời bà con chú ý đón nghe"
    subprocess.run([ESPEAK, "-v", "vi-vn-x-south", "-w", str(tmp_path / "a.wav"), words], check=True, timeout=60)
    ffmpeg("-i", tmp_path / "a.wav", "-filter:a", "volume=-15dB", "-b:a", "64k", stems / "chao.mp3")
    (stems / "stems.toml").write_text(f'[vi]\n"chao.mp3" = "{words}."\n')
    store, walls = PcmStore(tmp_path / "state"), Sandbox()
    plain = Stager(store, levelling(walls, store.scratch), EspeakVoice(walls), RATE, spoken(walls))
    stager = recorded_first(plain, stems)
    assert isinstance(
        stager.stage_text(KEY, "vi", f"{words}. Lũ lên nhanh, bà con rời nhà ngay trong đêm nay."), ClipStaged
    )
    with store.open(KEY) as clip:
        pcm = clip.read(0, clip.frames)
    gap = pcm.index(BREATH) // 2 * 2  # of whole frames
    person, machine = pcm[:gap], pcm[gap:]
    assert len(person) > 3 * RATE
    assert len(machine) > 3 * RATE
    assert lufs(person) == pytest.approx(TARGET_LUFS, abs=1.5)
    assert lufs(machine) == pytest.approx(lufs(person), abs=3.5)
    assert true_peak_dbtp(pcm) <= PEAK_DBTP_MAX + 0.3


def test_a_text_longer_than_may_be_ordered_is_refused_whatever_of_it_is_recorded(tmp_path: Path, folder: Path) -> None:
    fake = FakeVoice()
    voice = RecordedFirst(folder, Stager(PcmStore(tmp_path / "state"), PlainDecoder(), fake, RATE))
    trouble = voice.speak("vi", "Kính thưa bà con! " + "Nước lên. " * 200, io.BytesIO())
    assert trouble is not None
    assert (trouble.reason, trouble.again, fake.said) == (Reason.AUDIO_TOO_LONG, False, [])
