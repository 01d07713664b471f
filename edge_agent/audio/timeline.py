"""Decide which frames of which clip, or silence, lie where in a programme. Pure: knows neither files nor time of day.

Milliseconds become frames in one place only:
- a Sound lasts exactly as many frames as its clip has, whatever its rounded ``duration_ms`` says, so that clips join
  without a gap and without a lost sample; with ``from_ms`` it begins so far into its clip, and lasts to the clip's end;
- a Pause of ``m`` ms lasts ``m * rate / 1000`` frames, rounded to the nearest: 48 a millisecond at 48 kHz, no error;
  so does a Gap, and a Live part, whatever its source gives meanwhile;
- frames become milliseconds again rounded down: what is told never exceeds what sounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from edge_agent.audio.turns import FOR_ALL, Turns
from edge_agent.core.programme import EVERYBODY, Live, Part, Sound, heard_by
from edge_agent.core.site import Group
from edge_agent.core.units import SECOND_MS, ClipKey


@dataclass(frozen=True, slots=True)
class Span:
    """``frames`` frames of the clip ``key`` from ``first`` on. ``key`` None is silence, or what ``live`` says.

    ``heard``: the groups that hear them.
    """

    key: ClipKey | None
    first: int
    frames: int
    live: Live | None = None
    heard: frozenset[Group] = EVERYBODY


@dataclass(frozen=True, slots=True)
class Timeline:
    """A programme laid out at one rate. ``starts`` holds the first frame of each part that has any frame."""

    parts: tuple[Span, ...]
    starts: tuple[int, ...]
    frames: int

    @property
    def turns(self) -> Turns:
        """Who hears which frames."""
        if all(span.heard == EVERYBODY for span in self.parts):
            return FOR_ALL
        return Turns(self.starts, tuple(span.heard for span in self.parts))

    def spans(self, first: int, frames: int) -> Iterator[Span]:
        """What lies at [first, first + frames), in order and without holes; nothing past the end."""
        end = min(first + frames, self.frames)
        at = max(first, 0)
        index = bisect_right(self.starts, at) - 1
        while at < end:
            part, offset = self.parts[index], at - self.starts[index]
            length = min(part.frames - offset, end - at)
            yield replace(part, first=part.first + offset, frames=length)
            at += length
            index += 1


def lay(parts: tuple[Part, ...], clip_frames: Mapping[ClipKey, int], rate: int) -> Timeline:
    """Lay out a programme; ``clip_frames`` knows the length of every clip in it, ``rate`` is in frames per second."""
    spans = tuple(span for part in parts if (span := _span(part, clip_frames, rate)).frames > 0)
    ends = tuple(accumulate(span.frames for span in spans))
    return Timeline(spans, (0, *ends[:-1]), ends[-1] if ends else 0)


def _span(part: Part, clip_frames: Mapping[ClipKey, int], rate: int) -> Span:
    if isinstance(part, Sound):
        # A text that was spoken anew may be shorter than what was cut from it: then nothing of it is left.
        first = min(frames_of(part.from_ms, rate), clip_frames[part.key])
        return Span(part.key, first, clip_frames[part.key] - first, heard=heard_by(part))
    live = part if isinstance(part, Live) else None
    return Span(None, 0, frames_of(part.duration_ms, rate), live, heard_by(part))


def frames_of(duration_ms: int, rate: int) -> int:
    """Frames in so many milliseconds, rounded to the nearest."""
    return (duration_ms * rate + SECOND_MS // 2) // SECOND_MS


def ms_of(frames: int, rate: int) -> int:
    """Whole milliseconds in so many frames."""
    return frames * SECOND_MS // rate
