"""Schemas and parsers draw the same line: at each bound, one beyond it, and for whatever comes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.headend.listening import Heard, Unheard, hear
from edge_agent.headend.schemas import DOWN, KINDS, SHARED, UP, faults, schema
from edge_agent.sync.messages import PAYLOAD_BYTES_MAX
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.bundle import read_file
from edge_agent.trust.documents import load_document
from edge_agent.trust.entries import SAID_ONCE
from edge_agent.trust.envelope import open_envelope, payload_type, sign
from edge_agent.trust.manifests import read_manifest
from edge_agent.trust.strict_json import WireError
from tests.headend.schema_papers import (
    BEYOND_RULE,
    BEYOND_TRUST,
    EXAMPLES,
    MANIFEST,
    ORDERS,
    PROTOCOL,
    SIGNERS,
    STATION,
    TRUST,
    examples,
    judged,
)
from tests.headend.schema_walk import Change, changes, fields, plain, replaced
from tests.headend.second_reader import sound
from tests.trust import makers
from tools.schema_tree import branches, followed, whole

NINTH = 9
# One change of so many is read by both implementations: the other takes half a minute of CPU for all of them.

NOW = {"kind": "now"}
AGAIN = {"every_s": 60, "until": makers.NOON + 60_000}
LIVE = makers.live_item()
EMERGENCY = {"class": "emergency", "event": "lu", "when": NOW}
AT = {"kind": "at", "utc": makers.NOON}
BESIDE_LIVE = ({"loops": 2}, {"preemption": "restart"}, {"missed": {"policy": "skip", "zones_s": 5}})
OF_ALL_ENTRIES = ("realm", "type", "critical", "order_id", "issuer", "level", "key_epoch", "serial")
OF_NO_ENTRY = {"event": "lu", "series": "s", "version": 1, "all_clear": False, "rehearsal": False, "corrects": "x"}
FORBIDDEN: dict[str, tuple[tuple[Any, ...], ...]] = {
    "job": (
        tuple(makers.job_dict(**over) for over in ({"event": "lu"}, {"all_clear": True}, {"rehearsal": True})),
        (
            *(makers.job_dict(when=NOW | some) for some in (AGAIN, {"every_s": 60}, {"until": makers.NOON + 60_000})),
            *(makers.job_dict(**EMERGENCY | {"when": NOW | {name: AGAIN[name]}}) for name in AGAIN),
        ),
        (
            makers.job_dict(items=[LIVE], **EMERGENCY),
            makers.job_dict(items=[LIVE], **EMERGENCY | {"when": AT, "rehearsal": True}),
        ),
        tuple(makers.job_dict(items=[LIVE], when=AT, **over) for over in BESIDE_LIVE),
    ),
    "timetable": (
        tuple(
            makers.timetable_dict(entries=[makers.entry_dict(**{name: makers.timetable_dict(critical=[])[name]})])
            for name in (*OF_ALL_ENTRIES, "issued_at", "not_before", "not_after")
        ),
        tuple(makers.timetable_dict(entries=[makers.entry_dict(**{name: OF_NO_ENTRY[name]})]) for name in OF_NO_ENTRY),
        tuple(makers.timetable_dict(entries=[makers.entry_dict(items=[LIVE], **over)]) for over in BESIDE_LIVE),
    ),
    "regulation": (
        tuple(
            makers.regulation_dict(clauses=[makers.clause_dict(**{name: value})])
            for name, value in (("classes", ["normal"]), ("zones", ["cho"]))
        ),
        (makers.regulation_dict(clauses=[makers.clause_dict(mast_m=9)]),),
    ),
    "window": (
        tuple(
            makers.window_dict(kind="silence") | over
            for over in ({"classes": ["normal"]}, {"session_s": 60}, {"total_s": 60}, {"volume": 60})
        ),
    ),
    "command": (
        tuple(
            makers.command_dict(do={"what": "choose", "target": "job-1", "when": NOW | some})
            for some in (AGAIN, {"every_s": 60}, {"until": makers.NOON + 60_000})
        ),
    ),
}
"""Of each line under a table of the protocol, payloads that it is about, in the lines' order."""


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_what_has_no_place_is_refused_though_it_is_known_and_the_paper_names_it(kind: str) -> None:
    """Whoever reads only that unknown fields are ignored would write a silence with a volume."""
    lines = schema(kind)["x-forbidden"]
    assert len(lines) == len(FORBIDDEN[kind])
    paper = PROTOCOL.read_text("utf-8")
    for line, payloads in zip(lines, FORBIDDEN[kind], strict=True):
        assert f"\n- {line}\n" in paper
        assert [bool(faults(kind, one)) for one in payloads] == [True] * len(payloads), line
        assert [judged(kind, one) is not None for one in payloads] == [True] * len(payloads), line


@pytest.mark.parametrize("kind", SIGNERS)
def test_what_is_really_unknown_is_ignored(kind: str) -> None:
    payload = ORDERS[kind][0] | {"mast_m": 9}
    assert (faults(kind, payload), judged(kind, payload)) == ([], None)


def test_the_paper_names_each_field_that_no_entry_may_have() -> None:
    (first, second, _) = schema("timetable")["x-forbidden"]
    assert set(re.findall("`([a-z_]+)`", first)) == SAID_ONCE
    assert set(re.findall("`([a-z_]+)`", second)) == OF_NO_ENTRY.keys()


@pytest.mark.parametrize("kind", [*KINDS, SHARED])
def test_each_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("kind", [*DOWN, "trust", *UP, "record", "head"])
def test_every_example_is_valid_by_its_schema(kind: str) -> None:
    found = examples(kind)
    assert found
    assert [faults(kind, one) for one in found] == [[]] * len(found)


def test_every_envelope_of_the_examples_and_the_trust_file_are_valid() -> None:
    for path in EXAMPLES.glob("*.json"):
        assert faults("trust_file" if path.stem == "trust" else "envelope", json.loads(path.read_bytes())) == [], path
    file = json.loads((EXAMPLES / "trust.json").read_bytes())
    assert [faults("envelope", one) for one in file["documents"]] == [[], [], []]


@pytest.mark.deep
@pytest.mark.parametrize("kind", [*DOWN, "trust", *UP, "envelope", "head", "manifest"])
def test_two_implementations_of_json_schema_read_ours_alike(kind: str) -> None:
    """The product's own, which says what is wrong, and the quick one that the tests below ask."""
    tried = [change.message for change in changes(kind, *_sound_ones()[kind])][::NINTH]
    assert [sound(kind, message) for message in tried] == [faults(kind, message) == [] for message in tried]


@pytest.mark.deep
@pytest.mark.parametrize("kind", DOWN)
def test_a_station_refuses_exactly_what_the_schema_of_an_order_refuses(kind: str) -> None:
    both, messages = {True: 0, False: 0}, ORDERS[kind]
    assert [(faults(kind, message), judged(kind, message)) for message in messages] == [([], None)] * len(messages)
    for change in changes(kind, *messages):
        both[agree(kind, change, judged(kind, change.message), BEYOND_RULE)] += 1
    assert min(both.values()) > 20


def test_an_envelope_is_malformed_exactly_where_its_schema_says_so() -> None:
    envelope = json.loads(makers.signed_job(by=("officer", "deputy")))
    both = {True: 0, False: 0}
    for change in changes("envelope", envelope):
        opened = open_envelope(json.dumps(change.message).encode())
        both[agree("envelope", change, opened if isinstance(opened, Rejected) else None, ())] += 1
    assert min(both.values()) > 20


def test_a_manifest_is_refused_exactly_where_its_schema_says_so() -> None:
    both = {True: 0, False: 0}
    assert (faults("manifest", MANIFEST), unread(read_manifest, MANIFEST)) == ([], None)
    for change in changes("manifest", MANIFEST):
        both[agree("manifest", change, unread(read_manifest, change.message), ("each only once",))] += 1
    assert min(both.values()) > 20


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["trust", "trust_file"])
def test_a_trust_file_is_refused_exactly_where_its_schema_says_so(kind: str) -> None:
    both, read = {True: 0, False: 0}, load_document if kind == "trust" else read_file
    assert [(faults(kind, one), unread(read, one)) for one in TRUST[kind]] == [([], None)] * len(TRUST[kind])
    for change in changes(kind, *TRUST[kind]):
        both[agree(kind, change, unread(read, change.message), BEYOND_TRUST)] += 1
    assert min(both.values()) > (20 if kind == "trust" else 4)


def unread(read: Callable[[bytes], object], document: Any) -> Rejected | None:
    """What a parser says of the document, if it is that its form is wrong."""
    try:
        read(json.dumps(document).encode())
    except WireError as error:
        return Rejected(Reason.MALFORMED, str(error))
    return None


def agree(kind: str, change: Change, refusal: Rejected | None, beyond: tuple[str, ...]) -> bool:
    """Hold both verdicts together; whether the message was sound."""
    by_schema = sound(kind, change.message)
    where = f"{kind} {change.path} {change.what}: sound by its schema: {by_schema}, parser {refusal}"
    if refusal is None:
        assert by_schema, where
    elif by_schema:
        assert any(rule in refusal.detail for rule in beyond), where
    return by_schema


@pytest.mark.deep
@pytest.mark.parametrize("kind", UP)
def test_the_headend_hears_whatever_the_schema_lets_a_station_say(kind: str) -> None:
    whose = {"realm": makers.REALM, "station": makers.STATION}
    tried = 0
    for change in changes(kind, *(_short(message) | whose for message in examples(kind))):
        fits = len(json.dumps(change.message)) <= PAYLOAD_BYTES_MAX
        if fits and sound(kind, change.message) and change.path not in (("realm",), ("station",)):
            tried += 1
            heard = _heard(kind, change.message)
            assert isinstance(heard, Heard), f"{change}: {heard}"
    assert tried > 20


def _heard(kind: str, message: dict[str, Any]) -> Heard | Unheard:
    said = message | {"realm": makers.REALM, "station": makers.STATION}
    envelope = sign(payload_type(kind), json.dumps(said).encode(), [makers.signer("station")])
    return hear({STATION.station: STATION}, makers.REALM, up_topic(STATION.station, Up(kind)), envelope)


NEWER = {
    "hello": ["clock.source"],
    "state": ["why", "clock.source", "playing.0.phase", "next.0.phase", "next.0.reason", "waits"],
    "heartbeat": ["clock.source"],
    "answer": ["reason", "conflicts.0.reason"],
    "plan": ["entries.0.reason", "entries.0.out.0.reason"],
}
"""Where a newer station may say what this version does not know (protocol, 3.9)."""


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in NEWER.items() for path in paths])
def test_what_a_newer_station_says_is_valid_as_far_as_the_headend_hears_it(kind: str, path: str) -> None:
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    base = next(one for one in _outspoken(kind) if steps in dict(fields(kind, one)))
    for value, right in (("newer", True), ("\U0001f50a" * 64, True), ("n" * 65, False), ("", False), ("a\nb", False)):
        message = replaced(base, steps, value)
        assert ((faults(kind, message) == []), isinstance(_heard(kind, message), Heard)) == (right, right), value


def _outspoken(kind: str) -> Iterator[Any]:
    """The examples, with what none of them says; of answers those that have a reason of their own."""
    conflict = {"job_id": "job-1", "planned": makers.NOON, "reason": "zones_busy", "zones": []}
    out = [{"zone": "c1", "reason": "zone_locked"}]
    for one in examples(kind):
        if kind == "plan":
            yield one | {"entries": [entry | {"out": out} for entry in one["entries"]]}
        elif kind != "answer":
            yield one
        elif one["verdict"] == "refused":
            yield one | {"conflicts": [conflict]}


def test_a_record_of_a_newer_station_is_valid_and_taken() -> None:
    (log, *_), tried = examples("log"), 0
    for index, record in enumerate(log["records"]):
        for name in ("reason", "clock"):
            if record["body"][name] is not None:
                tried += 1
                body = record["body"] | {name: "newer"}
                message = replaced(log, ("records", index, "body"), body)
                assert (faults("log", message), faults("record", body)) == ([], [])
                assert isinstance(_heard("log", message), Heard)
    assert tried > 2


def _short(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"records": message["records"][:1]} if message["type"] == "log" else message


def test_every_field_of_every_schema_is_tried_at_its_bounds() -> None:
    """A field that no sound message of ``schema_papers`` has would never be changed."""
    for kind, messages in _sound_ones().items():
        assert untried(kind, *messages) == [], kind


def _sound_ones() -> dict[str, tuple[Any, ...]]:
    """By kind, messages that have every field of it between them."""
    spoken = {kind: tuple(examples(kind)) for kind in UP}
    return ORDERS | TRUST | spoken | {"envelope": (json.loads(makers.signed_job()),), "manifest": (MANIFEST,)}


def untried(kind: str, *messages: Any) -> list[str]:
    """The fields of a schema that none of the messages has."""
    tried = {plain(path) for message in messages for path, _ in fields(kind, message)}
    return sorted(set(_properties(whole(kind), "")) - tried)


def _properties(node: dict[str, Any], where: str) -> Iterator[str]:
    node = followed(node)
    inner = [node, *(branch.then for branch in branches(node) if branch.holds)]
    for properties in (one.get("properties", {}) for one in inner):
        for name, under in properties.items():
            yield f"{where}.{name}"
            yield from _properties(under, f"{where}.{name}")
    if "items" in node:
        yield from _properties(node["items"], where)
