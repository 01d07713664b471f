"""Which certificate a station takes for its own: of its own authority, made out to it alone, for the key it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.headend.pki import AUTHORITY_DAYS, Authority, create_authority
from edge_agent.identity.certificate import NotOurs, authority_der, authority_pem, followed, read_certificate, take
from tests.trust.makers import named_in_bits, of_an_unknown_version, on_an_unknown_curve

KEY, ANOTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 10, 1, tzinfo=UTC)


def authority(folder: Path) -> Authority:
    """All of one realm bear the same name."""
    return create_authority(folder, "test", NOW)


def made_out(by: Authority, *names: str, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    """A certificate (DER) in which anything may stand."""
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = x509.CertificateBuilder(by.certificate.subject, named, key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


def taken(certificate: bytes, root: Authority) -> bytes:
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return take(certificate, root.certificate.public_bytes(Encoding.DER), "dt-01", public)


def test_a_certificate_of_our_authority_for_our_name_and_key_is_taken(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    assert read_certificate(taken(made_out(ours, "dt-01"), ours)).names == ("dt-01",)


def test_a_certificate_of_another_authority_of_the_same_name_is_not_taken_though_all_else_is_ours(
    tmp_path: Path,
) -> None:
    """Whoever answers a renewal could have the broker turn us away with it, and keep us off for good."""
    ours, thiefs = authority(tmp_path / "ours"), authority(tmp_path / "thiefs")
    with pytest.raises(NotOurs, match="not signed by our authority"):
        taken(made_out(thiefs, "dt-01"), ours)


@pytest.mark.parametrize("names", [(), ("dt-02",), ("dt-01", "dt-02"), ("dt-02", "dt-01")])
def test_a_certificate_that_names_somebody_else_too_or_nobody_is_not_taken(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    ours = authority(tmp_path)
    with pytest.raises(NotOurs, match="made out to"):
        taken(made_out(ours, *names), ours)


def test_a_certificate_for_another_key_is_not_taken(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    with pytest.raises(NotOurs, match="for another key"):
        taken(made_out(ours, "dt-01", key=ANOTHER_KEY), ours)


def test_of_an_authority_whose_key_is_not_known_here_nothing_is_taken(tmp_path: Path) -> None:
    """As another error it ended the thread that renews, and in two years the station."""
    ours = authority(tmp_path)
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    root = on_an_unknown_curve(ours.certificate.public_bytes(Encoding.DER))
    with pytest.raises(NotOurs, match="not signed by our authority"):
        take(made_out(ours, "dt-01"), root, "dt-01", public)


def test_a_certificate_for_a_key_that_is_not_known_here_is_none() -> None:
    named = x509.Name([])
    builder = x509.CertificateBuilder(named, named, KEY.public_key()).serial_number(1)
    made = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).sign(ANOTHER_KEY, hashes.SHA256())
    with pytest.raises(ValueError, match="a certificate that cannot be read"):
        read_certificate(DER_cert_to_PEM_cert(on_an_unknown_curve(made.public_bytes(Encoding.DER))).encode())


def test_a_certificate_of_a_version_that_there_is_not_is_none_whoever_is_said_to_have_signed_it(tmp_path: Path) -> None:
    """As another error it ended the process, and at each start again: whoever answers a renewal must sign nothing."""
    ours = authority(tmp_path)
    root = ours.certificate.public_bytes(Encoding.DER)
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    good = made_out(ours, "dt-01")
    bad = of_an_unknown_version(good)
    for certificate, by in ((bad, root), (good, of_an_unknown_version(root))):
        with pytest.raises(NotOurs, match="not signed by our authority"):
            take(certificate, by, "dt-01", public)
    for read, content in (
        (read_certificate, DER_cert_to_PEM_cert(bad).encode()),
        (authority_der, DER_cert_to_PEM_cert(bad).encode()),
        (authority_pem, bad),
    ):
        with pytest.raises(ValueError, match="a certificate that cannot be read: 3 is not a valid X509 version"):
            read(content)


def test_a_certificate_that_names_somebody_by_what_is_no_text_is_none_though_our_authority_signed_it(
    tmp_path: Path,
) -> None:
    ours = authority(tmp_path)
    good = made_out(ours, "dt-01")
    begins = good.index(signed := x509.load_der_x509_certificate(good).tbs_certificate_bytes)
    algorithm = good[begins + len(signed) :][:12]
    odd = named_in_bits(signed, b"dt-01")
    signature = b"\0" + ours.key.sign(odd, ec.ECDSA(hashes.SHA256()))
    body = odd + algorithm + bytes([0x03, len(signature)]) + signature
    certificate = b"\x30\x82" + len(body).to_bytes(2) + body
    for read in (
        lambda: read_certificate(DER_cert_to_PEM_cert(certificate).encode()),
        lambda: taken(certificate, ours),
    ):
        with pytest.raises(ValueError, match="a certificate that cannot be read: oid must be"):
            read()


def test_what_is_no_certificate_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(NotOurs, match="not signed by our authority"):
        taken(b"no certificate", authority(tmp_path))


def of_itself(
    by: Authority,
    *,
    ends: int,
    begins: int = 0,
    name: str = "loa test CA",
    key: ec.EllipticCurvePrivateKey | None = None,
    is_authority: bool | None = True,
    signed_by: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """What may be offered as the authority's next certificate (DER); days from ``NOW``."""
    named, key = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key or by.key
    builder = x509.CertificateBuilder(named, named, key.public_key()).serial_number(2)
    builder = builder.not_valid_before(NOW + timedelta(days=begins - 1)).not_valid_after(NOW + timedelta(days=ends))
    if is_authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return builder.sign(signed_by or key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_authority_is_followed_by_a_longer_one_of_its_name_and_key(tmp_path: Path) -> None:
    ours, others = authority(tmp_path / "ours"), authority(tmp_path / "others")
    pems = [one.path.read_bytes() for one in (ours, others)]
    der = of_itself(ours, ends=AUTHORITY_DAYS + 1)
    new = authority_pem(der)
    assert followed(pems[0], der) == new
    assert followed(b"".join(pems), der) == new + pems[1]
    assert followed(pems[1] + pems[0], der) == pems[1] + new
    assert followed(new, der) is None, "it is there already"
    assert followed(pems[1], der) is None, "it is another one's"


LONGER = AUTHORITY_DAYS + 1
WRONG: dict[str, dict[str, Any]] = {
    "which ends no later": {"ends": AUTHORITY_DAYS},
    "which is still to begin": {"ends": LONGER, "begins": 1},
    "of another key": {"ends": LONGER, "key": ANOTHER_KEY},
    "of its key, which another one has signed": {"ends": LONGER, "signed_by": ANOTHER_KEY},
    "of another name": {"ends": LONGER, "name": "loa khac CA"},
    "which may sign none": {"ends": LONGER, "is_authority": False},
    "which does not say whether it may": {"ends": LONGER, "is_authority": None},
}


@pytest.mark.parametrize("made", WRONG.values(), ids=[*WRONG])
def test_an_authority_is_followed_by_none(tmp_path: Path, made: dict[str, Any]) -> None:
    ours = authority(tmp_path)
    assert followed(ours.path.read_bytes(), of_itself(ours, **made)) is None


def test_what_is_no_certificate_follows_none(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    root = ours.certificate.public_bytes(Encoding.DER)
    for junk in (b"", b"junk", root[:-1], on_an_unknown_curve(root), of_an_unknown_version(root)):
        with pytest.raises(ValueError, match=r"."):
            followed(ours.path.read_bytes(), junk)
