"""Cutting in (requirement sound.4): how soon the next sound is there, that nothing clicks, that the neighbour is whole.

In virtual time the card's drop costs nothing, so what is measured is all our own, and exact. On a real sink the same
cuts are held against the queue that would have to be waited for, seven of them, for each takes a second of real time;
``REAL_CUTS=20`` cuts as often as in virtual time. How long they take there in milliseconds, beside other players, tells
``./run bench --only cuts``.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio import mixer, voice
from edge_agent.audio.card import CardConfig
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    WIRING,
    PulseRig,
    Samples,
    VirtualRig,
    begin,
    feeds,
    first_of,
    noise,
    pause,
    played_ms,
    route,
    stage,
    stop,
    tone,
    until_ended,
    until_started,
)
from tests.fakes.card import VirtualPlayer
from tests.host.listening import Seam, seams
from tests.host.recording import Recorder
from tests.host.served import served

STATION = CardConfig("station")
QUEUE_MS = STATION.period_ms * STATION.periods
CUTS = 20
REAL_CUTS = int(os.environ.get("REAL_CUTS", "7"))
HARD_FRAMES_MAX = RATE * 10 // 1_000
FADED_FRAMES_MAX = RATE * 30 // 1_000
TENTH, THIRTIETH = 10, 30
SEED = 4


@pytest.fixture
def rig(tmp_path: Path) -> VirtualRig:
    """With a station's own settings."""
    made = VirtualRig(tmp_path)
    made.player = VirtualPlayer(STATION, WIRING, made.store)
    return made


@pytest.fixture
def real(tmp_path: Path) -> Iterator[PulseRig]:
    with served(tmp_path / "pulse") as server, Recorder(server) as recorder:
        made = PulseRig(tmp_path / "store", recorder, STATION)
        yield made
        made.player.close()


def at_any_moment(rig: VirtualRig, chance: random.Random) -> int:
    """Let a second or so pass, to the very nanosecond, the writer asleep as behind its poll; the boot time then, ns."""
    pause(rig, chance.randrange(700, 1_100))
    rig.player.time.ns += chance.randrange(STATION.period_ms * 1_000_000)
    return rig.player.time.ns


def full(rig: VirtualRig | PulseRig, name: str) -> None:
    """It sounds, and all of the queue lies before whatever comes next."""
    until_started(rig, name)
    assert rig.run_until(lambda: played_ms(rig, name) > 0)


def frames_after(rig: VirtualRig, ordered_ns: int, frame: int) -> float:
    return (rig.player.card.instant_ns(frame) - ordered_ns) * RATE / 1e9


def test_a_hard_cut_takes_ten_milliseconds_at_most_and_what_is_cut_is_gone_within_thirty(rig: VirtualRig) -> None:
    """A stop and a start at once, in every zone, each time with the queue full."""
    chance = random.Random(SEED)
    sounds = [noise(3, seed) for seed in range(CUTS + 1)]
    parts = [stage(rig, f"s{number}", sound) for number, sound in enumerate(sounds)]
    begin(rig, "p0", (parts[0],), feeds(LEFT, RIGHT))
    full(rig, "p0")
    ordered = []
    for number in range(1, CUTS + 1):
        ordered.append(at_any_moment(rig, chance))
        stop(rig, f"p{number - 1}")
        begin(rig, f"p{number}", (parts[number],), feeds(LEFT, RIGHT), at=rig.now_ms())
    until_ended(rig, f"p{CUTS}")
    heard = rig.heard()
    assert rig.player.card.drops == CUTS
    for told, sound in zip(ordered, sounds[1:], strict=True):
        first = first_of(heard, 0, sound)
        passed = frames_after(rig, told, first)
        assert 0 <= passed <= HARD_FRAMES_MAX
        alone = slice(FADED_FRAMES_MAX - int(passed), RATE // 2)
        for channel in (0, 1):
            assert np.array_equal(heard.samples[first : first + len(sound), channel][alone], sound[alone])


def test_the_next_sound_in_one_zone_comes_as_soon_and_the_other_zone_is_bit_exact_through_it_all(
    rig: VirtualRig,
) -> None:
    chance = random.Random(SEED)
    bulletin = noise(2 * CUTS, 99)
    begin(rig, "bulletin", (stage(rig, "bulletin", bulletin),), feeds(LEFT, RIGHT))
    full(rig, "bulletin")
    urgent = [noise(0.3, seed) for seed in range(CUTS)]
    ordered = []
    for number, sound in enumerate(urgent):
        part = stage(rig, f"u{number}", sound)
        ordered.append(at_any_moment(rig, chance))
        route(rig, "bulletin", feeds(RIGHT))
        begin(rig, f"u{number}", (part,), feeds(LEFT), at=rig.now_ms())
        until_ended(rig, f"u{number}")
        route(rig, "bulletin", feeds(LEFT, RIGHT))
    assert until_ended(rig, "bulletin").zone_ms[RIGHT] == 2_000 * CUTS
    heard = rig.heard()
    assert rig.player.card.drops == CUTS
    for told, sound in zip(ordered, urgent, strict=True):
        assert 0 <= frames_after(rig, told, first_of(heard, 0, sound)) <= HARD_FRAMES_MAX
    first = first_of(heard, 1, bulletin)
    assert np.array_equal(heard.samples[first : first + len(bulletin), 1][RAMP:-RAMP], bulletin[RAMP:-RAMP])


LOW, HIGH, PEAK = 440, 1_000, 12_000


def steepest_at_cuts(rig: VirtualRig) -> int:
    """The largest step between samples next to each other, while two tones cut each other short."""
    chance = random.Random(SEED)
    parts = [stage(rig, f"t{hz}", tone(3, hz, PEAK)) for hz in (LOW, HIGH)]
    begin(rig, "p0", (parts[0],), feeds(LEFT, RIGHT))
    full(rig, "p0")
    for number in range(1, CUTS + 1):
        at_any_moment(rig, chance)
        stop(rig, f"p{number - 1}")
        begin(rig, f"p{number}", (parts[number % 2],), feeds(LEFT, RIGHT), at=rig.now_ms())
    until_ended(rig, f"p{CUTS}")
    heard = rig.heard()
    return max(heard.steepest(channel, 0, len(heard.samples)) for channel in (0, 1))


def own_steps() -> int:
    """Of both tones, when they sound together while one fades into the other."""
    steps = [int(np.max(np.abs(np.diff(tone(1, hz, PEAK).astype(np.int32))))) for hz in (LOW, HIGH)]
    return sum(steps) + 2 * (PEAK // RAMP + 1)


def test_nothing_clicks_where_one_tone_cuts_the_other_short(rig: VirtualRig) -> None:
    assert steepest_at_cuts(rig) <= own_steps()


def test_without_the_ramp_it_would_click_and_be_noticed(rig: VirtualRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixer, "RAMP_MS", 0)
    monkeypatch.setattr(voice, "RAMP_MS", 0)
    assert steepest_at_cuts(rig) > 2 * own_steps()


@pytest.mark.host
@pytest.mark.live
def test_on_a_real_sink_a_hard_cut_takes_a_tenth_of_the_queue_and_leaves_nothing_of_what_it_cut(
    real: PulseRig,
) -> None:
    chance = random.Random(SEED)
    sounds = [noise(3, seed) for seed in range(REAL_CUTS + 1)]
    parts = [stage(real, f"s{number}", sound) for number, sound in enumerate(sounds)]
    begin(real, "p0", (parts[0],), feeds(LEFT, RIGHT))
    full(real, "p0")
    ordered = []
    for number in range(1, REAL_CUTS + 1):
        pause(real, chance.randrange(650, 900))
        ordered.append(real.now_ms())
        stop(real, f"p{number - 1}")
        begin(real, f"p{number}", (parts[number],), feeds(LEFT, RIGHT), at=ordered[-1])
    pause(real, 1_000)
    heard = real.heard()
    firsts = [first_of(heard, 0, sound) for sound in sounds]
    taken = sorted(heard.instant_ms(first) - told for first, told in zip(firsts[1:], ordered, strict=True))
    assert taken[REAL_CUTS // 2] <= QUEUE_MS / TENTH, taken
    assert taken[-1] <= QUEUE_MS / 2, taken
    cut = [*map(heard.frame_at, ordered), len(heard.samples)]
    for sound, first, end in zip(sounds, firsts, cut, strict=True):
        alone = slice(RAMP, min(RATE // 2, end - first))
        for channel in (0, 1):
            assert np.array_equal(heard.samples[first : first + len(sound), channel][alone], sound[alone])


@pytest.mark.host
@pytest.mark.live
def test_on_a_real_sink_the_neighbour_of_what_was_ordered_ahead_is_bit_exact(real: PulseRig) -> None:
    chance = random.Random(SEED)
    bulletin = noise(REAL_CUTS * 1.4 + 4, 99)
    begin(real, "bulletin", (stage(real, "bulletin", bulletin),), feeds(LEFT, RIGHT))
    part = stage(real, "urgent", noise(0.1, 1))
    full(real, "bulletin")
    for number in range(REAL_CUTS):
        route(real, "bulletin", feeds(LEFT, RIGHT))
        begin(real, f"u{number}", (part,), feeds(LEFT), at=real.now_ms() + QUEUE_MS + chance.randrange(300, 500))
        until_started(real, f"u{number}")
    assert until_ended(real, "bulletin").underruns == 0
    assert all(until_ended(real, f"u{number}").zone_ms == {LEFT: 100} for number in range(REAL_CUTS))
    heard = real.heard()
    first = first_of(heard, 1, bulletin)
    assert np.array_equal(heard.samples[first : first + len(bulletin), 1][RAMP:-RAMP], bulletin[RAMP:-RAMP])


@pytest.mark.host
@pytest.mark.live
def test_on_a_real_sink_the_neighbour_of_a_hard_cut_is_torn_by_the_servers_own_steps_alone(real: PulseRig) -> None:
    """What is queued can be taken back only by a drop, and a server has handed on by then what it counts as dropped.

    Neither it nor a client of it can tell how much of a step that was, so this is no promise, and has a bound.
    """
    chance = random.Random(SEED)
    bulletin = noise(REAL_CUTS * 0.6 + 5, 99)
    begin(real, "bulletin", (stage(real, "bulletin", bulletin),), feeds(LEFT, RIGHT))
    part = stage(real, "urgent", noise(0.1, 1))
    full(real, "bulletin")
    for number in range(REAL_CUTS):
        pause(real, chance.randrange(350, 550))
        begin(real, f"u{number}", (part,), feeds(LEFT), at=real.now_ms())
    end = until_ended(real, "bulletin")
    assert end.zone_ms[RIGHT] == len(bulletin) * 1_000 // RATE
    heard = real.heard()
    first = first_of(heard, 1, bulletin)
    found = seams(heard.samples[first + RAMP :, 1], bulletin[RAMP:-RAMP])
    torn_ms = sorted((abs(seam.missing) + seam.silent) * 1_000 / RATE for seam in found)
    assert len(found) <= REAL_CUTS + end.underruns
    assert sum(torn_ms) <= REAL_CUTS * QUEUE_MS / THIRTIETH, found
    assert all(torn <= QUEUE_MS / TENTH for torn in torn_ms), found


def test_the_ear_tells_where_sound_is_not_whole(tmp_path: Path) -> None:
    sound: Samples = noise(1, 5)
    torn = np.concatenate([sound[:9_000], np.zeros(240, np.int16), sound[9_100:30_000], sound[29_950:]])
    assert seams(sound, sound) == []
    assert seams(torn, sound) == [Seam(9_000, 240, 100), Seam(30_000, 0, -50)]
