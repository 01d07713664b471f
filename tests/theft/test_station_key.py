"""A station's signing key in a thief's hands: he speaks as that station, and as nobody else; he orders nothing.

All kinds of messages, signed as itself and as others, on its topics and on others', are told to a real headend's ear
and logbook. What that station had said before stands.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from edge_agent.core.effects import Verdict
from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Heard, LogBatch, hear
from edge_agent.headend.logbook import CHAINS_MAX, BatchDoubt, Logbook, NotTaken, StationLog, Taken
from edge_agent.journal.port import StoredRecord
from edge_agent.sync.topics import Up
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.strict_json import dump
from tests.headend.fake_station import AREA, PLAN, RECORD, FakeStation
from tests.theft.deeds import answers, documents, orders
from tests.theft.network import Document, keeper, signed
from tests.theft.stand import topic_of
from tests.trust.makers import signer

MINE, OTHER, NOBODY = "tram-01", "tram-02", "tram-99"
STOLEN = "station-tram-01"
"""The key's name."""
STATIONS = {
    StationId(one): Enrolled(StationId(one), AREA, one, signer(f"station-{one}").public) for one in (MINE, OTHER)
}


def said() -> dict[Up, Document]:
    """A payload of each kind, as the station itself would say it."""
    station = FakeStation(signer(STOLEN), MINE)
    station.play(RECORD)
    messages = {
        Up.HELLO: station.hello(),
        Up.STATE: station.state(),
        Up.HEARTBEAT: station.heartbeat(),
        Up.LOG: station.log(),
        Up.ANSWER: station.answer(Verdict.REFUSED, "job-9", Reason.WRONG_AUDIENCE),
        Up.PLAN: station.plan(PLAN),
    }
    return {kind: json.loads(b64decode(json.loads(envelope)["payload"])) for kind, (_, envelope) in messages.items()}


def everything() -> Iterator[tuple[tuple[str, str, str, Up, Up], str, bytes]]:
    """What he could say: on whose topic, as whom, in which realm, which kind, on the topic of which kind."""
    payloads = said()
    for topic, station, realm, kind, where in product((MINE, OTHER, NOBODY), (MINE, OTHER), ("demo", "other"), Up, Up):
        payload = {**payloads[kind], "station": station, "realm": realm}
        yield (topic, station, realm, kind, where), f"loa/1/u/{topic}/{where}", by_thief(payload)


def by_thief(payload: Document) -> bytes:
    return sign(payload_type(payload["type"]), dump(payload), [signer(STOLEN)])


def test_all_kinds_are_covered() -> None:
    assert said().keys() == {*Up}


def test_he_speaks_as_his_station_in_everything_and_as_no_other() -> None:
    believed = {
        how for how, topic, envelope in everything() if isinstance(hear(STATIONS, "demo", topic, envelope), Heard)
    }
    assert believed == {(MINE, MINE, "demo", kind, kind) for kind in Up}


def test_his_key_orders_nothing_and_signs_no_document() -> None:
    station = keeper()
    tries = [*orders().values(), *answers().values(), *documents().values()]
    judged = [station.judge(topic_of(payload), signed(payload, [STOLEN])) for payload in tries]
    assert {one.reason for one in judged if isinstance(one, Rejected)} == {Reason.SIGNATURE_INVALID}
    assert len([one for one in judged if isinstance(one, Rejected)]) == len(judged)


# Evidence: what was said stands, what is said from now on is his.


@pytest.fixture
def logs(tmp_path: Path) -> Logbook:
    """A headend that holds ten records of each station."""
    logbook = Logbook(tmp_path)
    for station in (MINE, OTHER):
        assert isinstance(logbook.of(station).add(LogBatch("epoch-1", tuple(honest(station, 10)))), Taken)
    return logbook


def honest(station: str, count: int) -> list[StoredRecord]:
    fake = FakeStation(signer(f"station-{station}"), station)
    fake.play(*(replace(RECORD, job_id=f"job-{number}") for number in range(count)))
    return fake.records


def forged(count: int, epoch: str = "epoch-1") -> list[StoredRecord]:
    """The same number of records that say something else from the first on, in a chain that holds together."""
    fake = FakeStation(signer(STOLEN), MINE)
    fake.new_chain(epoch)
    fake.play(*(replace(RECORD, job_id="forged", started=UtcMs(1_000 + number)) for number in range(count)))
    return fake.records


def told(log: StationLog, epoch: str, records: list[StoredRecord]) -> str:
    result = log.add(LogBatch(epoch, tuple(records)))
    return result.doubt if isinstance(result, NotTaken) else f"{len(result.new)} new"


def test_what_is_held_is_neither_changed_nor_cut(logs: Logbook) -> None:
    before = logs.records(MINE)
    outcomes = [told(logs.of(MINE), "epoch-1", forged(count)) for count in (1, 10, 11)]
    assert outcomes == [BatchDoubt.REWRITTEN] * 3
    assert told(logs.of(MINE), "epoch-1", forged(12)[11:]) == BatchDoubt.GAP
    assert logs.records(MINE) == before


def test_what_he_adds_is_taken_for_the_stations_word_from_then_on(logs: Logbook) -> None:
    """Why a stolen station is a matter for people: its records say what he likes, from the theft on, not before."""
    station = FakeStation(signer(STOLEN), MINE)
    station.records = honest(MINE, 10)
    station.play(replace(RECORD, job_id="forged"))
    assert told(logs.of(MINE), "epoch-1", station.records[10:]) == "1 new"
    assert told(logs.of(MINE), "epoch-2", forged(3, "epoch-2")) == "3 new"
    assert logs.records(OTHER) == tuple(honest(OTHER, 10))


def test_he_begins_only_so_many_chains(logs: Logbook) -> None:
    log = logs.of(MINE)
    begun = [told(log, f"theirs-{number}", forged(1, f"theirs-{number}")) for number in range(CHAINS_MAX)]
    assert begun == ["1 new"] * (CHAINS_MAX - 1) + [BatchDoubt.CHAINS]


def test_once_the_station_has_another_key_he_is_not_heard() -> None:
    replaced = {**STATIONS, StationId(MINE): replace(STATIONS[StationId(MINE)], key=signer("station-new").public)}
    assert not any(isinstance(hear(replaced, "demo", topic, envelope), Heard) for _, topic, envelope in everything())
