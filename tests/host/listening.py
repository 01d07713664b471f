"""Where a sound that was heard is not whole: torn at which of its frames, with how much silence, how much left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROBE = 64
# Of noise so many samples occur once.


@dataclass(frozen=True)
class Seam:
    """At frame ``at`` of the sound: ``silent`` frames of nothing, then it goes on ``missing`` frames further on.

    Below zero it goes on earlier: so much was heard twice.
    """

    at: int
    silent: int
    missing: int


def seams(heard: NDArray[np.int16], sound: NDArray[np.int16]) -> list[Seam]:
    """Every place at which ``heard``, which begins with the sound, does not go on with its next sample.

    The sound must be noise without a zero in it.
    """
    found: list[Seam] = []
    at = place = 0
    while (whole := _alike(heard[place:], sound[at:])) < len(sound) - at:
        at, place = at + whole, place + whole
        rest = np.flatnonzero(heard[place:])
        assert len(rest), f"it ends at frame {at} of {len(sound)}"
        silent = int(rest[0])
        goes_on = _place_of(heard[place + silent :][:PROBE], sound)
        found.append(Seam(at, silent, goes_on - at))
        at, place = goes_on, place + silent
    return found


def _alike(one: NDArray[np.int16], other: NDArray[np.int16]) -> int:
    """How many samples both begin with."""
    frames = min(len(one), len(other))
    unlike = np.flatnonzero(one[:frames] != other[:frames])
    return int(unlike[0]) if len(unlike) else frames


def _place_of(probe: NDArray[np.int16], sound: NDArray[np.int16]) -> int:
    places = [int(at) for at in np.flatnonzero(sound == probe[0]) if np.array_equal(sound[at:][: len(probe)], probe)]
    assert len(places) == 1, "what follows the seam is not of this sound"
    return places[0]
