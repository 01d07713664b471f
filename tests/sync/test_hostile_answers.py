"""Answers that no content server gives: byte for byte as an attacker would write them, and TLS that is not ours.

Whatever comes: a value, nothing under the final name, never more on the disk than was signed, and an honest answer
afterwards is taken.
"""

from __future__ import annotations

import gzip
import random
import resource
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.core.reasons import Reason
from edge_agent.headend.pki import create_authority, issue_client, issue_server
from edge_agent.sync.port import Fetched, FetchFailed
from tests.host.content import Manners, running_content
from tests.sync import old_mail
from tests.sync.test_hostile_server import AUDIO, KEY, UNREACHABLE, WRONG, Cache, failed

LENGTH = len(AUDIO)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SEED, ANSWERS = 20_261_125, 80


def part_of(content_range: bytes, body: bytes = AUDIO[1_000:]) -> bytes:
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nContent-Range: %b\r\n\r\n"
    return head % (len(body), content_range) + body


def padded(packed: bytes) -> bytes:
    """A body of exactly the signed length."""
    return packed + b"\0" * (LENGTH - len(packed))


BOMB = gzip.compress(bytes(40_000_000), 1)
RANGES = {
    "another begin": b"bytes 999-255999/256000",
    "another end": b"bytes 1000-255998/256000",
    "another whole": b"bytes 1000-255999/256001",
    "an unknown whole": b"bytes 1000-255999/*",
    "another unit": b"lines 1000-255999/256000",
    "a negative one": b"bytes -1000-255999/256000",
    "digits without end": b"bytes 1000-255999/" + b"9" * 5_000,
    "none": b"",
    "other digits": "bytes ١٠٠٠-255999/256000".encode(),
}
NONSENSE = {
    "nothing at all": b"",
    "no status line": AUDIO[:5_000],
    "a status of text": b"HTTP/1.1 OK OK\r\n\r\n",
    "a status out of range": b"HTTP/1.1 -200 OK\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
    "a line without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    "a status line without end": b"HTTP/1.1 200 " + b"O" * 200_000,
    "continue for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
    "no such length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + AUDIO[:10],
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + AUDIO[:10],
    "a chunk of no size": CHUNKED + b"zz\r\n" + AUDIO[:100],
    "a negative chunk": CHUNKED + b"-5\r\n" + AUDIO[:100],
    "a chunk of all memory": CHUNKED + b"ffffffffffffffff\r\n" + AUDIO[:100],
    "a chunk below zero by more than an index": CHUNKED + b"-ffffffffffffffffffff\r\n" + AUDIO[:100],
    "a chunk's words without end": CHUNKED + b"5;" + b"x" * 200_000,
    "trailers without end": CHUNKED + b"5\r\nabcde\r\n0\r\n" + b"X: y\r\n" * 50_000,
    "an empty answer": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "to nowhere": b"HTTP/1.1 302 Found\r\nLocation: \r\n\r\n",
    "to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "to words": b"HTTP/1.1 302 Found\r\nLocation: https://[\r\n\r\n",
    "zeros": bytes(100_000),
    "packed audio": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(AUDIO),
}
TWO_BOUNDARIES = b"multipart/mixed; boundary*=us-ascii''a; boundary*0=b"
TYPES = {
    "two boundaries": b"Content-Type: " + TWO_BOUNDARIES,
    "without a space": b"CONTENT-type:" + TWO_BOUNDARIES,
    "folded": b"Content-Type: multipart/mixed;\r\n boundary*=us-ascii''a;\r\n boundary*0=b",
    "behind a lone carriage return": b"X: y\rContent-Type: " + TWO_BOUNDARIES,
    "semicolons, of which each is looked for from the beginning": b'Content-Type: multipart/x; a="' + b";" * 30_000,
}
OTHER_BYTES = {
    "a bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % LENGTH
    + padded(BOMB[:LENGTH]),
    "another length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + AUDIO,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 256000\r\n\r\n" + AUDIO,
    "more in chunks": CHUNKED + b"40000\r\n" + bytes(0x40000) + b"\r\n0\r\n\r\n",
    "the right length": HEAD + bytes(LENGTH),
}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with running_content(tmp_path) as content:
        yield Cache(tmp_path, content)


def answering(cache: Cache, *answers: bytes) -> Fetched | FetchFailed:
    """What comes of these answers, one for each request, and of the last for every further one."""
    cache.content.manners = Manners.RAW
    cache.content.raw = [*answers, *[answers[-1]] * 10]
    got = cache.fetch()  # it hangs up by itself
    assert all(path.stat().st_size <= LENGTH for path in cache.root.iterdir())
    return got


def refused_and_then_honest(cache: Cache, *answers: bytes) -> tuple[Reason, bool]:
    got = answering(cache, *answers)
    assert isinstance(got, FetchFailed)
    assert len(got.detail) < 1_000
    assert not (cache.root / KEY).exists()
    cache.content.manners = Manners.HONEST
    assert cache.fetch() == Fetched(cache.root / KEY)
    return got.reason, got.again


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_no_answer(cache: Cache, name: str) -> None:
    assert refused_and_then_honest(cache, NONSENSE[name]) == UNREACHABLE


@pytest.mark.parametrize("name", TYPES)
def test_no_type_of_mail_is_read_for_that_reader_ends_the_process_or_keeps_its_core(
    cache: Cache, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Debian 12's Python the thread that asked died of it."""
    old_mail.read_as_on_3_11(monkeypatch)
    head = HEAD.replace(b"\r\n", b"\r\n" + TYPES[name] + b"\r\n", 1)
    assert answering(cache, head + AUDIO) == Fetched(cache.root / KEY)


@pytest.mark.parametrize("name", OTHER_BYTES)
def test_other_bytes_than_were_signed_are_altered_audio_however_they_are_announced(cache: Cache, name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused_and_then_honest(cache, OTHER_BYTES[name]) == WRONG
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "a bomb of 40 MB was unpacked"


@pytest.mark.parametrize("name", RANGES)
def test_another_range_than_was_asked_for_is_not_appended(cache: Cache, name: str) -> None:
    cache.interrupted(AUDIO[:1_000])
    got = answering(cache, part_of(RANGES[name]), HEAD + AUDIO)
    assert got == Fetched(cache.root / KEY)
    assert cache.ranges() == ["bytes=1000-", None]


def test_the_right_range_with_other_bytes_is_noticed_and_fetched_afresh(cache: Cache) -> None:
    cache.interrupted(AUDIO[:1_000])
    swapped = part_of(b"bytes 1000-255999/256000", bytes(LENGTH - 1_000))
    assert answering(cache, swapped, HEAD + AUDIO) == Fetched(cache.root / KEY)
    assert (cache.root / KEY).read_bytes() == AUDIO


def test_a_file_swapped_in_the_midst_of_an_answer_is_altered_audio(cache: Cache) -> None:
    half = AUDIO[: LENGTH // 2]
    assert refused_and_then_honest(cache, HEAD + half + bytes(LENGTH - len(half))) == WRONG


def test_a_file_swapped_between_two_answers_of_one_fetch_is_fetched_afresh(cache: Cache) -> None:
    """A new version under an old address: no ETag is believed, the digest tells."""
    old = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % LENGTH + bytes(100_000)
    new = part_of(b"bytes 100000-255999/256000", AUDIO[100_000:])
    assert answering(cache, old, new, HEAD + AUDIO) == Fetched(cache.root / KEY)
    assert cache.ranges() == [None, "bytes=100000-", None]


def test_honest_audio_in_chunks_is_taken(cache: Cache) -> None:
    pieces = b"".join(b"%x;name=value\r\n%b\r\n" % (32_000, AUDIO[at : at + 32_000]) for at in range(0, LENGTH, 32_000))
    assert answering(cache, CHUNKED + pieces + b"0\r\nTrailer: x\r\n\r\n") == Fetched(cache.root / KEY)


def test_answers_with_damaged_heads_are_a_value_and_the_right_bytes_or_none(cache: Cache) -> None:
    dice = random.Random(SEED)
    for number in range(ANSWERS):
        head = bytearray(dice.choice((HEAD, CHUNKED, part_of(b"bytes 0-255999/256000", b""))))
        for _ in range(dice.randint(1, 4)):
            head[dice.randrange(len(head))] = dice.choice(b"\0\r\n :-09afz\xff")
        got = answering(cache, bytes(head) + AUDIO)
        assert (got == Fetched(cache.root / KEY)) == (cache.root / KEY).exists(), (number, bytes(head))
        if isinstance(got, Fetched):
            assert got.path.read_bytes() == AUDIO, (number, bytes(head))
            got.path.unlink()


# -- who speaks --------------------------------------------------------------------------------------------------------


def unreachable_without_a_word(cache: Cache, url: str, why: str) -> None:
    """Nobody there was asked for anything."""
    got = cache.fetch(url)
    assert failed(got) == UNREACHABLE
    assert isinstance(got, FetchFailed)
    assert why in got.detail
    assert cache.content.asked == []


def test_a_server_under_another_name_gets_no_request(cache: Cache) -> None:
    url = f"https://127.1:{cache.content.port}/clip"  # the same address by a name that is not certified
    unreachable_without_a_word(cache, url, "the server's certificate is for another name")


def test_a_certificate_that_has_expired_is_refused(tmp_path: Path) -> None:
    authority = create_authority(tmp_path / "ca", "test")
    old = issue_server(authority, tmp_path / "old", "content", now=datetime.now(UTC) - timedelta(days=3_000))
    with running_content(tmp_path, authority, old) as content:
        cache = Cache(tmp_path, content)
        unreachable_without_a_word(cache, cache.url, "the server's certificate expired on")


def test_a_station_s_own_certificate_makes_no_server(tmp_path: Path) -> None:
    """Whoever opens a box has a certificate of our authority; it may not hand out audio with it."""
    authority = create_authority(tmp_path / "ca", "test")
    stolen = issue_client(authority, tmp_path / "stolen", "localhost")
    with running_content(tmp_path, authority, stolen) as content:
        cache = Cache(tmp_path, content)
        unreachable_without_a_word(cache, cache.url, "unsuitable certificate purpose")


def test_an_older_tls_gets_no_request(tmp_path: Path) -> None:
    with running_content(tmp_path, newest_tls=ssl.TLSVersion.TLSv1_2) as content:
        cache = Cache(tmp_path, content)
        unreachable_without_a_word(cache, cache.url, "SSL")


def test_a_redirect_to_a_mirror_of_ours_is_followed_and_to_a_stranger_s_server_is_not(tmp_path: Path) -> None:
    authority = create_authority(tmp_path / "ca", "test")
    with (
        running_content(tmp_path / "ours", authority) as ours,
        running_content(tmp_path / "mirror", authority) as mirror,
        running_content(tmp_path / "stranger") as stranger,
    ):
        cache = Cache(tmp_path, ours)
        ours.manners, moved = Manners.REDIRECT, f"https://localhost:{ours.port}/moved"
        ours.location = stranger.put("clip", AUDIO)
        assert failed(cache.fetch(moved)) == UNREACHABLE
        assert stranger.asked == []
        ours.location = mirror.put("clip", AUDIO).replace("localhost", "127.0.0.1")
        assert cache.fetch(moved) == Fetched(cache.root / KEY)
        assert [path for path, _ in mirror.asked] == ["/clip"]
