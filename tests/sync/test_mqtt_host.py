"""The session on a real Mosquitto over TLS: wills, ACL, identities, restarts, half-open lines, our own failures."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.events import Connected, Disconnected, MessageArrived
from edge_agent.core.units import HOUR_MS
from edge_agent.headend.pki import create_authority
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync import resolving
from edge_agent.sync.client import OUTGOING_MAX
from edge_agent.sync.limits import PACKET_BYTES_MAX
from edge_agent.sync.mqtt import CLONE_SUSPECTED, MqttSession
from tests.headend.mqtt_client import Client
from tests.host.broker import Network
from tests.host.proxy import running_proxy
from tests.sync.rigs import (
    STATION,
    TIMEOUT_S,
    Inbox,
    headend,
    host_clock,
    network_of,
    running_session,
    thread_failures,
)

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parent.parent.parent
JOB = f"loa/1/d/{STATION}/job"
STATE = f"loa/1/u/{STATION}/state"
SPOKEN = 20
# Three threads together stay under OUTGOING_MAX, and far over what a socket takes at once.


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with network_of(tmp_path) as network:
        yield network


@pytest.fixture
def central(network: Network) -> Iterator[Client]:
    client = headend(network)
    client.subscribe("loa/1/u/#")
    yield client
    client.close()


def station_process(network: Network, station: str = STATION) -> subprocess.Popen[str]:
    identity = network.client(station)
    paths = [network.authority.path, identity.certificate, identity.key]
    where = [str(network.mosquitto.port), *map(str, paths), station, network.areas[station]]
    command = [sys.executable, "-m", "tests.sync.vanishing", *where]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "connected\n"
    return child


def test_a_killed_station_leaves_its_will(network: Network, central: Client) -> None:
    child = station_process(network)
    child.kill()
    child.communicate(timeout=TIMEOUT_S)
    assert central.next() == (STATE, b"will of the killed one")


def test_a_proper_goodbye_leaves_no_will(network: Network, central: Client) -> None:
    child = station_process(network)
    child.communicate(timeout=TIMEOUT_S)
    assert central.next() == (STATE, b"goodbye")
    # A will comes after its delay: had A left one, it would come no later than that of B, who is killed now.
    killed = station_process(network, "st-b")
    killed.kill()
    killed.communicate(timeout=TIMEOUT_S)
    assert central.next() == ("loa/1/u/st-b/state", b"will of the killed one")
    again = Client(network.authority.path, network.client("st-b"), network.mosquitto.port, "st-b")
    again.publish("loa/1/u/st-b/heartbeat", b"whatever was to come has come")
    assert central.next()[0] == "loa/1/u/st-b/heartbeat"
    again.close()


def test_a_station_writes_only_its_own_topics(network: Network, central: Client) -> None:
    with running_session(network) as (session, inbox):
        inbox.next(Connected)
        assert session.publish("loa/1/u/st-b/state", b"I am B", qos=1)
        assert session.publish(JOB, b"an order of my own", qos=1)
        assert session.publish(STATE, b"I am A", qos=1)
        assert central.next() == (STATE, b"I am A")
        assert not [event for event in inbox.seen if isinstance(event, MessageArrived)]


def test_a_station_hears_no_other_station_and_no_other_ward(network: Network, central: Client) -> None:
    with running_session(network) as (_, inbox):
        inbox.next(Connected)
        central.publish("loa/1/d/st-b/job", b"for B")
        central.publish("loa/1/area/vn/ha-noi/khac/job", b"for the other ward")
        central.publish(JOB, b"for A")
        assert inbox.next(MessageArrived).payload == b"for A"


def test_another_station_cannot_take_our_session_by_our_client_id(network: Network, central: Client) -> None:
    with running_session(network) as (session, inbox):
        inbox.next(Connected)
        thief = Client(network.authority.path, network.client("st-b"), network.mosquitto.port, client_id=STATION)
        thief.subscribe(JOB)
        central.publish(JOB, b"for A")
        assert inbox.next(MessageArrived).payload == b"for A"
        assert session.publish(STATE, b"still here", qos=1)
        assert central.next() == (STATE, b"still here")
        assert thief.arrived.empty()
        thief.close()


def test_a_clone_of_our_identity_is_named_and_given_time(network: Network) -> None:
    with running_session(network, taken_over_wait_s=3) as (_, inbox):
        inbox.next(Connected)
        begun = time.monotonic()
        clone = Client(network.authority.path, network.client(STATION), network.mosquitto.port, STATION)
        assert CLONE_SUSPECTED in inbox.next(Disconnected).detail
        clone.close()
        inbox.next(Connected)
        assert time.monotonic() - begun >= 3


def test_a_restarted_broker_gets_us_back_with_what_it_had_kept(network: Network, central: Client) -> None:
    with running_session(network) as (_, inbox):
        epoch = inbox.next(Connected).epoch
        central.publish(JOB, b"before")
        inbox.next(MessageArrived)
        network.mosquitto.restart()
        assert inbox.next(Connected).epoch > epoch
        assert inbox.next(MessageArrived).payload == b"before"


def test_a_broker_that_lost_its_store_gets_us_back(network: Network, central: Client) -> None:
    with running_session(network) as (_, inbox):
        inbox.next(Connected)
        network.mosquitto.kill()
        inbox.next(Disconnected)
        (network.directory / "broker" / "mosquitto.db").unlink(missing_ok=True)
        network.mosquitto.start()
        inbox.next(Connected)
        again = headend(network)
        again.publish(JOB, b"after")
        assert inbox.next(MessageArrived).payload == b"after"
        again.close()


def test_a_half_open_line_is_noticed_and_healed(network: Network) -> None:
    with (
        running_proxy(network.mosquitto.port) as proxy,
        running_session(network, port=proxy.port, keepalive_s=3) as (session, inbox),
    ):
        inbox.next(Connected)
        connection = session._connection
        assert connection is not None
        proxy.frozen = True
        assert "no answer" in inbox.next(Disconnected).detail
        assert host_clock().mono - connection.proven_at >= 3_000  # not before a whole keepalive has gone unanswered
        assert not session.publish(STATE, b"into the void", qos=1)
        proxy.frozen = False
        proxy.cut()
        inbox.next(Connected)


@pytest.mark.deep
def test_an_idle_line_keeps_proving_itself(network: Network) -> None:
    with running_session(network, keepalive_s=4) as (session, inbox):
        inbox.next(Connected)
        proofs: dict[int, set[int]] = {}
        until = time.monotonic() + TIMEOUT_S
        while max(map(len, proofs.values()), default=0) < 3:  # of one connection
            assert time.monotonic() < until, "no connection proves itself as often"
            if (connection := session._connection) is not None and connection.proven_at:
                proofs.setdefault(connection._epoch, set()).add(connection.proven_at)
            time.sleep(0.05)


@pytest.mark.parametrize("qos", [0, 1])
def test_outgoing_messages_are_bounded_and_refused_beyond(network: Network, qos: int) -> None:
    with running_proxy(network.mosquitto.port) as proxy, running_session(network, port=proxy.port) as (session, inbox):
        inbox.next(Connected)
        proxy.congested = True
        taken = sum(session.publish(STATE, b"x" * 60_000, qos=qos) for _ in range(1_000))
        assert OUTGOING_MAX <= taken < 1_000
        proxy.congested = False
        proxy.cut()
        inbox.next(Connected)
        assert session.publish(STATE, b"afresh", qos=1)


def test_what_the_broker_refuses_is_not_under_way_for_ever(network: Network, central: Client) -> None:
    """Another station's topic is not ours. Counted on, a few of them would keep every later word from being sent."""
    with running_session(network) as (session, inbox):
        inbox.next(Connected)
        until = time.monotonic() + TIMEOUT_S
        refused = 0
        while refused < 2 * OUTGOING_MAX and time.monotonic() < until:
            refused += session.publish("loa/1/u/st-b/state", b"I am B", qos=1)
        assert refused == 2 * OUTGOING_MAX
        while not session.publish(STATE, b"I am A", qos=1):
            assert time.monotonic() < until
        assert central.next() == (STATE, b"I am A")


def test_threads_that_publish_at_once_do_not_mix_their_packets(network: Network, central: Client) -> None:
    with running_session(network) as (session, inbox):
        inbox.next(Connected)

        def speak(name: bytes) -> None:
            for number in range(SPOKEN):
                assert session.publish(f"loa/1/u/{STATION}/log", name * 50_000 + b"%d" % number, qos=1)

        with thread_failures() as failures:
            threads = [threading.Thread(target=speak, args=(name,)) for name in (b"a", b"b", b"c")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT_S)
            assert failures.empty()
        heard = sorted(central.next()[1] for _ in range(SPOKEN * len(threads)))
        assert heard == sorted(
            name * 50_000 + b"%d" % number for name in (b"a", b"b", b"c") for number in range(SPOKEN)
        )
        assert not [event for event in inbox.seen if isinstance(event, Disconnected)]


def test_a_message_too_large_for_the_broker_costs_only_itself(network: Network, central: Client) -> None:
    with running_session(network) as (session, inbox):
        inbox.next(Connected)
        largest = PACKET_BYTES_MAX - 16 - len(STATE)
        assert not session.publish(STATE, b"x" * (largest + 1), qos=1)
        assert session.publish(STATE, b"x" * largest, qos=1)
        assert central.next() == (STATE, b"x" * largest)
        assert not [event for event in inbox.seen if isinstance(event, Disconnected)]


def test_our_own_failure_ends_the_thread_loudly_and_the_session_says_so(network: Network, central: Client) -> None:
    def full(event: object) -> None:
        if isinstance(event, MessageArrived):
            raise ValueError("the inbox is broken")
        inbox.post(event)  # type: ignore[arg-type]

    inbox = Inbox()
    session = MqttSession(network.settings(STATION), full, host_clock, lambda: b"will")
    with thread_failures() as failures:
        session.start()
        inbox.next(Connected)
        central.publish(JOB, b"order")
        assert "the inbox is broken" in str(failures.get(timeout=TIMEOUT_S))
        assert not session.publish(STATE, b"not alive", qos=1)
        session.stop()


def turns_again(session: MqttSession) -> bool:
    """Whether its thread comes by once more."""
    last, until = session.turned_at(), time.monotonic() + TIMEOUT_S
    while time.monotonic() < until and session.turned_at() == last:
        time.sleep(0.05)
    return last < session.turned_at() <= host_clock().mono


def test_the_thread_of_a_standing_session_turns_each_second_and_one_that_hangs_turns_no_more(
    network: Network, central: Client
) -> None:
    hung, go_on = threading.Event(), threading.Event()

    def hangs_with_an_order(event: object) -> None:
        inbox.post(event)  # type: ignore[arg-type]
        if isinstance(event, MessageArrived):
            hung.set()
            go_on.wait(TIMEOUT_S)

    inbox = Inbox()
    session = MqttSession(network.settings(STATION), hangs_with_an_order, host_clock, lambda: b"will")
    session.start()
    try:
        inbox.next(Connected)
        for _ in range(2):
            assert turns_again(session)
        central.publish(JOB, b"order")
        assert hung.wait(TIMEOUT_S)
        last = session.turned_at()
        time.sleep(2.5)
        assert session.turned_at() == last
    finally:
        go_on.set()
        session.stop()


def test_whoever_holds_the_name_cannot_end_the_process_by_not_answering(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog waits for no turn while the broker's name is asked for: the timetable plays on meanwhile."""
    asked, go_on = threading.Event(), threading.Event()

    def held(host: str) -> list[str]:
        asked.set()
        go_on.wait(TIMEOUT_S)
        return ["127.0.0.1"]

    monkeypatch.setattr(resolving, "known", held)
    with running_session(network) as (session, _):
        assert asked.wait(TIMEOUT_S)
        assert session.turned_at() > host_clock().mono + HOUR_MS
        go_on.set()


def test_a_session_that_waits_to_dial_again_owes_no_turn_until_then(network: Network) -> None:
    with running_session(network, port=1, reconnect_base_s=60) as (session, inbox):
        inbox.next(Disconnected)
        time.sleep(0.5)
        assert session.turned_at() > host_clock().mono - 500


def test_a_server_of_another_authority_gets_nothing(network: Network, tmp_path: Path) -> None:
    stranger = create_authority(tmp_path / "stranger", "test")
    with running_session(network, ca_file=stranger.path) as (_, inbox):
        assert "certificate is of another authority" in inbox.next(Disconnected).detail


def test_a_server_under_another_name_gets_nothing(network: Network) -> None:
    with running_session(network, host="127.1") as (_, inbox):  # the same address by a name that is not certified
        assert "the name does not match" in inbox.next(Disconnected).detail


def test_the_configured_name_is_checked_wherever_it_leads(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "known", lambda host: ["127.0.0.1"])  # certified too, but not asked for
    with running_session(network, host="broker.example") as (_, inbox):
        detail = inbox.next(Disconnected).detail
        assert "broker.example" in detail
        assert "the name does not match" in detail


def test_a_broker_is_dialled_at_each_of_its_first_addresses(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "known", lambda host: ["127.0.0.9", "127.0.0.8", "127.0.0.7", "127.0.0.1"])
    with running_session(network) as (_, inbox):
        inbox.next(Connected)


def test_a_key_file_that_others_can_read_is_told_at_each_attempt_until_it_is_put_right(
    network: Network, tmp_path: Path
) -> None:
    issued = network.client(STATION)
    key = tmp_path / "station.key"
    key.write_bytes(issued.key.read_bytes())
    key.chmod(0o644)
    with running_session(network, show=TlsKey(key).show) as (_, inbox):
        assert (
            f"[broker] key_file {key}: người khác đọc được tệp, chmod 600, và nên thay khóa / others can read it"
            in inbox.next(Disconnected).detail
        )
        key.chmod(0o600)
        inbox.next(Connected)


def test_a_missing_key_file_is_a_failed_attempt_not_an_end(network: Network, tmp_path: Path) -> None:
    with running_session(network, show=TlsKey(tmp_path / "nothing.key").show) as (_, inbox):
        assert "FileNotFoundError" in inbox.next(Disconnected).detail
        assert "FileNotFoundError" in inbox.next(Disconnected).detail
