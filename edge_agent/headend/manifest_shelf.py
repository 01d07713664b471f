"""Keep the manifests of a ward's scopes on the content server's shelf: new when something changed, else twice a day.

One writer at a time (a lock). What was given out is noted first (``manifests.json``): a counter is never used twice. A
headend that comes back from a backup finds newer heads on the shelf than it remembers, and begins a new epoch; where
the shelf came back with it there is nothing to find, so whoever begins to keep manifests begins one (``anew``).

    manifests.json        in the keyring's directory: epoch; of each scope counter, content, last serials
    head/SCOPE/head.json  on the shelf: the signed head (an area's folder holds those of the areas in it)
    head/ward             on the shelf: whose it is
    paper/SHA-256         on the shelf: manifests, and the envelopes that they list
    root/VERSION          on the shelf: each root's document, for whoever has not the key of today's heads
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.core.heads import MANIFEST_ORDERS_MAX, Head, ListedTrust, Manifest, area_scope, station_scope
from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.broker import area_prefixes
from edge_agent.headend.content import HEAD_FILE
from edge_agent.headend.errors import HeadendError, KeyringError
from edge_agent.headend.files import alone
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifests import (
    Made,
    Published,
    addressed_by,
    can_be_withdrawn,
    listed_trust,
    make,
    manifest_of,
    paper_of,
    published,
)
from edge_agent.headend.outbox import Outbox
from edge_agent.trust.bundle import read_document
from edge_agent.trust.documents import ROOT, is_above
from edge_agent.trust.envelope import Envelope, open_envelope, signers_of
from edge_agent.trust.fields import HASH, Fields
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.manifests import parse_head, read_manifest, write_manifest
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import INTEGER_MAX, JsonObject, WireError, dump, parse
from edge_agent.trust.timetable import read_instant

OF = "ward"
RENEW_MS = 12 * HOUR_MS
# A station calls a head old after 26 h: one renewal may fail.


class ShelfError(HeadendError):
    """The manifests cannot be kept; the text says why."""


class ScopeFull(ShelfError):
    """A scope has more orders in force than fit. Its stations keep the manifest before; the others have theirs."""


@dataclass(frozen=True, slots=True)
class GivenOut:
    """What was given out for a scope: ``content`` is the SHA-256 of its manifest without epoch and counter."""

    counter: int = 0
    issued_at: UtcMs = UtcMs(0)
    content: str = "0" * 64
    upto: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that was given out in this ``epoch``."""

    epoch: int
    scopes: Mapping[str, GivenOut]


def can_sign(keyring: Keyring) -> bool:
    """Whether this network has a role for heads; one that is older has none."""
    return any(OrderType.HEAD in role.orders for role in keyring.trust.roles)


def is_covered(keyring: Keyring, order: Given) -> bool:
    """Whether a manifest that was given out withdraws it by its serial: it was signed early, and is published late."""
    if not can_be_withdrawn(order):
        return False  # no stop and no warning waits for manifests, nor for a file that nobody can read
    heading = heading_of(order)
    memory = _remembered(keyring.directory / "manifests.json", UtcMs(0))
    scopes = [one for scope, one in memory.scopes.items() if addressed_by(scope, order)]
    return any(one.upto.get(heading.issuer, 0) >= heading.serial for one in scopes)


def renew(keyring: Keyring, shelf: Path, now: UtcMs, *, anew: bool = False) -> tuple[str, ...]:
    """Bring every scope's manifest up to date; returns the scopes of which a new one was given out.

    ``anew``: in a new epoch, because nobody can tell what was given out before.
    """
    try:
        with alone(keyring.directory / "manifests.lock"):
            keyring.refresh()
            return _renew(keyring, shelf, now, anew=anew)
    except OSError as error:
        raise ShelfError(f"manifests: {error.filename}: {error.strerror}") from error


def _renew(keyring: Keyring, shelf: Path, now: UtcMs, *, anew: bool) -> tuple[str, ...]:
    _claim(shelf, max(keyring.chain.newest, key=len))
    memory = _remembered(keyring.directory / "manifests.json", now)
    scopes = _scopes(keyring)
    on_shelf = {scope: _head_on(shelf, scope) for scope in scopes}
    if anew or any(head is not None and _is_ahead(head, memory) for head in on_shelf.values()):
        memory = _begun_anew(memory, now, _newest_epoch(keyring, shelf, scopes))
    orders = [published(envelope) for envelope in Outbox(keyring.directory / "orders").envelopes(now)]
    _put_roots(shelf, keyring.documents)
    trust = {area: listed_trust(keyring.documents, area) for area in set(scopes.values())}
    given_out = dict(memory.scopes)
    fresh: list[tuple[Manifest, list[Published]]] = []
    full: list[ScopeFull] = []
    for scope, area in scopes.items():
        given = given_out.get(scope, GivenOut())
        mine = [one for one in orders if addressed_by(scope, one.order)]
        beside = [one for one in orders if _is_for_all_in(area, one.order)]
        try:
            manifest = _manifest(scope, memory.epoch, given, mine, beside, trust[area], now)
        except ScopeFull as error:
            full.append(error)
            continue
        content = _content(manifest, keyring.realm)
        head = on_shelf[scope]
        lies_there = (
            head is not None and head.place == (memory.epoch, given.counter) and _is_whole(shelf, head, manifest)
        )
        # One of after now was dated when our clock was ahead: stations refuse it for as long as that day has not come.
        if lies_there and content == given.content and given.issued_at <= now < given.issued_at + RENEW_MS:
            continue
        given_out[scope] = GivenOut(given.counter + 1, now, content, manifest.upto)
        fresh.append((replace(manifest, counter=given.counter + 1), mine))
    if fresh:  # all in one: it names every scope, and written for each it would take minutes for thousands
        write_durably(keyring.directory / "manifests.json", _written(Memory(memory.epoch, given_out)))
    for manifest, mine in fresh:
        made = make(manifest, keyring.realm, now, keyring.signer("head"))
        envelopes = (*(one.envelope for one in mine), *keyring.documents)
        _put(shelf, made, [one for one in envelopes if paper_of(one).envelope in manifest.papers])
    if fresh:
        _tidy(shelf, scopes, now)
    if full:
        raise full[0]
    return tuple(manifest.scope for manifest, _ in fresh)


def _claim(shelf: Path, ward: str) -> None:
    """The areas above two wards have one head on a shelf: each folder would take back what the other has listed there.

    A folder's documents stand one above the other, and the lowest of them may have come later.
    """
    path = shelf / "head" / OF
    of = path.read_text(errors="replace") if path.exists() else ROOT
    if of == ward or is_above(ward, of):
        return
    if not is_above(of, ward):
        told = f"mỗi xã một thư mục, thư mục này của / one folder per ward, and this one is of {of}"
        gone = f"xã đó không còn thì chuyển đi / if it is no more, move away {path.parent}"
        raise ShelfError(f"--content-dir {shelf}: {told}; {gone}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, ward.encode(), EVERYBODY_READS)


def _begun_anew(memory: Memory, now: UtcMs, on_shelf: int) -> Memory:
    """An epoch above every one that was given out, also by a clock ahead; counters begin anew in it."""
    scopes = {scope: replace(given, counter=0) for scope, given in memory.scopes.items()}
    return Memory(max(now, memory.epoch + 1, on_shelf + 1), scopes)


def _newest_epoch(keyring: Keyring, shelf: Path, scopes: Iterable[str]) -> int:
    """Of the heads there that stations believe: whoever else writes on a shelf drives no epoch up."""
    keys = {key for role in keyring.trust.roles if OrderType.HEAD in role.orders for key in role.keys}
    signed = [head for scope in scopes if (head := _head_on(shelf, scope, keys)) is not None]
    return max((head.epoch for head in signed if head.epoch < INTEGER_MAX), default=0)


def _content(manifest: Manifest, realm: str) -> str:
    return hashlib.sha256(write_manifest(replace(manifest, epoch=0, counter=0), realm)).hexdigest()


def _put(shelf: Path, made: Made, papers: list[bytes]) -> None:
    """The head last: what it names lies there already."""
    for content in (*papers, made.body):
        _put_paper(shelf, content)
    head = _head_path(shelf, made.head.scope)
    head.parent.mkdir(parents=True, exist_ok=True)
    write_durably(head, made.envelope, EVERYBODY_READS)


def _put_roots(shelf: Path, documents: Iterable[bytes]) -> None:
    for envelope in documents:
        document = read_document(envelope)
        path = shelf / "root" / str(document.version)
        if document.area == ROOT and not (path.is_file() and path.read_bytes() == envelope):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, envelope, EVERYBODY_READS)


def _tidy(shelf: Path, scopes: Mapping[str, str], now: UtcMs) -> None:
    """Papers go a day after they were last found listed: whoever is fetching them comes to an end."""
    listed: set[str] = set()
    for head in filter(None, (_head_on(shelf, scope) for scope in scopes)):
        if _lies(shelf, head.digest):  # else it is that of a scope that is full, and the disk has spoilt it since
            listed |= {head.digest, *read_manifest((shelf / "paper" / head.digest).read_bytes()).papers}
    for path in (shelf / "paper").iterdir():
        if path.name in listed:
            with contextlib.suppress(PermissionError):  # another account's: its day counts from when it was laid down
                os.utime(path, (now / 1000, now / 1000))
        elif path.stat().st_mtime * 1000 < now - DAY_MS:
            path.unlink(missing_ok=True)


def _is_for_all_in(area: str, order: Given) -> bool:
    """Whether every station there is meant, in whichever scope it is listed: what a ward cancels is over at each.

    Not all of them have the zones that an order may name.
    """
    audience = heading_of(order).audience
    return not audience.zones and not audience.areas.isdisjoint(area_prefixes(area))


def _manifest(
    scope: str,
    epoch: int,
    given: GivenOut,
    mine: list[Published],
    beside: list[Published],
    trust: tuple[ListedTrust, ...],
    now: UtcMs,
) -> Manifest:
    manifest = manifest_of(scope, (epoch, given.counter), mine, trust, now, given.upto, beside)
    if (count := len(manifest.orders)) > MANIFEST_ORDERS_MAX:
        raise ScopeFull(f"manifests: {scope} has {count} orders in force, {MANIFEST_ORDERS_MAX} fit")
    return manifest


def _scopes(keyring: Keyring) -> dict[str, str]:
    """The scopes of the enrolled stations, each with its area."""
    scopes: dict[str, str] = {}
    for enrolled in keyring.stations.values():
        scopes[station_scope(enrolled.station)] = enrolled.area
        scopes |= {area_scope(area): area for area in area_prefixes(enrolled.area)}
    return scopes


def _is_ahead(head: Head, memory: Memory) -> bool:
    """Whether the shelf has a newer head than this server remembers to have given out: it came from a backup."""
    return head.place > (memory.epoch, memory.scopes.get(head.scope, GivenOut()).counter)


def _head_path(shelf: Path, scope: str) -> Path:
    return shelf / "head" / scope / HEAD_FILE


def _head_on(shelf: Path, scope: str, by: Collection[PublicKey] | None = None) -> Head | None:
    """What is told to be in force; with ``by`` only where one of these has signed it."""
    try:
        opened = open_envelope(_head_path(shelf, scope).read_bytes())
        if not isinstance(opened, Envelope) or (by is not None and not signers_of(opened, by)):
            return None
        return parse_head(Fields(parse(opened.payload)))
    except (FileNotFoundError, WireError):
        return None


def _is_whole(shelf: Path, head: Head, manifest: Manifest) -> bool:
    """Whether the papers that it names lie there as they were: a disk loses some, a clerk tidies others away."""
    return all(_lies(shelf, digest) for digest in (head.digest, *manifest.papers))


def _lies(shelf: Path, digest: str) -> bool:
    try:
        return hashlib.sha256((shelf / "paper" / digest).read_bytes()).hexdigest() == digest
    except FileNotFoundError:
        return False


def _put_paper(shelf: Path, content: bytes) -> None:
    digest = paper_of(content).envelope
    path = shelf / "paper" / digest
    if not _lies(shelf, digest):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content, EVERYBODY_READS)


def _remembered(path: Path, now: UtcMs) -> Memory:
    try:
        fields = Fields(parse(path.read_bytes()))
        scopes = fields.record("scopes")
        return Memory(
            fields.integer("epoch", 1, INTEGER_MAX),
            {scope: _read_given(scopes.record(scope)) for scope in scopes.values},
        )
    except FileNotFoundError:
        return Memory(now, {})
    except WireError as error:
        raise KeyringError(f"manifests.json: {error}; move it away, and a new epoch begins") from error


def _read_given(fields: Fields) -> GivenOut:
    upto = fields.record("upto")
    return GivenOut(
        counter=fields.integer("counter", 0, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        content=fields.text("content", HASH),
        upto={issuer: upto.integer(issuer, 1, INTEGER_MAX) for issuer in upto.values},
    )


def _written(memory: Memory) -> bytes:
    scopes: JsonObject = {
        scope: {"counter": one.counter, "issued_at": one.issued_at, "content": one.content, "upto": {**one.upto}}
        for scope, one in memory.scopes.items()
    }
    return dump({"epoch": memory.epoch, "scopes": scopes})
