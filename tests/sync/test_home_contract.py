"""What every home server's client promises, held against the fake and against real HTTPS; and hostile servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from edge_agent.headend.pki import create_authority
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Patience, Trust
from edge_agent.sync.port import HomeServer, NotRead
from tests.fakes.home import FakeHome
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock

MOST = 2_048
PAPER = bytes(range(256)) * 8
HEAD = Path(__file__).parents[2] / "docs" / "examples" / "head.json"
HANDSHAKE_BYTES = 5_000
# With our certificates, and an answer's head.
SHORT = Patience(stall_s=0.5, slack_s=1.5, rate_bytes_s_min=10**9)
SILENCE = Patience(stall_s=2)
# For servers that let one wait; on a busy machine an honest one may take as long.


class Rig(Protocol):
    home: HomeServer

    def serve(self, path: str, content: bytes) -> None:
        """Lay content on the server."""


class FakeRig:
    def __init__(self) -> None:
        self.fake = FakeHome()
        self.home: HomeServer = self.fake

    def serve(self, path: str, content: bytes) -> None:
        self.fake.files[path] = content


class HttpsRig:
    def __init__(self, content: Content, patience: Patience | None = None, authority: Path | None = None) -> None:
        self.content = content
        trust = Trust(authority or content.authority.path, host_clock)
        self.home: HomeServer = HttpsHome(f"https://localhost:{content.port}/", trust, patience or Patience())

    def serve(self, path: str, content: bytes) -> None:
        self.content.put(path.removeprefix("/"), content)


@contextmanager
def https_rig(directory: Path) -> Iterator[HttpsRig]:
    with running_content(directory) as content:
        yield HttpsRig(content)


@pytest.fixture(params=["fake", "https"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    with https_rig(tmp_path) as real:
        yield real


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[HttpsRig]:
    with https_rig(tmp_path) as real:
        real.serve("/paper/a", PAPER)
        yield real


def test_what_lies_there_is_read_whole_in_the_order_that_was_asked(rig: Rig) -> None:
    rig.serve("/head/area/vn", b"one")
    rig.serve("/head/station/tram-01", b"two")
    assert rig.home.get(["/head/station/tram-01", "/head/area/vn"], MOST) == (b"two", b"one")


def test_where_nobody_answers_a_question_there_is_no_answer(rig: Rig) -> None:
    assert isinstance(rig.home.post("/hello/tram-01", b"hello", MOST), NotRead)


def test_what_is_not_there_takes_nothing_else_with_it(rig: Rig) -> None:
    rig.serve("/head/area/vn", b"one")
    missing, there, gone = rig.home.get(["/head/area/x", "/head/area/vn", "/head/area/y"], MOST)
    assert there == b"one"
    assert isinstance(missing, NotRead)
    assert isinstance(gone, NotRead)


def test_an_empty_file_is_a_file(rig: Rig) -> None:
    rig.serve("/paper/a", b"")
    assert rig.home.get(["/paper/a"], MOST) == (b"",)


def test_what_is_as_long_as_it_may_be_is_read_and_one_byte_more_is_not(rig: Rig) -> None:
    rig.serve("/paper/a", PAPER)
    assert rig.home.get(["/paper/a"], len(PAPER)) == (PAPER,)
    (got,) = rig.home.get(["/paper/a"], len(PAPER) - 1)
    assert isinstance(got, NotRead)


def test_what_has_come_is_counted(rig: Rig) -> None:
    rig.serve("/paper/a", PAPER)
    for times in (1, 2):
        rig.home.get(["/paper/a"], len(PAPER))
        assert times * len(PAPER) <= rig.home.came_bytes <= times * (len(PAPER) + HANDSHAKE_BYTES)


def test_nothing_asked_is_nothing_read(rig: Rig) -> None:
    assert rig.home.get([], MOST) == ()


@pytest.mark.parametrize(
    "manners",
    [Manners.ENDLESS, Manners.STALLED, Manners.DRIPPING, Manners.DRIPPING_HEAD, Manners.TRUNCATED, Manners.GONE],
)
def test_a_server_that_never_ends_gives_nothing_and_keeps_nobody(hostile: HttpsRig, manners: Manners) -> None:
    hostile.content.manners = manners
    (got,) = HttpsRig(hostile.content, SHORT).home.get(["/paper/a"], len(PAPER))
    hostile.content.ended.set()
    assert isinstance(got, NotRead)


def test_a_look_at_the_heads_costs_what_the_hour_reckons_with(hostile: HttpsRig) -> None:
    scopes = [f"/head/{name}" for name in ("station/dt-01", "area/vn", "area/vn/ha-noi", "area/vn/ha-noi/dong-thanh")]
    for path in scopes:
        hostile.serve(path, HEAD.read_bytes())
    assert all(isinstance(got, bytes) for got in hostile.home.get(scopes, MOST))
    assert hostile.home.came_bytes <= 13_000, "each with a handshake of its own: this server hangs up"


@pytest.mark.parametrize("manners", [Manners.GONE, Manners.ALTERED, Manners.STALLED, Manners.FLOOD])
def test_what_came_in_vain_is_counted_and_only_a_silence_is_called_the_lines(
    hostile: HttpsRig, manners: Manners
) -> None:
    hostile.content.manners, hostile.content.cut_at = manners, len(PAPER) - 1
    hostile.content.raw = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1;" + b"x" * 60_000 + b"\r\nA\r\n",
    ]
    home = HttpsRig(hostile.content, SILENCE).home
    (got,) = home.get(["/paper/a"], len(PAPER))
    hostile.content.ended.set()
    assert home.came_bytes > (0 if manners is Manners.GONE else len(PAPER))
    if manners is not Manners.ALTERED:
        assert isinstance(got, NotRead)
        assert got.broke_off is (manners is Manners.STALLED)


def test_behind_an_answer_that_was_left_the_next_is_asked_for_on_a_line_of_its_own(hostile: HttpsRig) -> None:
    """The line of the first would be kept, and what is left of it there would be in the way of the next."""
    hostile.content.manners = Manners.RAW
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found"
    hostile.content.raw = [gone, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npaper"]
    first, second = hostile.home.get(["/paper/a", "/paper/b"], MOST)
    assert isinstance(first, NotRead)
    assert second == b"paper"


def test_an_endless_answer_costs_no_more_than_was_asked_for(hostile: HttpsRig) -> None:
    hostile.content.manners = Manners.ENDLESS
    (got,) = hostile.home.get(["/paper/a"], 100)
    assert got == NotRead("HTTPException: more than 100 bytes")


def test_a_redirect_is_not_followed(hostile: HttpsRig) -> None:
    hostile.content.manners = Manners.REDIRECT
    hostile.content.location = f"https://localhost:{hostile.content.port}/paper/a"
    (got,) = hostile.home.get(["/elsewhere"], MOST)
    assert got == NotRead("HTTPException: HTTP 302")
    assert len(hostile.content.asked) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-ffffffffffffffffffff\r\nx",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
    ],
)
def test_an_answer_that_is_none_gives_nothing(hostile: HttpsRig, raw: bytes) -> None:
    hostile.content.manners, hostile.content.raw = Manners.RAW, [raw]
    (got,) = hostile.home.get(["/paper/a"], MOST)
    assert isinstance(got, NotRead) or got == b"x", "an impossible length is no length"


def test_somebody_elses_certificate_is_not_believed(hostile: HttpsRig, tmp_path: Path) -> None:
    other = create_authority(tmp_path / "other", "other")
    (got,) = HttpsRig(hostile.content, authority=other.path).home.get(["/paper/a"], MOST)
    assert isinstance(got, NotRead)
    assert "the server's certificate is of another authority" in got.detail
    assert not hostile.content.asked


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with running_content(tmp_path) as content:
        rig = HttpsRig(content)
    (got,) = rig.home.get(["/paper/a"], MOST)
    assert isinstance(got, NotRead)
    assert (got.broke_off, rig.home.came_bytes) == (True, 0)
