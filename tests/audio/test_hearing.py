"""What was sent to a horn against what an ear beside it had: heard where it was, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from edge_agent.audio.hearing import LAGS, LEVELS_MAX, SLICE_MS, WINDOW, Hearing, Levels, Verdict
from edge_agent.core.units import HOUR_MS
from tests.audio.street_sounds import far, late, mixed, speech, traffic

WINDOWS = int(os.environ.get("HEARING_WINDOWS", "60"))
LEAST_DB = -50


def listen(sent: Sequence[float], caught: Sequence[float], least_db: int = LEAST_DB) -> list[Verdict]:
    """Every verdict, the last word too; both sides begin at the same instant and are told as they come."""
    hearing = Hearing(least_db)
    told = []
    for number in range(max(len(sent), len(caught))):
        for side, levels in ((hearing.sent, sent), (hearing.caught, caught)):
            if number < len(levels):
                side.add(number * SLICE_MS + 20, levels[number])
        if (found := hearing.look()) is not None:
            told.append(found)
    last = hearing.last_word()
    return told if last is None else [*told, last]


def test_speech_at_the_horn_is_heard_however_long_it_takes_there() -> None:
    sent = speech(25, seed=1)
    for slices in range(LAGS[-1] + 1):
        told = listen(sent, late(sent, slices))
        assert [one.heard for one in told] == [True, True, True], f"{slices} slices late"


def test_what_a_broken_cable_leaves_is_not_heard_from_the_second_window_on() -> None:
    sent, street = speech(45, seed=2), traffic(47, seed=3, loud=3_000)
    assert [one.heard for one in listen(sent, street)] == [False] * 4  # five windows, and the first is only a doubt


def test_one_window_that_is_drowned_out_says_nothing() -> None:
    sent = speech(50, seed=4)
    horn = [0.0 if 10 * 20 <= at < 20 * 20 else level for at, level in enumerate(sent)]
    assert [one.heard for one in listen(sent, mixed(horn, traffic(50, 5, 300)))] == [True] * 4


def test_a_cable_that_breaks_in_the_middle_is_told_by_25_seconds_later() -> None:
    sent = speech(60, seed=6)
    horn = [level if at < 30 * 20 else 0.0 for at, level in enumerate(sent)]
    told = listen(sent, mixed(horn, traffic(60, 7, 1_000)))
    assert [one.heard for one in told] == [True] * 3 + [False] * 2


def test_a_short_sound_has_its_say_at_its_end() -> None:
    sent = [0.0] * 10 + speech(4, seed=8)
    assert [one.heard for one in listen(sent, late(sent, 6))] == [True]
    assert [one.heard for one in listen(sent, traffic(5, 9, 2_000))] == [False]


def test_what_is_too_short_to_judge_is_not_judged() -> None:
    sent = speech(1.5, seed=10)
    assert listen(sent, sent) == []


def test_a_long_tone_is_told_from_a_noise_that_is_always_there_by_its_beginning() -> None:
    sent = [0.0] * 12 + [5_000.0] * 60
    assert [one.heard for one in listen(sent, late(sent, 4))] == [True]
    assert [one.heard for one in listen(sent, [5_000.0] * 80)] == [False]


def test_the_middle_of_a_long_tone_says_nothing() -> None:
    sent = [5_000.0] * (3 * WINDOW)
    assert listen(sent, traffic(31, 11, 5_000)) == []


def test_silence_is_not_listened_for() -> None:
    assert listen([20.0] * (2 * WINDOW), traffic(22, 12, 5_000)) == []


def test_an_ear_that_gives_nothing_says_nothing() -> None:
    assert listen(speech(25, seed=13), []) == []


@pytest.mark.parametrize("heard_s", [0, 34])
def test_an_ear_that_dies_lets_nothing_pile_up_for_the_word_at_the_end(heard_s: int) -> None:
    """That is said on the thread of the card, which the relays wait for: it looks at seconds, however long it was."""
    hearing, sent = Hearing(LEAST_DB), speech(60, seed=18)
    for number in range(60 * 60 * 20):
        hearing.sent.add(number * SLICE_MS, sent[number % len(sent)])
        if number < heard_s * 20:
            hearing.caught.add(number * SLICE_MS, sent[number % len(sent)])
            hearing.look()
    assert len(hearing.sent._power) <= LEVELS_MAX
    looked_at: list[int] = []

    def of(number: int) -> float | None:
        looked_at.append(number)
        return Levels.of(hearing.sent, number)

    hearing.sent.of = of  # type: ignore[method-assign]
    assert hearing.last_word() is None
    assert 0 < len(looked_at) <= LEVELS_MAX


def test_a_card_that_was_away_leaves_no_hole_to_be_looked_through() -> None:
    hearing = Hearing(LEAST_DB)
    for at_ms in (0, 3 * HOUR_MS):
        hearing.sent.add(at_ms, 500.0)
        hearing.caught.add(at_ms, 500.0)
    first, last = hearing.sent.numbers or (0, 0)
    assert last - first < LEVELS_MAX


def test_what_an_ear_hears_of_a_card_that_stands_still_does_not_pile_up_either() -> None:
    hearing = Hearing(LEAST_DB)
    for number in range(60 * 60 * 20):
        hearing.caught.add(number * SLICE_MS, 500.0)
        assert hearing.look() is None
    assert len(hearing.caught._power) <= LEVELS_MAX


def test_an_ear_that_comes_back_after_half_an_hour_is_asked_again_within_25_seconds() -> None:
    sent, gone_s = speech(60 * 32, seed=19), (30, 60 * 31)
    hearing, told = Hearing(LEAST_DB), []
    for number, level in enumerate(sent):
        hearing.sent.add(number * SLICE_MS, level)
        if not gone_s[0] <= number / 20 < gone_s[1]:
            hearing.caught.add((number + 4) * SLICE_MS, level)
            if (found := hearing.look()) is not None:
                told.append((number // 20, found.heard))
    assert all(heard for _, heard in told)
    assert [at_s for at_s, _ in told if at_s < gone_s[0]] == [10, 20]
    assert [at_s for at_s, _ in told if gone_s[1] <= at_s <= gone_s[1] + 25]


def test_an_ear_that_is_dead_has_heard_nothing() -> None:
    told = listen(speech(25, seed=14), [0.0] * 540)
    assert [(one.heard, one.level_db) for one in told] == [(False, -96), (False, -96)]


def test_the_next_clusters_horn_is_somebody_elses() -> None:
    sent = speech(25, seed=15)
    elsewhere = mixed(late(far(sent, 45), 8), traffic(27, 16, 20))
    told = listen(sent, elsewhere)
    assert told
    assert not any(one.heard for one in told)
    assert all(one.level_db < LEAST_DB for one in told)
    assert all(one.heard for one in listen(sent, elsewhere, least_db=-80))


def test_a_level_is_that_of_the_loud_parts() -> None:
    sent = ([0.0] * 10 + [16_384.0] * 10) * 8
    (told,) = listen(sent, late(far(sent, 14), 3))
    assert told == Verdict(True, -20)


def test_no_road_is_ever_taken_for_a_horn() -> None:
    """Each window counts, also those whose doubt alone would tell nothing."""
    heard = 0
    for seed in range(WINDOWS):
        told = listen(speech(12, seed), traffic(14, 50_000 + seed, 6_000))
        heard += sum(one.heard for one in told)
    assert heard == 0


def test_a_horn_is_heard_through_a_road_that_is_as_loud() -> None:
    missed = 0
    for seed in range(WINDOWS):
        sent = speech(22, seed)
        told = listen(sent, mixed(late(far(sent, 12), 9), far(traffic(24, 70_000 + seed, 8_000), 12)))
        missed += not all(one.heard for one in told)
    assert missed == 0


def test_another_programme_from_elsewhere_is_not_taken_for_ours() -> None:
    assert not any(one.heard for seed in range(WINDOWS) for one in listen(speech(12, seed), speech(14, 9_000 + seed)))


@pytest.mark.parametrize("gone", range(0, 400, 37))
def test_periods_that_are_lost_do_no_harm(gone: int) -> None:
    """A thread that stood still, or a device that ran over: what both sides know counts."""
    sent = speech(25, seed=17)
    hearing, told = Hearing(LEAST_DB), []
    for number, level in enumerate(sent):
        hearing.sent.add(number * SLICE_MS, level)
        if not gone <= number < gone + 60:
            hearing.caught.add((number + 5) * SLICE_MS, level)
        told += [found] if (found := hearing.look()) is not None else []
    last = hearing.last_word()
    told += [] if last is None else [last]
    assert told
    assert all(one.heard for one in told)
