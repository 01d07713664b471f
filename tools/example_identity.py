"""The bodies of docs/examples/enrolment: a box becomes the station of docs/examples by a one-time code, and renews.

By the code that really writes them. Only certificates and their requests are made here, so that a run can be repeated:
signed by RFC 6979, with serial numbers that are no surprise. Everybody has these keys and this code.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.core.units import SECOND_MS
from edge_agent.headend.pki import AUTHORITY_DAYS, LEAF_DAYS
from edge_agent.identity import messages
from edge_agent.identity.codes import Code
from edge_agent.identity.messages import Given, Refusal, Renewed
from edge_agent.trust.envelope import Envelope, open_envelope
from tools import example_ward as ward

FOLDER = "enrolment"
CODE = Code("K7Q", "M4DTX9W2F6HJ")
NONCE = "c2d94f17a06b5e83917f0e4dab6835c1"
RENEWAL_NONCE = "58e1b60c97d24a3fb0c6e1d973a52f48"
NAME = "Trạm loa Đông Thành 01"
BEGINS = datetime.fromtimestamp(ward.ISSUED / SECOND_MS, UTC)


def bodies() -> dict[str, bytes]:
    """Each body by its name: request and answer of an enrolment and of a renewal, and a refusal."""
    key, signer = CODE.key(), ward.key("station")
    asked, enrolment = messages.enrol_request(CODE, key, signer, csr(""), NONCE)
    again, renewal = messages.renew_request(ward.REALM, ward.STATION, signer, csr(ward.STATION), RENEWAL_NONCE)
    return {
        "enrol-request": asked,
        "enrol-answer": messages.enrol_answer(key, enrolment, given()),
        "renew-request": again,
        "renewed": messages.renew_answer(renewal, Renewed(given().certificate, given().authority)),
        "refused": messages.refusal(Refusal.CODE_USED),
    }


def given() -> Given:
    """Who the box is from then on."""
    place = (str(ward.STATION), ward.AREA, ward.REALM, NAME, "mqtt.example.vn", 8883)
    return Given(*place, _der(_certificate()), _der(_authority()), ward.trust_file())


def csr(name: str) -> bytes:
    """What the station's TLS key asks with."""
    named = _named(name) if name else x509.Name([])
    made = x509.CertificateSigningRequestBuilder(named)
    return made.sign(tls_key("station"), hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def tls_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The throw-away P-256 key of that name."""
    seed = hashlib.sha256(f"throw-away TLS key of docs/examples: {name}".encode()).digest()
    return ec.derive_private_key(int.from_bytes(seed), ec.SECP256R1())


def printed() -> str:
    """What the commands in the protocol print that check an enrolment by hand."""
    request, answer = (json.loads(bodies()[name]) for name in ("enrol-request", "enrol-answer"))
    digest = _opened(request["envelope"]).digest
    key = hashlib.sha256(_public_pem(tls_key("station"))).hexdigest()
    lines = (
        *(CODE.key().hex(), request["proof"], request["proof"], "Signature Verified Successfully", digest),
        *(answer["proof"], answer["proof"], json.loads(base64.b64decode(answer["payload"]))["request"]),
        *("station.pem: OK", key, key),
    )
    return "\n".join(lines) + "\n"


def _authority() -> x509.Certificate:
    name = _named(f"loa {ward.REALM} CA")
    builder = _builder(name, tls_key("authority"), 1, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _signed(builder)


def _certificate() -> x509.Certificate:
    builder = _builder(_named(ward.STATION), tls_key("station"), 2, LEAF_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _signed(builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False))


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(_named(f"loa {ward.REALM} CA"), subject, key.public_key(), serial)
        .not_valid_before(BEGINS)
        .not_valid_after(BEGINS + timedelta(days=days))
    )


def _signed(builder: x509.CertificateBuilder) -> x509.Certificate:
    return builder.sign(tls_key("authority"), hashes.SHA256(), ecdsa_deterministic=True)


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _opened(envelope: object) -> Envelope:
    opened = open_envelope(json.dumps(envelope).encode())
    assert isinstance(opened, Envelope)
    return opened
