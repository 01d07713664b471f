"""Staged sound has a bound: what is needed last makes room, and nothing that plays goes for something later."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import explain, sound_room
from edge_agent.core.events import Tick
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.state import ClipStatus, State
from edge_agent.core.units import HOUR_MS, ClipKey, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, SPEECH_MS, Bench, audience
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def due_in(hours: float, number: int, **draft: object) -> dict[str, object]:
    when = {"kind": "at", "utc": makers.NOON + 2_000 + round(hours * HOUR_MS)}
    return {"job_id": f"j-{number}", "when": when, "items": [makers.clip_item(digest=f"{number}" * 64)], **draft}


def a_night_later(sounds: float, *drafts: dict[str, object]) -> Bench:
    """A station that may keep so many sounds of a clip's length has these orders, and a night has passed."""
    bench = Bench(sound_ms_max=round(sounds * CLIP_MS)).boot()
    for draft in drafts:
        bench.order(**draft)
    bench.pass_s(18 * 3_600)
    return bench


def ready(bench: Bench) -> list[str]:
    return sorted(key[0] for key, clip in bench.state.clips.items() if clip.status is ClipStatus.READY)


def reasons(bench: Bench) -> dict[str, Reason | None]:
    return {one.job_id: one.reason for one in explain.upcoming(bench.state, bench.now)}


def test_what_is_due_sooner_fills_the_room_and_the_later_one_waits_by_name_until_there_is_some() -> None:
    bench = a_night_later(2, due_in(20, 1), due_in(21, 2), due_in(22, 3))
    assert ready(bench) == ["1", "2"]
    assert reasons(bench) == {"j-1": None, "j-2": None, "j-3": Reason.CACHE_FULL}
    bench.pass_s(2 * 3_600 + 10)
    bench.end("j-1")
    assert ready(bench) == ["2", "3"]
    assert bench.phase("j-3") is Phase.STAGED
    assert {*reasons(bench).values()} == {None}


def test_whoever_comes_first_makes_room_for_what_is_due_sooner_and_the_last_due_goes_first() -> None:
    bench = a_night_later(2, due_in(30, 1), due_in(32, 2))
    assert ready(bench) == ["1", "2"]
    bench.order(**due_in(18.5, 3))
    bench.pass_s(600)
    assert ready(bench) == ["1", "3"]
    assert bench.every(fx.FetchClip)[-1].keep == {"1" * 64, "3" * 64}
    assert bench.phase("j-2") is Phase.RECEIVED
    assert len(bench.every(fx.FetchClip)) == 3, "and nothing is made twice"


def test_what_is_let_go_for_the_second_of_two_sounds_is_kept_beside_the_first_alone() -> None:
    """What a step has found of the sounds holds no longer than it is true."""
    bench = a_night_later(3.5, due_in(30, 1), due_in(32, 2))
    bench.order(job_id="now", items=[makers.clip_item(digest=letter * 64) for letter in "ab"])
    assert ready(bench) == ["1", "a", "b"]
    first, second = bench.every(fx.FetchClip)[-2:]
    assert {key[0] for key in first.keep} == {"1", "2", "a", "b"}
    assert {key[0] for key in second.keep} == {"1", "a", "b"}


def test_of_two_that_are_due_together_neither_goes_for_the_other() -> None:
    bench = a_night_later(1, due_in(20, 1), due_in(20, 2))
    assert len(ready(bench)) == len(bench.every(fx.FetchClip)) == 1


def test_what_is_only_being_fetched_takes_no_room() -> None:
    bench = Bench(sound_ms_max=CLIP_MS).boot()
    bench.deaf.add(fx.FetchAhead)
    bench.order(**due_in(96, 1))
    bench.pass_s(15 * 3_600)
    assert len(bench.every(fx.FetchAhead)) == 1
    bench.order(**due_in(20, 2))
    bench.pass_s(600)
    assert ready(bench) == ["2"]


def test_no_more_goes_than_must() -> None:
    bench = a_night_later(3.5, due_in(30, 1), due_in(31, 2), due_in(32, 3))
    bench.order(**due_in(18.5, 4))
    bench.pass_s(600)
    assert ready(bench) == ["1", "2", "4"]
    assert len(bench.every(fx.FetchClip)) == 4


def test_what_waits_for_room_is_not_overtaken_by_what_would_fit_and_is_due_later() -> None:
    long = [makers.clip_item(digest="2" * 64, duration_ms=2 * CLIP_MS)]
    bench = a_night_later(2, due_in(20, 1))
    bench.order(**due_in(21, 2, items=long))
    bench.pass_s(600)
    bench.order(**due_in(22, 3))
    bench.pass_s(600)
    assert ready(bench) == ["1"]
    assert reasons(bench) == {"j-1": None, "j-2": Reason.CACHE_FULL, "j-3": Reason.CACHE_FULL}
    bench.pass_s(6_010)
    bench.end("j-1")
    assert ready(bench) == ["2"]
    assert reasons(bench) == {"j-2": None, "j-3": Reason.CACHE_FULL}


def test_what_waits_takes_the_room_of_a_job_that_is_given_up_in_the_same_step() -> None:
    """Though it was asked first; and there may be no other step for hours."""
    bench = a_night_later(1, due_in(20, 1), due_in(21, 2, **{"class": "priority"}))
    assert ready(bench) == ["1"]
    bench.pass_s(2 * 3_600 + 60)
    assert bench.outcomes() == [("j-1", "missed", "missed")]
    assert ready(bench) == ["2"]


def test_what_can_never_fit_holds_up_nobody() -> None:
    endless = [makers.clip_item(digest="2" * 64, duration_ms=9 * CLIP_MS)]
    bench = a_night_later(2, due_in(20, 1), due_in(21, 2, items=endless), due_in(22, 3))
    assert ready(bench) == ["1", "3"]
    assert reasons(bench)["j-2"] is Reason.CACHE_FULL


def test_however_many_wait_a_step_looks_for_room_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[State] = []
    look = sound_room._needed

    def needed(state: State) -> Mapping[ClipKey, UtcMs]:
        looked.append(state)
        return look(state)

    many = [makers.clip_item(digest=f"{number:064x}") for number in range(20)]
    bench = a_night_later(1, due_in(20, 1), *(due_in(21, number, items=many) for number in range(2, 9)))
    monkeypatch.setattr(sound_room, "_needed", needed)
    bench.send(Tick())
    assert len(looked) == 1


def test_what_has_no_room_when_it_is_due_fails_by_that_name_and_once() -> None:
    bench = a_night_later(0.5, due_in(20, 1))
    bench.pass_s(5 * 3_600)
    assert bench.outcomes() == [("j-1", "failed", "cache_full")]
    assert bench.every(fx.FetchClip) == []


def test_a_station_that_waits_for_room_sleeps() -> None:
    bench = a_night_later(1, due_in(20, 1), due_in(44, 2))
    assert bench.phase("j-2") is Phase.RECEIVED
    assert bench.wakes_in_ms() > 60_000
    notes = [effect for effect in bench.said if isinstance(effect, fx.Note) and effect.what == "no room for audio yet"]
    assert len(notes) <= 1


def test_a_warning_takes_the_room_of_whatever_does_not_sound() -> None:
    bench = a_night_later(1, due_in(20, 1))
    warning = bench.order(**EMERGENCY, items=[makers.clip_item(digest="9" * 64)])
    assert ready(bench) == ["9"]
    assert bench.phase(warning) is not Phase.RECEIVED
    assert bench.phase("j-1") is Phase.RECEIVED


def test_a_warning_is_made_ready_though_nothing_can_go_for_it() -> None:
    bench = Bench(sound_ms_max=CLIP_MS).boot()
    bench.playing(items=[makers.clip_item(digest="1" * 64)])
    bench.order(**EMERGENCY, job_id="flood", items=[makers.clip_item(digest="9" * 64)])
    assert ready(bench) == ["1", "9"]


def test_a_warning_leaves_what_has_its_zones_its_sound() -> None:
    bench = Bench(sound_ms_max=CLIP_MS).boot()
    job = bench.at(60, items=[makers.clip_item(digest="1" * 64)], audience=audience(CHO))
    bench.pass_s(59.5)
    assert bench.play(job).planned > bench.now.utc, "its first sample is still to come"
    bench.order(**EMERGENCY, job_id="flood", items=[makers.clip_item(digest="9" * 64)], audience=audience(DINH))
    assert bench.phase(job) is Phase.PLAYING
    assert ready(bench) == ["1", "9"]


def test_nothing_takes_the_room_of_a_warning_that_sounds_again() -> None:
    bench = Bench(sound_ms_max=CLIP_MS).boot()
    again = {"kind": "now", "every_s": 1_200, "until": makers.NOON + 3_000_000}
    bench.order(
        job_id="flood",
        items=[makers.clip_item(digest="9" * 64)],
        when=again,
        not_after=makers.NOON + HOUR_MS,
        **EMERGENCY,
    )
    bench.pass_s(2)
    bench.end("flood")
    bench.order(**due_in(0.25, 1))
    bench.pass_s(600)
    assert ready(bench) == ["9"]
    assert reasons(bench)["j-1"] is Reason.CACHE_FULL


def test_words_that_made_room_are_spoken_again_in_their_time() -> None:
    bench = Bench(sound_ms_max=CLIP_MS).boot()
    bench.order(**due_in(48, 1, items=[makers.text_item()]))
    assert len(bench.every(fx.SpeakText)) == 1
    bench.order(**due_in(0.5, 2))
    bench.pass_s(600)
    assert [clip.duration_ms for clip in bench.state.clips.values() if clip.status is ClipStatus.FETCHED] == [SPEECH_MS]
    bench.pass_s(1_210)
    bench.end("j-2")
    bench.pass_s(10 * 3_600)
    assert len(bench.every(fx.SpeakText)) == 1, "not yet"
    bench.pass_s(2 * 3_600)
    assert len(bench.every(fx.SpeakText)) == 2
    assert bench.phase("j-1") is Phase.STAGED
