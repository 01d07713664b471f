"""What stages sound for the agent (``fetch_and_stage.Staging``): the fake, and the real download, decoder and voice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from edge_agent.audio.loudness import levelling
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage, Staging
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from tests.audio.making import needs_decoder, needs_voice, sine
from tests.fakes.staging import FakeStaging
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock

LENGTH_MS = 1_500
CACHE_BYTES = 50_000_000
WORDS = SpeakText(ClipKey("ee" * 32), "vi", "Nước đang lên, bà con đến nơi cao.")


class Rig(Protocol):
    staging: Staging
    order: FetchClip

    def reach(self, able: bool) -> None:
        """Whether the content server can be reached."""


class FakeRig:
    def __init__(self) -> None:
        self.fake = FakeStaging()
        self.staging: Staging = self.fake
        self.order = FetchClip(ClipKey("ab" * 32), 20_000, LENGTH_MS, ("https://content.test/a",))

    def reach(self, able: bool) -> None:
        (self.fake.unreachable.discard if able else self.fake.unreachable.add)(self.order.key)


class RealRig:
    def __init__(self, directory: Path, content: Content) -> None:
        self._content = content
        store = PcmStore(directory / "pcm")
        stager = Stager(store, levelling(Sandbox(), store.scratch), EspeakVoice(Sandbox()), 48_000)
        fetcher = HttpsFetcher(directory / "originals", Trust(content.authority.path, host_clock))
        self.staging: Staging = FetchAndStage(fetcher, stager, CACHE_BYTES)
        audio = sine(directory / "a.mp3", LENGTH_MS / 1_000).read_bytes()
        key = ClipKey(hashlib.sha256(audio).hexdigest())
        self.order = FetchClip(key, len(audio), LENGTH_MS, (content.put("a", audio),))

    def reach(self, able: bool) -> None:
        self._content.manners = Manners.HONEST if able else Manners.GONE


@pytest.fixture(params=["fake", pytest.param("real", marks=[pytest.mark.host, needs_decoder, needs_voice])])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    with running_content(tmp_path) as content:
        yield RealRig(tmp_path, content)


def staged(answer: ClipStaged | ClipFailed) -> ClipStaged:
    assert isinstance(answer, ClipStaged), answer
    return answer


def test_a_clip_is_staged_under_its_key_and_as_long_as_it_was_signed(rig: Rig) -> None:
    answer = staged(rig.staging.clip(rig.order))
    assert answer.key == rig.order.key
    assert abs(answer.duration_ms - LENGTH_MS) <= 100  # an encoder's own silence


def test_what_lies_here_is_at_hand_although_no_server_can_be_reached(rig: Rig) -> None:
    assert rig.staging.at_hand(rig.order) is None
    first = staged(rig.staging.clip(rig.order))
    rig.reach(False)
    assert rig.staging.at_hand(rig.order) == first


def test_what_cannot_be_fetched_now_is_named_and_staged_later(rig: Rig) -> None:
    rig.reach(False)
    failed = rig.staging.clip(rig.order)
    assert isinstance(failed, ClipFailed)
    assert (failed.key, failed.reason, failed.again) == (rig.order.key, Reason.AUDIO_UNREACHABLE, True)
    rig.reach(True)
    assert staged(rig.staging.clip(rig.order)).key == rig.order.key


def test_what_is_fetched_ahead_becomes_sound_without_a_network(rig: Rig) -> None:
    ahead = FetchAhead(rig.order.key, rig.order.length_bytes, rig.order.urls)
    rig.reach(False)
    assert isinstance(rig.staging.original(ahead), ClipFailed)
    rig.reach(True)
    assert rig.staging.original(ahead) == ClipFetched(rig.order.key)
    rig.reach(False)
    assert staged(rig.staging.clip(rig.order)).key == rig.order.key


def test_words_are_spoken_without_a_network(rig: Rig) -> None:
    rig.reach(False)
    answer = staged(rig.staging.text(WORDS))
    assert answer.key == WORDS.key
    assert answer.duration_ms > 1_000


def test_staging_twice_is_staging_once_and_a_sweep_keeps_what_is_needed(rig: Rig) -> None:
    first = staged(rig.staging.clip(rig.order))
    rig.staging.sweep(frozenset({rig.order.key}))
    assert rig.staging.clip(rig.order) == first
