"""Gather what can be known of the demo afterwards: what was recorded, how the relays moved, what the centre was told.

Judges nothing. What sounded comes from the recording; the player is never asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import match, sounds
from demo.ear import ATTENTION, CHIME, Sounding, listen
from demo.ward import STATION, ZONES, RelayMove, Ward
from edge_agent.core.reasons import Reason
from edge_agent.journal.port import StoredRecord
from tests.host.recording import Recording

LEFT, RIGHT = 0, 1
"""The channels of ``c1`` and ``c2``."""


@dataclass(frozen=True)
class Told:
    """What the headend holds: the as-run log as rows and as its chain, and (job, reason) of every answer."""

    rows: list[dict[str, Any]]
    chain: list[StoredRecord]
    answers: frozenset[tuple[str, Reason | None]]


@dataclass(frozen=True)
class Evidence:
    """The recording, the two originals, where each sound lies in the recording, the relays' moves, and what was told.

    ``bulletin_at`` is the frame of the recording at which the bulletin fits best.
    """

    recording: Recording
    bulletin: NDArray[np.int16]
    flood: NDArray[np.int16]
    bulletin_at: int
    soundings: tuple[list[Sounding], list[Sounding]]
    moves: list[RelayMove]
    told: Told

    def attentions(self, channel: int) -> list[Sounding]:
        """Every attention signal in a channel."""
        return [one for one in self.soundings[channel] if one.what == ATTENTION]

    def chimes(self, channel: int) -> list[Sounding]:
        """Every chime in a channel, the one that opens and the one that closes alike."""
        return [one for one in self.soundings[channel] if one.what == CHIME]

    def at_ms(self, second: float) -> float:
        """The boot time of a second of the recording."""
        return self.recording.instant_ms(round(second * self.recording.rate))

    def closings(self, zone: str) -> Iterator[tuple[float, float]]:
        """(from, to) of every time that a zone's relay was closed, in boot ms; a last one without an end is open."""
        since: float | None = None
        for move in (move for move in self.moves if move.zone == zone):
            if move.on and since is None:
                since = move.at_ms
            elif not move.on and since is not None:
                yield since, move.at_ms
                since = None
        if since is not None:
            yield since, float("inf")


def gather(ward: Ward, folder: Path, recording: Recording) -> Evidence:
    """Look at everything once."""
    return examine(*collect(ward, folder, recording))


Seen = tuple[Recording, NDArray[np.int16], NDArray[np.int16], list[RelayMove], Told]


def collect(ward: Ward, folder: Path, recording: Recording) -> Seen:
    """What ``examine`` takes, which may be done elsewhere: it costs memory."""
    rows = ward.rows()
    answers = frozenset((str(answer.job_id), answer.reason) for _, answer in ward.headend.answers())
    told = Told(rows, ward.headend.records(STATION), answers)
    bulletin, flood = (sounds.samples_of(folder / name) for name in ("bulletin.mp3", "flood.wav"))
    return recording, bulletin, flood, ward.moves(), told


def examine(
    recording: Recording, bulletin: NDArray[np.int16], flood: NDArray[np.int16], moves: list[RelayMove], told: Told
) -> Evidence:
    """Find the sounds in the recording."""
    at = match.place(bulletin, recording.samples[:, RIGHT])
    left, right = (listen(recording.samples[:, channel], recording.rate, {}) for channel in range(len(ZONES)))
    return Evidence(recording, bulletin, flood, at, (left, right), moves, told)
