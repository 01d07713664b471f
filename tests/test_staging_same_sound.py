"""A warning's recording that a routine order has under way at a hostile mirror: the warning has its own servers asked.

Drills and prefetched sirens are the very bytes of a warning. All is real but decoder and voice: threads, TLS, the disk.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import Sink
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import FetchAhead, FetchClip
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage
from edge_agent.staging_worker import StagingWorker
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Patience, Trust
from edge_agent.sync.right_of_way import RightOfWay
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.staging import PATIENCE_S
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock
from tests.sync.test_right_of_way import until

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

AUDIO = bytes(range(256)) * 1_000
KEY = ClipKey(hashlib.sha256(AUDIO).hexdigest())
OTHER = AUDIO[::-1]
CUT_AT = 100_000
HOURS = Patience(stall_s=20_000, slack_s=20_000)
# Whoever waits for the mirror waits for longer than any test.
STALLS = [Manners.DRIPPING, Manners.STALLED, Manners.DRIPPING_HEAD]


@dataclass
class Bench:
    """A station with a mirror in an attacker's hands, and an honest server that only the warning names."""

    folder: Path
    mirror: Content
    honest: Content
    decoder: PlainDecoder

    def __post_init__(self) -> None:
        self.mirrored, self.url = self.mirror.put("clip", AUDIO), self.honest.put("clip", AUDIO)
        self.part = self.folder / "originals" / f"{KEY}.part"
        trust = Trust(self.mirror.authority.path, host_clock)
        fetcher = HttpsFetcher(self.folder / "originals", trust, HOURS, 0, RightOfWay(0, 0))
        stager = Stager(PcmStore(self.folder / "audio"), self.decoder, PlainVoice(), 48_000)
        self.said: queue.Queue[Event] = queue.Queue()
        self.worker = StagingWorker(FetchAndStage(fetcher, stager, 10**9), self.said.put)
        self.worker.start()

    def drill(self, manners: Manners) -> None:
        """Tomorrow's is fetched ahead, and the mirror lets it wait."""
        self.mirror.manners, self.mirror.cut_at = manners, CUT_AT
        self.worker.order(FetchAhead(KEY, len(AUDIO), (self.mirrored,)))
        until(lambda: bool(self.mirror.asked))

    def has(self, size: int) -> None:
        """Wait until so much has come."""
        until(lambda: self.part.exists() and self.part.stat().st_size >= size)

    def warn(self) -> None:
        """A warning needs the same sound now."""
        self.worker.order(FetchClip(KEY, len(AUDIO), 10_000, (self.url,), urgent=True))

    def next(self) -> Event:
        return self.said.get(timeout=PATIENCE_S)

    def staged(self) -> ClipStaged:
        event = self.next()
        assert isinstance(event, ClipStaged), event
        return event

    def ranges(self) -> list[str | None]:
        """What the honest server was asked for."""
        return [first for _, first in self.honest.asked]


@contextmanager
def bench(tmp_path: Path, decoder: PlainDecoder) -> Iterator[Bench]:
    for name in ("mirror", "honest"):
        (tmp_path / name).mkdir()
    with (
        running_content(tmp_path / "mirror") as mirror,
        running_content(tmp_path / "honest", mirror.authority) as honest,
    ):
        yield Bench(tmp_path, mirror, honest, decoder)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, PlainDecoder()) as made:
        yield made


@pytest.mark.parametrize("manners", STALLS)
def test_a_mirror_that_lets_a_drill_wait_for_hours_keeps_no_warning_of_the_same_sound_waiting(
    street: Bench, manners: Manners
) -> None:
    street.drill(manners)
    street.warn()
    assert street.staged().key == KEY
    assert (len(street.mirror.asked), len(street.honest.asked), street.mirror.gave_up) == (1, 1, 0)


def test_the_warning_goes_on_with_what_the_drill_has_of_it(street: Bench) -> None:
    street.drill(Manners.STALLED)
    street.has(CUT_AT)
    street.warn()
    street.staged()
    assert street.ranges() == [f"bytes={CUT_AT}-"]


def test_a_mirror_that_gave_the_drill_other_bytes_costs_the_warning_a_second_request_and_no_more(street: Bench) -> None:
    street.mirror.put("clip", b"!" + AUDIO[1:])
    street.drill(Manners.STALLED)
    street.has(CUT_AT)
    street.warn()
    street.staged()
    assert street.ranges() == [f"bytes={CUT_AT}-", None]


def test_the_drill_asks_for_nothing_more_and_what_has_become_ready_is_not_called_fetched_afterwards(
    street: Bench,
) -> None:
    """The core would take it for not yet made, in the moment of the warning."""
    street.drill(Manners.STALLED)
    street.has(CUT_AT)
    street.warn()
    street.staged()
    street.mirror.manners = Manners.HONEST
    other = ClipKey(hashlib.sha256(OTHER).hexdigest())
    street.worker.order(FetchAhead(other, len(OTHER), (street.mirror.put("other", OTHER),)))
    assert street.next() == ClipFetched(other)
    assert [path for path, _ in street.mirror.asked] == ["/clip", "/other"]


def test_a_warning_whose_own_server_is_gone_leaves_the_drill_where_it_was_and_has_what_that_brings(
    street: Bench,
) -> None:
    street.honest.manners = Manners.GONE
    street.drill(Manners.STALLED)
    street.has(CUT_AT)
    street.mirror.manners = Manners.HONEST
    street.warn()
    failed = street.next()
    assert isinstance(failed, ClipFailed)
    assert failed.reason is Reason.AUDIO_UNREACHABLE
    assert street.next() == ClipFetched(KEY)
    assert [first for _, first in street.mirror.asked] == [None, f"bytes={CUT_AT}-"]
    street.warn()
    street.staged()
    assert len(street.honest.asked) == 1


def test_a_mirror_cannot_spoil_what_a_warning_has_got_from_its_own_server_before_that_broke_off(street: Bench) -> None:
    """It would begin anew, or send other bytes, between any two tries of the warning."""
    street.honest.manners, street.honest.cut_at = Manners.TRUNCATED, 10_000
    street.drill(Manners.STALLED)
    street.has(CUT_AT)
    street.mirror.manners = Manners.NO_RANGES
    street.warn()
    failed = street.next()
    assert isinstance(failed, ClipFailed)
    got = street.part.stat().st_size
    assert got > CUT_AT
    other = ClipKey(hashlib.sha256(OTHER).hexdigest())
    street.worker.order(FetchAhead(other, len(OTHER), (street.mirror.put("other", OTHER),)))
    assert street.next() == ClipFetched(other), "the drill's is over, and the core has heard of that failure already"
    street.honest.manners = Manners.HONEST
    street.warn()
    street.staged()
    assert [path for path, _ in street.mirror.asked] == ["/clip", "/other"]
    assert street.ranges()[-1] == f"bytes={got}-"


class Slow(PlainDecoder):
    """Takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return super().decode(source, into, ms_max)


def test_what_is_decoded_already_is_waited_for_and_decoded_once_and_no_other_warning_waits_with_it(
    tmp_path: Path,
) -> None:
    """No server has a hand in that any more."""
    decoder = Slow()
    with bench(tmp_path, decoder) as street:
        street.worker.order(FetchClip(KEY, len(AUDIO), 10_000, (street.mirrored,)))
        assert decoder.begun.wait(PATIENCE_S)
        street.warn()
        other = ClipKey(hashlib.sha256(OTHER).hexdigest())
        street.worker.order(FetchAhead(other, len(OTHER), (street.honest.put("other", OTHER),), urgent=True))
        assert street.next() == ClipFetched(other)
        decoder.may_end.set()
        assert street.staged() == street.staged()
    assert ([path for path, _ in street.honest.asked], len(decoder.seen)) == (["/other"], 1)
