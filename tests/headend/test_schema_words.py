"""What the schemas say in words is the code's own: enumerations, fields, units, and the faults they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.core.as_run import AsRun, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.effects import Verdict
from edge_agent.core.job import JobClass, Preemption
from edge_agent.core.occurrence import OPEN, OUTCOMES
from edge_agent.core.reasons import Reason
from edge_agent.core.site import IntoQuiet
from edge_agent.headend.schemas import KINDS, SHARED, faults
from edge_agent.sync.reports import Why
from edge_agent.trust.commands import What
from edge_agent.trust.keys import Scheme
from edge_agent.trust.orders import GIVEN, KNOWN_FIELDS, OrderType, ordered_as
from tests.headend.schema_papers import PROTOCOL, TRUST
from tests.trust import makers
from tools.schema_tree import branches, followed, listed, whole


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


def test_an_answer_may_have_every_reason_for_which_the_protocol_says_what_to_do() -> None:
    table = PROTOCOL.read_text("utf-8").partition("**5.6** ")[2].partition("**5.7** ")[0]
    rows = re.findall(r"^\| `refused`, ([^|]+)\|", table, re.MULTILINE)
    told = {code for row in rows for code in re.findall("`([a-z_]+)`", row)} & {reason.value for reason in Reason}
    assert len(told) > 30
    assert told <= {*listed(whole("answer")["properties"]["reason"])}


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
