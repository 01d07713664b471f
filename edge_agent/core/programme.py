"""What sounds, as a list of parts, and what is left of it when some has sounded.

Decides which signal, which chimes and which words of the station's own go with a job (``framing`` which of the chimes
are left out). Frames and files are the audio side's business (``audio.timeline``), and how a signal sounds is too
(``audio.signals``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import accumulate

from edge_agent.core.job import ClipItem, Item, Job, JobClass, LiveItem, TextItem
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.site import UNFRAMED, Frame, Group
from edge_agent.core.units import ClipKey, UtcMs, ZoneId

ATTENTION = ClipKey("attention")
"""Before every emergency."""

REHEARSAL = ClipKey("rehearsal")
"""Before every rehearsal (requirement B20)."""

ALL_CLEAR = ClipKey("all-clear")
"""Before the words that end an emergency (báo yên, requirement B19)."""

OPENING = ClipKey("opening-chime")
"""The ward's chime (nhạc hiệu) before an ordinary programme, so that nobody beside a horn is startled (N6)."""

CLOSING = ClipKey("closing-chime")
"""Behind an ordinary programme: nothing more comes."""

ATTENTION_MS = 6_000
REHEARSAL_MS = 4_500
ALL_CLEAR_MS = 5_000
# ISO 7240-16 asks for 3–10 s of signal before the voice.
OPENING_MS = 3_000
CLOSING_MS = 2_000
# Three notes and two, each heard out: long enough to be known for the ward's, short beside what was ordered.
SIGNAL_MS = {
    ATTENTION: ATTENTION_MS,
    REHEARSAL: REHEARSAL_MS,
    ALL_CLEAR: ALL_CLEAR_MS,
    OPENING: OPENING_MS,
    CLOSING: CLOSING_MS,
}
"""The stored signals and how long each sounds; pinned on the card, never fetched."""

ATTENTION_GAP_MS = 500
ITEM_GAP_MS = 300
# Around what the station speaks itself: long enough to hear that another item begins, short enough not to sound like
# the end. Recordings bring their own pauses, and a programme of them is as long as was ordered.
DURATION_TOLERANCE_MS = 1_000
# What was signed may be rounded to a second; an MP3 encoder adds up to 0.1 s of silence.
REHEARSAL_WORDS = TextItem("Phát thử", field="", language="vi", source="", approver="", text="Đây là phát thử.")
# The station's own, so that no order can leave them out.


StagedItem = ClipItem | TextItem
"""What is made ready before it sounds."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Staged sound, played to its end. ``duration_ms`` is what will sound, without the ``from_ms`` left out before.

    ``group``, here and below: it is that group's turn, and no zone of another hears it (None: all do).
    """

    key: ClipKey
    duration_ms: int
    from_ms: int = 0
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence of a given length, the amplifier on."""

    duration_ms: int
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence between the turns of two groups: nobody's own."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class Live:
    """What a live source gives meanwhile, and where it gives nothing the sound ``stand_in``, or silence."""

    key: ClipKey
    duration_ms: int
    stand_in: ClipKey | None = None


Part = Sound | Pause | Gap | Live

EVERYBODY = frozenset(Group)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of the live parts of a programme, in ms that were given to the card."""

    live_ms: int = 0
    stand_in_ms: int = 0
    silent_ms: int = 0

    @property
    def whole_ms(self) -> int:
        """How long the live parts were."""
        return self.live_ms + self.stand_in_ms + self.silent_ms

    def __add__(self, other: Relayed) -> Relayed:
        return Relayed(
            self.live_ms + other.live_ms,
            self.stand_in_ms + other.stand_in_ms,
            self.silent_ms + other.silent_ms,
        )


@dataclass(frozen=True, slots=True)
class ZoneFeed:
    """A zone that hears the programme in its group's turn, and how loud (0–100, every ceiling already applied)."""

    zone: ZoneId
    volume: int
    group: Group = Group.A


NOTHING_RELAYED = Relayed()


def item_key(item: StagedItem) -> ClipKey:
    """What an item's staged sound is found by."""
    if isinstance(item, ClipItem):
        return item.digest
    return text_key(item)


def live_key(item: LiveItem) -> ClipKey:
    """What a live source is found by: the same addresses are the same source."""
    return source_key(item.urls)


def source_key(urls: tuple[str, ...]) -> ClipKey:
    """That of a live source at these addresses."""
    return ClipKey(hashlib.sha256("\0".join(("live", *urls)).encode()).hexdigest())


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


def items_of(job: Job) -> tuple[StagedItem, ...]:
    """Every item whose sound is made ready for the job, the station's own too, each sound once."""
    distinct: dict[ClipKey, StagedItem] = {}
    for item in (*job.opening, *spoken_of(job), *job.items):
        staged = item.stand_in if isinstance(item, LiveItem) else item
        if staged is not None:
            distinct.setdefault(item_key(staged), staged)
    return tuple(distinct.values())


def needed_by(job: Job) -> tuple[StagedItem, ...]:
    """Those of ``items_of`` without which it does not play: a stand-in that is missing keeps no source silent."""
    if not job.live:
        return items_of(job)
    recorded = tuple(item for item in job.items if not isinstance(item, LiveItem))
    return items_of(replace(job, items=recorded))


def sources_of(job: Job) -> tuple[LiveItem, ...]:
    """The live sources that a job relays."""
    return tuple(item for item in job.items if isinstance(item, LiveItem))


def parts_of(job: Job, durations: dict[ClipKey, int], frame: Frame = UNFRAMED) -> tuple[Part, ...]:
    """Lay out a job of staged sounds; ``durations`` maps each key of ``items_of`` to milliseconds, or it is left out.

    What has no signal of its own is framed by the chimes, once: not every loop of it.
    """
    once: list[Part] = []
    before: Item | None = None
    for item in (*job.opening, *spoken_of(job), *job.items, *spoken_of(job)):
        if not isinstance(item, LiveItem) and item_key(item) not in durations:
            continue
        if isinstance(item, TextItem) or isinstance(before, TextItem):
            once.append(Pause(ITEM_GAP_MS))
        once.append(_part_of(item, durations))
        before = item
    once = once[1:] if isinstance(once[0], Pause) else once
    signal = signal_of(job)
    if signal is not None:
        once = [Sound(signal, SIGNAL_MS[signal]), Pause(ATTENTION_GAP_MS), *once]
    parts = list(once)
    for _ in range(job.loops - 1):
        parts.extend([Pause(job.gap_ms), *once] if job.gap_ms else once)
    return _framed(parts, frame) if signal is None else tuple(parts)


def lacks(job: Job, parts: tuple[Part, ...]) -> bool:
    """Whether some of what was ordered, and is no live source, is in none of the parts."""
    ordered = {item_key(item) for item in job.items if not isinstance(item, LiveItem)}
    return not ordered <= {part.key for part in parts if isinstance(part, Sound)}


def falls_short(job: Job, parts: tuple[Part, ...]) -> bool:
    """Whether some of what was ordered is shorter in the parts than was signed."""
    sounds = {part.key: part.from_ms + part.duration_ms for part in parts if isinstance(part, Sound)}
    lengths = [(item, sounds[item_key(item)]) for item in items_of(job) if item_key(item) in sounds]
    return any(misfit(item, ms) is Reason.AUDIO_TOO_SHORT for item, ms in lengths)


def _framed(parts: list[Part], frame: Frame) -> tuple[Part, ...]:
    # What is relayed has a tune of its own, and begins when its source does: not a chime later.
    opens, closes = (not isinstance(part, Live) for part in (parts[0], parts[-1]))
    opening: list[Part] = [Sound(OPENING, OPENING_MS), Pause(ITEM_GAP_MS)] if frame.opening and opens else []
    closing: list[Part] = [Pause(ITEM_GAP_MS), Sound(CLOSING, CLOSING_MS)] if frame.closing and closes else []
    return (*opening, *parts, *closing)


def without_opening(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts without the chime at their beginning, or what is left of it."""
    return parts[2:] if parts and _is_sound(parts[0], OPENING) else parts


def without_closing(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts without the chime at their end."""
    return parts[:-2] if parts and _is_sound(parts[-1], CLOSING) else parts


def unframed(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts without any chime."""
    return without_closing(without_opening(parts))


def own_ms(parts: tuple[Part, ...]) -> int:
    """How long that sounds which was ordered: all but the chimes, and once where groups take turns.

    It is what the day's limits count.
    """
    return max(length_ms(share_of(unframed(parts), group)) for group in Group)


def chimes_ms(parts: tuple[Part, ...]) -> int:
    """How much of the parts the station adds by itself, and leaves out where it would keep them from sounding."""
    return length_ms(parts) - length_ms(unframed(parts))


def own_of(parts: tuple[Part, ...], played_ms: int) -> int:
    """How much of what was ordered has sounded when ``played_ms`` of the parts have."""
    return own_ms(parts) - own_ms(rest_of(parts, played_ms)) if chimes_ms(parts) else played_ms


def heard_by(part: Part) -> frozenset[Group]:
    """The groups whose zones hear a part."""
    if isinstance(part, Gap):
        return frozenset()
    return EVERYBODY if isinstance(part, Live) or part.group is None else frozenset({part.group})


def share_of(parts: tuple[Part, ...], group: Group) -> tuple[Part, ...]:
    """What a zone of that group hears of them."""
    return tuple(part for part in parts if group in heard_by(part))


def _is_sound(part: Part, key: ClipKey) -> bool:
    return isinstance(part, Sound) and part.key == key


def _part_of(item: Item, durations: dict[ClipKey, int]) -> Part:
    if isinstance(item, LiveItem):
        return Live(live_key(item), item.duration_ms, None if item.stand_in is None else item_key(item.stand_in))
    key = item_key(item)
    return Sound(key, durations[key])


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


def live_until(begins: UtcMs, whole: tuple[Part, ...]) -> UtcMs:
    """When a live source is over at the latest, if ordered for ``begins``: 10 s late is on time too."""
    return UtcMs(begins + length_ms(without_closing(whole)) + LATE_GRACE_MS)


def relayed_until(parts: tuple[Part, ...], begins: UtcMs, until: UtcMs) -> tuple[Part, ...]:
    """What is left of a programme that is over by ``until``, if it begins, or goes on, at ``begins``.

    What a live source gives later is another programme. So whatever is late is taken off the live parts, the first of
    them first. Without a sound left in it nothing is left.
    """
    over_ms = begins + length_ms(without_closing(parts)) - until
    left: list[Part] = []
    for part in parts:
        less_ms = min(part.duration_ms, max(over_ms, 0)) if isinstance(part, Live) else 0
        over_ms -= less_ms
        if less_ms < part.duration_ms:
            left.append(_without_first(part, less_ms))
    return () if all(isinstance(part, Pause | Gap) for part in left) else tuple(left)


def next_item_at(parts: tuple[Part, ...], played_ms: int) -> int | None:
    """Where, in ms from the beginning, the next sound after that at ``played_ms`` begins; None if there is none.

    The chime at the end is no item to go on to: whoever leaves the last one has ended the programme.
    """
    sounds = (at for at, part in begun_at(without_closing(parts)) if not isinstance(part, Pause | Gap))
    return next((at for at in sounds if at > played_ms), None)


def begun_at(parts: tuple[Part, ...]) -> list[tuple[int, Part]]:
    """Each part, behind the ms from the beginning at which it begins."""
    begins = accumulate((part.duration_ms for part in parts), initial=0)
    return list(zip(begins, parts, strict=False))


def misfit(item: StagedItem, duration_ms: int) -> Reason | None:
    """What is wrong with the length of an item's sound by what was signed; of a text to be spoken no length is."""
    return unlike(item.duration_ms, duration_ms) if isinstance(item, ClipItem) else None


def unlike(signed_ms: int, duration_ms: int) -> Reason | None:
    """The name for sound of another length than was signed; None: it is that long."""
    if abs(duration_ms - signed_ms) <= DURATION_TOLERANCE_MS:
        return None
    return Reason.AUDIO_TOO_LONG if duration_ms > signed_ms else Reason.AUDIO_TOO_SHORT


def promised_ms(job: Job) -> int:
    """How long the job will sound by what was signed, before its audio is here; spoken text counts as unknown (0)."""
    return length_ms(promised_parts(job))


def promised_parts(job: Job, frame: Frame = UNFRAMED) -> tuple[Part, ...]:
    """The job laid out by what was signed, before its audio is here."""
    signed = {item_key(item): item.duration_ms if isinstance(item, ClipItem) else 0 for item in items_of(job)}
    return parts_of(job, signed, frame)


def _without_first(part: Part, ms: int) -> Part:
    if isinstance(part, Sound):
        return replace(part, duration_ms=part.duration_ms - ms, from_ms=part.from_ms + ms)
    return replace(part, duration_ms=part.duration_ms - ms)
