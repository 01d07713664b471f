"""Name what a station refused without an id, by its digest: a trust document of ours, an order of ours, or neither.

Stations repeat nothing of a message that is not authentic (protocol, 5.7), so the same answer comes to a forger's bytes
and to what was sent from here. Reads the folder again only when something new lies in it: anybody who has the broker
makes stations refuse rubbish.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import JobId
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.signing import SigningError, digest_of
from edge_agent.headend.trust_file import document_of

Named = TrustVersion | JobId | None


class Ours:
    """What went out from this folder. Not for several threads at once: it goes by a keyring that others renew."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._orders_in = keyring.directory / "orders"
        self._seen: tuple[tuple[bytes, ...], int] = ((), 0)
        self._named: Mapping[str, TrustVersion | JobId] = {}

    def named(self, digest: str) -> Named:
        """None: no such document is here, and no such order that may still be obeyed; our welcomes have no name."""
        there = self._keyring.documents, _written_at(self._orders_in)
        if self._seen != there:
            self._seen = there
            self._named = {**_orders(self._orders_in), **dict(map(_of_document, self._keyring.documents))}
        return self._named.get(digest)


def _of_document(envelope: bytes) -> tuple[str, TrustVersion]:
    document = document_of(envelope)
    return digest_of(envelope), TrustVersion(document.area, document.epoch, document.version)


def _orders(directory: Path) -> dict[str, JobId]:
    found = {}
    for path in directory.glob("*.json"):
        with contextlib.suppress(OSError, SigningError):  # put aside meanwhile, or not readable: it has no name here
            found[digest_of(path.read_bytes())] = JobId(path.stem)
    return found


def _written_at(directory: Path) -> int:
    """When something was last laid in or taken out; 0 where nothing ever was."""
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0
