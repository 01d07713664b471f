"""Room for sound: what goes for a warning's and for a programme's, the longest unused first, and what stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.speech import TEXT_CHARS_MAX
from edge_agent.core.effects import FetchClip
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.programme import DURATION_TOLERANCE_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage
from edge_agent.free_space import CLIP_FREE_BYTES_MIN, FETCH_FREE_BYTES_MIN, TEXT_FREE_BYTES_MIN
from tests.fakes.fetcher import FakeServer
from tests.test_fetch_and_stage import TEXT, clip_on, counted, fetch_and_stage, originals

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


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


def had(staging: FetchAndStage, order: FetchClip) -> ClipStaged | ClipFailed:
    """As it comes to the threads: first what lies here, then the line."""
    found = staging.at_hand(order)
    assert not isinstance(found, ClipFetched)
    return found or staging.clip(order)


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
    assert isinstance(had(staging, clip), ClipStaged)
    store.beside_bytes = TEXT_FREE_BYTES_MIN
    assert isinstance(staging.text(TEXT), ClipFailed)
    assert set(store.sizes()) == {clip.key}


def test_nor_does_it_where_that_lay_there(tmp_path: Path) -> None:
    server = FakeServer()
    clip = clip_on(server, "https://content.test/a", bytes(9_600))
    with_free(tmp_path, 10**9, server)[0].clip(clip)
    staging, store = with_free(tmp_path, TEXT_FREE_BYTES_MIN, server)
    assert isinstance(staging.at_hand(clip), ClipStaged)
    assert isinstance(staging.text(TEXT), ClipFailed)
    assert set(store.sizes()) == {clip.key}


def hundred_ms(server: FakeServer, name: str, *keep: FetchClip) -> FetchClip:
    order = replace(clip_on(server, f"https://x/{name}", name.encode() * 9_600), duration_ms=100)
    return replace(order, keep=frozenset(one.key for one in keep))


def test_a_download_that_has_waited_takes_nothing_that_was_at_hand_meanwhile(tmp_path: Path) -> None:
    """The core takes that for ready; the download's order is older and does not name it."""
    server = FakeServer()
    waits = hundred_ms(server, "w")
    bulletin = hundred_ms(server, "b", waits)
    fetch_and_stage(tmp_path, server, PcmStore(tmp_path / "audio")).clip(bulletin)
    staging, store, _ = counted(tmp_path, server, bytes_max=9_600)
    assert staging.at_hand(waits) is None
    assert isinstance(staging.at_hand(bulletin), ClipStaged)
    assert isinstance(staging.clip(waits), ClipStaged)
    assert set(store.sizes()) == {bulletin.key, waits.key}


def test_what_a_download_kept_and_the_core_has_let_go_since_makes_room(tmp_path: Path) -> None:
    """Most sounds are made of what lies here: the last download may have been weeks ago."""
    server = FakeServer()
    old = hundred_ms(server, "o")
    fetched, new = hundred_ms(server, "f", old), hundred_ms(server, "n")
    staging, store, _ = counted(tmp_path, server, bytes_max=2 * 9_600)
    for order in (old, fetched, new):
        assert isinstance(had(staging, order), ClipStaged)
    assert set(store.sizes()) == {fetched.key, new.key}


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
