"""Whether this machine's OpenSSL has the provider that signs by a PKCS#11 library."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.host.parts import ABSENT

_PLACES = ("lib/*/ossl-modules/pkcs11.so", "lib/ossl-modules/pkcs11.so", "lib64/ossl-modules/pkcs11.so")
_FOUND = [path for place in _PLACES for path in Path("/usr").glob(place)]
_TOO_OLD = ssl.OPENSSL_VERSION_INFO < (3, 2)
# As Debian 12's, which has no such provider to install.
_WHY = f"{ssl.OPENSSL_VERSION} is older than 3.2" if _TOO_OLD else f"{ABSENT}pkcs11-provider"
NEEDS_PROVIDER = (pytest.mark.skipif(_TOO_OLD or not _FOUND, reason=_WHY), pytest.mark.host)
