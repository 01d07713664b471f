"""Whom the station believes to be its server, whichever Python it has: whomever its authority has signed for."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge_agent.headend.pki import Authority, issue_server
from edge_agent.sync.dial import dial
from edge_agent.sync.tls import client_context, context_of
from tests.host.content import running_content

PATIENCE_S = 60


def authority(folder: Path, above: Authority | None = None) -> Authority:
    """As ``openssl req -x509`` makes one: an authority, and not a word of what its key may be used for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "our own CA" if above is None else "who issues for it")])
    issuer = name if above is None else above.certificate.subject
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3_650))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key if above is None else above.key, hashes.SHA256())
    )
    path = folder / "ca.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return Authority(certificate, key, path)


def shakes_hands(folder: Path, ours: Authority, context: ssl.SSLContext) -> None:
    """With a server that shows its own certificate and nothing else. Raises OSError."""
    server = issue_server(ours, folder / "server", "server", ["localhost"])
    with running_content(folder, ours, server) as content:
        until = time.monotonic() + PATIENCE_S
        dial("localhost", content.port, context, PATIENCE_S, until).close()


BELIEVING = pytest.mark.parametrize(
    "believing",
    [lambda ours: client_context(ours.path), lambda ours: context_of(ours.certificate.public_bytes(Encoding.DER))],
    ids=["pinned", "given at enrolment"],
)


@BELIEVING
def test_an_authority_that_says_nothing_of_its_keys_use_is_believed_as_it_was_before_an_upgrade(
    tmp_path: Path, believing: Callable[[Authority], ssl.SSLContext]
) -> None:
    """Python 3.13 wants it to; the station would call its own network another one's, and be off it."""
    ours = authority(tmp_path)
    shakes_hands(tmp_path, ours, believing(ours))


@BELIEVING
def test_whoever_has_signed_for_the_server_need_be_nobodys_root(
    tmp_path: Path, believing: Callable[[Authority], ssl.SSLContext]
) -> None:
    """Before 3.13 Python wants the whole way to a root: one that is kept away has an authority that issues for it."""
    ours = authority(tmp_path, above=authority(tmp_path))
    shakes_hands(tmp_path, ours, believing(ours))
