"""What sounds, as a list of parts, and what is left of it when some has sounded.

Decides which signal and which words of the station's own go with a job. Frames and files are the audio side's business
(``audio.timeline``), and how a signal sounds is too (``audio.signals``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import accumulate

from edge_agent.core.job import ClipItem, Item, Job, JobClass, TextItem
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, ZoneId

ATTENTION = ClipKey("attention")
"""Before every emergency."""

REHEARSAL = ClipKey("rehearsal")
"""Before every rehearsal (requirement B20)."""

ALL_CLEAR = ClipKey("all-clear")
"""Before the words that end an emergency (báo yên, requirement B19)."""

ATTENTION_MS = 6_000
REHEARSAL_MS = 4_500
ALL_CLEAR_MS = 5_000
# ISO 7240-16 asks for 3–10 s of signal before the voice.
SIGNAL_MS = {ATTENTION: ATTENTION_MS, REHEARSAL: REHEARSAL_MS, ALL_CLEAR: ALL_CLEAR_MS}
"""The stored signals and how long each sounds; pinned on the card, never fetched."""

ATTENTION_GAP_MS = 500
ITEM_GAP_MS = 300
# Around what the station speaks itself: long enough to hear that another item begins, short enough not to sound like
# the end. Recordings bring their own pauses, and a programme of them is as long as was ordered.
DURATION_TOLERANCE_MS = 1_000
# What was signed may be rounded to a second; an MP3 encoder adds up to 0.1 s of silence.
REHEARSAL_WORDS = TextItem("Phát thử", field="", language="vi", source="", approver="", text="Đây là phát thử.")
# The station's own, so that no order can leave them out.


@dataclass(frozen=True, slots=True)
class Sound:
    """Staged sound, played to its end. ``duration_ms`` is what will sound, without the ``from_ms`` left out before."""

    key: ClipKey
    duration_ms: int
    from_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence of a given length, the amplifier on."""

    duration_ms: int


Part = Sound | Pause


@dataclass(frozen=True, slots=True)
class ZoneFeed:
    """A zone that hears the programme, and how loud (0–100, every ceiling already applied)."""

    zone: ZoneId
    volume: int


def item_key(item: Item) -> ClipKey:
    """What an item's staged sound is found by."""
    if isinstance(item, ClipItem):
        return item.digest
    return text_key(item)


def text_key(item: TextItem) -> ClipKey:
    """A spoken text's key: the same words in the same language are the same sound."""
    return ClipKey(hashlib.sha256(f"text\0{item.language}\0{item.text}".encode()).hexdigest())


def signal_of(job: Job) -> ClipKey | None:
    """The stored signal that a job begins with, if any."""
    if job.rehearsal:
        # Before all else: where an all-clear is rehearsed, nobody may think that one was given.
        return REHEARSAL
    if job.all_clear:
        return ALL_CLEAR
    return ATTENTION if job.cls is JobClass.EMERGENCY else None


def spoken_of(job: Job) -> tuple[TextItem, ...]:
    """What the station itself says before and after the job's own items."""
    return (REHEARSAL_WORDS,) if job.rehearsal else ()


def items_of(job: Job) -> tuple[Item, ...]:
    """Every item whose sound the job needs, the station's own too, each sound once."""
    distinct: dict[ClipKey, Item] = {}
    for item in (*job.opening, *spoken_of(job), *job.items):
        distinct.setdefault(item_key(item), item)
    return tuple(distinct.values())


def parts_of(job: Job, durations: dict[ClipKey, int]) -> tuple[Part, ...]:
    """Lay out a job whose sounds are all staged; ``durations`` maps each key of ``items_of`` to milliseconds."""
    once: list[Part] = []
    before: Item | None = None
    for item in (*job.opening, *spoken_of(job), *job.items, *spoken_of(job)):
        if isinstance(item, TextItem) or isinstance(before, TextItem):
            once.append(Pause(ITEM_GAP_MS))
        key = item_key(item)
        once.append(Sound(key, durations[key]))
        before = item
    once = once[1:] if isinstance(once[0], Pause) else once
    signal = signal_of(job)
    if signal is not None:
        once = [Sound(signal, SIGNAL_MS[signal]), Pause(ATTENTION_GAP_MS), *once]
    parts = list(once)
    for _ in range(job.loops - 1):
        parts.extend([Pause(job.gap_ms), *once] if job.gap_ms else once)
    return tuple(parts)


def length_ms(parts: tuple[Part, ...]) -> int:
    """How long the parts sound together."""
    return sum(part.duration_ms for part in parts)


def rest_of(parts: tuple[Part, ...], played_ms: int) -> tuple[Part, ...]:
    """What is left when ``played_ms`` have sounded; a sound that was cut in its middle goes on from there.

    A clip's length was rounded up to a millisecond: a rest repeats that much for each sound before it, and skips none.
    """
    assert played_ms >= 0, "nothing sounds for less than no time"
    for index, part in enumerate(parts):
        if played_ms < part.duration_ms:
            return (_without_first(part, played_ms), *parts[index + 1 :])
        played_ms -= part.duration_ms
    return ()


def next_item_at(parts: tuple[Part, ...], played_ms: int) -> int | None:
    """Where, in ms from the beginning, the next sound after that at ``played_ms`` begins; None if there is none."""
    begins = accumulate((part.duration_ms for part in parts), initial=0)
    sounds = (at for at, part in zip(begins, parts, strict=False) if isinstance(part, Sound))
    return next((at for at in sounds if at > played_ms), None)


def misfit(item: Item, duration_ms: int) -> Reason | None:
    """What is wrong with the length of an item's sound by what was signed; of a text to be spoken no length is."""
    return unlike(item.duration_ms, duration_ms) if isinstance(item, ClipItem) else None


def unlike(signed_ms: int, duration_ms: int) -> Reason | None:
    """The name for sound of another length than was signed; None: it is that long."""
    if abs(duration_ms - signed_ms) <= DURATION_TOLERANCE_MS:
        return None
    return Reason.AUDIO_TOO_LONG if duration_ms > signed_ms else Reason.AUDIO_TOO_SHORT


def promised_ms(job: Job) -> int:
    """How long the job will sound by what was signed, before its audio is here; spoken text counts as unknown (0)."""
    spoken = {item_key(item): item.duration_ms if isinstance(item, ClipItem) else 0 for item in items_of(job)}
    return length_ms(parts_of(job, spoken))


def _without_first(part: Part, ms: int) -> Part:
    if isinstance(part, Sound):
        return Sound(part.key, part.duration_ms - ms, part.from_ms + ms)
    return Pause(part.duration_ms - ms)
