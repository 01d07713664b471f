"""When sound is fetched, spoken, and asked for again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import clips, sound_room, station
from edge_agent.core import effects as fx
from edge_agent.core.clips import RETRY_MS_MAX
from edge_agent.core.events import ClipFailed, ClipStaged, Connected, Disconnected, Restored, SavedJob
from edge_agent.core.job import Job
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import REHEARSAL_WORDS, StagedItem, item_key, items_of
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Turn
from edge_agent.core.units import HOUR_MS, ClipKey, JobId
from tests.core.bench import Bench, audience
from tests.trust import makers


def test_two_jobs_with_the_same_audio_ask_for_it_once() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(60, job_id="one")
    bench.at(90, job_id="two")
    assert len(bench.every(fx.FetchClip)) == 1


def test_pauses_between_tries_grow_to_their_bound_and_each_is_cut_by_less_than_its_half() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(when=makers.rule_when())
    bench.pass_s(600)
    key = bench.every(fx.FetchClip)[0].key
    waits = []
    for _ in range(9):
        bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True))
        wake = station.next_wake(bench.state, bench.now)
        assert wake is not None
        waits.append(wake - bench.now.mono)
        bench.pass_s(waits[-1] / 1000)
    longest = [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, RETRY_MS_MAX, RETRY_MS_MAX]
    assert [wait for wait, most in zip(waits, longest, strict=True) if not most / 2 <= wait <= most] == []


def test_a_commune_whose_server_was_gone_does_not_try_again_in_one_second() -> None:
    """All have failed together, at each of their tries."""
    wakes = []
    for number in range(200):
        bench = Bench(station=f"dt-{number}").boot()
        bench.deaf.add(fx.FetchClip)
        bench.order(items=[makers.clip_item()])
        for _ in range(5):
            bench.send(ClipFailed(ClipKey("ab" * 32), Reason.AUDIO_UNREACHABLE, again=True))
        wakes.append(bench.state.clips[ClipKey("ab" * 32)].retry_at)
    seconds = Counter(wake // 1_000 for wake in wakes if wake is not None)
    assert sum(seconds.values()) == 200
    assert max(seconds.values()) <= 20, "five a second in the mean"


def test_text_is_spoken_by_the_station() -> None:
    bench = Bench().boot()
    bench.order(**{"class": "emergency"})
    (speak,) = bench.every(fx.SpeakText)
    assert (speak.language, speak.text) == ("vi", makers.text_item()["text"])


def test_a_mixed_job_waits_for_all_of_its_sounds_and_names_the_one_that_fails() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip}
    a, b = "aa" * 32, "bb" * 32
    job = bench.at(60, items=[makers.clip_item(digest=a), makers.clip_item(digest=b)])
    bench.send(ClipStaged(ClipKey(a), 10_000))
    assert bench.play(job).phase.value == "received"
    bench.send(ClipFailed(ClipKey(b), Reason.AUDIO_UNREADABLE, again=False))
    assert bench.outcomes() == [(job, "failed", "audio_unreadable")]


def test_staged_sound_that_is_found_altered_is_asked_for_again_and_only_that_of_its_job() -> None:
    bench = Bench().boot()
    a, b = "aa" * 32, "bb" * 32
    bench.at(3_600, job_id="other", items=[makers.clip_item(digest=b)])
    rule = makers.rule_when(times=["12:30:00"])
    job = bench.order(when=rule, items=[makers.clip_item(digest=a)])
    bench.pass_s(1_799)
    bench.end(job, Reason.AUDIO_ALTERED, ms=100)
    assert sorted(one.key for one in bench.every(fx.FetchClip)) == [a, a, b]


def test_news_about_a_sound_that_nobody_asked_for_is_harmless() -> None:
    bench = Bench().boot()
    bench.send(ClipFailed(ClipKey("cc" * 32), Reason.AUDIO_UNREACHABLE, again=True))
    assert station.next_wake(bench.state, bench.now) is None


def test_two_plays_that_find_the_same_sound_altered_ask_for_it_once() -> None:
    bench = Bench().boot()
    rule = makers.rule_when(times=["12:30:00"])
    jobs = [bench.order(job_id=f"in-{zone}", when=rule, audience=audience(zone)) for zone in makers.ZONES]
    bench.pass_s(1_798)
    bench.deaf.add(fx.FetchClip)
    for job in jobs:
        bench.end(job, Reason.AUDIO_ALTERED, ms=100)
    assert len(bench.every(fx.FetchClip)) == 2


WORDS = item_key(REHEARSAL_WORDS)


def rehearsal(bench: Bench, job_id: str = "rehearsal") -> Job:
    """A known rehearsal with a recorded item, of whose sounds nothing is known."""
    bench.deaf |= {fx.FetchClip, fx.SpeakText}
    bench.arrive(bench.accept(replace(bench.make(job_id=job_id, when=makers.rule_when()), rehearsal=True)))
    return bench.state.jobs[JobId(job_id)].job


def test_a_rehearsals_own_words_are_asked_for_with_its_items_and_once_for_all_rehearsals() -> None:
    bench = Bench().boot()
    rehearsal(bench)
    rehearsal(bench, "another")
    bench.pass_s(600)
    assert [(one.key, one.text) for one in bench.every(fx.SpeakText)] == [(WORDS, "Đây là phát thử.")]
    assert len(bench.every(fx.FetchClip)) == 1


def test_a_rehearsal_is_not_ready_before_its_own_words_are() -> None:
    bench = Bench().boot()
    job = rehearsal(bench)
    bench.send(ClipStaged(ClipKey("ab" * 32), 10_000))
    assert clips.durations(bench.state, job) is None
    bench.send(ClipStaged(WORDS, 1_500))
    assert clips.durations(bench.state, job) == {WORDS: 1_500, ClipKey("ab" * 32): 10_000}


def test_a_rehearsal_that_nobody_can_say_names_its_trouble_and_asks_again() -> None:
    bench = Bench().boot()
    job = rehearsal(bench)
    bench.send(ClipFailed(WORDS, Reason.NO_VOICE, again=True))
    assert clips.trouble(bench.state, job) == (Reason.NO_VOICE, True)
    assert min(clips.next_wake(bench.state, bench.now)) <= bench.now.mono + clips.RETRY_FIRST_MS
    bench.pass_s(clips.RETRY_FIRST_MS / 1_000)
    assert [one.key for one in bench.every(fx.SpeakText)] == [WORDS, WORDS]


def test_a_rehearsals_own_words_are_kept_as_long_as_it_is_known() -> None:
    bench = Bench().boot()
    job = rehearsal(bench)
    turn = Turn(bench.state, bench.now)
    clips.sweep(turn)
    clips.forget_unneeded(turn)
    (swept,) = turn.effects
    assert isinstance(swept, fx.Sweep)
    assert swept.keep == turn.state.clips.keys() == {item_key(item) for item in items_of(job)}
    turn.drop_job(job.job_id)
    clips.forget_unneeded(turn)
    assert not turn.state.clips


def test_a_rehearsals_own_words_that_are_found_altered_are_spoken_again() -> None:
    bench = Bench().boot()
    job = rehearsal(bench)
    bench.send(ClipStaged(WORDS, 1_500))
    turn = Turn(bench.state, bench.now)
    clips.lost(turn, job)
    assert turn.effects == [fx.SpeakText(WORDS, "vi", "Đây là phát thử.", frozenset(turn.state.clips))]


def test_a_warning_is_spoken_with_what_must_not_go_for_it() -> None:
    bench = Bench().boot()
    bench.at(60, job_id="soon")
    bench.order(**{"class": "emergency"})
    (fetch,), (speak,) = bench.every(fx.FetchClip), bench.every(fx.SpeakText)
    assert speak.keep == {fetch.key, speak.key}


def test_a_card_that_is_found_full_is_swept_at_once_and_not_again_at_each_try() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SpeakText)
    bench.order(**{"class": "emergency"})
    (speak,) = bench.every(fx.SpeakText)
    for _ in range(3):
        bench.send(ClipFailed(speak.key, Reason.CACHE_FULL, again=True))
    (swept,) = bench.every(fx.Sweep)
    assert swept.keep == {speak.key}


def test_sound_that_cannot_be_had_for_another_reason_sweeps_nothing() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SpeakText)
    bench.order(**{"class": "emergency"})
    bench.send(ClipFailed(bench.every(fx.SpeakText)[0].key, Reason.NO_VOICE, again=True))
    assert bench.every(fx.Sweep) == []


def test_what_failed_for_one_job_is_asked_for_at_once_by_an_urgent_one() -> None:
    """With its own addresses; the other one's failure ends it not."""
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(job_id="daily", when=makers.rule_when(), items=[makers.clip_item(urls=["https://old.test/a.mp3"])])
    bench.pass_s(24 * 3_600)
    key = bench.every(fx.FetchClip)[-1].key
    bench.send(ClipFailed(key, Reason.AUDIO_ALTERED, again=False))
    bench.pass_s(1)
    now = bench.order(job_id="now", items=[makers.clip_item(urls=["https://new.test/a.mp3"])])
    assert bench.every(fx.FetchClip)[-1].urls == ("https://new.test/a.mp3",)
    assert bench.phase(now) is Phase.RECEIVED
    bench.send(ClipFailed(key, Reason.AUDIO_ALTERED, again=False))
    assert bench.outcomes()[-1] == (now, "failed", "audio_altered")


IN_THREE_HOURS = {"kind": "at", "utc": makers.NOON + 3 * HOUR_MS}
IN_SIX_HOURS = {"kind": "at", "utc": makers.NOON + 6 * 3_600_000}
SPOKEN: dict[str, dict[str, Any]] = {
    "an emergency": {"class": "emergency"},
    "a rehearsal of one in six hours": {"class": "emergency", "rehearsal": True, "when": IN_SIX_HOURS},
    "a bulletin in six hours": {"when": IN_SIX_HOURS},
    "a bulletin every day": {"when": makers.rule_when()},
}


@pytest.mark.parametrize("order", SPOKEN)
def test_a_text_is_spoken_when_its_order_has_come_whenever_it_is_due(order: str) -> None:
    """When it is due the voice may be missing, or the machine too busy: too late to find out."""
    bench = Bench().boot()
    bench.deaf.add(fx.SpeakText)
    job = bench.order(items=[makers.text_item()], **SPOKEN[order])
    spoken = [one.text for one in bench.every(fx.SpeakText)]
    assert spoken[-1] == makers.text_item()["text"]
    assert bench.phase(job) is Phase.RECEIVED
    for one in bench.every(fx.SpeakText):
        bench.send(ClipStaged(one.key, 3_000))
    bench.pass_s(7 * 3_600)
    assert [one.text for one in bench.every(fx.SpeakText)] == spoken


def test_the_text_of_an_emergency_that_must_wait_is_spoken_while_it_waits() -> None:
    bench = Bench().boot()
    bench.playing(**{"class": "emergency"})
    words = makers.text_item(text="Nước đang rút.")
    second = bench.order(job_id="second", items=[words], **{"class": "emergency"})
    assert bench.phase(second) is not Phase.PLAYING
    assert bench.every(fx.SpeakText)[-1].text == "Nước đang rút."


def asked_as(bench: Bench, kind: type) -> list[bool]:
    return [one.urgent for one in bench.every(kind)]


def test_what_a_warning_needs_is_asked_for_as_a_warnings_and_nothing_else_is() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.SpeakText}
    recorded, words = makers.clip_item(digest="aa" * 32), makers.text_item(text="Nước đang lên.")
    bench.order(job_id="notice", items=[makers.clip_item(), makers.text_item()])
    rehearsed = [makers.text_item(text="Diễn tập.")]
    bench.order(job_id="rehearsal", when=IN_SIX_HOURS, items=rehearsed, rehearsal=True, **{"class": "emergency"})
    assert not any(asked_as(bench, fx.FetchClip) + asked_as(bench, fx.SpeakText))
    bench.order(job_id="warning", items=[recorded, words], **{"class": "emergency"})
    assert [(one.key, one.urgent) for one in bench.every(fx.FetchClip)][-1] == ("aa" * 32, True)
    assert [(one.text, one.urgent) for one in bench.every(fx.SpeakText)][-1] == ("Nước đang lên.", True)


@pytest.mark.parametrize("ahead", [False, True], ids=["being made ready", "only being fetched for next week"])
def test_a_warning_hastens_what_was_asked_for_as_routine_and_says_so_once(ahead: bool) -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    days = 3 if ahead else 0
    bench.at(days * 86_400 + 1_800, job_id="notice")
    bench.pass_s(86_400 if ahead else 600)
    assert asked_as(bench, fx.FetchAhead if ahead else fx.FetchClip) == [False]
    warning = bench.order(job_id="warning", items=[makers.clip_item()], **{"class": "emergency"})
    bench.pass_s(1)
    bench.pass_s(1)
    assert asked_as(bench, fx.FetchClip) == ([True] if ahead else [False, True])
    bench.send(ClipStaged(ClipKey("ab" * 32), 10_000))
    assert bench.phase(warning) is not Phase.RECEIVED


def test_whoever_fetches_is_told_when_a_sound_is_due_so_that_next_weeks_keeps_none_waiting() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    for number, due_s in enumerate((3 * 86_400, 1_800)):
        bench.at(due_s, job_id=f"notice-{number}", items=[makers.clip_item(digest=f"{number}a" * 32)])
    begun = bench.now.utc
    bench.pass_s(600)
    bench.pass_s(86_400)
    bench.order(job_id="now", items=[makers.clip_item(digest="2a" * 32)])
    asked = {one.key: one.due for one in [*bench.every(fx.FetchClip), *bench.every(fx.FetchAhead)]}
    assert asked == {"0a" * 32: begun + 3 * 86_400_000, "1a" * 32: begun + 1_800_000, "2a" * 32: None}


@pytest.mark.parametrize("ahead", [False, True], ids=["being made ready", "only being fetched for next week"])
def test_what_is_ordered_for_now_hastens_what_was_asked_for_next_week_once(ahead: bool) -> None:
    """An officer has a notice of the timetable heard at once: it lay in line behind the rest of that."""
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.FetchAhead}
    bench.at((3 * 86_400 if ahead else 0) + 1_800, job_id="notice", items=[makers.clip_item()])
    bench.pass_s(86_400 if ahead else 600)
    now = bench.order(job_id="now", items=[makers.clip_item()])
    bench.pass_s(1)
    bench.pass_s(1)
    assert [one.due for one in bench.every(fx.FetchClip)][-1:] == [None]
    assert len([*bench.every(fx.FetchClip), *bench.every(fx.FetchAhead)]) == 2
    for _ in range(2):  # of each that was asked for
        bench.send(ClipStaged(ClipKey("ab" * 32), 10_000))
    assert bench.phase(now) is not Phase.RECEIVED


def asked_when_the_line_is_back(came_bytes: int, **job: Any) -> int:
    """How often: for an hour it was gone, and the pauses between two tries have grown to their longest."""
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(not_after=bench.now.utc + 6 * HOUR_MS, items=[makers.clip_item()], **job)
    bench.pass_s(600)
    key = bench.every(fx.FetchClip)[-1].key
    bench.send(Disconnected("no answer"))
    for _ in range(6):
        bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True))
        bench.pass_s(600)
    bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True, came_bytes=came_bytes))
    asked = len(bench.every(fx.FetchClip))
    for epoch in (2, 3):
        bench.send(Connected(epoch, f"{epoch}b" * 16))
    return len(bench.every(fx.FetchClip)) - asked


def test_a_warnings_recording_is_asked_for_as_soon_as_the_line_is_back() -> None:
    """Ten minutes later the water is there. A notice waits for its pause: a ward has many, and a server but one."""
    assert asked_when_the_line_is_back(50_000, **{"class": "emergency"}) == 1
    assert asked_when_the_line_is_back(0, when=IN_THREE_HOURS) == 0


def test_a_broker_that_hangs_up_each_minute_has_nobody_fetch_what_never_comes_each_minute() -> None:
    assert asked_when_the_line_is_back(200_000, **{"class": "emergency"}) == 0


def test_a_warnings_sound_that_is_found_altered_waits_for_no_routine_work_either() -> None:
    bench = Bench().boot()
    warning = bench.playing(items=[makers.text_item()], **{"class": "emergency"})
    bench.deaf.add(fx.SpeakText)
    bench.end(warning, Reason.AUDIO_ALTERED, ms=100)
    assert asked_as(bench, fx.SpeakText) == [True, True]


def test_a_start_with_two_hundred_orders_finds_once_what_all_of_them_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found for each sound anew it took minutes and gigabytes, and the station was ended at each start."""
    looked = Counter[str]()

    def counted(item: StagedItem) -> ClipKey:
        looked[item_key(item)] += 1
        return item_key(item)

    monkeypatch.setattr(sound_room, "item_key", counted)
    bench = Bench()
    jobs = [
        bench.make(
            job_id=f"j{number}",
            when={"kind": "at", "utc": bench.now.utc + 3_600_000 + number * 60_000},
            items=[makers.text_item(text=f"Bản tin {number}, mục {item}") for item in range(20)],
        )
        for number in range(200)
    ]
    bench.deaf = {fx.SpeakText}
    bench.send(Restored(tuple(SavedJob(bench.accept(job), bench.now.utc, False) for job in jobs), (), {}, 0, 0, "e1"))
    asked = bench.every(fx.SpeakText)
    assert len(asked) == len({one.key for one in asked}) == 4_000
    assert {len(one.keep) for one in asked} == {4_000}
    assert len({id(one.keep) for one in asked}) == 1
    assert max(looked.values()) <= 3, "once, and where room is looked for"
