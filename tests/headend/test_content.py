"""The content server over real TLS: whole files, ranges, resume; and nothing that was not named by its digest."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge_agent.headend import https_server, pki
from edge_agent.headend.content import ContentServer, Span, add_clip, wanted_span
from edge_agent.headend.places import PLACES_MAX, PLACES_PER_ADDRESS_MAX
from tests.headend.shown_certificate import names_shown
from tests.sync import old_mail

AUDIO = bytes(range(256)) * 1000
TIMEOUT_S = 30


class Client:
    """One keep-alive connection that trusts only the demo's authority."""

    def __init__(self, authority: Path, port: int, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        tls = ssl.create_default_context(cafile=str(authority))
        tls.maximum_version = newest
        self.connection = http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT_S, context=tls)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers=named)
        answer = self.connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ContentServer]:
    authority = pki.create_authority(tmp_path / "pki", "demo")
    identity = pki.issue_server(authority, tmp_path / "pki", "content")
    with ContentServer(tmp_path / "clips", identity) as running:
        yield running


@pytest.fixture
def client(server: ContentServer, tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path / "pki" / "ca.pem", server.port)
    yield client
    client.connection.close()


@pytest.fixture
def digest(server: ContentServer, tmp_path: Path) -> str:
    (tmp_path / "bulletin.mp3").write_bytes(AUDIO)
    return add_clip(server.directory, tmp_path / "bulletin.mp3")


def test_a_clip_is_served_whole(client: Client, digest: str) -> None:
    status, headers, body = client.ask("GET", f"/clip/{digest}")
    assert (status, body) == (200, AUDIO)
    assert headers["Accept-Ranges"] == "bytes"


def test_head_tells_the_length_and_sends_nothing(client: Client, digest: str) -> None:
    status, headers, body = client.ask("HEAD", f"/clip/{digest}")
    assert (status, headers["Content-Length"], body) == (200, str(len(AUDIO)), b"")
    assert client.ask("GET", f"/clip/{digest}")[2] == AUDIO  # the connection is still in step


def test_a_cut_download_goes_on_where_it_stopped(client: Client, digest: str) -> None:
    status, headers, body = client.ask("GET", f"/clip/{digest}", Range="bytes=1000-")
    assert (status, body) == (206, AUDIO[1000:])
    assert headers["Content-Range"] == f"bytes 1000-{len(AUDIO) - 1}/{len(AUDIO)}"


def test_a_range_behind_the_end_is_416_and_tells_the_size(client: Client, digest: str) -> None:
    status, headers, body = client.ask("GET", f"/clip/{digest}", Range=f"bytes={len(AUDIO)}-")
    assert (status, headers["Content-Range"], body) == (416, f"bytes */{len(AUDIO)}", b"")


def test_a_range_of_another_version_gets_the_whole_clip(client: Client, digest: str) -> None:
    whole = client.ask("GET", f"/clip/{digest}", Range="bytes=10-", If_Range='"something else"')
    assert (whole[0], whole[2]) == (200, AUDIO)
    rest = client.ask("GET", f"/clip/{digest}", Range="bytes=10-", If_Range=f'"{digest}"')
    assert (rest[0], rest[2]) == (206, AUDIO[10:])


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, Span(0, 99)),
        ("bytes=0-0", Span(0, 0)),
        ("bytes=10-19", Span(10, 19)),
        ("bytes=10-", Span(10, 99)),
        ("bytes=90-500", Span(90, 99)),
        ("bytes=-5", Span(95, 99)),
        ("bytes=-500", Span(0, 99)),
        ("bytes=-", Span(0, 99)),
        ("bytes=0-1,5-6", Span(0, 99)),
        ("lines=1-2", Span(0, 99)),
        ("bytes=100-", None),
        ("bytes=20-10", None),
        ("bytes=-0", None),
    ],
)
def test_ranges(header: str | None, span: Span | None) -> None:
    assert wanted_span(header, 100) == span


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/clip/",
        "/clip/..%2f..%2fpki%2fca.key",
        "/clip/../pki/ca.key",
        "/pki/ca.key",
        "/root/",
        "/root/0",
        "/root/../pki/ca.key",
    ],
)
def test_nothing_is_found_by_any_other_name(client: Client, digest: str, path: str) -> None:
    assert client.ask("GET", path)[0::2] == (404, b"")


def test_an_unknown_digest_is_404(client: Client) -> None:
    assert client.ask("GET", "/clip/" + "0" * 64)[0] == 404


def test_older_tls_is_refused(server: ContentServer, tmp_path: Path, digest: str) -> None:
    old = Client(tmp_path / "pki" / "ca.pem", server.port, ssl.TLSVersion.TLSv1_2)
    with pytest.raises(OSError, match=r"(?i)protocol|alert|reset|closed"):
        old.ask("GET", f"/clip/{digest}")


def test_silent_clients_do_not_stop_the_next_one(server: ContentServer, client: Client, digest: str) -> None:
    with ExitStack() as silent:
        for _ in range(3):  # one after the other they would be waited for longer than our client waits
            silent.enter_context(socket.create_connection((server.host, server.port), timeout=TIMEOUT_S))
        assert client.ask("GET", f"/clip/{digest}")[0] == 200


def held(server: ContentServer, opened: ExitStack, count: int, begun: bytes = b"GET /") -> list[ssl.SSLSocket]:
    """Connections of whoever needs no key for it, with the first bytes of a question on each."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    made = []
    for _ in range(count):
        plain = socket.create_connection((server.host, server.port), timeout=TIMEOUT_S)
        made.append(opened.enter_context(anybody.wrap_socket(plain)))
        made[-1].sendall(begun)
    return made


def patiently(connection: https_server.Connection) -> None:
    """Whoever asks has all the time for it, however little there is for each block of an answer."""
    connection.until, connection.bytes_left = time.monotonic() + TIMEOUT_S, https_server.QUESTION_BYTES_MAX


def ended(line: ssl.SSLSocket) -> bool:
    """Whether the server has hung up; waits for it."""
    try:
        return not line.recv(1)
    except OSError as error:
        return not isinstance(error, TimeoutError)


def test_whoever_asks_is_answered_while_more_than_all_places_owe_their_question(
    server: ContentServer, client: Client, digest: str
) -> None:
    with ExitStack() as opened:
        lines = held(server, opened, PLACES_MAX + 5)
        for _ in range(3):
            assert client.ask("GET", f"/clip/{digest}")[0] == 200
            client.connection.close()
        assert all(ended(line) for line in lines[: PLACES_MAX + 5 - PLACES_PER_ADDRESS_MAX])
        lines[-1].sendall(f"clip/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" in lines[-1].recv(4096), "the newest keep their places"


def test_a_question_that_comes_byte_by_byte_has_one_deadline(
    server: ContentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https_server, "QUESTION_S", 1)
    with ExitStack() as opened:
        (line,) = held(server, opened, 1)
        line.settimeout(0.1)
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:  # never silent for as long as a second
            try:
                line.sendall(b"a")
                if not line.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
    raise AssertionError("it holds its place for ever")


@pytest.mark.deep
def test_a_question_without_end_is_not_kept_in_memory(server: ContentServer, client: Client, digest: str) -> None:
    with ExitStack() as opened:
        (line,) = held(server, opened, 1, b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for _ in range(90):  # http.server takes a hundred headers, and waits for the end of them
                line.sendall(b"a: " + b"x" * 65_000 + b"\r\n")
        line.settimeout(https_server.QUESTION_S / 3)
        assert ended(line), "at once, and not when its time is over"
    for _ in range(200):  # each question of a line has as much anew
        assert client.ask("GET", f"/clip/{digest}", Range="bytes=0-0", Said="x" * 1_000)[0] == 206


def test_a_question_is_not_read_as_mail_for_a_stranger_could_keep_the_core_with_it(
    client: Client, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_mail.read_as_on_3_11(monkeypatch)
    assert client.ask("GET", f"/clip/{digest}", Content_Type=old_mail.TWO_BOUNDARIES)[0] == 200


def test_whoever_takes_an_answer_more_slowly_than_a_station_may_is_let_go(
    server: ContentServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https_server, "QUESTION_S", 0.5)
    monkeypatch.setattr(https_server, "FETCH_BYTES_S_MIN", 1_000_000)
    monkeypatch.setattr(https_server.Connection, "expect_question", patiently)
    clip = b"x" * 32_000_000  # more than the buffers of both ends together
    (tmp_path / "long.mp3").write_bytes(clip)
    digest = add_clip(server.directory, tmp_path / "long.mp3")
    with ExitStack() as opened:
        (line,) = held(server, opened, 1)
        line.sendall(f"clip/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        taken = 0
        for _ in range(50):  # 10 kB a second, for several times as long as a block may take
            taken += len(line.recv(1_000))
            time.sleep(0.1)
        with contextlib.suppress(OSError):
            while block := line.recv(65_536):
                taken += len(block)
    assert 0 < taken < len(clip)


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /\r127.0.0.1 \x22POST\x1b[2K\x1b[1A\x1b]0;owned\x07 HTTP/1.1",
        b"GET /\x9b2J\x85x HTTP/1.1",
        b"\x1b[2J\x1b[31mok",
        b"GET /" + b"\x1b[2J" * 10_000 + b" HTTP/1.1",
    ],
)
def test_what_anybody_asks_is_noted_on_one_short_line_that_moves_no_cursor(tmp_path: Path, asked: bytes) -> None:
    identity = pki.issue_server(pki.create_authority(tmp_path / "pki", "demo"), tmp_path / "pki", "content")
    noted: list[str] = []
    with ContentServer(tmp_path / "clips", identity, note=noted.append) as server, ExitStack() as opened:
        anybody = held(server, opened, 1, b"")[0]
        anybody.sendall(asked + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        while not ended(anybody):
            continue
    assert noted
    assert all(line.isprintable() for line in noted)
    assert max(map(len, noted)) < 2_000


def test_plain_http_gets_no_answer(server: ContentServer, digest: str) -> None:
    with socket.create_connection((server.host, server.port), timeout=TIMEOUT_S) as plain:
        plain.sendall(f"GET /clip/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" not in plain.recv(4096)


def test_a_renewed_certificate_is_shown_to_who_connects_next_and_no_download_is_cut(
    server: ContentServer, client: Client, digest: str, tmp_path: Path
) -> None:
    authority = tmp_path / "pki" / "ca.pem"
    assert client.ask("GET", f"/clip/{digest}", Range="bytes=0-9")[2] == AUDIO[:10]
    issued = pki.Issued(tmp_path / "pki" / "content.pem", tmp_path / "pki" / "content.key")
    pki.renew(pki.load_authority(tmp_path / "pki"), issued, ["content.moi.vn"])
    assert "content.moi.vn" not in names_shown(server.port, authority)
    server.see_certificate()
    assert "content.moi.vn" in names_shown(server.port, authority)
    assert client.ask("GET", f"/clip/{digest}")[2] == AUDIO  # on the line of before


def test_a_spoiled_new_certificate_is_told_once_and_the_old_one_is_shown(server: ContentServer, tmp_path: Path) -> None:
    authority, file = tmp_path / "pki" / "ca.pem", tmp_path / "pki" / "content.pem"
    before = names_shown(server.port, authority)
    for spoiled in ("half a file", authority.read_text()):  # the latter: of another key
        file.write_text(spoiled)
        with pytest.raises(OSError):  # noqa: PT011
            server.see_certificate()
        server.see_certificate()
        assert names_shown(server.port, authority) == before
    file.unlink()
    server.see_certificate()
    assert names_shown(server.port, authority) == before
