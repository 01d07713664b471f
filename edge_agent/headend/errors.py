"""What every expected failure of the central side has in common: its text names the thing and the remedy."""

from __future__ import annotations


class HeadendError(Exception):
    """Shown to a person as it is, on one line, without a traceback."""


class KeyringError(HeadendError):
    """Something of the keyring is missing, doubtful or would be overwritten."""
