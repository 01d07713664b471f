"""Bad audio: each kind ends its job once, with its name, in one record; nothing beside it is lost or played twice."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.core.bench import CLIP_MS, Bench
from tests.trust import makers

BAD, GOOD = ClipKey("ba" * 32), ClipKey("60" * 32)
NAMED = sorted(reason for reason in Reason if reason.startswith("audio_") or reason is Reason.CACHE_FULL)
LENGTHS = {Reason.AUDIO_TOO_SHORT: CLIP_MS // 2, Reason.AUDIO_TOO_LONG: CLIP_MS * 2}


def items(*keys: ClipKey) -> list[dict[str, object]]:
    return [makers.clip_item(digest=key) for key in keys]


def told(bench: Bench, reason: Reason, *, again: bool) -> None:
    """The bad one is answered each time it is asked for, by the stager, or by its length."""
    length = LENGTHS.get(reason) if again else None
    bench.send(ClipFailed(BAD, reason, again) if length is None else ClipStaged(BAD, length))


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("reason", NAMED)
def test_a_job_with_a_bad_sound_ends_once_by_its_name_and_its_neighbours_are_heard_once(
    reason: Reason, again: bool
) -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(60, job_id="bad", items=items(GOOD, BAD))
    bench.at(120, job_id="good", items=items(GOOD))
    bench.send(ClipStaged(GOOD, CLIP_MS))
    for _ in range(40):
        if bench.state.clips.get(BAD) and bench.state.clips[BAD].status == "asked":
            told(bench, reason, again=again)
        bench.pass_s(3)
    assert bench.phase("good") is Phase.PLAYING
    bench.end("good")
    bench.pass_s(3_600)
    assert bench.outcomes() == [("bad", "failed", reason.value), ("good", "succeeded", None)]
    starts = bench.every(fx.StartPlay)
    assert [start.play_id.split(".")[0] for start in starts] == ["good"]
    assert BAD not in {part.key for start in starts for part in start.parts}


@pytest.mark.parametrize("reason", NAMED)
def test_a_daily_bulletin_with_a_bad_sound_has_one_record_for_each_of_its_instants(reason: Reason) -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.order(
        job_id="daily", items=items(BAD), when=makers.rule_when(times=["12:10:00", "12:50:00"], weekdays=[4, 5])
    )
    for _ in range(360):
        if bench.state.clips.get(BAD) and bench.state.clips[BAD].status == "asked":
            told(bench, reason, again=True)
        bench.pass_s(10)
    assert bench.outcomes() == [("daily", "failed", reason.value)] * 2
    assert not bench.every(fx.SwitchRelay)


def test_what_has_failed_is_over_after_a_restart_too() -> None:
    """Its one record closes it: nothing of it is left to be played."""
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(60, job_id="bad", items=items(BAD))
    told(bench, Reason.AUDIO_UNREADABLE, again=False)
    (commit,) = bench.every(fx.CommitRecord)
    assert (commit.closes[0], commit.job_over) == ("bad", True)
    assert "bad" not in bench.state.jobs
