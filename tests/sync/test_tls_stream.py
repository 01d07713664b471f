"""What a server's TLS may say without a word of use, and that a call takes a piece of it at a time, on real TLS."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.headend.pki import Authority, create_authority, issue_server
from edge_agent.sync.tls import client_context
from edge_agent.sync.tls_stream import (
    BARE_BYTES_MAX,
    BESIDE_BYTES,
    PIECE_BYTES,
    UNTAKEN_BYTES_MAX,
    TlsRefused,
    TlsStream,
)
from tests.host.tls_records import Records

FLOOD_BYTES_MAX = 20 * BARE_BYTES_MAX
# Where nobody puts an end to it.
PATIENCE_S = 30
# Only there so that a fault cannot hang the tests.
FLOODS: dict[str, Callable[[Records], bytes]] = {
    "new keys": lambda records: records.key_updates(),
    "new keys that ask for others": lambda records: records.key_updates(asking=True),
    "tickets": lambda records: records.tickets(),
    "empty words": lambda records: b"".join(records.words(b"") for _ in range(30)) + records.key_updates(1),
}


class Line(socket.socket):
    """Notes how much each call took off it. With ``sends_max`` it hands over no more, and each second time nothing."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(fileno=end.detach())
        self.taken: list[int] = []
        self.sends_max: int | None = None
        self._balks = False

    def recv(self, bytes_max: int, flags: int = 0) -> bytes:
        came = super().recv(bytes_max, flags)
        self.taken.append(len(came))
        return came

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        self._balks = self.sends_max is not None and not self._balks
        if self._balks or self.sends_max == 0:
            raise BlockingIOError
        return super().send(data[: self.sends_max], flags)


@dataclass
class Meeting:
    """Both ends of a connection that stands; what the server does next it does as it is told, on a thread."""

    line: Line
    stream: TlsStream
    server: ssl.SSLSocket
    records: Records

    def going_on(self, do: Callable[[], object]) -> threading.Thread:
        def quietly() -> None:
            with suppress(OSError):
                do()

        thread = threading.Thread(target=quietly, daemon=True)
        thread.start()
        return thread

    def flood(self, name: str) -> None:
        """Records without a word, until nobody takes them."""
        sent = 0
        while sent < FLOOD_BYTES_MAX:
            piece = FLOODS[name](self.records)
            self.records.write(piece)
            sent += len(piece)


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    authority = create_authority(tmp_path / "ca", "test")
    identity = issue_server(authority, tmp_path / "server", "server")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key)
    tls.num_tickets = 0
    tls.keylog_filename = str(tmp_path / "keys")
    ours, theirs = socket.socketpair()
    line = Line(ours)
    line.settimeout(PATIENCE_S)
    theirs.settimeout(PATIENCE_S)
    stream = TlsStream(line, client_context(authority.path), "localhost")
    shaking = threading.Thread(target=stream.do_handshake)
    shaking.start()
    server = tls.wrap_socket(theirs, server_side=True)
    shaking.join(PATIENCE_S)
    with stream, server:
        yield Meeting(line, stream, server, Records(server, tmp_path / "keys"))


@pytest.mark.parametrize("name", FLOODS)
def test_records_without_end_are_taken_a_piece_a_call_and_refused_by_name(meeting: Meeting, name: str) -> None:
    meeting.going_on(lambda: meeting.flood(name))
    meeting.stream.setblocking(False)
    meeting.line.taken.clear()
    turns = [0]

    def take_turns() -> None:
        while True:
            select.select([meeting.stream], [], [], PATIENCE_S)
            turns[0] += 1
            with suppress(ssl.SSLWantReadError):
                meeting.stream.recv(1_000)

    with pytest.raises(TlsRefused, match="without a word of use"):
        take_turns()
    assert len(meeting.line.taken) <= turns[0]
    assert max(meeting.line.taken) <= PIECE_BYTES
    assert sum(meeting.line.taken) <= BARE_BYTES_MAX + PIECE_BYTES


@pytest.mark.parametrize("name", FLOODS)
def test_whoever_waits_is_told_of_records_without_end_too(meeting: Meeting, name: str) -> None:
    meeting.going_on(lambda: meeting.flood(name))
    meeting.line.taken.clear()
    with pytest.raises(TlsRefused, match="without a word of use"):
        meeting.stream.recv(1_000)
    assert sum(meeting.line.taken) <= BARE_BYTES_MAX + PIECE_BYTES


def test_a_line_that_is_never_silent_lets_nobody_wait_beyond_his_time(meeting: Meeting) -> None:
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.01):
            meeting.records.write(meeting.records.key_updates(1))

    dripping = meeting.going_on(drip)
    meeting.stream.settimeout(0.3)
    with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
        meeting.stream.recv(1_000)
    over.set()
    dripping.join(PATIENCE_S)


def heard(stream: TlsStream) -> Iterator[bytes]:
    """What comes, for as long as it does."""
    while came := stream.recv(1_000):
        yield came


@contextmanager
def greeting(authority: Authority, do: Callable[[socket.socket], object], patience_s: float) -> Iterator[TlsStream]:
    """A stream whose other end does that, and has not shaken hands."""
    ours, theirs = socket.socketpair()
    line = Line(ours)
    line.settimeout(patience_s)
    theirs.settimeout(PATIENCE_S)

    def quietly() -> None:
        with theirs, suppress(OSError):
            do(theirs)

    serving = threading.Thread(target=quietly, daemon=True)
    serving.start()
    yield TlsStream(line, client_context(authority.path), "localhost")
    serving.join(PATIENCE_S)


def test_a_handshake_longer_than_any_honest_one_is_refused_by_name_and_closed(tmp_path: Path) -> None:
    authority = create_authority(tmp_path / "ca", "test")
    identity = issue_server(authority, tmp_path / "server", "server")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(identity.certificate.read_bytes() + authority.path.read_bytes() * (BARE_BYTES_MAX // 300))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, identity.key)
    with greeting(authority, lambda end: tls.wrap_socket(end, server_side=True), PATIENCE_S) as stream:
        with pytest.raises(TlsRefused, match="without a word of use"):
            stream.do_handshake()
        assert stream.fileno() == -1


def test_whoever_is_turned_away_is_told_why(tmp_path: Path) -> None:
    """It is in the server's log that its operator looks first."""
    authority, other = create_authority(tmp_path / "ca", "test"), create_authority(tmp_path / "other", "test")
    identity = issue_server(other, tmp_path / "server", "server")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key)
    told: list[str] = []

    def shake_hands(end: socket.socket) -> None:
        try:
            tls.wrap_socket(end, server_side=True)
        except ssl.SSLError as error:
            told.append(error.reason)

    with greeting(authority, shake_hands, PATIENCE_S) as stream, pytest.raises(ssl.SSLCertVerificationError):
        stream.do_handshake()
    assert told == ["TLSV1_ALERT_UNKNOWN_CA"]


def test_a_handshake_that_comes_byte_by_byte_has_its_time_in_all(tmp_path: Path) -> None:
    def drip(end: socket.socket) -> None:
        end.sendall(b"\x16\x03\x03\x40\0")
        for _ in range(PIECE_BYTES):
            end.sendall(b"\2")
            time.sleep(0.01)

    with greeting(create_authority(tmp_path / "ca", "test"), drip, 0.3) as stream:
        with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
            stream.do_handshake()
        assert stream.fileno() == -1


def test_a_session_of_years_with_new_keys_at_each_ping_is_never_too_much(meeting: Meeting) -> None:
    pings = BARE_BYTES_MAX // 27 + 100

    def live() -> None:
        for _ in range(pings):
            meeting.records.write(meeting.records.key_updates(1) + meeting.records.words(b"\xd0\0"))

    meeting.going_on(live)
    came = 0
    while came < 2 * pings:
        came += len(meeting.stream.recv(1_000))


def test_a_word_now_and_then_does_not_pay_for_records_without_end(meeting: Meeting) -> None:
    def flood() -> None:
        for _ in range(FLOOD_BYTES_MAX // PIECE_BYTES):
            meeting.records.write(meeting.records.tickets() + meeting.records.words(b"x"))

    meeting.going_on(flood)
    words: list[bytes] = []
    with pytest.raises(TlsRefused, match="without a word of use"):
        words.extend(heard(meeting.stream))
    assert len(words) <= BARE_BYTES_MAX // (PIECE_BYTES - BESIDE_BYTES)


def test_words_that_are_read_byte_by_byte_do_not_pay_for_records_without_end(meeting: Meeting) -> None:
    """As the head of each packet is: what a record earns, it earns once."""
    words = b"x" * 100

    def flood() -> None:
        for _ in range(FLOOD_BYTES_MAX // PIECE_BYTES):
            meeting.records.write(meeting.records.tickets() + meeting.records.words(words))

    def read_on() -> None:
        while True:
            assert meeting.stream.recv(1) == b"x"

    meeting.going_on(flood)
    with pytest.raises(TlsRefused, match="without a word of use"):
        read_on()


def test_many_words_of_use_leave_nothing_over_for_records_without_end_behind_them(meeting: Meeting) -> None:
    """A session of hours would else have earned a broker megabytes that nobody looks at."""
    words = 500

    def flood() -> None:
        for _ in range(words):
            meeting.records.write(meeting.records.words(b"x"))
        meeting.flood(next(iter(FLOODS)))

    before = sum(meeting.line.taken)
    meeting.going_on(flood)
    with pytest.raises(TlsRefused, match="without a word of use"):
        list(heard(meeting.stream))
    pieces = 2 * PIECE_BYTES  # the one that the last word came in, and the one that was too much
    assert sum(meeting.line.taken) - before <= words * 30 + BARE_BYTES_MAX + pieces


def test_who_asks_for_answers_and_takes_none_is_refused_before_they_have_our_memory(meeting: Meeting) -> None:
    meeting.line.sends_max = 0
    answers = BESIDE_BYTES // 27 - 1

    def ask() -> None:
        for _ in range(2 * UNTAKEN_BYTES_MAX // (27 * answers)):
            meeting.records.write(meeting.records.key_updates(answers, asking=True) + meeting.records.words(b"x"))

    meeting.going_on(ask)
    words: list[bytes] = []
    with pytest.raises(TlsRefused, match="takes none"):
        words.extend(heard(meeting.stream))
    assert 27 * answers * len(words) <= UNTAKEN_BYTES_MAX + PIECE_BYTES


def test_what_is_here_already_is_told_though_the_line_is_silent(meeting: Meeting) -> None:
    """A whole packet may lie in memory: whoever selected would wait for the next."""
    three = b"".join(meeting.records.words(bytes([n]) * 10) for n in range(3))
    begun = meeting.records.words(b"late")
    meeting.records.write(three + begun[:7])
    meeting.stream.setblocking(False)
    select.select([meeting.stream], [], [], PATIENCE_S)
    came = meeting.stream.recv(1)
    assert select.select([meeting.stream], [], [], 0)[0] == []
    assert meeting.stream.pending() > 0
    rest: list[bytes] = []
    with pytest.raises(ssl.SSLWantReadError):
        rest.extend(heard(meeting.stream))
    assert came + b"".join(rest) == bytes(10) + b"\1" * 10 + b"\2" * 10
    assert meeting.stream.pending() == 0, "half a record is nothing to come back for at once"
    meeting.records.write(begun[7:])
    select.select([meeting.stream], [], [], PATIENCE_S)
    assert meeting.stream.recv(10) == b"late"


def test_of_two_orders_that_come_in_one_piece_the_second_does_not_wait_for_the_next_word(meeting: Meeting) -> None:
    """Each in a record of its own, and each read whole: nothing is left of the first, and the line is silent."""
    meeting.records.write(meeting.records.words(b"an order") + meeting.records.words(b"an emergency"))
    meeting.stream.setblocking(False)
    select.select([meeting.stream], [], [], PATIENCE_S)
    assert meeting.stream.recv(8) == b"an order"
    assert select.select([meeting.stream], [], [], 0)[0] == []
    assert meeting.stream.pending() > 0
    assert meeting.stream.recv(100) == b"an emergency"
    assert meeting.stream.pending() == 0


@pytest.mark.parametrize("sends_max", [1, 7, 1_000])
def test_what_the_kernel_takes_in_parts_arrives_whole_and_once(meeting: Meeting, sends_max: int) -> None:
    said = bytes(range(256)) * 100
    got = bytearray()

    def listen() -> None:
        while len(got) < len(said):
            got.extend(meeting.server.recv(1_000))

    listening = meeting.going_on(listen)
    meeting.stream.setblocking(False)
    meeting.line.sends_max = sends_max
    left, refused = said, 0
    while left:
        try:
            left = left[meeting.stream.send(left) :]
        except ssl.SSLWantWriteError:
            refused += 1
    listening.join(PATIENCE_S)
    assert bytes(got) == said
    assert refused > 1


def with_half_a_ticket(meeting: Meeting) -> bytes:
    """TLS has it, and writes nothing before it has the rest, which is returned."""
    begin, rest = meeting.records.ticket_in_two()
    meeting.records.write(begin)
    meeting.stream.setblocking(False)
    select.select([meeting.stream], [], [], PATIENCE_S)
    with pytest.raises(ssl.SSLWantReadError):
        meeting.stream.recv(100)
    return rest


def test_half_a_ticket_has_nobody_who_sends_wait_beyond_his_time_and_the_rest_lets_him_send(meeting: Meeting) -> None:
    rest = with_half_a_ticket(meeting)
    meeting.stream.settimeout(0.3)
    with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
        meeting.stream.send(b"a word")
    meeting.stream.settimeout(PATIENCE_S)
    meeting.records.write(rest)
    meeting.stream.sendall(b"a word")
    assert meeting.server.recv(100) == b"a word"


def test_half_a_ticket_has_nobody_who_selects_try_without_a_pause(meeting: Meeting) -> None:
    """The line is writable all the while: a broker took a whole core so, for as long as it may be silent."""
    rest = with_half_a_ticket(meeting)
    tries, until = 0, time.monotonic() + 0.5
    while time.monotonic() < until:
        select.select([], [meeting.stream], [], PATIENCE_S)
        with pytest.raises(ssl.SSLWantReadError):
            meeting.stream.send(b"a ping")
        tries += 1
    assert tries <= 6
    meeting.records.write(rest)
    with pytest.raises(ssl.SSLWantReadError):
        meeting.stream.recv(100)
    assert meeting.stream.send(b"a ping") == 6
    assert meeting.server.recv(100) == b"a ping"


def test_a_file_keeps_the_line_until_it_is_closed_too(meeting: Meeting) -> None:
    file = meeting.stream.makefile("rb")
    meeting.stream.close()
    meeting.server.sendall(b"the rest\n")
    assert file.readline() == b"the rest\n"
    assert meeting.stream.fileno() >= 0
    file.close()
    assert meeting.stream.fileno() == -1


def test_an_end_is_an_end_with_a_goodbye_and_without(meeting: Meeting) -> None:
    meeting.server.sendall(b"so far")
    socket.socket.shutdown(meeting.server, socket.SHUT_RDWR)
    assert [meeting.stream.recv(100) for _ in range(3)] == [b"so far", b"", b""]


def test_what_has_come_already_is_not_read_on_when_somebody_has_hung_up(meeting: Meeting) -> None:
    """A routine download would keep a warning waiting for all that the kernel holds of it."""
    meeting.server.sendall(bytes(4 * PIECE_BYTES))
    assert meeting.stream.recv(1) == b"\0"
    meeting.stream.hang_up()
    assert sum(len(came) for came in heard(meeting.stream)) < 2 * PIECE_BYTES


def test_whoever_waits_is_told_when_somebody_hangs_up(meeting: Meeting) -> None:
    ended: list[bytes] = []
    waiting = meeting.going_on(lambda: ended.append(meeting.stream.recv(100)))
    meeting.stream.hang_up()
    waiting.join(PATIENCE_S)
    assert ended == [b""]
