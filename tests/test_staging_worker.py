"""The staging threads, as real threads: nobody waits for a line that he does not need, and no warning for routine work.

Every failure is an answer.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText, Sweep, Unneeded
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, UtcMs
from edge_agent.staging_worker import StagingWorker
from tests.audio.test_staging import PlainDecoder
from tests.fakes.staging import PATIENCE_S, FakeStaging
from tests.host.content import Manners
from tests.sync.test_right_of_way import until
from tests.test_staging_same_sound import AUDIO, KEY, OTHER, Bench, bench

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

CLIP = FetchClip(ClipKey("clip"), 80_000, 10_000, ("https://content.test/clip",))
EVENING, NEXT_WEEK = UtcMs(1_800_000_000_000), UtcMs(1_800_500_000_000)
LONG_AGO_S = 0.05
TEXT = SpeakText(ClipKey("text"), "vi", "Nước đang lên.")
NOTICE = FetchAhead(ClipKey("notice"), 57_600_000, ("https://content.test/two-hours",))
SIREN = FetchClip(ClipKey("siren"), 240_000, 30_000, ("https://content.test/siren",), urgent=True)


def staging_worker(staging: FakeStaging) -> tuple[StagingWorker, queue.Queue[Event]]:
    said: queue.Queue[Event] = queue.Queue()
    worker = StagingWorker(staging, said.put)
    worker.start()
    return worker, said


def test_a_slow_download_does_not_keep_an_emergency_s_words_waiting() -> None:
    staging = FakeStaging()
    staging.downloads.clear()
    worker, said = staging_worker(staging)
    worker.order(CLIP)
    worker.order(TEXT)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(TEXT.key, staging.speech_ms)
    staging.downloads.set()
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)


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


class Busy(FakeStaging):
    """What is held is under way until it is let go; ``doing`` tells in which order the rest was begun."""

    def __init__(self, *held: str) -> None:
        super().__init__()
        self.doing: queue.Queue[str] = queue.Queue()
        self.held = {ClipKey(key): threading.Event() for key in held}
        self.at_once: Counter[ClipKey] = Counter()

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None:
        if order.key in self.here:
            self._work(order.key)
        return super().at_hand(order)

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed:
        self._work(order.key)
        return super().original(order)

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        self._work(order.key)
        return super().clip(order)

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed:
        self._work(order.key)
        return super().text(order)

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        self._work(ClipKey("sweep"))
        super().sweep(keep)

    def _work(self, key: ClipKey) -> None:
        self.at_once[key] += 1
        assert self.at_once[key] == 1, f"{key} by two at once"
        self.doing.put(key)
        if key in self.held:
            assert self.held[key].wait(PATIENCE_S)
        self.at_once[key] -= 1

    def begun(self) -> str:
        return self.doing.get(timeout=PATIENCE_S)

    def let_go(self, key: str) -> None:
        self.held[ClipKey(key)].set()


def words(key: str, *, urgent: bool = False) -> SpeakText:
    return SpeakText(ClipKey(key), "vi", "Nước đang lên.", urgent=urgent)


def here(order: FetchClip, *held: str) -> Busy:
    """A card on which this sound lies."""
    staging = Busy(*held)
    staging.here = {order.key}
    return staging


def test_a_bulletin_that_lies_here_does_not_wait_for_a_download_that_drips() -> None:
    staging = here(CLIP, "notice")
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
    worker.order(replace(CLIP, key=ClipKey("next")))
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, "next"]


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
    worker, said = staging_worker(staging)
    worker.order(hour)
    assert staging.begun() == "hour"
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("hour")
    assert said.get(timeout=PATIENCE_S).key == "hour"


def test_what_is_made_of_what_lies_here_is_made_by_one_and_a_warning_that_needs_it_has_that() -> None:
    staging = here(CLIP, "clip")
    worker, said = staging_worker(staging)
    worker.order(CLIP)
    assert staging.begun() == "clip"
    worker.order(replace(CLIP, urgent=True))
    worker.order(SIREN)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(SIREN.key, SIREN.duration_ms)
    staging.let_go("clip")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [CLIP.key] * 2


def assert_overtakes_a_sweep(staging: Busy, worker: StagingWorker, said: queue.Queue[Event]) -> None:
    """While the notice is on the line: what is ordered behind a sweep is had first, and is spared by it."""
    worker.order(Sweep(frozenset(), None))
    worker.order(CLIP)
    assert staging.begun() == "clip"
    assert staging.spared == [CLIP.key]
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)
    with pytest.raises(queue.Empty):
        staging.doing.get(timeout=4 * LONG_AGO_S)
    staging.let_go("clip")
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    assert staging.begun() == "sweep"


def test_a_bulletin_that_lies_here_overtakes_a_sweep_that_waits_and_is_not_swept_by_it() -> None:
    """It was ordered after the sweep's ``keep`` was drawn up, and nothing is swept beside it either."""
    staging = here(CLIP, "notice", "clip")
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
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
    worker, said = staging_worker(staging)
    worker.order(replace(NOTICE, due=NEXT_WEEK))
    assert staging.begun() == "notice"
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)


def test_of_what_waits_for_the_line_what_is_due_first_is_fetched_first() -> None:
    staging = Busy("first")
    worker, said = staging_worker(staging)
    worker.order(replace(CLIP, key=ClipKey("first")))
    assert staging.begun() == "first"
    for key, due in (("week", NEXT_WEEK), ("evening", EVENING), ("now", None), ("now too", None)):
        worker.order(replace(CLIP, key=ClipKey(key), due=due))
    until(lambda: not any(map(worker._clips._is_looked_for, worker._clips._waiting.values())))
    staging.let_go("first")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(5)] == ["first", "now", "now too", "evening", "week"]


def test_what_is_due_sooner_overtakes_a_sweep_that_waits_for_the_line_and_is_not_swept_by_it() -> None:
    staging = Busy("notice", "clip")
    worker, said = staging_worker(staging)
    worker.order(replace(NOTICE, due=NEXT_WEEK))
    assert staging.begun() == "notice"
    assert_overtakes_a_sweep(staging, worker, said)


def test_a_warnings_recording_waits_for_no_routine_download() -> None:
    staging = Busy("notice")
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
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
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
    worker.order(CLIP)
    worker.order(replace(CLIP, urgent=True))
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)
    worker.order(replace(CLIP, key=ClipKey("last")))
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, "last"]
    assert staging.asked.count(CLIP.key) == 1


def test_a_routine_order_does_not_put_a_warnings_back_in_the_queue() -> None:
    staging = Busy("siren")
    worker, said = staging_worker(staging)
    worker.order(SIREN)
    assert staging.begun() == "siren"
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
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
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
    worker, said = staging_worker(staging)
    worker.order(words("text"))
    assert staging.begun() == "text"
    worker.order(words("text", urgent=True))
    worker.order(words("warning", urgent=True))
    assert said.get(timeout=PATIENCE_S).key == "warning"
    staging.let_go("text")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == ["text", "text"]


def reserved(staging: FakeStaging, after_s: float = LONG_AGO_S) -> tuple[StagingWorker, queue.Queue[Event]]:
    said: queue.Queue[Event] = queue.Queue()
    worker = StagingWorker(staging, said.put, reserve_after_s=after_s)
    worker.start()
    return worker, said


def test_servers_that_hold_back_other_warnings_keep_none_waiting_for_long() -> None:
    held = ["ward's", "another ward's"]
    staging = Busy(*held)
    worker, said = reserved(staging)
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
    worker, said = reserved(staging, PATIENCE_S)
    worker.order(replace(SIREN, key=ClipKey("ward's")))
    assert staging.begun() == "ward's"
    worker.order(SIREN)
    with pytest.raises(queue.Empty):
        staging.doing.get(timeout=4 * LONG_AGO_S)
    staging.let_go("ward's")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == ["ward's", SIREN.key]


def test_no_routine_download_is_begun_in_a_reserve_of_warnings() -> None:
    staging = Busy("notice")
    worker, said = reserved(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
    worker.order(CLIP)
    with pytest.raises(queue.Empty):
        staging.doing.get(timeout=4 * LONG_AGO_S)
    staging.let_go("notice")
    assert [said.get(timeout=PATIENCE_S).key for _ in range(2)] == [NOTICE.key, CLIP.key]


def test_a_warning_that_is_ordered_again_while_it_is_fetched_is_fetched_by_one() -> None:
    staging = Busy("siren")
    worker, said = reserved(staging)
    worker.order(SIREN)
    assert staging.begun() == "siren"
    worker.order(SIREN)
    with pytest.raises(queue.Empty):
        staging.doing.get(timeout=4 * LONG_AGO_S)
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
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
    worker.order(NOTICE_NOW)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(NOTICE.key, 7_200_000)
    staging.let_go("notice")
    worker.order(CLIP)
    assert said.get(timeout=PATIENCE_S) == ClipStaged(CLIP.key, CLIP.duration_ms)


def test_a_fetch_that_ends_while_a_warnings_is_under_way_says_nothing_before_that_does() -> None:
    staging = Fetching("notice", "urgent notice")
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
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
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
    worker.order(NOTICE_NOW)
    assert said.get(timeout=PATIENCE_S) == ClipFailed(NOTICE.key, Reason.AUDIO_UNREACHABLE, again=True)
    staging.unreachable.clear()
    staging.let_go("notice")
    assert said.get(timeout=PATIENCE_S) == ClipFetched(NOTICE.key)


def test_nothing_is_swept_while_either_of_two_that_fetch_the_same_sound_is_under_way() -> None:
    staging = Fetching("notice", "urgent notice")
    worker, said = staging_worker(staging)
    worker.order(NOTICE)
    assert staging.begun() == "notice"
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


def test_a_sweep_is_never_beside_a_download_and_nothing_that_came_later_overtakes_it() -> None:
    """It would take away what has begun since its ``keep`` was drawn up; what is ready sooner it is told to spare."""
    staging = Busy("siren", "sweep")
    worker, said = staging_worker(staging)
    worker.order(SIREN)
    assert staging.begun() == "siren"
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
