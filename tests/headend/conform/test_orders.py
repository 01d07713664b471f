"""The kit's orders: a good one passes our own judge, and each wrong one is wrong in what its clause is about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, JobClass
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.ceremonies import renew
from edge_agent.headend.conform import trials_rules as rules
from edge_agent.headend.conform import wrong_orders as wrong
from edge_agent.headend.conform.clauses import chosen
from edge_agent.headend.conform.orders import Order, Orders, Rules
from edge_agent.headend.conform.pace import PROTOCOL, Pace
from edge_agent.headend.conform.verdicts import CannotTry, Failed
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.trust.commands import What
from edge_agent.trust.fields import within_areas
from edge_agent.trust.keeper import Keeper

RULES = ("RUL-1", "RUL-2", "RUL-3", "RUL-4", "RUL-5")
AREA = "vn/ha-noi/dong-thanh"
STATION = StationId("tram-01")
QUIET = (time(21), time(5))
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = UtcMs(round(datetime(2026, 10, 1, 12, 0, tzinfo=HANOI).timestamp() * 1000))
NIGHT = UtcMs(round(datetime(2026, 10, 1, 23, 0, tzinfo=HANOI).timestamp() * 1000))


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    keyring = create_keyring(tmp_path_factory.mktemp("ward") / "net", "demo", default_roles(AREA, 2), NOON)
    keyring.enrol(STATION, AREA)
    return keyring


def orders_at(keyring: Keyring, now: UtcMs) -> Orders:
    return Orders(keyring, keyring.stations[STATION], Rules(HANOI, QUIET), lambda: now)


@pytest.fixture
def orders(keyring: Keyring) -> Orders:
    return orders_at(keyring, NOON)


def judged(keyring: Keyring, order: Order) -> object:
    zones = {ZoneId("c1"): ZoneSite(ZoneId("c1"), "", 0)}
    site = Site(STATION, "demo", AREA, "Asia/Ho_Chi_Minh", zones)
    return Keeper(keyring.chain, site).judge(f"loa/1/d/{STATION}/job", order.envelope)


def test_a_silent_order_is_good_and_names_itself(keyring: Keyring, orders: Orders) -> None:
    order = orders.normal()
    judgement = judged(keyring, order)
    assert isinstance(judgement, Accepted)
    assert (judgement.digest, judgement.job.job_id) == (order.digest, order.job_id)
    assert order.job_id.startswith("dong-thanh-conform-")


def test_no_two_silent_orders_have_the_same_sound(orders: Orders) -> None:
    clips = {orders.normal().payload["items"][0]["digest"] for _ in range(5)}
    assert len(clips) == 5


def test_an_emergency_is_signed_by_as_many_as_it_needs(keyring: Keyring, orders: Orders) -> None:
    judgement = judged(keyring, orders.emergency())
    assert isinstance(judgement, Accepted)
    assert (judgement.job.cls, len(judgement.signers)) == (JobClass.EMERGENCY, 2)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (Orders.for_nobody, Reason.WRONG_AUDIENCE),
        (wrong.of_another_issuer, Reason.SIGNATURE_INVALID),
        (wrong.beyond_class, Reason.OVER_LIMIT),
        (wrong.beyond_volume, Reason.OVER_LIMIT),
        (wrong.emergency_for_too_long, Reason.VALIDITY_TOO_LONG),
        (wrong.timetable_for_too_long, Reason.VALIDITY_TOO_LONG),
        (wrong.emergency_without_event, Reason.MALFORMED),
        (lambda orders: wrong.without(orders, "volume"), Reason.MALFORMED),
        (lambda orders: wrong.text_of(orders, 2_001), Reason.MALFORMED),
        (lambda orders: wrong.url(orders, "http://a.test/b"), Reason.MALFORMED),
        (lambda orders: wrong.timetable(orders, weekdays=[8]), Reason.MALFORMED),
    ],
)
def test_a_wrong_order_is_refused_as_what_it_is(
    keyring: Keyring, orders: Orders, write: Callable[[Orders], Order], reason: Reason
) -> None:
    judgement = judged(keyring, write(orders))
    assert isinstance(judgement, Rejected)
    assert judgement.reason is reason


@pytest.mark.parametrize(
    "write",
    [
        lambda orders: orders.command(What.ASK, day="2026-10-01"),
        lambda orders: rules._cancel(orders, orders.normal()),
        rules._regulation,
        rules._silence,
        rules._timetable,
    ],
    ids=["ask", "cancel", "regulation", "silence", "timetable"],
)
def test_a_rule_that_the_kit_writes_is_good(keyring: Keyring, orders: Orders, write: Callable[[Orders], Order]) -> None:
    order = write(orders)
    judgement = judged(keyring, order)
    assert isinstance(judgement, AcceptedRule), judgement
    assert judgement.order_id == order.job_id


@pytest.mark.parametrize("number", ["CMD-4", "CMD-5", "CMD-6", *RULES, "TIM-3", "TIM-4", "TIM-5", "TRU-1", "TRU-2"])
def test_each_rule_that_the_kit_makes_wrong_is_wrong_in_what_its_clause_says(keyring: Keyring, number: str) -> None:
    sent: list[Order] = []

    class Only:
        """A bench that notes what is asked and answers nothing."""

        orders = orders_at(keyring, NOON)
        pace = Pace(answer_s=0)

        def send(self, order: Order, topic: str = "") -> int:
            sent.append(order)
            return 0

        def wait(self, *_: object) -> None: ...

        def answers(self, _: str) -> list[object]:
            return []

    (clause,) = chosen([number])
    verdict = clause.trial(Only())  # type: ignore[arg-type]
    assert isinstance(verdict, Failed), verdict
    judgement = judged(keyring, sent[0])
    assert isinstance(judgement, Rejected), judgement
    assert verdict.expected == f"refused, {judgement.reason}"


def test_what_the_kit_orders_is_in_force_by_a_clock_that_is_a_little_behind_too(
    keyring: Keyring, orders: Orders
) -> None:
    """A timetable would wait those milliseconds, and be accepted twice: our own station failed ANS-1 on a busy day."""
    behind = NOON - round(PROTOCOL.welcome_late_s * SECOND_MS)
    for order in (orders.normal(), rules._timetable(orders), orders.command(What.STOP)):
        assert order.payload["not_before"] <= behind


def test_a_text_of_the_longest_length_is_good(keyring: Keyring, orders: Orders) -> None:
    assert isinstance(judged(keyring, wrong.text_of(orders, 2_000)), Accepted)


def test_by_night_nothing_is_due_before_the_morning(keyring: Keyring) -> None:
    orders = orders_at(keyring, NIGHT)
    due = datetime.fromtimestamp(orders.due() / 1000, UTC).astimezone(HANOI)
    assert (due.date().day, due.time()) == (2, time(6, 0))
    with pytest.raises(CannotTry, match="quiet hours"):
        orders.by_day()


def test_the_night_begins_at_the_next_quiet_hour(orders: Orders) -> None:
    assert orders.night() - NOON == 9 * HOUR_MS
    assert orders.rules.are_quiet(orders.night())
    assert not orders.rules.are_quiet(orders.night() - MINUTE_MS)


def test_a_station_without_quiet_hours_has_no_night(keyring: Keyring) -> None:
    rules = Rules(HANOI, None)
    with pytest.raises(CannotTry, match="--quiet"):
        Orders(keyring, keyring.stations[STATION], rules, lambda: NOON).night()


def test_a_station_that_cuts_where_the_night_begins_need_not_refuse_what_runs_into_it(keyring: Keyring) -> None:
    station = keyring.stations[STATION]
    with pytest.raises(CannotTry, match="--into-quiet"):
        wrong.into_the_night(Orders(keyring, station, Rules(HANOI, QUIET, cut=True), lambda: NOON))
    assert isinstance(judged(keyring, wrong.into_the_night(orders_at(keyring, NOON))), Accepted)


def test_without_a_role_with_hours_that_clause_cannot_be_tried(orders: Orders) -> None:
    with pytest.raises(CannotTry, match="no role of the trust file has hours"):
        wrong.beyond_hours(orders)


def test_an_emergency_is_of_an_event_that_its_role_may_warn_of(tmp_path: Path) -> None:
    def of_floods_alone(ward: Any) -> None:
        ward["roles"][1]["limits"]["events"] = ["lu-quet", "bao"]

    keyring = renewed(tmp_path, (AREA, of_floods_alone))
    orders = orders_at(keyring, NOON)
    assert isinstance(judged(keyring, orders.emergency()), Accepted)
    too_long = judged(keyring, wrong.emergency_for_too_long(orders))
    assert isinstance(too_long, Rejected)
    assert too_long.reason is Reason.VALIDITY_TOO_LONG


def test_what_the_same_keys_may_order_by_another_role_is_beyond_nobody(tmp_path: Path) -> None:
    """A small ward has one officer, who broadcasts and warns."""

    def one_officer(ward: Any) -> None:
        routine, emergency = ward["roles"][:2]
        emergency |= {"keyids": routine["keyids"], "threshold": 1}
        emergency["limits"]["validity_max_s"] = 1_800

    orders = orders_at(renewed(tmp_path, (AREA, one_officer)), NOON)
    for write in (wrong.beyond_class, wrong.beyond_volume):
        with pytest.raises(CannotTry, match=r"ward-routine may order by role ward-emergency"):
            write(orders)


def test_what_a_role_only_offers_is_not_written_by_it(tmp_path: Path) -> None:
    """It would wait for the commune, and no station would begin it."""

    def by_day(ward: Any) -> None:
        ward["roles"][0]["limits"]["hours"] = [["05:00", "21:00"]]

    def offers(province: Any) -> None:
        province["roles"][0]["limits"]["offered"] = ["normal", "priority"]

    keyring = renewed(tmp_path, (AREA, by_day), (AREA.rpartition("/")[0], offers))
    order = judged(keyring, orders_at(keyring, NOON).normal())
    assert isinstance(order, Accepted)
    assert (order.role, order.offered) == ("ward-routine", False)


def renewed(folder: Path, *changes: tuple[str, Callable[[Any], None]]) -> Keyring:
    """A network in which these documents were signed anew, each with a change."""
    keyring = create_keyring(folder / "net", "demo", default_roles(AREA, 2), NOON)
    for area, change in changes:
        renew(keyring, area, NOON, change)
    keyring.enrol(STATION, AREA)
    return keyring


def test_what_is_elsewhere_lies_in_no_area_of_ours() -> None:
    """A role may order in all of its country."""
    assert not within_areas(wrong.ELSEWHERE, (AREA.partition("/")[0],))


def test_a_class_whose_keys_lie_elsewhere_cannot_be_tried(keyring: Keyring, tmp_path: Path) -> None:
    other = create_keyring(tmp_path / "net", "demo", default_roles(AREA, 2), NOON)
    other.enrol(STATION, AREA)
    (other.directory / "keys" / "ward-emergency-2.pem").unlink()
    with pytest.raises(CannotTry, match="emergency"):
        orders_at(other, NOON).emergency()
