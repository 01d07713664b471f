"""A station whose key files are locked, and their passphrase sealed to its machine, as docs/operations.md does it.

Sealed with the machine's own key, as no TPM is there; it lies in the machine's memory, which ``auto`` would not take.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from hil_tests.installed import SYSTEMD
from tests.units.ward import ETC, UNITS, InstalledWard, run

NAME = "edge-agent.keys"
STORED = Path("/etc/credstore.encrypted", NAME)
HOST_KEY = Path("/var/lib/systemd/credential.secret")
HANDED_OVER = Path("/run/credentials", f"{UNITS[0]}.service", NAME)
KEYS = (ETC / "sign.pem", ETC / "client.key")
DROP_IN = SYSTEMD / "drop-ins/edge-agent-credentials.conf"
INSTALLED_AS = Path(f"/etc/systemd/system/{UNITS[0]}.service.d/credentials.conf")


def seal(passphrase: str) -> None:
    """To this machine, under the name that the unit asks for."""
    STORED.parent.mkdir(mode=0o700, exist_ok=True)
    sealing = ["systemd-creds", "encrypt", "--with-key=host", f"--name={NAME}", "-", str(STORED)]
    subprocess.run(sealing, input=passphrase.encode(), check=True, capture_output=True)


class SealedWard(InstalledWard):
    """``passphrase`` is what nobody but the agent may come to know."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.passphrase = os.urandom(32).hex()

    def _write_config(self) -> Path:
        config = super()._write_config()
        for key in KEYS:
            private = load_pem_private_key(key.read_bytes(), None)
            lock = BestAvailableEncryption(self.passphrase.encode())
            key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        config.write_text(config.read_text().replace("[trust]\n", f'[trust]\nkey_credential = "{NAME}"\n'))
        INSTALLED_AS.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DROP_IN, INSTALLED_AS)
        seal(self.passphrase)
        run("systemctl", "daemon-reload")
        return config
