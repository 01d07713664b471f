"""Write an envelope in ways that a station must see through: forged, altered, ambiguous, or the same said otherwise.

Pure: takes a good envelope, gives bytes. What a station must make of each, the trials say.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DEPTH_TOO_MUCH = 17
SIGNATURES_TOO_MANY = 17


def written(envelope: dict[str, Any]) -> bytes:
    """JSON without blanks, in the given order of names."""
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def changed(envelope: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The envelope after ``change`` was done to its object."""
    opened = json.loads(envelope)
    change(opened)
    return written(opened)


def payload_of(envelope: bytes) -> bytes:
    """The signed bytes."""
    return base64.b64decode(json.loads(envelope)["payload"])


def altered(envelope: bytes) -> bytes:
    """The payload with another volume, under the old signatures."""
    content = payload_of(envelope).replace(b'"volume":10', b'"volume":11')
    return changed(envelope, lambda opened: opened.update(payload=base64.b64encode(content).decode()))


def with_spare_bits(envelope: bytes) -> bytes:
    """The same payload in base64 whose last character carries bits that belong to no byte. The payload's length must
    not be a multiple of three."""
    text = json.loads(envelope)["payload"]
    body = text.rstrip("=")
    assert body != text, "no spare bits: the payload's length is a multiple of three"
    last = ALPHABET[ALPHABET.index(body[-1]) + 1]
    return changed(envelope, lambda opened: opened.update(payload=body[:-1] + last + text[len(body) :]))


def with_blank(envelope: bytes) -> bytes:
    """The same payload with a blank in the midst of its base64."""
    text = json.loads(envelope)["payload"]
    return changed(envelope, lambda opened: opened.update(payload=f"{text[:8]} {text[8:]}"))


def unpadded(envelope: bytes) -> bytes:
    """The same signature without its padding."""

    def change(opened: dict[str, Any]) -> None:
        opened["signatures"][0]["sig"] = opened["signatures"][0]["sig"].rstrip("=")

    return changed(envelope, change)


def named_twice(envelope: bytes) -> bytes:
    """An envelope with two payloads: one reader would take the first, another the last."""
    text = envelope.decode()
    return ('{"payload":"e30="' + "," + text.lstrip()[1:]).encode()


def respelled(envelope: bytes) -> bytes:
    """The same message: other order of names, blanks between them, a field that nobody knows."""
    opened = json.loads(envelope)
    turned = {name: opened[name] for name in reversed(list(opened))} | {"via": "conform"}
    return json.dumps(turned, indent=1).encode()


def signed_too_often(envelope: bytes) -> bytes:
    """The first signature seventeen times."""
    return changed(envelope, lambda opened: opened.update(signatures=opened["signatures"][:1] * SIGNATURES_TOO_MANY))


def signed_twice_by_one(envelope: bytes) -> bytes:
    """The first signature a second time, in place of another officer's."""
    return changed(envelope, lambda opened: opened.update(signatures=opened["signatures"][:1] * 2))


def with_signature_of(envelope: bytes, other: bytes) -> bytes:
    """The envelope with the first signature of another one in front."""
    foreign = json.loads(other)["signatures"][0]
    return changed(envelope, lambda opened: opened["signatures"].insert(0, foreign))


def upper_keyid(envelope: bytes) -> bytes:
    """The key's name in capitals."""

    def change(opened: dict[str, Any]) -> None:
        opened["signatures"][0]["keyid"] = opened["signatures"][0]["keyid"].upper()

    return changed(envelope, change)


def too_deep(payload: bytes) -> bytes:
    """A payload with a field of more levels than anybody need follow."""
    return payload[:-1] + b',"note":' + b"[" * DEPTH_TOO_MUCH + b"]" * DEPTH_TOO_MUCH + b"}"


def with_text(payload: bytes, field: bytes) -> bytes:
    """A payload with ``field`` (its JSON text) added at the end."""
    return payload[:-1] + b"," + field + b"}"
