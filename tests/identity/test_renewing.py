"""When a station asks for its next certificate, and how often: by virtual time, no network."""

from __future__ import annotations

import queue
import time
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.config import Config
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, MonoMs, UtcMs
from edge_agent.identity.asking import NoIdentity
from edge_agent.identity.certificate import Certificate, NotOurs, due, trouble_by_clock
from edge_agent.identity.renewing import TRY_AGAIN_S, Renewal, Renewer
from edge_agent.identity.token_library import TokenFailed
from edge_agent.sync.tls_trouble import Kind
from edge_agent.trust.keys import UnusableKey

BEGIN = UtcMs(1_800_000_000_000)
LIFE = 825 * DAY_MS
CERTIFICATE = Certificate(("dt-01",), BEGIN, UtcMs(BEGIN + LIFE), b"")
PATIENCE_S = 60
RESTS_S = 0.05
# In which one that does not rest would look a thousand times.
FIT = frozenset({ClockSource.RTC, ClockSource.NTP, ClockSource.SIGNED, ClockSource.HOLDOVER})


def at(ms: int, source: ClockSource = ClockSource.NTP, max_error_ms: int = 0) -> Now:
    return Now(MonoMs(0), UtcMs(ms), source, max_error_ms)


@example(LIFE * 2 // 3 - 1)
@example(LIFE * 2 // 3)
@example(LIFE * 2 // 3 + DAY_MS)
@given(st.integers(0, 2 * LIFE))
def test_it_is_due_in_the_last_third_and_ever_after(age_ms: int) -> None:
    assert due(at(BEGIN + age_ms), CERTIFICATE) is (age_ms >= LIFE * 2 // 3)


@pytest.mark.parametrize("source", ClockSource)
def test_a_clock_that_nobody_trusts_makes_nothing_due(source: ClockSource) -> None:
    assert due(at(BEGIN + LIFE * 2, source), CERTIFICATE) is (source in FIT)


def test_dates_are_named_with_the_clocks_own_error_in_the_stations_favour() -> None:
    assert trouble_by_clock(CERTIFICATE, at(BEGIN + LIFE + 1)) is not None
    assert trouble_by_clock(CERTIFICATE, at(BEGIN + LIFE + 1, max_error_ms=1)) is None
    assert trouble_by_clock(CERTIFICATE, at(BEGIN - 1, max_error_ms=1)) is None
    early = trouble_by_clock(CERTIFICATE, at(BEGIN - 60_000))
    assert early is not None
    assert (early.kind, early.what) == (Kind.OURS_NOT_YET, "2027-01-15 07:59 UTC")
    assert trouble_by_clock(CERTIFICATE, at(0, ClockSource.UNSET)) is None


class Asked(Renewal):
    """A renewal that counts, and fails by these one after the other."""

    __slots__ = ("asked", "failures", "is_due")

    def __init__(self, *failures: Exception, is_due: bool = True) -> None:
        config = cast(Config, _Config())
        super().__init__(config, cast(object, None))  # type: ignore[arg-type]
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "failures", list(failures))
        object.__setattr__(self, "is_due", is_due)

    def due(self, now: Now) -> bool:
        return self.is_due

    def renew(self, now: Now) -> None:
        self.asked.append(True)
        if self.failures:
            raise self.failures.pop()


class _Config:
    class broker:
        cert_file = Path("station.pem")


def test_what_is_not_due_is_not_asked_for() -> None:
    renewal = Asked(is_due=False)
    Renewer(renewal, lambda: at(0)).turn(0)
    assert renewal.asked == []


DOWN = NoIdentity("the server is down")


@pytest.mark.parametrize("failures", [(), (DOWN, DOWN)], ids=["asked", "down"])
def test_a_refusal_of_the_broker_asks_whatever_the_clock_says_but_not_at_every_refusal(
    failures: tuple[Exception, ...],
) -> None:
    renewal = Asked(*failures, is_due=False)
    renewer = Renewer(renewal, lambda: at(0, ClockSource.UNSET))
    for second in range(0, TRY_AGAIN_S, 120):  # the broker refuses every two minutes
        renewer.refused()
        renewer.turn(second)
    assert len(renewal.asked) == 1
    renewer.refused()
    renewer.turn(TRY_AGAIN_S)
    assert len(renewal.asked) == 2


def test_one_refusal_of_the_broker_is_no_reason_to_ask_at_every_reminder_after_it() -> None:
    renewal = Asked(is_due=False)
    renewer = Renewer(renewal, lambda: at(0))
    renewer.refused()
    for hour in range(0, 24, 6):
        renewer.turn(hour * 3_600)
    assert len(renewal.asked) == 1


@pytest.mark.parametrize(
    "failure", [DOWN, TokenFailed("pulled out"), OSError("card full"), UnusableKey("rotten"), NotOurs("another's")]
)
def test_what_fails_is_tried_again_at_the_next_reminder(caplog: pytest.LogCaptureFixture, failure: Exception) -> None:
    renewal = Asked(failure, failure)
    renewer = Renewer(renewal, lambda: at(0))
    for hour in range(0, 24, 6):
        renewer.turn(hour * 3_600)
    assert len(renewal.asked) == 4
    assert sum("certificate not renewed" in record.message for record in caplog.records) == 2


def test_the_thread_looks_whenever_it_is_told_also_while_it_looks_and_else_it_rests_at_its_start_too() -> None:
    """There is no network yet then: it would be a try in vain, and the next one an hour away."""
    looks: queue.Queue[int] = queue.Queue()
    numbers = count()

    def clock() -> Now:
        number = next(numbers)
        if number % 2 == 0:
            renewer.remind()
        looks.put(number)
        return at(0)

    renewer = Renewer(Asked(is_due=False), clock)
    renewer.start()
    time.sleep(RESTS_S)
    assert looks.empty()
    for tell in (renewer.remind, renewer.refused):
        tell()
        for _ in range(2):  # each that is told of is told to look again
            looks.get(timeout=PATIENCE_S)
    time.sleep(RESTS_S)
    assert looks.empty()


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_cannot_be_read_is_left_to_people(tmp_path: Path, content: bytes | None) -> None:
    class Config:
        class broker:
            cert_file = tmp_path / "station.pem"

    if content is not None:
        Config.broker.cert_file.write_bytes(content)
    assert Renewal(cast(object, Config()), cast(object, None)).due(at(0)) is False  # type: ignore[arg-type]
