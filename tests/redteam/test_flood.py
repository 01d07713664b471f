"""Flooding: what thousands of messages a minute cost the card, the uplink and an emergency that comes among them."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import pytest

from edge_agent.core.intake import REFUSALS_A_DAY, REFUSED_KEPT
from edge_agent.core.key_hours import DOCUMENTS_AN_HOUR, ORDERS_AN_HOUR
from edge_agent.core.reasons import UNAUTHENTICATED
from edge_agent.core.units import HOUR_MS, MINUTE_MS
from edge_agent.upstream import RUBBISH_ANSWERS_A_MINUTE
from tests.redteam import forging
from tests.rig import Order
from tests.sim import SimRig, ward_roles
from tests.trust import makers

A_MINUTE = 2_000
MINUTES = {"rubbish": 2}
# Of a flood; one is enough but for what is counted by the minute.
EVERY_MS = MINUTE_MS // A_MINUTE
WARNING = Order(cls="emergency", spoken="Lũ quét!")


def _rubbish(rig: SimRig) -> list[bytes]:
    """What anybody can send: bytes, forgeries, and honest orders written anew so that they hold no more."""
    honest = [*rig.sent.values()]
    now = rig.world.utc()
    forged = [makers.signed_job(by=["stranger"], job_id=f"gia-{number}", not_before=now) for number in range(20)]
    broken = [
        forging.REWRITTEN[name](random.Random(seed), honest[0], forged[seed])
        for seed, name in enumerate(("key_twice", "deep", "trailing", "truncated", "no_signature", "other_words"))
    ]
    return [b"", b"[" * 60_000, *forged, *broken]


def _replayed(rig: SimRig) -> list[bytes]:
    """What was obeyed before."""
    return [*rig.sent.values()]


def _for_others(rig: SimRig) -> list[bytes]:
    """Well signed, and not for this station: 20 orders, again and again."""
    there = {"audience": {"stations": ["dt-99"]}}
    return [makers.signed_job(job_id=f"khac-{number}", **there) for number in range(20)]


def _of_others_logs(rig: SimRig) -> list[bytes]:
    """What the server says to other stations of their logs: no two alike, and a province has thousands a day."""
    return [_ack_for("dt-99", seq) for seq in range(A_MINUTE)]


def _ack_for(station: str, seq: int) -> bytes:
    return makers.signed_ack(station=station, log={"epoch": "khac", "seq": seq + 1, "hash": "0" * 64})


def _long_over(rig: SimRig) -> list[bytes]:
    """More old orders than a station remembers to have refused, again and again."""
    over = rig.world.utc() - HOUR_MS
    times = {"issued_at": over - HOUR_MS, "not_before": over - HOUR_MS, "not_after": over}
    return [makers.signed_job(job_id=f"cu-{number}", **times) for number in range(REFUSED_KEPT + 1)]


def _of_a_stolen_key(rig: SimRig) -> list[bytes]:
    """No two alike, each for this station and in time: of all floods the one that takes a key."""
    return [_signed(number, "next_item", rig) for number in range(A_MINUTE)]


def _of_a_key_that_restarts(rig: SimRig) -> list[bytes]:
    """The same, and the agent ends and begins again and again."""
    return [_signed(number, "restart" if number % 300 == 299 else "next_item", rig) for number in range(A_MINUTE)]


def _signed(number: int, what: str, rig: SimRig) -> bytes:
    now = rig.world.utc()
    times = {"issued_at": now, "not_before": now, "not_after": now + 120_000}
    return makers.signed_command(order_id=f"trom-{number}", do={"what": what}, **times)


def _of_stolen_holders(rig: SimRig) -> list[bytes]:
    """One root after the other, each as the one before it demands: what sounds by it stays as it was."""
    roots = [makers.trust_document(**ward_roles(), version=2 + number) for number in range(A_MINUTE)]
    return [makers.signed_trust(root, "holder") for root in roots]


FLOODS = {
    "rubbish": _rubbish,
    "replayed": _replayed,
    "for others": _for_others,
    "of others' logs": _of_others_logs,
    "long over": _long_over,
    "of a stolen key": _of_a_stolen_key,
    "of a key that restarts": _of_a_key_that_restarts,
    "of stolen holders": _of_stolen_holders,
}
TOPICS = {"of others' logs": f"loa/1/d/{makers.STATION}/ack"}


def at_work() -> SimRig:
    """A station that has played an order."""
    rig = SimRig()
    rig.switch_on()
    rig.run_until(5)
    rig.publish(Order(spoken="Chợ họp."))
    rig.run_until(30)
    return rig


@cache
def flooded(kind: str | None) -> tuple[int, int, Counter[str], int]:
    """(commits, records, answers by reason, ms from an emergency's publication until it sounds), once for all tests."""
    minutes = MINUTES.get(kind or "", 1)
    rig = at_work()
    world, disk = rig.world, rig.world.disk
    world.supervised = True
    messages = FLOODS[kind](rig) if kind else []
    topic = TOPICS.get(kind or "", makers.JOB_TOPIC)
    commits, kept, answered = disk.commits, len(disk.committed.records), len(world.headend.answers)
    for number in range(A_MINUTE * minutes if messages else 0):
        message = messages[number % len(messages)]
        world.after(number * EVERY_MS, lambda message=message: world.broker.publish(topic, message))
    world.run_until(world.mono + minutes * MINUTE_MS - MINUTE_MS // 2)
    commits, records = disk.commits - commits, len(disk.committed.records) - kept
    published, sounds = world.mono, len(world.runs)
    rig.publish(WARNING)
    world.run_until(world.mono + MINUTE_MS)
    answers = Counter(str(answer["reason"]) for answer in world.headend.answers[answered:])
    assert len(world.runs) == sounds + 1
    return commits, records, answers, world.runs[-1].begins - published


@pytest.fixture(scope="module")
def alone_ms() -> int:
    """How long an emergency takes in peace."""
    return flooded(None)[-1]


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["rubbish", "replayed"])
def test_a_flood_of_what_is_not_new_writes_nothing_to_the_card(kind: str, alone_ms: int) -> None:
    commits, records, _, emergency_ms = flooded(kind)
    assert (commits, records) == (0, 0)
    assert emergency_ms == pytest.approx(alone_ms, abs=50)


def test_a_flood_of_orders_for_others_is_recorded_once_each(alone_ms: int) -> None:
    commits, records, _, emergency_ms = flooded("for others")
    assert records == 20
    assert records <= commits <= 3 * records, "the record, and what the server says of it"
    assert emergency_ms == pytest.approx(alone_ms, abs=50)


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["of others' logs", "long over"])
def test_a_flood_of_what_was_once_signed_writes_so_many_records_a_day(kind: str, alone_ms: int) -> None:
    """Whoever has listened for long has more of it than any station can remember."""
    commits, records, _, emergency_ms = flooded(kind)
    assert records == REFUSALS_A_DAY
    assert commits <= 3 * records, "the record, and what the server says of it"
    assert emergency_ms == pytest.approx(alone_ms, abs=50)


@pytest.mark.parametrize("kind", ["of a stolen key", pytest.param("of a key that restarts", marks=pytest.mark.deep)])
def test_a_flood_of_newly_signed_orders_writes_so_many_an_hour(kind: str, alone_ms: int) -> None:
    """As soon as in peace an emergency sounds where the thief may not restart the station."""
    commits, records, _, emergency_ms = flooded(kind)
    assert records == ORDERS_AN_HOUR - 1 + REFUSALS_A_DAY, "the market's was one of that key's"
    assert commits <= 3 * records
    assert kind != "of a stolen key" or emergency_ms == pytest.approx(alone_ms, abs=50)


def test_a_flood_of_newly_signed_documents_writes_so_many_an_hour(alone_ms: int) -> None:
    commits, records, answers, emergency_ms = flooded("of stolen holders")
    assert answers["None"] == DOCUMENTS_AN_HOUR + 1, "and the emergency"
    assert records == REFUSALS_A_DAY, "behind the last one that was taken a step is missing"
    assert commits <= DOCUMENTS_AN_HOUR + 3 * records
    assert emergency_ms == pytest.approx(alone_ms, abs=50)


def test_rubbish_is_answered_only_so_often_and_an_order_always() -> None:
    _, _, answers, _ = flooded("rubbish")
    of_rubbish = sum(count for reason, count in answers.items() if reason in UNAUTHENTICATED)
    assert RUBBISH_ANSWERS_A_MINUTE <= of_rubbish <= RUBBISH_ANSWERS_A_MINUTE * (MINUTES["rubbish"] + 1)
    assert answers["None"] == 1, "the emergency is accepted"


def test_a_burst_delays_an_emergency_by_no_more_than_its_own_judgement(alone_ms: int) -> None:
    """All at once before it: the window lets ten through at a time, and the emergency takes its turn behind them."""
    rig = at_work()
    world, messages = rig.world, _rubbish(rig)
    for number in range(500):
        world.broker.publish(makers.JOB_TOPIC, messages[number % len(messages)])
    published = world.mono
    rig.publish(WARNING)
    world.run_until(world.mono + MINUTE_MS)
    turns_ms = 500 // 10 * 40
    assert world.runs[-1].begins - published <= alone_ms + turns_ms + 50
