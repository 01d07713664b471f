"""An hour's programme through the real agent and the real player: what proof of steady memory means here."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bench.hurried import Pace
from bench.longplay import DECODER_MB_MAX, GROWTH_MB_MAX, LOOK_EVERY_S, MB, MINUTES, LongRun, Watch, play_long
from bench.proc import watching
from tests.audio.making import needs_decoder

RATE = 48_000
MS_IN_MINUTE = 60_000
MP3_PADDING_MS = 1_500
# An encoder's padding at each of sixty joints; what a decoder adds, staging allows a second of.


@pytest.fixture(scope="module")
def hour() -> LongRun:
    return play_long(MINUTES)


@pytest.mark.host
@pytest.mark.live
@needs_decoder
def test_an_hour_takes_no_more_memory_than_minutes_of_any_process(hour: LongRun) -> None:
    assert hour.outcome == "succeeded"
    assert MINUTES * MS_IN_MINUTE <= hour.played_ms <= MINUTES * (MS_IN_MINUTE + MP3_PADDING_MS)
    assert set(hour.lengthened) == set(hour.grown) == {"run", "device"}
    assert max(*hour.grown.values(), *hour.lengthened.values()) <= GROWTH_MB_MAX * MB, hour


@pytest.mark.host
@pytest.mark.live
@needs_decoder
def test_the_decoder_child_was_seen_and_stays_small(hour: LongRun) -> None:
    assert 10 * MB < hour.decoder_peak < DECODER_MB_MAX * MB, (
        "less than ffmpeg's own libraries means that it was missed"
    )


def test_a_process_that_grows_for_a_moment_is_caught() -> None:
    """The fault that the measure is for: the whole programme held in memory, and given back before the end."""
    grows = "input(); x = bytearray(20_000_000); x[::4096] = b'1' * len(x[::4096]); print(flush=True); input(); del x"
    with subprocess.Popen(
        [sys.executable, "-c", grows], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with watching(Watch({"run": child.pid}), LOOK_EVERY_S) as watch:
            child.stdin.write("\n")
            child.stdout.readline()
            until = time.monotonic() + 30
            while watch.most["run"] - watch.before["run"] < 19_000_000 and time.monotonic() < until:
                time.sleep(0.01)
            child.communicate("\n")
        assert watch.most["run"] - watch.before["run"] > 19_000_000


def test_hurried_time_waits_for_what_is_not_read_yet_and_for_nothing_else() -> None:
    pace = Pace(RATE)
    begun_ns = pace.now_ns()
    assert pace.may_pass(RATE), "silence before the first programme"
    pace.took(RATE)
    assert pace.now_ns() - begun_ns == 1_000_000_000
    pace.ordered()
    assert not pace.may_pass(1), "it would pass the ten seconds after which storage counts as broken"
    pace.opened(3 * RATE)
    assert not pace.may_pass(1)
    pace.read(RATE)
    assert pace.may_pass(RATE)
    pace.took(RATE)
    assert not pace.may_pass(1)
    pace.read(2 * RATE)
    assert pace.may_pass(100 * RATE), "read to its end: the rest is the programme's own"
