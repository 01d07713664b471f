"""Remove what nobody needs any more from a card that may refuse: what it refuses is told, and left for later."""

from __future__ import annotations

import logging
from collections.abc import Callable


def went(remove: Callable[[], object], refusals: list[OSError]) -> bool:
    """Whether it is removed; else the disk's refusal stands with the others."""
    try:
        remove()
    except OSError as exc:
        refusals.append(exc)
        return False
    return True


def tell(log: logging.Logger, what: str, refusals: list[OSError]) -> None:
    """In one line: a card that has gone read-only refuses hundreds."""
    if refusals:
        log.error("%s count=%d first=%s next=the others go", what, len(refusals), refusals[0])
