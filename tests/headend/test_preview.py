"""A preview is what a station would sound, frame by frame; where a station would be silent, the same reason is told."""

from __future__ import annotations

import errno
import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio import signals
from edge_agent.core.job import TextItem
from edge_agent.core.programme import ATTENTION, ATTENTION_MS, REHEARSAL_MS, REHEARSAL_WORDS, parts_of, text_key
from edge_agent.core.site import STANDARD
from edge_agent.core.units import ClipKey
from edge_agent.headend.drafting import DraftError
from edge_agent.headend.preview import PREVIEW_MS_MAX, PreviewError, Programme, Studio
from tests.audio.making import needs_decoder, needs_voice, sine
from tests.audio.player_rig import LEFT, VirtualRig, begin, feeds, until_ended
from tests.headend.preview_rig import (
    EMERGENCY,
    HEAD,
    RAMP,
    RATE,
    SPOKEN_FRAMES,
    SPOKEN_HZ,
    Samples,
    ToneVoice,
    heard,
    items,
    job_in,
    loudest_hz,
    put,
    real_stager,
    relaying,
    sounded,
    studio,
    tone,
)

PAUSE = RATE * 300 // 1_000
GAP = RATE // 2  # after a signal
REHEARSAL = """
class = "emergency"
event = "lu-quet"
rehearsal = true
areas = ["vn/ha-noi/dong-thanh"]
volume = 60
when = { at = 2026-10-06T09:00:00+07:00 }
"""


def test_recordings_join_at_the_very_next_frame_and_loops_have_their_gap(tmp_path: Path) -> None:
    low, high = tone(440, 100_003), tone(880, 300_007)
    put(tmp_path / "a.pcm", low)
    put(tmp_path / "b.pcm", high)
    where = studio(tmp_path)
    draft = f"{HEAD}loops = 2\ngap_s = 3\n" + items('file = "a.pcm"', 'file = "b.pcm"')
    sound = sounded(where, job_in(where, tmp_path, draft), tmp_path / "out.wav")
    once = np.concatenate([low, high])
    expected = np.concatenate([once, np.zeros(3 * RATE, np.int16), once])
    assert len(sound) == len(expected)
    assert np.array_equal(sound[RAMP:-RAMP], expected[RAMP:-RAMP])
    assert loudest_hz(sound[RAMP : len(low)]) == pytest.approx(440, abs=1)
    assert loudest_hz(sound[len(low) : len(once)]) == pytest.approx(880, abs=1)


def test_it_begins_and_ends_in_the_short_fade_of_a_station(tmp_path: Path) -> None:
    loud = np.full(RATE, 10_000, np.int16)
    put(tmp_path / "a.pcm", loud)
    where = studio(tmp_path)
    sound = sounded(where, job_in(where, tmp_path, HEAD + items('file = "a.pcm"')), tmp_path / "out.wav")
    rise, fall = sound[:RAMP], sound[-RAMP:]
    assert 0 < rise[0] < 100
    assert (np.diff(rise) > 0).all()
    assert (np.diff(fall) < 0).all()
    assert set(sound[RAMP:-RAMP].tolist()) == {10_000}


def test_an_emergency_sounds_after_the_attention_signal(tmp_path: Path) -> None:
    where = studio(tmp_path)
    sound = sounded(where, job_in(where, tmp_path, EMERGENCY + items('text = "Lũ!"')), tmp_path / "out.wav")
    signal = np.frombuffer(signals.attention(RATE), np.int16)
    assert len(signal) == ATTENTION_MS * RATE // 1_000
    words = len(signal) + GAP
    assert len(sound) == words + SPOKEN_FRAMES
    assert np.array_equal(sound[RAMP : len(signal)], signal[RAMP:])
    assert not sound[len(signal) : words].any()
    assert np.array_equal(sound[words:-RAMP], tone(SPOKEN_HZ, SPOKEN_FRAMES)[:-RAMP])


def test_a_rehearsal_says_what_it_is_first_and_last(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(880, RATE))
    voice = ToneVoice()
    where = studio(tmp_path, voice=voice)
    sound = sounded(where, job_in(where, tmp_path, REHEARSAL + items('file = "a.pcm"')), tmp_path / "out.wav")
    assert voice.said == [REHEARSAL_WORDS.text]
    first = REHEARSAL_MS * RATE // 1_000 + GAP
    item = first + SPOKEN_FRAMES + PAUSE
    last = item + RATE + PAUSE
    assert len(sound) == last + SPOKEN_FRAMES
    for at, frames, hz in ((first, SPOKEN_FRAMES, SPOKEN_HZ), (item, RATE, 880), (last, SPOKEN_FRAMES, SPOKEN_HZ)):
        assert np.array_equal(sound[at : at + frames - RAMP], tone(hz, frames)[:-RAMP])
        assert not sound[at - PAUSE : at].any()


def test_in_place_of_a_live_source_its_stand_in_is_heard_for_as_long_as_was_ordered(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE // 2))
    put(tmp_path / "b.pcm", tone(880, 3 * RATE))
    where = studio(tmp_path)
    job = relaying(where, tmp_path, HEAD + items('file = "a.pcm"', 'file = "b.pcm"'))
    sound = sounded(where, job, tmp_path / "out.wav")
    assert len(sound) == 2 * RATE + RATE // 2
    assert loudest_hz(sound[RATE // 2 :]) == pytest.approx(880, abs=1)
    assert np.array_equal(sound[RATE // 2 + RAMP : -RAMP], tone(880, 2 * RATE)[RAMP:-RAMP])


def test_a_live_source_without_a_stand_in_is_silence(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE // 2))
    put(tmp_path / "b.pcm", tone(880, RATE))
    where = studio(tmp_path)
    job = relaying(where, tmp_path, HEAD + items('file = "a.pcm"', 'file = "b.pcm"'), stand_in=False)
    sound = sounded(where, job, tmp_path / "out.wav")
    assert len(sound) == 2 * RATE + RATE // 2
    assert not sound[RATE // 2 :].any()


def test_the_parts_are_those_of_the_core(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 4_800))
    where = studio(tmp_path)
    job = job_in(where, tmp_path, HEAD + items('file = "a.pcm"', 'text = "Tin."'))
    programme = where.programme(job)
    _, words = job.items
    assert isinstance(words, TextItem)
    key = ClipKey(hashlib.sha256((tmp_path / "a.pcm").read_bytes()).hexdigest())
    assert programme.parts == parts_of(job, {key: 100, text_key(words): -(-SPOKEN_FRAMES // 48)})


def test_a_broken_file_has_the_reason_that_a_station_would_give(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 480))
    (tmp_path / "b.pcm").write_bytes(b"broken")
    with pytest.raises(DraftError) as caught:
        job_in(studio(tmp_path), tmp_path, HEAD + items('file = "a.pcm"', 'file = "b.pcm"'))
    assert caught.value.field == "items[1].file"
    assert (
        "[audio_unreadable]: Invalid data found; lưu lại thành MP3, FLAC, Ogg, M4A hoặc WAV 16 bit; "
        in caught.value.remedy
    )


def test_a_file_longer_than_the_draft_says_is_refused_as_at_a_station(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 3 * RATE))
    with pytest.raises(DraftError, match=r"^items\[0\]\.file: .*\[audio_too_long\]"):
        job_in(studio(tmp_path), tmp_path, HEAD + items('file = "a.pcm"\nduration_s = 1'))


def test_a_file_shorter_than_the_draft_says_is_refused_as_at_a_station(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 3 * RATE))
    with pytest.raises(DraftError, match=r"^items\[0\]\.file: .*\[audio_too_short\]: 3\.0 s; bỏ duration_s"):
        job_in(studio(tmp_path), tmp_path, HEAD + items('file = "a.pcm"\nduration_s = 5'))


def test_what_the_draft_says_of_a_length_is_not_changed(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE))
    (item,) = job_in(studio(tmp_path), tmp_path, HEAD + items('file = "a.pcm"\nduration_s = 1.5')).items
    assert item.duration_ms == 1_500


def test_a_language_without_a_voice_is_named_at_its_item(tmp_path: Path) -> None:
    where = studio(tmp_path)
    job = job_in(where, tmp_path, HEAD + items('text = "Tin."', 'text = "Nyob zoo"\nlanguage = "hmn"'))
    with pytest.raises(
        PreviewError, match=r"^items\[1\] \(1\): .*\[no_voice\]: no voice for 'hmn'; dùng language = .* / language = "
    ):
        where.programme(job)


def test_words_that_are_no_item_of_the_draft_are_called_by_their_name(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE))
    where = studio(tmp_path, voice=ToneVoice(speaks="en"))
    with pytest.raises(PreviewError, match=r"^Phát thử: .*\[no_voice\]"):
        where.programme(job_in(where, tmp_path, REHEARSAL + items('file = "a.pcm"')))


def test_a_signal_that_cannot_be_kept_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rate: int) -> bytes:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setitem(signals.SIGNALS, ATTENTION, refuse)
    where = studio(tmp_path)
    job = job_in(where, tmp_path, EMERGENCY + items('text = "Lũ!"'))
    with pytest.raises(PreviewError, match=r"^attention: .*\[cache_full\].*; dọn chỗ .* / make room .*TMPDIR"):
        where.programme(job)


DIGEST_ITEM = 'digest = "{}"\nlength = {}\nduration_s = {}\nurls = ["https://c.example/clip"]'


def signed_item(samples: bytes, seconds: float) -> str:
    return DIGEST_ITEM.format(hashlib.sha256(samples).hexdigest(), len(samples), seconds)


def test_audio_that_was_put_on_the_shelf_is_found_by_its_digest(tmp_path: Path) -> None:
    sound = tone(440, RATE)
    shelf = tmp_path / "content"
    shelf.mkdir()
    put(shelf / hashlib.sha256(sound.tobytes()).hexdigest(), sound)
    where = studio(tmp_path, shelf)
    job = job_in(where, tmp_path, HEAD + items(signed_item(sound.tobytes(), 1)))
    assert np.array_equal(sounded(where, job, tmp_path / "out.wav")[RAMP:-RAMP], sound[RAMP:-RAMP])
    assert list(where.files.values()) == [shelf / hashlib.sha256(sound.tobytes()).hexdigest()]


@pytest.mark.parametrize("shelf", [None, "content"])
def test_audio_that_is_not_here_is_asked_for(tmp_path: Path, shelf: str | None) -> None:
    where = studio(tmp_path, shelf and tmp_path / shelf)
    job = job_in(where, tmp_path, HEAD + items(signed_item(b"elsewhere", 1)))
    with pytest.raises(PreviewError, match=r"^items\[0\] \(0\): .* / its file is not here; .* --content-dir"):
        where.programme(job)


@pytest.mark.parametrize(("head", "heard"), [(HEAD, False), (EMERGENCY, True)], ids=["normal", "emergency"])
def test_audio_on_the_shelf_that_is_shorter_than_signed_is_heard_in_a_warning_alone(
    tmp_path: Path, head: str, heard: bool
) -> None:
    sound = tone(440, RATE).tobytes()
    shelf = tmp_path / "content"
    shelf.mkdir()
    (shelf / hashlib.sha256(sound).hexdigest()).write_bytes(sound)
    where = studio(tmp_path, shelf)
    job = job_in(where, tmp_path, head + items(signed_item(sound, 3)))
    if heard:
        assert where.programme(job).parts[-1].duration_ms == 1_000
        return
    with pytest.raises(PreviewError, match=r"^items\[0\] \(0\): .*\[audio_too_short\]"):
        where.programme(job)


def test_audio_on_the_shelf_that_was_altered_is_refused_as_at_a_station(tmp_path: Path) -> None:
    sound = tone(440, RATE).tobytes()
    shelf = tmp_path / "content"
    shelf.mkdir()
    (shelf / hashlib.sha256(sound).hexdigest()).write_bytes(sound[:-2] + b"!!")
    where = studio(tmp_path, shelf)
    with pytest.raises(PreviewError, match=r"\[audio_altered\]"):
        where.programme(job_in(where, tmp_path, HEAD + items(signed_item(sound, 1))))


@pytest.mark.parametrize(
    ("loops", "gap_s", "item", "minutes"),
    [
        (4, 1_200, 'file = "a.pcm"', 61),  # by what is signed already
        (3, 1_800, 'text = "Tin."', 61),  # only when it was spoken
    ],
)
def test_more_than_an_hour_is_refused_with_the_remedy(
    tmp_path: Path, loops: int, gap_s: int, item: str, minutes: int
) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE))
    where = studio(tmp_path)
    job = job_in(where, tmp_path, f"{HEAD}loops = {loops}\ngap_s = {gap_s}\n{items(item)}")
    with pytest.raises(PreviewError, match=rf"^loops, items: {minutes} phút / minutes, .* 60 at most: loops = 1"):
        where.programme(job)


def test_what_is_altered_under_the_preview_ends_it_and_the_old_file_stays(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 20 * RATE))
    where, out = studio(tmp_path), tmp_path / "out.wav"
    programme = where.programme(job_in(where, tmp_path, HEAD + items('file = "a.pcm"')))
    out.write_bytes(b"older")
    (staged,) = (tmp_path / "store").rglob("*.pcm")
    with staged.open("r+b") as file:
        file.seek(15 * RATE * 2)
        file.write(b"\xff\x7f")
    with pytest.raises(PreviewError, match="the audio does not match what was signed"):
        where.write(programme, out)
    assert out.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_is_not_there_is_the_callers_to_name(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE))
    where = studio(tmp_path)
    programme = where.programme(job_in(where, tmp_path, HEAD + items('file = "a.pcm"')))
    with pytest.raises(FileNotFoundError):
        where.write(programme, tmp_path / "nowhere" / "out.wav")


def test_the_longest_preview_is_what_a_ward_may_sound_in_a_day() -> None:
    assert STANDARD.day_ms == PREVIEW_MS_MAX


def left_of(rig: VirtualRig, programme: Programme) -> Samples:
    """What a station's own player, on a virtual card, sounds of a programme, from its first sample to its last."""
    begin(rig, "p", programme.parts, feeds(LEFT))
    until_ended(rig, "p")
    sound = rig.heard().samples[:, 0]
    loud = np.flatnonzero(sound)
    return sound[loud[0] : loud[-1] + 1]


def without_edges(sound: Samples) -> Samples:
    """A fade begins and ends in samples that may round to nothing."""
    loud = np.flatnonzero(sound)
    return sound[loud[0] : loud[-1] + 1]


@pytest.mark.parametrize(
    "draft",
    [
        f"{HEAD}loops = 3\ngap_s = 2\n" + items('file = "a.pcm"', 'text = "Tin."', 'file = "b.pcm"'),
        EMERGENCY + items('text = "Lũ!"', 'file = "b.pcm"'),
        REHEARSAL + items('file = "a.pcm"'),
    ],
    ids=["loops", "emergency", "rehearsal"],
)
def test_a_stations_own_player_sounds_the_same_samples(tmp_path: Path, draft: str) -> None:
    put(tmp_path / "a.pcm", tone(440, 100_003))
    put(tmp_path / "b.pcm", tone(880, 300_007))
    where = studio(tmp_path)
    programme = where.programme(job_in(where, tmp_path, draft))
    where.write(programme, tmp_path / "out.wav")
    station = VirtualRig(tmp_path / "store")
    assert np.array_equal(left_of(station, programme), without_edges(heard(tmp_path / "out.wav")))


@pytest.mark.host
@needs_decoder
@needs_voice
def test_real_audio_and_a_real_voice_lie_where_the_timeline_says(tmp_path: Path) -> None:
    sine(tmp_path / "a.mp3", 2, hz=440)
    sine(tmp_path / "b.flac", 1.5, hz=1_000)
    where = Studio(real_stager(tmp_path / "store"))
    draft = f"{HEAD}loops = 2\ngap_s = 1\n" + items('file = "a.mp3"', 'file = "b.flac"', 'text = "Xin chào bà con."')
    programme = where.programme(job_in(where, tmp_path, draft))
    where.write(programme, tmp_path / "out.wav")
    sound, starts, spans = heard(tmp_path / "out.wav"), programme.timeline.starts, programme.timeline.parts
    assert len(sound) == programme.timeline.frames
    assert [span.key is None for span in spans] == [False, False, True, False, True, False, False, True, False]
    for at, span, hz in ((starts[0], spans[0], 440), (starts[1], spans[1], 1_000), (starts[5], spans[5], 440)):
        assert loudest_hz(sound[at + RATE // 10 : at + span.frames - RATE // 10]) == pytest.approx(hz, abs=2)
    assert [starts[index] + spans[index].frames for index in range(8)] == list(starts[1:])
    assert starts[5] - starts[4] == RATE
    assert not sound[starts[4] : starts[5]].any()
    assert np.abs(sound[starts[8] :].astype(int)).max() > 3_000, "the voice is heard"


@pytest.mark.host
@needs_decoder
def test_noise_that_calls_itself_audio_is_refused_by_the_real_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(random.Random(7).randbytes(50_000))
    where = Studio(real_stager(tmp_path / "store"))
    with pytest.raises(DraftError, match=r"^items\[0\]\.file: .*\[audio_unreadable\]"):
        job_in(where, tmp_path, HEAD + items('file = "a.mp3"'))
