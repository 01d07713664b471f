"""A content server in the attacker's hands: wrong, endless, slow, truncated, swapped, redirecting; and bad networks."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.core.clips import TRY_BYTES
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, UtcMs
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.headend.pki import create_authority
from edge_agent.sync.dial import UNREAD_BYTES_MAX
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import PATIENCE, Patience, Trust
from edge_agent.sync.port import Fetched, FetchFailed
from tests.host.content import Content, Manners, running_content
from tests.host.proxy import running_proxy
from tests.sync.rigs import host_clock
from tests.sync.test_right_of_way import until

AUDIO = bytes(range(256)) * 1_000
KEY = ClipKey(hashlib.sha256(AUDIO).hexdigest())
SHORT = Patience(stall_s=0.5, slack_s=1.5, rate_bytes_s_min=10**9)
WORDS_BYTES, UNREAD_BYTES = 16_000, 2 * UNREAD_BYTES_MAX
# TLS and heads beside a file, and what the kernel takes in of an answer that is refused by its head.
GENEROUS_S = 30
# A fetch that ignores its own deadline of 1.5 s would take for ever; anything in between is a slow machine.


class Cache:
    """A server, a cache, and the bytes that are left of an interrupted download."""

    def __init__(self, directory: Path, content: Content) -> None:
        self.root = directory / "cache"
        self.content = content
        self.url = content.put("clip", AUDIO)
        self.part = self.root / f"{KEY}.part"

    def fetch(self, *urls: str, patience: Patience = PATIENCE, ca: Path | None = None) -> Fetched | FetchFailed:
        """With a new fetcher each time, as after a restart."""
        trust = Trust(ca or self.content.authority.path, host_clock)
        return HttpsFetcher(self.root, trust, patience).fetch(KEY, len(AUDIO), urls or (self.url,))

    def interrupted(self, content: bytes) -> None:
        """Leave what an earlier attempt left."""
        self.root.mkdir(exist_ok=True)
        self.part.write_bytes(content)

    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.content.asked]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with running_content(tmp_path) as content:
        yield Cache(tmp_path, content)


def failed(got: Fetched | FetchFailed) -> tuple[Reason, bool]:
    assert isinstance(got, FetchFailed)
    return got.reason, got.again


UNREACHABLE = (Reason.AUDIO_UNREACHABLE, True)
WRONG = (Reason.AUDIO_ALTERED, False)


def test_one_flipped_bit_is_altered_audio(cache: Cache) -> None:
    cache.content.manners = Manners.ALTERED
    assert failed(cache.fetch()) == WRONG
    assert list(cache.root.iterdir()) == []


def test_a_longer_file_is_refused_by_its_announced_length(cache: Cache) -> None:
    cache.content.manners = Manners.LONGER
    got = cache.fetch()
    assert failed(got) == WRONG
    assert isinstance(got, FetchFailed)
    assert got.detail == "256001 bytes instead of 256000"
    assert not (cache.root / KEY).exists()


def test_an_endless_body_is_cut_at_the_signed_length(cache: Cache) -> None:
    cache.content.manners = Manners.ENDLESS
    assert failed(cache.fetch()) == WRONG
    assert list(cache.root.iterdir()) == [cache.part]
    assert cache.part.stat().st_size == 0


@pytest.mark.parametrize("manners", [Manners.DRIPPING, Manners.DRIPPING_HEAD, Manners.STALLED])
def test_a_server_that_dawdles_holds_us_no_longer_than_its_time(cache: Cache, manners: Manners) -> None:
    cache.content.manners = manners
    begun = time.monotonic()
    assert failed(cache.fetch(patience=SHORT)) == UNREACHABLE
    assert time.monotonic() - begun < GENEROUS_S


def test_a_server_that_falls_silent_is_left_after_a_silence_however_long_the_file_may_take(cache: Cache) -> None:
    """Or the next address of a warning would be asked when all of that time is over."""
    cache.content.manners = Manners.STALLED
    got = cache.fetch(patience=Patience(stall_s=0.5, slack_s=10_000))
    assert failed(got) == UNREACHABLE
    assert isinstance(got, FetchFailed)
    assert "nothing of use within 0.5 s" in got.detail


def test_what_a_stalled_server_sent_is_kept_and_resumed_after_a_restart(cache: Cache) -> None:
    cache.content.manners, cache.content.cut_at = Manners.STALLED, 100_000
    while not cache.part.exists() or cache.part.stat().st_size < 100_000:  # there may be less in so short a time
        assert failed(cache.fetch(patience=SHORT)) == UNREACHABLE
    assert cache.part.read_bytes() == AUDIO[:100_000]
    cache.content.manners = Manners.HONEST
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert cache.ranges()[-1] == "bytes=100000-"
    until(lambda: cache.content.sent == len(AUDIO))  # which is told when it has been sent, and may be heard before


def test_a_truncated_download_is_resumed_within_the_call_and_each_end_is_told(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cache.content.manners, cache.content.cut_at = Manners.TRUNCATED, 60_000
    assert cache.fetch() == Fetched(cache.root / KEY)
    told = [message for message in caplog.messages if message.startswith("download broke off")]
    assert told[0] == f"download broke off key={KEY} at=60000 why=ended 196000 bytes early"
    assert len(told) == 4
    assert cache.ranges() == [None, *(f"bytes={at}-" for at in range(60_000, 256_000, 60_000))]
    assert (cache.root / KEY).read_bytes() == AUDIO


def test_a_server_that_gives_a_byte_each_time_is_left_after_some_resumes(cache: Cache) -> None:
    cache.content.manners, cache.content.cut_at = Manners.TRUNCATED, 1
    assert failed(cache.fetch()) == UNREACHABLE
    assert len(cache.content.asked) == 6


def test_a_server_that_begins_anew_each_time_and_gives_ever_less_costs_the_file_once_and_not_six_times(
    cache: Cache,
) -> None:
    cache.content.manners = Manners.NEVER_WHOLE
    for asked in (2, 3):
        got = cache.fetch()
        assert failed(got) == UNREACHABLE
        assert isinstance(got, FetchFailed)
        assert len(cache.content.asked) == asked, "what it has just sent is not taken anew in one go"
        assert len(AUDIO) - asked <= got.came_bytes <= len(AUDIO) + WORDS_BYTES + UNREAD_BYTES


def test_a_server_that_begins_anew_each_time_and_gives_ever_more_is_left_too(cache: Cache) -> None:
    """The part grows each time, and each time what was there has been paid for in vain."""
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n" + bytes(size) for size in (100_000, 200_000)]
    cache.content.manners, cache.content.raw = Manners.RAW, [*answers, *answers]
    assert failed(cache.fetch()) == UNREACHABLE
    assert len(cache.content.asked) == 2


def test_what_has_come_is_told_of_wrong_bytes_beside_an_address_with_nothing(cache: Cache) -> None:
    cache.content.manners = Manners.ALTERED
    got = cache.fetch(cache.url, f"https://localhost:{cache.content.port}/nowhere")
    assert failed(got) == UNREACHABLE
    assert isinstance(got, FetchFailed)
    assert len(AUDIO) <= got.came_bytes <= len(AUDIO) + 2 * WORDS_BYTES


def test_what_has_come_and_was_not_read_is_told_too(cache: Cache) -> None:
    """Another length is refused by its announcement, and the kernel has taken in what it will by then."""
    cache.content.manners = Manners.RAW
    cache.content.raw = [b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000)]
    got = cache.fetch()
    assert failed(got) == WRONG
    assert isinstance(got, FetchFailed)
    assert got.came_bytes > WORDS_BYTES


@pytest.mark.parametrize("manners", [Manners.GONE, Manners.TRUNCATED])
def test_a_try_that_says_nothing_costs_no_more_than_a_try_may(cache: Cache, manners: Manners) -> None:
    cache.content.manners, cache.content.cut_at = manners, 1
    got = cache.fetch()
    assert isinstance(got, FetchFailed)
    assert 1_000 < got.came_bytes <= TRY_BYTES


def test_an_honest_download_costs_hardly_more_than_its_length(cache: Cache) -> None:
    got = cache.fetch()
    assert isinstance(got, Fetched)
    assert len(AUDIO) <= got.came_bytes <= len(AUDIO) + WORDS_BYTES


@pytest.mark.parametrize("begun", [1_000, len(AUDIO) - 1_000])
def test_a_server_that_ignores_ranges_is_taken_from_the_start(cache: Cache, begun: int) -> None:
    cache.interrupted(AUDIO[:begun])
    cache.content.manners = Manners.NO_RANGES
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert (cache.root / KEY).read_bytes() == AUDIO
    assert cache.ranges() == [f"bytes={begun}-"]


@pytest.mark.parametrize("manners", [Manners.WRONG_RANGE, Manners.OUTSIDE])
def test_a_wrong_answer_to_a_range_is_taken_from_the_start(cache: Cache, manners: Manners) -> None:
    cache.interrupted(AUDIO[:1_000])
    cache.content.manners = manners
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert cache.ranges() == ["bytes=1000-", None]


def test_a_poisoned_beginning_does_not_condemn_an_honest_server(cache: Cache) -> None:
    cache.interrupted(b"poison from another server")
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert cache.ranges() == [f"bytes={len(b'poison from another server')}-", None]


def test_a_file_swapped_between_two_halves_is_noticed_and_fetched_afresh(cache: Cache) -> None:
    cache.content.put("clip", b"\xff" * len(AUDIO))
    cache.content.manners, cache.content.cut_at = Manners.STALLED, 1_000
    assert failed(cache.fetch(patience=SHORT)) == UNREACHABLE
    cache.content.put("clip", AUDIO)
    cache.content.manners = Manners.HONEST
    assert cache.fetch() == Fetched(cache.root / KEY)


def test_what_is_nearly_whole_needs_no_room_for_the_whole(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a card that is nearly full a warning that was begun would never be had."""
    lacking = 100
    cache.interrupted(AUDIO[:-lacking])
    free = shutil.disk_usage(cache.root)._replace(free=FETCH_FREE_BYTES_MIN + lacking)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert cache.fetch() == Fetched(cache.root / KEY)


def test_a_part_longer_than_the_file_is_thrown_away(cache: Cache) -> None:
    cache.interrupted(AUDIO + b"more")
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert cache.ranges() == [None]


def test_a_part_that_was_complete_before_a_crash_needs_no_network(cache: Cache) -> None:
    cache.interrupted(AUDIO)
    assert cache.fetch() == Fetched(cache.root / KEY)
    assert cache.content.asked == []


def test_a_redirect_to_another_https_place_is_followed(cache: Cache) -> None:
    cache.content.manners, cache.content.location = Manners.REDIRECT, "/clip"
    assert cache.fetch(f"https://localhost:{cache.content.port}/moved") == Fetched(cache.root / KEY)


@pytest.mark.parametrize("scheme", ["http", "file", "ftp"])
def test_a_redirect_out_of_https_is_refused(cache: Cache, scheme: str) -> None:
    cache.content.manners = Manners.REDIRECT
    cache.content.location = f"{scheme}://localhost:{cache.content.port}/clip"
    got = cache.fetch(f"https://localhost:{cache.content.port}/moved")
    assert failed(got) == UNREACHABLE
    assert isinstance(got, FetchFailed)
    assert "not an https URL" in got.detail
    assert len(cache.content.asked) == 1


def test_a_redirect_to_a_name_that_is_none_for_its_length_is_refused_before_it_is_spelled(cache: Cache) -> None:
    cache.content.manners = Manners.REDIRECT
    cache.content.location = f"https://{'x.' * 20_000}example/clip"
    got = cache.fetch(f"https://localhost:{cache.content.port}/moved")
    assert isinstance(got, FetchFailed)
    assert "a host of 40007 characters" in got.detail


def test_redirects_in_a_circle_end(cache: Cache) -> None:
    cache.content.manners, cache.content.location = Manners.REDIRECT, "/moved"
    assert failed(cache.fetch(f"https://localhost:{cache.content.port}/moved")) == UNREACHABLE
    assert len(cache.content.asked) == 3


@pytest.mark.parametrize(
    "url", ["http://localhost/clip", "https://", "https://[::1/clip", "https://localhost/a b", "x"]
)
def test_a_url_that_is_none_is_unreachable(cache: Cache, url: str) -> None:
    assert failed(cache.fetch(url)) == UNREACHABLE


def test_a_server_of_another_authority_gets_no_request(cache: Cache, tmp_path: Path) -> None:
    stranger = create_authority(tmp_path / "stranger", "test")
    got = cache.fetch(ca=stranger.path)
    assert failed(got) == UNREACHABLE
    assert isinstance(got, FetchFailed)
    assert "the server's certificate is of another authority" in got.detail
    assert cache.content.asked == []


def test_a_clock_that_is_unset_does_not_keep_us_from_fetching(cache: Cache) -> None:
    def in_1970() -> Now:
        return Now(MonoMs(1), UtcMs(1), ClockSource.UNSET, 0)

    fetcher = HttpsFetcher(cache.root, Trust(cache.content.authority.path, in_1970))
    assert fetcher.fetch(KEY, len(AUDIO), (cache.url,)) == Fetched(cache.root / KEY)


def test_a_certificate_out_of_its_dates_is_refused_by_a_trusted_clock(cache: Cache) -> None:
    def in_ten_years() -> Now:
        later = datetime.now(UTC) + timedelta(days=3_700)
        return Now(MonoMs(1), UtcMs(int(later.timestamp() * 1000)), ClockSource.SIGNED, 0)

    fetcher = HttpsFetcher(cache.root, Trust(cache.content.authority.path, in_ten_years))
    assert failed(fetcher.fetch(KEY, len(AUDIO), (cache.url,))) == UNREACHABLE
    assert cache.content.asked == []


def test_a_line_that_is_down_is_unreachable_until_it_is_up(cache: Cache) -> None:
    with running_proxy(cache.content.port) as proxy:
        proxy.open = False
        url = f"https://localhost:{proxy.port}/clip"
        assert failed(cache.fetch(url)) == UNREACHABLE
        proxy.open = True
        assert cache.fetch(url) == Fetched(cache.root / KEY)


def test_a_disk_that_refuses_in_the_midst_of_a_file_keeps_nothing_under_the_final_name(cache: Cache) -> None:
    """A real ENOSPC needs a file system of its own; a file size limit refuses the same write at the same place.

    It says that the file is too large, not that the disk is full: what each is called, see ``test_worn_card``.
    """
    code = f"""
import resource, signal, sys
from pathlib import Path
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from tests.sync.rigs import host_clock
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
fetcher = HttpsFetcher(Path({str(cache.root)!r}), Trust(Path({str(cache.content.authority.path)!r}), host_clock))
print(fetcher.fetch({KEY!r}, {len(AUDIO)}, ({cache.url!r},)).reason.value)
"""
    root = Path(__file__).resolve().parent.parent.parent
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=os.environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == "audio_unreadable\n"
    assert not (cache.root / KEY).exists()
