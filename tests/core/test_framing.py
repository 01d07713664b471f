"""The chimes and the rise of ordinary programmes: what a listener hears of them, and that they cost nobody anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.effects import StartPlay
from edge_agent.core.order import NextItem, Pause, Resume, Window
from edge_agent.core.programme import (
    ALL_CLEAR,
    ATTENTION,
    CLOSING,
    CLOSING_MS,
    ITEM_GAP_MS,
    OPENING,
    OPENING_MS,
    REHEARSAL,
    Part,
    Sound,
    length_ms,
    rest_of,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, STANDARD_FRAME, Clause, Frame, IntoQuiet, LocalPolicy, VolumeBand, ZoneSite
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.record import Origin, body_of, sounded_in
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, audience
from tests.core.long_day import Ward
from tests.trust import makers

ITEM = "item"
WARM_S = 1.2  # the amplifiers and the relays of makers.make_site
OPENING_COSTS_MS, CLOSING_COSTS_MS = OPENING_MS + ITEM_GAP_MS, ITEM_GAP_MS + CLOSING_MS
EVENING = makers.NOON + 9 * makers.HOUR_MS  # 21:00, where the quiet hours begin


def framed(**site: Any) -> Bench:
    """A station as its file makes it where it says nothing of chimes."""
    return Bench(**{"frame": STANDARD_FRAME, **site}).boot()


def evening(seconds: float, **site: Any) -> Bench:
    """So many seconds before the quiet hours; what is ordered sounds for 10 s."""
    bench = Bench(**{"frame": STANDARD_FRAME, **site})
    bench.now = replace(bench.now, utc=UtcMs(EVENING - round(seconds * 1_000) - 1_000))
    return bench.boot()  # which takes a second


def heard(parts: tuple[Part, ...]) -> list[str]:
    """What sounds, in order."""
    keys = [part.key for part in parts if isinstance(part, Sound)]
    return [key if key in (OPENING, CLOSING, ATTENTION, REHEARSAL, ALL_CLEAR) else ITEM for key in keys]


def starts(bench: Bench) -> list[StartPlay]:
    started: list[StartPlay] = bench.every(fx.StartPlay)
    return started


def heard_at(bench: Bench, seconds: float, **job: Any) -> list[str]:
    """What a programme for so many seconds from now begins and ends with."""
    sounding(bench, seconds, **job)
    return heard(starts(bench)[-1].parts)


def sounding(bench: Bench, seconds: float, **job: Any) -> JobId:
    """A programme that has begun at its instant, in so many seconds; its relays are ordered in time."""
    job_id = bench.at(seconds, **job)
    bench.pass_s(seconds - WARM_S)
    bench.pass_s(WARM_S)
    return job_id


def test_an_ordinary_programme_is_framed_by_chimes_the_first_at_its_instant_and_rises() -> None:
    bench = framed()
    job = sounding(bench, 60)
    (start,) = starts(bench)
    assert heard(start.parts) == [OPENING, ITEM, CLOSING]
    assert start.at == bench.now.mono_of(bench.play(job).planned)
    assert start.rise_ms == 1_000
    assert length_ms(start.parts) == OPENING_COSTS_MS + CLIP_MS + CLOSING_COSTS_MS


@pytest.mark.parametrize(
    ("frame", "sounds"),
    [
        (Frame(), [ITEM]),
        (Frame(opening=True), [OPENING, ITEM]),
        (Frame(closing=True, rise_ms=3_000), [ITEM, CLOSING]),
    ],
)
def test_each_chime_and_the_rise_may_be_switched_off(frame: Frame, sounds: list[str]) -> None:
    bench = framed(frame=frame)
    assert heard_at(bench, 60) == sounds
    assert starts(bench)[-1].rise_ms == frame.rise_ms


def test_an_emergency_has_its_own_signal_no_chime_and_does_not_rise() -> None:
    bench = framed()
    bench.order(**{"class": "emergency"})
    bench.pass_s(1)
    (start,) = starts(bench)
    assert (heard(start.parts), start.rise_ms) == ([ATTENTION, ITEM], 0)


def test_a_rehearsal_has_its_own_signal_no_chime_and_does_not_rise() -> None:
    bench = framed()
    assert heard_at(bench, 60, rehearsal=True, event="dien-tap", **{"class": "emergency"})[0] == REHEARSAL
    (start,) = starts(bench)
    assert start.rise_ms == 0
    assert not {OPENING, CLOSING} & set(heard(start.parts))


def test_a_programme_of_several_loops_has_its_chimes_once() -> None:
    assert heard_at(framed(), 60, loops=3, gap_s=5) == [OPENING, ITEM, ITEM, ITEM, CLOSING]


@pytest.mark.parametrize(
    ("before_nine_s", "sounds"),
    [
        (15.6, [OPENING, ITEM, CLOSING]),  # over at the very second
        (15.5, [OPENING, ITEM]),
        (13.3, [OPENING, ITEM]),
        (13.2, [ITEM]),
        (10, [ITEM]),
    ],
)
def test_a_chime_that_would_sound_in_quiet_hours_is_left_out_and_not_the_programme(
    before_nine_s: float, sounds: list[str]
) -> None:
    assert heard_at(evening(60 + before_nine_s), 60) == sounds


def test_what_would_run_into_quiet_hours_without_any_chime_is_refused_as_ever() -> None:
    bench = evening(69.9)
    job = sounding(bench, 60)
    assert bench.outcomes() == [(job, "rejected", "quiet_hours")]


def test_no_chime_makes_a_programme_be_cut_at_the_quiet_hours() -> None:
    bench = evening(71, policy=replace(LocalPolicy(), into_quiet=IntoQuiet.CUT))
    assert heard_at(bench, 60) == [ITEM]
    assert not any(play.cut_at for play in bench.state.plays.values())


def test_a_chime_that_would_sound_in_a_silence_is_left_out() -> None:
    bench = framed()
    begins = UtcMs(bench.now.utc + 60_000 + OPENING_COSTS_MS + CLIP_MS)
    ends = UtcMs(begins + 600_000)
    bench.rule(lambda heading: Window(heading, begins, ends, "tang", None), not_after=ends)
    assert heard_at(bench, 60) == [OPENING, ITEM]


def test_a_chime_is_left_out_rather_than_make_the_whole_programme_quieter() -> None:
    """A band of 55 begins right behind what was ordered."""
    clause = Clause(volume_bands=(VolumeBand(time(21), time(22), 55),))
    bench = evening(60 + 12, policy=LocalPolicy((clause,)))
    assert heard_at(bench, 60, volume=80) == [ITEM]
    assert {feed.volume for feed in starts(bench)[-1].feeds} == {80}


def test_a_chime_never_keeps_a_relay_closed_beyond_its_maximum() -> None:
    zones = {CHO: ZoneSite(CHO, "cho", 500, on_ms_max=CLIP_MS + 500 + 200 + OPENING_COSTS_MS)}
    assert heard_at(framed(zones=zones), 60) == [OPENING, ITEM]


def test_the_days_limits_do_not_count_chimes() -> None:
    """Two programmes that fill the day to the second."""
    day = LocalPolicy((replace(STANDARD, session_ms=CLIP_MS, day_ms=2 * CLIP_MS),))
    ward = Ward(frame=STANDARD_FRAME, policy=day).boot()
    clip = makers.clip_item(duration_ms=CLIP_MS)
    for seconds in (100, 300, 500):
        ward.at(seconds, job_id=f"j-{seconds}", items=[clip])
    ward.live_until(UtcMs(ward.now.utc + 600_000))
    assert [outcome[1:] for outcome in ward.outcomes()] == [
        ("succeeded", None),
        ("succeeded", None),
        ("rejected", "minutes_per_day"),
    ]
    assert [heard(start.parts) for start in starts(ward)] == [[OPENING, ITEM, CLOSING]] * 2


def test_what_still_sounds_elsewhere_counts_as_long_as_it_was_ordered() -> None:
    """The second begins while the first one's closing chime sounds in another zone."""
    day = LocalPolicy((replace(STANDARD, day_ms=2 * CLIP_MS),))
    ward = session(60, 75, where=((CHO,), (DINH,)), policy=day)
    assert {outcome[1] for outcome in ward.outcomes()} == {"succeeded"}


def test_after_a_restart_the_records_bring_back_what_was_ordered_without_its_chimes() -> None:
    bench = framed()
    job = sounding(bench, 60)
    bench.end(job, ms=OPENING_COSTS_MS + CLIP_MS + CLOSING_COSTS_MS)
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert (record.planned_ms, record.chimes_ms) == (record.played_ms, OPENING_COSTS_MS + CLOSING_COSTS_MS)
    (remembered,) = bench.state.past
    assert remembered.ended - remembered.started == CLIP_MS
    restored = sounded_in(body_of(record, Origin("s", "1", "b")))
    assert restored is not None
    assert (restored.started, restored.ended) == (remembered.started, remembered.ended)


def test_a_record_counts_no_chime_that_was_left_out() -> None:
    bench = evening(60 + 13.3)
    job = sounding(bench, 60)
    bench.end(job, ms=OPENING_COSTS_MS + CLIP_MS)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.outcome.value, record.planned_ms, record.chimes_ms) == (
        "succeeded",
        record.played_ms,
        OPENING_COSTS_MS,
    )


def test_the_day_is_told_as_it_was_ordered_whatever_chimes_there_are() -> None:
    """Four quarters of an hour are an hour on the resident's timetable too; a cut is told as it will be."""
    bench = evening(3_000, policy=replace(LocalPolicy(), into_quiet=IntoQuiet.CUT))
    clip = makers.clip_item(digest="c" * 64, duration_ms=CLIP_MS)
    bench.at(60, job_id="whole", items=[clip])
    bench.at(2_996, job_id="cut", items=[clip])
    whole, cut = day_plan(bench.state, bench.now, date(2026, 10, 1))
    assert (whole.starts, whole.ends) == (whole.planned, whole.planned + CLIP_MS)
    assert (cut.cut, cut.ends) == (True, EVENING)


def session(*seconds: float, where: tuple[tuple[str, ...], ...] = (), **site: Any) -> Ward:
    """Programmes of 10 s at so many seconds from now, lived through."""
    ward = Ward(**{"frame": STANDARD_FRAME, **site}).boot()
    for number, at in enumerate(seconds):
        clip = makers.clip_item(digest=f"{number:064x}", duration_ms=CLIP_MS)
        ward.at(at, job_id=f"j-{number}", items=[clip], audience=audience(*(where[number] if where else ())))
    ward.live_until(UtcMs(ward.now.utc + 600_000))
    return ward


def test_programmes_that_follow_each_other_are_framed_once_and_all_of_them_sound() -> None:
    """Six of them, each for the second in which the one before ends: with chimes between them four would be missed."""
    ward = session(*range(60, 120, 10))
    assert [heard(start.parts) for start in starts(ward)] == [[OPENING, ITEM], *[[ITEM]] * 4, [ITEM, CLOSING]]
    assert {outcome[1] for outcome in ward.outcomes()} == {"succeeded"}


def test_a_programme_with_some_silence_before_it_has_its_own_chimes() -> None:
    ward = session(60, 90)
    assert [heard(start.parts) for start in starts(ward)] == [[OPENING, ITEM, CLOSING]] * 2


def test_where_one_of_its_zones_was_silent_a_programme_has_its_opening_chime() -> None:
    """The first has none: it would keep the second, which waits for one zone, out of the other."""
    ward = session(60, 70, where=((CHO,), (CHO, DINH)))
    assert [heard(start.parts) for start in starts(ward)] == [[ITEM], [OPENING, ITEM, CLOSING]]


@pytest.mark.parametrize(("then", "chimes"), [((CHO,), [OPENING, ITEM, CLOSING]), ((CHO, DINH), [OPENING, ITEM])])
def test_no_chime_sounds_while_another_claims_its_zones_ahead(then: tuple[str, ...], chimes: list[str]) -> None:
    """The closing one would be over before the other begins, but not before that switches on what is slow to warm."""
    slow = {CHO: ZoneSite(CHO, "Chợ", 1_000), DINH: ZoneSite(DINH, "Đình", 12_000)}
    ward = session(60, 60 + 10 + 14 + OPENING_COSTS_MS / 1_000, where=((CHO,), then), zones=slow)
    assert heard(starts(ward)[0].parts) == chimes


LATE = {"policy": "late", "limit_s": 60}


def late_pair(lasts_ms: int, next_s: int, then_s: int = 600, policy: LocalPolicy | None = None, **job: Any) -> Ward:
    """A programme that lasts so long from second 60 on, and two of 10 s, the next for when it still sounds."""
    ward = Ward(frame=STANDARD_FRAME, policy=policy or LocalPolicy()).boot()
    for job_id, at, ms in (("long", 60, lasts_ms), ("next", next_s, CLIP_MS), ("then", then_s, CLIP_MS - 1)):
        ward.at(at, job_id=job_id, items=[makers.clip_item(digest=f"{ms:064x}", duration_ms=ms)], **job)
    ward.live_until(UtcMs(ward.now.utc + 500_000))
    return ward


@pytest.mark.parametrize(
    ("over_s", "first"),
    [
        (6, [OPENING, ITEM]),
        (7, [ITEM]),  # with its chime it would be over 10.3 s too late for the next one
        (10, [ITEM]),
        (11, [OPENING, ITEM, CLOSING]),  # the next one is missed whatever the chimes are
    ],
)
def test_no_chime_makes_the_next_programme_missed(over_s: int, first: list[str]) -> None:
    """The first is so many seconds longer than the slot that it was given, and the next one may not be late."""
    ward = late_pair(30_000, 90 - over_s)
    assert heard(starts(ward)[0].parts) == first
    became = {job_id: outcome for job_id, outcome, _ in ward.outcomes()}
    assert became == {"long": "succeeded", "next": "succeeded" if over_s <= 10 else "missed"}


def test_no_chime_makes_the_one_behind_the_next_programme_missed() -> None:
    """Each of three is some seconds too long for its slot: the last one begins 8 s late without a chime."""
    ward = late_pair(30_000, 88, then_s=92)
    assert [heard(start.parts) for start in starts(ward)] == [[ITEM], [ITEM], [ITEM, CLOSING]]
    assert {outcome[1] for outcome in ward.outcomes()} == {"succeeded"}


def test_no_chime_makes_a_programme_that_may_be_late_later_than_it_may_be() -> None:
    ward = late_pair(119_000, 120, missed=LATE)
    assert [heard(start.parts) for start in starts(ward)] == [[ITEM], [OPENING, ITEM, CLOSING]]
    assert {outcome[1] for outcome in ward.outcomes()} == {"succeeded"}


def test_no_chime_makes_the_next_programme_so_late_that_it_counts_otherwise() -> None:
    """8 s behind its instant it counts from there and fits into the session, 11.3 s behind it would not."""
    policy = LocalPolicy((replace(STANDARD, session_ms=32_000),))
    ward = late_pair(30_000, 82, policy=policy, missed=LATE)
    assert heard(starts(ward)[0].parts) == [ITEM]
    assert {outcome[1] for outcome in ward.outcomes()} == {"succeeded"}


def test_a_programme_that_repeats_right_behind_itself_is_framed_once() -> None:
    ward = Ward(frame=STANDARD_FRAME).boot()
    times = ["17:00:00", "17:00:10", "17:00:20", "17:00:30", "17:00:40"]
    ward.order(items=[makers.clip_item(duration_ms=CLIP_MS)], when=makers.rule_when(times=times, last_day="2026-10-01"))
    ward.live_until(UtcMs(makers.NOON + 6 * makers.HOUR_MS))
    assert [heard(start.parts) for start in starts(ward)] == [[OPENING, ITEM], *[[ITEM]] * 3, [ITEM, CLOSING]]


def two_items() -> dict[str, Any]:
    return {"items": [makers.clip_item(digest="a" * 64), makers.clip_item(digest="b" * 64)]}


def test_next_item_during_the_chime_is_the_first_item() -> None:
    bench = framed()
    job = bench.playing(**two_items())
    bench.rule(NextItem())
    bench.end(job, Reason.SHUTDOWN, ms=1_000)
    bench.pass_s(1)
    assert heard(starts(bench)[-1].parts) == [ITEM, ITEM, CLOSING]


def test_next_item_during_the_last_one_ends_the_programme_without_a_chime() -> None:
    bench = framed()
    job = bench.playing(**two_items())
    bench.rule(NextItem())
    bench.end(job, Reason.SHUTDOWN, ms=OPENING_COSTS_MS + CLIP_MS + 1_000)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    assert len(starts(bench)) == 1


@pytest.mark.parametrize(
    ("played_ms", "sounds"), [(1_000, [OPENING, ITEM, CLOSING]), (OPENING_COSTS_MS + 4_000, [ITEM, CLOSING])]
)
def test_what_was_set_aside_goes_on_with_the_rest_of_its_chimes_and_rises(played_ms: int, sounds: list[str]) -> None:
    bench = framed()
    job = bench.playing()
    whole = starts(bench)[-1].parts
    bench.rule(Pause(60_000))
    bench.end(job, Reason.SHUTDOWN, ms=played_ms)
    bench.rule(Resume())
    bench.pass_s(1)
    goes_on = starts(bench)[-1]
    assert goes_on.parts == rest_of(whole, played_ms)
    assert (heard(goes_on.parts), goes_on.rise_ms) == (sounds, 1_000)


def test_of_what_was_set_aside_the_past_holds_what_was_ordered_alone() -> None:
    bench = framed()
    job = bench.playing()
    bench.rule(Pause(60_000))
    bench.end(job, Reason.SHUTDOWN, ms=OPENING_COSTS_MS + 4_000)
    bench.rule(Resume())
    bench.pass_s(1)
    bench.end(job, ms=CLIP_MS - 4_000 + CLOSING_COSTS_MS)
    assert [sound.ended - sound.started for sound in bench.state.past] == [4_000, 6_000]


def test_a_programme_that_begins_anew_after_an_emergency_opens_anew() -> None:
    bench = framed()
    job = bench.playing(preemption="restart")
    warning = bench.order(job_id=JobId("flood"), **{"class": "emergency"})
    bench.end(job, Reason.SHUTDOWN, ms=5_000)
    bench.pass_s(1)
    bench.end(warning)
    bench.pass_s(1)
    assert heard(starts(bench)[-1].parts) == [OPENING, ITEM, CLOSING]


def test_a_programme_has_one_relay_cycle_chimes_included() -> None:
    ward = session(60)
    switched = [(one.zone, one.on) for one in ward.every(fx.SwitchRelay)]
    assert sorted(switched) == sorted([(zone, on) for zone in (CHO, DINH) for on in (True, False)])
