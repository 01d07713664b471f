"""Staging as it really is, but for network, decoder and voice: every failure is an answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio import signals
from edge_agent.audio.confined import Trouble
from edge_agent.audio.pcm_store import Clip, ClipUnusable, PcmStore
from edge_agent.audio.speech import TEXT_CHARS_MAX
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.programme import ATTENTION, DURATION_TOLERANCE_MS, OPENING
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage
from edge_agent.free_space import CLIP_FREE_BYTES_MIN, FETCH_FREE_BYTES_MIN, TEXT_FREE_BYTES_MIN
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
    failed = fetch_and_stage(tmp_path, server, DeadCard(tmp_path / "audio")).clip(order)
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
    server.down = True
    failed = staging.clip(order)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, store.sizes()) == (Reason.AUDIO_UNREACHABLE, {})
    server.down = False
    assert staging.clip(order) == ClipStaged(order.key, 100)


def test_room_is_made_of_what_the_core_does_not_keep_the_longest_unused_first_and_only_if_it_must(
    tmp_path: Path,
) -> None:
    server = FakeServer()
    orders = [clip_on(server, f"https://content.test/{n}", bytes([n]) * 9_600) for n in range(5)]
    orders = [replace(order, duration_ms=100) for order in orders]
    staging, store, _ = counted(tmp_path, server, bytes_max=3 * 9_600)
    for order in orders[:3]:
        staging.clip(replace(order, keep=frozenset(one.key for one in orders[:3])))
    assert len(store.sizes()) == 3
    keep = frozenset({orders[0].key, orders[3].key})
    staging.clip(replace(orders[3], keep=keep))
    assert set(store.sizes()) == {orders[0].key, orders[2].key, orders[3].key}
    staging.clip(replace(orders[2], keep=keep))
    assert set(store.sizes()) == {orders[0].key, orders[2].key, orders[3].key}, "it lay there"
    staging.clip(replace(orders[4], keep=frozenset(order.key for order in orders)))
    assert len(store.sizes()) == 4, "what is kept is kept"


def test_what_a_warning_overtook_does_not_take_its_sound_away(tmp_path: Path) -> None:
    """A routine download that began before the warning came knows nothing of it when it makes room for itself."""
    server = FakeServer()
    siren, notice = (replace(clip_on(server, f"https://x/{n}", bytes([n]) * 9_600), duration_ms=100) for n in (1, 2))
    staging, store, _ = counted(tmp_path, server, bytes_max=9_600)
    staging.spare(siren.key)
    staging.clip(siren)
    staging.clip(notice)
    assert set(store.sizes()) == {siren.key, notice.key}
    staging.sweep(frozenset({notice.key}))
    assert set(store.sizes()) == originals(tmp_path) == {siren.key, notice.key}
    staging.sweep(frozenset({notice.key}))
    assert (set(store.sizes()), originals(tmp_path)) == ({notice.key}, {notice.key}), "the next one knows"


class Meanwhile(PcmStore):
    """While it lets the first clip go, something else happens."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def remove(self, key: ClipKey) -> None:
        super().remove(key)
        self.then()


@pytest.mark.parametrize("why", ["sweep", "room"])
def test_a_warning_that_comes_while_old_sound_goes_finds_its_own_that_lies_there(tmp_path: Path, why: str) -> None:
    """It would have to be fetched anew, from a server that may be gone. Hundreds of files take a slow card a while."""
    server, store = FakeServer(), Meanwhile(tmp_path / "audio")
    old, siren, new = (
        replace(clip_on(server, f"https://x/{n}", bytes([n]) * 9_600), duration_ms=100) for n in (1, 2, 3)
    )
    earlier = fetch_and_stage(tmp_path, server, store)
    earlier.clip(siren)
    earlier.clip(old)
    os.utime(tmp_path / "audio" / "pcm" / f"{old.key}.blocks", (0, 0))
    staging = fetch_and_stage(tmp_path, server, store, bytes_max=0)
    store.then = partial(staging.spare, siren.key)
    if why == "sweep":
        staging.sweep(frozenset())
        assert originals(tmp_path) == {siren.key}
    else:
        staging.clip(new)
    assert siren.key in store.sizes()
    assert old.key not in store.sizes()


# -- a full card -------------------------------------------------------------------------------------------------------


class SmallCard(PcmStore):
    """A card on which so many bytes are free for all that lies in the store."""

    beside_bytes = 0

    def free_bytes(self) -> int:
        return self.beside_bytes - sum(self.sizes().values())


def with_free(tmp_path: Path, free_bytes: int, server: FakeServer | None = None) -> tuple[FetchAndStage, SmallCard]:
    store = SmallCard(tmp_path / "audio")
    store.beside_bytes = free_bytes
    return fetch_and_stage(tmp_path, server or FakeServer(), store), store


def lay(store: SmallCard, name: str, size: int = 9_600) -> ClipKey:
    """Sound of earlier days, for which the card had to have more room."""
    key = ClipKey(name)
    with store.writer(key, 48_000) as writer:
        writer.feed(bytes(size))
        writer.commit()
    store.beside_bytes += size
    return key


@pytest.mark.parametrize("free_bytes", [FETCH_FREE_BYTES_MIN, CLIP_FREE_BYTES_MIN])
def test_what_downloads_and_recordings_leave_is_enough_for_the_longest_warning(tmp_path: Path, free_bytes: int) -> None:
    staging, _ = with_free(tmp_path, free_bytes)
    assert isinstance(staging.text(replace(TEXT, text="Lũ! " * (TEXT_CHARS_MAX // 4))), ClipStaged)


def test_a_short_warning_needs_a_short_ones_room(tmp_path: Path) -> None:
    staging, _ = with_free(tmp_path, TEXT_FREE_BYTES_MIN + 10_000_000)
    assert isinstance(staging.text(TEXT), ClipStaged)


def test_old_sound_that_nobody_needs_makes_room_for_a_warning_the_longest_unused_first(tmp_path: Path) -> None:
    staging, store = with_free(tmp_path, TEXT_FREE_BYTES_MIN)
    lay(store, "old", 4_000_000)
    kept = lay(store, "kept")
    lay(store, "newer", 4_000_000)
    newest = lay(store, "newest")
    assert isinstance(staging.text(replace(TEXT, keep=frozenset({kept}))), ClipStaged)
    assert set(store.sizes()) == {kept, newest, TEXT.key}


def test_what_another_programme_needs_goes_for_no_warning_and_the_card_is_named(tmp_path: Path) -> None:
    staging, store = with_free(tmp_path, TEXT_FREE_BYTES_MIN)
    kept = lay(store, "kept", 9_000_000)
    failed = staging.text(replace(TEXT, keep=frozenset({kept})))
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again, set(store.sizes())) == (Reason.CACHE_FULL, True, {kept})


def test_a_warning_that_has_waited_takes_nothing_that_was_made_ready_meanwhile(tmp_path: Path) -> None:
    """The core takes that for ready; the words' order is older and does not name it."""
    server = FakeServer()
    staging, store = with_free(tmp_path, 10**9, server)
    clip = clip_on(server, "https://content.test/a", bytes(9_600))
    assert isinstance(staging.clip(clip), ClipStaged)
    store.beside_bytes = TEXT_FREE_BYTES_MIN
    assert isinstance(staging.text(TEXT), ClipFailed)
    assert set(store.sizes()) == {clip.key}


def test_nor_does_it_where_that_lay_there(tmp_path: Path) -> None:
    server = FakeServer()
    clip = clip_on(server, "https://content.test/a", bytes(9_600))
    with_free(tmp_path, 10**9, server)[0].clip(clip)
    staging, store = with_free(tmp_path, TEXT_FREE_BYTES_MIN, server)
    assert isinstance(staging.clip(clip), ClipStaged)
    assert isinstance(staging.text(TEXT), ClipFailed)
    assert set(store.sizes()) == {clip.key}


def test_a_recording_takes_the_room_of_what_nobody_needs_too_before_it_is_fetched(tmp_path: Path) -> None:
    server = FakeServer()
    staging, store = with_free(tmp_path, FETCH_FREE_BYTES_MIN - 1_000, server)
    lay(store, "old", 20_000)
    kept = lay(store, "kept", 20_000)
    order = replace(clip_on(server, "https://content.test/a", bytes(9_600)), keep=frozenset({kept}))
    assert isinstance(staging.clip(order), ClipStaged)
    assert set(store.sizes()) == {kept, order.key}


def test_room_is_made_for_as_much_more_than_was_signed_as_may_be_decoded(tmp_path: Path) -> None:
    server = FakeServer()
    long_ms = 30 * 60_000
    staging, store = with_free(tmp_path, CLIP_FREE_BYTES_MIN + 2 * long_ms * 96, server)
    lay(store, "old", 2 * DURATION_TOLERANCE_MS * 96)
    order = replace(clip_on(server, "https://content.test/a", bytes(9_600)), duration_ms=long_ms)
    assert isinstance(staging.clip(order), ClipStaged)
    assert set(store.sizes()) == {order.key}


def test_a_card_that_cannot_be_swept_ends_nothing(tmp_path: Path) -> None:
    staging = fetch_and_stage(tmp_path, FakeServer(), FullCard(tmp_path / "audio"))
    staging.sweep(frozenset())
