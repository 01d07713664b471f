"""What every expected failure of the central side has in common: its text names the thing and the remedy."""

from __future__ import annotations

from pathlib import Path


class HeadendError(Exception):
    """Shown to a person as it is, on one line, without a traceback."""


class KeyringError(HeadendError):
    """Something of the keyring is missing, doubtful or would be overwritten."""


def unreadable(path: Path, error: OSError) -> KeyringError:
    """Whoever runs one command as another account leaves a file that the servers cannot open: told, it ends none."""
    return KeyringError(
        f"{path}: không đọc được, giao tệp cho tài khoản của thư mục / cannot be read ({error.strerror}); give it to "
        "the account that owns the folder"
    )
