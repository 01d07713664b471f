"""docs/asyncapi.yaml is made from the schemas, is a document of AsyncAPI 3.0.0, and its examples obey it."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from edge_agent.core.units import StationId
from edge_agent.headend.schemas import faults
from edge_agent.sync.topics import subscriptions, up_topic
from edge_agent.trust.envelope import payload_type
from tests.headend.schema_papers import ORDERS
from tests.trust import makers
from tools import asyncapi

META = Path(__file__).parent / "asyncapi" / "3.0.0.json.gz"
STATION = StationId("dong-thanh-01")


@cache
def document() -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load(asyncapi.DOCUMENT.read_text("utf-8"))
    return written


@cache
def meta() -> Draft7Validator:
    with gzip.open(META) as schema:
        return Draft7Validator(json.load(schema))


def test_the_document_is_made_from_the_schemas_and_the_topics() -> None:
    assert asyncapi.DOCUMENT.read_text("utf-8") == asyncapi.text(), "run python -m tools.asyncapi"


def test_it_is_a_document_of_asyncapi_3() -> None:
    assert [error.message for error in meta().iter_errors(document())] == []


@pytest.mark.parametrize("lost", ["asyncapi", "info"])
def test_what_would_be_none_is_seen(lost: str) -> None:
    changed = copy.copy(document())
    del changed[lost]
    assert not meta().is_valid(changed)
    changed = copy.deepcopy(document())
    changed["operations"]["send-hello"]["action"] = "shout"
    assert not meta().is_valid(changed)


def test_every_reference_leads_somewhere() -> None:
    found = list(_references(document()))
    assert len(found) > 100
    for reference in found:
        there: Any = document()
        for step in reference.removeprefix("#/").split("/"):
            there = there[step]


def _references(node: Any) -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name == "$ref":
            yield value
        yield from _references(value)


def test_every_example_is_valid_by_the_document_alone() -> None:
    schemas = document()["components"]["schemas"]
    for kind, message in document()["components"]["messages"].items():
        assert message["examples"], kind
        for example in message["examples"]:
            assert _valid(message["payload"]["schema"], example["payload"]), kind
            assert example["payload"]["payloadType"] == payload_type(kind)
            assert not _valid(message["payload"]["schema"], example["payload"] | {"payloadType": "text/plain"}), kind
        for payload in schemas[kind]["schema"]["examples"]:
            assert _valid(schemas[kind]["schema"], payload), kind
            assert not _valid(schemas[kind]["schema"], payload | {"realm": "Demo"}), kind


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_with_every_field_is_valid_by_the_document_too(kind: str) -> None:
    """The examples have not all of them; a reference may lead somewhere, and to something else."""
    schema = document()["components"]["schemas"][kind]["schema"]
    assert [_valid(schema, payload) for payload in ORDERS[kind]] == [True] * len(ORDERS[kind])


def test_a_stand_in_is_one_clip_by_the_document_too() -> None:
    schema = document()["components"]["schemas"]["job"]["schema"]
    clip = makers.clip_item()
    tried = (clip, [clip], makers.text_item(), makers.live_item())
    jobs = [makers.job_dict(items=[makers.live_item(stand_in=one)]) for one in tried]
    assert [_valid(schema, job) for job in jobs] == [True, False, False, False]
    assert [faults("job", job) == [] for job in jobs] == [True, False, False, False]


def _valid(schema: dict[str, Any], value: Any) -> bool:
    return Draft202012Validator({**document(), **schema}).is_valid(value)


def test_its_channels_are_the_topics_that_a_station_uses() -> None:
    addresses = {channel["address"] for channel in document()["channels"].values()}
    mine = {address.replace("{station}", STATION).replace("{area}", "vn/ha-noi") for address in addresses}
    down = set(subscriptions(STATION, "vn/ha-noi")) - {"loa/1/area/vn/job"}
    up = {up_topic(STATION, kind) for kind in asyncapi.Up}
    assert mine == down | up
