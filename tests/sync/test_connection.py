"""What one connection asks of a broker, how long it waits for its beginning, and how it ends: asked byte by byte."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.clock_trust import Now
from edge_agent.core.events import Connected, Disconnected, Event, MessageArrived
from edge_agent.core.units import MonoMs
from edge_agent.headend.pki import create_authority
from edge_agent.sync import client, connection, resolving
from edge_agent.sync.client import INFLIGHT_MAX, OUTGOING_MAX, SESSION_EXPIRY_S, WILL_DELAY_S
from edge_agent.sync.guard import GuardedSocket
from edge_agent.sync.limits import PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.mqtt import MqttSession
from tests.host.hostile_broker import CONNACK, Wire, count_filters, hostile_broker, packet, publish
from tests.sync.rigs import STATION, TIMEOUT_S, Inbox, host_clock, thread_failures
from tests.sync.test_hostile_broker import JOB, PINGREQ, PINGRESP, PUBACK, PUBLISH, QUIET, Clock, Street

CONNECT, SUBSCRIBE, DISCONNECT = 0x10, 0x80, 0xE0
STATE = f"loa/1/u/{STATION}/state"
FOR_EVER_S = 10_000
ALERT = b"\x15\x03\x03\0\2\2"


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path, create_authority(tmp_path / "ca", "test"))


class Late(Clock):
    """The host's clock, put forward as if so much time had passed."""

    late_ms = 0

    def __call__(self) -> Now:
        now = super().__call__()
        return replace(now, mono=MonoMs(now.mono + self.late_ms))


# What is asked for


def test_a_broker_is_asked_to_keep_our_queue_to_send_no_more_than_we_take_and_to_wait_with_a_lasting_will(
    street: Street,
) -> None:
    """One that sent more would be hung up on, and would send it again at the next connection, and so for ever."""
    asked: queue.Queue[bytes] = queue.Queue()

    def script(wire: Wire) -> None:
        asked.put(wire.read_type(CONNECT))
        wire.until_hung_up()

    with street.facing(script):
        connect = asked.get(timeout=TIMEOUT_S)
    flags, keepalive_s = connect[7], int.from_bytes(connect[8:10])
    assert (flags, keepalive_s) == (0b0010_1100, 60), "a will, retained and acknowledged; the session goes on"
    properties, will = connect[11 : 11 + connect[10]], connect[11 + connect[10] :]
    assert b"\x11" + SESSION_EXPIRY_S.to_bytes(4) in properties
    assert b"\x21" + RECEIVE_MAXIMUM.to_bytes(2) in properties
    assert b"\x27" + PACKET_BYTES_MAX.to_bytes(4) in properties
    assert b"\x18" + WILL_DELAY_S.to_bytes(4) in will


def test_a_station_that_cannot_sign_leaves_no_will_as_nobody_would_believe_it(street: Street) -> None:
    asked: queue.Queue[bytes] = queue.Queue()

    def script(wire: Wire) -> None:
        asked.put(wire.read_type(CONNECT))
        wire.until_hung_up()

    with hostile_broker(street.directory, street.authority, script) as (port, _):
        session = MqttSession(street.settings(port), lambda event: None, Clock(), lambda: None)
        session.start()
        connect = asked.get(timeout=TIMEOUT_S)
        session.stop()
    assert connect[7] == 0, "no will, and the session goes on"


def test_orders_are_asked_for_with_acknowledgement_and_no_old_ones_are_to_be_sent_again_at_each_subscription(
    street: Street,
) -> None:
    """What is retained is turned away, and paid for each time."""
    asked: queue.Queue[bytes] = queue.Queue()

    def script(wire: Wire) -> None:
        wire.read_type(CONNECT)
        wire.write(CONNACK)
        asked.put(wire.read_type(SUBSCRIBE))
        wire.until_hung_up()

    with street.facing(script):
        subscribe = asked.get(timeout=TIMEOUT_S)
    at, options = 3, set[int]()
    while at < len(subscribe):
        at += 2 + int.from_bytes(subscribe[at : at + 2])
        options.add(subscribe[at] & 0b0011_0011)
        at += 1
    assert options == {0b0010_0001}


# How it begins


def says_nothing(wire: Wire) -> None:
    wire.until_hung_up()


def grants_nothing(wire: Wire) -> None:
    """Takes us in, and answers each ping."""
    wire.read_type(CONNECT)
    wire.write(CONNACK)
    while True:
        wire.read_type(PINGREQ)
        wire.write(PINGRESP)


@pytest.mark.parametrize("script", [says_nothing, grants_nothing])
def test_a_broker_that_shakes_hands_and_makes_no_session_is_left(
    street: Street, monkeypatch: pytest.MonkeyPatch, script: Callable[[Wire], None]
) -> None:
    monkeypatch.setattr(connection, "ESTABLISH_S", 2)
    with street.facing(script, keepalive_s=1 if script is grants_nothing else 60) as (session, inbox):
        assert inbox.next(Disconnected).detail == "no session in time"
        assert not session.publish(STATE, b"to nobody", qos=1)


def test_what_a_broker_has_kept_for_a_station_comes_over_a_slow_line_before_its_session_stands(street: Street) -> None:
    """Ten messages at most: Mosquitto sends its SUBACK behind them, and 30 kB take 12 s at 20 kbit/s.

    None of them is acknowledged before, so all of them came anew at the next attempt, and for ever.
    """
    clock = Late()

    def script(wire: Wire) -> None:
        wire.read_type(CONNECT)
        wire.write(CONNACK)
        subscribe = wire.read_type(SUBSCRIBE)
        for mid in range(1, 4):
            wire.write(publish(JOB, b"order", mid))
            for _ in range(2):  # it has come by then
                wire.read_type(PINGREQ)
                wire.write(PINGRESP)
            clock.late_ms += connection.ESTABLISH_S * 800
        wire.write(packet(0x90, subscribe[:2] + b"\0" + bytes([1] * count_filters(subscribe))))
        wire.until_hung_up()

    with street.facing(script, clock, keepalive_s=1) as (_, inbox):
        assert inbox.next(Connected).epoch == 1
        for _ in range(3):
            assert inbox.next(MessageArrived).token.epoch == 1


def test_whoever_took_all_of_their_time_to_find_and_greet_a_broker_has_time_left_for_a_session(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name, dead addresses and a slow handshake, each within its own bound, would be so slow each time."""
    late_ms = 0

    def found(host: str) -> list[str]:
        nonlocal late_ms
        late_ms += 1_000 * round(client.DIAL_S + client.CONNECT_TIMEOUT_S)
        return ["127.0.0.1"]

    def clock() -> Now:
        now = host_clock()
        return replace(now, mono=MonoMs(now.mono + late_ms))

    inbox = Inbox()
    monkeypatch.setattr(resolving, "known", found)
    with hostile_broker(street.directory, street.authority, QUIET) as (port, _):
        session = MqttSession(street.settings(port), inbox.post, clock, lambda: b"will")
        session.start()
        try:
            inbox.next(Connected)
        finally:
            session.stop()


@contextmanager
def listener(say: Callable[[socket.socket], object]) -> Iterator[int]:
    """Whoever stands on the way, without any certificate, and does that to each who comes; its port."""
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                held.append(server.accept()[0])
                say(held[-1])

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        for each in held:
            each.close()


def test_whoever_does_not_shake_hands_has_as_long_as_a_slow_line_needs_and_no_longer(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_TIMEOUT_S", 1)
    with listener(lambda line: None) as port, street.station(port, Clock()) as (_, inbox):
        assert "within 1 s" in inbox.next(Disconnected).detail


@pytest.mark.parametrize("number", [1, 99, 255])
def test_an_alert_that_nobody_knows_costs_the_connection_and_never_the_process(street: Street, number: int) -> None:
    """Anybody on the way may send one."""
    with (
        thread_failures() as failures,
        listener(lambda line: line.sendall(ALERT + bytes([number]))) as port,
        street.station(port, Clock()) as (_, inbox),
    ):
        for _ in range(2):
            inbox.next(Disconnected)
        assert failures.empty()


def test_a_second_answer_to_our_subscription_is_no_second_connection(street: Street) -> None:
    """Each Connected has the station say all anew, on a line that it pays for."""

    def script(wire: Wire) -> None:
        wire.read_type(CONNECT)
        wire.write(CONNACK)
        body = wire.read_type(SUBSCRIBE)
        granted = packet(0x90, body[:2] + b"\0" + b"\1" * 6)
        wire.write(granted * 5 + publish(JOB, b"behind them", 1))
        wire.until_hung_up()

    with street.facing(script) as (_, inbox):
        assert inbox.next(MessageArrived).payload == b"behind them"
        assert [type(event) for event in inbox.seen] == [Connected, MessageArrived]


def test_what_asked_for_no_acknowledgement_gets_none_or_an_honest_broker_would_hang_up(street: Street) -> None:
    acknowledged: queue.Queue[bytes] = queue.Queue()

    def script(wire: Wire) -> None:
        wire.establish()
        wire.write(publish("loa/1/d/another/job", b"", 0, qos=0) + publish(JOB, b"", 0, qos=0))
        wire.write(publish(JOB, b"retained", 8, retain=True))
        acknowledged.put(wire.read_type(PUBACK)[:2])
        wire.until_hung_up()

    with street.facing(script):
        assert acknowledged.get(timeout=TIMEOUT_S) == b"\0\x08"


def test_what_is_said_in_the_moment_in_which_a_connection_is_told_is_taken(street: Street) -> None:
    """Whoever hears of it says at once what has become of the station; refused, that would wait for the next one."""
    heard, taken = queue.Queue[bytes](), queue.Queue[bool]()

    def script(wire: Wire) -> None:
        wire.establish()
        heard.put(wire.read_type(PUBLISH))
        wire.until_hung_up()

    def post(event: Event) -> None:
        if isinstance(event, Connected):
            taken.put(session.publish(STATE, b"at once", qos=0))

    with hostile_broker(street.directory, street.authority, script) as (port, _):
        session = MqttSession(street.settings(port), post, Clock(), lambda: b"will")
        session.start()
        assert taken.get(timeout=TIMEOUT_S)
        assert heard.get(timeout=TIMEOUT_S).endswith(b"at once")
        session.stop()


# How it ends


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_goodbye_waits_for_the_last_acknowledgement_or_the_end_and_no_longer(
    street: Street, monkeypatch: pytest.MonkeyPatch, hangs_up: bool
) -> None:
    monkeypatch.setattr(connection, "FLUSH_S", FOR_EVER_S)
    heard, go_on = threading.Event(), threading.Event()

    def script(wire: Wire) -> None:
        wire.establish()
        body = wire.read_type(PUBLISH)
        heard.set()
        go_on.wait(TIMEOUT_S)
        if not hangs_up:
            at = 2 + int.from_bytes(body[:2])
            wire.write(packet(PUBACK, body[at : at + 2]))
            wire.until_hung_up()

    with street.facing(script) as (session, inbox):
        inbox.next(Connected)
        assert session.publish(STATE, b"the last word", qos=1)
        assert heard.wait(TIMEOUT_S)
        leaving = threading.Thread(target=session.stop, daemon=True)
        leaving.start()
        leaving.join(0.5)
        assert leaving.is_alive(), "it has not waited"
        go_on.set()
        leaving.join(TIMEOUT_S)
        assert not leaving.is_alive()


def test_a_goodbye_that_nobody_answers_ends_all_the_same(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FLUSH_S", 0.2)
    with street.facing(QUIET) as (session, inbox):
        inbox.next(Connected)
        assert session.publish(STATE, b"the last word", qos=1)
        leaving = threading.Thread(target=session.stop, daemon=True)
        leaving.start()
        leaving.join(TIMEOUT_S)
        assert not leaving.is_alive()


@pytest.mark.parametrize("qos", [0, 1])
def test_of_a_line_that_takes_nothing_so_many_words_are_kept_and_the_rest_refused(
    street: Street, monkeypatch: pytest.MonkeyPatch, qos: int
) -> None:
    def takes_nothing(*_: object) -> int:
        raise ssl.SSLWantWriteError

    monkeypatch.setattr(connection, "FLUSH_S", 0.2)
    with street.facing(QUIET) as (session, inbox):
        inbox.next(Connected)
        with monkeypatch.context() as line:
            line.setattr(GuardedSocket, "send", takes_nothing)
            taken = [session.publish(STATE, b"x", qos=qos) for _ in range(3 * OUTGOING_MAX)]
        assert taken == [True] * OUTGOING_MAX + [False] * 2 * OUTGOING_MAX


def test_a_broker_that_acknowledges_nothing_has_no_more_under_way_than_every_broker_takes(street: Street) -> None:
    """One that takes fewer at once than it is sent hangs up, and so at each connection that follows."""
    under_way: queue.Queue[int] = queue.Queue()

    def script(wire: Wire) -> None:
        wire.establish()
        came = 0
        while (kind := wire.read()[0] & 0xF0) != PINGREQ or not came:
            came += kind == PUBLISH
        under_way.put(came)
        wire.until_hung_up()

    with street.facing(script, keepalive_s=2) as (session, inbox):
        inbox.next(Connected)
        assert all(session.publish(STATE, b"x", qos=1) for _ in range(3 * INFLIGHT_MAX))
        assert under_way.get(timeout=TIMEOUT_S) <= INFLIGHT_MAX


def test_nothing_more_is_taken_while_we_say_goodbye(street: Street) -> None:
    """It would be called handed over, and be gone."""
    said: queue.Queue[bool] = queue.Queue()

    def script(wire: Wire) -> None:
        wire.establish()
        wire.read_type(DISCONNECT)
        said.put(session.publish(STATE, b"too late", qos=1))

    with street.facing(script) as (session, inbox):
        inbox.next(Connected)
        session.stop()
        assert said.get(timeout=TIMEOUT_S) is False


def test_a_station_that_is_stopped_while_it_dials_says_goodbye_as_soon_as_it_is_through(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a session would stand that nobody sees to, and whose end would be told as a death."""
    asked, go_on, told = threading.Event(), threading.Event(), threading.Event()

    def held(host: str) -> list[str]:
        asked.set()
        go_on.wait(TIMEOUT_S)
        return ["127.0.0.1"]

    def script(wire: Wire) -> None:
        wire.read_type(CONNECT)
        wire.read_type(DISCONNECT)
        told.set()

    monkeypatch.setattr(resolving, "known", held)
    with street.facing(script) as (session, inbox):
        assert asked.wait(TIMEOUT_S)
        leaving = threading.Thread(target=session.stop, daemon=True)
        leaving.start()
        assert session._stopping.wait(TIMEOUT_S)
        go_on.set()
        assert told.wait(TIMEOUT_S)
        leaving.join(TIMEOUT_S)
        assert inbox.seen == []


def test_a_station_that_is_stopped_before_it_dials_asks_nobody(street: Street) -> None:
    came = threading.Event()
    made: queue.Queue[MqttSession] = queue.Queue()

    def will() -> bytes:
        """Is asked for before each attempt; the end is told meanwhile."""
        session = made.get()
        threading.Thread(target=session.stop, daemon=True).start()
        assert session._stopping.wait(TIMEOUT_S)
        return b"will"

    with listener(lambda line: came.set()) as port:
        session = MqttSession(street.settings(port), lambda event: None, Clock(), will)
        made.put(session)
        session.start()
        session._thread.join(TIMEOUT_S)
        assert not session._thread.is_alive()
        assert not came.is_set()
