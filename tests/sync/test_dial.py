"""What a server may make a station pay for: bytes by whatever name, with our authority's certificate in its hand."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.clock import system_utc_ms
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.look_ahead import FETCH_BYTES_S_MIN
from edge_agent.core.talk import HELLO_AGAIN_MS
from edge_agent.core.units import DAY_MS, SECOND_MS, ClipKey, MonoMs, UtcMs
from edge_agent.identity import asking
from edge_agent.identity.messages import ANSWER_BYTES_MAX
from edge_agent.sync.client import CONNECT_TIMEOUT_S
from edge_agent.sync.dial import (
    UNREAD_BYTES_MAX,
    WORDS_BYTES_MAX,
    Meter,
    Tally,
    both,
    dial,
    up_to,
    up_to_a_body,
    with_words,
)
from edge_agent.sync.download import RESUMES_MAX, HttpsFetcher
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Patience, Trust, get, listen
from edge_agent.sync.live_stream import RATE_BYTES_S_MAX
from edge_agent.sync.port import Fetched, FetchFailed, NotRead
from edge_agent.sync.tls import client_context
from edge_agent.sync.tls_trouble import DatesTrouble
from edge_agent.trust.keys import new_signer
from tests.host.content import HELD_BYTES, Content, Manners, running_content
from tests.host.tls_records import Records
from tests.sync.rigs import host_clock
from tests.sync.test_hostile_server import AUDIO, KEY, Cache
from tests.sync.test_live_stream import PATIENT, SOUND, relaying

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REST = b"HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes %d-%d/%d\r\n\r\n"
FLOODS = {
    "words beside a byte of the body": (CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nA\r\n"),
    "lines behind the body": (CHUNKED + b"1\r\nA\r\n0\r\n", b"X: " + b"y" * 60_000 + b"\r\n"),
    "continue before the head": (b"", b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 60_000 + b"\r\n\r\n"),
}
ON_THE_WAY_BYTES = 2 * (UNREAD_BYTES_MAX + HELD_BYTES) + 64 * 1_024
# Sent and not read, of each connection: what the kernels of both ends keep, each twice what it was told, and a piece of
# the flood. A flood that nobody ends is 40 MB.
TICKETS, TICKET_BYTES = 20_000, 200
# 4 MB and more that TLS takes in for itself before it gives a byte of an answer.
WARMED_BYTES = 20_000_000
# A reader who keeps up is given an ever larger buffer by the kernel.
COUNTED_LATE_BYTES = 16 * 1_024 + 2 * UNREAD_BYTES_MAX
# Of a connection that is too much: the piece that was, and what the kernel holds behind it.
RECORDS: list[Callable[[Records], bytes]] = [Records.tickets, Records.key_updates]
SLOW = Patience(stall_s=20, slack_s=20)
TWO_AT_ONCE = 2
# Routine downloads: what is due sooner is fetched beside what is due later.
PATIENCE_S = 60


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    with running_content(tmp_path) as served:
        yield served


def flooding(content: Content, name: str) -> str:
    content.manners, content.raw = Manners.FLOOD, list(FLOODS[name])
    return f"https://localhost:{content.port}/a"


def paid(content: Content) -> int:
    """At least."""
    return content.sent - len(content.asked) * ON_THE_WAY_BYTES


def may_cost(bytes_max: int, answers: int = 1) -> int:
    """With the words that may come before so many bytes, and beside them."""
    return answers * (WORDS_BYTES_MAX + with_words(bytes_max))


@pytest.mark.parametrize("name", FLOODS)
def test_a_file_costs_hardly_more_than_was_signed_whatever_is_said_beside_it(
    content: Content, tmp_path: Path, name: str
) -> None:
    got = Cache(tmp_path, content).fetch(flooding(content, name), patience=SLOW)
    assert isinstance(got, FetchFailed)
    assert content.sent > 0
    assert paid(content) <= may_cost(len(AUDIO), len(content.asked))


@pytest.mark.parametrize("addresses", [1, 4])
def test_a_file_whose_every_resume_is_padded_costs_it_twice_from_each_address_and_not_six_times(
    content: Content, tmp_path: Path, addresses: int
) -> None:
    """Each answer has a byte more of it, so each is resumed."""
    cache = Cache(tmp_path, content)
    content.manners = Manners.PADDED
    got = cache.fetch(*[cache.url] * addresses, patience=SLOW)
    assert isinstance(got, FetchFailed)
    assert addresses < len(content.asked) <= cache.part.stat().st_size
    most = 2 * len(AUDIO) * 9 / 8 + (RESUMES_MAX + 1) * WORDS_BYTES_MAX + COUNTED_LATE_BYTES
    assert got.came_bytes <= addresses * most


def test_whoever_uses_up_what_a_file_may_cost_takes_nothing_of_it_from_the_next_address(
    content: Content, tmp_path: Path
) -> None:
    """Or one bad server that a warning names would keep the good one from being heard."""
    cache = Cache(tmp_path, content)
    content.manners = Manners.PADDED
    with running_content(tmp_path / "other", content.authority) as other:
        assert cache.fetch(cache.url, other.put("clip", AUDIO), patience=SLOW) == Fetched(cache.root / KEY)


def test_the_rest_of_a_file_costs_hardly_more_than_the_rest_whatever_is_said_beside_it(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cache = Cache(tmp_path, content)
    cache.interrupted(AUDIO[:-10_000])
    content.manners = Manners.PADDED
    assert isinstance(cache.fetch(patience=SLOW), FetchFailed)
    assert caplog.messages[0].endswith("for a body of 10000 at most")


@pytest.mark.parametrize("name", FLOODS)
def test_a_paper_costs_hardly_more_than_it_may_be_long(content: Content, name: str) -> None:
    flooding(content, name)
    home = HttpsHome(f"https://localhost:{content.port}", Trust(content.authority.path, host_clock), SLOW)
    assert isinstance(home.get(["/head/area/vn"], 2_048)[0], NotRead)
    assert isinstance(home.post("/hello/dt-01", b"hello", 2_048), NotRead)
    assert len(content.asked) == 2
    assert paid(content) <= may_cost(2_048, 2)


@pytest.mark.parametrize("name", FLOODS)
def test_an_identity_costs_hardly_more_than_it_may_be_long(content: Content, name: str) -> None:
    server = asking.Server(flooding(content, name))
    with pytest.raises(asking.NoIdentity):
        asking.renew(server, "test", "dt-01", new_signer(), b"csr")
    assert paid(content) <= may_cost(ANSWER_BYTES_MAX)


@pytest.mark.parametrize("name", FLOODS)
def test_a_live_source_costs_no_more_than_it_may_whatever_it_calls_its_bytes(content: Content, name: str) -> None:
    began = time.monotonic()
    with relaying(content, flooding(content, name)) as relay:
        relay.until_asked(4)
    took = time.monotonic() - began
    assert paid(content) <= PATIENT.burst_bytes + RATE_BYTES_S_MAX * took


def test_what_tls_takes_in_for_itself_is_paid_for_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_content(tmp_path, tickets=TICKETS) as content:
        cache = Cache(tmp_path, content)
        got = cache.fetch(patience=SLOW)
        assert isinstance(got, FetchFailed)
        assert "before anything of use" in got.detail
        content.put("a", SOUND)
        with relaying(content, f"https://localhost:{content.port}/a") as relay:
            relay.until(lambda: "before anything of use" in caplog.text)
        assert relay.takers == []


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Content]:
    """TLS's own records without end, in place of an answer."""
    with running_content(tmp_path, tickets=0) as served:
        served.put("clip", AUDIO)
        served.manners, served.raw = Manners.RECORDS, [CHUNKED[:20]]
        yield served


@pytest.mark.parametrize("record", RECORDS)
def test_a_file_and_a_paper_in_place_of_which_records_come_without_end_are_left_as_too_much(
    endless: Content, tmp_path: Path, record: Callable[[Records], bytes]
) -> None:
    endless.records = record
    url = f"https://localhost:{endless.port}"
    got = Cache(tmp_path, endless).fetch(f"{url}/clip", patience=SLOW)
    assert isinstance(got, FetchFailed)
    assert "before anything of use" in got.detail
    home = HttpsHome(url, Trust(endless.authority.path, host_clock), SLOW)
    assert isinstance(home.get(["/head/area/vn"], 2_048)[0], NotRead)
    with pytest.raises(asking.NoIdentity):
        asking.renew(asking.Server(url), "test", "dt-01", new_signer(), b"csr")
    assert len(endless.asked) == 3
    assert endless.sent > 0
    assert paid(endless) <= 3 * WORDS_BYTES_MAX


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    ("begin", "sounds"),
    [(CHUNKED[:20], False), (b"HTTP/1.1 200 OK\r\n\r\n" + SOUND[:9_000], True)],
    ids=["before the sound", "behind some of it"],
)
def test_a_live_source_that_sends_records_without_end_costs_no_more_than_it_may(
    endless: Content, begin: bytes, sounds: bool, record: Callable[[Records], bytes]
) -> None:
    endless.records, endless.raw = record, [begin]
    began = time.monotonic()
    with relaying(endless, f"https://localhost:{endless.port}/a") as relay:
        relay.until_asked(4)
    took = time.monotonic() - began
    assert bool(relay.takers) == sounds
    assert paid(endless) <= PATIENT.burst_bytes + RATE_BYTES_S_MAX * took


def test_records_that_never_cease_let_nobody_wait_beyond_the_deadline(endless: Content) -> None:
    endless.records, endless.pause_s = lambda records: records.key_updates(1), 0.01
    context = client_context(endless.authority.path)
    with dial("localhost", endless.port, context, 60, time.monotonic() + 60) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        assert sock.recv(100) == CHUNKED[:20]
        sock.deadline = time.monotonic() + 0.3
        with pytest.raises(TimeoutError, match="too slow"):
            sock.recv(100)


def test_what_has_come_and_was_not_read_is_paid_for_once_however_often_it_is_settled_and_read_after_all(
    content: Content,
) -> None:
    content.put("a", SOUND[:1_000])
    context, paid_for = client_context(content.authority.path), Tally()
    with dial("localhost", content.port, context, 60, time.monotonic() + 60, paid_for) as sock:
        before = paid_for.bytes
        sock.sendall(b"GET /a HTTP/1.0\r\n\r\n")
        settled(lambda: content.sent)
        sock.settle()
        once = paid_for.bytes
        assert once - before > 1_000
        sock.settle()
        assert paid_for.bytes == once
        while sock.recv(4_096):
            pass
        sock.settle()
        assert paid_for.bytes == once


def test_what_an_answer_brought_and_nobody_read_is_paid_for_when_it_is_left(content: Content) -> None:
    paid_for, size = Tally(), 30_000
    url = content.put("a", bytes(size))
    with get(url, 0, size, trust_of(content), 20, time.monotonic() + 60, paid_for):
        settled(lambda: content.sent)
    assert paid_for.bytes > size


def test_what_came_with_an_answer_that_is_none_is_paid_for_too(content: Content) -> None:
    paid_for, size = Tally(), 30_000
    content.manners, content.raw = Manners.RAW, [b"nonsense\n" + bytes(size)]

    def meter(count: int) -> str:
        all_has_come(content)
        return paid_for(count)

    url = f"https://localhost:{content.port}/a"
    with (
        pytest.raises(HTTPException, match="nonsense"),
        get(url, 0, size, trust_of(content), 20, time.monotonic() + 60, meter),
    ):
        pytest.fail("it is no answer")
    assert paid_for.bytes > size


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])
def test_what_came_behind_a_paper_is_paid_for_whether_it_is_too_long_or_read(
    content: Content, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    size, count = 30_000, Tally.__call__
    content.manners, content.raw = Manners.RAW, [head + bytes(size)]

    def slow(tally: Tally, came: int) -> str:
        all_has_come(content)
        return count(tally, came)

    monkeypatch.setattr(Tally, "__call__", slow)
    home = HttpsHome(f"https://localhost:{content.port}", trust_of(content), SLOW)
    (got,) = home.get(["/head/area/vn"], 2_048)
    assert isinstance(got, NotRead) or got == bytes(5)
    assert home.came_bytes > size


def test_what_is_too_much_for_one_is_told_to_the_other_too() -> None:
    paid_for = Tally()
    assert both(up_to(1, "too much"), paid_for)(5) == "too much"
    assert paid_for.bytes == 5


def test_so_many_bytes_are_not_too_much_and_one_more_is() -> None:
    meter = up_to(5, "too much")
    assert [meter(count) for count in (2, 3, 1)] == ["", "", "too much"]


def test_a_bound_grows_with_the_file_by_more_than_small_records_and_chunks_add_and_not_by_much() -> None:
    hour = 30_000_000
    assert up_to_a_body(hour)(hour * 104 // 100) == ""
    assert up_to_a_body(hour)(hour * 9 // 8 + WORDS_BYTES_MAX + 1) != ""


def test_the_kernel_takes_in_little_for_a_reader_who_has_stopped(content: Content) -> None:
    flooding(content, "lines behind the body")
    context = client_context(content.authority.path)
    read = 0
    with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        while read < WARMED_BYTES:
            read += sock.recv_into(bytearray(64 * 1_024))
        unread = settled(lambda: content.sent) - read
    assert unread <= ON_THE_WAY_BYTES


def test_downloads_have_no_more_on_their_way_than_a_slow_line_carries_while_a_hello_waits(content: Content) -> None:
    """What the broker says comes behind that: a stop, a handshake, a welcome, which counts for the last hello alone."""
    flooding(content, "lines behind the body")
    context = client_context(content.authority.path)
    with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        on_its_way = settled(lambda: struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))[0])
    slowest_s = TWO_AT_ONCE * on_its_way / FETCH_BYTES_S_MIN
    assert 0 < slowest_s * SECOND_MS <= min(CONNECT_TIMEOUT_S * SECOND_MS, HELLO_AGAIN_MS)


def all_has_come(content: Content) -> None:
    """Before the first of its answer is read; of the handshake before that it has asked nobody."""
    assert not content.asked or content.said.wait(PATIENCE_S)


def settled(counted: Callable[[], int]) -> int:
    """What it has come to, once it has begun and stays there."""
    before, now, until = -1, counted(), time.monotonic() + PATIENCE_S
    while now != before or now == 0:
        assert time.monotonic() < until, "it never begins, or never ends"
        time.sleep(0.25)
        before, now = now, counted()
    return now


def test_tls_that_gives_nothing_is_left_long_before_it_has_sent_all(tmp_path: Path) -> None:
    """The meter is asked after each piece of it."""
    came: list[int] = []

    def meter(count: int) -> str:
        came.append(count)
        return "too much"

    with running_content(tmp_path, tickets=20 * TICKETS) as content:
        context = client_context(content.authority.path)
        with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
            sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
            sock.meter = meter
            with pytest.raises(OSError, match="too much"):
                sock.recv_into(bytearray(1_000))
    assert len(came) == 1
    assert came[0] < 20 * TICKETS * TICKET_BYTES / 2


def test_nor_does_it_go_on_for_ever_where_no_meter_counts_it(tmp_path: Path) -> None:
    with running_content(tmp_path, tickets=TICKETS) as content:
        context = client_context(content.authority.path)
        with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
            sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
            with pytest.raises(OSError, match="TLS sends without end"):
                sock.recv(1_000)


@contextmanager
def garbler(said: threading.Event | None = None) -> Iterator[tuple[str, int]]:
    """Whoever stands on the way, without any certificate: its URL, and how much it answers to each hello.

    ``said``: it has.
    """
    garbage = (b"\x16\x03\x03\x40\0\2\0\x3f\xfc" + bytes(0x3FFC)) * 2
    ended = threading.Event()

    def answer(hello: socket.socket) -> None:
        with hello, suppress(OSError):
            hello.recv(4_096)
            hello.sendall(garbage)
            if said is not None:
                said.set()
            ended.wait(SLOW.stall_s)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}", len(garbage)
        ended.set()


def test_a_handshake_that_fails_is_paid_for_too(content: Content, tmp_path: Path) -> None:
    """Else the day's bytes hold whoever has a certificate, and nobody who has none."""
    piece = 16 * 1_024
    with garbler() as (url, answered):
        got = Cache(tmp_path, content).fetch(f"{url}/a", f"{url}/b", patience=SLOW)
        home = HttpsHome(url, Trust(content.authority.path, host_clock), SLOW)
        assert isinstance(home.get(["/head/area/vn"], 2_048)[0], NotRead)
    assert isinstance(got, FetchFailed)
    assert 2 * piece <= got.came_bytes <= 2 * answered
    assert piece <= home.came_bytes <= answered


def test_what_came_behind_a_handshake_that_failed_is_paid_for_to_the_last_byte(content: Content) -> None:
    paid_for, said = Tally(), threading.Event()

    def meter(count: int) -> str:
        assert said.wait(PATIENCE_S)  # so that all has come before the first of it is refused
        return paid_for(count)

    with garbler(said) as (url, answered):
        with (
            pytest.raises(OSError, match="SSL"),
            get(f"{url}/a", 0, 1, trust_of(content), 20, time.monotonic() + 60, meter),
        ):
            pytest.fail("it has no certificate")
        assert paid_for.bytes == answered


def test_a_live_sources_handshake_that_fails_is_paid_for_too_and_refused_to_nobody(content: Content) -> None:
    """Whoever has no certificate must not cost more than one that has, nor keep the next address from being asked."""
    piece, paid_for = 16 * 1_024, Tally()
    with garbler() as (url, answered):
        for _ in range(3):
            with pytest.raises(OSError, match="SSL"), listen(f"{url}/a", trust_of(content), 20, 10, in_debt(paid_for)):
                pytest.fail("it has no certificate")
    assert 3 * piece <= paid_for.bytes <= 3 * answered


def in_debt(tally: Tally) -> Meter:
    """One that finds everything too much."""
    return lambda count: tally(count) or "too much"


def test_what_comes_behind_a_handshake_that_only_the_clock_refuses_is_paid_for_too(tmp_path: Path) -> None:
    """Whoever has stolen a key of which the certificate has expired must not cost more than one with none."""
    paid_for = Tally()

    def in_ten_years() -> Now:
        time.sleep(0.5)  # so that some of it has come
        return Now(MonoMs(1), UtcMs(system_utc_ms() + 3_700 * DAY_MS), ClockSource.SIGNED, 0)

    with running_content(tmp_path, tickets=TICKETS) as content:
        url, trust = f"https://localhost:{content.port}/a", Trust(content.authority.path, in_ten_years)
        with pytest.raises(DatesTrouble), get(url, 0, 1_000, trust, 20, time.monotonic() + 60, paid_for):
            pytest.fail("it has expired")
    assert paid_for.bytes > 100 * TICKET_BYTES


def trust_of(content: Content) -> Trust:
    return Trust(content.authority.path, host_clock)


def answer(audio: bytes, begin: int, end: int) -> bytes:
    """All from ``begin`` on, in the smallest usual chunks; the line breaks at ``end``."""
    head = REST % (begin, len(audio) - 1, len(audio)) if begin else CHUNKED
    pieces = [audio[at : min(at + 500, end)] for at in range(begin, end, 500)] + [b""] * (end == len(audio))
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def test_honest_audio_in_the_smallest_usual_chunks_is_taken(content: Content, tmp_path: Path) -> None:
    cache = Cache(tmp_path, content)
    content.manners, content.raw = Manners.RAW, [answer(AUDIO, 0, len(AUDIO))]
    assert cache.fetch(patience=SLOW) == Fetched(cache.root / KEY)


def test_an_honest_server_on_a_bad_line_may_send_all_of_it_twice_behind_a_poisoned_byte(
    content: Content, tmp_path: Path
) -> None:
    """The most that one may need: what was resumed turns out wrong, and afresh the line breaks as often as it may."""
    long = AUDIO * 8
    key, size = ClipKey(hashlib.sha256(long).hexdigest()), len(long)
    (tmp_path / f"{key}.part").write_bytes(b"!")
    breaks = [size * number // RESUMES_MAX for number in range(RESUMES_MAX + 1)]
    afresh = [answer(long, begin, end) for begin, end in pairwise(breaks)]
    content.manners, content.raw = Manners.RAW, [answer(long, 1, size), *afresh]
    got = HttpsFetcher(tmp_path, trust_of(content)).fetch(key, size, (f"https://localhost:{content.port}/a",))
    assert got == Fetched(tmp_path / key)
    assert got.came_bytes > 2 * size
    assert len(content.asked) == RESUMES_MAX + 1
