"""What station and headend say to each other over HTTPS about an identity: enrolment and renewal. Pure; trusts nobody.

Each field is read strictly, and every bound has its number. One that is not known is ignored: a newer server may say
more, and a station must get its next certificate all the same. Nothing in any of them is secret: what a man in the
middle could change is covered by a proof of the code, or by a signature.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edge_agent.identity import codes
from edge_agent.trust.bundle import FILE_BYTES_MAX
from edge_agent.trust.envelope import Envelope, payload_type, read_envelope, sign, signers_of
from edge_agent.trust.fields import AREA, HASH, NAME, Fields, form, free_text
from edge_agent.trust.keys import PublicKey, Scheme, Signer, UnusableKey, public_key
from edge_agent.trust.roles import PUBLIC_HEX
from edge_agent.trust.strict_json import WireError, dump, parse

ENROL_PATH, RENEW_PATH = "/enrol/1", "/renew/1"
REQUEST_BYTES_MAX = 16_384
# A request of P-256 in DER has 250 bytes; in an envelope, in base64, with everything beside it 1.5 kB.
ANSWER_BYTES_MAX = 4_194_304
# The largest trust file is 1 MiB; in base64, and that once more, 1.9 MiB.
PAYLOAD_BYTES_MAX = ANSWER_BYTES_MAX // 4 * 3
# Of an answer: in base64 it would fill the whole.
DER_BYTES_MAX = 8_192
# Our certificates have 600 bytes; a central server's own authority may use RSA.
NONCE = form(r"[0-9a-f]{32}", "32 lower-case hex digits")
SLOT = form(rf"[{codes.ALPHABET}]{{{codes.SLOT_CHARS}}}", f"{codes.SLOT_CHARS} characters of a code")
HOST = form(r"[A-Za-z0-9.:_-]{1,253}", "a host name or address")
STATION_NAME = free_text(80, least=1)
NEWER_REASON = free_text(64, least=1)
_ENROL, _RENEW = "enrol", "renew"


class Refusal(StrEnum):
    """Why the headend gives no certificate."""

    MALFORMED = "malformed"
    WRONG_CODE = "wrong_code"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    KEYS_SHARED = "keys_shared"
    NO_POSSESSION = "no_possession"
    UNKNOWN_STATION = "unknown_station"
    IDENTITY_CHANGED = "identity_changed"
    TOO_OFTEN = "too_often"


REFUSALS: Mapping[Refusal, str] = {
    Refusal.MALFORMED: "máy chủ không hiểu yêu cầu; hai bên khác phiên bản? / the server does not understand the "
    "request; do versions differ?",
    Refusal.WRONG_CODE: "mã sai, hoặc đã bị hủy vì thử sai nhiều lần, hoặc đây là máy chủ của xã khác; xem lại "
    "--server, xin mã mới / a wrong code, or one that was burnt by wrong tries, or this is another ward's server; "
    "compare --server with the slip, ask for a new code",
    Refusal.CODE_EXPIRED: "mã đã quá hạn; xin mã mới / the code is out of date; ask for a new one",
    Refusal.CODE_USED: "mã đã dùng cho một máy khác; xin mã mới, và báo trung tâm nếu không biết máy nào / the code "
    "was used by another box; ask for a new one, and tell the centre if you do not know which",
    Refusal.KEYS_SHARED: "khóa trong máy này là của trạm khác: thẻ nhớ chép từ máy khác; chạy edge-agent factory-reset "
    "rồi gõ lại lệnh này, mã vẫn còn dùng được / the keys here are another station's: the card was copied; run "
    "edge-agent factory-reset, then this command again, the code is still good",
    Refusal.NO_POSSESSION: "trạm không chứng minh được khóa của mình / the station did not prove that the keys are its "
    "own",
    Refusal.UNKNOWN_STATION: "máy chủ không biết trạm này, hoặc khóa của trạm đã bị thay; đăng ký lại bằng mã mới / "
    "the server does not know this station, or its key was replaced; enrol with a new code",
    Refusal.IDENTITY_CHANGED: "gia hạn không đổi được mã trạm; đăng ký lại bằng mã mới / a renewal changes no name; "
    "enrol with a new code",
    Refusal.TOO_OFTEN: "hôm nay đã cấp quá nhiều chứng thư cho trạm này; báo trung tâm: khóa của trạm có thể đã bị "
    "chép / too many certificates were given to this station today; tell the centre: its key may have been copied",
}


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """What a station asks with. ``proved`` is what the proof covers; nothing is checked yet but the form."""

    slot: str
    proof: str
    proved: bytes
    envelope: Envelope
    csr: bytes
    signing_key: PublicKey

    @property
    def possessed(self) -> bool:
        """Whether whoever asks has the private half of the signing key."""
        return bool(signers_of(self.envelope, [self.signing_key]))


@dataclass(frozen=True, slots=True)
class Given:
    """Who a station is from now on, and whom it believes. Certificates in DER."""

    station: str
    area: str
    realm: str
    name: str
    host: str
    port: int
    certificate: bytes
    authority: bytes
    trust: bytes


@dataclass(frozen=True, slots=True)
class Renewed:
    """A station's next certificate, and the one that its authority has now; None from a server that tells none. DER."""

    certificate: bytes
    authority: bytes | None = None


@dataclass(frozen=True, slots=True)
class RenewRequest:
    """What a station asks with whose certificate ends. Whose signature it is, the headend must see."""

    realm: str
    station: str
    csr: bytes
    envelope: Envelope


def enrol_request(code: codes.Code, key: bytes, signer: Signer, csr: bytes, nonce: str) -> tuple[bytes, str]:
    """The body to send, and the digest by which the answer must name it."""
    payload = dump({"type": _ENROL, "nonce": nonce, "csr": _text(csr), **signer.public.to_trust()})
    envelope = sign(payload_type(_ENROL), payload, [signer])
    body = {"type": "enrol-request", "slot": code.slot, "envelope": parse(envelope)}
    return dump({**body, "proof": codes.request_proof(key, dump(body))}), read_envelope(envelope).digest


def read_enrol_request(data: bytes) -> EnrolRequest:
    """``WireError`` for what is none."""
    fields = _fields(data, "enrol-request")
    # Of the whole body: what the reader below does not know is proven with the rest.
    proved = dump({name: value for name, value in fields.values.items() if name != "proof"})
    envelope = read_envelope(dump(dict(fields.record("envelope").values)))
    asked = _payload(envelope, _ENROL)
    asked.text("nonce", NONCE)
    try:
        key = public_key(asked.choice("scheme", Scheme), bytes.fromhex(asked.text("public", PUBLIC_HEX)))
    except UnusableKey as error:
        raise WireError("public", str(error)) from error
    csr = _bytes(asked, "csr", DER_BYTES_MAX)
    return EnrolRequest(fields.text("slot", SLOT), fields.text("proof", HASH), proved, envelope, csr, key)


def enrol_answer(key: bytes, request: str, given: Given) -> bytes:
    """The headend's answer to the request of that digest."""
    payload = dump({"type": "enrolled", "request": request, **_as_json(given)})
    return dump({"type": "enrol-answer", "payload": _text(payload), "proof": codes.answer_proof(key, payload)})


def read_enrol_answer(data: bytes, key: bytes, request: str) -> Given:
    """Who we are, from whoever made the code, in answer to this request. ``WireError`` for anything else."""
    fields = _fields(data, "enrol-answer")
    payload = _bytes(fields, "payload", PAYLOAD_BYTES_MAX)
    if not codes.same(fields.text("proof", HASH), codes.answer_proof(key, payload)):
        raise WireError("proof", "by the code; this is not the server that made it")
    answer = Fields(parse(payload))
    answer.text("type", form("enrolled", '"enrolled"'))
    if answer.text("request", HASH) != request:
        raise WireError("request", "the digest of what was asked; this answers something else")
    return read_given(answer)


def write_given(given: Given) -> bytes:
    """As a file, for a station that is cut off while it takes it in."""
    return dump(_as_json(given))


def read_given(fields: Fields) -> Given:
    """The fields of an answer, or of such a file."""
    broker = fields.record("broker")
    return Given(
        station=fields.text("station", NAME),
        area=fields.text("area", AREA),
        realm=fields.text("realm", NAME),
        name=fields.text("name", STATION_NAME),
        host=broker.text("host", HOST),
        port=broker.integer("port", 1, 65_535),
        certificate=_bytes(fields, "certificate", DER_BYTES_MAX),
        authority=_bytes(fields, "authority", DER_BYTES_MAX),
        trust=_bytes(fields, "trust", FILE_BYTES_MAX),
    )


def renew_request(realm: str, station: str, signer: Signer, csr: bytes, nonce: str) -> tuple[bytes, str]:
    """The body to send, and its digest. The signature proves who asks: the certificate may have ended long ago."""
    payload = dump({"type": _RENEW, "realm": realm, "station": station, "nonce": nonce, "csr": _text(csr)})
    envelope = sign(payload_type(_RENEW), payload, [signer])
    return envelope, read_envelope(envelope).digest


def read_renew_request(data: bytes) -> RenewRequest:
    """``WireError`` for what is none; whose signature it bears is not checked."""
    envelope = read_envelope(data)
    asked = _payload(envelope, _RENEW)
    asked.text("nonce", NONCE)
    csr = _bytes(asked, "csr", DER_BYTES_MAX)
    return RenewRequest(asked.text("realm", NAME), asked.text("station", NAME), csr, envelope)


def renew_answer(request: str, renewed: Renewed) -> bytes:
    """The headend's answer. It needs no proof: only a certificate that our authority signed for our key is taken, and
    of the authority only one of the same key."""
    authority = {} if renewed.authority is None else {"authority": _text(renewed.authority)}
    return dump({"type": "renewed", "request": request, "certificate": _text(renewed.certificate), **authority})


def read_renew_answer(data: bytes, request: str) -> Renewed:
    """What is to be had, unchecked."""
    fields = _fields(data, "renewed")
    if fields.text("request", HASH) != request:
        raise WireError("request", "the digest of what was asked; this answers something else")
    authority = _bytes(fields, "authority", DER_BYTES_MAX) if "authority" in fields else None
    return Renewed(_bytes(fields, "certificate", DER_BYTES_MAX), authority)


def refusal(reason: Refusal) -> bytes:
    """The headend's no."""
    return dump({"type": "refused", "reason": reason.value})


def read_refusal(data: bytes) -> Refusal | str:
    """Why not, or what a newer server says there. Anybody on the way can: it is for people, and changes nothing."""
    reason = _fields(data, "refused").text("reason", NEWER_REASON)
    return next((known for known in Refusal if known == reason), reason)


def _as_json(given: Given) -> dict[str, Any]:
    certificates = {name: _text(getattr(given, name)) for name in ("certificate", "authority", "trust")}
    place = {name: getattr(given, name) for name in ("station", "area", "realm", "name")}
    return {**place, "broker": {"host": given.host, "port": given.port}, **certificates}


def _fields(data: bytes, kind: str) -> Fields:
    fields = Fields(parse(data))
    fields.text("type", form(kind, f'"{kind}"'))
    return fields


def _payload(envelope: Envelope, kind: str) -> Fields:
    if envelope.payload_type != payload_type(kind):
        raise WireError("payloadType", payload_type(kind))
    return _fields(envelope.payload, kind)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(fields: Fields, name: str, most: int) -> bytes:
    text = fields.text(name, free_text((most + 2) // 3 * 4))
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise fields.wrong(name, "base64") from error
    if _text(data) != text:
        raise fields.wrong(name, "base64, padded and canonical")
    return data
