"""Keys, trust files and signed messages for tests: everything has a default, and a test says only what it is about.

Keys come from names, so ``signer("officer")`` is the same key everywhere and a run can be repeated.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge_agent.core.job import Job
from edge_agent.core.order import Command, Regulation, Timetable, Window
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import StationId, ZoneId
from edge_agent.trust.bundle import write_file
from edge_agent.trust.commands import What
from edge_agent.trust.documents import load_document, together
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.fields import Fields
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.keys import Ed25519Signer, PublicKey, Scheme, Signer
from edge_agent.trust.orders import parse_job, parse_timetable
from edge_agent.trust.roles import Trust
from edge_agent.trust.rule_orders import parse_command, parse_regulation, parse_window
from edge_agent.trust.strict_json import dump

REALM = "test"
STATION = "dt-01"
AREA = "vn/ha-noi/dong-thanh"
ISSUER = "dong-thanh"
OWNER = "ubnd-dong-thanh"
ZONES = ("cho", "dinh")
NOON = 1_790_830_800_000  # 2026-10-01 12:00 in Asia/Ho_Chi_Minh
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
NONCE = "0123456789abcdef" * 2
JOB_TOPIC = f"loa/1/d/{STATION}/job"
WELCOME_TOPIC = f"loa/1/d/{STATION}/welcome"
ACK_TOPIC = f"loa/1/d/{STATION}/ack"


class P256Signer:
    """What a token does: ECDSA over SHA-256, in DER."""

    def __init__(self, name: str) -> None:
        self._private = derive_private_key(int.from_bytes(_seed(name)) >> 1, SECP256R1())
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = PublicKey(Scheme.ECDSA_P256, point)
        self.keyid = self.public.keyid

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, ECDSA(SHA256()))


def on_an_unknown_curve(der: bytes) -> bytes:
    """A P-256 key, or what holds one, said to be on a curve that our library does not know: OpenSSL has eighty."""
    return der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))


def of_an_unknown_version(certificate: bytes) -> bytes:
    """A certificate (DER) of version 3 that says it were of version 4, which there is not."""
    return certificate.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020103"), 1)


def named_in_bits(certificate: bytes, name: bytes) -> bytes:
    """A certificate (DER) in which that name is no text but a string of bits."""
    size = bytes([len(name)])
    return certificate.replace(b"\x0c" + size + name, b"\x03" + size + b"\0" + name[1:])


def key_on_an_unknown_curve() -> bytes:
    """A private key (PEM)."""
    der = generate_private_key(SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    text = base64.encodebytes(on_an_unknown_curve(der)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n".encode()


@cache
def signer(name: str) -> Ed25519Signer:
    """The key of that name: "officer" and "deputy" sign jobs, "officer" signs commands, "owner" signs regulations and
    windows, "server" signs welcome and ack; others are strangers."""
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(_seed(name)))


def make_site(**over: Any) -> Site:
    """A station of two zones in Đông Thành."""
    zones = {ZoneId(zone): ZoneSite(ZoneId(zone), zone, 1_000) for zone in ZONES}
    given = {
        "station": StationId(STATION),
        "realm": REALM,
        "area": AREA,
        "timezone": "Asia/Ho_Chi_Minh",
        "zones": zones,
    }
    return Site(**(given | over))


def job_role(**over: Any) -> dict[str, Any]:
    """A role of one officer who may do everything in the ward; ``limits`` is merged, anything else replaced."""
    limits: dict[str, Any] = {
        "classes": ["normal", "priority", "emergency"],
        "areas": [AREA],
        "volume_max": 100,
        "validity_max_s": 100 * 86_400,
    }
    limits |= over.pop("limits", {})
    role = {"role": "ward", "orders": ["job"], "keyids": [signer("officer").keyid], "threshold": 1}
    return role | {"issuer": ISSUER, "level": "commune", "limits": limits} | over


def owner_role(**over: Any) -> dict[str, Any]:
    """The role of the policy's owner; ``limits`` is merged, anything else replaced."""
    limits = {"areas": [AREA], "validity_max_s": 400 * 86_400} | over.pop("limits", {})
    role = {"role": "owner", "orders": ["regulation", "window"], "keyids": [signer("owner").keyid], "threshold": 1}
    return role | {"issuer": OWNER, "level": "commune", "limits": limits} | over


def command_role(**over: Any) -> dict[str, Any]:
    """The officer's role for everything that can be commanded; ``limits`` is merged, anything else replaced."""
    limits = {"areas": [AREA], "validity_max_s": 120, "commands": [what.value for what in What]}
    limits |= over.pop("limits", {})
    role = {"role": "desk", "orders": ["command"], "keyids": [signer("officer").keyid], "threshold": 1}
    return role | {"issuer": ISSUER, "level": "commune", "limits": limits} | over


def online_role(**over: Any) -> dict[str, Any]:
    """The server's role."""
    answers = ["welcome", "ack", "head"]
    return {"role": "server", "orders": answers, "keyids": [signer("server").keyid], "threshold": 1} | over


def trust_document(
    *, roles: Sequence[dict[str, Any]] | None = None, keys: Sequence[PublicKey] = (), **over: Any
) -> dict[str, Any]:
    """A root's trust document as a dict, for a network with no other; ``keys`` are added to those of officer, deputy,
    server and holder, and the owner's if needed."""
    owner = signer("owner")
    roles = [job_role(), online_role(), owner_role(), command_role()] if roles is None else list(roles)
    publics = [signer(name).public for name in ("officer", "deputy", "server", "holder")] + list(keys)
    publics += [owner.public] if any(owner.keyid in role.get("keyids", ()) for role in roles) else []
    given = {"realm": REALM, "type": "trust", "version": 1, "issued_at": NOON - DAY_MS, "expires": NOON + 700 * DAY_MS}
    given |= {"keys": {key.keyid: key.to_trust() for key in publics}}
    holders = {"keyids": [signer("holder").keyid], "threshold": 1}
    return given | {"roles": roles, "signers": holders} | over


def delegates(*names: str, **over: Any) -> dict[str, Any]:
    """Who signs below: the keys of these names, any one of them, for whatever a ward may do."""
    limits: dict[str, Any] = {
        "classes": ["normal", "priority", "emergency"],
        "areas": ["vn/ha-noi"],
        "volume_max": 100,
        "validity_max_s": 400 * 86_400,
        "commands": [what.value for what in What],
    }
    limits |= over.pop("limits", {})
    given = {"keyids": [signer(name).keyid for name in names], "threshold": 1, "epoch": 1}
    given |= {"orders": ["job", "command", "regulation", "window"], "levels": ["province", "commune"]}
    return given | {"limits": limits} | over


def area_document(
    area: str, *names: str, roles: Sequence[dict[str, Any]] = (), version: int = 1, **over: Any
) -> dict[str, Any]:
    """The trust document of an area, with the keys of these names."""
    given = {"realm": REALM, "type": "trust", "area": area, "epoch": 1, "version": version}
    given |= {"issued_at": NOON - DAY_MS, "expires": NOON + 60 * DAY_MS}
    keys = {signer(name).keyid: signer(name).public.to_trust() for name in names}
    return given | {"keys": keys, "roles": list(roles)} | over


def signed_trust(document: dict[str, Any], *names: str) -> bytes:
    """The envelope of a trust document, signed by the keys of these names."""
    return sign(payload_type("trust"), json.dumps(document).encode(), [signer(name) for name in names])


def make_trust(**over: Any) -> Trust:
    """What a station believes by ``trust_document`` alone."""
    return together([load_document(json.dumps(trust_document(**over)).encode())])


def trust_file(**over: Any) -> bytes:
    """The trust file of a station that believes ``trust_document`` alone."""
    return write_file([signed_trust(trust_document(**over), "holder")])


def make_keeper(site: Site | None = None, **over: Any) -> Keeper:
    """What a station believes by ``trust_file``."""
    return believing(trust_file(**over), (), site or make_site())


def clip_item(**over: Any) -> dict[str, Any]:
    """A recorded bulletin."""
    given = {"kind": "clip", "title": "Bản tin sáng", "field": "thoi-su", "language": "vi", "source": "Đài xã"}
    given |= {"approver": "ng-01", "digest": "ab" * 32, "length": 80_000, "duration_ms": 10_000, "codec": "mp3"}
    return given | {"urls": ["https://content.test/clip.mp3"]} | over


def text_item(**over: Any) -> dict[str, Any]:
    """Words to be spoken."""
    given = {"kind": "text", "title": "Lũ quét", "field": "thien-tai", "language": "vi", "source": "Ban chỉ huy"}
    return given | {"approver": "ng-01", "text": "Nước đang lên.\nBà con đến nơi cao."} | over


def live_item(**over: Any) -> dict[str, Any]:
    """Half an hour of somebody else's programme."""
    given = {"kind": "live", "title": "Thời sự", "field": "thoi-su", "language": "vi", "source": "VOV1"}
    given |= {"approver": "ng-01", "urls": ["https://live.test/vov1.mp3"], "duration_ms": 1_800_000}
    return given | over


def rule_when(**over: Any) -> dict[str, Any]:
    """Twice a day on working days of the last quarter."""
    given = {"kind": "rule", "timezone": "Asia/Ho_Chi_Minh", "first_day": "2026-10-01", "last_day": "2026-12-31"}
    return given | {"weekdays": [1, 2, 3, 4, 5], "times": ["05:30:00", "17:00:00"], "excluded": ["2026-11-20"]} | over


def job_dict(**over: Any) -> dict[str, Any]:
    """A normal job for the ward, to be played now; emergencies get an event and six hours unless told otherwise."""
    given: dict[str, Any] = {"realm": REALM, "type": "job", "job_id": "job-1", "issuer": ISSUER, "level": "commune"}
    given |= {"key_epoch": 0, "serial": 1, "issued_at": NOON, "not_before": NOON, "not_after": NOON + 600_000}
    given |= {"audience": {"areas": [AREA]}, "class": "normal", "when": {"kind": "now"}, "items": [clip_item()]}
    if over.get("class") == "emergency":
        given |= {"event": "flash-flood", "not_after": NOON + 6 * HOUR_MS, "items": [text_item()]}
    if over.get("when", {}).get("kind") in ("at", "rule"):
        given |= {"not_after": NOON + 92 * DAY_MS}
    return given | {"volume": 70} | over


def make_job(**over: Any) -> Job:
    """``job_dict``, parsed."""
    return parse_job(Fields(job_dict(**over)))


def heading_dict(order_id: str, **over: Any) -> dict[str, Any]:
    """What every order but a job says of itself."""
    given = {"realm": REALM, "order_id": order_id, "issuer": OWNER, "level": "commune", "key_epoch": 0, "serial": 1}
    given |= {"issued_at": NOON, "not_before": NOON, "not_after": NOON + 300 * DAY_MS}
    return given | {"audience": {"areas": [AREA]}} | over


def clause_dict(**over: Any) -> dict[str, Any]:
    """A general clause; None leaves a field out."""
    given: dict[str, Any] = {"quiet": ["21:00", "05:00"], "session_s": 900, "volume": [["00:00", "00:00", 80]]}
    return {name: value for name, value in (given | over).items() if value is not None}


def regulation_dict(**over: Any) -> dict[str, Any]:
    """The ward's policy, valid until next summer."""
    given = heading_dict("quy-che-1") | {"type": "regulation", "version": 1, "number": "12/QĐ-UBND"}
    return given | {"dated": "2026-09-15", "clauses": [clause_dict()]} | over


def window_dict(**over: Any) -> dict[str, Any]:
    """An exception for the evening of the day after tomorrow; with ``kind="silence"`` a silence then."""
    given = heading_dict("dem-giao-thua") | {"type": "window", "kind": "exception", "basis": "Công văn 34/UBND"}
    given |= {"begins": NOON + 2 * DAY_MS + 8 * HOUR_MS, "ends": NOON + 2 * DAY_MS + 13 * HOUR_MS}
    if over.get("kind") != "silence":
        given |= {"classes": ["normal", "priority"], "session_s": 3_600}
    return given | over


def command_dict(**over: Any) -> dict[str, Any]:
    """Silence in the whole ward for a minute, unless ``do`` says something else."""
    given = heading_dict("dung-1", issuer=ISSUER, not_after=NOON + 120_000)
    return given | {"type": "command", "do": {"what": "all_stop", "for_s": 60}} | over


def entry_dict(job_id: str = "sang", **over: Any) -> dict[str, Any]:
    """A daily programme of a timetable."""
    given = {"job_id": job_id, "class": "normal", "when": rule_when(), "items": [clip_item()], "volume": 70}
    return given | over


def timetable_dict(**over: Any) -> dict[str, Any]:
    """The ward's timetable: one programme, unless ``entries`` says otherwise."""
    given = heading_dict("lich-1", issuer=ISSUER, not_after=NOON + 92 * DAY_MS)
    return given | {"type": "timetable", "version": 1, "entries": [entry_dict()]} | over


def make_timetable(**over: Any) -> Timetable:
    """``timetable_dict``, parsed."""
    return parse_timetable(Fields(timetable_dict(**over)))


def make_regulation(**over: Any) -> Regulation:
    """``regulation_dict``, parsed."""
    return parse_regulation(Fields(regulation_dict(**over)))


def make_window(**over: Any) -> Window:
    """``window_dict``, parsed."""
    return parse_window(Fields(window_dict(**over)))


def make_command(**over: Any) -> Command:
    """``command_dict``, parsed."""
    return parse_command(Fields(command_dict(**over)))


def welcome_dict(**over: Any) -> dict[str, Any]:
    """A welcome for our station."""
    given: dict[str, Any] = {"realm": REALM, "type": "welcome", "station": STATION, "nonce": NONCE, "utc": NOON}
    given |= {"trust": [{"area": "", "epoch": 0, "version": 1}], "serial_marks": {ISSUER: 0}, "heads": {}}
    return given | {"log": {"epoch": "e1", "seq": 0, "hash": "0" * 64}} | over


def ack_dict(**over: Any) -> dict[str, Any]:
    """The server holds our records up to 7."""
    given: dict[str, Any] = {"realm": REALM, "type": "ack", "station": STATION}
    return given | {"log": {"epoch": "e1", "seq": 7, "hash": "cd" * 32}} | over


def signed(payload: dict[str, Any], by: Sequence[str | Signer]) -> bytes:
    """An envelope around any payload of ours, its payloadType taken from the payload."""
    signers = [signer(one) if isinstance(one, str) else one for one in by]
    return sign(payload_type(payload["type"]), dump(payload), signers)


def signed_job(*, by: Sequence[str | Signer] = ("officer",), **over: Any) -> bytes:
    """A job's envelope."""
    return signed(job_dict(**over), by)


def signed_regulation(*, by: Sequence[str | Signer] = ("owner",), **over: Any) -> bytes:
    """A regulation's envelope."""
    return signed(regulation_dict(**over), by)


def signed_window(*, by: Sequence[str | Signer] = ("owner",), **over: Any) -> bytes:
    """A window's envelope."""
    return signed(window_dict(**over), by)


def signed_command(*, by: Sequence[str | Signer] = ("officer",), **over: Any) -> bytes:
    """A command's envelope."""
    return signed(command_dict(**over), by)


def signed_timetable(*, by: Sequence[str | Signer] = ("officer",), **over: Any) -> bytes:
    """A timetable's envelope."""
    return signed(timetable_dict(**over), by)


def signed_welcome(*, by: Sequence[str | Signer] = ("server",), **over: Any) -> bytes:
    """A welcome's envelope."""
    return signed(welcome_dict(**over), by)


def signed_ack(*, by: Sequence[str | Signer] = ("server",), **over: Any) -> bytes:
    """A log acknowledgement's envelope."""
    return signed(ack_dict(**over), by)


def _seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
