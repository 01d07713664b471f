"""Schemas and parsers draw the same line: at each bound, one beyond it, and for whatever comes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_agent.core.as_run import AsRun, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.effects import Verdict
from edge_agent.core.events import Rejected
from edge_agent.core.job import JobClass, Preemption
from edge_agent.core.occurrence import OPEN, OUTCOMES
from edge_agent.core.reasons import Reason
from edge_agent.core.site import IntoQuiet
from edge_agent.core.units import StationId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Heard, Unheard, hear
from edge_agent.headend.schemas import DOWN, KINDS, SHARED, UP, faults, schema
from edge_agent.sync.messages import PAYLOAD_BYTES_MAX
from edge_agent.sync.reports import Why
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.bundle import read_file
from edge_agent.trust.commands import What
from edge_agent.trust.documents import load_document
from edge_agent.trust.entries import SAID_ONCE
from edge_agent.trust.envelope import open_envelope, payload_type, sign
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import Scheme
from edge_agent.trust.manifests import read_manifest
from edge_agent.trust.orders import GIVEN, KNOWN_FIELDS, OrderType, ordered_as
from edge_agent.trust.strict_json import WireError
from tests.headend.schema_walk import Change, changes, fields, plain, replaced
from tests.headend.second_reader import sound
from tests.trust import makers
from tools.schema_tree import branches, followed, listed, whole

NINTH = 9
# One change of so many is read by both implementations: the other takes half a minute of CPU for all of them.
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROTOCOL = EXAMPLES.parent / "protocol.md"
JUDGE = make_judge(makers.make_trust(), makers.make_site())
STATION = Enrolled(StationId(makers.STATION), makers.AREA, "", makers.signer("station").public)

JOBS = (
    makers.job_dict(
        audience={"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]},
        critical=["volume"],
        order=1,
        loops=2,
        gap_s=3,
        preemption="drop",
        missed={"policy": "late", "limit_s": 60, "zones_s": 600},
        when=makers.rule_when(),
        series="lu-1",
        version=2,
        corrects="job-0",
        cap={"identifier": "1", "sender": "2", "sent": "3"},
    ),
    makers.job_dict(when={"kind": "at", "utc": makers.NOON}, missed={"policy": "skip"}, audience={"areas": ["vn"]}),
    makers.job_dict(
        **{"class": "emergency"},
        audience={"stations": [makers.STATION]},
        when={"kind": "now", "every_s": 60, "until": makers.NOON + 1},
        series="lu-1",
        version=9,
        all_clear=True,
        rehearsal=False,
    ),
    makers.job_dict(items=[makers.live_item(stand_in=makers.clip_item()), makers.text_item()]),
    makers.job_dict(**{"class": "emergency"}, rehearsal=True, when={"kind": "at", "utc": makers.NOON}),
)
"""Together they use every field of the schema, and each condition in it; so do the others below of theirs."""
REGULATIONS = (
    makers.regulation_dict(
        audience={"stations": [makers.STATION], "areas": [makers.AREA], "zones": []},
        critical=["clauses"],
        into_quiet="cut",
        clauses=[
            makers.clause_dict(
                weekdays=[1, 7], holidays=["2027-02-06"], sessions_per_day=4, day_s=3_600, live_day_s=60
            ),
            {"classes": ["normal"], "zones": ["cho"], "session_s": 60, "volume": [["05:00", "06:00", 45]]},
        ],
    ),
)
ZONED = {"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]}
WINDOWS = (
    makers.window_dict(audience=ZONED, critical=["ends"], total_s=3_600, volume=60),
    makers.window_dict(kind="silence"),
)
DO: tuple[dict[str, Any], ...] = (
    {"what": "cancel", "target": "job-1", "until": makers.NOON + makers.DAY_MS},
    {"what": "pause", "for_s": 60},
    {"what": "volume", "volume": 40},
    {"what": "amplifier", "on": True, "for_s": 60},
    {"what": "lock", "for_s": 60},
    {"what": "rank", "job_ids": ["job-2", "job-1"]},
    {"what": "choose", "target": "job-1", "when": {"kind": "now"}},
    {"what": "choose", "target": "job-1", "when": {"kind": "at", "utc": makers.NOON}},
    {"what": "choose", "target": "job-1", "when": makers.rule_when()},
    {"what": "ask", "day": "2026-10-02"},
)
COMMANDS = (
    makers.command_dict(audience=ZONED, critical=["do"]),
    *(makers.command_dict(do={"what": what}) for what in ("stop", "resume", "next_item", "restart", "self_test")),
    *(makers.command_dict(do=do) for do in DO),
)
ENTRIES = (
    makers.entry_dict(
        audience=ZONED,
        order=1,
        loops=2,
        gap_s=3,
        preemption="drop",
        missed={"policy": "late", "limit_s": 60, "zones_s": 600},
        cap={"identifier": "1", "sender": "2", "sent": "3"},
    ),
    makers.entry_dict("trua", when={"kind": "at", "utc": makers.NOON}, items=[makers.text_item()]),
    makers.entry_dict("tiep-am", items=[makers.live_item(stand_in=makers.clip_item())]),
)
TIMETABLES = (
    makers.timetable_dict(audience=ZONED, critical=["entries"], name="loa-cho", entries=[*ENTRIES]),
    makers.timetable_dict(entries=[]),
)
WELCOME, ACK = makers.welcome_dict(critical=["log"]), makers.ack_dict(critical=["log"])
NOTHING_HELD = {"log": {"epoch": "", "seq": 0, "hash": ""}}
BEYOND_JOB = (
    "not_after: later than not_before",
    "when.until: later than not_before, not later than not_after",
    "corrects: another job",
    "do.target: another order",
    ".urls: a line-in alone, or https:// addresses",
    "when.last_day: not before first_day",
    "this one is not known here",
    'a day as "2026-10-01"',
)
BEYOND_RULE = (
    *BEYOND_JOB,
    "ends: later than begins",
    "ends: not later than not_after",
    "days after begins",
    "do.until: at most 400 days after not_before",
    "job_id: each only once",
    "another job_id, this is the timetable's own",
)
"""What a parser may find in an order that its schema cannot say: each is a line of the schema's ``x-beyond``."""
BEYOND_TRUST = (
    "expires: later than issued_at",
    "days after issued_at",
    "at most issued_at",
    "the SHA-256 of the key's bytes",
    "a key counts once",
    "SEC1 point on the curve",
    "a keyid that stands under keys",
    "the number of its keyids",
    "role: each only once",
    "a server's key must not start sound",
    "no key that also orders jobs",
    "some of classes, without emergency",
)


SIGNERS = {"job": "officer", "regulation": "owner", "window": "owner", "command": "officer", "timetable": "officer"}
HEAD = {"realm": makers.REALM, "type": "head", "critical": ["scope"], "scope": f"area/{makers.AREA}", "epoch": 1}
HEAD |= {"counter": 1, "issued_at": makers.NOON, "digest": "ab" * 32, "length": 900}
PAPER = {"envelope": "cd" * 32, "length": 900}
MANIFEST = {
    "realm": makers.REALM,
    "type": "manifest",
    "scope": f"station/{makers.STATION}",
    "epoch": 1,
    "counter": 1,
    "upto": {makers.ISSUER: 4},
    "orders": [{"digest": "ab" * 32, "order_id": "job-1", "not_after": makers.NOON, **PAPER}],
    "trust": [{"area": "", "epoch": 0, "version": 1, **PAPER}],
}
ORDERS = {
    "job": JOBS,
    "regulation": REGULATIONS,
    "window": WINDOWS,
    "command": COMMANDS,
    "timetable": TIMETABLES,
    "welcome": (WELCOME, WELCOME | NOTHING_HELD),
    "ack": (ACK, ACK | NOTHING_HELD),
    "head": (HEAD,),
}


def examples(kind: str) -> list[Any]:
    """The payloads in docs/examples of that kind."""
    written = [json.loads(path.read_bytes()) for path in sorted(EXAMPLES.glob("*.json"))]
    payloads = [json.loads(base64.b64decode(one["payload"])) for one in written if "payload" in one]
    if kind == "record":
        return [record["body"] for log in examples("log") for record in log["records"]]
    return [one for one in payloads if one["type"] == kind]


def trust_documents() -> tuple[dict[str, Any], ...]:
    token = makers.P256Signer("token")
    counted = {"events": ["flash-flood"], "sound_max_s": 3_600, "per_day": 12, "sources": ["https://live.test/"]}
    ward = makers.job_role(keyids=[token.keyid], limits={"hours": [["05:00", "21:00"]], **counted})
    both = makers.job_role(
        role="both",
        orders=["job", "command"],
        limits={"classes": ["normal"], "offered": ["normal"], "commands": ["stop"]},
    )
    roles = [ward, makers.online_role(), makers.owner_role(), makers.command_role(), both]
    keys = [token.public, makers.signer("national").public]
    root = makers.trust_document(keys=keys, roles=roles, delegates=_delegates("national"))
    closed = makers.area_document(makers.AREA)
    area = makers.area_document(
        "vn/ha-noi", "officer", "deputy", "so-tttt", version=7, epoch=2, roles=[ward], delegates=_delegates("so-tttt")
    )
    area["keys"] |= {token.keyid: token.public.to_trust()}
    papers = makers.delegates("owner", orders=["regulation", "window"], levels=["commune"])
    papers["limits"] = {"areas": [makers.AREA], "validity_max_s": 86_400}
    policy = makers.area_document(makers.AREA, "owner", roles=[makers.owner_role()], delegates=papers)
    return root, area, policy, closed


def _delegates(name: str) -> dict[str, Any]:
    """Bounds of every kind."""
    counted = {"events": ["flash-flood"], "sound_max_s": 3_600, "per_day": 12, "sources": ["https://live.test/"]}
    return makers.delegates(name, limits={"hours": [["05:00", "21:00"]], "offered": ["normal"], **counted})


TRUST: dict[str, tuple[Any, ...]] = {
    "trust": trust_documents(),
    "trust_file": ({"type": "trust-file", "documents": [{}, {}]},),
}
"""Documents of the root and of areas; of a file only the frame: its envelopes are opened one by one."""


def judged(kind: str, payload: Any) -> Rejected | None:
    """What the station says of a signed payload, if it is that its form is wrong."""
    signer = makers.signer(SIGNERS.get(kind, "server"))
    # Not by ``dump``: it would refuse to write what we must see refused.
    message = sign(payload_type(kind), json.dumps(payload).encode(), [signer])
    judgement = JUDGE(f"loa/1/d/{makers.STATION}/{'job' if kind in SIGNERS else kind}", message)
    return judgement if isinstance(judgement, Rejected) and judgement.reason is Reason.MALFORMED else None


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
    """A field that no sound message above has would never be changed."""
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


def test_the_enumerations_are_the_codes_own() -> None:
    common = whole(SHARED)["$defs"]
    assert listed(common["reason"]) == [reason.value for reason in Reason]
    assert common["class"]["enum"] == [cls.value for cls in JobClass]
    assert listed(common["clock_source"]) == [source.value for source in ClockSource]
    assert listed(common["play"]["properties"]["phase"]) == [phase.value for phase in _in_order(OPEN)]
    record = whole("record")["properties"]
    assert record["outcome"]["enum"] == [phase.value for phase in _in_order(OUTCOMES)]
    assert record["kind"]["enum"] == [kind.value for kind in RecordKind]
    assert whole("answer")["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert listed(whole("state")["properties"]["why"]) == [why.value for why in Why]
    assert common["preemption"]["enum"] == [one.value for one in Preemption]
    assert whole("regulation")["properties"]["into_quiet"]["enum"] == [one.value for one in IntoQuiet]
    assert whole("command")["properties"]["do"]["properties"]["what"]["enum"] == [one.value for one in What]
    role = whole("trust")["properties"]["roles"]["items"]["properties"]
    assert role["orders"]["items"]["enum"] == [one.value for one in OrderType if ordered_as(one) is one]
    below = whole("trust")["properties"]["delegates"]["properties"]
    assert below["orders"]["items"]["enum"] == [one for one in role["orders"]["items"]["enum"] if one in GIVEN]
    assert common["limits"]["properties"]["commands"]["items"]["enum"] == [one.value for one in What]
    scheme = whole("trust")["properties"]["keys"]["additionalProperties"]["properties"]["scheme"]
    assert scheme["enum"] == [one.value for one in Scheme]


def _in_order(phases: frozenset[Any]) -> list[Any]:
    return [phase for phase in type(next(iter(phases))) if phase in phases]


@pytest.mark.parametrize("kind", list(OrderType))
def test_a_station_knows_exactly_the_fields_of_the_schema(kind: OrderType) -> None:
    node = whole(kind)
    under = {name for branch in branches(node) if branch.holds for name in branch.then.get("properties", {})}
    assert {*node["properties"], *under} == KNOWN_FIELDS[kind]


def test_a_record_has_exactly_the_fields_of_the_schema() -> None:
    properties = whole("record")["properties"]
    assert set(properties) == {*AsRun.__dataclass_fields__, "station", "software", "boot_id"}
    assert set(properties["zones"]["items"]["properties"]) == set(ZoneAsRun.__dataclass_fields__)
    assert set(properties["items"]["items"]["properties"]) == set(ItemAsRun.__dataclass_fields__)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"volume": 101}, "volume: at most 100, not 101"),
        ({"job_id": "abc\n"}, r'job_id: 1 to 64 of a-z, 0-9 and -, not "abc\n"'),
        ({"items": [makers.clip_item(urls=[])]}, "items[0].urls: at least 1 entries, not []"),
        ({"when": {"kind": "at"}}, "when.utc: missing"),
        ({"event": "x"}, 'event: nothing: only an emergency has one, not "x"'),
        ({"audience": {}}, "audience: stations or areas, at least one, not {}"),
        ({"class": "emergency", "event": "x", "when": {"kind": "at", "utc": 1}}, 'when.kind: "now", not "at"'),
    ],
)
def test_a_fault_names_the_field_and_what_would_be_right(change: dict[str, Any], said: str) -> None:
    assert faults("job", makers.job_dict() | change) == [said]


def test_all_faults_of_a_message_are_named_at_once() -> None:
    document = TRUST["trust"][0] | {"version": 0, "extra": 1}
    del document["realm"]
    assert faults("trust", document) == [
        "extra: unknown, remove it",
        "realm: missing",
        "version: at least 1, not 0",
    ]


UNITS = {"_ms": "ms", "_s": "s", "_mb": "10⁶ bytes", "_c": "°C", "length": "bytes", "_db": "dB"}


@pytest.mark.parametrize("kind", [*KINDS, SHARED])
def test_every_field_says_what_it_means_and_in_which_unit(kind: str) -> None:
    said = dict(_described(whole(kind)))
    assert [name for name, node in said.items() if not node.get("description")] == []
    for name, node in said.items():
        unit = next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None)
        assert followed(node).get("x-unit") == unit or followed(node).get("type") not in (
            "integer",
            ["integer", "null"],
        )


def _described(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field where it is said first: not where a condition narrows it down."""
    if isinstance(node, list):
        for one in node:
            yield from _described(one)
    elif isinstance(node, dict):
        narrowed = "if" in node or "$ref" in node
        for name, under in node.get("properties", {}).items():
            if "description" in under or not narrowed:
                yield name, under
        for word, under in node.items():
            if word not in ("if", "then", "else", "anyOf"):
                yield from _described(under)
