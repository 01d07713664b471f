"""The passphrase of the station's key files, as systemd hands it over: a file in memory that only our unit can read.

Decides whether it is there and long enough to be one. How it is sealed to the machine is the service manager's matter
(``systemd/drop-ins/edge-agent-credentials.conf``).
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_agent.trust.keys import UnusableKey

VARIABLE = "CREDENTIALS_DIRECTORY"
FIELD = "[trust] key_credential"
CHARACTERS_MIN = 32
# 128 bits in hexadecimal digits: nobody types it, so it need not be stretched (the operations make 44 characters).
BYTES_MAX = 1_024


class NoPassphrase(UnusableKey):
    """The key files are locked, and what opens them was not given. Its text names the field and the remedy."""


def passphrase(credential: str) -> bytes | None:
    """What opens the key files; None where they lie open (``credential`` ""). Raises NoPassphrase, never quotes it."""
    if not credential:
        return None
    try:
        with (Path(os.environ[VARIABLE]) / credential).open("rb") as file:
            found = file.read(BYTES_MAX).strip()
    except (KeyError, OSError) as error:
        raise _lacking(credential) from error
    if not found:  # the unit that opens what was sealed could not
        raise _lacking(credential)
    if len(found) < CHARACTERS_MIN:
        raise NoPassphrase(
            f'{FIELD}: "{credential}" quá ngắn / is too short: {len(found)} characters, at least {CHARACTERS_MIN}; '
            "làm lại / seal another: docs/operations.md"
        )
    return found


def _lacking(credential: str) -> NoPassphrase:
    return NoPassphrase(
        f'{FIELD}: systemd không đưa / did not hand over "{credential}"; dịch vụ / a service needs '
        f"/etc/credstore.encrypted/{credential} and drop-ins/edge-agent-credentials.conf, xem / see "
        f"journalctl -u 'edge-agent-keys@*'; lệnh / a command: "
        f"sudo systemd-run -tPqG --wait -p LoadCredentialEncrypted={credential} edge-agent …"
    )
