"""The headend over a real Mosquitto: hello and welcome, records and acknowledgement, orders, answers and wills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.effects import Verdict
from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, LogAck, Welcome
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import StationId, ZoneId
from edge_agent.headend import headend as headend_module
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.desk import Kept
from edge_agent.headend.headend import Headend, Shown, Untold, utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Doubt, Unheard
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress, LinkDown, PublishError, Receipt
from edge_agent.headend.signing import SigningError
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync.reports import Why
from edge_agent.sync.topics import subscriptions
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import AREA, RECORD, STATE, FakeStation
from tests.headend.mqtt_client import TIMEOUT_S, Client
from tests.host.ports import free_port

pytestmark = pytest.mark.host

FLOOD: dict[str, object] = {
    "class": "emergency",
    "event": "lu-quet",
    "areas": [AREA],
    "volume": 100,
    "items": [{"title": "Cảnh báo lũ quét", "text": "Nước đang lên."}],
}


class Net:
    """A network with two stations, a running broker and a running headend."""

    def __init__(self, directory: Path, opened: ExitStack) -> None:
        self._opened = opened
        self.records = directory / "records"
        self.keyring = create_keyring(directory / "net", "demo", default_roles(AREA, 1), utc_now())
        for station in ("tram-01", "tram-02"):
            self.keyring.enrol(station, AREA)
        areas = {station: enrolled.area for station, enrolled in self.keyring.stations.items()}
        identity = self.keyring.server("broker")
        setup = BrokerSetup(directory / "broker", self.keyring.authority_path, identity, areas)
        self.broker = opened.enter_context(Mosquitto(setup, free_port()))
        self.headend = opened.enter_context(self.new_headend())

    def new_headend(self, on_noted: Callable[[Shown], None] = lambda _: None) -> Headend:
        address = BrokerAddress("localhost", self.broker.port)
        return Headend(Keyring(self.keyring.directory), address, self.records, on_noted=on_noted)

    def station(self, name: str = "tram-01", will: tuple[str, bytes] | None = None) -> tuple[FakeStation, Client]:
        folder = self.keyring.folder(name)
        client = Client(folder.authority, folder.tls, self.broker.port, name, will)
        self._opened.callback(client.close)
        client.subscribe(*subscriptions(StationId(name), AREA))
        return FakeStation(FileKey(folder.sign).open(), name), client

    def judged(self, arrived: tuple[str, bytes], name: str = "tram-01") -> object:
        zones = {ZoneId("c1"): ZoneSite(ZoneId("c1"), "", 0)}
        site = Site(StationId(name), "demo", AREA, "Asia/Ho_Chi_Minh", zones)
        return make_judge(self.keyring.trust, site)(*arrived)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with ExitStack() as opened:
        yield Net(tmp_path, opened)


def test_a_hello_is_welcomed_with_the_time(net: Net) -> None:
    station, client = net.station()
    before = utc_now()
    client.publish(*station.hello())
    welcome = net.judged(client.next())
    assert isinstance(welcome, Welcome)
    assert before <= welcome.utc <= utc_now()


def test_records_arrive_once_and_are_acknowledged_also_after_the_headend_was_away(net: Net) -> None:
    station, client = net.station()
    station.play(RECORD, RECORD, RECORD)
    client.publish(*station.log(1, 2))
    ack = net.judged(client.next())
    assert ack == LogAck("epoch-1", 2, station.records[1].hash)
    net.headend.stop()
    client.publish(*station.log(2, 3))  # waits at the broker
    with net.new_headend() as again:
        assert net.judged(client.next()) == LogAck("epoch-1", 3, station.records[2].hash)
        assert again.wait_for(lambda: len(again.records("tram-01")) == 1, TIMEOUT_S)
        assert again.logbook.records("tram-01") == tuple(station.records)


def test_an_order_reaches_every_station_of_its_area_and_their_answers_come_back(net: Net) -> None:
    (first, first_client), (second, second_client) = net.station("tram-01"), net.station("tram-02")
    job_id = net.headend.publish_order(FLOOD, ["ward-emergency"])
    for name, client in (("tram-01", first_client), ("tram-02", second_client)):
        accepted = net.judged(client.next(), name)
        assert isinstance(accepted, Accepted)
        assert accepted.job.job_id == job_id
    first_client.publish(*first.answer(Verdict.ACCEPTED, job_id))
    second_client.publish(*second.answer(Verdict.REFUSED, job_id, Reason.WRONG_AUDIENCE))
    assert net.headend.wait_for(lambda: len(net.headend.answers(job_id)) == 2, TIMEOUT_S)
    assert {station: answer.verdict for station, answer in net.headend.answers(job_id)} == {
        "tram-01": Verdict.ACCEPTED,
        "tram-02": Verdict.REFUSED,
    }


def test_an_order_is_never_retained(net: Net) -> None:
    net.headend.publish_order(FLOOD, ["ward-emergency"])
    station, client = net.station()  # subscribes after it
    client.publish(*station.hello())
    assert client.next()[0] == "loa/1/d/tram-01/welcome"


def test_an_order_that_nobody_listens_for_is_told_and_an_expired_one_is_not_sent(net: Net) -> None:
    finished, envelope = net.headend.compose(FLOOD, ["ward-emergency"])
    assert net.headend.publish(envelope) == (Receipt.NOBODY_LISTENS,)
    late = Headend(net.keyring, BrokerAddress("localhost", 1), net.records, clock=lambda: finished.job.not_after)
    with pytest.raises(SigningError, match="hết hiệu lực"):
        late.publish(envelope)


def test_a_queued_order_does_not_outlive_its_validity(net: Net) -> None:
    station, client = net.station()
    client.close()
    net.headend.publish_raw(b"old", "loa/1/d/tram-01/job", expiry=1)
    net.headend.publish_raw(b"new", "loa/1/d/tram-01/job", expiry=600)
    # Longer than the first one's validity: the broker has no clock that a test could turn.
    assert not net.headend.wait_for(lambda: False, 3)
    _, back = net.station()
    assert back.next() == ("loa/1/d/tram-01/job", b"new")
    assert station.station == "tram-01"


def test_a_topic_that_the_access_list_forbids_is_told(net: Net) -> None:
    with pytest.raises(PublishError, match="access list"):
        net.headend.publish_raw(b"x", "loa/1/u/tram-01/state")


def test_a_station_that_vanishes_is_seen_by_its_will(net: Net) -> None:
    lost = FakeStation(FileKey(net.keyring.folder("tram-01").sign).open()).state(
        replace(STATE, online=False, why=Why.CONNECTION_LOST)
    )
    station, client = net.station(will=lost)
    client.publish(*station.state(), retain=True)
    assert net.headend.wait_for(lambda: _online(net.headend) is True, TIMEOUT_S)
    client.break_off()
    assert net.headend.wait_for(lambda: _online(net.headend) is False, TIMEOUT_S)
    assert net.headend.states[StationId("tram-01")].why is Why.CONNECTION_LOST


def test_a_retained_state_is_known_to_a_headend_that_comes_later(net: Net) -> None:
    station, client = net.station()
    client.publish(*station.state(), retain=True)
    net.headend.stop()
    with net.new_headend() as again:
        assert again.wait_for(lambda: _online(again) is True, TIMEOUT_S)


def test_a_stranger_with_a_stations_certificate_but_not_its_key_gets_no_answer(net: Net) -> None:
    station, client = net.station()
    client.publish(*FakeStation(new_signer()).hello())
    assert net.headend.wait_for(lambda: len(net.headend.noted) >= 2, TIMEOUT_S)
    (unheard,) = [one for one in net.headend.noted if isinstance(one, Unheard)]
    assert (unheard.station, unheard.doubt) == ("tram-01", Doubt.FORGED)
    client.publish(*station.hello())
    assert client.next()[0] == "loa/1/d/tram-01/welcome"
    assert client.arrived.empty()


def test_the_headend_comes_back_after_a_restart_of_the_broker(net: Net) -> None:
    net.broker.restart()
    station, client = net.station()
    station.play(RECORD)

    def kept() -> bool:
        """What nobody has acknowledged is sent again, as a station does: the headend may have come back after it."""
        client.publish(*station.log())
        return net.headend.wait_for(lambda: any(isinstance(one, Kept) for one in net.headend.noted), 1)

    assert any(kept() for _ in range(TIMEOUT_S))
    assert isinstance(net.judged(client.next()), LogAck)


@pytest.mark.parametrize("told", [True, False])
def test_what_cannot_be_told_of_one_station_leaves_no_other_one_unanswered(net: Net, told: bool) -> None:
    net.headend.stop()
    seen: list[Shown] = []

    def tell(shown: Shown) -> None:
        seen.append(shown)
        if isinstance(shown, Kept) or (isinstance(shown, Untold) and not told):
            raise OverflowError("int too large to convert to float\x1b[2J")

    (thief, its), (honest, client) = net.station("tram-01"), net.station("tram-02")
    thief.play(RECORD)
    with net.new_headend(tell) as headend:
        its.publish(*thief.log())
        assert isinstance(net.judged(its.next()), LogAck)
        client.publish(*honest.hello())
        assert isinstance(net.judged(client.next(), "tram-02"), Welcome)
        assert not headend.ended
    (untold,) = [one for one in seen if isinstance(one, Untold)]
    assert (untold.station, untold.what) == ("tram-01", "kept")
    assert "OverflowError" in untold.detail
    assert untold.detail.isprintable()


def test_what_one_station_says_at_length_is_remembered_within_a_bound_of_bytes(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    station, client = net.station()
    _, state = station.state()
    monkeypatch.setattr(headend_module, "NOTED_BYTES_MAX", 10 * len(state))
    for _ in range(50):
        client.publish(*station.state())
    client.publish(*station.answer(Verdict.ACCEPTED, "the-last"))
    assert net.headend.wait_for(lambda: bool(net.headend.answers("the-last")), TIMEOUT_S)
    assert 9 <= len(net.headend.noted) <= 11
    assert net.headend.states[StationId("tram-01")] is not None


def test_a_second_headend_does_not_fight_for_the_session(net: Net) -> None:
    with net.new_headend() as second:
        assert net.headend.wait_for(lambda: net.headend.ended != "", TIMEOUT_S)
        assert net.headend.ended == "another client uses our certificate"
        with pytest.raises(PublishError, match="another client"):
            net.headend.publish_raw(b"x", "loa/1/d/tram-01/job")
        # Longer than the first one would wait before it came back.
        assert not second.wait_for(lambda: any(isinstance(one, LinkDown) for one in second.noted), 3)
        station, client = net.station()
        client.publish(*station.hello())
        assert isinstance(net.judged(client.next()), Welcome)


def test_a_broker_that_is_not_there_is_named(net: Net, tmp_path: Path) -> None:
    nowhere = Headend(net.keyring, BrokerAddress("localhost", 1), tmp_path / "other")
    with pytest.raises(PublishError, match="localhost:1"):
        nowhere.start(timeout_s=2)


def test_altered_bytes_of_a_job_are_a_stations_to_refuse(net: Net) -> None:
    _, client = net.station()
    _, envelope = net.headend.compose(FLOOD, ["ward-emergency"])
    net.headend.publish_raw(envelope.replace(b'"sig":"', b'"sig":"AAAA', 1), "loa/1/d/tram-01/job", 600)
    assert isinstance(net.judged(client.next()), Rejected)


def _online(headend: Headend) -> bool | None:
    presence = headend.presence("tram-01")
    return None if presence is None else presence.online
