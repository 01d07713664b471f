"""A real broker, and each way in which a certificate or a clock is the reason: the log names it, in both languages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import Connected, Event
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.pki import Issued, create_authority, issue_client, issue_server
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.tls_trouble import WORDS, Kind, TlsTrouble
from tests.host.broker import Network, running_broker
from tests.host.parts import needs

pytestmark = [pytest.mark.host, needs("mosquitto")]

STATION = "dt-01"
END_S = 30
# Only bounds a hanging test.


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_broker(tmp_path_factory.mktemp("broker"), {STATION: "vn"}) as made:
        yield made


def now(days: float = 0, source: ClockSource = ClockSource.NTP) -> Now:
    return Now(boot_ms(), UtcMs(int(system_utc_ms() + days * DAY_MS)), source, 0)


def client(network: Network, folder: Path, days: float = 0) -> Issued:
    return issue_client(network.authority, folder, STATION, datetime.now(UTC) + timedelta(days=days))


def ended(network: Network, clock: Now, *, named: bool = True, **changes: object) -> TlsTrouble | None:
    """What an attempt ended with: the first one that has a name, for an alert may be lost with its line."""
    told: list[TlsTrouble | None] = []
    heard = threading.Event()

    def hear(trouble: TlsTrouble | None) -> None:
        told.append(trouble)
        if trouble is not None or not named:
            heard.set()

    settings = network.settings(STATION, **changes)
    session = MqttSession(settings, lambda event: None, lambda: clock, lambda: b"{}", hear)
    session.start()
    assert heard.wait(END_S)
    session.stop()
    return next((trouble for trouble in told if trouble is not None), None)  # behind it may be one more attempt


def assert_told(trouble: TlsTrouble | None, kind: Kind, what: str, caplog: pytest.LogCaptureFixture) -> None:
    assert trouble is not None
    assert (trouble.kind, what in trouble.what) == (kind, True), trouble
    lines = [record.getMessage() for record in caplog.records if "event=disconnected" in record.getMessage()]
    assert any(f"{kind}: {trouble.vi} / {trouble.en}" in line for line in lines)


def identity(issued: Issued) -> dict[str, object]:
    return {"cert_file": issued.certificate, "show": TlsKey(issued.key).show}


def test_an_expired_certificate_that_the_broker_refuses(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = ended(network, now(), **identity(client(network, tmp_path, days=-900)))
    assert_told(trouble, Kind.OURS_REFUSED, "CERTIFICATE_EXPIRED", caplog)
    assert trouble is not None
    assert trouble.asks_for_renewal


def test_a_certificate_of_the_future_that_the_broker_refuses(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = ended(network, now(), **identity(client(network, tmp_path, days=900)))
    assert_told(trouble, Kind.OURS_REFUSED, "CERTIFICATE", caplog)
    assert trouble is not None
    assert not trouble.asks_for_renewal  # a new one would begin as late


def test_a_certificate_of_another_authority_that_the_broker_refuses(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = issue_client(create_authority(tmp_path / "ca", "stranger"), tmp_path / "clients", STATION)
    trouble = ended(network, now(), **identity(stranger))
    assert_told(trouble, Kind.OURS_REFUSED, "UNKNOWN_CA", caplog)
    assert trouble is not None
    assert not trouble.asks_for_renewal


def test_a_broker_of_another_authority(network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = create_authority(tmp_path / "ca", "other")
    trouble = ended(network, now(), ca_file=other.path)
    assert_told(trouble, Kind.OTHER_AUTHORITY, "self-signed", caplog)


def test_a_broker_whose_certificate_is_for_another_name(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = issue_server(network.authority, tmp_path / "server", "elsewhere")
    setup = BrokerSetup(tmp_path / "broker", network.authority.path, server, {STATION: "vn"}, host="127.0.0.2")
    with Mosquitto(setup) as elsewhere:
        trouble = ended(network, now(), host="127.0.0.2", port=elsewhere.port)
    assert_told(trouble, Kind.OTHER_NAME, "127.0.0.2", caplog)


def test_a_clock_that_is_behind_is_the_reason_and_says_what_it_shows(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = ended(network, Now(boot_ms(), UtcMs(0), ClockSource.RTC, 0))
    assert_told(trouble, Kind.SERVER_NOT_YET, "1970-01-01 00:00 UTC", caplog)


def test_a_servers_certificate_that_has_expired_by_our_clock(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = ended(network, now(days=4_000))
    end = datetime.now(UTC) + timedelta(days=825)
    assert_told(trouble, Kind.SERVER_EXPIRED, f"{end:%Y-}", caplog)


def test_a_broker_that_is_down_is_no_matter_of_certificates(network: Network) -> None:
    assert ended(network, now(), named=False, port=1) is None


def test_a_good_certificate_connects_and_nothing_is_told(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    up = threading.Event()
    told: list[object] = []

    def post(event: Event) -> None:
        if isinstance(event, Connected):
            up.set()

    session = MqttSession(network.settings(STATION), post, now, lambda: b"{}", told.append)
    session.start()
    assert up.wait(END_S)
    session.stop()
    assert told == []


def test_every_kind_has_words_and_a_remedy_in_both_languages() -> None:
    for kind in Kind:
        words = WORDS[kind]
        assert all((words.vi, words.en, words.remedy_vi, words.remedy_en))
        assert (words.vi.count("{}"), words.en.count("{}")) == (1, 1)
