"""The bench without a broker: what it keeps, what it waits for, whom it serves, and when it gives up."""

from __future__ import annotations

import itertools
import queue
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edge_agent.core.effects import Verdict as Said
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, StationId
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask, unheard
from edge_agent.headend.conform.bench import Bench, BenchError
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.kit import attempt
from edge_agent.headend.conform.orders import Order, Orders, Rules
from edge_agent.headend.conform.pace import Pace
from edge_agent.headend.conform.verdicts import CannotTry, Failed, NotTried, Passed
from edge_agent.headend.desk import Desk
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import Arrival, LinkDown, Message, Receipt
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync import messages
from edge_agent.sync.reports import AnswerMsg, Why
from edge_agent.sync.topics import Up
from edge_agent.trust.keys import new_signer
from tests.headend.conform.test_orders import AREA, HANOI, NOON, QUIET, STATION
from tests.headend.fake_station import RECORD, STATE, FakeStation

PACE = Pace(hello_again_s=0.2, answer_s=0.2, silence_s=0.05, show_s=0.2, back_s_max=0.2, slack_s=0.2)
# Nobody is waited for here: what a test wants heard is in the queue before.
OTHER = StationId("tram-02")
BOOT = "0123456789abcdef"
PLAYED = replace(RECORD, signers=("a" * 64,))


@dataclass
class FakeLine:
    """A broker with nobody behind it: what is sent is kept, what arrives is put there by the test."""

    arrivals: queue.SimpleQueue[tuple[float, Arrival]] = field(default_factory=queue.SimpleQueue)
    sent: list[str] = field(default_factory=list)

    def send(self, topic: str, payload: bytes, expiry_s: int | None = None) -> bool:
        self.sent.append(topic)
        return True

    def deliver(self, topic: str, payload: bytes, expiry_s: int | None, timeout_s: float) -> Receipt:
        self.sent.append(topic)
        return Receipt.TAKEN

    def ask_anew(self) -> None:
        """Nothing is retained here but what the test puts."""

    def lay(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        self.sent.append(topic)

    def forget(self, topic: str) -> None:
        self.sent.append(topic)


@dataclass
class Rig:
    bench: Bench
    line: FakeLine
    station: FakeStation
    other: FakeStation

    def says(self, signed: tuple[str, bytes], *, retained: bool = False) -> None:
        self.line.arrivals.put((time.monotonic(), Message(*signed, 1, retained)))

    def answers(self, order: Order, verdict: Said, reason: Reason | None = None) -> None:
        said = AnswerMsg(verdict, order.digest, JobId(order.job_id), reason, NOON)
        self.says(self.station.signed(messages.answer(self.station.sender, said)))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    ward = create_keyring(tmp_path_factory.mktemp("ward") / "net", "demo", default_roles(AREA, 2), NOON)
    for station in (STATION, OTHER):
        ward.enrol(station, AREA)
    return ward


def _nobody() -> None:
    raise CannotTry("no certificate")


@pytest.fixture
def rig(ward: Keyring, tmp_path: Path) -> Rig:
    line, logbook = FakeLine(), Logbook(tmp_path / "records")
    orders = Orders(ward, ward.stations[STATION], Rules(HANOI, QUIET), lambda: NOON)
    bench = Bench(line, Desk(ward, logbook), logbook, orders, PACE, _nobody)
    voices = [FakeStation(FileKey(ward.folder(name).sign).open(), name, BOOT) for name in (STATION, OTHER)]
    return Rig(bench, line, *voices)


def test_what_waited_at_the_broker_from_before_counts_for_nothing(rig: Rig) -> None:
    rig.says(rig.station.answer(Said.ACCEPTED, "an-old-one"))
    rig.says(rig.station.state(), retained=True)
    rig.bench.begin()
    assert [(one.number, one.kind) for one in rig.bench.seen] == [(0, Up.STATE)]


def test_a_station_that_is_not_there_is_said_to_be_not_there(rig: Rig) -> None:
    rig.says(rig.station.state(replace(STATE, online=False)), retained=True)
    with pytest.raises(BenchError, match="is it connected"):
        rig.bench.begin()


def test_a_station_that_was_there_before_the_kit_is_welcomed_first(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then it keeps an order that is void by now, as the protocol asks (7.8), and SES-9 would call that wrong."""
    honest, settled = rig.line.send, Bench.settle

    def welcomed(topic: str, payload: bytes, expiry_s: int | None = None) -> bool:
        rig.says(rig.station.state(replace(STATE, why=Why.CHANGE)))
        return honest(topic, payload, expiry_s)

    def settle(bench: Bench, seconds: float) -> None:
        settled(bench, seconds)
        rig.says(rig.station.hello())  # it asks again, for nobody has answered before

    rig.line.send = welcomed  # type: ignore[method-assign]
    monkeypatch.setattr(Bench, "settle", settle)
    rig.says(rig.station.state(replace(STATE, welcomed=False)), retained=True)
    rig.bench.begin()
    newest = rig.bench.newest_state()
    assert newest is not None
    assert newest.told["welcomed"] is True


def test_a_station_that_takes_no_welcome_is_tried_all_the_same(rig: Rig) -> None:
    rig.says(rig.station.state(replace(STATE, welcomed=False)), retained=True)
    rig.bench.begin()
    assert [one.kind for one in rig.bench.seen] == [Up.STATE]


def test_an_answer_is_found_by_its_digest(rig: Rig) -> None:
    order, other = rig.bench.orders.normal(), rig.bench.orders.normal()
    rig.answers(other, Said.REFUSED, Reason.EXPIRED)
    rig.answers(order, Said.ACCEPTED)
    assert judges.accepted(ask(rig.bench, order), order.job_id) == Passed("accepted")
    assert rig.bench.answers_due == {order.digest: 1}
    assert rig.line.sent == [f"loa/1/d/{STATION}/job"]


def test_no_answer_in_time_is_a_failure(rig: Rig) -> None:
    verdict = judges.refused(ask(rig.bench, rig.bench.orders.normal()), Reason.EXPIRED)
    assert verdict == Failed("refused, expired", "no answer")


def test_an_answer_to_what_must_be_thrown_away_is_a_failure(rig: Rig) -> None:
    order = rig.bench.orders.normal()
    assert unheard(rig.bench, 0, order) == Passed("no answer")
    rig.answers(order, Said.ACCEPTED)
    assert isinstance(unheard(rig.bench, 0, order), Failed)


def test_a_forged_answer_is_kept_but_not_believed(rig: Rig) -> None:
    order, rig.station.key = rig.bench.orders.normal(), new_signer()
    rig.answers(order, Said.ACCEPTED)
    assert ask(rig.bench, order) is None
    (seen,) = rig.bench.seen
    assert (dict(seen.told), seen.claims["digest"]) == ({}, order.digest)


def test_other_stations_are_served_while_ours_waits_for_a_welcome(rig: Rig) -> None:
    rig.bench.serving.welcomes = False
    rig.says(rig.station.hello())
    rig.says(rig.other.hello())
    for _ in range(200):  # a busy machine takes its time to sign
        rig.bench.settle(PACE.silence_s)
        if rig.line.sent:
            break
    assert rig.line.sent == [f"loa/1/d/{OTHER}/welcome"]
    assert [one.kind for one in rig.bench.seen] == [Up.HELLO]


def test_records_are_kept_before_their_acknowledgement_is_withheld(rig: Rig) -> None:
    rig.bench.serving.acks = False
    rig.station.play(PLAYED, PLAYED)
    for _ in range(2):
        rig.says(rig.station.log())
    rig.bench.settle(PACE.silence_s)
    assert rig.line.sent == []
    assert len(rig.bench.logbook.records(STATION)) == 2
    assert len(rig.bench.records(PLAYED.digest)) == 2, "each place in the log once"


def test_a_record_that_is_not_in_its_form_counts_for_nothing(rig: Rig) -> None:
    rig.station.play(replace(PLAYED, signers=("somebody",)))
    rig.says(rig.station.log())
    rig.bench.settle(PACE.silence_s)
    assert rig.bench.records(PLAYED.digest) == []


def test_a_gap_in_the_log_is_remembered(rig: Rig) -> None:
    rig.station.play(PLAYED, PLAYED, PLAYED)
    rig.says(rig.station.log(1, 1))
    rig.says(rig.station.log(3, 3))
    rig.bench.settle(PACE.silence_s)
    assert [trouble.detail for trouble in rig.bench.troubles] == ["gap: record 2 is missing"]
    assert isinstance(judges.chained(rig.bench.batches()), Failed)


def test_what_came_in_time_is_found_by_a_kit_that_is_late(rig: Rig) -> None:
    begun, hour_later = time.monotonic(), itertools.repeat(time.monotonic() + 3600)
    order = rig.bench.orders.normal()
    rig.says(rig.station.state())
    rig.answers(order, Said.ACCEPTED)
    rig.bench.clock = itertools.chain([begun], hour_later).__next__
    assert rig.bench.wait(lambda one: one.kind == Up.ANSWER, 60) is not None
    rig.bench.clock = itertools.chain([begun - 61], hour_later).__next__
    rig.answers(order, Said.ACCEPTED)
    assert rig.bench.wait(lambda one: one.kind == Up.ANSWER, 60, len(rig.bench.seen)) is None, "it came after a minute"


def test_a_scene_is_played_once_also_when_it_cannot_be(rig: Rig) -> None:
    played: list[str] = []

    def scene(_bench: Bench) -> str:
        played.append("well")
        return "seen"

    def impossible(_bench: Bench) -> str:
        played.append("ill")
        raise CannotTry("no key")

    clause = Clause("X-1", "1", "", "", "", lambda bench: Passed(bench.act(impossible)))
    assert [rig.bench.act(scene) for _ in range(2)] == ["seen", "seen"]
    assert [attempt(rig.bench, clause) for _ in range(2)] == [NotTried("no key")] * 2
    assert played == ["well", "ill"]


def test_what_sounds_or_is_fetched_is_not_tried_unasked(rig: Rig) -> None:
    with pytest.raises(CannotTry, match="--audible"):
        rig.bench.needs_audible()
    with pytest.raises(CannotTry, match="--content"):
        rig.bench.needs_content()


def test_another_headend_ends_the_run_and_blames_no_station(rig: Rig) -> None:
    rig.line.arrivals.put((time.monotonic(), LinkDown("another client uses our certificate", for_good=True)))
    with pytest.raises(BenchError, match="`watch`"):
        rig.bench.settle(PACE.answer_s)
