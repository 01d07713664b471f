"""What a station believes now, as its judge and its memory: an order stands only as long as its signers may give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import timetable
from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, PlayNow
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import AcceptedTrust
from edge_agent.trust.bundle import write_file
from edge_agent.trust.keeper import Keeper, believing, by_kept
from tests.trust.delegation import HANOI, PROVINCE_1, ROOT_1, WARD_1, root, ward
from tests.trust.makers import (
    ACK_TOPIC,
    AREA,
    DAY_MS,
    JOB_TOPIC,
    NOON,
    WELCOME_TOPIC,
    command_role,
    entry_dict,
    job_role,
    make_site,
    online_role,
    owner_role,
    signed_command,
    signed_job,
    signed_regulation,
    signed_timetable,
    signed_trust,
    signed_window,
    signer,
)

FILE = write_file([ROOT_1, PROVINCE_1, WARD_1])
BOTH = [signer(name).keyid for name in ("officer", "deputy")]
KEYS = {one.keyid: one.public.to_trust() for one in map(signer, ("officer", "deputy", "owner"))}
LIMITS: dict[str, Any] = {"classes": ["normal", "priority"], "validity_max_s": 100 * 86_400}


def keeper() -> Keeper:
    return believing(FILE, (), make_site())


def full_ward(version: int, *roles: dict[str, Any]) -> bytes:
    return signed_trust(ward(version, roles=list(roles)) | {"keys": KEYS}, HANOI)


def taught(*roles: dict[str, Any]) -> Keeper:
    made = keeper()
    made.take(full_ward(2, *roles))
    return made


ALL = (job_role(limits=LIMITS), command_role(), owner_role())


def accepted(by: Keeper, message: bytes) -> Accepted | AcceptedRule:
    judgement = by.judge(JOB_TOPIC, message)
    assert isinstance(judgement, Accepted | AcceptedRule), judgement
    return judgement


def test_a_document_of_another_realm_than_the_stations_is_a_mistake_of_whoever_set_it_up() -> None:
    with pytest.raises(ValueError, match="realm test, the station is of hue"):
        believing(FILE, (), make_site(realm="hue"))


def test_a_document_is_judged_as_it_will_be_believed() -> None:
    made = keeper()
    two = signed_trust(ward(2), HANOI)
    judgement = made.judge(JOB_TOPIC, two)
    assert isinstance(judgement, AcceptedTrust)
    assert (judgement.area, judgement.again, judgement.issued_at) == (AREA, False, NOON - DAY_MS)
    assert made.standing.heads[-1].version == 1, "judging changes nothing"
    made.take(two)
    assert made.standing.heads[-1].version == 2
    again = made.judge(JOB_TOPIC, two)
    assert isinstance(again, AcceptedTrust)
    assert again.again
    made.take(WARD_1)
    assert made.standing.heads[-1].version == 2, "what is not to be believed has no effect"


@pytest.mark.parametrize("topic", [WELCOME_TOPIC, ACK_TOPIC])
def test_a_document_that_comes_where_a_server_answers_is_none(topic: str) -> None:
    refused = keeper().judge(topic, signed_trust(ward(2), HANOI))
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.MALFORMED


def test_an_unreadable_message_and_a_refused_document_keep_their_reasons() -> None:
    unreadable, refused = keeper().judge(JOB_TOPIC, b"{"), keeper().judge(JOB_TOPIC, signed_trust(ward(0), HANOI))
    assert [one.reason for one in (unreadable, refused) if isinstance(one, Rejected)] == [Reason.MALFORMED] * 2


@pytest.mark.parametrize("make", [signed_job, signed_command, signed_regulation, signed_window, signed_timetable])
def test_an_order_of_any_kind_stands_as_long_as_its_signer_may_give_it(make: Any) -> None:
    made = taught(*ALL)
    order = accepted(made, make())
    assert made.again([order]).revoked == set()
    made.take(full_ward(3))
    assert made.again([order]).revoked == {order.order_id}


@pytest.mark.parametrize(
    ("role", "stands"),
    [
        (job_role(limits=LIMITS), True),
        (job_role(role="renamed", limits=LIMITS), True),
        (job_role(limits=LIMITS | {"volume_max": 5}), False),
        (job_role(limits=LIMITS | {"classes": ["priority"]}), False),
        (job_role(limits=LIMITS | {"validity_max_s": 10}), False),
        (job_role(issuer="khac", limits=LIMITS), False),
        (job_role(keyids=BOTH[1:], limits=LIMITS), False),
        (job_role(keyids=BOTH, limits=LIMITS), True),
        (job_role(keyids=BOTH, threshold=2, limits=LIMITS), False),
    ],
)
def test_a_job_stands_only_within_what_its_signers_may_do_today(role: dict[str, Any], stands: bool) -> None:
    made = taught(*ALL)
    order = accepted(made, signed_job())
    made.take(full_ward(3, role))
    assert (made.again([order]).revoked == set()) is stands


def test_the_entries_of_a_timetable_stand_on_as_they_were_signed() -> None:
    """They are planned from a beginning of their own, which nobody has signed."""
    made = taught(*ALL)
    whole = accepted(made, signed_timetable())
    assert isinstance(whole, AcceptedRule)
    entries = timetable.entries(whole)
    assert entries
    made.take(full_ward(3, *ALL))
    assert made.again(entries).revoked == set()
    made.take(full_ward(4))
    assert made.again(entries).revoked == {one.order_id for one in entries}


def test_the_entries_of_a_timetable_that_is_revoked_as_a_whole_are_revoked_with_it() -> None:
    made = taught(*ALL)
    both = [entry_dict("tin"), entry_dict("khan", **{"class": "priority"})]
    whole = accepted(made, signed_timetable(entries=both))
    assert isinstance(whole, AcceptedRule)
    entries = timetable.entries(whole)
    made.take(full_ward(3, job_role(limits=LIMITS | {"classes": ["normal"]})))
    assert made.again([*entries, whole]).revoked == {"tin", "khan", whole.order_id}
    assert made.again(entries).revoked == {"khan"}, "its timetable is over: it only sounds on"


def test_an_offer_that_was_chosen_stands_on_as_it_was_signed() -> None:
    """Its choice is later than the ten minutes for which something may be ordered for now."""
    made = taught(*ALL)
    offer = accepted(made, signed_job(when={"kind": "at", "utc": NOON + 3_600_000}, not_after=NOON + 7_200_000))
    assert isinstance(offer, Accepted)
    chosen = replace(offer, job=replace(offer.job, when=PlayNow()), signed=offer.job)
    made.take(full_ward(3, *ALL))
    assert made.again([chosen]).revoked == set()


def test_an_order_that_two_signed_stands_on_by_the_other_ones_role() -> None:
    deputys = job_role(role="deputys", keyids=BOTH[1:], limits=LIMITS)
    made = taught(job_role(limits=LIMITS), deputys)
    order = accepted(made, signed_job(by=("officer", "deputy")))
    made.take(full_ward(3, deputys))
    assert made.again([order]).revoked == set()


def test_what_is_believed_and_not_kept_is_told_once() -> None:
    made = keeper()
    assert [area for area, _ in made.unkept()] == ["", "vn/ha-noi", AREA]
    assert made.unkept() == ()
    made.take(full_ward(2))
    assert made.unkept() == ((AREA, full_ward(2)),)


def test_who_tells_the_time_is_who_the_newest_root_names_for_welcomes() -> None:
    made = keeper()
    assert made.tell_the_time == {signer("server").public}
    both = [online_role(orders=["welcome"], keyids=[signer("deputy").keyid]), online_role(orders=["ack", "head"])]
    made.take(signed_trust(root(2, roles=[both[0] | {"role": "clock"}, both[1]]), "holder"))
    assert made.tell_the_time == {signer("deputy").public}


def test_an_older_trust_file_takes_back_nothing_that_a_newer_one_brought() -> None:
    first = believing(write_file([ROOT_1, PROVINCE_1, full_ward(2)]), (), make_site())
    kept = [(first.anchor, envelope) for _, envelope in first.unkept()]
    again = believing(FILE, kept, make_site())
    assert again.standing.heads[-1].version == 2
    assert again.unkept() == ()


def test_a_trust_file_with_another_root_is_a_beginning_whatever_was_believed() -> None:
    """Hands at the station must heal it even of a stolen root."""
    kept = [(keeper().anchor, signed_trust(root(9), "holder")), (keeper().anchor, full_ward(9))]
    fresh = write_file([signed_trust(root(holders=("new",)), "new"), PROVINCE_1, WARD_1])
    assert [head.version for head in believing(fresh, kept, make_site()).standing.heads] == [1, 1, 1]


def test_without_its_trust_file_a_station_believes_what_it_did_and_goes_on_when_the_file_is_back() -> None:
    first = believing(FILE, (), make_site())
    for document in (signed_trust(root(2), "holder"), full_ward(2)):
        first.take(document)
    kept = [(first.anchor, held.envelope) for _, held in sorted(first.chain.newest.items())]
    again = by_kept(kept, make_site())
    assert (again.standing, again.anchor, again.time_void) == (first.standing, first.anchor, False)
    assert [head.version for head in again.standing.heads] == [2, 1, 2]
    assert again.unkept() == ()
    back = believing(FILE, [*kept, (again.anchor, full_ward(3))], make_site())
    assert ([head.version for head in back.standing.heads], back.time_void) == ([2, 1, 3], False)


@pytest.mark.parametrize("root_kept", [None, WARD_1, b"\x00" * 40, signed_trust(root(), "stranger")])
def test_without_a_good_root_nothing_that_was_kept_is_believed(root_kept: bytes | None) -> None:
    anchor = keeper().anchor
    with pytest.raises(ValueError):  # noqa: PT011 - whichever says it first
        by_kept([] if root_kept is None else [(anchor, root_kept), (anchor, WARD_1)], make_site())


def test_a_station_that_was_moved_lets_go_of_the_old_wards_documents() -> None:
    made = keeper()
    kept = [(made.anchor, envelope) for _, envelope in made.unkept()]
    elsewhere = believing(FILE, kept, make_site(area="vn/ha-noi/tay-ho"))
    assert [head.area for head in elsewhere.standing.heads] == ["", "vn/ha-noi"]
