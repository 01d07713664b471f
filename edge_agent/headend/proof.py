"""Keep what proves a station's records to somebody who trusts neither this computer nor its people.

Beside ``<station>.jsonl`` lies ``<station>.proof``: of each chain the farthest batch that the station signed, and our
word, signed by the key of acknowledgements, of all that is held (one, or one of every CHAINS_MAX chains). A hash
vouches for everything before it, so the newest signature covers the whole chain, and the file does not grow with the
log. Each line is an envelope as it was signed, in its one canonical form: there is no byte in it that nobody signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.core.units import StationId, UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Heard, LogBatch, hear, read_cursor
from edge_agent.headend.logbook import CHAINS_MAX, HeldChain, LogbookError, StationLog, disk_refused
from edge_agent.headend.signing import HELD
from edge_agent.journal.record import ChainPoint
from edge_agent.sync.reports import HelloMsg, LogCursor
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.envelope import Envelope, pae, payload_type, read_envelope, signers_of, write_envelope
from edge_agent.trust.fields import HASH, NAME, Fields, form
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.orders import LOG_EPOCH_OR_NOTHING, OrderType
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from edge_agent.trust.timetable import read_instant

_ANOTHER_HISTORY = (
    "records were cut here and others written behind them: keep both files as evidence, bring them back from a backup, "
    "look whether the station's card was put back"
)


@dataclass(frozen=True, slots=True)
class Held:
    """The server's word of ``utc``: these chains were on its disk."""

    utc: UtcMs
    chains: tuple[HeldChain, ...]


Word = LogBatch | HelloMsg | LogCursor | Held
"""Who signed what: a station its batch or hello, the server its acknowledgement (a cursor) or what it holds."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose word counts: the station's by every key that it ever had, the server's by any that may acknowledge."""

    realm: str
    station: Enrolled
    server: frozenset[PublicKey]


def proof_path(directory: Path, station: str) -> Path:
    """Where the proof of ``<station>.jsonl`` lies."""
    return directory / f"{station}.proof"


def believe(message: bytes, whose: Whose) -> Word:
    """What an envelope says about this station's log; ``WireError`` where it is not signed by whoever may say so."""
    envelope = read_envelope(message)
    for kind in (Up.LOG, Up.HELLO):
        if envelope.payload_type == payload_type(kind):
            return _of_station(message, kind, whose)
    for name, read in ((OrderType.ACK.value, _read_ack), (HELD, _read_held)):
        if envelope.payload_type == payload_type(name):
            return read(_of_server(envelope, name, whose))
    raise WireError("payloadType", "log, hello, ack or held")


def canonical_form(message: bytes, keys: Iterable[PublicKey]) -> bytes:
    """The envelope of the same payload with the one signature by one of ``keys``, in the one way to write it."""
    envelope, known = read_envelope(message), {key.keyid: key for key in keys}
    signed = pae(envelope.payload_type, envelope.payload)
    for claim in envelope.signatures:
        if claim.keyid in known and known[claim.keyid].signed(signed, claim.sig):
            return write_envelope(envelope.payload_type, envelope.payload, [claim])
    raise WireError("signatures", "signed by none of the keys that may say this")


def goes_on(before: Sequence[Word], word: Word) -> bool:
    """Whether a line of a proof may stand behind those before it: there is one way to write what is known."""
    if not before:
        return True
    if not isinstance(before[-1], Held) or not isinstance(word, Held):
        return place_of(before[-1]) < place_of(word)
    told = {chain.epoch for one in before if isinstance(one, Held) for chain in one.chains}
    return len(before[-1].chains) == CHAINS_MAX and told.isdisjoint(chain.epoch for chain in word.chains)


def place_of(word: Word) -> tuple[bool, str]:
    """The order of lines: batches by their epoch, then what is held; two batches of one place are one too many."""
    if isinstance(word, LogBatch):
        return False, word.epoch
    if isinstance(word, Held):
        return True, ""
    raise WireError("payloadType", "log or held")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Up to which record it reaches, the line as it stands in the file, and whose it is."""

    head: ChainPoint
    line: bytes
    keyid: str


Sign = Callable[[tuple[HeldChain, ...]], bytes]
"""Our signed word that these chains are held."""


class Proof:
    """One station's file, for its one writer. What it says never goes back: not even where the records have."""

    def __init__(self, path: Path, whose: Whose) -> None:
        self._path = path
        self._batches: dict[str, _Batch] = {}
        self._held: list[tuple[tuple[HeldChain, ...], bytes]] = []
        for number, line in enumerate(_content(path).splitlines(), 1):
            try:
                self._remember(believe(line, whose), line)
            except WireError as error:
                raise LogbookError(f"{path}:{number}: {error}; restore the file, or move it away") from error

    def of_others(self, key: PublicKey) -> frozenset[str]:
        """The chains whose farthest batch another box has signed than the one with ``key``."""
        return frozenset(epoch for epoch, one in self._batches.items() if one.keyid != key.keyid)

    def hold_to(self, log: StationLog, batch: LogBatch) -> None:
        """LogbookError where the records, or what comes behind them, are others than those that were signed for.

        Whoever cuts our records and puts the station's card back to the same place has it write another history behind
        them. Kept, its first batch that reaches further would take the place of all that shows the one before.
        """
        came = {(batch.epoch, record.seq): record.hash for record in batch.records}
        for epoch, head in self._signed():
            found = log.hash_at(epoch, head.seq) or came.get((epoch, head.seq), head.hash)
            if found != head.hash:
                what = f"record {head.seq} of the chain {epoch or '–'} was signed for with another hash"
                raise LogbookError(f"{self._path}: {what}; nothing was acknowledged; {_ANOTHER_HISTORY}")

    def keep(self, batch: LogBatch, signed: bytes, chains: tuple[HeldChain, ...], sign: Sign) -> None:
        """Keep the batch's envelope, and our word of ``chains``, durably, where they say more than what is kept."""
        batches, held = dict(self._batches), self._held
        head = _head_of(batch)
        if batch.epoch not in batches or head.seq > batches[batch.epoch].head.seq:
            batches[batch.epoch] = _Batch(head, signed, keyid_of(signed))
        kept = tuple(chain for group, _ in held for chain in group)
        if not held or _goes_on(kept, chains):
            known = dict(held)
            held = [(group, known.get(group) or sign(group)) for group in _groups(chains)]
        if (batches, held) == (self._batches, self._held):
            return
        lines = [one.line for _, one in sorted(batches.items())]
        try:
            write_durably(self._path, b"".join(line + b"\n" for line in (*lines, *(word for _, word in held))))
        except OSError as error:
            raise LogbookError(disk_refused(self._path, error)) from error
        self._batches, self._held = batches, held

    def _signed(self) -> Iterator[tuple[str, ChainPoint]]:
        """How far the station and we have signed, of each chain."""
        yield from ((epoch, one.head) for epoch, one in self._batches.items())
        yield from ((chain.epoch, chain.head) for group, _ in self._held for chain in group)

    def _remember(self, word: Word, line: bytes) -> None:
        place_of(word)
        if isinstance(word, LogBatch):
            self._batches[word.epoch] = _Batch(_head_of(word), line, keyid_of(line))
        else:
            assert isinstance(word, Held), "nothing else has a place"
            self._held.append((word.chains, line))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise LogbookError(disk_refused(path, error)) from error


def _head_of(batch: LogBatch) -> ChainPoint:
    return ChainPoint(batch.records[-1].seq, batch.records[-1].hash)


def keyid_of(line: bytes) -> str:
    """Of the one signature that a line has."""
    return read_envelope(line).signatures[0].keyid


def _groups(chains: Sequence[HeldChain]) -> Iterator[tuple[HeldChain, ...]]:
    """As many in one as fit an envelope, as they came. Of a station that had one box there is one."""
    for first in range(0, len(chains), CHAINS_MAX):
        yield tuple(chains[first : first + CHAINS_MAX])


def _goes_on(kept: Sequence[HeldChain], now: Sequence[HeldChain]) -> bool:
    """Whether everything that we signed for is still there, and something more.

    Somebody who cuts our files while we sleep would otherwise have his cut signed by us when we wake.
    """
    there = {chain.epoch: chain for chain in now}
    return tuple(kept) != tuple(now) and all(
        (found := there.get(chain.epoch)) is not None
        and found.before == chain.before
        and found.head.seq >= chain.head.seq
        for chain in kept
    )


def _of_station(message: bytes, kind: Up, whose: Whose) -> LogBatch | HelloMsg:
    station: StationId = whose.station.station
    by = signers_of(read_envelope(message), whose.station.every_key) or {whose.station.key}
    enrolled = replace(whose.station, key=next(iter(by)))
    heard = hear({station: enrolled}, whose.realm, up_topic(station, kind), message, kept=True)
    if not isinstance(heard, Heard):
        raise WireError("envelope", heard.detail)
    assert isinstance(heard.said, LogBatch | HelloMsg), "asked for one of these two"
    return heard.said


def _of_server(envelope: Envelope, kind: str, whose: Whose) -> Fields:
    if not signers_of(envelope, whose.server):
        raise WireError("envelope", "not signed by a key of the trust file that may acknowledge records")
    fields = Fields(parse(envelope.payload))
    fields.text("realm", form(whose.realm, f'"{whose.realm}"'))
    fields.text("type", form(kind, f'"{kind}", as payloadType says'))
    if fields.text("station", NAME) != whose.station.station:
        raise fields.wrong("station", f'"{whose.station.station}"')
    return fields


def _read_ack(fields: Fields) -> LogCursor:
    return read_cursor(fields.record("log"))


def _read_held(fields: Fields) -> Held:
    chains = tuple(_read_chain(chain) for chain in fields.records("chains", 1, CHAINS_MAX))
    return Held(read_instant(fields, "utc"), chains)


def _read_chain(fields: Fields) -> HeldChain:
    epoch = fields.text("epoch", LOG_EPOCH_OR_NOTHING)
    return HeldChain(epoch, _read_point(fields.record("before")), _read_point(fields.record("head")))


def _read_point(fields: Fields) -> ChainPoint:
    return ChainPoint(fields.integer("seq", 0, INTEGER_MAX), fields.text("hash", HASH))
