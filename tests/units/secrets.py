"""Where a secret might have got to, and whether it has: every form in which a private key could have been written."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LINE_BYTES_MIN = 16
# Of a key's text, what is shorter may be in any file.


def forms(key: Path) -> set[bytes]:
    """A private key's own number, raw, in hex and in base64, and each line of its file."""
    lines = {line for line in key.read_bytes().splitlines() if len(line) >= LINE_BYTES_MIN and b"-" not in line}
    raw = number(key)
    in_base64 = {spell(raw).rstrip(b"=") for spell in (base64.b64encode, base64.urlsafe_b64encode)}
    return {raw, raw.hex().encode(), raw.hex().upper().encode(), *in_base64, *lines}


def number(path: Path) -> bytes:
    """The secret itself."""
    key = load_pem_private_key(path.read_bytes(), None)
    if isinstance(key, Ed25519PrivateKey):
        return key.private_bytes_raw()
    assert isinstance(key, EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")


def found(secrets: Mapping[str, set[bytes]], places: Mapping[str, bytes]) -> list[str]:
    """Which secret lies where."""
    return sorted(
        f"{secret} in {place}"
        for secret, spellings in secrets.items()
        for place, content in places.items()
        if any(spelling in content for spelling in spellings)
    )
