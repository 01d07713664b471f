"""Speak a text: choose the voice and make words speakable. Turning its sound into PCM is ``decoder``'s.

A Vietnamese text is read by ``spoken`` first; what that cannot read is left to the voice and noted in the log: an
emergency must not stay silent for an abbreviation. (Who orders is asked before signing.) Nothing in a text is taken for
anything but words.
"""

from __future__ import annotations

import hashlib
import logging
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from edge_agent import __version__
from edge_agent.audio.confined import KILLED_STATUS, Confined, End, Ended, Limits, Trouble
from edge_agent.core.reasons import Reason
from edge_agent.spoken.reading import is_vietnamese, read_as_far_as_possible

log = logging.getLogger(__name__)

VIETNAMESE, ENGLISH = "vi", "en"
VOICE_VI = "vi"
VOICE_EN = "en-gb"
WORDS_PER_MINUTE = 150
# The voice's own 175 runs together under the echo of horns; not tried on a street yet.
SPEECH_MS_MAX = 15 * 60 * 1_000
# 2,000 characters of plain text take three minutes [measured]; numbers stretch it.
SPEECH_LEAST_MS = 30 * 1_000
# The longest recorded stem, whatever few words it says.
WAV_BYTES_MAX = 22_050 * 2 * SPEECH_MS_MAX // 1_000
TEXT_CHARS_MAX = 2_000
DATA_BYTES_MAX = 64 * 1_024 * 1_024
# espeak-ng needs under 8 MB [measured, amd64].
STAMP_DIGITS = 16
# Told apart are a few settings, on one station.
CPU_S = 60
WALL_S = 120
# They are spoken into a file in 0.2 s on a 3 GHz core [measured].


class Voice(Protocol):
    """Whatever speaks. Better ones fit here too (docs/adr/0026)."""

    @property
    def stamp(self) -> str:
        """16 hex digits, another one whenever the same text would sound otherwise (``stamp_of``)."""
        ...

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        """Write the spoken text as a WAV file to ``wav``; None when all was spoken. ``language`` is a BCP 47 tag."""
        ...


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """espeak-ng, confined like everything that reads what came from outside.

    ``vietnamese`` is its voice for Vietnamese texts (northern ``vi``, ``vi-vn-x-central``, ``vi-vn-x-south``).
    """

    confined: Confined
    vietnamese: str = VOICE_VI
    words_per_minute: int = WORDS_PER_MINUTE
    program: str = "/usr/bin/espeak-ng"

    @property
    def stamp(self) -> str:
        """Its name and pace, our release, and what makes its words."""
        return stamp_of(self.program, self.vietnamese, str(self.words_per_minute), __version__, WORDS_BY)

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        voice = self.voice_for(language)
        if voice is None:
            return Trouble(Reason.NO_VOICE, again=False, detail=f"no voice for {language!r}")
        if len(text) > TEXT_CHARS_MAX:
            return Trouble(Reason.AUDIO_TOO_LONG, again=False, detail=f"{len(text)} characters")
        words = speakable(in_words(text) if is_vietnamese(language) else text)
        if not words:
            return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="no words in the text")
        argv = (self.program, "-v", voice, "-s", str(self.words_per_minute), "-b", "1", "--stdin", "--stdout")
        limits = Limits(DATA_BYTES_MAX, CPU_S, WALL_S, WAV_BYTES_MAX)
        with _as_file(words) as source:
            return _judge(self.confined.run(argv, source, limits, wav.write))

    def voice_for(self, language: str) -> str | None:
        """The voice for a language tag; its region makes no difference."""
        return {VIETNAMESE: self.vietnamese, ENGLISH: VOICE_EN}.get(_primary(language))


def is_spoken(language: str) -> bool:
    """Whether there is a voice for a language tag. Any other is heard from recorded stems alone."""
    return _primary(language) in (VIETNAMESE, ENGLISH)


def _primary(language: str) -> str:
    return language.split("-")[0].lower()


def speech_ms_max(text: str) -> int:
    """How long a text may take, as far as its length tells: the longest one's share for each character."""
    return min(SPEECH_LEAST_MS + len(text) * SPEECH_MS_MAX // TEXT_CHARS_MAX, SPEECH_MS_MAX)


def stamp_of(*parts: str) -> str:
    """Of all that a voice's sound depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:STAMP_DIGITS]


def _words_by() -> str:
    """Of the files that make words of a text: they are put right between two releases too."""
    here = Path(__file__)
    told = hashlib.sha256()
    for file in (here, *sorted(here.parents[1].glob("spoken/*.*"))):
        told.update(file.read_bytes())
    return told.hexdigest()


WORDS_BY = _words_by()
# As this process was begun: what an update lays there meanwhile makes no words of it.


def in_words(text: str) -> str:
    """A Vietnamese text as it is heard; what has no reading stands as it was written."""
    reading = read_as_far_as_possible(text)
    for piece in reading.unread:
        log.warning("left to the voice as it is written: %s", piece.text())
    return reading.words


def speakable(text: str) -> str:
    """Words only: composed letters, no control characters, nothing that the voice would take for its own marks.

    Each line becomes a paragraph, which the voice ends with a pause. "" when there is nothing to say.
    """
    lines = (_line(line) for line in unicodedata.normalize("NFC", text).splitlines())
    return "\n\n".join(line for line in lines if any(char.isalnum() for char in line))


def _line(line: str) -> str:
    seen = (char for char in line if unicodedata.category(char) != "Cf")
    # [[…]] would be spoken as phoneme names.
    kept = (" " if char in "[]" or unicodedata.category(char)[0] in "CZ" else char for char in seen)
    return " ".join("".join(kept).split())


def _as_file(words: str) -> BinaryIO:
    """In memory, and never an argument: arguments are visible to everybody on the machine and may look like options."""
    file = os.fdopen(os.memfd_create("words"), "w+b")
    file.write(words.encode())
    file.seek(0)
    return file


def _judge(ended: Ended) -> Trouble | None:
    detail = ended.complaint or f"voice ended with status {ended.status}"
    if ended.how is End.TOO_MUCH:
        return Trouble(Reason.AUDIO_TOO_LONG, again=False, detail="the text takes too long to speak")
    if ended.how is End.NO_SANDBOX:
        return Trouble(Reason.NO_VOICE, again=True, detail=f"no sandbox, so no voice: {detail}")
    if ended.how is End.TOO_SLOW:
        return Trouble(Reason.NO_VOICE, again=True, detail="the voice took too long")
    if not ended.well:
        return Trouble(Reason.NO_VOICE, again=ended.status == KILLED_STATUS, detail=detail)
    return None
