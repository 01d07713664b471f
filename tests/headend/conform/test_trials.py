"""Single clauses without a broker: what each makes of a station that does the wrong thing, or nothing at all."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from edge_agent.core.effects import Verdict as Said
from edge_agent.core.reasons import Reason
from edge_agent.core.site import WARM_UP_MS_MAX
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clauses import chosen
from edge_agent.headend.conform.content import Content
from edge_agent.headend.conform.kit import attempt
from edge_agent.headend.conform.orders import Order, Orders
from edge_agent.headend.conform.scene_resend import Resend, resend
from edge_agent.headend.conform.scene_return import come_back
from edge_agent.headend.conform.scene_silent import Ordered, Silent, Wrong, order_in_silence, silent
from edge_agent.headend.conform.trials_sound import take_turns
from edge_agent.headend.conform.verdicts import Failed, NotTried, Passed, Verdict
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.session import BrokerAddress, LinkDown
from edge_agent.sync.reports import StateMsg, Why
from tests.headend.conform.test_bench import PACE, PLAYED, Rig, rig, ward
from tests.headend.fake_station import STATE

__all__ = ["rig", "ward"]


def verdict(bench: Bench, number: str) -> Verdict:
    (clause,) = chosen([number])
    return attempt(bench, clause)


@pytest.mark.parametrize("number", ["STA-5", "LOG-4", "LOG-5", "JOB-27", "REP-1", "REP-2", "ENV-23"])
def test_on_a_day_without_broadcasts_no_clause_fails_that_needs_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    normal = Orders.normal

    def refused(orders: Orders, **over: object) -> Order:
        order = normal(orders, **over)
        rig.answers(order, Said.REFUSED, Reason.WEEKDAY_MASK)
        return order

    monkeypatch.setattr(Orders, "normal", refused)
    assert verdict(rig.bench, number) == NotTried("the ward's rules forbid sound now: weekday_mask")


def heard_nothing(bench: Bench, *addresses: str) -> None:
    """The silent orders were sent, and of none a record came; one has a clip at these two addresses."""
    once, timetable, altered, longer, absent = (bench.orders.normal() for _ in range(5))
    elsewhere, own = addresses or ("", "")
    ordered = Ordered(once, None, timetable, Wrong(altered, longer, absent, elsewhere, own))
    bench.content = object()  # type: ignore[assignment]
    bench._acts |= {order_in_silence: ordered, silent: Silent(ordered, {one.digest: [] for one in ordered.all()})}


@pytest.mark.parametrize("number", ["LOG-5", "LOG-6", "LOG-7", "AUD-5"])
def test_who_writes_no_record_has_not_shown_what_stands_in_one(rig: Rig, number: str) -> None:
    heard_nothing(rig.bench)
    assert verdict(rig.bench, number) == NotTried("there was no record")


@pytest.mark.parametrize("number", ["LOG-14", "LOG-15", "LOG-16", "LOG-17", "HEL-2", "ANS-2"])
def test_who_says_nothing_passes_nothing(rig: Rig, number: str) -> None:
    assert isinstance(verdict(rig.bench, number), NotTried)


@pytest.mark.parametrize("broke", ["the station's line", "the kit's line"])
def test_an_answer_may_come_again_after_a_line_broke_and_not_without(rig: Rig, broke: str) -> None:
    """Whoever sends with QoS 1 and has heard of no receipt sends again: a busy machine's CI took that for a fault."""
    order = rig.bench.orders.normal()
    rig.bench.send(order)
    for _ in range(2):
        rig.answers(order, Said.REFUSED, Reason.WRONG_AUDIENCE)
    assert isinstance(verdict(rig.bench, "ANS-1"), Failed)
    if broke == "the kit's line":
        rig.line.arrivals.put((time.monotonic(), LinkDown("gone", for_good=False)))
    else:
        rig.says(rig.station.hello())
    assert isinstance(verdict(rig.bench, "ANS-1"), Passed)
    rig.answers(order, Said.REFUSED, Reason.WRONG_AUDIENCE)
    assert isinstance(verdict(rig.bench, "ANS-1"), Failed)


def test_a_line_that_breaks_long_after_an_answer_makes_nobody_say_it_again(rig: Rig) -> None:
    order = rig.bench.orders.normal()
    rig.bench.send(order)
    for _ in range(2):
        rig.answers(order, Said.REFUSED, Reason.WRONG_AUDIENCE)
    later = time.monotonic() + PACE.back_s_max + PACE.answer_s
    rig.line.arrivals.put((later, LinkDown("gone", for_good=False)))
    assert isinstance(verdict(rig.bench, "ANS-1"), Failed)


def uploads(rig: Rig, *ranges: tuple[int, int]) -> list[Seen]:
    """Of five records these, one upload each, as the bench has seen them; a minute apart."""
    rig.station.play(*[PLAYED] * 5)
    for first, last in ranges:
        rig.says(rig.station.log(first, last))
    rig.bench.settle(PACE.silence_s)
    return [replace(one, at_s=60.0 * number) for number, one in enumerate(rig.bench.seen)]


def resent(bench: Bench, first: Seen, repeated: Seen | None) -> None:
    bench._acts[resend] = Resend(first, repeated, frozenset(), frozenset(), None)


def test_the_next_record_is_not_the_one_that_nobody_has_acknowledged(rig: Rig) -> None:
    """A station that believes a stranger's acknowledgement goes on with whatever ends next."""
    first, following, again = uploads(rig, (1, 2), (3, 3), (1, 3))
    resent(rig.bench, first, following)
    assert isinstance(verdict(rig.bench, "LOG-9"), Failed)
    resent(rig.bench, first, again)
    assert isinstance(verdict(rig.bench, "LOG-9"), Passed)


def test_records_that_come_again_at_once_come_too_soon(rig: Rig) -> None:
    """Each time costs somebody's data."""
    rig.bench.pace = replace(PACE, log_again_s=60)
    first, again = uploads(rig, (1, 2), (1, 2))
    resent(rig.bench, first, replace(again, at_s=1.0))
    assert isinstance(verdict(rig.bench, "LOG-8"), Failed)
    resent(rig.bench, first, again)
    assert verdict(rig.bench, "LOG-8") == Passed("again after 60 s")


@pytest.mark.parametrize(
    ("before", "right"),
    [(replace(STATE, online=False, why=Why.CONNECTION_LOST), True), (STATE, False)],
    ids=["the broker's will", "a birth"],
)
def test_a_will_that_the_broker_publishes_late_is_not_the_stations_first_word(
    rig: Rig, before: StateMsg, right: bool
) -> None:
    rig.says(rig.station.state(before))
    rig.says(rig.station.hello())
    rig.bench.settle(PACE.silence_s)
    rig.bench._acts[come_back] = SimpleNamespace(mark=0, taken_s=0.0, hello=rig.bench.seen[-1])
    assert isinstance(verdict(rig.bench, "HEL-1"), Passed) is right


@pytest.mark.parametrize(
    ("asked", "right"), [("ab", True), ("abab", True), ("ba", False), ("bab", False), ("a", False), ("", False)]
)
def test_the_addresses_of_a_clip_are_tried_in_their_order(rig: Rig, ward: Keyring, asked: str, right: bool) -> None:
    digests = {"a": "a" * 64, "b": "b" * 64}
    heard_nothing(rig.bench, *digests.values())
    with Content(ward, BrokerAddress("localhost", 0)) as rig.bench.content:
        rig.bench.content._lines += [f'127.0.0.1 "GET /clip/{digests[each]} HTTP/1.1" 404 -' for each in asked]
        assert isinstance(verdict(rig.bench, "AUD-4"), Passed) is right


def test_what_is_to_begin_at_its_instant_is_ordered_ahead_by_the_slowest_warm_up(
    rig: Rig, ward: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.bench.audible = True
    rig.says(rig.station.state())
    rig.bench.settle(PACE.silence_s)
    monkeypatch.setattr(Bench, "record", lambda *_: None)
    with Content(ward, BrokerAddress("localhost", 0)) as rig.bench.content:
        planned = take_turns(rig.bench).planned
        assert planned - rig.bench.orders.now() > WARM_UP_MS_MAX
        monkeypatch.setattr(Bench, "records", lambda *_: [{"outcome": "rejected", "reason": "sessions_per_day"}])
        assert verdict(rig.bench, "SND-6") == NotTried("the ward's rules forbid sound now: sessions_per_day")
