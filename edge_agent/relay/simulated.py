"""Relays for a machine without GPIO: files to look at instead of contacts. Chosen openly in the configuration.

It stands in for no missing device: where GPIO is configured and not there, the process ends with an error, never here.

A directory holds one file a zone, with "1" while its relay is closed and "0" while it is open. It is written in place
and nobody resets it when the process dies, as the kernel of a Raspberry Pi leaves a line driven. ``edges.jsonl`` gets
one line for every change: {"mono_ms", "utc_ms", "zone", "on", "cause"}, where the cause is what this driver can know:
"claim" (found closed at the start), "switch", "close" (given back at the end) or "hook" (``relays_off``).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from edge_agent.boot_time import boot_ms
from edge_agent.core.units import ZoneId
from edge_agent.relay.port import RelayError

EDGES = "edges.jsonl"
ZONE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
# A zone names a file here: no separators, no dots, so neither another directory nor EDGES.
NS_IN_MS = 1_000_000


class SimulatedRelays:
    """Implements ``relay.port.Relays`` on a directory. Reads back what the file says."""

    def __init__(self, directory: Path, zones: Iterable[ZoneId]) -> None:
        """Claim every zone open. Raises RelayError where the directory cannot be written or a zone names no file."""
        self._directory = directory
        self._zones = frozenset(zones)
        for zone in self._zones:
            if not ZONE_NAME.fullmatch(zone):
                raise RelayError(f"simulated relay: zone {zone!r} cannot name a file; use a-z, 0-9, - and _")
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise _error(directory, exc) from exc
        for zone in sorted(self._zones):
            self._set(zone, False, "claim")

    def switch(self, zone: ZoneId, on: bool) -> None:
        """Close (on) or open a zone's relay. Raises RelayError."""
        self._set(zone, on, "switch")

    def read_back(self, zone: ZoneId) -> bool | None:
        """What the file says now, whoever wrote it."""
        return _is_closed(self._path(zone))

    def close(self) -> None:
        """Open every relay."""
        for zone in sorted(self._zones):
            self._set(zone, False, "close")

    def _set(self, zone: ZoneId, on: bool, cause: str) -> None:
        path = self._path(zone)
        try:
            _write(path, on, cause)
        except OSError as exc:
            raise _error(path, exc) from exc

    def _path(self, zone: ZoneId) -> Path:
        if zone not in self._zones:
            raise RelayError(f"simulated relay: no zone {zone!r} among {', '.join(sorted(self._zones))}")
        return self._directory / zone


def relays_off(directory: Path) -> tuple[ZoneId, ...]:
    """Open every relay that a dead process left closed; returns which. For the hooks around the service."""
    if not directory.is_dir():
        return ()
    left = [path for path in sorted(directory.iterdir()) if path.name != EDGES and _is_closed(path)]
    for path in left:
        try:
            _write(path, False, "hook")
        except OSError as exc:
            raise _error(path, exc) from exc
    return tuple(ZoneId(path.name) for path in left)


def _is_closed(path: Path) -> bool:
    try:
        return path.read_bytes() == b"1"
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise _error(path, exc) from exc


def _write(path: Path, on: bool, cause: str) -> None:
    """Set a zone's file in place; a change becomes an edge, whose instant is the write's."""
    changed = _is_closed(path) != on
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(file, b"1" if on else b"0", 0)
    finally:
        os.close(file)
    if changed:
        _append_edge(path, on, cause)


def _append_edge(path: Path, on: bool, cause: str) -> None:
    edge = {
        "mono_ms": boot_ms(),
        "utc_ms": time.time_ns() // NS_IN_MS,
        "zone": path.name,
        "on": on,
        "cause": cause,
    }
    # One write of one line to a file opened for appending: lines of two processes do not mix.
    file = os.open(path.with_name(EDGES), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, json.dumps(edge).encode() + b"\n")
    finally:
        os.close(file)


def _error(path: Path, exc: OSError) -> RelayError:
    return RelayError(f"simulated relay: {path}: {exc.strerror or exc}; make the directory writable for this user")
