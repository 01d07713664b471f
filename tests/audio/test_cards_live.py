"""Two cards relay one live source: neighbouring zones are at the same moment of it (S4), whatever becomes of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_agent.audio.card import CardConfig
from edge_agent.audio.live import SILENT_MS, TARGET_MS
from edge_agent.audio.prefetch import PREROLL_MS
from edge_agent.core.events import PlayEnded
from edge_agent.core.programme import Live, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.player_rig import (
    LEFT,
    RATE,
    RIGHT,
    PlayerRig,
    PulseCardsRig,
    VirtualCardsRig,
    begin,
    ends,
    feeds,
    noise,
    reports,
    route,
    stage,
    until_started,
)
from tests.host.recording import Recorder, Recording
from tests.host.served import served_apart

SOURCE = ClipKey("source")
STATION = CardConfig("station")
DEEPEST = replace(STATION, period_ms=400, periods=4)
APART_MS = 20
# S4.
READY_MS = TARGET_MS + PREROLL_MS + 2 * DEEPEST.buffer_ms + 1_000
# What the source has given when the play is ordered, as with one that was opened 15 s before.
STEP_MS = 5
# A source's own steps; no period or block begins with the same phase.
LISTEN_MS, WIDE_MS = 500, 4_000
HEAD_MS = 3_000
LOST_AT_MS, LOST_MS, PLAY_MS = 12_000, 8_000, 30_000
HEARD_LOST_MS, HEARD_PLAY_MS = 4_000, 16_000
# In real time; more than twice what is held in reserve all the same, and seven seconds after it.


class Studio:
    """A source that gives noise in its own time.

    What it has to say while it is ``lost``, nobody hears; while it is ``held``, it is on its way.
    """

    def __init__(self, rig: PlayerRig, lost: range = range(0), held: range = range(0), sound_s: int = 60) -> None:
        self.sound = noise(sound_s, 7)
        self._held = held
        self._rig = rig
        self._lost = lost
        self._began = rig.now_ms() - READY_MS
        self._told = 0
        self._writer = rig.live.writer(SOURCE)
        self._go_on()

    def anew(self) -> None:
        """The agent has begun anew: another ring in place of the first, which has nothing yet."""
        self._writer = self._rig.live.writer(SOURCE)

    def until(self, condition: Callable[[], bool]) -> None:
        def looked() -> bool:
            self._go_on()
            return condition()

        assert self._rig.run_until(looked, 120_000), self._rig.told()

    def until_ended(self, name: str) -> PlayEnded:
        self.until(lambda: bool(ends(self._rig, name)))
        return ends(self._rig, name)[0]

    def pause(self, ms: int) -> None:
        then = self._rig.now_ms() + ms
        self.until(lambda: self._rig.now_ms() >= then)

    def _go_on(self) -> None:
        now = self._rig.now_ms() - self._began
        while self._told + STEP_MS <= (self._held.start if now in self._held else now):
            first, end = (at * RATE // 1_000 for at in (self._told, self._told + STEP_MS))
            if self._told not in self._lost:
                self._writer.feed(self.sound[first:end].tobytes())
            self._told += STEP_MS


def apart_ms(heard: Recording, at: int) -> float | None:
    """By how much the right is behind the left around a frame of the recording; None where one of them is silent."""
    listened, wide = LISTEN_MS * RATE // 1_000, WIDE_MS * RATE // 1_000
    first = max(at - wide, 0)
    left = heard.samples[at : at + listened, 0].astype(float)
    right = heard.samples[first : at + listened + wide, 1].astype(float)
    if not left.any() or not right.any():
        return None
    bins = 1 << (len(left) + len(right)).bit_length()
    found = np.fft.irfft(np.fft.rfft(right, bins) * np.conj(np.fft.rfft(left, bins)), bins)[: len(right) - len(left)]
    loud = np.concatenate(([0.0], np.cumsum(right * right)))
    alike = found / (np.linalg.norm(left) * np.sqrt(loud[len(left) : -1] - loud[: -len(left) - 1]) + 1)
    # As loud as each other, before it is compared: a window may hold the last few milliseconds before a silence.
    best = int(np.argmax(alike))
    return (first + best - at) * 1_000 / RATE if alike[best] > 0.5 else WIDE_MS


def all_apart_ms(heard: Recording) -> list[float]:
    """Every second."""
    apart = [apart_ms(heard, at) for at in range(RATE, len(heard.samples) - RATE, RATE)]
    return [ms for ms in apart if ms is not None]


def an_island(from_ms: int, to_ms: int) -> npt.NDArray[np.int16]:
    """Sound in the middle of silence, 20 s long."""
    sound = noise(20, 7)
    sound[: from_ms * RATE // 1_000] = 0
    sound[to_ms * RATE // 1_000 :] = 0
    return sound


@pytest.mark.parametrize("late_ms", [-8, 0, 3, 500])
@pytest.mark.parametrize("frames", [4, 48, 140, 480, 4_800, 24_000])
def test_the_measure_of_it_finds_the_moment_by_however_little_of_the_sound(frames: int, late_ms: int) -> None:
    """A silence begins and ends anywhere in what is listened to, and no part of it is loud elsewhere."""
    one = an_island(6_000, 12_000)
    heard = Recording(np.column_stack((one, np.roll(one, late_ms * RATE // 1_000))), RATE, 0)
    listened = LISTEN_MS * RATE // 1_000
    assert apart_ms(heard, 6 * RATE + frames - listened) == late_ms
    assert apart_ms(heard, 12 * RATE - frames) == late_ms


def test_the_measure_of_it_finds_nothing_in_another_sound() -> None:
    heard = Recording(np.column_stack((noise(20, 7), noise(20, 8))), RATE, 0)
    assert apart_ms(heard, 10 * RATE) == WIDE_MS


def told_apart(rig: VirtualCardsRig, name: str) -> list[Relayed]:
    """What each card told of what it relayed, last."""
    told = [[report for _, report in player.reports] for player in rig.player.players.values()]
    return [it.relayed for some in told for it in some if isinstance(it, PlayEnded) and it.play_id == name]


def out_of_phase(rig: VirtualCardsRig, phase_ms: int) -> int:
    """The left card plays already, the right one is opened for what comes: when that is due."""
    at = rig.now_ms() + 3_000
    begin(rig, "before", (stage(rig, "before", np.zeros(2 * RATE, np.int16)),), feeds(LEFT), at - 1_500 - phase_ms)
    until_started(rig, "before")
    return at


@pytest.mark.parametrize("phase_ms", [0, 25, 50, 100, 150])
def test_after_a_loss_of_the_source_both_go_on_at_the_same_moment_of_it(tmp_path: Path, phase_ms: int) -> None:
    rig = VirtualCardsRig(tmp_path, STATION, STATION)
    at = out_of_phase(rig, phase_ms)
    source = Studio(rig, range(LOST_AT_MS, LOST_AT_MS + LOST_MS))
    source.until(lambda: rig.now_ms() >= at - 700 - phase_ms)
    begin(rig, "p", (Live(SOURCE, PLAY_MS),), feeds(LEFT, RIGHT), at)
    end = source.until_ended("p")
    assert end.relayed.silent_ms >= LOST_MS
    apart = all_apart_ms(rig.heard())
    assert len(apart) > (end.relayed.live_ms - HEAD_MS) // 1_000
    assert max(map(abs, apart)) <= APART_MS
    assert told_apart(rig, "p") == [end.relayed] * 2


@pytest.mark.parametrize("deep", [LEFT, RIGHT])
def test_two_cards_with_buffers_of_different_depth_are_at_the_same_moment(tmp_path: Path, deep: str) -> None:
    """And the deeper one's is not empty in the first second, whichever asks first."""
    buffers = (DEEPEST, STATION) if deep == LEFT else (STATION, DEEPEST)
    rig = VirtualCardsRig(tmp_path, *buffers)
    stand_in = stage(rig, "stand-in", noise(10, 8)).key
    source = Studio(rig, range(LOST_AT_MS + 5_000, LOST_AT_MS + 5_000 + LOST_MS))
    begin(rig, "p", (Live(SOURCE, PLAY_MS, stand_in),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    end = source.until_ended("p")
    assert end.relayed.silent_ms == SILENT_MS
    assert end.relayed.stand_in_ms > 0
    apart = all_apart_ms(rig.heard())
    assert len(apart) > (PLAY_MS - SILENT_MS - HEAD_MS) // 1_000
    assert max(map(abs, apart)) <= APART_MS
    assert told_apart(rig, "p") == [end.relayed] * 2


@pytest.mark.parametrize("deep", [LEFT, RIGHT])
def test_what_is_held_up_for_less_than_the_target_is_heard_on_neither_card(tmp_path: Path, deep: str) -> None:
    """The first to ask knows what the other one will take at once: that is no reserve."""
    buffers = (DEEPEST, STATION) if deep == LEFT else (STATION, DEEPEST)
    rig = VirtualCardsRig(tmp_path, *buffers)
    begins = READY_MS + 1_000
    source = Studio(rig, held=range(begins + 3_000, begins + 3_000 + TARGET_MS - 300))
    begin(rig, "p", (Live(SOURCE, 15_000),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    assert source.until_ended("p").relayed == Relayed(15_000, 0, 0)


def test_the_agent_that_begins_a_new_ring_in_the_middle_parts_nobody(tmp_path: Path) -> None:
    """Each reader of a ring counts on in its own way where another takes its place."""
    rig = VirtualCardsRig(tmp_path, STATION, DEEPEST)
    source = Studio(rig)
    begin(rig, "p", (Live(SOURCE, PLAY_MS),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    source.pause(8_000)
    source.anew()
    source.until_ended("p")
    apart = all_apart_ms(rig.heard())
    assert len(apart) > PLAY_MS // 1_000 - 8
    assert max(map(abs, apart)) <= APART_MS


def test_what_is_taken_back_for_a_warning_is_the_same_when_it_is_taken_again(tmp_path: Path) -> None:
    """It cuts in on the right card only, which reaches back; the zone joins again where its neighbour is."""
    rig = VirtualCardsRig(tmp_path, STATION, DEEPEST)
    flood = stage(rig, "flood", noise(2, 9))
    source = Studio(rig)
    begin(rig, "p", (Live(SOURCE, 20_000),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    source.pause(6_000)
    route(rig, "p", feeds(LEFT))
    begin(rig, "flood", (flood,), feeds(RIGHT), at=rig.now_ms(), urgent=True)
    source.until_ended("flood")
    joined_at = rig.now_ms()
    route(rig, "p", feeds(LEFT, RIGHT))
    end = source.until_ended("p")
    assert rig.other.card.drops > 0
    assert end.relayed == Relayed(20_000, 0, 0)
    assert told_apart(rig, "p") == [end.relayed] * 2
    heard = rig.heard()
    ramped = round((joined_at - heard.zero_ns / 1e6) * RATE / 1_000) + RATE * DEEPEST.buffer_ms // 1_000 + RATE
    later = [apart_ms(heard, at) for at in range(ramped, len(heard.samples) - 2 * RATE, RATE)]
    known = [ms for ms in later if ms is not None]
    assert len(known) > 5
    assert max(map(abs, known)) <= APART_MS


@pytest.mark.parametrize("lost", ["pulled out", "stands still"])
@pytest.mark.parametrize("name", ["one", "other"])
def test_a_card_that_fails_in_the_middle_leaves_its_neighbour_the_source(tmp_path: Path, lost: str, name: str) -> None:
    """Also the one that came first to every block."""
    rig = VirtualCardsRig(tmp_path, DEEPEST, STATION)
    source = Studio(rig)
    begin(rig, "p", (Live(SOURCE, 20_000),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    source.pause(8_000)
    if lost == "pulled out":
        rig.player.players[name].card.pulled_out = True
    else:
        rig.player.stands_still.add(name)
    end = source.until_ended("p")
    channel, zone = (1, RIGHT) if name == "one" else (0, LEFT)
    assert (end.reason, end.zone_ms[zone], end.relayed) == (None, 20_000, Relayed(20_000, 0, 0))
    sound = rig.heard().samples[:, channel]
    sound = sound[np.flatnonzero(sound)[0] :][: 20 * RATE][RATE:-RATE]
    at = source.sound.tobytes().find(sound[:64].tobytes()) // 2
    assert np.array_equal(source.sound[at : at + len(sound)], sound)


def test_a_card_whose_storage_was_held_up_for_long_is_brought_back_to_its_neighbour(tmp_path: Path) -> None:
    """It stood still for longer than a source is kept: what the others have heard meanwhile is left out."""
    rig = VirtualCardsRig(tmp_path, STATION, STATION)
    source = Studio(rig, sound_s=120)
    begin(rig, "p", (Live(SOURCE, 70_000),), feeds(LEFT, RIGHT), rig.now_ms() + 1_000)
    source.pause(6_000)
    for _ in range(2):
        rig.other.reads = False
        source.pause(9_000)
        rig.other.reads = True
        source.pause(2_000)
    end = source.until_ended("p")
    assert end.reason is None
    heard = rig.heard()
    later = [apart_ms(heard, at) for at in range(40 * RATE, 60 * RATE, RATE)]
    assert max(abs(ms) for ms in later if ms is not None) <= 2 * STATION.period_ms, "to the block, and to a period"


# By listening


@pytest.fixture
def pulse_rig(tmp_path: Path) -> Iterator[PulseCardsRig]:
    with (
        served_apart(tmp_path / "pulse", ("one", "other")) as (one, other),
        Recorder(one, "one") as left,
        Recorder(other, "other") as right,
    ):
        made = PulseCardsRig(tmp_path / "store", (left, right), STATION, other=DEEPEST)
        try:
            yield made
        finally:
            made.player.close()


@pytest.mark.host
@pytest.mark.live
def test_two_sound_servers_are_heard_at_the_same_moment_of_the_source_after_its_loss(pulse_rig: PulseCardsRig) -> None:
    """The right one is opened in the middle of the left one's period, and has the deeper buffer."""
    before = stage(pulse_rig, "before", np.zeros(2 * RATE, np.int16))
    source = Studio(pulse_rig, range(LOST_AT_MS, LOST_AT_MS + HEARD_LOST_MS))
    at = pulse_rig.now_ms() + 3_000
    begin(pulse_rig, "before", (before,), feeds(LEFT), at - 1_625)
    source.until(lambda: pulse_rig.now_ms() >= at - 900)
    begin(pulse_rig, "p", (Live(SOURCE, HEARD_PLAY_MS),), feeds(LEFT, RIGHT), at)
    end = source.until_ended("p")
    assert end.reason is not Reason.DEVICE_FAILED
    assert end.relayed.silent_ms >= HEARD_LOST_MS
    assert not [report for report in reports(pulse_rig, "p") if getattr(report, "underruns", 0)], "a busy machine"
    apart = all_apart_ms(pulse_rig.heard())
    assert len(apart) > (end.relayed.live_ms - HEAD_MS) // 1_000
    assert max(map(abs, apart)) <= APART_MS
