"""Promises of what a station reads of orders and trust: nobody without a key gets past, nobody with one breaks it.

A parser behind a signature is given its input signed: a campaign that had to forge would never get there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.core.events import Rejected
from edge_agent.core.heads import MANIFEST_BYTES_MAX, Head
from edge_agent.core.job import Accepted, Job, LogAck, Welcome
from edge_agent.core.manifests import HEAD_TOPIC
from edge_agent.core.order import AcceptedRule
from edge_agent.core.trust_standing import AcceptedTrust
from edge_agent.trust.bundle import FILE_BYTES_MAX, believe, read_file, write_file
from edge_agent.trust.chain import TRUST_TYPE, Chain, offer, remembered
from edge_agent.trust.documents import DOCUMENT_BYTES_MAX, ROOT, load_document
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX, Envelope, open_envelope, payload_type, sign
from edge_agent.trust.fields import NAME, Fields
from edge_agent.trust.keeper import Keeper
from edge_agent.trust.manifests import head_payload, read_manifest, write_manifest
from edge_agent.trust.orders import GIVEN, Order, OrderType, parse_order
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump, parse
from tests.fuzz.parsers.parser import Parser, Promise, one_line
from tests.trust import makers
from tests.trust.delegation import HANOI, NATIONAL, PROVINCE_1, ROOT_1, WARD_1, province, root, ward
from tests.trust.makers import JOB_TOPIC, REALM, make_keeper, make_site, signer, trust_file
from tests.trust.test_manifests import HEAD, MANIFEST
from tools.order_payloads import job_payload, rule_payload

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
PAYLOAD_BYTES_MAX = 46 * 1_024
# What still fits an envelope beside its signatures.
SIGNERS = {
    OrderType.REGULATION: "owner",
    OrderType.WINDOW: "owner",
    OrderType.WELCOME: "server",
    OrderType.ACK: "server",
    OrderType.HEAD: "server",
}
"""Who signs what; the officer everything else."""
TOPICS = {
    OrderType.WELCOME: makers.WELCOME_TOPIC,
    OrderType.ACK: makers.ACK_TOPIC,
    OrderType.HEAD: HEAD_TOPIC,
}


def example(name: str) -> bytes:
    """What was signed in an example of the documents, in our realm."""
    opened = open_envelope((EXAMPLES / f"{name}.json").read_bytes())
    assert isinstance(opened, Envelope)
    return dump({**parse(opened.payload), "realm": REALM})


def _strict_json() -> Promise:
    def promise(data: bytes) -> None:
        try:
            value = parse(data)
        except WireError as error:
            one_line(str(error))
            return
        assert value == json.loads(data), "another reader sees another message"
        assert parse(dump(value)) == value
        _bounded(value)

    return promise


def _bounded(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _bounded(each)
    elif isinstance(value, list):
        for each in value:
            _bounded(each)
    else:
        assert not isinstance(value, float)
        assert not isinstance(value, int) or abs(value) <= INTEGER_MAX


def _honest() -> dict[str, bytes]:
    """Envelopes that may be obeyed, by their digests; of most kinds one."""
    messages = [
        makers.signed_job(),
        makers.signed_job(**{"class": "emergency"}),
        makers.signed_regulation(),
        makers.signed_window(),
        makers.signed_command(),
        makers.signed_timetable(),
    ]
    return {one.digest: message for message in messages if isinstance(one := open_envelope(message), Envelope)}


def _envelope() -> Promise:
    honest, keeper = _honest(), make_keeper()

    def promise(data: bytes) -> None:
        opened = open_envelope(data)
        if isinstance(opened, Rejected):
            one_line(opened.detail)
            return
        written = json.loads(data)
        again = open_envelope(dump({name: written[name] for name in ("payload", "payloadType", "signatures")}))
        assert again == opened, "the same envelope written anew"
        judged = keeper.judge(JOB_TOPIC, data)
        if isinstance(judged, Rejected):
            one_line(judged.detail)
        else:
            assert opened.digest in honest, "obeyed what nobody had signed"

    return promise


def _order(kind: OrderType) -> Callable[[], Promise]:
    def prepared() -> Promise:
        keeper = make_keeper()
        topic = JOB_TOPIC if kind in GIVEN else TOPICS[kind]
        signers = [signer(SIGNERS.get(kind, "officer"))]

        def promise(payload: bytes) -> None:
            judged = keeper.judge(topic, sign(payload_type(kind), payload, signers))
            assert isinstance(judged, Accepted | AcceptedRule | Welcome | LogAck | Head | Rejected)
            if isinstance(judged, Rejected):
                one_line(judged.detail)
                assert not judged.job_id or NAME.pattern.fullmatch(judged.job_id)
            _same_when_written_again(payload, kind, judged)

        return promise

    return prepared


def _same_when_written_again(payload: bytes, kind: OrderType, judged: object) -> None:
    try:
        order = parse_order(Fields(parse(payload)), kind)
    except WireError:
        assert isinstance(judged, Rejected), "what cannot be read was obeyed"
        return
    if not isinstance(order, Welcome | LogAck):
        assert parse_order(Fields(parse(dump(_written(order)))), kind) == order


def _written(order: Order) -> dict[str, Any]:
    assert not isinstance(order, Welcome | LogAck)
    if isinstance(order, Head):
        return head_payload(order, REALM)
    return job_payload(order, REALM) if isinstance(order, Job) else rule_payload(order, REALM)


def _orders(*payloads: dict[str, Any], like: str) -> Callable[[], Iterable[bytes]]:
    return lambda: [*(dump(payload) for payload in payloads), example(like)]


def _manifest() -> Promise:
    def promise(data: bytes) -> None:
        try:
            manifest = read_manifest(data)
        except WireError as error:
            one_line(str(error))
            return
        assert read_manifest(write_manifest(manifest, REALM)) == manifest

    return promise


def _trust_document() -> Promise:
    before = believe(write_file([ROOT_1, PROVINCE_1, WARD_1]), (), make_site().areas())
    signers = [signer(name) for name in ("holder", NATIONAL, HANOI)]
    areas = make_site().areas()
    places = {area: held.place for area, held in before.newest.items()}

    def promise(payload: bytes) -> None:
        envelope = sign(TRUST_TYPE, payload, signers)
        judged = Keeper(before, make_site()).judge(JOB_TOPIC, envelope)
        after = offer(before, envelope, areas)
        if isinstance(after, Rejected):
            one_line(after.detail)
            assert isinstance(judged, Rejected) or (isinstance(judged, AcceptedTrust) and judged.again)
            return
        assert isinstance(judged, AcceptedTrust)
        _only_forward(places, after)
        kept = [held.envelope for area, held in after.newest.items() if area != ROOT]
        assert remembered(after.newest[ROOT].envelope, kept).standing == after.standing, "a restart believes the same"
        assert load_document(payload) in [held.document for held in after.newest.values()]

    return promise


def _only_forward(places: dict[str, tuple[int, int]], after: Chain) -> None:
    assert after.standing[0].document.area == ROOT
    assert after.newest.keys() >= places.keys(), "a document was forgotten"
    assert all(after.newest[area].place >= place for area, place in places.items()), "an older document is believed"


def _trust_file() -> Promise:
    areas = make_site().areas()
    (anchor,) = {held.digest for held in believe(trust_file(), (), areas).standing}
    network = believe(write_file([ROOT_1]), (), areas).standing[0].digest

    def promise(data: bytes) -> None:
        try:
            envelopes = read_file(data)
            chain = believe(data, (), areas)
        except WireError as error:
            one_line(str(error))
            return
        assert read_file(write_file(envelopes)) == envelopes
        assert chain.newest[ROOT].digest in (anchor, network), "a root that none of its holders has signed"

    return promise


def _trust_payloads() -> list[bytes]:
    documents = [root(), root(2), province(), province(2), ward(), ward(2), ward(3, roles=[])]
    return [dump(document) for document in documents] + [example(f"trust-{of}") for of in ("root", "province", "ward")]


ACTIONS: list[dict[str, Any]] = [
    {"what": "cancel", "target": "job-1", "until": makers.NOON},
    {"what": "pause", "for_s": 60},
    {"what": "volume", "volume": 40},
    {"what": "amplifier", "on": True, "for_s": 60},
    {"what": "lock", "for_s": 600},
    {"what": "rank", "job_ids": ["job-1", "job-2"]},
    {"what": "choose", "target": "job-1", "when": {"kind": "now"}},
    {"what": "ask", "day": "2026-10-02"},
    *({"what": what} for what in ("stop", "resume", "next_item", "restart", "self_test")),
]
ORDERS = {
    OrderType.JOB: _orders(
        makers.job_dict(),
        makers.job_dict(**{"class": "emergency", "series": "lu", "version": 3, "cap": {"identifier": "a"}}),
        makers.job_dict(when=makers.rule_when(), loops=2, gap_s=5, missed={"policy": "late", "limit_s": 600}),
        makers.job_dict(when={"kind": "at", "utc": makers.NOON}, items=[makers.clip_item(), makers.text_item()]),
        like="emergency",
    ),
    OrderType.REGULATION: _orders(
        makers.regulation_dict(),
        makers.regulation_dict(clauses=[makers.clause_dict(), makers.clause_dict(volume=None)]),
        like="regulation",
    ),
    OrderType.WINDOW: _orders(makers.window_dict(), makers.window_dict(kind="silence"), like="window"),
    OrderType.COMMAND: _orders(
        *(makers.command_dict(do=do) for do in ACTIONS),
        like="command",
    ),
    OrderType.TIMETABLE: _orders(
        makers.timetable_dict(),
        makers.timetable_dict(entries=[makers.entry_dict("sang"), makers.entry_dict("chieu", loops=2)]),
        like="timetable",
    ),
    OrderType.WELCOME: _orders(makers.welcome_dict(), like="welcome"),
    OrderType.ACK: _orders(makers.ack_dict(), like="ack"),
    OrderType.HEAD: lambda: [dump(head_payload(HEAD, REALM))],
}

PARSERS = (
    Parser("strict-json", "trust.strict_json", _strict_json, lambda: [example("job"), b"{}"], ENVELOPE_BYTES_MAX, True),
    Parser("envelope", "trust.envelope", _envelope, lambda: [*_honest().values()], ENVELOPE_BYTES_MAX + 100, True),
    *(
        Parser(f"order-{kind}", "trust.judge, trust.orders", _order(kind), seeds, PAYLOAD_BYTES_MAX, True)
        for kind, seeds in ORDERS.items()
    ),
    Parser(
        "manifest",
        "trust.manifests",
        _manifest,
        lambda: [write_manifest(MANIFEST, REALM), write_manifest(replace(MANIFEST, orders=(), trust=()), REALM)],
        MANIFEST_BYTES_MAX + 100,
        True,
    ),
    Parser("trust-document", "trust.documents", _trust_document, _trust_payloads, DOCUMENT_BYTES_MAX, True),
    Parser(
        "trust-file",
        "trust.bundle",
        _trust_file,
        lambda: [trust_file(), write_file([ROOT_1, PROVINCE_1, WARD_1])],
        FILE_BYTES_MAX,
        True,
    ),
)
