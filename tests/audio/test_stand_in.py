"""What is heard while a live source is not: the stand-in, from its beginning and again; silence where it is unfit."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge_agent.audio.live import SILENT_MS
from edge_agent.audio.prefetch import Prefetch
from edge_agent.audio.relaying import STAND_IN_PAUSE_MS
from edge_agent.core.programme import Relayed
from tests.audio.live_play import (
    LOUD,
    RAMP_STEP,
    RATE,
    STANDING,
    Play,
    Shelf,
    live,
    ms_at,
    silent_from,
    steady,
    steepest,
)


def test_the_stand_in_begins_again_after_a_pause() -> None:
    play = Play(live(20_000), given=lambda _: 0, shelf=Shelf(stand_in_ms=1_730))
    heard = play.run()
    changes = np.flatnonzero(np.diff((heard != 0).astype(int))) * 1_000 / RATE
    begins, ends = changes[::2], changes[1::2]
    assert begins[0] == pytest.approx(SILENT_MS, abs=1)
    assert np.diff(begins) == pytest.approx(1_730 + STAND_IN_PAUSE_MS, abs=1)
    assert ends[0] - begins[0] == pytest.approx(1_730, abs=1)
    assert play.pcm.relayed == Relayed(0, 20_000 - SILENT_MS, SILENT_MS)


def test_the_stand_in_is_heard_from_its_beginning_at_each_loss() -> None:
    twice = lambda ms: steady(min(ms, 20_000) + max(min(ms, 60_000) - 30_000, 0))  # noqa: E731
    play = Play(live(90_000), given=twice, shelf=Shelf(stand_in_ms=2_500))
    heard = play.run()
    on = np.flatnonzero(np.diff((heard == STANDING).astype(int)) == 1)
    off = np.flatnonzero(np.diff((heard == STANDING).astype(int)) == -1)
    lengths = np.round((off - on) * 1_000 / RATE, -2)
    live_at = np.flatnonzero(heard == LOUD)
    first_after = [int(np.argmax(on > at)) for at in live_at[np.flatnonzero(np.diff(live_at) > RATE)]]
    assert len(first_after) == 1
    assert lengths[0] == lengths[first_after[0]] == 2_500
    lost_at = live_at[np.flatnonzero(np.diff(live_at) > RATE)[0]], live_at[-1]
    again = [int(on[np.argmax(on > at)] - at) * 1_000 / RATE for at in lost_at]
    assert again == pytest.approx([SILENT_MS, SILENT_MS], abs=2 * 5 + 1)


@pytest.mark.parametrize(
    "shelf", [Shelf(stand_in_ms=None), Shelf(stand_in_ms=0), Shelf(rate=44_100), Shelf(fails_at=0)]
)
def test_a_stand_in_that_is_missing_or_unfit_is_silence_and_no_trouble(shelf: Shelf) -> None:
    play = Play(live(30_000), given=lambda _: 0, shelf=shelf)
    assert len(play.run()) == 30 * RATE
    assert play.pcm.relayed == Relayed(0, 0, 30_000)
    assert play.pcm.trouble is None


def test_a_stand_in_that_turns_out_altered_is_silence_from_there_on() -> None:
    play = Play(live(30_000), given=silent_from(20_000, 10**9), shelf=Shelf(fails_at=2 * RATE))
    heard = play.run()
    relayed = play.pcm.relayed
    assert relayed.stand_in_ms == 2_000
    assert relayed.live_ms + relayed.silent_ms == 28_000
    assert play.pcm.trouble is None
    assert steepest(heard) <= RAMP_STEP


def test_an_unfit_stand_in_stays_unfit_in_the_next_part() -> None:
    play = Play(live(5_000), live(5_000), given=lambda _: 0, shelf=Shelf(rate=44_100))
    play.run()
    assert play.pcm.relayed == Relayed(0, 0, 10_000)


def test_where_nothing_is_relayed_the_stand_in_is_heard_from_the_first_sample_on() -> None:
    """A preview."""
    pcm = Prefetch((live(3_000), live(2_000, None)), Shelf(), RATE, threading.Event())
    sound = b""
    while pcm.fill() or sound[-1:] != b"?":
        taken = pcm.take(RATE)
        sound += taken or b"?"
        if not taken:
            break
    heard = np.frombuffer(sound[:-1], np.int16)
    assert ms_at(heard, STANDING) == 3_000
    assert len(heard) == 5 * RATE
    assert pcm.relayed == Relayed(0, 3_000, 2_000)
