"""A whole timetable on the wire: its form, and how far its issuer's role reaches, entry by entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from edge_agent.core.events import Rejected
from edge_agent.core.job import JobClass
from edge_agent.core.order import AcceptedRule, Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.timetable import entries
from edge_agent.trust.entries import ENTRIES_MAX, SAID_ONCE
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX
from edge_agent.trust.fields import Fields
from edge_agent.trust.judge import make_judge
from edge_agent.trust.orders import OrderType, parse_order
from edge_agent.trust.strict_json import WireError
from tests.trust import makers
from tests.trust.strategies import timetables
from tools.order_payloads import rule_payload


def refusal(**over: Any) -> str:
    with pytest.raises(WireError) as caught:
        makers.make_timetable(**over)
    return str(caught.value)


def judged(*, limits: dict[str, Any] | None = None, by: tuple[str, ...] = ("officer",), **over: Any) -> Any:
    roles = [makers.job_role(limits=limits or {}), makers.owner_role(), makers.command_role(), makers.online_role()]
    judge = make_judge(makers.make_trust(roles=roles), makers.make_site())
    return judge(makers.JOB_TOPIC, makers.signed_timetable(by=by, **over))


def accepted(**over: Any) -> AcceptedRule:
    verdict = judged(**over)
    assert isinstance(verdict, AcceptedRule), verdict
    return verdict


# Form


def test_an_entry_is_a_job_with_the_timetables_heading() -> None:
    order = makers.make_timetable(serial=7)
    (job,) = order.jobs
    assert (order.name, order.version) == ("main", 1)
    heading = ("issuer", "level", "key_epoch", "serial", "issued_at", "not_before", "not_after", "audience")
    assert [getattr(job, name) for name in heading] == [getattr(order.heading, name) for name in heading]
    plain = makers.make_job(job_id="sang", when=makers.rule_when(), serial=7, not_after=order.heading.not_after)
    assert job == plain


def test_a_timetable_without_entries_is_one() -> None:
    assert makers.make_timetable(entries=[]).jobs == ()


def test_an_entry_may_be_for_others_than_the_rest() -> None:
    there = {"areas": [makers.AREA], "zones": ["cho"]}
    order = makers.make_timetable(entries=[makers.entry_dict(audience=there), makers.entry_dict("trua")])
    assert [job.audience.zones for job in order.jobs] == [{"cho"}, frozenset()]


@given(timetables())
def test_any_timetable_reads_back_from_its_payload_unchanged(order: Timetable) -> None:
    payload = rule_payload(order, makers.REALM)
    assert payload["type"] == "timetable"
    assert parse_order(Fields(payload), OrderType.TIMETABLE) == order


@pytest.mark.parametrize("name", sorted(SAID_ONCE | {"realm", "type", "critical", "order_id"}))
def test_what_the_timetable_says_for_all_no_entry_says_by_itself(name: str) -> None:
    given = makers.timetable_dict().get(name, [])
    assert refusal(entries=[makers.entry_dict(**{name: given})]).startswith(f"entries[0].{name}: remove it")


@pytest.mark.parametrize("name", ["event", "series", "version", "all_clear", "rehearsal", "corrects"])
def test_no_entry_is_an_alert_or_a_correction(name: str) -> None:
    refused = refusal(entries=[makers.entry_dict(), makers.entry_dict("b", **{name: 1})])
    assert refused.startswith(f"entries[1].{name}: remove it: alerts, rehearsals and corrections")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"class": "emergency"}, "entries[0].class: normal or priority"),
        ({"when": {"kind": "now"}}, 'entries[0].when: planned, "kind": "at" or "rule"'),
        ({"volume": 101}, "entries[0].volume: an integer from 0 to 100"),
        ({"items": []}, "entries[0].items: a list of 1 to 20"),
        ({"items": [makers.clip_item(length=0)]}, "entries[0].items[0].length: "),
        ({"audience": {}}, "entries[0].audience.areas: stations or areas"),
        ({"job_id": "lich-1"}, "entries[0]: another job_id, this is the timetable's own"),
    ],
)
def test_a_slip_in_an_entry_is_named_by_its_place(entry: dict[str, Any], said: str) -> None:
    assert refusal(entries=[makers.entry_dict(**entry)]).startswith(said)


def test_every_entry_has_an_id_of_its_own() -> None:
    twice = [makers.entry_dict(), makers.entry_dict("b"), makers.entry_dict()]
    assert refusal(entries=twice) == "entries[2].job_id: each only once"


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"version": 0}, "version: an integer from 1"),
        ({"name": "Chợ"}, "name: 1 to 64"),
        ({"entries": [{}] * (ENTRIES_MAX + 1)}, "entries: a list of 0 to 60"),
        ({"not_after": makers.NOON}, "not_after: later than not_before"),
    ],
)
def test_a_slip_in_the_timetable_is_named(over: dict[str, Any], said: str) -> None:
    assert refusal(**over).startswith(said)


def test_sixty_entries_of_one_clip_fit_an_envelope() -> None:
    full = [makers.entry_dict(f"dong-thanh-main-{number:010}") for number in range(ENTRIES_MAX)]
    assert len(makers.signed_timetable(entries=full)) < ENVELOPE_BYTES_MAX
    assert len(accepted(entries=full).order.jobs) == ENTRIES_MAX  # type: ignore[union-attr]


# Who may


def test_whoever_orders_jobs_orders_timetables() -> None:
    verdict = accepted()
    assert (verdict.order_id, verdict.role, verdict.signers) == (
        "lich-1",
        "ward",
        (makers.signer("officer").keyid,),
    )
    assert isinstance(judged(by=("owner",), issuer=makers.OWNER), Rejected)
    assert judged(by=("owner",)).reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("limits", "entry", "said"),
    [
        ({"volume_max": 60}, {"volume": 70}, "entries[1].volume: 70 is above the role's 60 (role ward)"),
        ({"classes": ["normal"]}, {"class": "priority"}, "entries[1].class: priority is not among the role's"),
        ({"hours": [["05:00", "21:00"]]}, {"when": makers.rule_when(times=["04:59:00"])}, "entries[1].when: 04:59:00"),
        ({}, {"audience": {"areas": ["vn/ha-noi/an-khanh"]}}, "entries[1].audience.areas: vn/ha-noi/an-khanh"),
    ],
)
def test_one_entry_beyond_its_role_refuses_the_whole(limits: dict[str, Any], entry: dict[str, Any], said: str) -> None:
    first = makers.entry_dict(volume=10)
    verdict = judged(limits=limits, entries=[first, makers.entry_dict("b", **{"volume": 10, **entry})])
    assert verdict.reason is Reason.OVER_LIMIT
    assert verdict.detail.startswith(said)
    assert verdict.job_id == "lich-1"


def test_its_validity_is_that_of_its_jobs() -> None:
    longer = makers.NOON + 101 * makers.DAY_MS
    assert judged(not_after=longer).reason is Reason.VALIDITY_TOO_LONG


def test_a_station_has_only_the_entries_that_name_it() -> None:
    elsewhere = {"stations": ["dt-02"]}
    other_zones = {"areas": [makers.AREA], "zones": ["san-van-dong"]}
    verdict = accepted(
        entries=[
            makers.entry_dict(),
            makers.entry_dict("b", audience=elsewhere),
            makers.entry_dict("c", audience=other_zones),
        ]
    )
    assert [entry.order_id for entry in entries(verdict)] == ["sang"]
    assert judged(audience=elsewhere).reason is Reason.WRONG_AUDIENCE


def test_what_the_role_may_only_offer_is_offered() -> None:
    limits = {"offered": ["normal"]}
    verdict = accepted(limits=limits, entries=[makers.entry_dict(), makers.entry_dict("b", **{"class": "priority"})])
    assert verdict.offered == {JobClass.NORMAL}
    assert [entry.offered for entry in entries(verdict)] == [True, False]


def test_an_entry_says_what_it_was_signed_in() -> None:
    verdict = accepted(version=4, name="cho")
    (entry,) = entries(verdict)
    assert (entry.digest, entry.signers, entry.role) == (verdict.digest, verdict.signers, verdict.role)
    assert entry.edition is not None
    assert (entry.edition.order_id, entry.edition.name, entry.edition.version) == ("lich-1", "cho", 4)
    assert entries(replace(verdict, order=makers.make_window())) == ()
