"""A broker in the attacker's hands costs the connection, never the process, the memory or another message's ack."""

from __future__ import annotations

import itertools
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import AckToken, Connected, Disconnected, MessageArrived
from edge_agent.headend.pki import Authority, create_authority, issue_client
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync.client import PING_S_MIN, UNSENT_MAX, BrokerSettings
from edge_agent.sync.guard import GuardedSocket
from edge_agent.sync.mqtt import MqttSession
from tests.host.hostile_broker import CONNACK, Script, Wire, hostile_broker, packet, publish, var_int
from tests.host.tls_records import Records
from tests.sync.rigs import AREA, STATION, TIMEOUT_S, Inbox, host_clock, thread_failures

JOB = f"loa/1/d/{STATION}/job"
PUBLISH, PUBACK, PINGREQ = 0x30, 0x40, 0xC0
PINGRESP = b"\xd0\x00"
FUZZ_CONNECTIONS = 60
FUZZ_SEED = 20_260_901
RECORD_BYTES_MAX = 16_000_000
# Where nobody puts an end to it. The kernels of both ends may keep some megabytes of it.


class Clock:
    """The host's clock with a trust that a test can change."""

    def __init__(self, source: ClockSource = ClockSource.NTP) -> None:
        self.source = source

    def __call__(self) -> Now:
        return replace(host_clock(), source=self.source)


@dataclass(frozen=True)
class Street:
    """Where certificates are made, and a station that is impatient."""

    directory: Path
    authority: Authority

    def settings(self, port: int, keepalive_s: int = 60) -> BrokerSettings:
        identity = issue_client(self.authority, self.directory / "clients", STATION)
        settings = BrokerSettings(
            "localhost", port, self.authority.path, identity.certificate, TlsKey(identity.key).show, STATION, AREA
        )
        return replace(settings, reconnect_base_s=0.01, reconnect_ceiling_s=0.05, keepalive_s=keepalive_s)

    @contextmanager
    def station(self, port: int, clock: Clock, keepalive_s: int = 60) -> Iterator[tuple[MqttSession, Inbox]]:
        inbox = Inbox()
        session = MqttSession(self.settings(port, keepalive_s), inbox.post, clock, lambda: b"will")
        session.start()
        try:
            yield session, inbox
        finally:
            session.stop()

    @contextmanager
    def facing(
        self, script: Script, clock: Clock | None = None, made: datetime | None = None, keepalive_s: int = 60
    ) -> Iterator[tuple[MqttSession, Inbox]]:
        with (
            hostile_broker(self.directory, self.authority, script, made) as (port, _),
            self.station(port, clock or Clock(), keepalive_s) as both,
        ):
            yield both


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path, create_authority(tmp_path / "ca", "test"))


def then_send(data: bytes) -> Script:
    def script(wire: Wire) -> None:
        wire.establish()
        wire.write(data)
        wire.until_hung_up()

    return script


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        pytest.param(b"\x32" + var_int(200_000_000) + b"x" * 10_000, "bytes or more", id="a packet of 200 MB"),
        pytest.param(publish(JOB, b"order", 1, qos=2), "QoS 2", id="QoS 2, which the library would keep for ever"),
        pytest.param(packet(0xC0, b""), "type 12", id="PINGREQ, which the library answers"),
        pytest.param(packet(0x50, b"\0\1"), "type 5", id="PUBREC, which the library answers as often as it comes"),
        pytest.param(packet(0x62, b"\0\1"), "type 6", id="PUBREL, of QoS 2"),
        pytest.param(CONNACK, "second CONNACK", id="a second CONNACK, at each of which the library subscribes anew"),
        pytest.param(packet(0x90, b""), "", id="an empty SUBACK"),
        pytest.param(packet(0xF0, b"\0"), "", id="AUTH, which nobody asked for"),
        pytest.param(packet(0xE0, b"\xfe"), "", id="DISCONNECT with an unknown reason"),
        pytest.param(packet(0x32, b"\xff\xff"), "", id="a topic longer than its packet"),
        pytest.param(packet(0x32, b"\0\1t\0\1\x05\x7f\x7f\x7f\x7f"), "", id="properties longer than their packet"),
    ],
)
def test_nonsense_costs_the_connection_and_the_station_comes_back(street: Street, sent: bytes, named: str) -> None:
    with thread_failures() as failures, street.facing(then_send(sent)) as (_, inbox):
        first = inbox.next(Connected)
        assert named in inbox.next(Disconnected).detail
        assert inbox.next(Connected).epoch > first.epoch
        assert failures.empty()
        assert not [event for event in inbox.seen if isinstance(event, MessageArrived)]


def test_an_endless_stream_of_random_packets_never_ends_the_session(street: Street) -> None:
    dice = random.Random(FUZZ_SEED)

    def script(wire: Wire) -> None:
        wire.establish()
        for _ in range(20):
            body = dice.randbytes(dice.choice([0, 1, 2, 3, 4, 5, 8, 40]))
            wire.write(packet(dice.randrange(256), body))
        wire.until_hung_up()

    with thread_failures() as failures, street.facing(script) as (_, inbox):
        while inbox.next(Connected).epoch < FUZZ_CONNECTIONS:
            inbox.next(Disconnected)
        assert failures.empty()


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(publish("loa/1/d/st-b/job", b"x", 7), id="a topic that we did not ask for"),
        pytest.param(publish(JOB, b"x", 7, retain=True), id="a retained order, which would come at each subscription"),
        pytest.param(packet(0x32, b"\0\2\xff\xfe\0\7\0x"), id="a topic that is no text"),
    ],
)
def test_what_we_did_not_ask_for_is_acknowledged_and_goes_no_further(street: Street, unwanted: bytes) -> None:
    acknowledged: list[bytes] = []

    def script(wire: Wire) -> None:
        wire.establish()
        wire.write(unwanted)
        acknowledged.append(wire.read_type(0x40))
        wire.write(publish(JOB, b"wanted", 8))
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        assert inbox.next(MessageArrived).payload == b"wanted"
        assert acknowledged[0][:2] == b"\0\7"


def test_messages_beyond_the_receive_maximum_end_the_connection(street: Street) -> None:
    flood = b"".join(publish(JOB, b"%d" % mid, mid) for mid in range(1, 12))
    with street.facing(then_send(flood)) as (_, inbox):
        assert "more than 10" in inbox.next(Disconnected).detail
        first_epoch = [each for each in inbox.seen if isinstance(each, MessageArrived) and each.token.epoch == 1]
        assert len(first_epoch) == 10


def test_who_asks_for_answers_and_takes_none_has_no_memory_of_ours(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He proves again and again that he is there, so nothing else ends it, but the kernel when all memory is taken."""
    full = threading.Event()

    def script(wire: Wire) -> None:
        wire.establish()
        full.wait(TIMEOUT_S)
        wire.write((publish("x", b"", 7) + PINGRESP) * (UNSENT_MAX + 10))
        wire.until_hung_up()

    def takes_nothing(*_: object) -> int:
        raise ssl.SSLWantWriteError

    with street.facing(script) as (_, inbox):
        inbox.next(Connected)
        monkeypatch.setattr(GuardedSocket, "send", takes_nothing)
        full.set()
        assert "takes nothing" in inbox.next(Disconnected).detail
        monkeypatch.undo()
        inbox.next(Connected)


@pytest.mark.parametrize("record", [Records.tickets, Records.key_updates])
def test_a_broker_that_sends_records_without_end_ends_its_own_connection_and_no_turn_of_ours(
    street: Street, record: Callable[[Records], bytes]
) -> None:
    """TLS would work them off within one receive for as long as they come, and the watchdog would end the process."""
    sent = [0]

    def script(wire: Wire) -> None:
        records = wire.own_records()
        wire.establish()
        while sent[0] < RECORD_BYTES_MAX:
            piece = record(records)
            records.write(piece)
            sent[0] += len(piece)
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        first = inbox.next(Connected)
        assert "TLS sends without end" in inbox.next(Disconnected).detail
        assert sent[0] < RECORD_BYTES_MAX / 2
        assert inbox.next(Connected).epoch > first.epoch


def test_a_topic_forges_no_line_in_the_log_and_does_not_fill_it(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    """The log lies in 32 MB of memory, and its lines are counted, not their bytes (systemd/journald.conf.d)."""
    forged = "x\nWARNING edge_agent.core: event=order_refused reason=key_revoked\u202e\x1b[2J" + "y" * 60_000

    def script(wire: Wire) -> None:
        wire.establish()
        wire.write(publish(forged, b"", 7))
        wire.read_type(PUBACK)
        wire.write(publish(JOB, b"wanted", 8))
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        assert inbox.next(MessageArrived).payload == b"wanted"
    (line,) = [record.getMessage() for record in caplog.records if "turned_away" in record.getMessage()]
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 300


def test_however_many_messages_are_turned_away_they_have_two_lines_in_the_log(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    others = iter([b"".join(publish("loa/1/d/another/job", b"", 1, qos=0) for _ in range(500))])

    def script(wire: Wire) -> None:
        wire.establish()
        wire.write(next(others, b""))  # none when it has come back
        wire.write(publish(JOB, b"wanted", 8))
        wire.read_type(PUBACK)

    with street.facing(script) as (session, inbox):
        arrived = inbox.next(MessageArrived)
        assert arrived.payload == b"wanted"
        session.ack(arrived.token)
        inbox.next(Disconnected)
    lines = [record.getMessage() for record in caplog.records if "event=turned_away" in record.getMessage()]
    assert "another" in lines[0]
    assert [line.rpartition(" ")[2] for line in lines[1:]] == ["messages=500"]


@pytest.mark.parametrize("early", [False, True])
def test_messages_under_one_id_end_the_connection_or_they_would_never_be_too_many(street: Street, early: bool) -> None:
    """Counted by id they would be one for ever; before the SUBACK they would lie in memory, 64 kB each."""
    flood = b"".join(publish(JOB, b"%d" % number, 1) for number in range(12))

    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        wire.write(CONNACK + (flood if early else b""))
        wire.grant()
        wire.write(flood)
        wire.until_hung_up()

    with thread_failures() as failures, street.facing(script) as (_, inbox):
        assert "an id that is not free" in inbox.next(Disconnected).detail
        first_epoch = [each for each in inbox.seen if isinstance(each, MessageArrived) and each.token.epoch == 1]
        assert len(first_epoch) <= 1
        assert failures.empty()


def test_an_id_is_free_again_once_its_message_was_acknowledged(street: Street) -> None:
    def script(wire: Wire) -> None:
        wire.establish()
        for number in range(3):
            wire.write(publish(JOB, b"%d" % number, 1))
            wire.read_type(PUBACK)
        wire.until_hung_up()

    with street.facing(script) as (session, inbox):
        for number in range(3):
            arrived = inbox.next(MessageArrived)
            assert (arrived.payload, arrived.token) == (b"%d" % number, AckToken(1, 1))
            session.ack(arrived.token)
        assert not [event for event in inbox.seen if isinstance(event, Disconnected)]


def test_an_old_token_does_not_acknowledge_the_message_that_has_its_id_now(street: Street) -> None:
    """The same message id, another connection: the acknowledgement must be for the new message alone."""
    came: queue.Queue[int] = queue.Queue()
    connections = iter((b"old", b"new"))

    def script(wire: Wire) -> None:
        wire.establish()
        content = next(connections)
        wire.write(publish(JOB, content, 5))
        if content == b"new":
            came.put(wire.read()[0] & 0xF0)
            came.put(wire.read()[0] & 0xF0)
            wire.until_hung_up()

    with street.facing(script) as (session, inbox):
        old = inbox.next(MessageArrived)
        new = inbox.next(MessageArrived)
        assert (old.token, new.token) == (AckToken(1, 5), AckToken(2, 5))
        session.ack(old.token)
        assert session.publish(f"loa/1/u/{STATION}/state", b"sent after the old token", qos=0)
        session.ack(new.token)
        assert [came.get(timeout=TIMEOUT_S) for _ in range(2)] == [PUBLISH, PUBACK]


def test_messages_before_the_subscription_is_confirmed_come_after_connected(street: Street) -> None:
    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        wire.write(CONNACK + publish(JOB, b"early", 1))
        wire.grant()
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        assert inbox.next(MessageArrived).payload == b"early"
        assert [type(event) for event in inbox.seen] == [Connected, MessageArrived]


@pytest.mark.deep
def test_a_line_that_is_busy_with_orders_keeps_proving_itself(street: Street) -> None:
    """Orders and their acknowledgements keep both directions busy, but answer nothing of ours; pings must do it."""
    last, until = 150, time.monotonic() + 3 * TIMEOUT_S
    # 7.5 s and more on one connection: beyond the 5.7 s after which silence ends it.

    def script(wire: Wire) -> None:
        wire.establish()
        for mid in range(1, last + 1):
            wire.write(publish(JOB, b"%d" % mid, mid))
            while wire.read()[0] & 0xF0 != PUBACK:
                wire.write(PINGRESP)
            time.sleep(0.05)
        wire.until_hung_up()

    with street.facing(script, keepalive_s=4) as (session, inbox):
        while (arrived := inbox.next(MessageArrived)).payload != b"%d" % last:
            assert time.monotonic() < until, "no connection lives as long"
            session.ack(arrived.token)


def test_orders_that_still_come_do_not_prove_that_we_are_heard(street: Street) -> None:
    """A line that has died in one direction only: what we send gets nowhere, what they send still arrives."""

    def script(wire: Wire) -> None:
        wire.establish()
        for number in range(600):
            wire.write(publish(JOB, b"%d" % number, 1, qos=0))
            time.sleep(0.05)

    with street.facing(script, keepalive_s=2) as (_, inbox):
        assert "no answer" in inbox.next(Disconnected).detail


def asking_for_a_sign_of_life_each(seconds: int) -> bytes:
    """A CONNACK with the property Server Keep Alive."""
    return packet(0x20, b"\0\0\3\x13" + seconds.to_bytes(2))


@pytest.mark.deep
@pytest.mark.parametrize("seconds", [0, 600, 65_535])
def test_a_broker_that_wants_to_hear_of_us_now_and_then_is_still_asked_whether_it_is_there(
    street: Street, seconds: int
) -> None:
    """The library would not ping for so long, and we would take the silence for its end, again and again."""
    pinged = queue.Queue[int]()

    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        wire.write(asking_for_a_sign_of_life_each(seconds))
        wire.grant()
        for times in itertools.count(1):
            wire.read_type(PINGREQ)
            wire.write(PINGRESP)
            pinged.put(times)

    with street.facing(script, keepalive_s=2):
        while pinged.get(timeout=TIMEOUT_S) < 2:
            pass  # both on one connection


def test_a_broker_that_wants_to_hear_of_us_each_second_has_no_sim_of_ours(street: Street) -> None:
    pings: list[float] = []

    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        begun = time.monotonic()
        wire.write(asking_for_a_sign_of_life_each(1))
        wire.grant()
        while True:
            wire.read_type(PINGREQ)
            pings.append(time.monotonic() - begun)
            wire.write(PINGRESP)

    with street.facing(script) as (_, inbox):
        inbox.next(Connected)
        time.sleep(PING_S_MIN - 1)
        assert [after_s for after_s in pings if after_s < PING_S_MIN] == []


def test_a_refusal_is_told_with_its_code(street: Street) -> None:
    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        wire.write(bytes([0x20, 3, 0, 0x87, 0]))
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        assert "0x87" in inbox.next(Disconnected).detail


def test_a_subscription_that_is_refused_everywhere_still_makes_a_session(street: Street) -> None:
    """A SUBACK is believed in nothing, so it cannot keep us from speaking either."""

    def script(wire: Wire) -> None:
        wire.read_type(0x10)
        wire.write(CONNACK)
        body = wire.read_type(0x80)
        wire.write(packet(0x90, body[:2] + b"\0" + b"\x87" * 6))
        wire.until_hung_up()

    with street.facing(script) as (session, inbox):
        inbox.next(Connected)
        assert session.publish(f"loa/1/u/{STATION}/state", b"x", qos=0)


LONG_AGO = datetime.now(UTC) - timedelta(days=1_000)
NOT_YET = datetime.now(UTC) + timedelta(days=10)
QUIET = then_send(b"")


@pytest.mark.parametrize(
    ("made", "words"), [(LONG_AGO, "expired on"), (NOT_YET, "not yet valid: the station's clock says")]
)
def test_a_trusted_clock_refuses_a_certificate_outside_its_dates(street: Street, made: datetime, words: str) -> None:
    came: queue.Queue[int] = queue.Queue()

    def script(wire: Wire) -> None:
        came.put(wire.read()[0])

    with street.facing(script, Clock(ClockSource.RTC), made) as (_, inbox):
        assert words in inbox.next(Disconnected).detail
        inbox.next(Disconnected)
        assert came.empty()  # not even our name and our will


@pytest.mark.parametrize("made", [LONG_AGO, NOT_YET])
@pytest.mark.parametrize("source", [ClockSource.UNSET, ClockSource.FLOOR])
def test_a_station_that_woke_up_in_the_past_gets_in_and_judges_the_dates_later(
    street: Street, made: datetime, source: ClockSource
) -> None:
    clock = Clock(source)
    with street.facing(QUIET, clock, made) as (_, inbox):
        inbox.next(Connected)
        clock.source = ClockSource.SIGNED
        assert "certificate" in inbox.next(Disconnected).detail
