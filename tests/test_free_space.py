"""Who runs out of room first: downloads, then recordings, then words; the journal never."""

from __future__ import annotations

from edge_agent.audio.clip import FRAME_BYTES
from edge_agent.audio.speech import SPEECH_MS_MAX, TEXT_CHARS_MAX, speech_ms_max
from edge_agent.audio.stems import STEM_MS_MAX
from edge_agent.config.station import RATES
from edge_agent.core.units import MINUTE_MS, SECOND_MS
from edge_agent.free_space import CLIP_FREE_BYTES_MIN, FETCH_FREE_BYTES_MIN, MIB, TEXT_FREE_BYTES_MIN

RECORDS_BYTES = 40_000_000
# Of 13 months.


def while_it_is_made(length_ms: int) -> int:
    """What sound takes on the disk before it is there: twice its own, on the fastest card."""
    return 2 * length_ms * max(RATES) // SECOND_MS * FRAME_BYTES


def test_each_leaves_room_for_what_comes_after_it() -> None:
    assert TEXT_FREE_BYTES_MIN - RECORDS_BYTES > 20 * MIB
    assert while_it_is_made(SPEECH_MS_MAX) <= CLIP_FREE_BYTES_MIN - TEXT_FREE_BYTES_MIN
    assert while_it_is_made(20 * MINUTE_MS) <= FETCH_FREE_BYTES_MIN - CLIP_FREE_BYTES_MIN


def test_a_text_needs_the_room_of_its_own_length() -> None:
    assert speech_ms_max("x" * TEXT_CHARS_MAX) == SPEECH_MS_MAX
    assert speech_ms_max("Nước lên.") < SPEECH_MS_MAX / 20
    assert speech_ms_max("") >= STEM_MS_MAX, "one recorded sentence may take so long"
