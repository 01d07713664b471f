"""Make a station a stranger: its keys first, then all that it was given and has kept. What is wired stays configured.

Cut short anywhere it is a stranger already, and can be begun again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edge_agent.config import Config
from edge_agent.identity.files import remove_durably, sync_directory
from edge_agent.identity.installing import pending
from edge_agent.identity.tls_keys import in_element, tls_key
from edge_agent.identity.token_keys import signing_key


def forget(config: Config, folders: Sequence[Path]) -> None:
    """Destroy the identity, and empty ``folders``. A key that cannot be destroyed raises before anything else."""
    signing, tls = signing_key(config.trust), tls_key(config)
    # What may fail comes first. With the signing key goes the PIN, by which the other one is destroyed on an element.
    for key in (tls, signing) if in_element(config) else (signing, tls):
        key.destroy()
    broker = config.broker
    given = (pending(config), broker.cert_file, broker.ca_file, config.content.ca_file, config.trust.file)
    for path in given:
        remove_durably(path)
    for folder in folders:
        empty(folder)


def empty(folder: Path) -> None:
    """What a folder holds goes; the folder itself, and whose it is, stays."""
    if not folder.is_dir():
        return
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    sync_directory(folder)
