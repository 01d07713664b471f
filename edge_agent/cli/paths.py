"""Where the station keeps things. What survives lies under ``state_dir``, what does not under ``run_dir`` (a tmpfs)."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_agent.config import Config

log = logging.getLogger(__name__)


def prepare(config: Config, *own: Path) -> str:
    """Make the folders that both processes expect, and a process's ``own``; "", or why one in memory cannot be had.

    A card that takes none (read-only, full) is named, and is no reason not to start: a warning needs none of it.
    """
    for folder in (config.paths.state_dir, originals(config), audio(config)):
        if trouble := _made(folder):
            log.error("no folder on the card, thẻ nhớ không nhận thư mục field=[paths] state_dir error=%s", trouble)
    return next((trouble for folder in (config.paths.run_dir, *own) if (trouble := _made(folder))), "")


def _made(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return str(error)
    return ""


def journal(config: Config) -> Path:
    """The database's folder."""
    return config.paths.state_dir / "journal"


def originals(config: Config) -> Path:
    """Signed audio as it was downloaded."""
    return config.paths.state_dir / "originals"


def audio(config: Config) -> Path:
    """Staged sound, and the pinned emergency set."""
    return config.paths.state_dir / "audio"


def warnings_in_memory(config: Config) -> Path:
    """Sound of warnings that the card has not taken."""
    return config.paths.run_dir / "warnings"


def live(config: Config) -> Path:
    """The last seconds of each live source. Its writer makes the folder, where systemd has not made it before."""
    return config.paths.run_dir / "live"


def device(config: Config) -> Path:
    """Where the device process alone may lay anything. It makes the folder, where systemd has not made it before."""
    return config.paths.run_dir / "io"


def socket(config: Config) -> Path:
    """The line between the two processes."""
    return device(config) / "line.sock"


def certificate_trouble(config: Config) -> Path:
    """Why the last connection failed, while certificates or the clock are the reason."""
    return config.paths.run_dir / "certificate-trouble.json"


def cannot_sign(config: Config) -> Path:
    """There while the agent cannot use the key it signs with."""
    return config.paths.run_dir / "cannot-sign"


def spent(config: Config) -> Path:
    """What the night's audio has cost, over restarts of the agent."""
    return config.paths.run_dir / "spent.json"


def status(config: Config) -> Path:
    """What the agent shows of itself, for the console and for ``edge-agent status``."""
    return config.paths.run_dir / "status.json"
