"""Audio that is not as long as was signed: an officer learns it when it is staged, a warning sounds all the same."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import explain
from edge_agent.core.clips import LEFT_OUT_AFTER_MS
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import ClipFailed, ClipStaged, DeviceDown
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import DURATION_TOLERANCE_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, ClipKey
from edge_agent.core.wall_time import local_time
from tests.core.bench import CLIP_MS, Bench
from tests.trust import makers

KEY = ClipKey("ab" * 32)
SHORT_MS = CLIP_MS - DURATION_TOLERANCE_MS - 1


def asked(*drafts: dict[str, object]) -> Bench:
    """A station that has these orders, and nobody has staged their sound yet."""
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    for draft in drafts:
        bench.order(**draft)
    return bench


def at(hours: float, **draft: object) -> dict[str, object]:
    return {"when": {"kind": "at", "utc": makers.NOON + 2_000 + round(hours * HOUR_MS)}, **draft}


def test_audio_that_is_too_short_ends_an_ordinary_job_when_it_is_staged_and_not_in_the_street() -> None:
    bench = asked(at(0.9, job_id="tin"))
    bench.send(ClipStaged(KEY, SHORT_MS))
    assert bench.outcomes() == [("tin", "failed", "audio_too_short")]
    assert not bench.every(fx.SwitchRelay)
    bench.pass_s(HOUR_MS / 1_000)
    assert len(bench.outcomes()) == 1, "one job, one record"


def test_what_an_encoder_takes_or_adds_is_no_other_length() -> None:
    for ms in (CLIP_MS - DURATION_TOLERANCE_MS, CLIP_MS + DURATION_TOLERANCE_MS):
        bench = asked(at(0.9, job_id="tin"))
        bench.send(ClipStaged(KEY, ms))
        assert bench.play("tin").phase is Phase.STAGED


def test_a_recurring_bulletin_that_is_too_short_is_foreseen_with_its_reason_and_recorded_at_its_instant() -> None:
    bench = asked({"job_id": "daily", "when": makers.rule_when(times=["12:50:00"])})
    bench.send(ClipStaged(KEY, SHORT_MS))
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert (shown.reason, bench.outcomes()) == (Reason.AUDIO_TOO_SHORT, [])
    (foreseen,) = day_plan(bench.state, bench.now, local_time(bench.now.utc, makers.make_site().timezone).date())
    assert foreseen.reason is Reason.AUDIO_TOO_SHORT
    bench.pass_s(HOUR_MS / 1_000)
    assert bench.outcomes() == [("daily", "failed", "audio_too_short")]
    assert not bench.every(fx.SwitchRelay)


def test_a_warning_plays_what_there_is_and_its_record_and_the_log_say_so() -> None:
    bench = asked({"job_id": "flood", "class": "emergency", "items": [makers.clip_item()]})
    said = bench.send(ClipStaged(KEY, SHORT_MS))
    assert [
        (told["reason"], told["plays"])
        for note in said
        if isinstance(note, fx.Note) and (told := dict(note.fields)).get("plays")
    ] == [("audio_too_short", "what there is")]
    bench.pass_s(2)
    bench.end("flood")
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert (record.outcome, record.reason, record.detail) == (Phase.SUCCEEDED, None, "audio_too_short")


def heard_in_part(bench: Bench, reason: Reason) -> None:
    """The flood warning sounds for a while, and then no device is there."""
    bench.pass_s(LEFT_OUT_AFTER_MS / SECOND_MS + 3)
    bench.end("flood", reason, ms=3_000)


def over(bench: Bench) -> tuple[Phase, str]:
    """Its time has passed, and it did not begin anew."""
    bench.send(DeviceDown("gone"))
    bench.pass_s(LEFT_OUT_AFTER_MS / SECOND_MS + 1)
    bench.pass_s(700)
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    return record.outcome, record.detail


def test_nothing_was_cut_short_of_a_warning_that_never_began() -> None:
    bench = asked({"job_id": "flood", "class": "emergency", "items": [makers.clip_item()]})
    bench.send(DeviceDown("gone"))
    bench.send(ClipStaged(KEY, SHORT_MS))
    assert over(bench) == (Phase.EXPIRED, "")


def test_nor_of_one_that_was_heard_before_the_short_audio_came_for_another_try_that_never_began() -> None:
    items = [makers.clip_item(), makers.text_item()]
    bench = asked({"job_id": "flood", "class": "emergency", "items": items})
    heard_in_part(bench, Reason.DEVICE_FAILED)
    bench.send(DeviceDown("gone"))
    bench.send(ClipStaged(KEY, SHORT_MS))
    assert over(bench) == (Phase.INTERRUPTED, "part_left_out")


def test_what_was_heard_cut_short_is_recorded_so_though_another_try_was_laid_out_without_it() -> None:
    items = [makers.clip_item(), makers.text_item()]
    bench = asked({"job_id": "flood", "class": "emergency", "items": items})
    bench.send(ClipStaged(KEY, SHORT_MS))
    heard_in_part(bench, Reason.AUDIO_ALTERED)
    assert over(bench) == (Phase.INTERRUPTED, "audio_too_short")


def test_a_warning_of_its_whole_length_says_nothing_of_it() -> None:
    bench = asked({"job_id": "flood", "class": "emergency", "items": [makers.clip_item()]})
    bench.send(ClipStaged(KEY, CLIP_MS))
    bench.pass_s(2)
    bench.end("flood")
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert (record.outcome, record.detail) == (Phase.SUCCEEDED, "")


def test_a_rehearsal_is_no_warning() -> None:
    bench = asked(at(0.9, job_id="dien-tap", rehearsal=True, items=[makers.clip_item()], **{"class": "emergency"}))
    bench.send(ClipStaged(KEY, SHORT_MS))
    assert bench.outcomes() == [("dien-tap", "failed", "audio_too_short")]


def test_what_is_too_long_for_one_job_is_right_for_another_that_signed_its_length() -> None:
    """The first to ask must not say for all how long it is."""
    longer = makers.clip_item(duration_ms=60_000)
    bench = asked(at(0.8, job_id="wrong"))
    bench.pass_s(600)
    bench.order(**at(0.9, job_id="right", items=[longer]))
    bench.send(ClipFailed(KEY, Reason.AUDIO_UNREACHABLE, again=True))
    bench.pass_s(6)
    assert [one.duration_ms for one in bench.every(fx.FetchClip)] == [CLIP_MS, 60_000]
    bench.send(ClipStaged(KEY, 60_000))
    assert bench.outcomes() == [("wrong", "failed", "audio_too_long")]
    assert bench.play("right").phase is Phase.STAGED


@pytest.mark.parametrize("warning_first", [True, False])
def test_no_broadcast_has_a_warning_look_for_room_for_half_an_hour(warning_first: bool) -> None:
    """By a stolen key that may order bulletins: they need 600 MB of the card, more than what is fetched leaves there,
    and do not fit into the memory that a warning has where the card takes nothing.
    """
    warning = {"job_id": "flood", "class": "emergency", "items": [makers.clip_item()]}
    thiefs = at(0.9, job_id="tin", items=[makers.clip_item(duration_ms=25 * MINUTE_MS)])
    bench = asked(*((warning, thiefs) if warning_first else (thiefs, warning)))
    assert {one.duration_ms for one in bench.every(fx.FetchClip) if one.urgent} == {CLIP_MS}
    assert bench.state.clips[KEY].duration_ms == CLIP_MS
    bench.send(ClipFailed(KEY, Reason.AUDIO_UNREACHABLE, again=True, detail=""))
    bench.pass_s(10)
    assert {one.duration_ms for one in bench.every(fx.FetchClip) if one.urgent} == {CLIP_MS}, "tried again"
