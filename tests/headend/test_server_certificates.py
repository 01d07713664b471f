"""Which of the servers' own certificates are due, which end soon, and that a renewal loses none and no name."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from edge_agent.core.units import DAY_MS, SECOND_MS, UtcMs
from edge_agent.headend import pki
from edge_agent.headend.server_certificates import (
    ALL,
    AUTHORITY,
    BROKER,
    OF_CLIENTS,
    OF_SERVERS,
    find,
    renew,
    renew_due,
    replace,
)
from tests.headend.cut_short import at_the_file

MADE = datetime(2026, 10, 6, 3, 0, tzinfo=UTC)
LAST_THIRD = pki.LEAF_DAYS * 2 // 3


def day(number: int) -> UtcMs:
    """So many days after they were made."""
    return UtcMs(int((MADE + timedelta(days=number)).timestamp()) * SECOND_MS)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    authority = pki.create_authority(tmp_path / "pki", "demo", MADE)
    for name in OF_SERVERS:
        pki.issue_server(authority, tmp_path / "pki", name, ["mqtt.example.vn"], MADE)
    for name in OF_CLIENTS:
        pki.issue_client(authority, tmp_path / "clients", name, MADE)
    return tmp_path


def end_of(network: Path, name: str) -> UtcMs:
    found = find(network, name)
    assert found is not None
    return found.ends


def test_each_certificate_of_a_network_tells_its_end_and_servers_their_names(network: Path) -> None:
    named = ("localhost", "127.0.0.1", "mqtt.example.vn")
    for name in ALL:
        one = find(network, name)
        assert one is not None
        assert one.ends == day(pki.AUTHORITY_DAYS if name == AUTHORITY else pki.LEAF_DAYS)
        assert one.hosts == (named if name in OF_SERVERS else ())


@pytest.mark.parametrize("name", [*OF_SERVERS, *OF_CLIENTS])
def test_one_is_due_in_its_last_third_and_not_before(network: Path, name: str) -> None:
    assert renew_due(network, name, day(LAST_THIRD)) is None
    assert end_of(network, name) == day(pki.LEAF_DAYS)
    new = renew_due(network, name, day(LAST_THIRD + 1))
    assert new is not None
    assert new.ends == end_of(network, name) == day(LAST_THIRD + 1 + pki.LEAF_DAYS)


def test_in_ten_years_each_is_renewed_a_handful_of_times_and_never_ends_before_the_authority(network: Path) -> None:
    # It keeps its beginning, so a third of its life would be more each time, and in the end every day.
    renewed = 0
    for number in range(0, pki.AUTHORITY_DAYS, 7):
        renewed += renew_due(network, BROKER, day(number)) is not None
        assert day(number) < end_of(network, BROKER)
    assert end_of(network, BROKER) == end_of(network, AUTHORITY)
    assert renewed == 6


def test_in_fifty_years_none_ends_and_each_station_has_the_next_authority_before_the_last_one_ends(
    network: Path,
) -> None:
    ends, renewed = {end_of(network, AUTHORITY)}, 0
    for number in range(0, 5 * pki.AUTHORITY_DAYS, 7):
        for name in (AUTHORITY, *OF_SERVERS, *OF_CLIENTS):
            renewed += renew_due(network, name, day(number)) is not None and name == AUTHORITY
            assert day(number) < end_of(network, name)
        left = end_of(network, AUTHORITY) - day(number)
        # A certificate that is made today is not cut short, and whoever asks for one in its last third learns of it.
        assert left >= (pki.LEAF_DAYS - 7) * DAY_MS
        ends.add(end_of(network, AUTHORITY))
    assert len(ends) == 1 + renewed
    assert renewed == 6


def test_the_authority_is_renewed_only_when_it_is_due(network: Path) -> None:
    assert renew_due(network, AUTHORITY, day(pki.AUTHORITY_DAYS - pki.LEAF_DAYS)) is None
    assert renew_due(network, AUTHORITY, day(pki.AUTHORITY_DAYS - pki.LEAF_DAYS + 1)) is not None


@pytest.mark.parametrize(("name", "days_before"), [(BROKER, 60), (OF_CLIENTS[0], 60), (AUTHORITY, 365)])
def test_what_ends_soon_is_told_in_time_to_do_something(network: Path, name: str, days_before: int) -> None:
    one = find(network, name)
    assert one is not None
    assert not one.ends_soon(UtcMs(one.ends - days_before * DAY_MS))
    assert one.ends_soon(UtcMs(one.ends - days_before * DAY_MS + 1))


def test_a_name_more_is_for_servers_alone(network: Path) -> None:
    for name in (*OF_SERVERS, *OF_CLIENTS):
        renew(network, name, day(1), ["mqtt.moi.vn"])
    for name in OF_SERVERS:
        assert pki.names_in(network / "pki" / f"{name}.pem")[-1] == "mqtt.moi.vn"
    for name in OF_CLIENTS:
        assert pki.names_in(network / "clients" / f"{name}.pem") == (name,)


def test_of_many_who_add_a_name_at_once_none_is_lost(network: Path) -> None:
    hosts = [f"mqtt-{number}.example.vn" for number in range(12)]
    adding = [threading.Thread(target=renew, args=(network, BROKER, day(1), [host])) for host in hosts]
    for one in adding:
        one.start()
    for one in adding:
        one.join()
    assert set(hosts) < set(pki.names_in(network / "pki" / "broker.pem"))


def test_what_was_not_copied_to_this_machine_is_not_here(network: Path) -> None:
    (network / "clients" / "publisher.pem").unlink()
    assert find(network, "publisher") is None
    assert renew(network, "publisher", day(700)) is None
    assert renew_due(network, "publisher", day(700)) is None
    (network / "pki" / "ca.key").unlink()  # as where `content` runs
    with pytest.raises(pki.PkiError, match=r"a copied folder has no ca\.key"):
        renew(network, "content", day(700))


def test_a_damaged_certificate_is_named_and_stays_as_it_is(network: Path) -> None:
    broken = network / "pki" / "broker.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    before = broken.read_bytes()
    for do in (lambda: find(network, BROKER), lambda: renew(network, BROKER, day(700))):
        with pytest.raises(pki.PkiError, match=rf"{broken}.*is damaged; restore it"):
            do()
    assert broken.read_bytes() == before


@pytest.mark.parametrize("name", OF_CLIENTS)
def test_with_a_clients_key_all_that_it_ever_had_is_taken_back(network: Path, name: str) -> None:
    # Its thief has copied the certificate of that day, which a renewal leaves good until its end.
    file = network / "clients" / f"{name}.pem"
    had = [serial(file)]
    for number in (300, 600):
        renew(network, name, day(number))
        had.append(serial(file))
    key = file.with_suffix(".key").read_bytes()
    new = replace(network, name, day(700))
    assert new is not None
    assert new.ends == day(700 + pki.LEAF_DAYS)
    assert set(had) == set(pki.taken_back(network / "pki"))
    assert serial(file) not in had
    assert file.with_suffix(".key").read_bytes() != key
    renew(network, name, day(1_000))
    replace(network, name, day(1_001))
    assert len(pki.taken_back(network / "pki")) == 5  # the first three have nothing to do with this key


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_a_replacement_that_was_cut_short_is_repeated_and_takes_the_old_one_back(
    network: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    old, wrote = serial(network / "clients" / "publisher.pem"), at_the_file(cut_at, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        replace(network, "publisher", day(1))
    assert wrote == ["crl.pem", "publisher.key", "publisher.pem"][:cut_at]
    replace(network, "publisher", day(1))
    assert old in pki.taken_back(network / "pki")
    identity = network / "clients" / "publisher.pem", network / "clients" / "publisher.key"
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(*identity)
    assert serial(identity[0]) not in pki.taken_back(network / "pki")


def serial(file: Path) -> int:
    return x509.load_pem_x509_certificate(file.read_bytes()).serial_number
