"""What a station believes now, as its judge and its memory: an order stands only as long as its signers may give it."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import AcceptedTrust
from edge_agent.trust.bundle import write_file
from edge_agent.trust.keeper import Keeper, believing
from tests.trust.delegation import HANOI, PROVINCE_1, ROOT_1, WARD_1, ward
from tests.trust.makers import (
    ACK_TOPIC,
    AREA,
    JOB_TOPIC,
    WELCOME_TOPIC,
    command_role,
    job_role,
    make_site,
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
    assert (judgement.area, judgement.again) == (AREA, False)
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
    assert made.revoked([order]) == set()
    made.take(full_ward(3))
    assert made.revoked([order]) == {order.order_id}


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
    assert (made.revoked([order]) == set()) is stands
