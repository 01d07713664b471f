"""Decide what the zones of a group hear of a programme in which groups take turns: their own turn, and what is for all.

Pure: knows frames, and no play and no card. A turn begins and ends with the very sample, without a ramp: what lies on
the other side of it is silence, or another clip's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.audio.mixer import SAMPLE_BYTES, risen
from edge_agent.core.programme import EVERYBODY
from edge_agent.core.site import Group


@dataclass(frozen=True, slots=True)
class Turns:
    """Who hears which frames: ``heard[n]`` from frame ``starts[n]`` of the programme on."""

    starts: tuple[int, ...]
    heard: tuple[frozenset[Group], ...]

    @property
    def for_all(self) -> bool:
        """Whether everybody hears everything."""
        return set(self.heard) <= {EVERYBODY}

    def spans(self, first: int, frames: int) -> Iterator[tuple[int, frozenset[Group]]]:
        """(frames, who hears them) of all that lies at [first, first + frames), in order."""
        end = first + frames
        while first < end:
            index = bisect_right(self.starts, first) - 1
            upto = min(self.starts[index + 1], end) if index + 1 < len(self.starts) else end
            yield upto - first, self.heard[index]
            first = upto

    def begins(self, group: Group) -> int:
        """The first frame that a group hears."""
        return next((start for start, heard in zip(self.starts, self.heard, strict=True) if group in heard), 0)


FOR_ALL = Turns((0,), (EVERYBODY,))


def own(sound: bytes, position: int, turns: Turns, group: Group, rise: int) -> bytes:
    """A programme's samples from frame ``position`` on as a group hears them: silence where it is not its turn.

    They rise out of silence over the first ``rise`` frames that the group hears (``mixer.risen``).
    """
    begins, pieces, at = turns.begins(group), [], 0
    for frames, heard in turns.spans(position, len(sound) // SAMPLE_BYTES):
        piece = sound[at * SAMPLE_BYTES : (at + frames) * SAMPLE_BYTES]
        pieces.append(risen(piece, position + at - begins, rise) if group in heard else bytes(len(piece)))
        at += frames
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
