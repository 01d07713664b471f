"""A key's file without its passphrase: whoever has stolen it has no key. (A token's PIN: ``headend/test_token.py``.)"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.headend import pkcs8_scrypt
from edge_agent.headend.key_files import LockedKey, WrongPassphrase, new_private, read_key, write_key
from edge_agent.trust.keys import Scheme

PASSPHRASE = "con trâu đi trước"
PEM = re.compile(rb"-----BEGIN [A-Z ]+-----(.+?)-----END", re.DOTALL)


@pytest.fixture(autouse=True)
def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a try costs is shown in ``tests/headend/test_key_files.py``."""
    monkeypatch.setattr(pkcs8_scrypt, "SCRYPT_N", 2)


@pytest.mark.parametrize(("passphrase", "there"), [(PASSPHRASE, False), (None, True)])
@pytest.mark.parametrize("scheme", Scheme)
def test_the_private_key_stands_in_a_file_only_where_that_has_no_passphrase(
    tmp_path: Path, scheme: Scheme, passphrase: str | None, there: bool
) -> None:
    private, path = new_private(scheme), tmp_path / "ward-routine-1.pem"
    write_key(path, private, passphrase)
    if isinstance(private, EllipticCurvePrivateKey):
        secret = private.private_numbers().private_value.to_bytes(32, "big")
    else:
        secret = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    blocks = [b64decode(block) for block in PEM.findall(path.read_bytes())]
    assert any(secret in block for block in blocks) is there


@pytest.mark.parametrize("guess", ["", "con trâu đi sau", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_opens_nothing_however_near(tmp_path: Path, guess: str) -> None:
    path = tmp_path / "ward-routine-1.pem"
    write_key(path, new_private(Scheme.ED25519), PASSPHRASE)
    key = read_key(path)
    assert isinstance(key, LockedKey)
    with pytest.raises(WrongPassphrase):
        key.open(lambda _what: guess)
