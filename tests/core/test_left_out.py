"""A warning with a part that is not to be had: what the station has of it, above all its own words, sounds in time."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import clips
from edge_agent.core import effects as fx
from edge_agent.core.as_run import AsRun
from edge_agent.core.clips import LEFT_OUT_AFTER_MS
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, DeviceDown
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import ATTENTION, REHEARSAL_WORDS, Part, Sound, text_key
from edge_agent.core.reasons import Reason
from edge_agent.core.units import SECOND_MS, ClipKey
from tests.core.bench import CLIP_MS, Bench
from tests.trust import makers

SIREN, SECOND = ClipKey("ab" * 32), ClipKey("cd" * 32)
BOTH = [makers.clip_item(digest=SIREN), makers.text_item()]
WAIT_S = LEFT_OUT_AFTER_MS // SECOND_MS


def warned(items: list[dict[str, object]] = BOTH, **draft: object) -> Bench:
    """A station that is told of a flood, and whose content server gives nothing."""
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(job_id="flood", items=items, **{"class": "emergency"}, **draft)
    return bench


def sounds(bench: Bench, number: int = 0) -> list[ClipKey]:
    return [part.key for part in laid_out(bench, number) if isinstance(part, Sound)]


def laid_out(bench: Bench, number: int = 0) -> tuple[Part, ...]:
    starts: list[fx.StartPlay] = bench.every(fx.StartPlay)
    return starts[number].parts


def the_record(bench: Bench) -> AsRun:
    (commit,) = bench.every(fx.CommitRecord)
    record: AsRun = commit.record
    return record


def test_a_server_that_holds_the_siren_back_does_not_silence_the_words() -> None:
    bench = warned()
    bench.pass_s(WAIT_S - 2)
    assert not bench.every(fx.StartPlay)
    bench.pass_s(5)
    assert sounds(bench)[0] is ATTENTION
    assert (len(sounds(bench)), SIREN in sounds(bench)) == (2, False)
    bench.end("flood")
    assert (the_record(bench).outcome, the_record(bench).detail) == (Phase.SUCCEEDED, "part_left_out")


def test_the_station_wakes_for_a_warning_that_has_waited_long_enough() -> None:
    bench = warned()
    bench.pass_s(1)
    waited_ms = 0.0
    while not bench.every(fx.StartPlay):
        wake_ms = bench.wakes_in_ms()
        bench.pass_s(wake_ms / SECOND_MS)
        waited_ms += wake_ms
        assert waited_ms <= LEFT_OUT_AFTER_MS + SECOND_MS


def test_a_server_that_gives_other_bytes_for_the_siren_does_not_even_delay_the_words() -> None:
    bench = warned()
    bench.send(ClipFailed(SIREN, Reason.AUDIO_ALTERED, again=False))
    bench.pass_s(3)
    assert SIREN not in sounds(bench)


def test_words_that_are_still_being_spoken_are_waited_for_where_the_siren_has_failed_for_good() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.SpeakText}
    bench.order(job_id="flood", items=BOTH, **{"class": "emergency"})
    bench.send(ClipFailed(SIREN, Reason.AUDIO_ALTERED, again=False))
    bench.pass_s(10)
    assert bench.phase("flood") is Phase.RECEIVED
    (spoken,) = bench.every(fx.SpeakText)
    bench.send(ClipStaged(spoken.key, CLIP_MS))
    bench.pass_s(3)
    assert sounds(bench) == [ATTENTION, spoken.key]


def test_a_siren_that_is_longer_than_signed_is_left_out_and_the_words_sound() -> None:
    bench = warned()
    bench.send(ClipStaged(SIREN, CLIP_MS * 2))
    bench.pass_s(3)
    assert SIREN not in sounds(bench)


def test_a_siren_that_comes_in_time_sounds_with_the_words_and_nothing_is_said_of_it() -> None:
    bench = warned()
    bench.pass_s(WAIT_S - 3)
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.pass_s(3)
    assert sounds(bench)[:2] == [ATTENTION, SIREN]
    assert len(sounds(bench)) == 3
    bench.end("flood")
    assert the_record(bench).detail == ""


def test_what_was_heard_without_the_siren_is_recorded_so_though_it_has_come_for_another_try_that_never_began() -> None:
    bench = warned()
    bench.pass_s(WAIT_S + 3)
    bench.end("flood", Reason.DEVICE_FAILED, ms=4_000)
    bench.send(DeviceDown("gone"))
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.pass_s(700)
    record = the_record(bench)
    assert (record.outcome, record.played_ms) == (Phase.INTERRUPTED, 4_000)
    assert record.detail == "part_left_out"


def test_what_was_whole_when_it_began_again_is_recorded_as_whole() -> None:
    bench = warned()
    bench.pass_s(WAIT_S + 3)
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.end("flood", Reason.DEVICE_FAILED, ms=4_000)
    bench.pass_s(3)
    assert (SIREN in sounds(bench, 0), SIREN in sounds(bench, 1)) == (False, True)
    bench.end("flood")
    assert (the_record(bench).outcome, the_record(bench).detail) == (Phase.SUCCEEDED, "")


def test_nothing_was_left_out_of_what_never_began() -> None:
    bench = warned()
    bench.send(DeviceDown("gone"))
    bench.pass_s(WAIT_S + 3)
    assert bench.phase("flood") is Phase.QUEUED
    bench.pass_s(700)
    assert (the_record(bench).outcome, the_record(bench).detail) == (Phase.EXPIRED, "")


def test_what_has_come_too_late_for_one_repetition_sounds_in_the_next() -> None:
    until = makers.NOON + 500 * SECOND_MS
    bench = warned(when={"kind": "now", "every_s": 120, "until": until})
    bench.pass_s(WAIT_S + 5)
    assert SIREN not in sounds(bench)
    bench.end("flood")
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.pass_s(120)
    assert SIREN in sounds(bench, 1)


def test_a_repetition_does_not_wait_anew_for_what_the_first_had_to_go_without() -> None:
    until = makers.NOON + 500 * SECOND_MS
    bench = warned(when={"kind": "now", "every_s": 60, "until": until})
    bench.pass_s(WAIT_S + 5)
    bench.end("flood")
    bench.send(ClipFailed(SIREN, Reason.AUDIO_UNREACHABLE, again=True))
    bench.pass_s(60 - WAIT_S)
    assert len(bench.every(fx.StartPlay)) == 2


def test_what_the_first_had_to_go_without_is_asked_for_again_before_the_next() -> None:
    until = makers.NOON + 500 * SECOND_MS
    bench = warned(when={"kind": "now", "every_s": 120, "until": until})
    bench.pass_s(WAIT_S + 5)
    bench.end("flood")
    bench.send(ClipFailed(SIREN, Reason.AUDIO_UNREACHABLE, again=True))
    asked = len(bench.every(fx.FetchClip))
    assert bench.state.clips[SIREN].retry_at in clips.next_wake(bench.state, bench.now)
    bench.pass_s(6)
    assert len(bench.every(fx.FetchClip)) == asked + 1


def test_what_is_fetched_and_not_made_yet_holds_up_no_repetition() -> None:
    until = makers.NOON + 500 * SECOND_MS
    bench = warned(when={"kind": "now", "every_s": 60, "until": until})
    bench.pass_s(WAIT_S + 5)
    bench.end("flood")
    bench.pass_s(20)
    bench.send(ClipFetched(SIREN))
    bench.pass_s(8)
    assert len(bench.every(fx.StartPlay)) == 2


def test_what_one_warning_went_without_another_that_has_nothing_else_waits_for() -> None:
    bench = warned(when={"kind": "now", "every_s": 400, "until": makers.NOON + 500 * SECOND_MS})
    bench.pass_s(WAIT_S + 5)
    bench.end("flood")
    bench.order(job_id="siren", items=[makers.clip_item(digest=SIREN)], **{"class": "emergency"})
    bench.pass_s(WAIT_S * 2)
    assert bench.phase("siren") is Phase.RECEIVED
    assert len(bench.every(fx.StartPlay)) == 1


def test_of_two_recordings_the_one_that_is_here_sounds_without_the_other() -> None:
    bench = warned([makers.clip_item(digest=SIREN), makers.clip_item(digest=SECOND)])
    bench.send(ClipStaged(SECOND, CLIP_MS))
    bench.pass_s(WAIT_S + 3)
    assert sounds(bench) == [ATTENTION, SECOND]


def test_a_warning_of_which_nothing_is_here_is_waited_for_to_its_end() -> None:
    bench = warned([makers.clip_item(digest=SIREN)])
    bench.pass_s(WAIT_S * 4)
    assert bench.phase("flood") is Phase.RECEIVED
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.pass_s(3)
    assert sounds(bench) == [ATTENTION, SIREN]


def test_a_warning_of_which_nothing_can_be_had_fails_by_its_name() -> None:
    bench = warned([makers.clip_item(digest=SIREN), makers.clip_item(digest=SECOND)])
    bench.send(ClipFailed(SIREN, Reason.AUDIO_ALTERED, again=False))
    assert bench.phase("flood") is Phase.RECEIVED
    bench.send(ClipFailed(SECOND, Reason.AUDIO_ALTERED, again=False))
    assert bench.outcomes() == [("flood", "failed", "audio_altered")]


def test_the_date_that_a_warning_must_say_first_is_never_left_out() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.FetchClip, fx.SpeakText}
    job = bench.make(job_id="flood", items=[makers.clip_item(digest=SIREN)], **{"class": "emergency"})
    bench.arrive(bench.accept(replace(job, opening=(REHEARSAL_WORDS,))))
    bench.send(ClipStaged(SIREN, CLIP_MS))
    bench.pass_s(WAIT_S * 2)
    assert not bench.every(fx.StartPlay)
    bench.send(ClipFailed(text_key(REHEARSAL_WORDS), Reason.NO_VOICE, again=False))
    assert bench.outcomes() == [("flood", "failed", "no_voice")]


def test_an_ordinary_bulletin_is_heard_whole_or_not_at_all() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(60, job_id="tin", items=BOTH)
    bench.send(ClipFailed(SIREN, Reason.AUDIO_ALTERED, again=False))
    bench.pass_s(90)
    assert bench.outcomes() == [("tin", "failed", "audio_altered")]
    assert not bench.every(fx.StartPlay)
