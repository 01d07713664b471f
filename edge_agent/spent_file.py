"""Keep what the night's audio has cost over a restart of the agent, which whoever has stolen a key can order.

It lies in memory (``run_dir``): no write to the card for it, and a power cut begins anew. What is not there, not ours
or not whole counts as nothing spent; whatever befalls it, nothing stops sounding.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

from edge_agent import fresh_file, plain_file
from edge_agent.core.past import NOTHING_FETCHED, Fetched

FILE_BYTES_MAX = 256

log = logging.getLogger(__name__)


class SpentFile:
    """Written when it has changed, which a download does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = NOTHING_FETCHED

    def read(self) -> Fetched:
        """What the agent before this one has left."""
        try:
            with plain_file.begin(self._path) as opened:
                if os.fstat(opened.fileno()).st_uid != os.geteuid():
                    raise PermissionError(f"{self._path}: another account's")
                told = json.loads(opened.read(FILE_BYTES_MAX))
            night, count = told["night"], told["bytes"]
            whole = isinstance(night, int) and isinstance(count, int) and count >= 0
            self._kept = Fetched(night, count) if whole else NOTHING_FETCHED
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.error("what was fetched today is not known, counting anew error=%s", error)
        return self._kept

    def keep(self, fetched: Fetched) -> None:
        """Replace what stands there."""
        if fetched == self._kept:
            return
        self._kept = fetched
        try:
            fresh_file.replace(self._path, json.dumps(asdict(fetched)).encode())
        except OSError as error:
            log.error("what was fetched today is not kept error=%s next=a restart counts anew", error)
