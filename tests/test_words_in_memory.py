"""Where a warning's words lie when the card does not take them: in memory, bounded, and until nobody needs them."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.clip import Shelf
from edge_agent.audio.decoder import Trouble
from edge_agent.audio.pcm_store import PcmStore, PcmWriter
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage
from edge_agent.free_space import TEXT_FREE_BYTES_MIN
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.fetcher import FakeFetcher, FakeServer
from tests.test_fetch_and_stage import TEXT, SmallCard, rot


class ReadOnlyCard(PcmStore):
    """A store whose card takes nothing any more; what lies there is read."""

    def writer(self, key: ClipKey, rate: int, *, pinned: bool = False, stamp: str = "") -> PcmWriter:
        raise OSError(errno.EROFS, "Read-only file system")


def with_memory(
    tmp_path: Path, card: PcmStore, memory_free_bytes_min: int = 0
) -> tuple[FetchAndStage, PcmStore, CountedVoice]:
    memory, voice = PcmStore(tmp_path / "words"), CountedVoice()
    beside = Stager(memory, PlainDecoder(), voice, 48_000, text_free_bytes_min=memory_free_bytes_min)
    stager = Stager(card, PlainDecoder(), PlainVoice(), 48_000)
    fetcher = FakeFetcher(tmp_path / "originals", FakeServer())
    return FetchAndStage(fetcher, stager, 10**9, beside), memory, voice


class CountedVoice(PlainVoice):
    """Counts what it is told to say."""

    said = 0

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        self.said += 1
        return super().speak(language, text, wav)


WARNING = replace(TEXT, urgent=True)


def test_the_words_of_a_warning_sound_although_the_card_has_gone_read_only(tmp_path: Path) -> None:
    staging, _, voice = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    for _ in range(2):
        assert isinstance(staging.text(WARNING), ClipStaged)
    assert voice.said == 1, "what lies in memory is made once"
    with Shelf(tmp_path / "audio", tmp_path / "words").open(WARNING.key) as clip:
        clip.verify()


def test_a_rotten_copy_on_a_card_that_takes_no_new_one_is_not_what_is_heard(tmp_path: Path) -> None:
    stager = Stager(PcmStore(tmp_path / "audio"), PlainDecoder(), PlainVoice(), 48_000)
    stager.stage_text(WARNING.key, WARNING.language, WARNING.text)
    rot(tmp_path / "audio", WARNING.key)
    staging, _, _ = with_memory(tmp_path, ReadOnlyCard(tmp_path / "audio"))
    assert isinstance(staging.text(WARNING), ClipStaged)
    with Shelf(tmp_path / "audio", tmp_path / "words").open(WARNING.key) as clip:
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
    monkeypatch.setattr("edge_agent.fetch_and_stage.MEMORY_BYTES_MAX", 0)
    for name, keep in (("old", ()), ("needed", ()), ("new", ("needed",))):
        staging.text(replace(WARNING, key=ClipKey(name), keep=frozenset(map(ClipKey, keep))))
    assert list(memory.sizes()) == ["needed", "new"]
