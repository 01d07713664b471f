"""A voice without a program: it remembers what it was told to say, and each letter is a tone of its own."""

from __future__ import annotations

import math
import wave
from array import array
from dataclasses import dataclass, field
from typing import BinaryIO

from edge_agent.audio.confined import Trouble
from edge_agent.audio.speech import TEXT_CHARS_MAX, speakable, stamp_of
from edge_agent.core.reasons import Reason

RATE = 22_050
LETTER_FRAMES = RATE // 20


@dataclass
class FakeVoice:
    """An ``audio.speech.Voice``. ``hoarse`` is what it answers instead of speaking."""

    languages: frozenset[str] = frozenset({"vi", "en"})
    hoarse: Trouble | None = None
    said: list[str] = field(default_factory=list)
    name: str = "fake"

    @property
    def stamp(self) -> str:
        return stamp_of(self.name)

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        if self.hoarse:
            return self.hoarse
        if language.split("-")[0].lower() not in self.languages:
            return Trouble(Reason.NO_VOICE, again=False, detail=f"no voice for {language!r}")
        if len(text) > TEXT_CHARS_MAX:
            return Trouble(Reason.AUDIO_TOO_LONG, again=False, detail=f"{len(text)} characters")
        words = speakable(text)
        if not words:
            return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="no words in the text")
        self.said.append(text)
        with wave.open(wav, "wb") as file:
            file.setparams((1, 2, RATE, LETTER_FRAMES * len(words), "NONE", ""))
            for letter in words:
                file.writeframesraw(_tone(ord(letter)))
        return None


def _tone(hz: int) -> bytes:
    return array("h", (round(9_000 * math.sin(2 * math.pi * hz * at / RATE)) for at in range(LETTER_FRAMES))).tobytes()
