"""What every player promises (``audio.port``), heard behind it: in virtual time, through alsa-lib, on a real card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted
from edge_agent.core.programme import OPENING, OPENING_MS, Pause, Sound, rest_of
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    PlayerRig,
    VirtualCardsRig,
    VirtualRig,
    begin,
    card_rig,
    ends,
    feeds,
    first_of,
    needs_loopback,
    noise,
    pause,
    played_ms,
    pulse_rig,
    reports,
    route,
    stage,
    stop,
    tone,
    until_ended,
    until_started,
)
from tests.host.pulse import Pulse
from tests.host.served import served

ONSET_MS = 20
# What is promised between neighbouring clusters (S4). Seen: 0.3 ms idle, 2 ms with both cores busy.
TOLD_MS = 5
# Reports are whole milliseconds, and the recorder's own clock is good to some of them on a busy machine.


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    """A sound server that this process's alsa-lib finds. On two of them: ``test_cards_heard``."""
    with served(tmp_path_factory.mktemp("pulse")) as server:
        yield server


LIVE = [pytest.mark.host, pytest.mark.live, pytest.mark.benched]


@pytest.fixture(
    params=[
        "virtual",
        "virtual cards",
        pytest.param("pulse", marks=LIVE),
        pytest.param("card", marks=[*LIVE, pytest.mark.shows("bench.3"), needs_loopback]),
    ]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlayerRig]:
    if request.param == "virtual":
        yield VirtualRig(tmp_path)
    elif request.param == "virtual cards":
        yield VirtualCardsRig(tmp_path)
    elif request.param == "card":
        with card_rig(tmp_path) as real:
            yield real
    else:
        with pulse_rig(tmp_path, request.getfixturevalue("pulse")) as real:
            yield real


def apart(rig: PlayerRig) -> int:
    """By how many frames the two zones may differ: not at all on one card, on two within what neighbours may (S4)."""
    return 0 if len(rig.cards) == 1 else ONSET_MS * RATE // 1_000


def test_the_first_sample_leaves_at_the_ordered_instant(rig: PlayerRig) -> None:
    sound = noise(0.3, 1)
    at = begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_ended(rig, "p")
    heard = rig.heard()
    began = heard.instant_ms(first_of(heard, 0, sound))
    assert abs(began - at) < ONSET_MS
    (first,) = [report for report in reports(rig, "p") if isinstance(report, PlayStarted)]
    assert abs(first.at - began) < TOLD_MS


def test_all_samples_are_heard_exactly_but_for_the_ramps(rig: PlayerRig) -> None:
    sound = noise(1.2, 2)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    end = until_ended(rig, "p")
    assert (end.reason, end.frames, end.zone_ms, end.underruns) == (None, len(sound), {LEFT: 1_200, RIGHT: 1_200}, 0)
    heard = rig.heard()
    ramped = []
    for channel in (0, 1):
        first = first_of(heard, channel, sound)
        played = heard.samples[first : first + len(sound), channel]
        assert np.array_equal(played[RAMP:-RAMP], sound[RAMP:-RAMP])
        assert not heard.samples[:first, channel].any()
        assert not heard.samples[first + len(sound) :, channel].any()
        ramped.append(played)
    assert np.array_equal(*ramped)


def test_a_programme_rises_out_of_silence_and_is_exact_from_then_on(rig: PlayerRig) -> None:
    """As it was recorded behind the card: every tenth of the rise louder than the one before, and no click in it."""
    rise_ms = 1_000
    quiet, sound = tone(rise_ms / 1_000, 440), noise(0.4, 41)
    begin(rig, "p", (stage(rig, "tone", quiet), stage(rig, "a", sound)), feeds(LEFT, RIGHT), rise_ms=rise_ms)
    end = until_ended(rig, "p")
    assert end.frames == len(quiet) + len(sound)
    heard = rig.heard()
    behind = first_of(heard, 0, sound)
    risen = heard.samples[behind - len(quiet) : behind, 0].astype(np.int32)
    tenths = [int(np.abs(part).max()) for part in np.split(risen, 10)]
    assert tenths == pytest.approx([12_000 * (number / 10) ** 2 for number in range(1, 11)], rel=0.03, abs=20)
    assert np.abs(np.diff(risen, prepend=0)).max() <= 12_000 * 2 * np.pi * 440 / RATE * 1.05
    assert np.array_equal(heard.samples[behind : behind + len(sound), 1][:-RAMP], sound[:-RAMP])


def test_a_zone_that_joins_a_programme_while_it_rises_hears_it_as_loud_as_the_others(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", tone(2.5, 440)),), feeds(LEFT), rise_ms=2_000, later=(RIGHT,))
    until_started(rig, "p")
    route(rig, "p", feeds(LEFT, RIGHT))
    until_ended(rig, "p")
    heard = rig.heard().samples
    joined = np.flatnonzero(heard[:, 1])[0] + 2 * RAMP
    assert np.array_equal(heard[joined:, 0], heard[joined:, 1])
    assert 0 < np.abs(heard[joined : joined + RAMP, 0].astype(np.int32)).max() < 11_000


def test_parts_join_without_a_gap_or_a_lost_sample(rig: PlayerRig) -> None:
    one, two = noise(0.2, 3), noise(0.15, 4)
    parts = (stage(rig, "one", one), stage(rig, "two", two), Pause(123), Sound(ClipKey("one"), 200))
    begin(rig, "p", parts, feeds(LEFT))
    until_ended(rig, "p")
    expected = np.concatenate([one, two, np.zeros(123 * RATE // 1_000, np.int16), one])
    heard = rig.heard()
    first = first_of(heard, 0, one)
    assert np.array_equal(heard.samples[first : first + len(expected), 0][RAMP:-RAMP], expected[RAMP:-RAMP])


def test_a_play_may_begin_in_the_middle_of_a_sound(rig: PlayerRig) -> None:
    one, two = noise(1, 31), noise(0.2, 32)
    cut_ms = 437
    whole = stage(rig, "one", one)
    parts = (Sound(whole.key, whole.duration_ms - cut_ms, cut_ms), stage(rig, "two", two))
    begin(rig, "p", parts, feeds(LEFT))
    end = until_ended(rig, "p")
    expected = np.concatenate([one[cut_ms * RATE // 1_000 :], two])
    assert (end.frames, end.zone_ms) == (len(expected), {LEFT: 763})
    heard = rig.heard()
    first = first_of(heard, 0, expected)
    assert np.array_equal(heard.samples[first : first + len(expected), 0][RAMP:-RAMP], expected[RAMP:-RAMP])
    assert not heard.samples[:first].any()


def test_what_was_cut_and_its_rest_are_the_whole_programme_to_the_sample(rig: PlayerRig) -> None:
    one, two = noise(0.6, 33), noise(0.4, 34)
    programme = (stage(rig, "one", one), Pause(50), stage(rig, "two", two))
    cut_ms = 777  # in the middle of the second sound
    begin(rig, "rest", rest_of(programme, cut_ms), feeds(LEFT))
    end = until_ended(rig, "rest")
    rest = np.concatenate([one, np.zeros(50 * RATE // 1_000, np.int16), two])[cut_ms * RATE // 1_000 :]
    assert end.frames == len(rest)
    heard = rig.heard()
    first = first_of(heard, 0, rest)
    assert np.array_equal(heard.samples[first : first + len(rest), 0][RAMP:-RAMP], rest[RAMP:-RAMP])


def test_the_last_sample_has_sounded_before_the_end_is_told(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.3, 5)),), feeds(RIGHT))
    until_ended(rig, "p")
    pause(rig, 100)
    ((told_at, end),) = [(at, report) for at, report in rig.told() if isinstance(report, PlayEnded)]
    heard = rig.heard()
    last = heard.last(1)
    assert last is not None
    assert heard.instant_ms(last) <= told_at
    assert abs(heard.instant_ms(last) - end.at) < TOLD_MS


def test_an_instant_that_has_passed_means_at_once(rig: PlayerRig) -> None:
    sound = noise(0.3, 6)
    ordered = rig.now_ms()
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT), at=ordered - 5_000)
    end = until_ended(rig, "p")
    assert end.frames == len(sound)
    heard = rig.heard()
    assert ordered - TOLD_MS <= heard.instant_ms(first_of(heard, 0, sound)) < ordered + 2_000


def test_reports_keep_their_order_and_only_grow(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(3, 7)),), feeds(LEFT))
    until_ended(rig, "p")
    pause(rig, 100)
    first, *progress, last = reports(rig, "p")
    assert isinstance(first, PlayStarted)
    assert isinstance(last, PlayEnded)
    told = [report.zone_ms[LEFT] for report in progress if isinstance(report, PlayProgress)]
    assert len(told) == len(progress) == 3
    assert told == sorted(told)
    assert told[-1] <= last.zone_ms[LEFT] == 3_000


def test_stop_fades_without_a_click_and_ends_once(rig: PlayerRig) -> None:
    sound = tone(20, 440)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "p")
    pause(rig, 200)
    stop(rig, "p")
    stop(rig, "p")
    end = until_ended(rig, "p")
    pause(rig, 100)
    assert ends(rig, "p") == [end]
    assert end.reason is Reason.SHUTDOWN
    assert 0 < end.frames < len(sound) // 2
    heard = rig.heard()
    last = heard.last(0)
    assert last is not None
    assert heard.steepest(0, 0, len(heard.samples)) <= int(np.max(np.abs(np.diff(sound)))) + 1
    assert heard.last(0, above=11_000, end=last + 1) < last - RAMP // 2  # type: ignore[operator]
    assert abs(end.frames - (last - first_of(heard, 0, sound))) < RATE // 440


def test_a_play_that_is_stopped_before_its_instant_is_never_heard(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.2, 8)),), feeds(LEFT), at=rig.now_ms() + 60_000)
    pause(rig, 300)
    stop(rig, "p")
    end = until_ended(rig, "p")
    assert (end.reason, end.frames, end.zone_ms) == (Reason.SHUTDOWN, 0, {})
    assert not rig.heard().samples.any()


def test_cutting_in_on_the_left_leaves_the_right_bit_exact_and_the_left_rejoins_in_time(rig: PlayerRig) -> None:
    bulletin, urgent = noise(4, 9), noise(0.6, 10)
    begin(rig, "bulletin", (stage(rig, "a", bulletin),), feeds(LEFT, RIGHT))
    parts = (stage(rig, "b", urgent),)
    until_started(rig, "bulletin")
    pause(rig, 300)
    route(rig, "bulletin", feeds(RIGHT))
    begin(rig, "urgent", parts, feeds(LEFT))
    cut_in = until_ended(rig, "urgent")
    route(rig, "bulletin", feeds(LEFT, RIGHT))
    end = until_ended(rig, "bulletin")
    heard = rig.heard()
    first, first_right = (first_of(heard, channel, bulletin) for channel in (0, 1))
    assert abs(first - first_right) <= apart(rig)
    left = heard.samples[first : first + len(bulletin), 0]
    right = heard.samples[first_right : first_right + len(bulletin), 1]
    assert np.array_equal(right[RAMP:-RAMP], bulletin[RAMP:-RAMP])
    at = first_of(heard, 0, urgent) - first
    assert np.array_equal(left[at + RAMP : at + len(urgent) - RAMP], urgent[RAMP:-RAMP])
    after = np.flatnonzero(left[at + len(urgent) :])[0] + at + len(urgent) + RAMP
    assert np.array_equal(left[after:-RAMP], bulletin[after:-RAMP])
    assert cut_in.zone_ms == {LEFT: 600}
    assert end.zone_ms[RIGHT] == 4_000
    silent = len(bulletin) - np.count_nonzero(left == bulletin)
    assert abs(end.zone_ms[LEFT] - (4_000 - silent * 1_000 / RATE)) <= 3 * 5


def test_a_programme_that_nobody_hears_keeps_its_time(rig: PlayerRig) -> None:
    sound = noise(2, 11)
    begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT), later=(RIGHT,))
    until_started(rig, "p")
    route(rig, "p", ())
    pause(rig, 600)
    route(rig, "p", feeds(RIGHT, volume=100))
    end = until_ended(rig, "p")
    heard = rig.heard()
    first = first_of(heard, 0, sound)
    back = heard.onset(1)
    assert back is not None
    back += RAMP
    at = int(sound.tobytes().find(heard.samples[back : back + 64, 1].tobytes())) // 2
    assert abs(at - (back - first)) <= apart(rig)
    assert np.array_equal(heard.samples[back : back + len(sound) - at - RAMP, 1], sound[at:-RAMP])
    assert end.zone_ms[LEFT] + end.zone_ms[RIGHT] < 2_000 - 500
    on_cards = [sum(end.zone_ms[zone] for zone in zones) for zones in rig.cards]
    assert abs(end.frames * 1_000 / RATE - max(on_cards)) <= 2


def test_volume_is_a_gain_of_forty_decibels_a_decade(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", tone(0.5, 1_000)),), (*feeds(LEFT, volume=100), *feeds(RIGHT, volume=50)))
    until_ended(rig, "p")
    heard = rig.heard()
    first = heard.onset(0)
    assert first is not None
    middle = (first + RATE // 10, first + RATE * 4 // 10)
    assert heard.level_db(0, *middle) - heard.level_db(1, *middle) == pytest.approx(12.04, abs=0.05)
    assert heard.tone_hz(1, *middle) == pytest.approx(1_000, abs=1)


def test_of_two_plays_on_one_zone_the_later_order_is_heard(rig: PlayerRig) -> None:
    one, two = noise(1.5, 12), noise(0.3, 13)
    parts = stage(rig, "a", one), stage(rig, "b", two)
    at = begin(rig, "one", parts[:1], feeds(LEFT, RIGHT))
    begin(rig, "two", parts[1:], feeds(LEFT), at=at)
    assert until_ended(rig, "two").zone_ms == {LEFT: 300}
    assert until_ended(rig, "one").zone_ms == {RIGHT: 1_500}
    heard = rig.heard()
    assert heard.find(0, one[RAMP : RAMP + 64]) is None
    assert heard.find(0, two[RAMP:-RAMP]) is not None
    assert heard.find(1, one[RAMP:-RAMP]) is not None


def test_an_altered_clip_ends_its_own_play_and_no_other(rig: PlayerRig, tmp_path: Path) -> None:
    good, bad = noise(2.5, 14), noise(2.5, 15)
    parts = (stage(rig, "bad", bad),)
    at = begin(rig, "good", (stage(rig, "good", good),), feeds(RIGHT))
    with open(tmp_path / "pcm" / "bad.pcm", "r+b") as file:
        file.seek(2 * 65_536 + 4_000)
        file.write(b"forged")
    begin(rig, "bad", parts, feeds(LEFT), at=at)
    end = until_ended(rig, "bad")
    assert (end.reason, end.frames) == (Reason.AUDIO_ALTERED, 2 * 32_768)
    assert until_ended(rig, "good").reason is None
    heard = rig.heard()
    assert heard.find(0, bad[RAMP : 2 * 32_768 - RAMP]) is not None
    assert heard.find(0, bad[2 * 32_768 + 3_000 :][:64]) is None
    assert heard.find(1, good[RAMP:-RAMP]) is not None


def test_a_programme_is_heard_although_the_wards_chime_has_rotted(rig: PlayerRig, tmp_path: Path) -> None:
    """One bit of it would silence every ordinary programme."""
    words = noise(1.0, 30)
    parts = (stage(rig, OPENING, noise(OPENING_MS / 1_000, 31)), Pause(300), stage(rig, "a", words))
    with open(tmp_path / "pcm" / f"{OPENING}.pcm", "r+b") as file:
        file.seek(65_536 + 4_000)
        file.write(b"rotten")
    begin(rig, "p", parts, feeds(LEFT, RIGHT))
    end = until_ended(rig, "p")
    assert (end.reason, end.zone_ms) == (None, dict.fromkeys((LEFT, RIGHT), OPENING_MS + 1300))
    heard = rig.heard()
    assert [heard.find(channel, words[RAMP:-RAMP]) is not None for channel in (0, 1)] == [True, True]


def test_a_clip_that_is_gone_ends_its_play_well_before_its_instant(rig: PlayerRig) -> None:
    at = begin(rig, "p", (Sound(ClipKey("nowhere"), 1_000),), feeds(LEFT), at=rig.now_ms() + 60_000)
    end = until_ended(rig, "p")
    assert (end.reason, end.frames) == (Reason.AUDIO_ALTERED, 0)
    assert end.at < at


def test_orders_for_a_play_that_is_over_or_unknown_change_nothing(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.2, 16)),), feeds(LEFT))
    route(rig, "nobody", feeds(LEFT))
    stop(rig, "nobody")
    until_ended(rig, "p")
    route(rig, "p", feeds(RIGHT))
    stop(rig, "p")
    pause(rig, 200)
    assert len(ends(rig, "p")) == 1
    assert not reports(rig, "nobody")


def test_closing_ends_every_play_at_once(rig: PlayerRig) -> None:
    begin(rig, "sounding", (stage(rig, "a", noise(20, 17)),), feeds(LEFT))
    begin(rig, "waiting", (Sound(ClipKey("a"), 20_000),), feeds(RIGHT), at=rig.now_ms() + 60_000)
    assert rig.run_until(lambda: played_ms(rig, "sounding") > 0)
    asked = rig.now_ms()
    rig.player.close()
    (cut,), (never,) = ends(rig, "sounding"), ends(rig, "waiting")
    assert (cut.reason, never.reason, never.frames) == (Reason.SHUTDOWN, Reason.SHUTDOWN, 0)
    assert 0 < cut.zone_ms[LEFT] < 5_000
    assert rig.now_ms() - asked < 5_000


def test_the_writer_shows_life_while_it_plays(rig: PlayerRig) -> None:
    begin(rig, "p", (stage(rig, "a", noise(3, 18)),), feeds(LEFT))
    until_started(rig, "p")
    before = rig.player.alive_at()
    pause(rig, 500)
    assert rig.player.alive_at() > before
    assert rig.player.alive_at() <= rig.now_ms()
