"""Heads and manifests as bytes: what is read, and what a hostile server may put there without being believed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.heads import (
    HEAD_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    MANIFEST_ORDERS_MAX,
    MANIFEST_TRUST_MAX,
    Head,
    ListedOrder,
    ListedTrust,
    Manifest,
    Paper,
)
from edge_agent.core.manifests import HEAD_TOPIC
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, UtcMs
from edge_agent.trust.bundle import DOCUMENTS_MAX
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.manifests import ISSUERS_MAX, head_payload, read_manifest, write_manifest
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump
from edge_agent.trust.timetable import UTC_MS_MAX
from tests.trust import makers

SCOPE = f"area/{makers.AREA}"
HEAD = Head(SCOPE, 1_790_000_000_000, 7, UtcMs(makers.NOON), "ab" * 32, 4_096)
ORDER = ListedOrder("cd" * 32, JobId("job-1"), UtcMs(makers.NOON), Paper("ef" * 32, 900))
TRUST = ListedTrust("", 0, 1, Paper("12" * 32, 5_000))
MANIFEST = Manifest(SCOPE, 1, 7, {makers.ISSUER: 41}, (ORDER,), (TRUST,), frozenset({ORDER.digest}))


def judged(payload: dict[str, Any], by: str = "server", topic: str = HEAD_TOPIC) -> object:
    return make_judge(makers.make_trust(), makers.make_site())(topic, makers.signed(payload, [by]))


def refused(payload: dict[str, Any], **how: Any) -> tuple[Reason, str]:
    verdict = judged(payload, **how)
    assert isinstance(verdict, Rejected)
    return verdict.reason, verdict.detail


def head_dict(**over: Any) -> dict[str, Any]:
    return {**head_payload(HEAD, makers.REALM)} | over


def manifest_dict(**over: Any) -> dict[str, Any]:
    return {**json.loads(write_manifest(MANIFEST, makers.REALM))} | over


def wrong(**over: Any) -> str:
    with pytest.raises(WireError) as caught:
        read_manifest(dump(manifest_dict(**over)))
    return str(caught.value)


def order(**over: Any) -> dict[str, Any]:
    return {**manifest_dict()["orders"][0]} | over


# Heads


def test_a_head_is_read_back_as_it_was_written() -> None:
    assert judged(head_dict()) == HEAD


def test_the_longest_head_fits_with_the_longest_signatures_of_four_keys() -> None:
    area = "/".join(["a" * 64] * 6)
    longest = replace(HEAD, scope=f"area/{area}", epoch=INTEGER_MAX, counter=INTEGER_MAX, length=MANIFEST_BYTES_MAX)
    payload = dump(head_payload(replace(longest, issued_at=UtcMs(UTC_MS_MAX)), "r" * 64))
    keys = [makers.P256Signer(f"server-{number}") for number in range(4)]
    envelope = json.loads(sign(payload_type("head"), payload, keys))
    for one in envelope["signatures"]:
        one["sig"] = base64.b64encode(bytes(72)).decode()
    assert len(dump(envelope)) <= HEAD_BYTES_MAX


def test_an_officers_key_signs_no_head() -> None:
    assert refused(head_dict(), by="officer")[0] is Reason.SIGNATURE_INVALID


def test_a_strangers_head_is_forged() -> None:
    assert refused(head_dict(), by="stranger")[0] is Reason.SIGNATURE_INVALID


def test_a_head_of_another_realm_is_none() -> None:
    assert refused(head_dict(realm="other"))[0] is Reason.WRONG_REALM


@pytest.mark.parametrize("topic", [makers.JOB_TOPIC, makers.WELCOME_TOPIC])
def test_a_head_does_not_come_by_the_broker(topic: str) -> None:
    assert refused(head_dict(), topic=topic)[0] is Reason.MALFORMED


def test_a_welcome_is_no_head() -> None:
    assert refused(makers.welcome_dict())[0] is Reason.MALFORMED


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"scope": makers.AREA}, 'scope: "area/" and an area, or "station/" and a station id'),
        ({"scope": f"station/{makers.AREA}"}, 'scope: "area/" and an area, or "station/" and a station id'),
        ({"scope": "area/../../etc"}, 'scope: "area/" and an area, or "station/" and a station id'),
        ({"epoch": 0}, f"epoch: an integer from 1 to {INTEGER_MAX}"),
        ({"counter": True}, f"counter: an integer from 1 to {INTEGER_MAX}"),
        ({"digest": "AB" * 32}, "digest: 64 hex digits"),
        ({"length": MANIFEST_BYTES_MAX + 1}, f"length: an integer from 1 to {MANIFEST_BYTES_MAX}"),
        ({"length": 0}, f"length: an integer from 1 to {MANIFEST_BYTES_MAX}"),
    ],
)
def test_a_wrong_field_of_a_head_is_named(over: dict[str, Any], said: str) -> None:
    reason, detail = refused(head_dict(**over))
    assert reason is Reason.MALFORMED
    assert detail.startswith(said)


def test_a_field_that_is_critical_and_unknown_makes_it_unsupported() -> None:
    assert refused(head_dict(critical=["only_on_mondays"]))[0] is Reason.UNSUPPORTED


# Manifests


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert read_manifest(write_manifest(MANIFEST, makers.REALM)) == MANIFEST


def test_the_fullest_manifest_fits() -> None:
    ids = [f"{number:064}" for number in range(MANIFEST_ORDERS_MAX)]
    orders = tuple(replace(ORDER, digest=one, order_id=JobId(one)) for one in ids)
    upto = {f"{number:064}": INTEGER_MAX for number in range(ISSUERS_MAX)}
    longest = replace(TRUST, area="/".join(["a" * 64] * 6), epoch=INTEGER_MAX, version=INTEGER_MAX)
    roots = (replace(longest, area="", epoch=0),) * (MANIFEST_TRUST_MAX - 6)
    full = replace(MANIFEST, orders=orders, upto=upto, trust=(*roots, *(longest,) * 6))
    assert len(write_manifest(full, "r" * 64)) <= MANIFEST_BYTES_MAX


def test_every_trust_document_that_a_server_may_have_has_its_place() -> None:
    assert MANIFEST_TRUST_MAX == DOCUMENTS_MAX


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"type": "head"}, 'type: "manifest"'),
        ({"scope": ""}, "scope: "),
        ({"upto": {"A": 1}}, "upto.A: "),
        ({"upto": {makers.ISSUER: 0}}, "upto.dong-thanh: an integer from 1"),
        ({"upto": {f"i-{number}": 1 for number in range(ISSUERS_MAX + 1)}}, "upto: at most 64 issuers"),
        ({"orders": {}}, "orders: a list of 0 to 350"),
        ({"orders": [order(), order()]}, "orders[1].digest: each only once"),
        ({"orders": [order(digest="x")]}, "orders[0].digest: 64 hex digits"),
        ({"orders": [order(envelope="../trust")]}, "orders[0].envelope: 64 hex digits"),
        ({"orders": [order(length=65_537)]}, "orders[0].length: an integer from 1 to 65536"),
        ({"orders": [order(not_after=-1)]}, "orders[0].not_after: "),
        ({"orders": [order(order_id="a/b")]}, "orders[0].order_id: "),
        ({"orders": [1]}, "orders[0]: an object"),
        ({"trust": [{}] * (MANIFEST_TRUST_MAX + 1)}, "trust: a list of 0 to 64"),
        ({"trust": [{"area": "A"}]}, "trust[0].area: "),
    ],
)
def test_a_wrong_field_of_a_manifest_is_named(over: dict[str, Any], said: str) -> None:
    assert wrong(**over).startswith(said)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"type":"manifest","type":"manifest"}', b"\xff"])
def test_what_is_no_manifest_at_all_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        read_manifest(body)


def test_a_manifest_that_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(WireError, match="at most 131072 bytes"):
        read_manifest(write_manifest(MANIFEST, makers.REALM).ljust(MANIFEST_BYTES_MAX + 1))
