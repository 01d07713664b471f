"""Staging as it really is, but for network, decoder and voice: every failure is an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio import signals
from edge_agent.audio.clip import Clip, ClipUnusable
from edge_agent.audio.confined import Trouble
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.programme import ATTENTION, OPENING
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.fetcher import FakeFetcher, FakeServer

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

LINGERS_S = 0.3
TEXT = SpeakText(ClipKey("text"), "vi", "Nước đang lên.")


class FullCard(PcmStore):
    """A store whose card has gone read-only."""

    def evict_to(self, bytes_max: int, keep: Container[ClipKey]) -> tuple[ClipKey, ...]:
        raise OSError("[Errno 30] Read-only file system")


def fetch_and_stage(tmp_path: Path, server: FakeServer, store: PcmStore, bytes_max: int = 10**9) -> FetchAndStage:
    stager = Stager(store, PlainDecoder(), PlainVoice(), 48_000)
    return FetchAndStage(FakeFetcher(tmp_path / "originals", server), stager, bytes_max)


def clip_on(server: FakeServer, url: str, content: bytes) -> FetchClip:
    return FetchClip(server.put(url, content), len(content), 10_000, (url,))


def test_a_clip_is_fetched_then_staged(tmp_path: Path) -> None:
    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staged = fetch_and_stage(tmp_path, server, store).clip(order)
    assert staged == ClipStaged(order.key, 100)
    with store.open(order.key) as clip:
        assert clip.duration_ms == 100


def test_a_server_that_does_not_answer_is_named_and_nothing_is_staged(tmp_path: Path) -> None:
    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    server.files.clear()
    failed = fetch_and_stage(tmp_path, server, store).clip(order)
    assert isinstance(failed, ClipFailed)
    assert (failed.key, failed.reason, failed.again) == (order.key, Reason.AUDIO_UNREACHABLE, True)
    assert store.sizes() == {}


def test_words_are_staged_under_their_key(tmp_path: Path) -> None:
    store = PcmStore(tmp_path / "audio")
    staged = fetch_and_stage(tmp_path, FakeServer(), store).text(TEXT)
    assert isinstance(staged, ClipStaged)
    assert list(store.sizes()) == [TEXT.key]


def test_a_rotten_attention_signal_is_made_anew_before_the_next_emergency(tmp_path: Path) -> None:
    store = PcmStore(tmp_path / "audio")
    staging = fetch_and_stage(tmp_path, FakeServer(), store)
    staging.text(TEXT)
    rot(tmp_path / "audio", ATTENTION)
    assert not whole(store, ATTENTION)
    staging.text(TEXT)
    assert whole(store, ATTENTION)


def test_only_what_a_warning_needs_is_fetched_before_all_else(tmp_path: Path) -> None:
    server = FakeServer()
    clips = [clip_on(server, f"https://content.test/{name}", name.encode() * 4_800) for name in "abcd"]
    fetcher = FakeFetcher(tmp_path / "originals", server)
    stager = Stager(PcmStore(tmp_path / "audio"), PlainDecoder(), PlainVoice(), 48_000)
    staging = FetchAndStage(fetcher, stager, 10**9)
    for clip, urgent in zip(clips[:2], (False, True), strict=True):
        staging.clip(replace(clip, urgent=urgent))
    for clip, urgent in zip(clips[2:], (False, True), strict=True):
        staging.original(FetchAhead(clip.key, clip.length_bytes, clip.urls, urgent))
    assert fetcher.urgent == [clips[1].key, clips[3].key]


def rot(store: Path, key: ClipKey) -> None:
    (pcm,) = store.rglob(f"{key}.pcm")
    pcm.write_bytes(bytes(pcm.stat().st_size))


def whole(store: PcmStore, key: ClipKey) -> bool:
    try:
        with store.open(key) as clip:
            clip.verify()
    except ClipUnusable:
        return False
    return True


@pytest.mark.parametrize("key", [ATTENTION, OPENING])
def test_a_ward_that_plays_recordings_alone_has_its_rotten_signals_made_anew(tmp_path: Path, key: ClipKey) -> None:
    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging = fetch_and_stage(tmp_path, server, store)
    staging.clip(order)
    assert whole(store, key)
    rot(tmp_path / "audio", key)
    assert not whole(store, key)
    staging.clip(order)
    assert whole(store, key)


def test_a_ward_whose_sound_all_lies_there_has_its_rotten_chime_made_anew_within_a_day(tmp_path: Path) -> None:
    store = PcmStore(tmp_path / "audio")
    staging = fetch_and_stage(tmp_path, FakeServer(), store)
    staging.text(TEXT)
    rot(tmp_path / "audio", OPENING)
    staging.sweep(frozenset({TEXT.key}))
    assert whole(store, OPENING)


def test_signals_that_cannot_be_made_keep_no_sound_from_being_staged_and_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(rate: int) -> bytes:
        raise OSError(28, "No space left on device")

    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    for key in (ATTENTION, OPENING):
        monkeypatch.setitem(signals.SIGNALS, key, refuse)
    assert fetch_and_stage(tmp_path, server, store).clip(order) == ClipStaged(order.key, 100)
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith(f"signals not made {ATTENTION}=cache_full {OPENING}=cache_full ")


def test_two_threads_that_stage_make_a_signal_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side the one would take away what the other has just put there, under a player's hands."""
    inside, most = [0], [0]
    ensure = Stager.ensure_pinned

    def counted_in(stager: Stager) -> tuple[ClipStaged | ClipFailed, ...]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            return ensure(stager)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(Stager, "ensure_pinned", counted_in)
    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging = fetch_and_stage(tmp_path, server, store)
    makers = [partial(staging.clip, order), partial(staging.text, TEXT)] * 5
    with ThreadPoolExecutor(2) as threads:
        answers: list[Future[ClipStaged | ClipFailed]] = [threads.submit(make) for make in makers]
    assert all(isinstance(answer.result(), ClipStaged) for answer in answers)
    assert most == [1]


def test_a_sweep_takes_what_nobody_needs(tmp_path: Path) -> None:
    server, store = FakeServer(), PcmStore(tmp_path / "audio")
    needed = clip_on(server, "https://content.test/a", bytes(9_600))
    other = clip_on(server, "https://content.test/b", bytes(9_602))
    staging = fetch_and_stage(tmp_path, server, store)
    staging.clip(needed)
    staging.clip(other)
    fetch_and_stage(tmp_path, server, store, bytes_max=0).sweep(frozenset({needed.key}))
    assert list(store.sizes()) == [needed.key]
    assert originals(tmp_path) == {needed.key}


class SlowVoice(PlainVoice):
    """Two that speak at once would meet here."""

    def __init__(self) -> None:
        super().__init__()
        self.spoke: list[str] = []

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        self.spoke.append(text)
        time.sleep(LINGERS_S)
        return super().speak(language, text, wav)


class Asking(PlainVoice):
    """Asks something while it speaks."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        super().__init__()
        self._ask = ask
        self.heard: list[bool] = []

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        self.heard.append(self._ask())
        return super().speak(language, text, wav)


def test_words_are_being_made_until_they_lie_there(tmp_path: Path) -> None:
    voice = Asking(lambda: staging.makes(TEXT.key))
    stager = Stager(PcmStore(tmp_path / "audio"), PlainDecoder(), voice, 48_000)
    staging = FetchAndStage(FakeFetcher(tmp_path / "originals", FakeServer()), stager, 10**9)
    staging.text(TEXT)
    assert (voice.heard, staging.makes(TEXT.key)) == ([True], False)


def test_two_threads_that_need_the_same_sound_make_it_once(tmp_path: Path) -> None:
    """A warning's words beside a routine text, of the same recorded sentence or the same signal."""
    voice, store = SlowVoice(), PcmStore(tmp_path / "audio")
    stager = Stager(store, PlainDecoder(), voice, 48_000)
    with ThreadPoolExecutor(4) as threads:
        stagings = [threads.submit(stager.stage_text, TEXT.key, "vi", TEXT.text) for _ in range(4)]
    assert [type(staging.result()) for staging in stagings] == [ClipStaged] * 4
    assert voice.spoke == [TEXT.text]


def originals(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "originals").iterdir()}


def counted(tmp_path: Path, server: FakeServer, bytes_max: int = 10**9) -> tuple[FetchAndStage, PcmStore, PlainDecoder]:
    """As a process has it that has just been started: nothing is remembered but what lies on the card."""
    decoder, store = PlainDecoder(), PcmStore(tmp_path / "audio")
    stager = Stager(store, decoder, PlainVoice(), 48_000)
    return FetchAndStage(FakeFetcher(tmp_path / "originals", server), stager, bytes_max), store, decoder


def test_what_is_fetched_ahead_is_no_sound_yet_and_becomes_one_without_a_network(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, store, decoder = counted(tmp_path, server)
    assert staging.original(FetchAhead(order.key, order.length_bytes, order.urls)) == ClipFetched(order.key)
    assert (store.sizes(), len(decoder.seen), originals(tmp_path)) == ({}, 0, {order.key})
    server.down = True
    assert staging.clip(order) == ClipStaged(order.key, 100)
    assert len(server.asked) == 1


def test_what_does_not_lie_here_is_not_at_hand_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, store, _ = counted(tmp_path, server)
    assert staging.at_hand(order) is staging.at_hand(FetchAhead(order.key, order.length_bytes, order.urls)) is None
    assert (store.sizes(), server.asked) == ({}, [])


def test_an_original_that_lies_here_is_at_hand_and_so_is_what_is_made_of_it(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    ahead = FetchAhead(order.key, order.length_bytes, order.urls)
    counted(tmp_path, server)[0].original(ahead)
    staging, store, decoder = counted(tmp_path, server)
    assert staging.at_hand(ahead) == ClipFetched(order.key)
    assert [staging.at_hand(order) for _ in range(2)] == [ClipStaged(order.key, 100)] * 2
    assert (list(store.sizes()), len(decoder.seen), len(server.asked)) == ([order.key], 1, 1)


def test_sound_that_lies_staged_is_at_hand_without_its_original(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    first = counted(tmp_path, server)[0].clip(order)
    (tmp_path / "originals" / order.key).unlink()
    staging, _, decoder = counted(tmp_path, server)
    assert (staging.at_hand(order), len(decoder.seen)) == (first, 0)


def test_what_cannot_be_fetched_ahead_is_named(tmp_path: Path) -> None:
    server = FakeServer(down=True)
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, _, _ = counted(tmp_path, server)
    failed = staging.original(FetchAhead(order.key, order.length_bytes, order.urls))
    assert failed == ClipFailed(order.key, Reason.AUDIO_UNREACHABLE, True, "no answer")


def test_what_came_in_vain_is_told_of_an_original_and_of_a_sound(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    server.put("https://content.test/a", bytes(9_500))
    staging, _, _ = counted(tmp_path, server)
    for failed in (
        staging.original(FetchAhead(order.key, order.length_bytes, order.urls)),
        staging.clip(order),
    ):
        assert isinstance(failed, ClipFailed)
        assert (failed.reason, failed.came_bytes) == (Reason.AUDIO_ALTERED, 9_500)


def test_what_came_is_told_of_what_is_here_too_and_what_lay_here_has_cost_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    order = replace(clip_on(server, "https://content.test/b", bytes(9_600)), urls=("a", "https://content.test/b"))
    server.put("a", bytes(9_500))
    staging, _, _ = counted(tmp_path, server)
    fetched = staging.original(FetchAhead(order.key, order.length_bytes, order.urls))
    staged = staging.clip(order)
    assert isinstance(fetched, ClipFetched)
    assert isinstance(staged, ClipStaged)
    assert (fetched.came_bytes, staged.came_bytes) == (9_500 + 9_600, 0)


def test_after_a_restart_what_lies_there_is_found_without_a_network_and_without_decoding(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    first = counted(tmp_path, server)[0].clip(order)
    server.down = True
    staging, _, decoder = counted(tmp_path, server)
    assert staging.original(FetchAhead(order.key, order.length_bytes, order.urls)) == ClipFetched(order.key)
    assert staging.clip(order) == first == ClipStaged(order.key, 100)
    assert (len(decoder.seen), len(server.asked)) == (0, 1)


def test_sound_that_lies_there_needs_its_original_no_more(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, _, _ = counted(tmp_path, server)
    first = staging.clip(order)
    (tmp_path / "originals" / order.key).unlink()
    server.down = True
    assert staging.clip(order) == first


class DeadCard(PcmStore):
    """A store whose card gives nothing back."""

    def open(self, key: ClipKey) -> Clip:
        raise OSError("[Errno 5] Input/output error")


def test_a_card_that_gives_nothing_back_is_an_answer_too(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging = fetch_and_stage(tmp_path, server, DeadCard(tmp_path / "audio"))
    assert staging.at_hand(order) is None
    failed = staging.clip(order)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREADABLE, True)


def test_altered_sound_is_made_anew_of_the_original_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, store, decoder = counted(tmp_path, server)
    staging.clip(order)
    (pcm,) = (tmp_path / "audio").rglob(f"{order.key}.pcm")
    pcm.write_bytes(b"\1" * 9_600)
    server.down = True
    assert staging.clip(order) == ClipStaged(order.key, 100)
    assert (len(decoder.seen), len(server.asked)) == (2, 1)
    with store.open(order.key) as clip:
        assert clip.read(0, clip.frames) == bytes(9_600)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"\1" * 9_600), Path.unlink], ids=["altered", "gone"])
def test_only_an_original_that_is_bad_or_gone_is_fetched_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    server = FakeServer()
    order = clip_on(server, "https://content.test/a", bytes(9_600))
    staging, store, _ = counted(tmp_path, server)
    ahead = FetchAhead(order.key, order.length_bytes, order.urls)
    staging.original(ahead)
    spoil(tmp_path / "originals" / order.key)
    assert staging.at_hand(order) is None
    server.down = True
    failed = staging.clip(order)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, store.sizes()) == (Reason.AUDIO_UNREACHABLE, {})
    server.down = False
    assert staging.clip(order) == ClipStaged(order.key, 100)


def test_a_card_that_cannot_be_swept_ends_nothing(tmp_path: Path) -> None:
    staging = fetch_and_stage(tmp_path, FakeServer(), FullCard(tmp_path / "audio"))
    staging.sweep(frozenset())
