"""How one message is written anew by who holds no key: as another text, with other signatures, around other words.

Every entry of ``REWRITTEN`` takes a message and makes other bytes of it. Some of them are as good as the message was
(an envelope has many texts); then they are a replay. None may be worth more.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
ED25519_BYTES = 64
Opened = dict[str, Any]
Rewrite = Callable[[random.Random, bytes, bytes], bytes]
REWRITTEN: dict[str, Rewrite] = {}


def opened(message: bytes) -> Opened:
    """An envelope as anybody's JSON reader sees it."""
    return dict(json.loads(message))


def written(envelope: Opened) -> bytes:
    """And back."""
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def payload_of(message: bytes) -> dict[str, Any]:
    """What was signed."""
    return dict(json.loads(base64.b64decode(opened(message)["payload"])))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _rewrite(make: Rewrite) -> Rewrite:
    REWRITTEN[make.__name__] = make
    return make


# The same envelope, as another text


@_rewrite
def pretty(_dice: random.Random, one: bytes, _other: bytes) -> bytes:
    envelope = opened(one)
    return json.dumps(dict(reversed(envelope.items())), indent=1).encode()


@_rewrite
def key_twice(dice: random.Random, one: bytes, other: bytes) -> bytes:
    """Which of two payloads counts is each reader's own business."""
    first, last = dice.sample((opened(one)["payload"], opened(other)["payload"]), 2)
    rest = written({name: value for name, value in opened(one).items() if name != "payload"})[1:]
    return f'{{"payload":"{first}","{dice.choice(("payload", chr(92) + "u0070ayload"))}":"{last}",'.encode() + rest


@_rewrite
def name_alike(dice: random.Random, one: bytes, other: bytes) -> bytes:
    """A field whose name looks the same: Cyrillic letters, letters of full width, a letter and its accent apart."""
    name = dice.choice(("раyload", "ｐayload", "payload\u0301", "payload\u200b"))
    return written(opened(one) | {name: opened(other)["payload"]})


@_rewrite
def giant_number(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    number = dice.choice(("9" * 5_000, "1e999", "-9007199254740993", "NaN", "1.0"))
    return one[:-1] + f',"more":{number}}}'.encode()


@_rewrite
def deep(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    depth = dice.choice((15, 17, 3_000))
    opening, closing = dice.choice((("[", "]"), ('{"a":', "}")))
    return one[:-1] + f',"more":{opening * depth}1{closing * depth}}}'.encode()


@_rewrite
def trailing(dice: random.Random, one: bytes, other: bytes) -> bytes:
    return one + dice.choice((b" ", b"\n", b"\0", b"{}", other))


@_rewrite
def leading(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return dice.choice((b"\xef\xbb\xbf", b" ", b"\0", b"[")) + one


@_rewrite
def truncated(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return one[: dice.randrange(len(one))]


@_rewrite
def flipped(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    at = dice.randrange(len(one))
    return one[:at] + bytes([one[at] ^ (1 << dice.randrange(8))]) + one[at + 1 :]


@_rewrite
def not_utf8(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return dice.choice((one.decode().encode("utf-16"), one.replace(b'"', b'\xff"', 1)))


@_rewrite
def critical_unknown(_dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return written(opened(one) | {"critical": ["soul"], "soul": 1})


# Base64


@_rewrite
def url_alphabet(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return _in_base64(dice, one, lambda text: text.replace("+", "-").replace("/", "_"))


@_rewrite
def unpadded(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return _in_base64(dice, one, lambda text: text.rstrip("="))


@_rewrite
def spaced(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return _in_base64(dice, one, lambda text: f"{text[:8]}{dice.choice((' ', chr(10), '*', '='))}{text[8:]}")


@_rewrite
def spare_bits(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    """The bits that padding leaves over, set."""

    def set_bits(text: str) -> str:
        body = text.rstrip("=")
        return text if body == text else body[:-1] + chr(ord(body[-1]) + 1) + text[len(body) :]

    return _in_base64(dice, one, set_bits)


def _in_base64(dice: random.Random, one: bytes, change: Callable[[str], str]) -> bytes:
    envelope = opened(one)
    if dice.random() < 0.5:
        envelope["payload"] = change(envelope["payload"])
    else:
        signature = envelope["signatures"][-1]
        signature["sig"] = change(signature["sig"])
    return written(envelope)


# Signatures


@_rewrite
def other_form(_dice: random.Random, one: bytes, _other: bytes) -> bytes:
    """The second form of a signature: s negated (ECDSA), s and the group's order added (Ed25519)."""
    return _signatures(one, _second_form)


@_rewrite
def loose_der(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    """The same numbers in another coding: something behind, a length in its long form, a zero in front."""
    how = dice.randrange(3)

    def loosened(sig: bytes) -> bytes:
        if len(sig) == ED25519_BYTES:
            return sig + b"\0"
        if how == 0:
            return sig + b"\0\0"
        if how == 1:
            return sig[:1] + b"\x81" + sig[1:]
        return sig[:1] + bytes([sig[1] + 1]) + sig[2:3] + bytes([sig[3] + 1]) + b"\0" + sig[4:]

    return _signatures(one, loosened)


@_rewrite
def signed_twice(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    """One signature, alone but as often as may be."""
    envelope = opened(one)
    signature = dice.choice(envelope["signatures"])
    return written(envelope | {"signatures": [signature] * dice.choice((2, 3, 16, 17))})


@_rewrite
def one_of_them(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    envelope = opened(one)
    return written(envelope | {"signatures": [dice.choice(envelope["signatures"])]})


@_rewrite
def no_signature(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    signatures: list[Any] = dice.choice(([], [{}], [{"keyid": "", "sig": ""}]))
    return written(opened(one) | {"signatures": signatures})


@_rewrite
def under_another_keyid(dice: random.Random, one: bytes, other: bytes) -> bytes:
    """One key's signature under both names, in capitals, or under a name that is alike but for its end."""
    envelope = opened(one)
    first, keyids = envelope["signatures"][0], [sig["keyid"] for sig in opened(other)["signatures"]]
    names = (dice.choice(keyids), first["keyid"].upper(), first["keyid"][:-1] + "0", f"{first['keyid']}0", "")
    envelope["signatures"].append({"keyid": dice.choice(names), "sig": first["sig"]})
    return written(envelope)


@_rewrite
def empty_signature(_dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return _signatures(one, lambda _: b"")


@_rewrite
def all_zero(_dice: random.Random, one: bytes, _other: bytes) -> bytes:
    return _signatures(one, lambda sig: bytes(len(sig)) if len(sig) == ED25519_BYTES else encode_dss_signature(0, 0))


# One message with the parts of another


@_rewrite
def signatures_of_another(_dice: random.Random, one: bytes, other: bytes) -> bytes:
    return written(opened(one) | {"signatures": opened(other)["signatures"]})


@_rewrite
def signatures_of_both(_dice: random.Random, one: bytes, other: bytes) -> bytes:
    envelope = opened(one)
    return written(envelope | {"signatures": (opened(other)["signatures"] + envelope["signatures"])[:16]})


@_rewrite
def another_type(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    kinds = ("job", "command", "window", "regulation", "timetable", "welcome", "ack", "trust", "state", "JOB")
    kind = dice.choice(kinds)
    return written(opened(one) | {"payloadType": f"application/vnd.loa.{kind}+json"})


@_rewrite
def other_words(dice: random.Random, one: bytes, _other: bytes) -> bytes:
    """The payload changed under its signatures: later, elsewhere, louder, by another name, or with a name twice."""
    payload = payload_of(one)
    changed = dice.choice(
        (
            {"not_after": payload.get("not_after", 0) + 86_400_000},
            {"audience": {"areas": ["vn"]}},
            {"volume": 100, "class": "emergency", "event": "lu-quet"},
            {"job_id": f"gia-{dice.randrange(99)}"},
            {"realm": "test"},
        )
    )
    text = json.dumps(payload | changed, ensure_ascii=False).encode()
    if dice.random() < 0.3:
        text = b'{"not_after":4102444800000,' + json.dumps(payload, ensure_ascii=False).encode()[1:]
    return written(opened(one) | {"payload": _b64(text)})


def _signatures(message: bytes, change: Callable[[bytes], bytes]) -> bytes:
    envelope = opened(message)
    signatures = [
        one | {"sig": _b64(change(base64.b64decode(one["sig"])))} for one in envelope["signatures"] if one.get("sig")
    ]
    return written(envelope | {"signatures": signatures})


def _second_form(sig: bytes) -> bytes:
    if len(sig) == ED25519_BYTES:
        s = int.from_bytes(sig[32:], "little") + ED25519_ORDER
        return sig[:32] + (s % 2**256).to_bytes(32, "little")
    r, s = decode_dss_signature(sig)
    return encode_dss_signature(r, P256_ORDER - s)
