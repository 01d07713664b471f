"""A live source is kept on the line whatever it does, costs no more than a live source may, and is left when told."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import MonoMs, UtcMs
from edge_agent.headend.pki import create_authority, issue_server
from edge_agent.sync.closing import Closing
from edge_agent.sync.https import Trust
from edge_agent.sync.live_stream import (
    LIVE_PATIENCE,
    RATE_BYTES_S_MAX,
    Allowance,
    Course,
    LivePatience,
    LiveStream,
)
from tests.host.content import DRIP_S, Content, Manners, running_content
from tests.host.proxy import running_proxy
from tests.sync.rigs import host_clock

SOUND = bytes(range(256)) * 100
PATIENCE_S = 120


@dataclass(frozen=True)
class OfFewBytes(LivePatience):
    """Whose bytes are soon too many, however long a source may take."""

    burst_bytes: int = 160_000  # type: ignore[misc]


PATIENT = OfFewBytes(begin_s=PATIENCE_S, stall_s=PATIENCE_S, pause_s_min=0.01, pause_s_max=0.05)
HASTY = replace(PATIENT, begin_s=1.5, stall_s=0.5)
# For what is left because of the time it takes; on a busy machine anything may take as long.


@dataclass
class FakeTaker:
    """Takes everything until it is told to refuse; what it was given makes a second of sound when it is ``good``."""

    refuses: str = ""
    good: bool = True
    got: bytearray = field(default_factory=bytearray)
    ended: int = 0
    entered: threading.Event = field(default_factory=threading.Event)
    held: threading.Event | None = None
    says: str = ""

    @property
    def sounded_ms(self) -> int:
        return 1_000 if self.good and self.got else 0

    def feed(self, block: bytes) -> str:
        assert not self.ended
        self.got += block
        self.entered.set()
        if self.held is not None:
            assert self.held.wait(PATIENCE_S)
        return self.refuses

    def end(self) -> str:
        self.ended += 1
        return self.says


class Relay:
    """A stream that is relayed by a thread of its own until the block ends."""

    def __init__(self, content: Content, patience: LivePatience, trust: Trust | None, taker: Callable[[], FakeTaker]):
        self.takers: list[FakeTaker] = []
        self.closing = Closing()
        self._content = content
        self._taker = taker
        self._stream = LiveStream(trust or Trust(content.authority.path, host_clock), patience)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.urls: tuple[str, ...] = ()
        self.died: BaseException | None = None

    def start(self, *urls: str) -> None:
        self.urls = urls
        self._thread.start()

    def close(self) -> None:
        self.closing.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "it does not end"
        assert self.died is None, self.died

    def until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.died is None, self.died
            assert time.monotonic() < until, "it never came about"
            time.sleep(0.005)

    def until_asked(self, times: int) -> None:
        self.until(lambda: len(self._content.asked) >= times)

    def paths(self) -> list[str]:
        return [path for path, _ in self._content.asked]

    def _run(self) -> None:
        try:
            self._stream.relay(self.urls, self._begin, self.closing)
        except BaseException as died:  # noqa: BLE001 - whatever it is, the test must hear of it
            self.died = died

    def _begin(self) -> FakeTaker:
        self.takers.append(self._taker())
        return self.takers[-1]


@contextlib.contextmanager
def relaying(
    content: Content,
    *urls: str,
    patience: LivePatience = PATIENT,
    trust: Trust | None = None,
    taker: Callable[[], FakeTaker] = FakeTaker,
) -> Iterator[Relay]:
    relay = Relay(content, patience, trust, taker)
    relay.start(*urls)
    try:
        yield relay
    finally:
        relay.close()


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    with running_content(tmp_path) as served:
        served.put("a", SOUND)
        served.put("b", SOUND)
        yield served


def at(content: Content, name: str) -> str:
    return f"https://localhost:{content.port}/{name}"


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_stream_that_ends_is_asked_for_again_and_each_time_has_a_taker_of_its_own_and_is_told_once(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: len(relay.takers) > 2)
    assert bytes(relay.takers[0].got) == bytes(relay.takers[1].got) == SOUND
    assert [taker.ended for taker in relay.takers] == [1] * len(relay.takers)
    assert 2 <= sum("live source is heard" in line for line in caplog.messages) <= len(relay.takers)


def test_one_that_is_cut_in_the_middle_is_asked_for_again(content: Content) -> None:
    content.manners, content.cut_at = Manners.TRUNCATED, 5_000
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: len(relay.takers) > 2)
    assert bytes(relay.takers[0].got) == SOUND[:5_000]


def test_a_source_that_falls_silent_is_left_for_the_next(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    content.manners, content.cut_at = Manners.STALLED, 5_000
    with relaying(content, at(content, "a"), at(content, "b"), patience=HASTY) as relay:
        relay.until(lambda: any("silent for 0.5 s" in line for line in reasons(caplog)))
        relay.until_asked(3)
    assert relay.paths()[:3] == ["/a", "/b", "/a"]


@pytest.mark.parametrize("manners", [Manners.DRIPPING_HEAD, Manners.DRIPPING_LENGTH])
def test_a_source_that_never_gets_to_its_sound_is_left(content: Content, manners: Manners) -> None:
    content.manners = manners
    with relaying(content, at(content, "a"), patience=HASTY) as relay:
        relay.until_asked(3)
    assert all(not taker.got for taker in relay.takers)


def test_a_source_that_is_slow_is_not_cut_by_the_time_for_its_beginning(content: Content) -> None:
    content.manners = Manners.DRIPPING
    with relaying(content, at(content, "a"), patience=replace(PATIENT, begin_s=HASTY.begin_s)) as relay:
        relay.until(lambda: bool(relay.takers) and len(relay.takers[0].got) > 3 * HASTY.begin_s / DRIP_S)
    assert len(relay.takers) == 1


def test_a_source_that_has_begun_may_be_silent_for_longer_than_its_beginning_may_take(content: Content) -> None:
    """As where the line was slow to come about: hardly any of the time for it is left."""
    content.manners, content.pause_s = Manners.ENDLESS, 1.5
    with relaying(content, at(content, "a"), patience=replace(PATIENT, begin_s=1)) as relay:
        relay.until(lambda: bool(relay.takers) and bool(relay.takers[0].got or relay.takers[0].ended))
        assert not relay.takers[0].ended


def test_another_status_than_200_is_the_next_address(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    with relaying(content, at(content, "gone"), at(content, "a")) as relay:
        relay.until(lambda: bool(relay.takers))
    assert relay.paths()[:2] == ["/gone", "/a"]
    assert "why=HTTP 404" in reasons(caplog)[0]


def test_what_the_taker_refuses_is_left_for_the_next_and_said_once(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    def taker() -> FakeTaker:
        return FakeTaker("no sound but a playlist (HLS, M3U)", good=False)

    many = LivePatience(PATIENCE_S, PATIENCE_S, PATIENT.pause_s_min, PATIENT.pause_s_max)
    # Bytes: however often they are asked before this thread has its turn.
    with relaying(content, at(content, "a"), at(content, "b"), patience=many, taker=taker) as relay:
        relay.until_asked(5)  # the fourth is over then
    assert relay.paths()[:4] == ["/a", "/b", "/a", "/b"]
    assert [("/a " in line, "a playlist" in line) for line in reasons(caplog)] == [(True, True), (False, True)]


@pytest.mark.parametrize(("refuses", "told"), [("", "no sound came of it"), ("a playlist", "a playlist")])
def test_why_nothing_came_of_a_stream_is_told_in_place_of_its_end(
    content: Content, caplog: pytest.LogCaptureFixture, refuses: str, told: str
) -> None:
    """Or whoever looks for the fault would look at a line that is sound."""
    with relaying(
        content, at(content, "a"), taker=lambda: FakeTaker(refuses, good=False, says="no sound came of it")
    ) as relay:
        relay.until(lambda: bool(reasons(caplog)))
    assert f"why={told} " in reasons(caplog)[0]


def test_after_it_has_sounded_the_next_failure_is_said_again(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: len(relay.takers) > 3)
    assert len([line for line in reasons(caplog) if "the stream ended" in line]) >= 3


def test_a_source_that_is_moved_is_left_for_the_next_that_was_signed(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_content(tmp_path / "other", content.authority) as other:
        content.manners, content.location = Manners.REDIRECT, other.put("a", SOUND)
        with relaying(content, at(content, "moved"), at(content, "b")) as relay:
            relay.until(lambda: bool(relay.takers))
    assert relay.paths()[:2] == ["/moved", "/b"]
    assert other.asked == []
    assert "why=HTTP 302: a live source is asked at the address that was signed and at no other" in reasons(caplog)[0]


def test_not_even_the_same_server_may_name_another_source(content: Content) -> None:
    content.manners, content.location = Manners.REDIRECT, "/a"
    with relaying(content, at(content, "moved")) as relay:
        relay.until_asked(3)
    assert set(relay.paths()) == {"/moved"}
    assert relay.takers == []


def test_a_server_of_another_authority_gets_no_request(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Trust(create_authority(tmp_path / "stranger", "test").path, host_clock)
    with relaying(content, at(content, "a"), trust=stranger) as relay:
        relay.until(lambda: bool(reasons(caplog)))
    assert "of another authority" in reasons(caplog)[0]
    assert content.asked == []


def test_a_server_of_another_name_gets_no_request(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    with relaying(content, f"https://127.0.0.2:{content.port}/a") as relay:
        relay.until(lambda: bool(reasons(caplog)))
    assert content.asked == []


def test_a_certificate_out_of_its_dates_is_refused_by_a_trusted_clock(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    def in_ten_years() -> Now:
        later = datetime.now(UTC) + timedelta(days=3_700)
        return Now(MonoMs(1), UtcMs(int(later.timestamp() * 1000)), ClockSource.SIGNED, 0)

    with relaying(content, at(content, "a"), trust=Trust(content.authority.path, in_ten_years)) as relay:
        relay.until(lambda: bool(reasons(caplog)))
    assert "certificate expired on" in reasons(caplog)[0]
    assert content.asked == []


def test_an_authority_that_has_expired_is_refused_though_what_it_has_signed_has_not(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expired = create_authority(tmp_path / "old", "test", datetime.now(UTC) - timedelta(days=11 * 365))
    young = issue_server(replace(expired, certificate=content.authority.certificate), tmp_path / "young", "content")
    with (
        running_content(tmp_path / "served", expired, young) as served,
        relaying(served, at(served, "a"), trust=Trust(expired.path, host_clock)) as relay,
    ):
        relay.until(lambda: bool(reasons(caplog)))
    assert "certificate expired on" in reasons(caplog)[0]
    assert served.asked == []


def test_a_line_that_was_down_is_found_again(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    with running_proxy(content.port) as proxy:
        proxy.open = False
        with relaying(content, f"https://localhost:{proxy.port}/a") as relay:
            relay.until(lambda: bool(reasons(caplog)))
            assert content.asked == []
            proxy.open = True
            relay.until(lambda: bool(relay.takers) and bool(relay.takers[0].got))


def test_a_flood_costs_no_more_than_a_live_source_may(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    content.manners = Manners.ENDLESS
    began = time.monotonic()
    with relaying(content, at(content, "a"), at(content, "b")) as relay:
        relay.until_asked(4)
    took = time.monotonic() - began
    got = sum(len(taker.got) for taker in relay.takers)
    assert PATIENT.burst_bytes // 2 < got <= PATIENT.burst_bytes + RATE_BYTES_S_MAX * took
    assert relay.paths()[:2] == ["/a", "/b"]
    assert "sends more than 64000 bytes a second" in reasons(caplog)[0]


def test_a_source_that_sends_twice_what_one_may_is_left(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    """No flood, and never a stall: so much a second, for as long as a programme lasts."""
    content.manners, content.pause_s = Manners.ENDLESS, 0.8
    content.put("a", b"s" * 96_000)
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: bool(reasons(caplog)) or sum(len(one.got) for one in relay.takers) > 1_000_000)
    assert "sends more than 64000 bytes a second" in reasons(caplog)[0]


def test_a_flood_before_the_sound_costs_no_more_than_a_head_may(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    content.manners = Manners.RAW
    content.raw = [b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"y" * 20_000 + b"\r\n") * 90 + b"\r\n" + SOUND] * 50
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: bool(reasons(caplog)))
    assert "more than 65536 bytes before anything of use" in reasons(caplog)[0]
    assert relay.takers == []


def test_no_metadata_between_the_sound_is_asked_for(content: Content) -> None:
    with relaying(content, at(content, "a")) as relay:
        relay.until_asked(1)
    assert sorted(content.headers[0]) == ["Accept-Encoding", "Host", "User-Agent"]


def test_what_a_server_says_breaks_no_line_of_the_log(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    content.manners = Manners.RAW
    content.raw = [b"ICY 200 OK\x1b[2J\xe1\xbb\x87" + b"z" * 2_000 + b"\r\n\r\n"] * 50
    with relaying(content, at(content, "a")) as relay:
        relay.until(lambda: bool(reasons(caplog)))
    line = reasons(caplog)[0]
    assert "BadStatusLine" in line
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize(
    "url",
    ["http://localhost/a", "https://", "https://[::1/a", "https://localhost/a b", "https://localhost:99999/", "x"],
)
def test_an_address_that_is_none_harms_nobody(content: Content, url: str) -> None:
    with relaying(content, url, at(content, "a")) as relay:
        relay.until(lambda: bool(relay.takers))


# The end


FOR_EVER = LivePatience(begin_s=10_000, stall_s=10_000, pause_s_min=10_000, pause_s_max=10_000)


def test_whoever_waits_for_a_byte_is_let_go_by_the_end(content: Content) -> None:
    content.manners, content.cut_at = Manners.STALLED, 5_000
    with relaying(content, at(content, "a"), patience=FOR_EVER) as relay:
        relay.until(lambda: bool(relay.takers) and len(relay.takers[0].got) == 5_000)
    assert relay.takers[0].ended == 1
    assert content.gave_up == 0


def test_whoever_pauses_is_let_go_by_the_end(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    with relaying(content, at(content, "gone"), patience=FOR_EVER) as relay:
        relay.until(lambda: bool(reasons(caplog)))


def test_an_end_while_the_taker_is_busy_lets_nothing_more_be_fed(content: Content) -> None:
    content.manners = Manners.ENDLESS
    let_go = threading.Event()
    with relaying(content, at(content, "a"), taker=lambda: FakeTaker(held=let_go)) as relay:
        relay.until(lambda: bool(relay.takers) and relay.takers[0].entered.is_set())
        got = len(relay.takers[0].got)
        relay.closing.close()
        let_go.set()
    assert len(relay.takers[0].got) == got
    assert len(relay.takers) == 1


def test_an_end_that_was_told_before_the_line_was_there_hangs_it_up() -> None:
    class Line:
        hung_up = 0

        def hang_up(self) -> None:
            self.hung_up += 1

    line = Line()
    with Closing() as closing:
        with closing.holding(line):
            assert line.hung_up == 0
        closing.close()
        closing.close()
        assert line.hung_up == 0
        with closing.holding(line):
            assert line.hung_up == 1


# What is decided, without a line


@given(st.lists(st.tuples(st.integers(0, 100_000), st.floats(0, 5)), max_size=60))
def test_what_may_come_is_bounded_at_every_moment(arrivals: list[tuple[int, float]]) -> None:
    allowance, now, came = Allowance(50_000, 1_000, 0), 0.0, 0
    for count, later in arrivals:
        now += later
        if not allowance.take(count, now):
            return
        came += count
        assert came <= 50_000 + 1_000 * now


def test_what_was_too_much_is_paid_back_at_the_rate_and_no_sooner() -> None:
    allowance = Allowance(50_000, 1_000, 0)
    assert allowance.take(50_000, 0)
    assert not allowance.take(1_001, 1)
    assert not allowance.take(1_000, 1.999)
    assert allowance.take(1, 3.002)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_highest_rate_that_speech_is_sent_at_passes_after_a_burst(pauses: list[float]) -> None:
    allowance, now = Allowance(LIVE_PATIENCE.burst_bytes, RATE_BYTES_S_MAX, 0), 0.0
    assert allowance.take(64 * 1_024, now)
    for pause in pauses:
        now += pause
        assert allowance.take(int(pause * 320_000 / 8), now)


def test_pauses_grow_with_each_round_and_have_a_bound() -> None:
    course = Course(2, LIVE_PATIENCE)
    assert [course.after(0) for _ in range(14)] == [2, 2, 4, 4, 8, 8, 16, 16, 30, 30, 30, 30, 30, 30]


def test_a_source_that_is_down_all_day_is_asked_all_day() -> None:
    """A number that doubles each time outgrows all that it can be multiplied with, after eight hours."""
    course = Course(1, LivePatience(pause_s_min=1.5))
    assert {course.after(0) for _ in range(3_000)} == {3, 6, 12, 24, 30}


def test_a_source_that_gives_a_moment_of_sound_each_time_is_no_good_one() -> None:
    course = Course(2, LIVE_PATIENCE)
    assert [(course.after(1), course.at) for _ in range(4)] == [(2, 1), (2, 0), (4, 1), (4, 0)]


def test_a_good_source_is_asked_again_first_and_soon() -> None:
    course = Course(2, LIVE_PATIENCE)
    for _ in range(9):
        course.after(0)
    assert course.at == 1
    assert (course.after(LIVE_PATIENCE.settled_s), course.at) == (2, 1)
    assert [course.after(0) for _ in range(3)] == [2, 2, 4]


def test_each_pause_is_drawn_between_the_shortest_and_what_it_has_grown_to(content: Content) -> None:
    drawn: list[tuple[float, float]] = []
    waited: list[float] = []

    def least(shortest: float, longest: float) -> float:
        drawn.append((shortest, longest))
        return len(drawn)

    class Noted(Closing):
        def wait(self, seconds: float) -> None:
            waited.append(seconds)

    closing = Noted()
    stream = LiveStream(Trust(content.authority.path, host_clock), PATIENT, least)
    thread = threading.Thread(target=stream.relay, args=((at(content, "gone"),), FakeTaker, closing), daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE_S
    while len(drawn) < 4 and time.monotonic() < until:
        time.sleep(0.005)
    closing.close()
    thread.join(PATIENCE_S)
    assert drawn[:4] == [(0.01, 0.02), (0.01, 0.04), (0.01, 0.05), (0.01, 0.05)]
    assert waited[:3] == [1, 2, 3], "and is kept"
