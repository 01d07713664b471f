"""Keep what was spent of an hour's or a day's bounds over a restart of the agent, which a key's thief can order.

It lies in memory (``run_dir``): no write to the card for it, and a power cut begins anew. What is not there, not ours
or not whole counts as nothing spent; whatever befalls it, nothing stops sounding.
"""

from __future__ import annotations

import heapq
import json
import logging
import os
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from edge_agent import fresh_file, plain_file
from edge_agent.core.reasons import Reason
from edge_agent.core.spent import NOTHING_SPENT, Fetched, Given, Papers, Refusals, Sort, Spent
from edge_agent.core.units import MonoMs
from edge_agent.trust.fields import AREA_OR_ROOT, Fields, free_text
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse

FILE_BYTES_MAX = 1_000_000
COUNTS_MAX = 8_000
# Of 111 bytes each; 64 keys of each of seven trust documents with orders of three sorts are 1,344. Whoever can have new
# documents signed makes more: then those that have given most.
AREAS_MAX = 7  # the root's, and those that a station lies in
KEY = free_text(64, least=1)

Counted = TypeVar("Counted")

log = logging.getLogger(__name__)


class SpentFile:
    """Written when it has changed: with what is fetched, and each order that is taken or recorded as refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = NOTHING_SPENT

    def read(self) -> Spent:
        """What the agent before this one has left."""
        try:
            with plain_file.begin(self._path) as opened:
                if os.fstat(opened.fileno()).st_uid != os.geteuid():
                    raise PermissionError(f"{self._path}: another account's")
                self._kept = _read(opened.read(FILE_BYTES_MAX))
        except FileNotFoundError:
            pass
        except (OSError, WireError) as error:
            log.error("what was spent this hour and today is not known, counting anew error=%s", error)
        return self._kept

    def keep(self, spent: Spent) -> None:
        """Replace what stands there."""
        if spent == self._kept:
            return
        self._kept = spent
        try:
            fresh_file.replace(self._path, _written(spent))
        except OSError as error:
            log.error("what was spent is not kept error=%s next=a restart counts anew", error)


def _written(spent: Spent) -> bytes:
    counts = [
        {"key": key, "sort": sort, "orders": count} for (key, sort), count in _most(spent.given.counts, COUNTS_MAX)
    ]
    documents = [{"area": area, "taken": count} for area, count in _most(spent.given.documents, AREAS_MAX)]
    recorded = [{"reason": reason, "records": count} for reason, count in spent.refusals.recorded.items()]
    told = {
        "audio": {"night": spent.audio.night, "bytes": spent.audio.bytes},
        "papers": {"until": spent.papers.until or 0, "bytes": spent.papers.bytes},
        "given": {"hour": spent.given.hour, "counts": counts, "documents": documents},
        "refusals": {"day": spent.refusals.day, "recorded": recorded},
        "chain": {"at": spent.chain_at or 0},
    }
    return json.dumps(told).encode()


def _most(counts: Mapping[Counted, int], most: int) -> list[tuple[Counted, int]]:
    """Of a file with more of them nothing would be read: whoever has new keys signed would have each bound anew."""
    return heapq.nlargest(most, counts.items(), key=itemgetter(1))


def _read(data: bytes) -> Spent:
    told = Fields(parse(data))
    audio, papers = told.record("audio"), told.record("papers")
    given, refusals = told.record("given"), told.record("refusals")
    counts = given.records("counts", 0, COUNTS_MAX)
    documents = given.records("documents", 0, AREAS_MAX)
    recorded = refusals.records("recorded", 0, len(Reason))
    return Spent(
        Fetched(_number(audio, "night"), _number(audio, "bytes")),
        Papers(MonoMs(_number(papers, "until")) or None, _number(papers, "bytes")),
        Given(
            _number(given, "hour"),
            {(one.text("key", KEY), one.choice("sort", Sort)): _number(one, "orders") for one in counts},
            {one.text("area", AREA_OR_ROOT): _number(one, "taken") for one in documents},
        ),
        Refusals(_number(refusals, "day"), {one.choice("reason", Reason): _number(one, "records") for one in recorded}),
        MonoMs(_number(told.record("chain"), "at")) or None,
    )


def _number(fields: Fields, name: str) -> int:
    return fields.integer(name, 0, INTEGER_MAX)
