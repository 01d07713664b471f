"""A central server by somebody who has read docs/protocol.md alone: paho, cryptography, the standard library.

It believes what stations sign, welcomes them, orders a broadcast until it is answered, keeps and checks their log, and
acknowledges it. The numbers in the comments are the rules of the document. No line of it comes from ``edge_agent``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

Payload = dict[str, Any]
EMPTY = {"epoch": "", "seq": 0, "hash": ""}
GENESIS = "0" * 64
WELCOME_EXPIRY_S = 30  # 2.3
SESSION_EXPIRY_S = 86_400  # 15.3


@dataclass(frozen=True)
class Files:
    """What was made before the first message (15.1): PEM files, the trust file, stations' public keys as raw bytes."""

    authority: Path
    certificate: Path
    tls_key: Path
    officer: Path
    welcome: Path
    ack: Path
    trust: Path
    stations: Mapping[str, bytes]


class Stranger:
    """A running server. ``heard`` keeps every believed payload, ``log`` the chain of each (station, epoch)."""

    def __init__(self, name: str, port: int, realm: str, files: Files, store: Path) -> None:
        self.realm, self.store = realm, store
        self.heard: list[Payload] = []
        self.refused: list[str] = []
        self.log: dict[tuple[str, str], list[Payload]] = {}
        self.unanswered: dict[str, tuple[bytes, str, int]] = {}
        self.changed = threading.Condition()
        self._wrote: dict[str, str] = {}  # of each station the epoch that it has written in last
        self._stations = {one: Ed25519PublicKey.from_public_bytes(raw) for one, raw in files.stations.items()}
        documents = json.loads(files.trust.read_bytes())["documents"]
        self._trust = [(one, json.loads(base64.b64decode(one["payload"]))) for one in documents]
        self._officer, self._welcome, self._ack = (_private(path) for path in (files.officer, files.welcome, files.ack))
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        tls = ssl.create_default_context(cafile=str(files.authority))
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.load_cert_chain(files.certificate, files.tls_key)
        self._client.tls_set_context(tls)
        self._client.on_connect = lambda client, *_: client.subscribe("loa/1/u/+/#", qos=1)  # 15.3
        self._client.on_message = self._on_message
        asked = _properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
        self._client.connect("localhost", port, clean_start=False, properties=asked)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def order(self, station: str, title: str, text: str, minutes: int = 5) -> str:
        """Let a station speak now (15.7); the digest of the order."""
        now = _now()
        job = {
            "realm": self.realm,
            "type": "job",
            "job_id": f"dong-thanh-{uuid.uuid4()}",  # 12.13: from chance, not from a counter
            "issuer": "dong-thanh",
            "level": "commune",
            "key_epoch": 0,
            "serial": now,
            "issued_at": now,
            "not_before": now,
            "not_after": now + minutes * 60_000,
            "audience": {"stations": [station]},
            "class": "normal",
            "when": {"kind": "now"},
            "items": [
                {
                    "kind": "text",
                    "title": title,
                    "field": "thong-bao",
                    "language": "vi",
                    "source": "UBND phường",
                    "approver": "nguoi-duyet-01",
                    "text": text,
                }
            ],
            "volume": 60,
        }
        envelope, digest = _sealed("job", job, self._officer)
        self.unanswered[digest] = (envelope, f"loa/1/d/{station}/job", job["not_after"])
        self.publish_again()
        return digest

    def publish_again(self) -> None:
        """Everything that has no answer and is still valid (8.8)."""
        for envelope, topic, not_after in list(self.unanswered.values()):
            if (left_ms := not_after - _now()) > 0:
                self._publish(topic, envelope, -(-left_ms // 1_000))  # 2.3

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something that was heard makes the condition true."""
        with self.changed:
            return self.changed.wait_for(condition, timeout_s)

    def said(self, kind: str) -> list[Payload]:
        """The payloads of that type, oldest first."""
        return [one for one in self.heard if one["type"] == kind]

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        with self.changed:
            try:
                self._take(message.topic, message.payload)
            except (ValueError, KeyError, TypeError, InvalidSignature) as error:
                self.refused.append(f"{message.topic}: {error!r}")  # 15.4
            client.ack(message.mid, message.qos)  # 15.3: a log is on the disk by now
            self.changed.notify_all()

    def _take(self, topic: str, envelope: bytes) -> None:
        station, kind = topic.split("/")[3:]
        payload = self._opened(station, kind, json.loads(envelope))
        self.heard.append(payload)
        if kind == "hello":
            self._greet(station, payload)
        elif kind == "log":
            self._keep(station, payload)
        elif kind == "answer":
            self.unanswered.pop(payload["digest"], None)  # 5.6, 5.7

    def _opened(self, station: str, kind: str, envelope: Payload) -> Payload:
        """A payload that this station signed and that says of itself what its topic says (9.1)."""
        data = base64.b64decode(envelope["payload"], validate=True)
        key = self._stations[station]
        (sig,) = (one["sig"] for one in envelope["signatures"] if one["keyid"] == _keyid(key))
        key.verify(base64.b64decode(sig, validate=True), _pae(envelope["payloadType"], data))
        payload: Payload = json.loads(data)
        told = envelope["payloadType"], payload["type"], payload["station"], payload["realm"]
        if told != (f"application/vnd.loa.{kind}+json", kind, station, self.realm):
            raise ValueError(f"says of itself {told}")
        return payload

    def _greet(self, station: str, hello: Payload) -> None:
        payload = {
            "realm": self.realm,
            "type": "welcome",
            "station": station,
            "nonce": hello["nonce"],  # 7.1
            "utc": _now(),  # 7.4
            "trust": self._newest(hello),
            "serial_marks": {},
            "log": self._held(station, self._wrote.get(station, "")),  # 9.11: of the chain that was written last
        }
        self._publish(f"loa/1/d/{station}/welcome", _sealed("welcome", payload, self._welcome)[0], WELCOME_EXPIRY_S)
        for envelope in self._lacking(hello):
            self._publish(f"loa/1/d/{station}/job", envelope)  # 6.12

    def _lacking(self, hello: Payload) -> list[bytes]:
        """The trust documents, in the order of the file, that are newer than what the station believes (6.12)."""
        held = {one["area"]: (one["epoch"], one["version"]) for one in hello["trust"]}
        return [
            json.dumps(envelope).encode()
            for envelope, says in self._trust
            if (says.get("epoch", 0), says["version"]) > held.get(says.get("area", ""), (0, 0))
        ]

    def _newest(self, hello: Payload) -> list[Payload]:
        """The newest document of each area, ours or the station's (6.14)."""
        newest = {one["area"]: (one["epoch"], one["version"]) for one in hello["trust"]}
        for _, says in self._trust:
            area = says.get("area", "")
            newest[area] = max(newest.get(area, (0, 0)), (says.get("epoch", 0), says["version"]))
        return [{"area": area, "epoch": epoch, "version": version} for area, (epoch, version) in newest.items()]

    def _keep(self, station: str, batch: Payload) -> None:
        """Rule 9.9, step by step."""
        chain = self.log.get((station, batch["epoch"]), [])
        held = {one["seq"]: one["hash"] for one in chain}
        for one in batch["records"]:
            body = json.dumps(one["body"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            if hashlib.sha256(f"{one['prev']}\n{body}".encode()).hexdigest() != one["hash"]:
                raise ValueError(f"record {one['seq']} is not what was hashed")
            if held.get(one["seq"], one["hash"]) != one["hash"]:
                raise ValueError(f"record {one['seq']} was written anew")
        new = [one for one in batch["records"] if one["seq"] not in held]
        for before, one in zip([*chain[-1:], *new], new if chain else new[1:], strict=False):
            if (one["seq"], one["prev"]) != (before["seq"] + 1, before["hash"]):
                raise ValueError(f"record {one['seq']} does not follow")
        self._write(new)
        self.log[station, batch["epoch"]] = [*chain, *new]
        self._wrote[station] = batch["epoch"]
        held_now = self._held(station, batch["epoch"])
        payload = {"realm": self.realm, "type": "ack", "station": station, "log": held_now}
        self._publish(f"loa/1/d/{station}/ack", _sealed("ack", payload, self._ack)[0])

    def _held(self, station: str, epoch: str) -> Payload:
        chain = self.log.get((station, epoch))
        return {"epoch": epoch, "seq": chain[-1]["seq"], "hash": chain[-1]["hash"]} if chain else EMPTY

    def _write(self, records: list[Payload]) -> None:
        with self.store.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in records)
            file.flush()
            os.fsync(file.fileno())

    def _publish(self, topic: str, envelope: bytes, expiry_s: int | None = None) -> None:
        asked = None if expiry_s is None else _properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        self._client.publish(topic, envelope, qos=1, retain=False, properties=asked)  # section 2


def _sealed(kind: str, payload: Payload, key: Ed25519PrivateKey) -> tuple[bytes, str]:
    """The envelope (3.1) and the digest (3.4)."""
    kind, data = f"application/vnd.loa.{kind}+json", json.dumps(payload, ensure_ascii=False).encode()
    signed = _pae(kind, data)
    signature = {"keyid": _keyid(key.public_key()), "sig": base64.b64encode(key.sign(signed)).decode()}
    envelope = {"payload": base64.b64encode(data).decode(), "payloadType": kind, "signatures": [signature]}
    return json.dumps(envelope).encode(), hashlib.sha256(signed).hexdigest()


def _pae(kind: str, data: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(data), data)  # 3.3


def _keyid(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()  # 3.1


def _private(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _properties(packet: int, **values: int) -> Properties:
    properties = Properties(packet)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _now() -> int:
    return time.time_ns() // 1_000_000
