"""Who answers a station: agent, device process, clock and broker, each by a real line, or a finding with its remedy."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.cli import check_talk
from edge_agent.cli.finding import Finding
from edge_agent.console.catalogue import ABSENCES
from edge_agent.console.status import Absence, read_status
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.reasons import Reason
from edge_agent.core.units import UtcMs
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.pki import create_authority, issue_client, issue_server, load_authority
from edge_agent.software import software
from edge_agent.sync import resolving
from tests.cli.findings import (
    EARLIER,
    LATER,
    LOST,
    NOW,
    assert_fault,
    assert_well,
    needs_broker,
)
from tests.cli.stations import AREA, STATION, StationRig, make_station
from tests.console.pictures import picture
from tests.host.tls_records import Records
from tests.identity.street import Office, office

ROUND_TRIP_S = 0.5


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    """A station whose files no test changes."""
    return make_station(tmp_path_factory.mktemp("station"))


def test_the_agent_that_runs_and_the_one_that_does_not() -> None:
    assert_well(check_talk.agent(read_status(picture())))
    assert_fault(check_talk.agent(read_status(picture(welcomed=False))), "NOT answered", "tell whoever runs the server")
    for waits in (Reason.NOT_WELCOMED, Reason.TRUST_BEHIND):
        found = check_talk.agent(read_status(picture(waits=waits)))
        assert_fault(found, "new orders WAIT", "tell whoever runs the server")
    assert_well(check_talk.agent(read_status(picture(waits=Reason.CLOCK_NOT_TRUSTED))))  # the clock has its own line
    assert_fault(check_talk.agent(read_status(picture(online=False))), "NOT connected now", "journalctl -u edge-agent")
    for absence in Absence:
        found = check_talk.agent(absence)
        assert found.fault
        assert found.seen.startswith(ABSENCES[absence][0].vi)


def test_what_was_installed_and_does_not_run_yet_is_told() -> None:
    """An update that nobody has restarted for: until then the old software runs on."""
    seen = read_status(picture())
    older = check_talk.agent(replace(seen, software="edge-agent 0.1.0+00000000"))
    assert "edge-agent 0.1.0+00000000 is running" in older.seen
    assert f"{software()} đã cài, khởi động lại để dùng / is installed, restart to use it" in older.seen
    assert_well(older)
    assert "is installed" not in check_talk.agent(replace(seen, software=software())).seen


def test_what_manifests_a_station_has_and_what_it_lacks(shared: StationRig) -> None:
    config = shared.config
    assert "no [content] home" in check_talk.manifests(config, Absence.NOT_RUNNING).seen
    config = replace(config, content=replace(config.content, home="https://home.example"))
    well = ScopeStatus("area/vn", 1, 7, UtcMs(1), 0, None)
    assert_well(check_talk.manifests(config, Absence.NOT_RUNNING))
    assert_well(check_talk.manifests(config, read_status(picture(manifests=(well,)))))
    lacks = replace(well, lacking=2, reason=Reason.MANIFEST_UNREACHABLE)
    found = check_talk.manifests(config, read_status(picture(manifests=(well, lacks))))
    assert_fault(found, "area/vn: thiếu 2 lệnh (không tải được bản kê lệnh", "check the network")


def test_of_a_manifest_that_has_not_come_yet_nobody_is_told_that_nothing_is_lacking(shared: StationRig) -> None:
    config = replace(shared.config, content=replace(shared.config.content, home="https://home.example"))
    here, none_yet = ScopeStatus("area/vn", 1, 7, UtcMs(1), 0, None), ScopeStatus("station/a", 0, 0, UtcMs(0), 0, None)
    found = check_talk.manifests(config, read_status(picture(manifests=(here, none_yet))))
    assert_well(found)
    assert found.seen == "https://home.example: not yet come: station/a"


@pytest.mark.parametrize(("up", "fault"), [(True, False), (False, True), (None, True)])
def test_the_device_process_that_runs_and_the_one_that_does_not(up: bool | None, fault: bool) -> None:
    assert check_talk.device(up).fault is fault


def test_a_clock_that_is_trusted(shared: StationRig) -> None:
    assert_well(check_talk.clock(shared.config, NOW))
    assert_fault(check_talk.clock(shared.config, replace(NOW, max_error_ms=121_000)), "NOT TRUSTED", "check network")
    disputed = replace(NOW, source=ClockSource.DISPUTED)
    assert_fault(check_talk.clock(shared.config, disputed), "NOT TRUSTED", "tell the centre")


@pytest.mark.parametrize("source", [ClockSource.UNSET, ClockSource.FLOOR])
def test_a_time_that_may_be_far_behind_is_shown_without_a_bound(source: ClockSource, shared: StationRig) -> None:
    assert "error at most" not in check_talk.clock(shared.config, replace(NOW, source=source, max_error_ms=0)).seen


def ask(station: StationRig, port: int, now: Now = NOW, host: str = "localhost") -> Finding:
    broker = replace(station.config.broker, port=port, host=host)
    return check_talk.broker(replace(station.config, broker=broker), now, key_usable=True)


@contextmanager
def answering(
    talk: ssl.SSLContext | bytes, then: Callable[[ssl.SSLSocket], object] = lambda tls: tls.recv(1)
) -> Iterator[int]:
    """A server that shakes hands and waits, or does something else ``then``, or says some bytes that are no TLS."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        done = threading.Event()

        def serve() -> None:
            line, _ = server.accept()
            with line:
                if isinstance(talk, bytes):
                    line.sendall(talk)
                    done.wait(30)
                    return
                try:
                    with talk.wrap_socket(line, server_side=True) as tls:
                        then(tls)
                except OSError:
                    pass  # the station did not like us

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(30)


def stranger(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that the station has no reason to trust."""
    authority = create_authority(folder / "stranger", "stranger")
    server = issue_server(authority, folder / "server", "broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    return context


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the broker is, its refusal is heard; where none comes this would only be waited for."""
    monkeypatch.setattr(check_talk, "REFUSAL_S", 60)


@pytest.mark.host
@needs_broker
def test_a_broker_that_takes_our_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    keyring = station.keyring
    setup = BrokerSetup(tmp_path / "broker", keyring.authority_path, keyring.server("broker"), {STATION: AREA})
    with Mosquitto(setup) as mosquitto:
        finding = ask(station, mosquitto.port)
        assert_well(finding)
        assert "TLSv1.3" in finding.seen
        assert_fault(
            ask(station, mosquitto.port, LATER), "server's certificate expired on", "tell the broker's operator"
        )
        assert_fault(
            ask(station, mosquitto.port, EARLIER), "the station's clock says 1970-01-01", "set the clock right"
        )
        assert_well(ask(station, mosquitto.port, LOST))


def test_a_broker_that_sends_records_without_end_is_not_said_to_refuse_our_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    identity, keys = station.keyring.server("broker"), tmp_path / "keys"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    context.num_tickets, context.keylog_filename = 0, str(keys)

    def flood(tls: ssl.SSLSocket) -> None:
        records = Records(tls, keys)
        for _ in range(10):
            records.write(records.tickets())
        records.let_go()

    with answering(context, flood) as port:
        assert_fault(ask(station, port), "TLS sends without end", "check the port")


@pytest.mark.parametrize("tickets", [0, 2])
def test_a_broker_that_has_taken_our_certificate_and_then_ends_is_not_said_to_refuse_it(
    tmp_path: Path, tickets: int
) -> None:
    """A broker may have no patience with who says nothing; told to enrol anew, a technician would reset a good box."""
    station = make_station(tmp_path)
    identity = station.keyring.server("broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    context.load_verify_locations(station.keyring.authority_path)
    context.verify_mode, context.num_tickets = ssl.CERT_REQUIRED, tickets
    with answering(context, lambda tls: None) as port:
        finding = ask(station, port)
    if tickets:
        assert_well(finding)
    else:
        assert_fault(finding, "it hung up at once", "enrol")


@pytest.mark.host
@pytest.mark.usefixtures("patient")
@needs_broker
def test_a_broker_that_refuses_our_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    keyring = station.keyring
    setup = BrokerSetup(tmp_path / "broker", keyring.authority_path, keyring.server("broker"), {STATION: AREA})
    other = issue_client(create_authority(tmp_path / "ca", "other"), tmp_path / "other", STATION)
    broker = replace(station.config.broker, cert_file=other.certificate, key_file=other.key)
    with Mosquitto(setup) as mosquitto:
        finding = ask(replace(station, config=replace(station.config, broker=broker)), mosquitto.port)
    assert_fault(finding, "the broker refused the station's certificate", "enrol with a new code")
    assert "máy chủ không nhận chứng thư của trạm" in finding.seen


def test_a_refusal_is_waited_for_as_long_as_the_line_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes a round trip behind the handshake: over 2G doctor called a certificate well that was refused."""
    monkeypatch.setattr(check_talk, "REFUSAL_S", 0.01)
    station = make_station(tmp_path)
    identity = station.keyring.server("broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    context.num_tickets = 0
    context.sni_callback = lambda *_: time.sleep(ROUND_TRIP_S)
    with answering(context, lambda _: time.sleep(ROUND_TRIP_S)) as port:
        assert_fault(ask(station, port), "it hung up at once", "enrol")


@pytest.mark.host
@pytest.mark.usefixtures("patient")
@needs_broker
@pytest.mark.parametrize(
    ("days", "vi", "en", "remedy"),
    [
        (-900, "chứng thư của trạm đã hết hạn ngày 20", "station's certificate expired on 20", "edge-agent renew"),
        (900, "chưa đến ngày có hiệu lực: đồng hồ của trạm", "not yet valid: the station's clock says 20", "the clock"),
    ],
)
def test_a_broker_that_refuses_our_certificate_for_its_dates_says_so_by_day_and_clock(
    tmp_path: Path, days: int, vi: str, en: str, remedy: str
) -> None:
    station = make_station(tmp_path)
    keyring = station.keyring
    setup = BrokerSetup(tmp_path / "broker", keyring.authority_path, keyring.server("broker"), {STATION: AREA})
    at = datetime.now(UTC) + timedelta(days=days)
    wrong = issue_client(load_authority(keyring.directory / "pki"), tmp_path / "wrong", STATION, at)
    broker = replace(station.config.broker, cert_file=wrong.certificate, key_file=wrong.key)
    with Mosquitto(setup) as mosquitto:
        finding = ask(replace(station, config=replace(station.config, broker=broker)), mosquitto.port)
    assert_fault(finding, vi, remedy)
    assert en in finding.seen


@pytest.mark.host
@needs_broker
def test_a_broker_whose_certificate_does_not_name_the_host(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    keyring = station.keyring
    setup = BrokerSetup(
        tmp_path / "broker", keyring.authority_path, keyring.server("broker"), {STATION: AREA}, host="127.0.0.2"
    )
    with Mosquitto(setup) as mosquitto:
        finding = ask(station, mosquitto.port, host="127.0.0.2")
    assert_fault(finding, "the name does not match", "correct [broker] host")
    assert "không ghi tên 127.0.0.2" in finding.seen


def test_a_broker_of_another_authority_is_not_ours(shared: StationRig, tmp_path: Path) -> None:
    with answering(stranger(tmp_path)) as port:
        finding = ask(shared, port)
    assert_fault(finding, "of another authority (unable to get local issuer", "this is not the system's broker")
    assert "chứng thư của máy chủ do nơi khác cấp" in finding.seen


@pytest.mark.parametrize("over_tls", [True, False])
def test_who_answers_for_a_sim_without_credit_sends_nobody_for_another_code_before_the_sim_was_looked_at(
    shared: StationRig, tmp_path: Path, over_tls: bool
) -> None:
    """No station is enrolled over such a line, and the code that was given out for it is lost in 72 hours."""
    page = b"HTTP/1.1 302 Found\r\nLocation: http://nap-tien.example.vn/\r\n\r\n"
    with answering(stranger(tmp_path) if over_tls else page) as port:
        finding = ask(shared, port)
    assert finding.remedy is not None
    assert (finding.remedy.vi.startswith("xem SIM"), finding.remedy.en.startswith("look at the SIM")) == (True, True)


def renewed_at(station: StationRig, url: str) -> Finding:
    config = station.config
    return check_talk.renewals(replace(config, enrolment=replace(config.enrolment, url=url)))


def test_where_certificates_are_renewed_is_looked_at_as_a_renewal_will(tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        station = make_station_of(tmp_path, ward)
        assert_well(renewed_at(station, ward.url))
        assert ward.said == []
    assert_well(renewed_at(station, ""))
    assert_fault(renewed_at(station, ward.url), f"[enrolment] url {ward.url}", "`enrolment` must run")
    assert_fault(renewed_at(station, "mqtt.example.vn"), "an address such as", "[enrolment] url")


def test_a_place_of_renewals_by_a_name_that_its_certificate_has_not_is_told_with_those_that_it_has(
    tmp_path: Path,
) -> None:
    with office(tmp_path, host="127.0.0.2") as ward:
        station = make_station_of(tmp_path, ward)
        finding = renewed_at(station, f"https://127.0.0.2:{ward.server.port}")
    assert_fault(finding, "không ghi tên 127.0.0.2", "certificate's names: localhost, 127.0.0.1")


def test_a_place_of_renewals_of_another_authority_is_not_ours(shared: StationRig, tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        assert_fault(renewed_at(shared, ward.url), "of another authority", "this is not the system's broker")


def make_station_of(folder: Path, ward: Office) -> StationRig:
    """One that trusts that office's authority."""
    station = make_station(folder / "station")
    broker = replace(station.config.broker, ca_file=ward.keyring.authority_path)
    return replace(station, config=replace(station.config, broker=broker))


def test_a_port_that_speaks_no_tls(shared: StationRig) -> None:
    with answering(b"220 mail.example ESMTP\r\n") as port:
        assert_fault(ask(shared, port), "TLS:", "check the port")


def test_a_port_where_nobody_listens(shared: StationRig) -> None:
    with closing(socket.socket()) as dead:
        dead.bind(("127.0.0.1", 0))  # and it does not listen: refused, and nobody else's meanwhile
        assert_fault(ask(shared, dead.getsockname()[1]), "refused", "firewall")


def test_a_host_that_no_name_server_knows(shared: StationRig) -> None:
    assert_fault(ask(shared, 8883, host="nowhere.invalid"), "nowhere.invalid:8883", "DNS")


def test_a_name_server_that_holds_the_question_holds_no_technician(
    shared: StationRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "ASK", (sys.executable, "-c", "import time; time.sleep(3_600)"))
    monkeypatch.setattr(check_talk, "CONNECT_S", 0.5)
    assert_fault(ask(shared, 8883, host="broker.example"), "no answer within 0.5 s", "DNS")


def test_a_broker_is_not_asked_without_usable_certificates(shared: StationRig, tmp_path: Path) -> None:
    unusable = check_talk.broker(shared.config, NOW, key_usable=False)
    assert_fault(unusable, "not tried", "certificates and key")
    broker = replace(shared.config.broker, ca_file=tmp_path / "gone.pem")
    gone = check_talk.broker(replace(shared.config, broker=broker), NOW, key_usable=True)
    assert_fault(gone, "gone.pem: No such file", "certificates and key")
