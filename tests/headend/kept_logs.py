"""A headend that keeps logs and proofs by its own ways, and what may be done to the two files of a station."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.desk import Desk, Kept
from edge_agent.headend.logbook import Logbook, line_of
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.proof import Whose, Word, believe
from edge_agent.headend.roles import default_roles
from edge_agent.headend.verifying import Finding, Verdict, verify
from edge_agent.identity.file_keys import FileKey
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, canonical, chain
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import keys_for
from tests.headend.fake_station import AREA, RECORD, FakeStation

NOW = UtcMs(1_791_239_999_000)
SMALL = replace(RECORD, items=(), zones=())


@dataclass(frozen=True)
class Files:
    """What lies on the headend's disk of one station."""

    records: bytes
    proof: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.records.splitlines(keepends=True)

    def with_lines(self, lines: list[bytes]) -> Files:
        return replace(self, records=b"".join(lines))


class Ward:
    """A headend, its stations, and the files that it has written by its own ways."""

    def __init__(self, place: Path) -> None:
        self.directory = place
        self.keyring = create_keyring(place, "demo", default_roles(AREA, 1), NOW)
        self.stations: dict[str, FakeStation] = {}
        for name in ("tram-01", "tram-02"):
            self.keyring.enrol(name, AREA)
            self.stations[name] = FakeStation(FileKey(self.keyring.folder(name).sign).open(), name)
        self.restart()

    @property
    def station(self) -> FakeStation:
        return self.stations["tram-01"]

    def restart(self) -> None:
        self.desk = Desk(self.keyring, Logbook(self.directory / "records"))

    def take(self, message: tuple[str, bytes]) -> bytes:
        """The acknowledgement; b"" where there is none."""
        noted, replies = self.desk.take(*message, NOW)
        return replies[0].envelope if isinstance(noted[0], Kept) else b""

    def play(self, count: int = 1, station: str = "tram-01") -> bytes:
        """So many plays, each in a batch of its own as it happens in a ward; the last acknowledgement."""
        ack = b""
        for _ in range(count):
            who = self.stations[station]
            who.play(replace(SMALL, job_id=f"job-{len(who.records)}"))
            ack = self.take(who.log(len(who.records)))
        return ack

    def path(self, kind: str, station: str = "tram-01") -> Path:
        return self.directory / "records" / f"{station}.{kind}"

    def files(self, station: str = "tram-01") -> Files:
        return Files(self.path("jsonl", station).read_bytes(), self.path("proof", station).read_bytes())

    def put(self, files: Files) -> None:
        self.path("jsonl").write_bytes(files.records)
        self.path("proof").write_bytes(files.proof)

    def whose(self, station: str = "tram-01") -> Whose:
        enrolled = self.keyring.stations[StationId(station)]
        return Whose("demo", enrolled, keys_for(self.keyring.trust, OrderType.ACK))

    def verify(self, files: Files | None = None, *elsewhere: bytes) -> Verdict:
        files = files or self.files()
        words: list[Word] = [believe(one, self.whose()) for one in elsewhere]
        return verify(files.records, files.proof, self.whose(), words)

    def found(self, files: Files | None = None, *elsewhere: bytes) -> Finding:
        finding = self.verify(files, *elsewhere).finding
        assert finding is not None
        return finding


def records_of(files: Files) -> list[StoredRecord]:
    whole = [json.loads(line) for line in files.lines]
    return [StoredRecord(one["epoch"], one["seq"], one["prev"], one["hash"], canonical(one["body"])) for one in whole]


def rewritten(record: StoredRecord, before: StoredRecord | None = None) -> StoredRecord:
    """Another body with a hash that fits it, behind ``before``."""
    place = ChainPoint(record.seq - 1, before.hash if before else record.prev)
    return chain(record.epoch, place, record.body.replace(b"succeeded", b"missed"))


def forged(files: Files, seq: int) -> Files:
    """What a thief of the files writes: record ``seq`` in other words, and every hash after it anew."""
    records = records_of(files)
    for place in range(seq - 1, len(records)):
        before = records[place - 1] if place else None
        records[place] = rewritten(records[place], before)
    return files.with_lines([line_of(one) for one in records])
