"""Write docs/asyncapi.yaml: topics, operations and messages for machines, from the JSON Schemas and the topic table.

``python -m tools.asyncapi`` writes; with ``--check`` it fails where something differs. All of it is said from the
station's side: it receives orders and sends what it has to say.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from edge_agent.core.units import StationId
from edge_agent.headend.schemas import DOWN, KINDS, SHARED, UP, Schema, schema
from edge_agent.sync.client import SESSION_EXPIRY_S, WILL_DELAY_S, BrokerSettings
from edge_agent.sync.limits import PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.topics import Down, Up, area_job_topic, down_topic, up_topic
from edge_agent.trust.envelope import payload_type
from edge_agent.trust.orders import GIVEN, OrderType
from tools import example_traffic as traffic
from tools.document import keep
from tools.schema_tree import whole

DOCUMENT = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"
DIALECT = "application/schema+json;version=draft-2020-12"
BINDING = "0.2.0"
TRUST = "trust"
Node = dict[str, Any]


def document() -> Node:
    """The whole document, as a tree."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "schemas": _schemas(),
            "messages": {kind: _message(kind) for kind in (*DOWN, TRUST, *UP)},
            "parameters": {
                "station": {"description": "a station's id: 1 to 64 of a-z, 0-9 and -"},
                "area": {"description": "an area's path, such as vn/ha-noi/dong-thanh: 1 to 6 segments of the topic"},
            },
            "securitySchemes": {"certificate": {"type": "X509", "description": "TLS 1.3, certificates on both sides"}},
        },
    }


def text() -> str:
    """The document as YAML."""
    head = "# Made by `python -m tools.asyncapi` from edge_agent/headend/schemas and edge_agent/sync/topics.py.\n"
    plain = json.loads(json.dumps(document()))  # enumerations as their values, and nothing shared: no anchors in YAML
    return head + str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))


def _info() -> Node:
    return {
        "title": "Between a station and its central server",
        "version": "1",
        "description": (
            "Signed broadcast orders down, signed evidence up. This is for machines: topics, forms and limits. What "
            "follows from a message, in which order and in which race stands in protocol.md. Every message is a DSSE "
            "v1 envelope; its payload, base64 in the envelope, has the schema of its type."
        ),
        "license": {"name": "Apache-2.0"},
    }


def _server() -> Node:
    settings = BrokerSettings.__dataclass_fields__
    return {
        "host": "broker.example:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "One outward connection a station. User name and client id are the name in its certificate.",
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
        "bindings": {
            "mqtt": {
                "clientId": "the station's id",
                "cleanSession": False,
                "lastWill": {
                    "topic": "loa/1/u/{station}/state",
                    "qos": 1,
                    "message": f"a signed state, delayed by {WILL_DELAY_S} s",
                    "retain": True,
                },
                "keepAlive": settings["keepalive_s"].default,
                "sessionExpiryInterval": SESSION_EXPIRY_S,
                "maximumPacketSize": PACKET_BYTES_MAX,
                "bindingVersion": BINDING,
            }
        },
        "x-receive-maximum": RECEIVE_MAXIMUM,
    }


def _channels() -> Node:
    whose = {"station": {"$ref": "#/components/parameters/station"}}
    found = {f"down-{kind}": _channel(_station(down_topic, kind), kind, whose) for kind in Down}
    area = area_job_topic("area").replace("area/area", "area/{area}")
    found["area-job"] = _channel(area, Down.JOB, {"area": {"$ref": "#/components/parameters/area"}})
    for name in ("down-job", "area-job"):
        found[name]["messages"] |= {kind: _sent(kind) for kind in (*sorted(GIVEN - {OrderType.JOB}), TRUST)}
    return found | {f"up-{kind}": _channel(_station(up_topic, kind), kind, whose) for kind in Up}


def _station(topic: Any, kind: Up | Down) -> str:
    made: str = topic(StationId("station"), kind)
    return made.replace("/station/", "/{station}/")


def _channel(address: str, kind: str, parameters: Node) -> Node:
    return {
        "address": address,
        "messages": {kind: _sent(kind)},
        "parameters": parameters,
    }


def _sent(kind: str) -> Node:
    return {"$ref": f"#/components/messages/{kind}"}


def _operations() -> Node:
    made = {f"receive-{name}": _operation("receive", name) for name in (*(f"down-{kind}" for kind in Down), "area-job")}
    return made | {f"send-{kind}": _operation("send", f"up-{kind}", kind) for kind in Up}


def _operation(action: str, channel: str, kind: Up | None = None) -> Node:
    binding: Node = {
        "qos": 0 if kind is Up.HEARTBEAT else 1,
        "retain": kind is Up.STATE,
        "bindingVersion": BINDING,
    }
    made: Node = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "bindings": {"mqtt": binding}}
    if channel.endswith("-job"):
        binding["messageExpiryInterval"] = {"type": "integer", "minimum": 1, "description": "seconds until not_after"}
        made["description"] = "An order that is taken is acknowledged to the broker only when it is on the disk."
    return made


def _message(kind: str) -> Node:
    return {
        "name": kind,
        "title": kind,
        "summary": schema(kind)["description"],
        "contentType": "application/json",
        "payload": {"schemaFormat": DIALECT, "schema": _enveloped(kind)},
        "examples": [{"name": name, "payload": json.loads(envelope)} for name, envelope in _examples(kind)],
    }


def _enveloped(kind: str) -> Schema:
    """What travels: an envelope whose decoded payload is of that kind."""
    inside = {"contentMediaType": payload_type(kind), "contentSchema": {"$ref": _reference(kind)}}
    return {
        "$ref": _reference("envelope"),
        "properties": {
            "payloadType": {"const": payload_type(kind)},
            "payload": {"contentEncoding": "base64", **inside},
        },
    }


def _examples(kind: str) -> list[tuple[str, bytes]]:
    mine = (traffic.orders() | traffic.reports()).items()
    return [(name, envelope) for name, envelope in mine if _decoded(envelope)["type"] == kind]


def _decoded(envelope: bytes) -> Node:
    payload: Node = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return payload


def _schemas() -> Node:
    messages = {kind: _component(whole(kind), kind) for kind in KINDS if kind != "trust_file"}
    return messages | {name: _component(node) for name, node in whole(SHARED)["$defs"].items()}


def _component(node: Schema, kind: str = "") -> Node:
    plain = {name: value for name, value in node.items() if name not in ("$schema", "$id")}
    if examples := [_decoded(envelope) for _, envelope in _examples(kind)]:
        plain["examples"] = examples
    return {"schemaFormat": DIALECT, "schema": _pointed(plain)}


def _pointed(node: Any) -> Any:
    """The same with its references made good inside this document."""
    if isinstance(node, list):
        return [_pointed(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {name: _target(value) if name == "$ref" else _pointed(value) for name, value in node.items()}


def _target(reference: str) -> str:
    """Of a whole schema, or of one that several share; or of a place within that, such as one entry of a list."""
    home, _, path = reference.partition(".schema.json#")
    if not path:
        return _reference(home)
    name, *steps = path.removeprefix("/$defs/").split("/")
    return "/".join((_reference(name), *steps))


def _reference(name: str) -> str:
    return f"#/components/schemas/{name}/schema"


if __name__ == "__main__":
    sys.exit(keep(DOCUMENT, lambda _: text()))
