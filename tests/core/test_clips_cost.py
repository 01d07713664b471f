"""What tries that fail may cost of a day's bytes, and how long the pauses behind them are (requirement N1, 8.6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from edge_agent.core import clips, day_bytes, explain, look_ahead
from edge_agent.core import effects as fx
from edge_agent.core.clips import RETRY_MS_MAX
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Connected, Restored
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Choose
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy
from edge_agent.core.spent import NOTHING_SPENT, Fetched, Spent
from edge_agent.core.state import Turn
from edge_agent.core.units import DAY_MS, HOUR_MS, SECOND_MS, ClipKey, JobId, UtcMs
from edge_agent.core.wall_time import local_time
from tests.core.bench import Bench, at_work
from tests.trust import makers

LENGTH = 15_000_000  # a bulletin of an hour at 32 kbit/s
CLIP = ClipKey("ab" * 32)
ABOUT = [600, 1_200, 2_400, 4_800, 9_600, 19_200, 21_600]


def daily(bench: Bench, **job: Any) -> JobId:
    """A programme of each day, whose audio was asked for and has not come."""
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    order = bench.order(**{"when": makers.rule_when(), "items": [makers.clip_item(length=LENGTH)]} | job)
    while not asked_for(bench):
        bench.pass_s(bench.wakes_in_ms() / 1_000)
    return order


def asked_for(bench: Bench) -> int:
    return len(bench.every(fx.FetchClip)) + len(bench.every(fx.FetchAhead))


def unreachable(bench: Bench, came_bytes: int) -> float:
    """A try that took so much in vain; in how many seconds the next one is."""
    bench.send(ClipFailed(CLIP, Reason.AUDIO_UNREACHABLE, again=True, came_bytes=came_bytes))
    retry_at = bench.state.clips[CLIP].retry_at
    assert retry_at is not None
    return (retry_at - bench.now.mono) / 1_000


def pauses_s(bench: Bench, came_bytes: int, tries: int) -> list[float]:
    """Between tries that each took so much in vain."""
    found = []
    for _ in range(tries):
        found.append(unreachable(bench, came_bytes))
        before = asked_for(bench)
        while asked_for(bench) == before:
            bench.pass_s(max(0.001, bench.wakes_in_ms() / 1_000))
    return found


def assert_about(pauses: list[float], longest: list[float]) -> None:
    """Each is cut by up to its half."""
    assert [one for one, most in zip(pauses, longest, strict=True) if not most / 2 <= one <= most] == []


def test_where_more_has_come_than_the_file_is_long_the_pauses_are_long_whatever_it_is_called() -> None:
    """A server that never sends the last byte is unreachable: each ten minutes it cost the file six times."""
    bench = Bench().boot()
    daily(bench)
    assert_about(pauses_s(bench, 2 * LENGTH, 7), ABOUT)


def test_halves_that_are_thrown_away_come_to_long_pauses_too_and_a_try_that_costs_nothing_does_not_end_them() -> None:
    bench = Bench().boot()
    daily(bench)
    assert_about(pauses_s(bench, LENGTH // 2, 3), [5, 10, 600])
    assert_about(pauses_s(bench, 0, 2), [1_200, 2_400])


def test_a_slow_line_that_brings_its_file_in_many_pieces_keeps_its_short_pauses() -> None:
    bench = Bench().boot()
    daily(bench)
    assert_about(pauses_s(bench, LENGTH // 10 + clips.TRY_BYTES, 8), [5, 10, 20, 40, 80, 160, 320, 600])


def test_a_server_that_is_down_for_a_week_keeps_its_short_pauses() -> None:
    bench = Bench().boot()
    daily(bench)
    assert max(pauses_s(bench, clips.TRY_BYTES, 1_200)) <= RETRY_MS_MAX / 1_000


def test_what_has_come_in_vain_counts_among_the_days_bytes_whatever_it_is_called() -> None:
    bench = Bench().boot()
    daily(bench)
    assert bench.state.spent.audio.bytes == LENGTH, "as soon as it is asked for"
    unreachable(bench, LENGTH // 3)
    assert bench.state.spent.audio.bytes == LENGTH, "that was counted"
    unreachable(bench, LENGTH)
    assert bench.state.spent.audio.bytes == LENGTH + LENGTH // 3
    unreachable(bench, 2 * LENGTH)
    assert bench.state.spent.audio.bytes == 3 * LENGTH + LENGTH // 3


@pytest.mark.parametrize("had", [ClipFetched(CLIP, 2 * LENGTH), ClipStaged(CLIP, 10_000, 2 * LENGTH)])
def test_what_one_address_has_sent_in_vain_counts_though_another_has_the_file(had: ClipFetched | ClipStaged) -> None:
    bench = Bench().boot()
    daily(bench)
    bench.send(had)
    assert bench.state.spent.audio.bytes == 2 * LENGTH


NEXT_WEEK = {"kind": "at", "utc": makers.NOON + 7 * 86_400_000}


def test_a_day_whose_bytes_have_come_in_vain_leaves_the_rest_to_the_next_night() -> None:
    bench = Bench(fetch_bytes_per_day=LENGTH).boot()
    daily(bench, when=NEXT_WEEK)
    for night in range(1, 4):
        unreachable(bench, LENGTH + LENGTH // 4)
        bench.pass_s(12 * 3_600)
        assert asked_for(bench) == night, "today it costs no more"
        while asked_for(bench) == night:
            bench.pass_s(bench.wakes_in_ms() / 1_000)


def test_what_is_due_soon_is_tried_again_whatever_has_come_in_vain() -> None:
    """The night after this one is too late for it."""
    bench = Bench(fetch_bytes_per_day=LENGTH).boot()
    daily(bench, when={"kind": "at", "utc": makers.NOON + 26 * 3_600_000})
    unreachable(bench, 2 * LENGTH)
    while asked_for(bench) == 1:
        bench.pass_s(bench.wakes_in_ms() / 1_000)
    left_s = (makers.NOON + 26 * 3_600_000 - bench.now.utc) / 1_000
    assert 12 * 3_600 - 600 <= left_s <= 12 * 3_600


def test_an_original_that_lies_here_is_made_ready_though_the_days_bytes_are_used_up() -> None:
    """What fails then has cost nothing."""
    bench = Bench(fetch_bytes_per_day=LENGTH).boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(when=NEXT_WEEK, items=[makers.clip_item(length=LENGTH)])
    while not bench.every(fx.FetchClip):
        bench.pass_s(bench.wakes_in_ms() / 1_000)
    bench.state = replace(bench.state, spent=Spent(replace(bench.state.spent.audio, bytes=10 * LENGTH)))
    assert unreachable(bench, 0) <= 5
    bench.pass_s(5)
    assert len(bench.every(fx.FetchClip)) == 2


FLOOD: dict[str, Any] = {"class": "emergency", "event": "flood"}


def test_a_warning_is_kept_waiting_neither_by_the_pauses_nor_by_the_days_bytes() -> None:
    bench = Bench(fetch_bytes_per_day=1).boot()
    daily(bench, job_id="flood", when={"kind": "now"}, **FLOOD)
    assert_about(pauses_s(bench, 2 * LENGTH, 6), [5, 10, 20, 40, 80, 160])
    assert bench.state.spent.audio.bytes >= 12 * LENGTH, "it counts, and others wait for it"


def test_a_warning_does_not_take_over_the_long_pause_of_a_bulletin_with_the_same_sound() -> None:
    """Nor does the bulletin, which has no bytes left today, put off what both need."""
    bench = Bench(fetch_bytes_per_day=LENGTH).boot()
    daily(bench, job_id="daily", when=NEXT_WEEK)
    assert unreachable(bench, 2 * LENGTH) > 300
    bench.pass_s(1)
    bench.order(job_id="flood", items=[makers.clip_item(length=LENGTH)], **FLOOD)
    assert asked_for(bench) == 2
    assert_about(pauses_s(bench, 2 * LENGTH, 4), [5, 10, 20, 40])


MOST = 200_000_000
"""What one clip may have."""


def ordered_now(bench: Bench, number: int, **job: Any) -> bool:
    """Whether the sound of one more order, for this moment, is asked for at once."""
    before = asked_for(bench)
    item = makers.clip_item(digest=f"{number:064x}", length=MOST)
    bench.order(**{"job_id": f"gap-{number}", "when": {"kind": "now"}, "items": [item]} | job)
    return asked_for(bench) > before


def test_a_stolen_key_that_orders_broadcasts_for_now_empties_no_sim_before_the_next_warning() -> None:
    """Each is within the ward's rules, for none has sounded yet, and is to be had at any length that may be signed."""
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    asked = [ordered_now(bench, number) for number in range(50)]
    assert asked == [True] * 5 + [False] * 45
    assert ordered_now(bench, 1_000, **{"class": "emergency"}), "a warning waits for no day's bytes"
    assert ordered_now(bench, 40, job_id="siren", **{"class": "emergency"}), "nor with the sound of one that does"
    told = [note for note in bench.every(fx.Note) if "even what is due soon waits" in note.what]
    assert len(told) == 45
    held_back = {f"gap-{number}" for number in range(5, 50)} - {"gap-40"}
    waits = {one.job_id for one in explain.upcoming(bench.state, bench.now) if one.reason is Reason.BYTES_PER_DAY}
    assert waits == held_back, "and each is told by its reason before its time is over, and then"
    bench.pass_s(11 * 60)
    named = {outcome for outcome in bench.outcomes() if outcome[0] in held_back}
    assert named == {(job_id, "failed", "bytes_per_day") for job_id in held_back}
    assert {reason for job_id, _, reason in bench.outcomes() if job_id not in held_back} == {"expired"}
    assert asked_for(bench) == 7, "nothing is asked for again and again"


def test_what_waits_for_the_nights_bytes_today_is_told_of_today_alone() -> None:
    """The ward's officer who looks at tomorrow sees his bulletin there: the night fetches it."""
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    for number in range(5):
        ordered_now(bench, number)
    bench.order(job_id="tin", when=makers.rule_when(times=["17:00:00"]), items=[makers.clip_item(length=MOST)])
    (today,) = [one for one in explain.upcoming(bench.state, bench.now) if one.job_id == "tin"]
    assert today.reason is Reason.BYTES_PER_DAY
    day = local_time(bench.now.utc, bench.state.site.timezone).date()
    plans = [day_plan(bench.state, bench.now, one) for one in (day, day + timedelta(days=1))]
    assert [[one.reason for one in plan if one.job_id == "tin"] for plan in plans] == [[Reason.BYTES_PER_DAY], [None]]


@pytest.mark.parametrize(("due_h", "told"), [(11.8, None), (10.8, Reason.BYTES_PER_DAY)])
def test_what_the_night_fetches_an_hour_before_it_is_due_is_told_of_no_trouble(
    due_h: float, told: Reason | None
) -> None:
    bench = Bench(policy=LocalPolicy((Clause(),))).boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    for number in range(5):
        ordered_now(bench, number)
    item = makers.clip_item(digest=a_moment_of(makers.STATION, 2e-5), length=MOST)
    bench.order(job_id="tin", when={"kind": "at", "utc": makers.NOON + round(due_h * HOUR_MS)}, items=[item])
    (tonight,) = [one for one in explain.upcoming(bench.state, bench.now) if one.job_id == "tin"]
    assert (tonight.reason, asked_for(bench)) == (told, 5)
    bench.pass_s(10.5 * 3_600)
    assert asked_for(bench) == 6, "and it is fetched at 22:00"


def test_where_those_bytes_have_come_in_vain_a_broadcast_for_now_waits_and_a_warning_does_not() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    assert ordered_now(bench, 1)
    key = ClipKey(f"{1:064x}")
    bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True, came_bytes=day_bytes.SOON_BYTES_PER_DAY))
    bench.pass_s(9 * 60)
    assert asked_for(bench) == 1
    assert ordered_now(bench, 1, job_id="siren", **{"class": "emergency"})


def look(bench: Bench, *, days: int = 0, source: ClockSource = ClockSource.SIGNED) -> Turn:
    """A step by a clock that says it is so many days later."""
    return Turn(bench.state, replace(bench.now, utc=UtcMs(bench.now.utc + days * DAY_MS), source=source))


def test_a_clock_that_has_lost_the_day_gives_a_day_that_is_used_up_no_new_bytes() -> None:
    """It counts in no night: else whoever has a station doubt its clock for a moment has the SIM pay anew."""
    bench = Bench().boot()
    daily(bench)
    lost = look(bench, days=-20_000, source=ClockSource.UNSET)
    day_bytes.count(lost, 1_000)
    bench.state = lost.state
    assert day_bytes.used(look(bench)) == LENGTH


def test_a_day_that_a_wrong_clock_has_used_up_in_the_future_holds_back_nothing_until_then() -> None:
    bench = Bench().boot()
    ahead = look(bench, days=4_000)
    day_bytes.count(ahead, LENGTH)
    bench.state = ahead.state
    assert day_bytes.used(look(bench)) == 0


@pytest.mark.parametrize("used_up", [False, True])
def test_a_restart_that_a_thief_has_ordered_gives_a_day_that_is_used_up_no_new_bytes(*, used_up: bool) -> None:
    bench = Bench()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    audio = Fetched(look_ahead.night_of(bench.state.site, bench.now.utc), day_bytes.SOON_BYTES_PER_DAY)
    bench.send(Restored((), (), {}, 0, 0, "e1", spent=Spent(audio) if used_up else NOTHING_SPENT))
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    assert ordered_now(bench, 1) is not used_up
    assert ordered_now(bench, 2, **{"class": "emergency"})


def test_where_a_day_may_cost_more_than_what_is_due_soon_neither_has_less() -> None:
    a_day = 2 * day_bytes.SOON_BYTES_PER_DAY
    bench = Bench(fetch_bytes_per_day=a_day).boot()
    for due in (None, UtcMs(bench.now.utc + 7 * DAY_MS)):
        assert [day_bytes.has(look(bench), count, due) for count in (a_day, a_day + 1)] == [True, False]


def a_moment_of(station: str, share: float) -> str:
    """A digest whose own moment of any span is nearly its beginning; whoever signs may choose it."""
    return next(
        digest
        for digest in (f"{number:064x}" for number in count())
        if look_ahead._share(makers.make_site(station=station), ClipKey(digest)) < share
    )


@pytest.mark.parametrize("hours", [11.5, 30])
def test_what_waits_for_the_next_nights_bytes_does_not_look_again_without_end(hours: float) -> None:
    """Its own moment came anew with each look: a thief who chose its digest kept the core busy all night."""
    bench = Bench(fetch_bytes_per_day=LENGTH, policy=LocalPolicy((Clause(),))).boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    bench.pass_s(11 * 3_600)  # it is 23:00
    assert ordered_now(bench, 1)
    key = ClipKey(f"{1:064x}")
    bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True, came_bytes=day_bytes.SOON_BYTES_PER_DAY))
    digest = a_moment_of(makers.STATION, 2e-5)
    when = {"kind": "at", "utc": bench.now.utc + round(hours * 3_600_000)}
    bench.order(job_id="tin", when=when, items=[makers.clip_item(digest=digest, length=LENGTH)])
    looks, until = 0, bench.now.mono + 600_000
    while bench.now.mono < until:
        bench.pass_s(max(0.001, bench.wakes_in_ms() / 1_000))
        looks += 1
    assert looks < 120


class EveryFiveMinutes:
    """A warning of a siren and words for a whole day; the content server never gives the siren."""

    def __init__(self, reason: Reason, *, again: bool) -> None:
        self.bench = Bench().boot()
        self.bench.deaf |= {fx.FetchClip, fx.FetchAhead}
        self.failure = ClipFailed(CLIP, reason, again=again, came_bytes=LENGTH)
        self.files = self.heard = 0
        self.order("flood")

    def order(self, job_id: str) -> None:
        end = UtcMs(makers.NOON + DAY_MS)
        when = {"kind": "now", "every_s": 300, "until": end}
        items = [makers.clip_item(length=LENGTH), makers.text_item()]
        self.bench.order(job_id=job_id, when=when, items=items, not_after=end, **{"class": "emergency"})

    def live_until(self, utc: int) -> None:
        """Each sound lasts as long as the words, and each file that is asked for comes, and is not it."""
        bench = self.bench
        while bench.now.utc < utc:
            playing = [play.job_id for play in bench.state.plays.values() if play.phase is Phase.PLAYING]
            ms = 8_000 if playing else min(max(bench.wakes_in_ms(), 1), utc - bench.now.utc)
            bench.pass_s(ms / SECOND_MS)
            for job_id in playing:
                bench.end(job_id, ms=8_000)
            self.heard += len(bench.every(fx.StartPlay))
            asked = asked_for(bench)
            bench.said.clear()
            for _ in range(asked):
                self.files += 1
                bench.send(self.failure)


@pytest.mark.parametrize(
    ("reason", "again", "files_max"), [(Reason.AUDIO_ALTERED, False, 75), (Reason.AUDIO_UNREACHABLE, True, 210)]
)
def test_a_warning_again_and_again_of_which_a_part_never_comes_costs_no_file_each_time(
    reason: Reason, again: bool, files_max: int
) -> None:
    """Each repetition asked anew, whatever had failed before: one a minute cost 21 GB a day for a siren of 15 MB."""
    life = EveryFiveMinutes(reason, again=again)
    life.live_until(makers.NOON + DAY_MS)
    assert files_max // 2 <= life.files <= files_max
    assert life.heard >= 280


def test_a_warning_that_is_ordered_anew_asks_at_once_for_what_another_has_not_had() -> None:
    """Its addresses may be others; so whoever has mended the file has it heard."""
    life = EveryFiveMinutes(Reason.AUDIO_ALTERED, again=False)
    life.live_until(makers.NOON + 2 * HOUR_MS)
    life.order("flood-2")
    assert asked_for(life.bench) == 1


def test_who_has_asked_in_vain_is_remembered_no_longer_than_he_is_known() -> None:
    """A key that may warn, and orders one siren that nobody has again and again, would fill the memory with its ids."""
    life = EveryFiveMinutes(Reason.AUDIO_UNREACHABLE, again=True)
    bench = life.bench
    for number in range(30):
        item, end = makers.clip_item(length=LENGTH), UtcMs(bench.now.utc + 60_000)
        bench.order(job_id=f"more-{number}", items=[item, makers.text_item()], not_after=end, **FLOOD)
        bench.send(life.failure)
        life.live_until(bench.now.utc + 150_000)
    assert 1 <= len(bench.state.clips[CLIP].tried) <= 4


def test_words_that_a_thief_orders_and_takes_back_do_not_wait_to_be_spoken() -> None:
    """10,000 an hour kept one key from being forgotten: the ward's own would have waited for days behind them."""
    bench = at_work()
    bench.deaf = {fx.SpeakText}
    for number in range(20):
        items = [makers.text_item(text=f"tin {number} {item}") for item in range(20)]
        job = bench.at(1_800, job_id=f"tin-{number}", items=items)
        bench.pass_s(1)
        bench.rule(Cancel(job, UtcMs(bench.now.utc + HOUR_MS)))
    asked = {one.key for one in bench.every(fx.SpeakText)}
    assert len(asked) == 400
    assert asked == {key for one in bench.every(fx.Unneeded) for key in one.keys}
    assert bench.state.clips == {}


def test_words_of_an_offer_that_is_over_are_asked_for_again_by_whoever_needs_them_next() -> None:
    """Nobody would have spoken them: what waited had been left."""
    bench = at_work()
    bench.deaf = {fx.SpeakText}
    items = [makers.text_item(text="Chợ họp.")]
    offer = bench.make(job_id="offer", items=items, when={"kind": "at", "utc": bench.now.utc + 1_800_000})
    bench.arrive(replace(bench.accept(replace(offer, not_after=UtcMs(bench.now.utc + 3_600_000))), offered=True))
    choice = bench.rule(Choose(offer.job_id, offer.when))
    bench.pass_s(1)
    bench.rule(Cancel(choice, UtcMs(bench.now.utc + HOUR_MS)))
    bench.pass_s(3_601)
    assert "offer" not in bench.state.jobs
    bench.at(60, job_id="next", items=items)
    assert len(bench.every(fx.SpeakText)) == 2
