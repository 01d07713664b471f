"""How long a connection may take to come about, and to be read from: no name, address or server holds us longer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.identity import asking
from edge_agent.sync import resolving
from edge_agent.sync.dial import connected, dial
from edge_agent.sync.https import Patience
from edge_agent.sync.port import Fetched, FetchFailed
from edge_agent.sync.tls import client_context
from edge_agent.sync.tls_stream import TlsStream
from edge_agent.trust.keys import new_signer
from tests.host.content import Content, running_content
from tests.sync.test_hostile_server import AUDIO, KEY, Cache
from tests.sync.test_live_stream import SOUND

PHONE_BOOK = 30
# Addresses of one name, as a DNS answer over TCP may hold.
TRIES = 30
# Of two addresses one is never the first of so many tries: once in 10^9 runs.
PATIENCE_S = 60


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    with running_content(tmp_path) as served:
        yield served


class Dialled:
    """Stands in for the resolver: every name has the addresses it is given. ``given_s``: how long each was asked.

    By this thread: others of the process (a library's, that makes itself a pair of sockets) connect as they like.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.given_s: list[float] = []
        connect, ours = socket.socket.connect, threading.get_ident()

        def connecting(sock: socket.socket, address: Any) -> None:
            if threading.get_ident() == ours:
                self.given_s.append(sock.gettimeout() or 0)
            connect(sock, address)

        monkeypatch.setattr(resolving, "known", lambda host: list(addresses))
        monkeypatch.setattr(socket.socket, "connect", connecting)


@contextmanager
def nobody_answers(address: str, port: int) -> Iterator[int]:
    """A port whose queue is full: whoever connects hears nothing, as from a host that drops packets."""
    with socket.socket() as full, ExitStack() as held:
        full.bind((address, port))
        full.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield int(full.getsockname()[1])


def test_a_name_with_hundreds_of_dead_addresses_holds_nobody_longer_than_a_file_may_take(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(1, 2, 10**9)
    with nobody_answers("127.0.0.1", 0) as port:
        dialled = Dialled(monkeypatch, *["127.0.0.1"] * PHONE_BOOK)
        got = Cache(tmp_path, content).fetch(f"https://localhost:{port}/a", patience=patience)
    assert isinstance(got, FetchFailed)
    assert len(dialled.given_s) == 4
    assert sum(dialled.given_s) <= patience.total_s(len(AUDIO))


def test_an_identity_is_asked_for_at_few_addresses_too(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    with nobody_answers("127.0.0.1", 0) as port:
        dialled = Dialled(monkeypatch, *["127.0.0.1"] * PHONE_BOOK)
        server = asking.Server(f"https://localhost:{port}", answer_s=2)
        with pytest.raises(asking.NoIdentity):
            asking.renew(server, "test", "dt-01", new_signer(), b"csr")
    assert len(dialled.given_s) == 4
    assert sum(dialled.given_s) <= 2


def test_neither_a_name_nor_an_address_has_longer_than_a_silence_may_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the whole may take: of half an hour a dead name server or address would have had it all."""
    asked_s: list[float] = []

    def asked(host: str, within_s: float) -> list[str]:
        asked_s.append(within_s)
        return ["127.0.0.1", "127.0.0.1"]

    dialled = Dialled(monkeypatch)
    monkeypatch.setattr(resolving, "_asked", asked)
    with pytest.raises(ConnectionRefusedError):
        connected("content.example", 1, 7, time.monotonic() + 1_000)
    assert (asked_s, dialled.given_s) == ([7], [7, 7])


def test_an_address_that_is_dead_leaves_time_for_the_next(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path, content)
    with nobody_answers("127.0.0.9", content.port):
        Dialled(monkeypatch, "127.0.0.9", "127.0.0.1")
        assert cache.fetch(patience=Patience(6, 6, 10**9)) == Fetched(cache.root / KEY)


def test_an_address_that_takes_whoever_comes_and_says_nothing_is_not_the_one_that_is_asked_each_time(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs, or a way on which large packets are lost: connecting goes well there, and nothing behind."""
    cache = Cache(tmp_path, content)
    monkeypatch.setattr(resolving, "known", lambda host: ["127.0.0.9", "127.0.0.1"])
    with socket.create_server(("127.0.0.9", content.port)):
        got = (cache.fetch(patience=Patience(0.4, 0.8, 10**9)) for _ in range(TRIES))
        assert Fetched(cache.root / KEY) in got


def test_a_server_that_is_never_late_lets_nobody_read_on_beyond_the_deadline_either(content: Content) -> None:
    content.put("a", SOUND)
    context = client_context(content.authority.path)
    with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        assert len(sock.recv(10)) == 10
        assert sock.pending() > 0
        sock.deadline = time.monotonic()
        with pytest.raises(TimeoutError, match="too slow"):
            sock.recv(10)


def test_a_silence_is_sat_out_no_longer_than_to_the_deadline(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    sat_s: list[float] = []
    poll = TlsStream._poll

    def noted(stream: TlsStream, wanted: int, within_s: float) -> None:
        sat_s.append(within_s)
        poll(stream, wanted, min(within_s, 0.1))

    context = client_context(content.authority.path)
    with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:
        monkeypatch.setattr(TlsStream, "_poll", noted)
        sock.deadline = time.monotonic() + 2
        with pytest.raises(TimeoutError):
            sock.recv(10)
    assert 0 < max(sat_s) <= 2


def test_a_deadline_that_is_met_within_a_silence_is_told_as_the_deadline(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = client_context(content.authority.path)
    with dial("localhost", content.port, context, 60, time.monotonic() + 60) as sock:

        def silent(*_: object) -> None:
            sock.deadline = time.monotonic()
            raise TimeoutError("nothing of use")

        monkeypatch.setattr(TlsStream, "_wait", silent)
        with pytest.raises(TimeoutError, match="too slow"):
            sock.recv(10)


@pytest.mark.parametrize(("address", "heads"), [("127.0.0.1", 40), ("::1", 60)])
def test_no_packet_either_way_is_larger_than_every_way_carries(address: str, heads: int) -> None:
    """A larger one is lost in a SIM's tunnel without a word: names and connections, and never a handshake."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 0), family=family) as server,
        connected(address, server.getsockname()[1], PATIENCE_S, time.monotonic() + PATIENCE_S) as ours,
        server.accept()[0] as theirs,
    ):
        for end in (ours, theirs):
            assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + heads <= 1_280
