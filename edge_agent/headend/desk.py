"""Decide what to answer to what stations say: a welcome to a hello, an acknowledgement to records that are on disk.

Reads no clock and no network: the instant is passed in, replies are handed back. The online keys that sign here start
no sound, cancel nothing and delete nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend import signing
from edge_agent.headend.allowance import Allowance
from edge_agent.headend.boots import Boots
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.greeting import TrustAhead, ahead_of, welcome_to
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Doubt, Heard, LogBatch, Unheard, hear
from edge_agent.headend.logbook import NO_CURSOR, Logbook, LogbookError, NotTaken, StationLog
from edge_agent.headend.proof import Proof, Whose, canonical_form, proof_path
from edge_agent.headend.trust_file import document_of
from edge_agent.journal.port import StoredRecord
from edge_agent.sync.reports import HelloMsg, LogCursor, StateMsg, Why
from edge_agent.sync.topics import Down, down_topic
from edge_agent.trust.documents import ROOT


@dataclass(frozen=True, slots=True)
class Reply:
    """A signed message for one station."""

    topic: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Records are on disk; ``new`` those that were not there before."""

    station: StationId
    epoch: str
    new: tuple[StoredRecord, ...]


@dataclass(frozen=True, slots=True)
class LogTrouble:
    """Records were not taken, or our own file is damaged: for a person to look at."""

    station: StationId
    detail: str


@dataclass(frozen=True, slots=True)
class LateWill:
    """The broker tells the death of an earlier boot, or of an earlier connection of this one; it changes nothing."""

    station: StationId
    boot_id: str


@dataclass(frozen=True, slots=True)
class OldState:
    """A state of a boot that another boot has followed already is shown again; it changes nothing."""

    station: StationId
    boot_id: str


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of a station's connection."""

    online: bool
    why: Why
    boot_id: str


@dataclass(frozen=True, slots=True)
class CloneSuspected:
    """A boot that another one has followed says hello again: there are two boxes, or somebody repeats its old word."""

    station: StationId
    boot_id: str


UNUSUAL = "the rest is taken tomorrow; no honest station says so much: look whether its key was stolen"

Noted = Heard | Unheard | Kept | LogTrouble | LateWill | OldState | CloneSuspected | TrustAhead


class Desk:
    """Takes one message at a time; remembers who is there. Not for several threads at once."""

    def __init__(self, keyring: Keyring, logbook: Logbook, allowance: Allowance | None = None) -> None:
        self._keyring = keyring
        self._logbook = logbook
        self._welcome_key = keyring.signer("welcome")
        self._ack_key = keyring.signer("ack")
        self._allowance = allowance or Allowance()
        self._proofs: dict[StationId, tuple[StationLog, Proof]] = {}
        self._boots: dict[StationId, Boots] = {}
        self.presence: dict[StationId, Presence] = {}

    def take(self, topic: str, message: bytes, now: UtcMs) -> tuple[list[Noted], list[Reply]]:
        """What came, as it counts, and what to answer."""
        heard = self._hear(topic, message)
        if isinstance(heard, Unheard):
            return [heard], []
        boots = self._boots.setdefault(heard.station, Boots())
        counts = boots.counts(heard)
        match heard.said:
            case HelloMsg() as hello:
                noted, replies = self._welcome(heard, hello, now)
                twice = boots.comes_back(heard.boot_id)
                return [*noted, CloneSuspected(heard.station, heard.boot_id)] if twice else noted, replies
            case LogBatch() as batch:
                return self._keep(heard, batch, message, now)
            case StateMsg() as state:
                return [self._see(heard, state) if counts else _no_news(heard, state)], []
            case _:
                return [heard], []

    def _hear(self, topic: str, message: bytes) -> Heard | Unheard:
        with contextlib.suppress(KeyringError):  # told at the next hello; until then what was known before counts
            self._keyring.see_stations()  # it may have been enrolled a moment ago, or be another box in its place
        return hear(self._keyring.stations, self._keyring.realm, topic, message)

    def _welcome(self, heard: Heard, hello: HelloMsg, now: UtcMs) -> tuple[list[Noted], list[Reply]]:
        trouble: LogTrouble | None
        held, trouble = self._held(heard.station)
        try:
            self._keyring.see()  # a ceremony may have been held since
        except KeyringError as error:
            trouble = LogTrouble(heard.station, str(error))  # answered by what was known before
        if heard.station not in self._keyring.stations:  # taken out in this moment: a log of years takes long to read
            return [Unheard(heard.station, Doubt.NOT_ENROLLED, "it is enrolled no more")], []
        if held.epoch == hello.log.epoch and held.seq > hello.log.seq:
            detail = f"the station's log ends at {hello.log.seq}, {held.seq} records are held: an old card was restored"
            trouble = LogTrouble(heard.station, detail)
        try:
            envelope = welcome_to(self._keyring, heard, hello, held, now, self._welcome_key)
        except (signing.SigningError, KeyringError) as error:  # without its marks it would be a wrong word
            return [heard, LogTrouble(heard.station, str(error))], []
        noted: list[Noted] = [heard] if trouble is None else [heard, trouble]
        if ahead := ahead_of(self._keyring, heard, hello):
            noted.append(ahead)
        welcome = Reply(down_topic(heard.station, Down.WELCOME), envelope)
        return noted, self._with_documents(heard.station, hello, welcome)

    def _with_documents(self, station: StationId, hello: HelloMsg, welcome: Reply) -> list[Reply]:
        """Roots before the welcome, whose key the newest of them may have named; the rest once the time is known."""
        job = down_topic(station, Down.JOB)
        lacking = self._keyring.lacking(self._keyring.stations[station].area, hello.trust)
        roots = [Reply(job, one) for one in lacking if _is_root(one)]
        return [*roots, welcome, *(Reply(job, one) for one in lacking if not _is_root(one))]

    def _held(self, station: StationId) -> tuple[LogCursor, LogTrouble | None]:
        try:
            with self._logbook.alone():
                return self._logbook.of(station).cursor(), None
        except LogbookError as error:
            return NO_CURSOR, LogTrouble(station, str(error))

    def _keep(self, heard: Heard, batch: LogBatch, message: bytes, now: UtcMs) -> tuple[list[Noted], list[Reply]]:
        try:
            with self._logbook.alone():
                log = self._logbook.of(heard.station)
                if _brings_more(log, batch) and not self._allowance.has_left(heard.station, now):
                    return self._too_much(heard.station, now), []
                proof = self._proof(heard.station, log)
                proof.hold_to(log, batch)
                done = log.add(batch, proof.of_others(self._keyring.stations[heard.station].key))
                if isinstance(done, NotTaken):
                    return [LogTrouble(heard.station, f"{done.doubt}: {done.detail}")], []
                if done.new:
                    self._allowance.spend(heard.station, len(message), now)
                # Before the acknowledgement: what a station is told to be safe is also proven to be its own.
                self._prove(proof, heard.station, batch, message, log, now)
        except LogbookError as error:
            return [LogTrouble(heard.station, str(error))], []
        # Also when nothing was new: the station did not get our word for it the first time.
        envelope = signing.ack(self._keyring.realm, heard.station, done.cursor, self._ack_key)
        return [Kept(heard.station, batch.epoch, done.new)], [Reply(down_topic(heard.station, Down.ACK), envelope)]

    def _too_much(self, station: StationId, now: UtcMs) -> list[Noted]:
        """The station keeps what it has no word of ours for, and sends it again: nothing honest is lost."""
        if not self._allowance.is_first_refusal(station, now):
            return []
        told = f"allowance: {self._allowance.bytes_per_day_max} bytes of records came today (UTC); {UNUSUAL}"
        return [LogTrouble(station, told)]

    def _proof(self, station: StationId, log: StationLog) -> Proof:
        read_with, proof = self._proofs.get(station, (None, None))
        if proof is None or read_with is not log:  # somebody else has written both, if one
            whose = Whose(self._keyring.realm, self._keyring.stations[station], self._keyring.every_ack_key)
            proof = Proof(proof_path(self._logbook.directory, station), whose)
            self._proofs[station] = (log, proof)
        return proof

    def _prove(
        self, proof: Proof, station: StationId, batch: LogBatch, message: bytes, log: StationLog, now: UtcMs
    ) -> None:
        enrolled, realm = self._keyring.stations[station], self._keyring.realm
        proof.keep(
            batch,
            canonical_form(message, [enrolled.key]),
            log.held(),
            lambda chains: signing.held(realm, station, now, chains, self._ack_key),
        )

    def _see(self, heard: Heard, state: StateMsg) -> Noted:
        self.presence[heard.station] = Presence(state.online, state.why, heard.boot_id)
        return heard


def _brings_more(log: StationLog, batch: LogBatch) -> bool:
    """Whether it goes on behind what is held, or begins a chain."""
    held = log.cursor(batch.epoch)
    return held.epoch != batch.epoch or batch.records[-1].seq > held.seq


def _is_root(document: bytes) -> bool:
    return document_of(document).area == ROOT


def _no_news(heard: Heard, state: StateMsg) -> Noted:
    late = state.why is Why.CONNECTION_LOST
    return LateWill(heard.station, heard.boot_id) if late else OldState(heard.station, heard.boot_id)
