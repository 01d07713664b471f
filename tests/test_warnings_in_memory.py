"""Where a warning's sound lies when the card does not take it: in memory, bounded, and until nobody needs it."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.clip import FRAME_BYTES, Shelf
from edge_agent.audio.decoder import Trouble
from edge_agent.audio.pcm_store import PcmStore, PcmWriter
from edge_agent.audio.speech import speech_ms_max
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import FetchClip
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import MEMORY_BYTES_MAX, FetchAndStage, Memory
from edge_agent.free_space import TEXT_FREE_BYTES_MIN
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.fetcher import FakeFetcher, FakeServer
from tests.test_fetch_and_stage import TEXT, rot
from tests.test_making_room import SmallCard


class ReadOnlyCard(PcmStore):
    """A store whose card takes nothing any more; what lies there is read."""

    def writer(self, key: ClipKey, rate: int, *, pinned: bool = False, stamp: str = "") -> PcmWriter:
        raise OSError(errno.EROFS, "Read-only file system")


def with_memory(
    tmp_path: Path, card: PcmStore, memory_free_bytes_min: int = 0, server: FakeServer | None = None
) -> tuple[FetchAndStage, PcmStore, CountedVoice]:
    memory, voice = PcmStore(tmp_path / "memory"), CountedVoice()
    beside = Stager(memory, PlainDecoder(), voice, 48_000, text_free_bytes_min=memory_free_bytes_min)
    stager = Stager(card, PlainDecoder(), PlainVoice(), 48_000)
    fetchers = [FakeFetcher(tmp_path / name, server or FakeServer(), disk) for name, disk in FETCHED]
    return FetchAndStage(fetchers[0], stager, 10**9, Memory(fetchers[1], beside)), memory, voice


class CountedVoice(PlainVoice):
    """Counts what it is told to say."""

    said = 0

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        self.said += 1
        return super().speak(language, text, wav)


FETCHED = (("originals", 0), ("beside", 10**9))
"""Where each fetcher writes, and how many bytes that takes: a card none."""
WARNING = replace(TEXT, urgent=True)


def test_the_words_of_a_warning_sound_although_the_card_has_gone_read_only(tmp_path: Path) -> None:
    staging, _, voice = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    for _ in range(2):
        assert isinstance(staging.text(WARNING), ClipStaged)
    assert voice.said == 1, "what lies in memory is made once"
    with Shelf(tmp_path / "audio", tmp_path / "memory").open(WARNING.key) as clip:
        clip.verify()


def test_a_rotten_copy_on_a_card_that_takes_no_new_one_is_not_what_is_heard(tmp_path: Path) -> None:
    stager = Stager(PcmStore(tmp_path / "audio"), PlainDecoder(), PlainVoice(), 48_000)
    stager.stage_text(WARNING.key, WARNING.language, WARNING.text)
    rot(tmp_path / "audio", WARNING.key)
    staging, _, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    assert isinstance(staging.text(WARNING), ClipStaged)
    with Shelf(tmp_path / "audio", tmp_path / "memory").open(WARNING.key) as clip:
        clip.verify()


def test_nor_does_a_full_card_silence_them(tmp_path: Path) -> None:
    card = SmallCard(tmp_path / "audio")
    card.beside_bytes = TEXT_FREE_BYTES_MIN
    staging, memory, _ = with_memory(tmp_path, card)
    assert isinstance(staging.text(WARNING), ClipStaged)
    assert list(memory.sizes()) == [WARNING.key]


def test_what_the_card_takes_is_in_no_memory_and_nor_is_an_ordinary_broadcast(tmp_path: Path) -> None:
    staging, memory, _ = with_memory(tmp_path, PcmStore(tmp_path / "audio"))
    assert isinstance(staging.text(WARNING), ClipStaged)
    staging, _, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "other"))
    assert isinstance(staging.text(TEXT), ClipFailed)
    assert memory.sizes() == {}


def test_where_memory_has_no_room_either_the_card_is_named(tmp_path: Path) -> None:
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"), memory_free_bytes_min=10**18)
    failed = staging.text(WARNING)
    assert isinstance(failed, ClipFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREADABLE, True)
    assert "Read-only file system" in failed.detail
    assert memory.sizes() == {}


def test_words_in_memory_go_when_no_warning_needs_them(tmp_path: Path) -> None:
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    for name in ("one", "two"):
        staging.text(replace(WARNING, key=ClipKey(name)))
    staging.sweep(frozenset({ClipKey("two")}))
    assert list(memory.sizes()) == ["two"]


def test_words_in_memory_are_bounded_and_those_that_are_needed_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    staging.text(replace(WARNING, key=ClipKey("old")))
    room_of_one = speech_ms_max(WARNING.text) * 48 * FRAME_BYTES
    monkeypatch.setattr("edge_agent.fetch_and_stage.MEMORY_BYTES_MAX", room_of_one + memory.sizes()[ClipKey("old")])
    kept: frozenset[ClipKey] = frozenset()
    told = []
    for name in ("needed", "new", "third", "needed"):
        told.append(staging.text(replace(WARNING, key=ClipKey(name), keep=kept)))
        kept |= {ClipKey(name)}
    assert [isinstance(one, ClipStaged) for one in told] == [True, True, False, True]
    assert set(memory.sizes()) == {"needed", "new"}


def recording(server: FakeServer) -> FetchClip:
    content = bytes(9_600)
    key = server.put("https://content.test/siren", content)
    return FetchClip(key, len(content), 100, ("https://content.test/siren",), urgent=True)


def test_a_warnings_recording_sounds_where_the_card_takes_none_and_its_original_goes(tmp_path: Path) -> None:
    server = FakeServer()
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"), server=server)
    siren = recording(server)
    assert staging.clip(siren) == ClipStaged(siren.key, 100, came_bytes=9_600)
    assert staging.at_hand(siren) == staging.clip(siren) == ClipStaged(siren.key, 100), "it lies there"
    assert (list(memory.sizes()), list((tmp_path / "beside").iterdir())) == ([siren.key], [])


def test_what_was_fetched_before_the_card_went_read_only_is_made_ready_from_there(tmp_path: Path) -> None:
    server = FakeServer()
    siren = recording(server)
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / siren.key).write_bytes(bytes(9_600))
    server.down = True
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"), server=server)
    assert staging.at_hand(siren) == staging.clip(siren) == ClipStaged(siren.key, 100)
    assert list(memory.sizes()) == [siren.key]


def test_a_recording_that_is_too_long_for_memory_is_refused_and_the_card_is_named(tmp_path: Path) -> None:
    server = FakeServer()
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"), server=server)
    failed = staging.clip(replace(recording(server), length_bytes=MEMORY_BYTES_MAX))
    assert isinstance(failed, ClipFailed)
    assert failed.reason is Reason.CACHE_FULL
    assert (server.asked, memory.sizes()) == ([], {})


def test_an_ordinary_recording_is_in_no_memory(tmp_path: Path) -> None:
    server = FakeServer()
    staging, memory, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"), server=server)
    assert isinstance(staging.clip(replace(recording(server), urgent=False)), ClipFailed)
    assert memory.sizes() == {}
