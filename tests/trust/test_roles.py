"""The trust file: taken only when it holds together, and refused with the field and the remedy."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

import pytest

from edge_agent.core.job import JobClass
from edge_agent.core.units import DAY_MS
from edge_agent.trust.commands import What
from edge_agent.trust.documents import DOCUMENT_BYTES_MAX, load_document, together
from edge_agent.trust.envelope import Envelope, open_envelope, signers_of
from edge_agent.trust.keys import PublicKey, Scheme
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import enough, keys_for, who_may
from edge_agent.trust.strict_json import WireError
from tests.trust.makers import (
    AREA,
    ISSUER,
    NOON,
    OWNER,
    P256Signer,
    command_role,
    job_role,
    make_trust,
    online_role,
    owner_role,
    signed_job,
    signer,
    trust_document,
)

OFFICER, DEPUTY, SERVER = (signer(name) for name in ("officer", "deputy", "server"))
OWNER_KEY = signer("owner").keyid
TOKEN = P256Signer("token")
TWO = [OFFICER.keyid, DEPUTY.keyid]


def refusal(document: dict[str, Any]) -> str:
    with pytest.raises(WireError) as caught:
        load_document(json.dumps(document).encode())
    return str(caught.value)


def with_keys(entries: dict[str, Any]) -> dict[str, Any]:
    document = trust_document()
    return document | {"keys": document["keys"] | entries}


def test_a_trust_file_is_read_as_it_was_written():
    trust = make_trust(roles=[job_role(limits={"hours": [["05:00", "21:00"]], "validity_max_s": 600}), online_role()])
    assert (trust.realm, trust.version) == ("test", 1)
    ward, server = trust.roles
    assert (ward.name, ward.orders, ward.threshold) == ("ward", {OrderType.JOB}, 1)
    assert ward.keys == {OFFICER.public}
    assert ward.grant is not None
    assert (ward.grant.issuer, ward.grant.level) == (ISSUER, "commune")
    assert ward.grant.limits.classes == set(JobClass)
    assert ward.grant.limits.areas == (AREA,)
    assert ward.grant.limits.hours == ((time(5), time(21)),)
    assert ward.grant.limits.validity_max_ms == 600_000
    assert (server.orders, server.grant) == ({OrderType.WELCOME, OrderType.ACK, OrderType.HEAD}, None)


def test_a_role_without_hours_may_plan_at_any_hour():
    grant = make_trust().roles[0].grant
    assert grant is not None
    assert grant.limits.hours == ()


def test_a_token_with_ecdsa_p256_can_hold_a_role():
    trust = make_trust(keys=[TOKEN.public], roles=[job_role(keyids=[TOKEN.keyid])])
    assert trust.roles[0].keys == {TOKEN.public}


def test_the_file_may_be_written_for_people_to_read():
    assert together([load_document(json.dumps(trust_document(), indent=2).encode())]) == make_trust()


# Attacks and slips of the pen


@pytest.mark.parametrize("key", [OFFICER.public, TOKEN.public], ids=["ed25519", "p-256"])
def test_one_key_under_two_keyids_as_a_threshold_of_two_is_refused(key: PublicKey):
    other_name = "f" * 64
    document = with_keys({key.keyid: key.to_trust(), other_name: key.to_trust()})
    document["roles"] = [job_role(keyids=[key.keyid, other_name], threshold=2)]
    assert refusal(document) == f"keys.{other_name}: the same key as {key.keyid}; a key counts once, remove one"


@pytest.mark.parametrize("key", [signer("stranger").public, TOKEN.public], ids=["ed25519", "p-256"])
def test_a_keyid_that_is_not_the_hash_of_its_key_is_refused(key: PublicKey):
    assert refusal(with_keys({"f" * 64: key.to_trust()})).endswith(f"which is {key.keyid}")


def test_a_key_named_twice_in_a_role_does_not_reach_its_threshold():
    assert refusal(trust_document(roles=[job_role(keyids=[OFFICER.keyid] * 2, threshold=2)])) == (
        "roles[0].keyids[1]: each only once"
    )


def test_a_threshold_that_nobody_can_reach_is_refused():
    document = trust_document(roles=[job_role(keyids=TWO, threshold=3)])
    assert refusal(document) == "roles[0].threshold: at most 2, the number of its keyids"


def test_a_key_entry_twice_in_the_text_is_refused():
    text = json.dumps(trust_document())
    entry = f'"{OFFICER.keyid}": {json.dumps(OFFICER.public.to_trust())}, '
    with pytest.raises(WireError, match="only once"):
        load_document(text.replace('"keys": {', '"keys": {' + entry).encode())


def test_a_role_that_orders_sound_and_answers_stations_is_refused():
    for online in ("welcome", "ack", "head"):
        assert refusal(trust_document(roles=[job_role(orders=["job", online])])).startswith(
            "roles[0].orders: no welcome, ack or head here"
        )


@pytest.mark.parametrize("threshold", [1, 3])
def test_a_servers_key_in_a_role_that_orders_sound_is_refused(threshold: int):
    document = trust_document(roles=[online_role(), job_role(keyids=[*TWO, SERVER.keyid], threshold=threshold)])
    assert refusal(document).startswith("roles[1].keyids: no key that also answers stations")


def test_one_of_a_servers_keys_that_signs_trust_documents_too_is_refused():
    document = trust_document(roles=[job_role(), online_role(keyids=[SERVER.keyid, signer("holder").keyid])])
    assert refusal(document).startswith("roles[1].keyids: no key that signs trust documents")


@pytest.mark.parametrize("role", [owner_role, command_role])
def test_a_servers_key_orders_nothing(role: Any):
    assert refusal(trust_document(roles=[online_role(), role(keyids=[SERVER.keyid])])).startswith(
        "roles[1].keyids: no key that also answers stations"
    )
    (order, *_) = role()["orders"]
    refused = refusal(trust_document(roles=[role(orders=[order, "ack"])]))
    assert refused.startswith("roles[0].orders: no welcome, ack or head")


def test_a_key_that_orders_jobs_cannot_loosen_what_binds_them():
    for roles in (
        [owner_role(keyids=[OFFICER.keyid]), job_role()],
        [owner_role(), job_role(keyids=[OWNER_KEY])],
        [owner_role(keyids=[OWNER_KEY, OFFICER.keyid]), job_role()],
        [owner_role(), job_role(keyids=[OFFICER.keyid, OWNER_KEY])],
    ):
        assert refusal(trust_document(roles=roles)) == (
            "roles[0].keyids: no key that also orders jobs: "
            "an exception is signed by the policy's owner, never by the job's issuer"
        )
    for order in ("regulation", "window"):
        mixed = job_role(orders=["job", order])
        assert refusal(trust_document(roles=[mixed])).startswith("roles[0].orders: no job here: an exception is signed")


@pytest.mark.parametrize("order", ["regulation", "window"])
def test_a_policys_owner_of_the_same_name_as_who_orders_jobs_is_refused(order: str):
    """His windows, and the silence among them, could be cancelled by whoever they bind."""
    for roles in ([job_role(), owner_role(orders=[order], issuer=ISSUER)], [job_role(issuer=OWNER), owner_role()]):
        issuer = roles[1]["issuer"]
        assert refusal(trust_document(roles=roles)) == (
            f"roles[1].issuer: not {issuer}, which also orders jobs: "
            "the policy's owner has a name of its own: cancelling goes by issuer"
        )
    owners_own = command_role(keyids=[OWNER_KEY], issuer=OWNER, limits={"commands": ["cancel"]})
    assert make_trust(roles=[job_role(), owner_role(orders=[order]), owners_own])


def test_a_key_that_orders_jobs_cannot_cancel_in_the_name_of_the_policys_owner():
    in_his_name = command_role(keyids=[OFFICER.keyid], issuer=OWNER, limits={"commands": ["cancel"]})
    assert refusal(trust_document(roles=[job_role(), owner_role(), in_his_name])) == (
        f"roles[2].keyids: no key that also orders jobs acts as {OWNER}: "
        "the policy's owner has a name of its own: cancelling goes by issuer"
    )


def test_a_key_may_order_jobs_and_commands_and_a_role_both():
    both = job_role(orders=["job", "command"], limits={"commands": ["stop", "all_stop"]})
    grant = make_trust(roles=[both]).roles[0].grant
    assert grant is not None
    assert (grant.limits.commands, grant.limits.volume_max) == ({What.STOP, What.ALL_STOP}, 100)
    assert make_trust(roles=[job_role(), command_role(), owner_role()]).roles[1].keys == {OFFICER.public}
    assert make_trust(roles=[owner_role(orders=["regulation", "command"], limits={"commands": ["cancel"]})])


def test_the_limits_of_a_role_are_those_of_what_it_orders():
    owner, desk = (role.grant for role in make_trust(roles=[owner_role(), command_role()]).roles)
    assert owner is not None
    assert desk is not None
    assert (owner.issuer, owner.limits.classes, owner.limits.commands) == (OWNER, frozenset(), frozenset())
    assert (desk.limits.classes, desk.limits.commands) == (frozenset(), frozenset(What))
    for name, value in {"classes": ["normal"], "hours": [["05:00", "21:00"]], "volume_max": 80, "per_day": 2}.items():
        for role in (owner_role, command_role):
            refused = refusal(trust_document(roles=[role(limits={name: value})]))
            assert refused.startswith(f"roles[0].limits.{name}: unknown field, remove it; known are areas, valid")
    commands = {"commands": ["stop"]}
    for role in (owner_role, job_role):
        refused = refusal(trust_document(roles=[role(limits=commands)]))
        assert refused.startswith("roles[0].limits.commands: unknown field")


def test_how_often_and_how_long_a_key_may_warn_is_read():
    limits = {"events": ["flash-flood", "dam"], "sound_max_s": 3_600, "per_day": 12}
    grant = make_trust(roles=[job_role(limits=limits)]).roles[0].grant
    assert grant is not None
    read = grant.limits
    assert (read.events, read.sound_max_ms, read.per_day) == ({"flash-flood", "dam"}, 3_600_000, 12)
    plain = make_trust().roles[0].grant
    assert plain is not None
    assert (plain.limits.events, plain.limits.sound_max_ms, plain.limits.per_day) == (frozenset(), 0, 0)
    for name, value in limits.items():
        role = job_role(limits={"classes": ["normal"], name: value})
        assert refusal(trust_document(roles=[role])).startswith(f"roles[0].limits.{name}: remove it, it binds emerg")


@pytest.mark.parametrize(
    ("role", "over", "message"),
    [
        (command_role, {"commands": []}, "commands: a list of 1 to 14"),
        (command_role, {"commands": ["shout"]}, "commands[0]: one of cancel, stop, "),
        (command_role, {"commands": ["stop", "stop"]}, "commands[1]: each only once"),
        (job_role, {"offered": ["emergency"]}, "offered: some of classes, without emergency"),
        (job_role, {"classes": ["normal"], "offered": ["priority"]}, "offered: some of classes"),
        (job_role, {"events": []}, "events: a list of 1 to 32"),
        (job_role, {"events": ["Lũ"]}, "events[0]: 1 to 40 of a-z"),
        (job_role, {"sound_max_s": 0}, "sound_max_s: an integer from 1 to 86400"),
        (job_role, {"sound_max_s": 86_401}, "sound_max_s: an integer from 1 to 86400"),
        (job_role, {"per_day": 0}, "per_day: an integer from 1 to 1000"),
        (job_role, {"per_day": 1_001}, "per_day: an integer from 1 to 1000"),
        (job_role, {"sources": []}, "sources: a list of 1 to 16"),
        (job_role, {"sources": ["https://"]}, "sources[0]: an https:// address"),
        (job_role, {"sources": ["http://live.test/"]}, "sources[0]: an https:// address"),
    ],
)
def test_a_wrong_limit_is_named(role: Any, over: dict[str, Any], message: str):
    assert refusal(trust_document(roles=[role(limits=over)])).startswith(f"roles[0].limits.{message}")


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (owner_role, ["areas", "validity_max_s"]),
        (command_role, ["areas", "validity_max_s", "commands"]),
        (job_role, ["areas", "validity_max_s", "classes", "volume_max"]),
    ],
)
def test_a_missing_limit_is_named(role: Any, names: list[str]):
    for name in names:
        written = role()
        del written["limits"][name]
        assert refusal(trust_document(roles=[written])) == f"roles[0].limits.{name}: missing"


@pytest.mark.parametrize("role", [owner_role, command_role])
@pytest.mark.parametrize("name", ["issuer", "level", "limits"])
def test_whatever_people_order_they_order_in_a_name_and_within_limits(role: Any, name: str):
    written = role()
    del written[name]
    assert refusal(trust_document(roles=[written])) == f"roles[0].{name}: missing"


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"tresholds": 2}, 'roles[0].tresholds: unknown field, did you mean "threshold"?'),
        ({"xyz": 2}, "roles[0].xyz: unknown field, remove it; known are role, orders, keyids, threshold, issuer, "),
        (
            {"limits": {"classes": ["normal"], "volume": 5}},
            'roles[0].limits.volume: unknown field, did you mean "volume_',
        ),
    ],
)
def test_an_unknown_field_is_named_with_its_remedy(slip: dict[str, Any], message: str):
    assert refusal(trust_document(roles=[job_role(**slip)])).startswith(message)


def test_unknown_fields_are_refused_at_every_level():
    assert refusal(trust_document(notes="x")).startswith("notes: unknown field")
    entry = OFFICER.public.to_trust() | {"owner": "x"}
    assert "owner: unknown field" in refusal(with_keys({OFFICER.keyid: entry}))
    assert refusal(trust_document(roles=[online_role(issuer="x")])).startswith("roles[0].issuer: unknown field")


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"realm": "Test"}, "realm: 1 to 64"),
        ({"realm": "test\n"}, "realm: no control"),
        ({"type": "job"}, 'type: "trust"'),
        ({"version": 0}, "version: an integer from 1"),
        ({"version": True}, "version: an integer from 1"),
        ({"version": "1"}, "version: an integer from 1"),
        ({"expires": NOON - DAY_MS}, "expires: later than issued_at"),
        ({"expires": 2**53 - 1}, "expires: an integer from 0 to 4102444800000"),
        ({"keys": {}}, "keys: 1 to 64 keys"),
        ({"keys": []}, "keys: an object"),
        ({"roles": []}, "roles: a list of 1 to 64"),
        ({"roles": [job_role(), job_role()]}, "roles[1].role: each only once"),
    ],
)
def test_a_wrong_field_is_named(over: dict[str, Any], message: str):
    assert refusal(trust_document() | over).startswith(message)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"role": ""}, "role: 1 to 64"),
        ({"orders": []}, "orders: a list of 1 to 8"),
        (
            {"orders": ["jobs"]},
            "orders[0]: one of job, regulation, window, command, timetable, welcome, ack, head, not jobs",
        ),
        ({"orders": [1]}, "orders[0]: one of job, regulation, window, command, timetable, welcome, ack"),
        (
            {"orders": ["job", "timetable"]},
            'orders: no timetable here: whoever orders "job" orders whole timetables too',
        ),
        ({"keyids": []}, "keyids: a list of 1 to 64"),
        ({"keyids": ["e" * 64]}, "keyids[0]: a keyid that stands under keys"),
        ({"keyids": ["E" * 64]}, "keyids[0]: 64 hex digits"),
        ({"threshold": 0}, "threshold: an integer from 1 to 8"),
        ({"threshold": 9}, "threshold: an integer from 1 to 8"),
        ({"issuer": "Đông Thành"}, "issuer: 1 to 64"),
        ({"level": None}, "level: 1 to 64"),
        ({"limits": {"classes": []}}, "limits.classes: a list of 1 to 3"),
        ({"limits": {"classes": ["normal", "normal"]}}, "limits.classes[1]: each only once"),
        ({"limits": {"areas": []}}, "limits.areas: a list of 1 to 64"),
        ({"limits": {"areas": ["vn//x"]}}, "limits.areas[0]: 1 to 6 names"),
        ({"limits": {"areas": ["/vn"]}}, "limits.areas[0]: 1 to 6 names"),
        ({"limits": {"areas": ["a/b/c/d/e/f/g"]}}, "limits.areas[0]: 1 to 6 names"),
        ({"limits": {"volume_max": 101}}, "limits.volume_max: an integer from 0 to 100"),
        ({"limits": {"validity_max_s": 0}}, "limits.validity_max_s: an integer from 1"),
        ({"limits": {"hours": []}}, "limits.hours: a list of 1 to 8"),
        ({"limits": {"hours": [["05:00"]]}}, "limits.hours[0]: two wall times"),
        ({"limits": {"hours": [["05:00", "24:00"]]}}, "limits.hours[0]: two wall times"),
        ({"limits": {"hours": [["5:00", "21:00"]]}}, "limits.hours[0]: two wall times"),
        ({"limits": {"hours": [["05:00", "21:00", "22:00"]]}}, "limits.hours[0]: two wall times"),
        ({"limits": {"hours": ["05:00-21:00"]}}, "limits.hours[0]: two wall times"),
    ],
)
def test_a_wrong_field_of_a_role_is_named(over: dict[str, Any], message: str):
    assert refusal(trust_document(roles=[job_role(**over)])).startswith(f"roles[0].{message}")


@pytest.mark.parametrize("name", ["role", "orders", "keyids", "threshold", "issuer", "level", "limits"])
def test_a_missing_field_of_a_role_is_named(name: str):
    role = job_role()
    del role[name]
    message = refusal(trust_document(roles=[role]))
    assert message == f"roles[0].{name}: missing"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"scheme": "rsa", "public": "00"}, "scheme: one of ed25519, ecdsa-p256, not rsa"),
        ({"scheme": "ed25519", "public": "AB" * 32}, "public: lower-case hex digits"),
        ({"scheme": "ed25519", "public": "ab" * 31}, "public: an Ed25519 public key has 32 bytes"),
        ({"scheme": "ecdsa-p256", "public": "04" + "11" * 64}, "public: a P-256 public key is an uncompressed"),
    ],
)
def test_a_wrong_key_is_named(entry: dict[str, str], message: str):
    assert refusal(with_keys({"f" * 64: entry})).startswith(f"keys.{'f' * 64}.{message}")


def test_more_keys_than_a_commune_has_are_refused():
    many = [signer(f"n{number}").public for number in range(61)]
    assert refusal(trust_document(keys=many)) == "keys: 1 to 64 keys"
    assert make_trust(keys=many[:59])


def test_a_file_without_end_is_refused():
    text = json.dumps(trust_document())
    assert load_document(text.ljust(DOCUMENT_BYTES_MAX).encode())
    with pytest.raises(WireError, match="at most 47104 bytes"):
        load_document(text.ljust(DOCUMENT_BYTES_MAX + 1).encode())


# Who may order what


def test_a_job_is_for_the_roles_of_its_issuer_only():
    other = job_role(role="other", issuer="an-khanh", keyids=[DEPUTY.keyid])
    trust = make_trust(roles=[job_role(), other, online_role()])
    assert [role.name for role in who_may(trust, OrderType.JOB, ISSUER)] == ["ward"]
    assert [role.name for role in who_may(trust, OrderType.JOB, "an-khanh")] == ["other"]
    assert who_may(trust, OrderType.JOB, "nobody") == ()


def test_each_kind_of_order_is_for_the_roles_that_have_it():
    trust = make_trust()
    names = {kind: [role.name for role in who_may(trust, kind, ISSUER)] for kind in OrderType}
    assert names == {
        OrderType.JOB: ["ward"],
        OrderType.REGULATION: [],
        OrderType.WINDOW: [],
        OrderType.COMMAND: ["desk"],
        OrderType.TIMETABLE: ["ward"],
        OrderType.WELCOME: ["server"],
        OrderType.ACK: ["server"],
        OrderType.HEAD: ["server"],
    }
    for kind in (OrderType.REGULATION, OrderType.WINDOW):
        assert [role.name for role in who_may(trust, kind, OWNER)] == ["owner"]
        assert keys_for(trust, kind) == {signer("owner").public}


def test_the_role_that_needs_most_signatures_comes_first():
    two = job_role(role="two-officers", keyids=TWO, threshold=2)
    trust = make_trust(roles=[job_role(), two])
    assert [role.name for role in who_may(trust, OrderType.JOB, ISSUER)] == ["two-officers", "ward"]


def test_welcome_and_acknowledgement_are_for_the_roles_that_have_them():
    trust = make_trust(
        roles=[
            job_role(),
            online_role(role="greeter", orders=["welcome"]),
            online_role(role="archive", orders=["ack"], keyids=[DEPUTY.keyid]),
        ]
    )
    assert [role.name for role in who_may(trust, OrderType.WELCOME)] == ["greeter"]
    assert [role.name for role in who_may(trust, OrderType.ACK)] == ["archive"]
    assert keys_for(trust, OrderType.JOB) == {OFFICER.public}
    assert keys_for(trust, OrderType.WELCOME) == {SERVER.public}
    assert keys_for(trust, OrderType.ACK) == {DEPUTY.public}


def test_a_threshold_counts_different_keys_of_the_role_and_no_others():
    role = make_trust(roles=[job_role(keyids=TWO, threshold=2)]).roles[0]
    assert enough(role, frozenset({OFFICER.public, DEPUTY.public}))
    assert enough(role, frozenset({OFFICER.public, DEPUTY.public, SERVER.public}))
    assert not enough(role, frozenset({OFFICER.public, SERVER.public}))
    assert not enough(role, frozenset())


def test_one_officer_who_signs_twice_is_one_officer():
    role = make_trust(roles=[job_role(keyids=TWO, threshold=2)]).roles[0]
    envelope = open_envelope(signed_job(by=["officer", "officer"]))
    assert isinstance(envelope, Envelope)
    same_again = PublicKey(Scheme.ED25519, bytes(bytearray(OFFICER.public.raw)))
    assert not enough(role, signers_of(envelope, [OFFICER.public, same_again, DEPUTY.public]))
