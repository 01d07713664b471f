"""A text becomes speech, or the reason says why not; nothing in it is taken for a command."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

import edge_agent
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import TEXT_CHARS_MAX, EspeakVoice, in_words, speakable
from edge_agent.core.reasons import Reason
from tests.audio.making import needs_voice, peak_dbfs

VOICE = EspeakVoice(Sandbox())
FLOOD_VI = "Cảnh báo lũ trên sông Hồng. Bà con di chuyển đến nơi cao ngay!"


def spoken(language: str, text: str, voice: EspeakVoice = VOICE) -> bytes:
    """The PCM of what was spoken, at the voice's own 22,050 frames per second."""
    wav = io.BytesIO()
    assert voice.speak(language, text, wav) is None
    wav.seek(0)
    with wave.open(wav) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        return file.readframes(file.getnframes())


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / 22_050


@pytest.mark.host
@needs_voice
def test_a_vietnamese_text_is_spoken() -> None:
    pcm = spoken("vi", FLOOD_VI)
    assert 3 < seconds(pcm) < 12
    assert peak_dbfs(pcm) > -12


@pytest.mark.host
@needs_voice
def test_vietnamese_and_english_are_spoken_by_different_voices() -> None:
    assert spoken("vi", "Xin chào") != spoken("en", "Xin chào")


@pytest.mark.host
@needs_voice
def test_the_configured_voice_and_pace_are_heard() -> None:
    southern, hurried = EspeakVoice(Sandbox(), "vi-vn-x-south"), EspeakVoice(Sandbox(), words_per_minute=300)
    assert spoken("vi", FLOOD_VI, southern) != spoken("vi", FLOOD_VI)
    assert seconds(spoken("vi", FLOOD_VI, hurried)) < 0.75 * seconds(spoken("vi", FLOOD_VI))


@pytest.mark.host
@needs_voice
def test_tones_are_heard_in_both_unicode_forms_alike() -> None:
    import unicodedata

    assert spoken("vi", unicodedata.normalize("NFD", FLOOD_VI)) == spoken("vi", FLOOD_VI)


@pytest.mark.host
@needs_voice
def test_the_longest_text_is_spoken_whole() -> None:
    sentence = "Ủy ban nhân dân phường thông báo lịch cắt điện. "
    text = (sentence * 50)[:TEXT_CHARS_MAX]
    one = seconds(spoken("vi", sentence))
    assert seconds(spoken("vi", text)) > one * (TEXT_CHARS_MAX // len(sentence)) * 0.8


@pytest.mark.host
@needs_voice
def test_a_text_that_looks_like_an_option_is_spoken() -> None:
    assert seconds(spoken("en", "--help -f /etc/passwd")) > 1


@pytest.mark.host
@needs_voice
def test_phoneme_brackets_and_markup_are_read_as_words_not_obeyed() -> None:
    assert spoken("en", "stop [[h@l'oU]] now") == spoken("en", "stop h@l'oU now")
    assert seconds(spoken("en", "wait <break time='60s'/> here")) < 15


@pytest.mark.host
@needs_voice
def test_without_the_sandbox_nobody_speaks() -> None:
    wav = io.BytesIO()
    trouble = EspeakVoice(Sandbox("/nonexistent/bwrap")).speak("vi", FLOOD_VI, wav)
    assert trouble is not None
    assert (trouble.reason, trouble.again) == (Reason.NO_VOICE, True)
    assert trouble.detail.startswith("no sandbox, so no voice: ")
    assert wav.getvalue() == b""


@pytest.mark.host
@needs_voice
def test_without_espeak_the_reason_names_it() -> None:
    trouble = EspeakVoice(Sandbox(), program="/usr/bin/no-espeak").speak("vi", FLOOD_VI, io.BytesIO())
    assert trouble is not None
    assert (trouble.reason, trouble.again) == (Reason.NO_VOICE, True)
    assert "/usr/bin/no-espeak" in trouble.detail


@pytest.mark.parametrize(
    ("tag", "voice"), [("vi", "vi"), ("vi-VN", "vi"), ("VI", "vi"), ("en", "en-gb"), ("en-US", "en-gb")]
)
def test_a_languages_region_makes_no_difference(tag: str, voice: str) -> None:
    assert VOICE.voice_for(tag) == voice


@pytest.mark.parametrize("tag", ["hmn", "", "x", "../vi", "v", "vietnamese", "-vi"])
def test_a_language_without_a_voice_is_named(tag: str) -> None:
    trouble = VOICE.speak(tag, FLOOD_VI, io.BytesIO())
    assert trouble is not None
    assert (trouble.reason, trouble.again) == (Reason.NO_VOICE, False)


@pytest.mark.parametrize("text", ["", " \n ", "…!?", "[]", "\x00\x07"])
def test_a_text_without_words_is_refused(text: str) -> None:
    trouble = VOICE.speak("vi", text, io.BytesIO())
    assert trouble is not None
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_UNREADABLE, False)


def test_a_text_longer_than_may_be_ordered_is_refused_not_cut() -> None:
    trouble = VOICE.speak("vi", "a " * 1_001, io.BytesIO())
    assert trouble is not None
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_TOO_LONG, False)


def test_what_is_spoken_is_words_in_paragraphs() -> None:
    assert speakable("  Một\thai \r\n\r\n[[ba]]\x1b[2J\n…\nbốn\u00a0năm\u200b") == "Một hai\n\nba 2J\n\nbốn năm"
    assert speakable("12\u200b5 people, warn\u00ading") == "125 people, warning"  # as it is seen


def test_a_vietnamese_text_is_spoken_in_words_whatever_its_region() -> None:
    assert in_words("UBND họp 7h30, quý IV.") == "Ủy ban nhân dân họp bảy giờ ba mươi, quý bốn."


def test_what_has_no_reading_is_left_to_the_voice_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    assert in_words("Lũ! XYZ rời nhà trước 16h.") == "Lũ! XYZ rời nhà trước mười sáu giờ."
    (note,) = caplog.messages
    assert note.startswith("left to the voice as it is written: “XYZ” (dòng 1, ký tự 5")


@pytest.mark.host
@needs_voice
def test_numbers_and_abbreviations_sound_as_their_words() -> None:
    assert spoken("vi-VN", "UBND họp 7h00") == spoken("vi", "Ủy ban nhân dân họp bảy giờ")


@pytest.mark.host
@needs_voice
@pytest.mark.host
@needs_voice
@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Họp lúc 7h.Mời dự", "Họp lúc bảy giờ. Mời dự"),
        ("Họp lúc 7h . mời dự", "Họp lúc bảy giờ. mời dự"),
        ("Họp (lúc 7h). mời dự", "Họp (lúc bảy giờ.) mời dự"),
    ],
)
def test_a_full_stop_is_no_word(text: str, same: str) -> None:
    """The voice says “chấm” of a stop that it does not take for the end of a sentence."""
    assert spoken("vi", text) == spoken("vi", same)


def test_a_text_in_another_language_is_spoken_as_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    assert spoken("en", "Meet at 7 UBND") != spoken("en", "Meet at bảy Ủy ban nhân dân")
    assert caplog.messages == []


def test_words_that_an_update_puts_right_are_no_longer_heard_as_they_were(tmp_path: Path) -> None:
    """Stations are updated from the sources, between two releases too: a daily bulletin would keep its old words."""
    installed = tmp_path / "edge_agent"
    shutil.copytree(Path(edge_agent.__file__).parent, installed, ignore=shutil.ignore_patterns("__pycache__"))
    before = stamp_of_installed(tmp_path)
    assert stamp_of_installed(tmp_path) == before
    with open(installed / "spoken" / "words_vi.toml", "a", encoding="utf-8") as words:
        words.write("\n# put right\n")
    assert stamp_of_installed(tmp_path) != before


def stamp_of_installed(where: Path) -> bytes:
    told = "import edge_agent.audio.speech as speech; print(speech.EspeakVoice(None).stamp)"
    return subprocess.run([sys.executable, "-c", told], cwd=where, check=True, capture_output=True).stdout
