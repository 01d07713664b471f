"""What a server says is told in one short line: it may have been chosen to make a log lie. And which port is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from edge_agent.identity import asking
from edge_agent.sync import https
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import PATIENCE, WHY_CHARS_MAX, Trust
from edge_agent.sync.port import FetchFailed, NotRead
from edge_agent.trust.keys import new_signer
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock
from tests.sync.test_hostile_server import AUDIO, Cache

LIE = b"\x1b[2J\rCRITICAL relay zone=c1 closed \xc2\x9b" + b"A" * 12_000
# As much as may be on its way: who hangs up on a question that was not read takes the rest back.
WORDS = {
    "no status line": LIE + b"\n",
    "a version": b"HTTP/" + LIE + b" 200 OK\r\n\r\n",
    "a range": b"HTTP/1.1 206 Partial\r\nContent-Range: " + LIE.replace(b"\r", b"\t") + b"\r\n\r\n",
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 4_000 + b"\r\n\r\n",
    "another place": b"HTTP/1.1 302 Found\r\nLocation: ftp://" + LIE.replace(b"\r", b"\t") + b"\r\n\r\n",
}
OURS = 100
# Beside the server's: the address that was asked, and what is the matter.


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    with running_content(tmp_path) as served:
        yield served


def say(content: Content, name: str) -> str:
    content.manners, content.raw = Manners.RAW, [WORDS[name]] * 10
    return f"https://localhost:{content.port}"


def assert_a_line(said: str) -> None:
    assert said.isprintable()
    assert 0 < len(said) <= WHY_CHARS_MAX + OURS


@pytest.mark.parametrize("name", WORDS)
def test_a_content_server_writes_no_second_line_into_the_log(content: Content, tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path, content)
    cache.interrupted(AUDIO[:10])
    got = cache.fetch(say(content, name) + "/a")
    assert isinstance(got, FetchFailed)
    assert_a_line(got.detail)


@pytest.mark.parametrize("name", WORDS)
def test_nor_does_a_home_server(content: Content, name: str) -> None:
    home = HttpsHome(say(content, name), Trust(content.authority.path, host_clock), PATIENCE)
    for got in (home.get(["/head/area/vn"], 2_048)[0], home.post("/hello/dt-01", b"hello", 2_048)):
        assert isinstance(got, NotRead)
        assert_a_line(got.detail)


@pytest.mark.parametrize("name", WORDS)
def test_nor_does_whoever_answers_for_an_identity_move_a_technicians_cursor(content: Content, name: str) -> None:
    with pytest.raises(asking.NoIdentity) as told:
        asking.renew(asking.Server(say(content, name)), "test", "dt-01", new_signer(), b"csr")
    assert_a_line(str(told.value))


def test_an_ipv6_address_without_a_port_is_asked_at_the_usual_one(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[tuple[str, int]] = []

    def noted(host: str, port: int, *_: object) -> NoReturn:
        dialled.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(https, "dial", noted)
    monkeypatch.setattr(asking, "dial", noted)
    url = "https://[2001:db8::7]"
    HttpsHome(url, Trust(content.authority.path, host_clock), PATIENCE).get(["/head/area/vn"], 2_048)
    with pytest.raises(asking.NoIdentity):
        asking.renew(asking.Server(url), "test", "dt-01", new_signer(), b"csr")
    assert dialled == [("2001:db8::7", 443)] * 2
