"""Make a station a stranger: its keys first, then all that it was given and has kept. What is wired stays configured.

Cut short anywhere it is no station any more, and nobody's: a mark stands from before the first deed until after the
last, while which the agent does not run, and `enrol` ends the reset first. Else the box could become another station
with the journal of this one, and its log be proven by nobody.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from edge_agent.config import Config
from edge_agent.durable import OWNER_ONLY, write_durably
from edge_agent.identity.files import make_folder, remove_durably
from edge_agent.identity.installing import pending
from edge_agent.identity.tls_keys import in_element, tls_key
from edge_agent.identity.token_keys import signing_key
from edge_agent.identity.token_library import TokenError
from edge_agent.trust.keys import UnusableKey

MARK = "resetting"


def begun(config: Config) -> bool:
    """Whether a reset was begun and has not come to its end."""
    return os.path.exists(mark(config))  # and not Path.exists: who may not look in there is told nothing


def mark(config: Config) -> Path:
    """Stands while a reset is not done."""
    return config.paths.state_dir / MARK


def forget(config: Config, folders: Sequence[Path]) -> None:
    """Destroy the identity, and empty ``folders``. A key that cannot be destroyed raises before anything else."""
    signing, tls = signing_key(config.trust), tls_key(config)
    # What may fail comes first. With the signing key goes the PIN, by which the other one is destroyed on an element.
    first, second = (tls, signing) if in_element(config) else (signing, tls)
    again = begun(config)
    make_folder(mark(config).parent)
    write_durably(mark(config), b"", OWNER_ONLY)
    try:
        first.destroy()
    except (TokenError, UnusableKey):
        if not again:  # the element does not answer: nothing has gone, and this is the station that it was
            remove_durably(mark(config))
        raise
    second.destroy()
    broker = config.broker
    given = (pending(config), broker.cert_file, broker.ca_file, config.content.ca_file, config.trust.file)
    for path in given:
        remove_durably(path)
    for folder in folders:
        empty(folder)
    remove_durably(mark(config))


def empty(folder: Path) -> None:
    """What a folder holds goes; the folder itself, and whose it is, stays. Raises OSError for a link.

    None is followed, at whatever moment it is laid: root deletes here, in a folder of the service's.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        if folder.is_symlink():
            raise OSError(
                f"{folder}: là liên kết, phía sau chưa xóa gì / is a link, nothing behind it was deleted; see where it "
                "leads, remove the link, and reset again"
            ) from error
        return
    try:
        for name in os.listdir(opened):
            if stat.S_ISDIR(os.stat(name, dir_fd=opened, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=opened)
            else:
                os.unlink(name, dir_fd=opened)
        os.fsync(opened)
    finally:
        os.close(opened)
