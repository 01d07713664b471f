"""The staging threads, as real threads: nobody waits for a line that he does not need, and what is due first has it.

Every failure is an answer. What a warning does not wait for: ``test_staging_warnings.py``.
"""

from __future__ import annotations

import hashlib
import queue
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.effects import FetchAhead, FetchClip, Sweep, Unneeded
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, UtcMs
from edge_agent.staging_worker import StagingWorker
from tests.audio.test_staging import PlainDecoder
from tests.fakes.staging import PATIENCE_S, FakeStaging
from tests.host.content import Manners
from tests.staging_bench import CLIP, NOTICE, SIREN, TEXT, Busy, here, staging_worker, under_way
from tests.sync.test_right_of_way import until
from tests.test_staging_same_sound import AUDIO, KEY, OTHER, Bench, bench

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

EVENING, NEXT_WEEK = UtcMs(1_800_000_000_000), UtcMs(1_800_500_000_000)


def test_a_failure_is_an_answer_too_and_the_next_order_is_served() -> None:
    staging = FakeStaging(unreachable={CLIP.key})
    worker, said = staging_worker(staging)
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipFailed(CLIP.key, Reason.AUDIO_UNREACHABLE, again=True)
    staging.unreachable.clear()
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)


def test_what_nobody_needs_any_more_is_neither_fetched_nor_spoken_if_it_still_waits() -> None:
    staging = FakeStaging()
    staging.downloads.clear()
    worker, said = staging_worker(staging)
    worker.order(CLIP)
    until(lambda: staging.asked == [CLIP.key])
    other = replace(CLIP, key=ClipKey("other"))
    for order in (other, NOTICE, Unneeded(frozenset({CLIP.key, NOTICE.key, ClipKey("unknown")}))):
        worker.order(order)
    staging.downloads.set()
    assert [said.get(timeout=PATIENCE_S) for _ in range(2)] == [
        ClipStaged(CLIP.key, CLIP.duration_ms),
        ClipStaged(other.key, other.duration_ms),
    ]
    assert staging.asked == [CLIP.key, other.key]


def test_a_sweep_waits_its_turn_behind_downloads() -> None:
    staging = FakeStaging()
    worker, said = staging_worker(staging)
    keep = frozenset({CLIP.key})
    worker.order(Sweep(keep, None))
    worker.order(CLIP)
    said.get(timeout=PATIENCE_S)
    assert staging.swept == [keep]


def test_a_bulletin_that_lies_here_does_not_wait_for_a_download_that_drips() -> None:
    staging = here(CLIP, "notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(replace(CLIP, key=ClipKey("next")))
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, "next"]


def assert_overtakes_a_sweep(staging: Busy, worker: StagingWorker, said: queue.Queue[Event]) -> None:
    """While the notice is on the line: what is ordered behind a sweep is had first, and is spared by it."""
    worker.order(Sweep(frozenset(), None))
    worker.order(CLIP)
    assert staging.begun() == "clip"
    assert staging.spared == [CLIP.key]
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)
    assert staging.begins_nothing()
    staging.let_go("clip")
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    assert staging.begun() == "sweep"


def test_a_bulletin_that_lies_here_overtakes_a_sweep_that_waits_and_is_not_swept_by_it() -> None:
    """It was ordered after the sweep's ``keep`` was drawn up, and nothing is swept beside it either."""
    staging = here(CLIP, "notice", "clip")
    worker, said = under_way(staging, NOTICE)
    assert_overtakes_a_sweep(staging, worker, said)


@pytest.mark.parametrize("urgent", [False, True], ids=["bulletin", "warning"])
@pytest.mark.parametrize("left", [FetchClip, FetchAhead], ids=["sound", "original"])
def test_after_a_restart_what_lies_on_the_card_waits_for_no_server_that_drips(
    tmp_path: Path, left: type[FetchClip | FetchAhead], urgent: bool
) -> None:
    """All is real but decoder and voice. The agent that begins anew knows nothing: it has the card and the servers."""
    with bench(tmp_path, PlainDecoder()) as before:
        bulletin = FetchClip(KEY, len(AUDIO), 10_000, (before.url,), urgent=urgent)
        ahead = FetchAhead(KEY, len(AUDIO), (before.url,))
        before.worker.order(bulletin if left is FetchClip else ahead)
        before.next()
        after = Bench(tmp_path, before.mirror, before.honest, PlainDecoder())
        other = ClipKey(hashlib.sha256(OTHER).hexdigest())
        after.mirror.manners = Manners.DRIPPING
        after.worker.order(FetchAhead(other, len(OTHER), (after.mirror.put("other", OTHER),), urgent))
        until(lambda: bool(after.mirror.asked))
        after.worker.order(bulletin)
        assert after.staged().key == KEY
        assert len(after.honest.asked) == 1


def test_what_is_to_play_now_waits_for_no_download_for_next_week() -> None:
    """Two hours at 32 kbit/s are four hours on the line, and what is ordered for now is void in ten minutes."""
    staging = Busy("notice")
    worker, said = under_way(staging, replace(NOTICE, due=NEXT_WEEK))
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)


def test_of_what_waits_for_the_line_what_is_due_first_is_fetched_first() -> None:
    staging = Busy("first")
    worker, said = under_way(staging, replace(CLIP, key=ClipKey("first")))
    for key, due in (("week", NEXT_WEEK), ("evening", EVENING), ("now", None), ("now too", None)):
        worker.order(replace(CLIP, key=ClipKey(key), due=due))
    until(lambda: not any(map(worker._clips._is_looked_for, worker._clips._waiting.values())))
    staging.let_go("first")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(5)] == ["first", "now", "now too", "evening", "week"]


def test_what_is_due_sooner_overtakes_a_sweep_that_waits_for_the_line_and_is_not_swept_by_it() -> None:
    staging = Busy("notice", "clip")
    worker, said = under_way(staging, replace(NOTICE, due=NEXT_WEEK))
    assert_overtakes_a_sweep(staging, worker, said)


def test_a_sweep_is_never_beside_a_download_and_nothing_that_came_later_overtakes_it() -> None:
    """It would take away what has begun since its ``keep`` was drawn up; what is ready sooner it is told to spare."""
    staging = Busy("siren", "sweep")
    worker, said = under_way(staging, SIREN)
    worker.order(Sweep(frozenset(), None))
    worker.order(CLIP)
    worker.order(TEXT)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(TEXT.key, staging.speech_ms)
    assert staging.begun() == TEXT.key
    staging.let_go("siren")
    assert staging.begun() == "sweep"
    worker.order(replace(SIREN, key=ClipKey("second")))
    worker.order(replace(TEXT, key=ClipKey("second text")))
    assert staging.begun() == "second text"
    staging.let_go("sweep")
    assert {staging.begun(), staging.begun()} == {CLIP.key, "second"}
    assert staging.spared == [SIREN.key, CLIP.key, TEXT.key, "second", "second text"]
