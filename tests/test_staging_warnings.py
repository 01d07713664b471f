"""What a warning needs, on real threads: it waits for no routine work, nor for other warnings, and is had once."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace

import pytest

from edge_agent.core.effects import FetchClip, Sweep
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.staging_worker import StagingWorker
from tests.fakes.staging import PATIENCE_S, FakeStaging
from tests.staging_bench import CLIP, LONG_AGO_S, NOTICE, SIREN, TEXT, Busy, here, staging_worker, under_way, words

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def test_a_slow_download_does_not_keep_an_emergency_s_words_waiting() -> None:
    staging = FakeStaging()
    staging.downloads.clear()
    worker, said = staging_worker(staging)
    worker.order(CLIP)
    worker.order(TEXT)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(TEXT.key, staging.speech_ms)
    staging.downloads.set()
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)


def test_a_warning_whose_sound_lies_here_waits_for_no_other_warnings_server() -> None:
    held = ["ward's", "another ward's"]
    staging = here(SIREN, *held)
    worker, said = staging_worker(staging)
    for key in held:
        worker.order(replace(SIREN, key=ClipKey(key)))
    assert staging.begun() == "ward's"
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    for key in held:
        staging.let_go(key)
    assert [said.get(timeout=PATIENCE_S).key for _ in held] == held


def test_a_warning_that_lies_here_does_not_wait_while_an_hour_that_lies_here_is_decoded() -> None:
    staging = here(SIREN, "hour")
    hour = replace(CLIP, key=ClipKey("hour"))
    staging.here |= {hour.key}
    worker, said = under_way(staging, hour)
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("hour")
    assert said.get(timeout=PATIENCE_S).key == "hour"


def test_what_is_made_of_what_lies_here_is_made_by_one_and_a_warning_that_needs_it_has_that() -> None:
    staging = here(CLIP, "clip")
    worker, said = under_way(staging, CLIP)
    worker.order(replace(CLIP, urgent=True))
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("clip")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [CLIP.key] * 2


def test_a_warnings_recording_waits_for_no_routine_download() -> None:
    staging = Busy("notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(CLIP)
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S) for _ in range(2)] == [
        ClipFetched(NOTICE.key),
        ClipStaged(CLIP.key, CLIP.duration_ms),
    ]


def test_a_warnings_words_wait_for_no_timetables_texts() -> None:
    staging = Busy("text 0")
    worker, said = staging_worker(staging)
    for number in range(100):
        worker.order(words(f"text {number}"))
    assert staging.begun() == "text 0"
    worker.order(words("warning", urgent=True))
    assert said.get(timeout=PATIENCE_S) == ClipStaged(ClipKey("warning"), staging.speech_ms)
    staging.let_go("text 0")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(100)] == [f"text {number}" for number in range(100)]


def test_a_warning_that_uses_a_routine_sound_that_waits_moves_it_to_the_front_and_it_is_had_once() -> None:
    staging = Busy("notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(CLIP)
    worker.order(replace(CLIP, urgent=True))
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    worker.order(replace(CLIP, key=ClipKey("last")))
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, "last"]
    assert staging.asked.count(CLIP.key) == 1


def test_a_routine_order_does_not_put_a_warnings_back_in_the_queue() -> None:
    staging = Busy("siren")
    worker, said = under_way(staging, SIREN)
    worker.order(replace(CLIP, urgent=True))
    worker.order(CLIP)
    staging.let_go("siren")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [SIREN.key, CLIP.key]
    worker.order(NOTICE)
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)
    assert staging.asked.count(CLIP.key) == 1


def test_a_warning_that_uses_what_is_under_way_gets_that_and_keeps_no_other_warning_waiting() -> None:
    """Where that is past all servers; what is still fetched it takes over: ``test_staging_same_sound.py``."""
    staging = Busy("notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(FetchClip(NOTICE.key, NOTICE.length_bytes, 7_200_000, NOTICE.urls, urgent=True))
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S) for _ in range(2)] == [
        ClipFetched(NOTICE.key),
        ClipStaged(NOTICE.key, 7_200_000),
    ]


def test_words_that_are_being_spoken_are_spoken_once_and_keep_no_other_warnings_words_waiting() -> None:
    staging = Busy("text")
    worker, said = under_way(staging, words("text"))
    worker.order(words("text", urgent=True))
    worker.order(words("warning", urgent=True))
    assert said.get(timeout=PATIENCE_S).key == "warning"
    staging.let_go("text")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == ["text", "text"]


def test_servers_that_hold_back_other_warnings_keep_none_waiting_for_long() -> None:
    held = ["ward's", "another ward's"]
    staging = Busy(*held)
    worker, said = staging_worker(staging, LONG_AGO_S)
    for key in held:
        worker.order(replace(SIREN, key=ClipKey(key)))
        assert staging.begun() == key
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    for key in held:
        staging.let_go(key)
    assert {said.get(timeout=PATIENCE_S).key for _ in held} == {*held}


def test_one_warning_has_the_line_to_itself_at_first() -> None:
    staging = Busy("ward's")
    worker, said = under_way(staging, replace(SIREN, key=ClipKey("ward's")), PATIENCE_S)
    worker.order(SIREN)
    assert staging.begins_nothing()
    staging.let_go("ward's")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == ["ward's", SIREN.key]


def test_no_routine_download_is_begun_in_a_reserve_of_warnings() -> None:
    staging = Busy("notice")
    worker, said = under_way(staging, NOTICE, LONG_AGO_S)
    worker.order(CLIP)
    assert staging.begins_nothing()
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, CLIP.key]


def test_a_warning_that_is_ordered_again_while_it_is_fetched_is_fetched_by_one() -> None:
    staging = Busy("siren")
    worker, said = under_way(staging, SIREN, LONG_AGO_S)
    worker.order(SIREN)
    assert staging.begins_nothing()
    staging.let_go("siren")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [SIREN.key] * 2


class Fetching(Busy):
    """What is urgent is under way by a name of its own."""

    def __init__(self, *held: str) -> None:
        super().__init__(*held)
        self.fetching = {NOTICE.key}

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        self._work(ClipKey(f"urgent {order.key}" if order.urgent else order.key))
        return FakeStaging.clip(self, order)

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        assert not +self.at_once, "beside a download"
        super().sweep(keep)


NOTICE_NOW = FetchClip(NOTICE.key, NOTICE.length_bytes, 7_200_000, ("https://content.test/now",), urgent=True)


def test_a_warning_overtakes_its_own_sound_that_is_being_fetched_and_answers_for_both() -> None:
    staging = Fetching("notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(NOTICE_NOW)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(NOTICE.key, 7_200_000)
    staging.let_go("notice")
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)


def test_a_fetch_that_ends_while_a_warnings_is_under_way_says_nothing_before_that_does() -> None:
    staging = Fetching("notice", "urgent notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(NOTICE_NOW)
    assert staging.begun() == "urgent notice"
    staging.let_go("notice")
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    staging.let_go("urgent notice")
    assert said.get(timeout=PATIENCE_S) == ClipStaged(NOTICE.key, 7_200_000)


def test_a_warning_does_not_overtake_what_has_its_answer_and_only_waits_for_the_core_to_take_that() -> None:
    """Else what is ready would be called fetched afterwards."""
    staging, said, may_tell = Fetching(), queue.Queue[Event](), threading.Event()
    telling = threading.Event()

    def post(event: Event) -> None:
        if isinstance(event, ClipFetched):
            telling.set()
            assert may_tell.wait(PATIENCE_S)
        said.put(event)

    worker = StagingWorker(staging, post)
    worker.start()
    worker.order(NOTICE)
    assert telling.wait(PATIENCE_S)
    worker.order(NOTICE_NOW)
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    may_tell.set()
    assert [said.get(timeout=PATIENCE_S) for _ in range(2)] == [
        ClipFetched(NOTICE.key),
        ClipStaged(NOTICE.key, 7_200_000),
    ]


def test_what_a_warning_could_not_have_is_told_when_the_order_that_it_overtook_has_it() -> None:
    staging = Fetching("notice")
    staging.unreachable = {NOTICE.key}
    worker, said = under_way(staging, NOTICE)
    worker.order(NOTICE_NOW)
    assert said.get(timeout=PATIENCE_S) == ClipFailed(NOTICE.key, Reason.AUDIO_UNREACHABLE, again=True)
    staging.unreachable.clear()
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)


def test_nothing_is_swept_while_either_of_two_that_fetch_the_same_sound_is_under_way() -> None:
    staging = Fetching("notice", "urgent notice")
    worker, said = under_way(staging, NOTICE)
    worker.order(NOTICE_NOW)
    assert staging.begun() == "urgent notice"
    worker.order(Sweep(frozenset(), None))
    staging.let_go("notice")
    worker.order(TEXT)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(TEXT.key, staging.speech_ms)
    assert staging.begun() == TEXT.key
    staging.let_go("urgent notice")
    assert said.get(timeout=PATIENCE_S) == ClipStaged(NOTICE.key, 7_200_000)
    assert staging.begun() == "sweep"
