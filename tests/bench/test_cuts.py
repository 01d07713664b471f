from __future__ import annotations

from bench.cuts import CUTTING, IDLE, _notes
from bench.places import STATION


def test_places_and_parts_are_told_from_the_medians_alone() -> None:
    medians = {(STATION, IDLE): 7.0, ("mpd", IDLE): 5.0, (STATION, CUTTING): 6.0, ("mpd", CUTTING): 8.5}
    assert _notes(medians, server=4.5) == [
        "Idle: station is 2nd of 2: mpd 5 ms, station 7 ms.",
        "Cutting in: station is 1st of 2: station 6 ms, mpd 8.5 ms.",
        "Cutting in against idle: station -1.0 ms, mpd +3.5 ms.",
        "Of the station's 6 ms cutting in, 4.5 ms are the server's and alsa-lib's (the recording's step included), "
        "1.5 ms its own: the line between its processes, the clip's first block, the mixing of a period.",
    ]
