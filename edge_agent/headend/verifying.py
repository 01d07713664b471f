"""Prove a station's log, or name the first record that is not as it was signed. Pure: bytes and public keys in.

Three questions, in this order. Does each line of the records say what its hash says, and follow the one before it? Is
each line of the proof signed by whoever may sign it? Does the log contain every record that anybody signed for, and
does the station's own signature reach its end? Nobody without the station's key gets past the last one; where a log
begins is the server's word, and who reads the verdict is told of what is not there (``verdict_words``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from edge_agent.core.as_run import RecordKind
from edge_agent.core.clock_trust import DATELESS
from edge_agent.core.units import UtcMs
from edge_agent.headend.listening import LogBatch, read_record
from edge_agent.headend.logbook import line_of
from edge_agent.headend.proof import Held, Whose, Word, believe, canonical_form, goes_on, keyid_of, place_of
from edge_agent.journal.record import ChainPoint, hash_of
from edge_agent.sync.reports import HelloMsg
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import LOG_EPOCH_OR_NOTHING
from edge_agent.trust.strict_json import WireError, parse
from edge_agent.trust.timetable import read_instant

_AFTER = re.compile(
    r"(?:rotten seq=\d{1,16} to=\d{1,16} )?after epoch=(\S{1,64}) seq=([1-9][0-9]{0,15}) hash=([0-9a-f]{64})"
)

_ONLY_CITED = (
    "chỉ có bản ghi số {seq} của chuỗi {epoch} nói vậy, không đúng nếu khóa của trạm đã lộ / only record {seq} of the "
    "chain {epoch} says what was held, and false if the station's key was stolen"
)
"""Who has that key can cite what never was, and must not make an honest server's log look as if it had been changed."""


class Kind(StrEnum):
    """What is wrong with a log."""

    CHANGED = "changed"  # a record is not what was chained, or not what was signed
    CUT = "cut"  # a record is not there
    REORDERED = "reordered"  # a record stands in another one's place
    DUPLICATED = "duplicated"  # a record stands there twice
    INSERTED = "inserted"  # a record of which the chain knows nothing
    FOREIGN = "foreign"  # a record of another station
    TORN = "torn"  # the last line has no end: it is being written, or the power went
    UNSIGNED = "unsigned"  # a record that no signature of the station covers
    UNCONFIRMED = "unconfirmed"  # a chain for which the server has not signed
    PROOF = "proof"  # the proof itself is not as it was written


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong, in line ``line`` of the records (of the proof, where ``kind`` is PROOF).

    ``seq`` 0: the record cannot be read. ``until`` > ``seq``: this record or one after it, up to that number.
    """

    kind: Kind
    line: int
    epoch: str = ""
    seq: int = 0
    until: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proven:
    """A chain that holds. ``signed``, ``confirmed``: how far the station's and the server's word go; 0: nowhere.

    ``kept``: how far the words go that somebody else has kept: nobody can have cut what came up to there.
    ``signed_at`` is when the last signed record ended, or when a hello was said that names it. ``lacks``: from which
    number to which no chain that began before it holds what came before it; None: nothing is lacking.
    """

    epoch: str
    first: int
    last: int
    signed: int
    signed_at: UtcMs | None
    confirmed: int
    kept: int = 0
    lacks: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``finding`` None: the log is whole. ``chains`` are those whose hashes hold, as far as they do.

    ``signers`` are the ids of the keys by which boxes in this place have signed what is here.
    """

    chains: tuple[Proven, ...]
    finding: Finding | None
    confirmed_at: UtcMs | None = None
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of the records. Its body has been held to its hash (``whole``) and let go.

    ``cites`` is the place of another chain that the station says was held here when it began this one.
    """

    line: int
    epoch: str
    seq: int
    prev: str
    hash: str
    whole: bool
    cites: tuple[str, ChainPoint] | None = None


@dataclass(slots=True)
class _Chain:
    """The places of one epoch that follow each other from ``start`` on."""

    start: ChainPoint
    places: list[_Place] = field(default_factory=list)

    @property
    def head(self) -> ChainPoint:
        return ChainPoint(self.places[-1].seq, self.places[-1].hash) if self.places else self.start

    def hash_at(self, seq: int) -> str:
        return self.start.hash if seq == self.start.seq else self.places[seq - self.start.seq - 1].hash

    def line_at(self, seq: int) -> int:
        """Where that record stands."""
        return self.places[seq - self.start.seq - 1].line


@dataclass(frozen=True, slots=True)
class _Pin:
    """Somebody signed that the record ``seq`` has this hash. ``cited``: only the station, and where, of the server."""

    seq: int
    hash: str
    by_station: bool
    cited: str = ""


def verify(records: bytes, proof: bytes, whose: Whose, elsewhere: Sequence[Word] = ()) -> Verdict:
    """Judge the two files. ``elsewhere``: what station or server signed and somebody else has kept."""
    words, amiss = _read_proof(proof, whose)
    known = [*words, *elsewhere]
    places, unreadable = _read_places(records, whose.station.station)
    starts, pins = _starts(known), _pins(known, places)
    chains, broken = _walk(places, starts)
    held = _together(word for word in words if isinstance(word, Held))
    # Where a chain may begin stands in the proof: with a spoilt one, a chain that was taken over only seems to be cut.
    seems_cut = amiss if broken is not None and broken.kind is Kind.CUT else None
    finding = (
        seems_cut
        or broken
        or unreadable
        or amiss
        or next(_against(chains, _without_citations(pins), starts), None)
        or next(_against(chains, pins, starts), None)
        or next(_uncovered(chains, pins, held), None)
    )
    kept = {epoch: pins_[-1].seq for epoch, pins_ in _pins(elsewhere, ()).items()}
    proven = tuple(
        replace(
            _proven(epoch, chain, pins.get(epoch, []), known, held),
            kept=kept.get(epoch, 0),
            lacks=_lacking(chain, list(chains.values())[:place]),
        )
        for place, (epoch, chain) in enumerate(chains.items())
    )
    by = {keyid_of(line) for line, word in zip(proof.splitlines(), words, strict=False) if isinstance(word, LogBatch)}
    return Verdict(proven, finding, held.utc if held else None, tuple(sorted(by)))


def _together(words: Iterable[Held]) -> Held | None:
    """The server's word of all chains, of the time of its newest part; None: it has said nothing."""
    listed = list(words)
    if not listed:
        return None
    return Held(max(word.utc for word in listed), tuple(chain for word in listed for chain in word.chains))


def _read_places(content: bytes, station: str) -> tuple[list[_Place], Finding | None]:
    """The lines that are records of this station, up to the first that is none."""
    places: list[_Place] = []
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        read = _read_place(number, line, station)
        if isinstance(read, Finding):
            return places, read
        places.append(read)
    return places, None


def _read_place(number: int, line: bytes, station: str) -> _Place | Finding:
    if not line.endswith((b"\n", b"\r")):
        return Finding(Kind.TORN, number)
    try:
        fields = Fields(parse(line))
        record = read_record(fields, fields.text("epoch", LOG_EPOCH_OR_NOTHING))
        if line_of(record) != line:
            raise WireError("line", "a record as the headend writes it, and nothing else")
    except WireError as error:
        return Finding(Kind.CHANGED, number, detail=str(error))
    whole = record.hash == hash_of(record.prev, record.body)
    body = fields.record("body").values
    if whole and body.get("station") != station:
        return Finding(Kind.FOREIGN, number, record.epoch, record.seq, record.seq)
    return _Place(number, record.epoch, record.seq, record.prev, record.hash, whole, _cited(body) if whole else None)


def _cited(body: Mapping[str, object]) -> tuple[str, ChainPoint] | None:
    """What a record of kind ``chain`` says was held of the chain before it (protocol, 7.10)."""
    found = _AFTER.fullmatch(str(body.get("detail"))) if body.get("kind") == RecordKind.CHAIN else None
    return None if found is None else (found[1], ChainPoint(int(found[2]), found[3]))


def _starts(words: Sequence[Word]) -> dict[str, ChainPoint]:
    """Where chains begin that this server took over in their middle, by its own signed word (the earliest).

    Before record 1 there is no other, whatever hash a server has signed for.
    """
    held = [chain for word in words if isinstance(word, Held) for chain in word.chains]
    earliest_last = sorted(held, key=lambda chain: -chain.before.seq)
    return {chain.epoch: chain.before if chain.before.seq else ChainPoint() for chain in earliest_last}


def _walk(places: Sequence[_Place], starts: Mapping[str, ChainPoint]) -> tuple[dict[str, _Chain], Finding | None]:
    """The chains, and the first place at which one does not go on as it should."""
    chains: dict[str, _Chain] = {}
    for index, place in enumerate(places):
        chain = chains.setdefault(place.epoch, _Chain(starts.get(place.epoch, ChainPoint())))
        finding = _misplaced(place, chain, places[index + 1 :] if _strays(place, chain) else ())
        if finding is not None:
            return {epoch: chain for epoch, chain in chains.items() if chain.places}, finding
        chain.places.append(place)
    return chains, None


def _strays(place: _Place, chain: _Chain) -> bool:
    return place.seq != chain.head.seq + 1


def _misplaced(place: _Place, chain: _Chain, later: Sequence[_Place]) -> Finding | None:
    """What is wrong with a place as the next one of its chain. ``later`` is looked at where its number is wrong."""
    head = chain.head
    if not place.whole:
        return _finding(Kind.CHANGED, place)
    if place.prev == head.hash:
        # It follows the one before it, so with another number the number was changed: no hash covers that.
        return _finding(Kind.CHANGED, place) if _strays(place, chain) else None
    if not _strays(place, chain):
        # It is whole and vouches for another one than stands before it: that one was written anew.
        return _finding(Kind.CHANGED, chain.places[-1] if chain.places else place)
    if place.seq <= head.seq:
        return _twice(place, chain, later)
    if any(other.epoch == place.epoch and other.seq == head.seq + 1 for other in later):
        return _finding(Kind.REORDERED, place)
    return Finding(Kind.CUT, place.line, place.epoch, head.seq + 1, place.seq - 1)


def _twice(place: _Place, chain: _Chain, later: Sequence[_Place]) -> Finding:
    """A number that was there already: the very same record, or another one, of which the next knows the right one."""
    earlier = next((other for other in chain.places if other.seq == place.seq), None)
    if earlier is None:
        return _finding(Kind.REORDERED, place)  # of before what is held at all
    if earlier.hash == place.hash:
        return _finding(Kind.DUPLICATED, place)
    right = any(other.epoch == place.epoch and other.prev == place.hash for other in later)
    return _finding(Kind.INSERTED, earlier if right else place)


def _finding(kind: Kind, place: _Place) -> Finding:
    return Finding(kind, place.line, place.epoch, place.seq, place.seq)


def _read_proof(content: bytes, whose: Whose) -> tuple[list[Word], Finding | None]:
    """The signed words, up to the first line that is not as the headend writes it."""
    words: list[Word] = []
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            word = _read_word(line, whose)
            in_order = goes_on(words, word)
            words.append(word)
            if not in_order:
                raise WireError("line", "each chain once, in order, then what is held")
        except WireError as error:
            return words, Finding(Kind.PROOF, number, detail=str(error))
    return words, None


def _read_word(line: bytes, whose: Whose) -> Word:
    word = believe(line.removesuffix(b"\n"), whose)
    place_of(word)
    keys = whose.server if isinstance(word, Held) else whose.station.every_key
    if canonical_form(line, keys) + b"\n" != line:
        raise WireError("line", "an envelope in its canonical form, with one signature, and nothing else")
    return word


def _pins(words: Iterable[Word], places: Iterable[_Place]) -> dict[str, list[_Pin]]:
    """By epoch, in the order of their numbers; the station's citations in its records among them."""
    pins: dict[str, list[_Pin]] = {}
    for epoch, pin in (found for word in words for found in _pins_of(word)):
        pins.setdefault(epoch, []).append(pin)
    for place, (epoch, at) in ((place, place.cites) for place in places if place.cites is not None):
        said = _ONLY_CITED.format(seq=place.seq, epoch=place.epoch)
        pins.setdefault(epoch, []).append(_Pin(at.seq, at.hash, by_station=False, cited=said))
    return {epoch: sorted(found, key=lambda pin: pin.seq) for epoch, found in pins.items()}


def _without_citations(pins: Mapping[str, Sequence[_Pin]]) -> dict[str, list[_Pin]]:
    """What is found by these comes first: a citation that is false must hide nothing that is true."""
    signed = {epoch: [pin for pin in found if not pin.cited] for epoch, found in pins.items()}
    return {epoch: found for epoch, found in signed.items() if found}


def _pins_of(word: Word) -> Iterator[tuple[str, _Pin]]:
    if isinstance(word, LogBatch):
        first = word.records[0]
        yield word.epoch, _Pin(first.seq - 1, first.prev, by_station=True)
        for record in word.records:
            yield word.epoch, _Pin(record.seq, record.hash, by_station=True)
    elif isinstance(word, Held):
        for chain in word.chains:
            yield chain.epoch, _Pin(chain.head.seq, chain.head.hash, by_station=False)
    else:
        by_station = isinstance(word, HelloMsg)
        log = word.log if isinstance(word, HelloMsg) else word
        if log.seq:  # else it says only that nothing was there
            yield log.epoch, _Pin(log.seq, log.hash, by_station=by_station)


def _against(
    chains: Mapping[str, _Chain], pins: Mapping[str, Sequence[_Pin]], starts: Mapping[str, ChainPoint]
) -> Iterator[Finding]:
    """Where the records are not those that were signed: first in the chains that are there, then those that are not."""
    for epoch, chain in chains.items():
        finding = _against_one(epoch, chain, pins.get(epoch, ()))
        if finding is not None:
            yield finding
    lines = max((chain.places[-1].line for chain in chains.values()), default=0)
    for epoch, missing in pins.items():
        if epoch not in chains:
            first = starts.get(epoch, ChainPoint()).seq + 1
            yield Finding(Kind.CUT, lines + 1, epoch, first, missing[-1].seq, missing[-1].cited)


def _against_one(epoch: str, chain: _Chain, pins: Sequence[_Pin]) -> Finding | None:
    good, last = chain.start.seq, chain.head.seq
    for pin in pins:
        if pin.seq > last:
            return Finding(Kind.CUT, chain.line_at(last) + 1, epoch, last + 1, pins[-1].seq, pins[-1].cited)
        if pin.seq >= chain.start.seq and chain.hash_at(pin.seq) != pin.hash:
            # The chain holds all the same, so everything from the changed record on was hashed anew.
            seq = max(min(good + 1, pin.seq), chain.start.seq + 1)
            return Finding(Kind.CHANGED, chain.line_at(seq), epoch, seq, max(seq, pin.seq), pin.cited)
        if pin.seq <= chain.start.seq and not pin.by_station:
            # A server had it, and says now that the log begins behind it. What a station signed may never have come.
            return Finding(Kind.CUT, chain.places[0].line, epoch, pin.seq, chain.start.seq, pin.cited)
        good = max(good, pin.seq)
    return None


def _uncovered(
    chains: Mapping[str, _Chain], pins: Mapping[str, Sequence[_Pin]], held: Held | None
) -> Iterator[Finding]:
    """Chains in another order than that in which they came, and records for which nobody has signed."""
    confirmed = [chain.epoch for chain in held.chains] if held else []
    there = [epoch for epoch in chains if epoch in confirmed]
    for epoch, signed_for in zip(there, confirmed, strict=False):  # one that is missing was found before
        if epoch != signed_for:
            place = chains[epoch].places[0]
            yield Finding(Kind.REORDERED, place.line, epoch, place.seq, place.seq)
    for epoch, chain in chains.items():
        last, signed = chain.head.seq, _signed(chain, pins.get(epoch, ()))
        if signed < last:
            seq = max(signed, chain.start.seq) + 1
            yield Finding(Kind.UNSIGNED, chain.line_at(seq), epoch, seq, last)
        if epoch not in confirmed:
            yield Finding(Kind.UNCONFIRMED, chain.places[0].line, epoch, chain.start.seq + 1, last)


def _lacking(chain: _Chain, earlier: Sequence[_Chain]) -> tuple[int, int] | None:
    """What came before its first record and no chain before it holds; a like number alone is no such record."""
    known, first = 0, chain.places[0]
    for one in earlier:
        for seq, hash_ in ((chain.start.seq, chain.start.hash), _rotten_after(first)):
            if one.start.seq < seq <= one.head.seq and one.hash_at(seq) == hash_:
                known = max(known, seq)
    return (known + 1, chain.start.seq) if known < chain.start.seq else None


def _rotten_after(first: _Place) -> tuple[int, str]:
    return (first.cites[1].seq, first.cites[1].hash) if first.cites else (0, "")


def _signed(chain: _Chain, pins: Sequence[_Pin]) -> int:
    """Up to which record the station has signed; 0 where nothing of the chain is."""
    last = max((pin.seq for pin in pins if pin.by_station and pin.seq <= chain.head.seq), default=0)
    return last if last > chain.start.seq else 0


def _proven(epoch: str, chain: _Chain, pins: Sequence[_Pin], words: Sequence[Word], held: Held | None) -> Proven:
    signed = _signed(chain, pins)
    confirmed = next((one.head.seq for one in held.chains if one.epoch == epoch), 0) if held else 0
    return Proven(epoch, chain.start.seq + 1, chain.head.seq, signed, _signed_at(epoch, signed, words), confirmed)


def _signed_at(epoch: str, signed: int, words: Sequence[Word]) -> UtcMs | None:
    """By the station's own clock, as it was then; None where that was not set."""
    for word in words:
        if isinstance(word, LogBatch) and (word.epoch, word.records[-1].seq) == (epoch, signed):
            return _ended(Fields(parse(word.records[-1].body)))
        if isinstance(word, HelloMsg) and (word.log.epoch, word.log.seq) == (epoch, signed):
            return None if word.clock.source in DATELESS else word.clock.utc
    return None


def _ended(body: Fields) -> UtcMs | None:
    """Who has the station's key may have written anything there."""
    try:
        return None if str(body.value("clock")) in DATELESS else read_instant(body, "ended")
    except WireError:
        return None
