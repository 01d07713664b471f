"""What whoever speaks must do (``speech.Voice``): a fake, the station's own, and recordings before each of them.

A better voice joins the list, and fits when nothing else here changes.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import Sink
from edge_agent.audio.loudness import levelling, spoken
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import TEXT_CHARS_MAX, EspeakVoice, Voice
from edge_agent.audio.staging import Stager
from edge_agent.audio.stems import RecordedFirst
from edge_agent.core.reasons import Reason
from tests.audio.making import needs_decoder, needs_voice, sine
from tests.fakes.voice import FakeVoice

RATE = 48_000
FLOOD = "Cảnh báo lũ trên sông Hồng. Bà con di chuyển đến nơi cao ngay!"
Make = Callable[[Path], Voice]


class PlainWav:
    """A ``Decoder`` of WAV alone that leaves its rate as it is."""

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        source.seek(0)
        with wave.open(source, "rb") as file:
            into.feed(file.readframes(file.getnframes()))
        return None


def recorded(folder: Path, plain: Stager) -> RecordedFirst:
    """A folder with one stem, which is the first clause of the flood warning."""
    folder.mkdir()
    sine(folder / "lu.wav", 1)
    (folder / "stems.toml").write_text('[vi]\n"lu.wav" = "Cảnh báo lũ trên sông Hồng."\n')
    return RecordedFirst(folder, plain)


def fake(_: Path) -> Voice:
    return FakeVoice()


def before_the_fake(folder: Path) -> Voice:
    return recorded(folder / "stems", Stager(PcmStore(folder), PlainWav(), FakeVoice(), RATE))


def espeak(_: Path) -> Voice:
    return EspeakVoice(Sandbox())


def before_espeak(folder: Path) -> Voice:
    store, walls = PcmStore(folder), Sandbox()
    return recorded(
        folder / "stems",
        Stager(store, levelling(walls, store.scratch), EspeakVoice(walls), RATE, spoken(walls)),
    )


REAL = [pytest.mark.host, needs_decoder, needs_voice]


@pytest.fixture(
    params=[
        fake,
        pytest.param(before_the_fake, marks=[pytest.mark.host, needs_decoder]),
        pytest.param(espeak, marks=REAL),
        pytest.param(before_espeak, marks=REAL),
    ],
    ids=lambda make: make.__name__,
)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Voice:
    make: Make = request.param
    return make(tmp_path)


@dataclass(frozen=True)
class Said:
    rate: int
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate


def said(voice: Voice, text: str, language: str = "vi") -> Said:
    """What it says, as whoever reads its file hears it."""
    wav = io.BytesIO()
    assert voice.speak(language, text, wav) is None
    wav.seek(0)
    with wave.open(wav) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return Said(file.getframerate(), file.readframes(file.getnframes()))


def trouble(voice: Voice, text: str, language: str = "vi") -> tuple[Reason, bool]:
    told = voice.speak(language, text, io.BytesIO())
    assert told is not None
    assert told.detail
    return told.reason, told.again


def test_a_text_is_a_whole_wav_file_of_one_channel(made: Voice) -> None:
    assert 2 < said(made, FLOOD).seconds < 15


def test_the_same_text_sounds_the_same_and_more_text_sounds_longer(made: Voice) -> None:
    once = said(made, FLOOD)
    assert said(made, FLOOD) == once
    assert said(made, f"{FLOOD} Cần cứu giúp gọi bí thư chi bộ.").seconds > once.seconds + 0.5


def test_what_may_be_ordered_is_spoken_whole(made: Voice) -> None:
    sentence = "Nước lên. "
    text = sentence * (TEXT_CHARS_MAX // len(sentence))
    assert said(made, text).seconds > 50 * said(made, sentence).seconds / 2


def test_a_languages_region_makes_no_difference(made: Voice) -> None:
    assert said(made, FLOOD, "vi-VN") == said(made, FLOOD, "VI") == said(made, FLOOD)


def test_a_language_that_it_has_no_voice_for_is_named_and_not_tried_again(made: Voice) -> None:
    assert trouble(made, "Nyob zoo", "hmn") == (Reason.NO_VOICE, False)


@pytest.mark.parametrize("text", ["", " \n ", "…!?", "[]"])
def test_a_text_without_words_is_named(made: Voice, text: str) -> None:
    assert trouble(made, text) == (Reason.AUDIO_UNREADABLE, False)


def test_a_text_longer_than_may_be_ordered_is_refused_not_cut(made: Voice) -> None:
    assert trouble(made, "Nước lên. " * 201) == (Reason.AUDIO_TOO_LONG, False)


def test_its_stamp_stays_while_nothing_changes(made: Voice) -> None:
    first = made.stamp
    said(made, FLOOD)
    assert made.stamp == first
    assert len(first) == 16
    assert set(first) <= set("0123456789abcdef")


def test_no_two_voices_have_one_stamp(tmp_path: Path) -> None:
    walls = Sandbox()
    voices: list[Voice] = [
        FakeVoice(),
        FakeVoice(name="another"),
        EspeakVoice(walls),
        EspeakVoice(walls, "vi-vn-x-south"),
        EspeakVoice(walls, words_per_minute=120),
        RecordedFirst(tmp_path, Stager(PcmStore(tmp_path), PlainWav(), FakeVoice(), RATE)),
        RecordedFirst(tmp_path, Stager(PcmStore(tmp_path), PlainWav(), EspeakVoice(walls), RATE)),
    ]
    assert len({voice.stamp for voice in voices}) == len(voices)
