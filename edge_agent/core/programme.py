"""What sounds, as a list of parts. Frames and files are the audio side's business (``audio.timeline``)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from edge_agent.core.job import ClipItem, Item, Job, JobClass, TextItem
from edge_agent.core.units import ClipKey, ZoneId

ATTENTION = ClipKey("attention")
"""The stored signal before every emergency; pinned on the card, never fetched."""

ATTENTION_MS = 6_000
# ISO 7240-16 asks for 3–10 s of signal before the voice.
ATTENTION_GAP_MS = 500
ITEM_GAP_MS = 300
# Long enough to hear that another item begins, short enough not to sound like the end.


@dataclass(frozen=True, slots=True)
class Sound:
    """Staged sound, played whole."""

    key: ClipKey
    duration_ms: int


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


def parts_of(job: Job, durations: dict[ClipKey, int]) -> tuple[Part, ...]:
    """Lay out a job whose sounds are all staged; ``durations`` maps each key to milliseconds."""
    once: list[Part] = []
    for item in job.items:
        if once:
            once.append(Pause(ITEM_GAP_MS))
        key = item_key(item)
        once.append(Sound(key, durations[key]))
    if job.cls is JobClass.EMERGENCY:
        once = [Sound(ATTENTION, ATTENTION_MS), Pause(ATTENTION_GAP_MS), *once]
    parts = list(once)
    for _ in range(job.loops - 1):
        parts.extend([Pause(job.gap_ms), *once] if job.gap_ms else once)
    return tuple(parts)


def length_ms(parts: tuple[Part, ...]) -> int:
    """How long the parts sound together."""
    return sum(part.duration_ms for part in parts)


def promised_ms(job: Job) -> int:
    """How long the job will sound by what was signed, before its audio is here; spoken text counts as unknown (0)."""
    spoken = {item_key(item): item.duration_ms if isinstance(item, ClipItem) else 0 for item in job.items}
    return length_ms(parts_of(job, spoken))
