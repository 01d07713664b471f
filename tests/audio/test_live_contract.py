"""A live part heard behind the card while its ring is being written: in virtual time, and through alsa-lib."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.live import BLOCK_MS, SILENT_MS, STAY_MS, TARGET_MS
from edge_agent.audio.prefetch import PREROLL_MS
from edge_agent.core.events import PlayEnded, PlayProgress
from edge_agent.core.programme import Live, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    PlayerRig,
    Samples,
    VirtualRig,
    begin,
    ends,
    feeds,
    first_of,
    noise,
    pause,
    pulse_rig,
    reports,
    route,
    stage,
    started,
    stop,
    tone,
)
from tests.host.pulse import Pulse
from tests.host.recording import Recording
from tests.host.served import served

SOURCE = ClipKey("source")
SOURCE_HZ, STAND_IN_HZ, PEAK = 440, 1_000, 12_000
READY_MS = TARGET_MS + PREROLL_MS + 2 * CONFIG.buffer_ms + 500
# What the source has given when the play is ordered: the target, what card and reader take at once, and room for a
# busy test machine.
STEP_MS = 50
# To the next it is told which tone sounds: 22 and 50 whole waves.
FULL_STEP = 2 * PEAK // RAMP


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    with served(tmp_path_factory.mktemp("pulse")) as server:
        yield server


@pytest.fixture(params=["virtual", pytest.param("pulse", marks=[pytest.mark.host, pytest.mark.live])])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlayerRig]:
    if request.param == "virtual":
        yield VirtualRig(tmp_path)
    else:
        with pulse_rig(tmp_path, request.getfixturevalue("pulse")) as real:
            yield real


class Studio:
    """A source that gives ``sound`` in its own time; what falls into the ``hole`` is lost."""

    def __init__(self, rig: PlayerRig, sound: Samples, hole: tuple[int, int] = (0, 0)) -> None:
        self._rig = rig
        self._sound = sound
        self._hole = hole
        self._began = rig.now_ms() - READY_MS
        self._told = 0
        self._writer = rig.live.writer(SOURCE)
        self._go_on()

    def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass for both."""

        def looked() -> bool:
            self._go_on()
            return condition()

        assert self._rig.run_until(looked), self._rig.told()

    def until_ended(self, name: str) -> PlayEnded:
        self.until(lambda: bool(ends(self._rig, name)))
        return ends(self._rig, name)[0]

    def until_started(self, name: str) -> None:
        self.until(lambda: started(self._rig, name))

    def pause(self, ms: int) -> None:
        then = self._rig.now_ms() + ms
        self.until(lambda: self._rig.now_ms() >= then)

    def _go_on(self) -> None:
        while self._told + BLOCK_MS <= self._rig.now_ms() - self._began:
            first, end = (at * RATE // 1_000 for at in (self._told, self._told + BLOCK_MS))
            if not self._hole[0] <= self._told < self._hole[1]:
                self._writer.feed(self._sound[first:end].tobytes())
            self._told += BLOCK_MS


def live(ms: int, stand_in: ClipKey | None = None) -> Live:
    return Live(SOURCE, ms, stand_in)


def whole(relayed: Relayed) -> int:
    return relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms


def heard_as(heard: Recording, first: int, end: int) -> list[tuple[int, int]]:
    """Which tone (0: none) sounded for how many ms, one after the other."""
    step = RATE * STEP_MS // 1_000
    told = []
    for at in range(first, end - step + 1, step):
        quiet = heard.level_db(0, at, at + step) < -40
        told.append(
            0 if quiet else min((SOURCE_HZ, STAND_IN_HZ), key=lambda hz: abs(heard.tone_hz(0, at, at + step) - hz))
        )
    return [(hz, len(list(run)) * STEP_MS) for hz, run in groupby(told)]


def test_a_source_that_is_lost_for_four_seconds_is_replaced_and_comes_back(rig: PlayerRig) -> None:
    ms = 20_000
    stand_in = stage(rig, "stand-in", tone(60, STAND_IN_HZ, PEAK)).key
    source = Studio(rig, tone(40, SOURCE_HZ, PEAK), hole=(9_000, 13_000))
    begin(rig, "p", (live(ms, stand_in),), feeds(LEFT))
    end = source.until_ended("p")
    assert (end.reason, end.frames, end.zone_ms, end.underruns) == (None, ms * RATE // 1_000, {LEFT: ms}, 0)
    assert whole(end.relayed) == ms
    assert end.relayed.silent_ms == SILENT_MS
    assert end.relayed.stand_in_ms >= STAY_MS
    heard = rig.heard()
    first, last = heard.onset(0), heard.last(0)
    assert first is not None
    assert last is not None
    assert abs(last - first - end.frames) < 2 * RATE // SOURCE_HZ
    before, silence, instead, after = heard_as(heard, first, first + end.frames)
    assert [hz for hz, _ in (before, silence, instead, after)] == [SOURCE_HZ, 0, STAND_IN_HZ, SOURCE_HZ]
    assert abs(instead[1] - end.relayed.stand_in_ms) <= 2 * STEP_MS
    assert abs(before[1] + after[1] - end.relayed.live_ms) <= 3 * STEP_MS
    wave = int(np.max(np.abs(np.diff(tone(1, STAND_IN_HZ, PEAK)))))
    assert heard.steepest(0, 0, len(heard.samples)) <= wave + FULL_STEP


def test_between_two_sounds_a_live_part_is_as_long_as_was_ordered(rig: PlayerRig) -> None:
    one, two, sound = noise(0.5, 41), noise(0.5, 42), noise(20, 43)
    source = Studio(rig, sound)
    begin(rig, "p", (stage(rig, "one", one), live(2_950), stage(rig, "two", two)), feeds(LEFT))
    end = source.until_ended("p")
    assert (end.reason, end.relayed) == (None, Relayed(2_950, 0, 0))
    heard = rig.heard()
    first = first_of(heard, 0, one)
    begins, ends_at = first + len(one), first + len(one) + 2_950 * RATE // 1_000
    assert first_of(heard, 0, two, skipped=0) == ends_at
    relayed = heard.samples[begins:ends_at, 0][RAMP:-RAMP]
    at = place_of(sound, relayed)
    assert np.array_equal(relayed, sound[at : at + len(relayed)])


def place_of(sound: Samples, part: Samples) -> int:
    at = sound.tobytes().find(part[:64].tobytes())
    assert at >= 0, "it was not heard"
    return at // 2


def test_what_nobody_hears_of_it_goes_by_all_the_same(rig: PlayerRig) -> None:
    sound = noise(20, 44)
    source = Studio(rig, sound)
    begin(rig, "p", (live(4_000),), feeds(LEFT))
    source.until_started("p")
    source.pause(500)
    route(rig, "p", ())
    source.pause(1_000)
    route(rig, "p", feeds(RIGHT))
    end = source.until_ended("p")
    assert end.relayed == Relayed(4_000, 0, 0)
    assert end.zone_ms[LEFT] + end.zone_ms[RIGHT] < 3_500
    heard = rig.heard()
    first, back = heard.onset(0), heard.onset(1)
    assert first is not None
    assert back is not None
    early, later = heard.samples[first + 2 * RAMP :, 0], heard.samples[back + RAMP :, 1]
    assert place_of(sound, later) - place_of(sound, early) == back - first - RAMP


def test_what_was_relayed_is_told_as_it_goes(rig: PlayerRig) -> None:
    source = Studio(rig, noise(20, 45))
    begin(rig, "p", (live(4_000),), feeds(LEFT))
    source.until_ended("p")
    *progress, _ = (report for report in reports(rig, "p") if isinstance(report, PlayProgress | PlayEnded))
    assert len(progress) >= 3
    for report in progress:
        assert isinstance(report, PlayProgress)
        # What was written and has not left is counted too: a card's buffer.
        assert 0 <= whole(report.relayed) - report.zone_ms[LEFT] <= CONFIG.buffer_ms + 1


def test_one_that_is_stopped_tells_what_it_was(rig: PlayerRig) -> None:
    source = Studio(rig, noise(20, 46))
    begin(rig, "p", (live(60_000),), feeds(LEFT))
    source.until_started("p")
    source.pause(1_000)
    stop(rig, "p")
    end = source.until_ended("p")
    assert end.reason is Reason.SHUTDOWN
    assert end.relayed == Relayed(end.frames * 1_000 // RATE, 0, 0)


def test_another_play_that_cuts_in_leaves_it_whole_and_counted_once(tmp_path: Path) -> None:
    """The stream reaches back for what is urgent: what was queued of the live part is taken again."""
    rig = VirtualRig(tmp_path)
    sound, urgent = noise(20, 47), noise(0.3, 48)
    source = Studio(rig, sound)
    urgent_part = stage(rig, "urgent", urgent)
    begin(rig, "p", (live(4_000),), feeds(LEFT))
    source.until_started("p")
    source.pause(700)
    begin(rig, "urgent", (urgent_part,), feeds(RIGHT), at=rig.now_ms())
    assert source.until_ended("p").relayed == Relayed(4_000, 0, 0)
    assert rig.player.card.drops == 1
    heard = rig.heard()
    assert heard.find(1, urgent[RAMP:-RAMP]) is not None
    first = heard.onset(0)
    assert first is not None
    at = place_of(sound, heard.samples[first + 2 * RAMP :, 0])
    relayed = sound[at : at + 4_000 * RATE // 1_000 - 4 * RAMP]
    assert heard.find(0, relayed) is not None


def test_where_no_source_ever_comes_and_nothing_stands_in_it_is_silence(rig: PlayerRig) -> None:
    one = noise(0.3, 49)
    begin(rig, "p", (stage(rig, "one", one), live(1_500)), feeds(LEFT))
    assert rig.run_until(lambda: bool(ends(rig, "p")))
    (end,) = ends(rig, "p")
    assert (end.reason, end.frames, end.relayed) == (None, 1_800 * RATE // 1_000, Relayed(0, 0, 1_500))
    pause(rig, 100)
    heard = rig.heard()
    first = first_of(heard, 0, one)
    assert not heard.samples[first + len(one) :].any()
