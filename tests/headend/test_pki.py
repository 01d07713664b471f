"""Certificates: whose they are, what they are for, how long they overlap, and who may read the keys."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.headend import pki
from tests.headend.cut_short import at_the_file

Extension = TypeVar("Extension", bound=x509.ExtensionType)

NOW = datetime(2026, 10, 6, 3, 0, tzinfo=UTC)


def certificate(issued: pki.Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.read_bytes())


def extension(made: x509.Certificate, kind: type[Extension]) -> Extension:
    """What it says of that kind; every reader must heed it."""
    found = made.extensions.get_extension_for_class(kind)
    assert found.critical
    return found.value


@pytest.fixture
def authority(tmp_path: Path) -> pki.Authority:
    return pki.create_authority(tmp_path / "pki", "demo", NOW)


def test_a_client_certificate_carries_the_id_and_may_only_be_a_client(authority: pki.Authority, tmp_path: Path) -> None:
    made = certificate(pki.issue_client(authority, tmp_path / "clients", "tram-01", NOW))
    assert [name.value for name in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["tram-01"]
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    made.verify_directly_issued_by(authority.certificate)


def test_a_server_certificate_names_localhost_its_address_and_every_given_host(
    authority: pki.Authority, tmp_path: Path
) -> None:
    made = certificate(pki.issue_server(authority, tmp_path, "broker", ["mqtt.example.vn", "10.0.0.7"], NOW))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "mqtt.example.vn"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("10.0.0.7"),
    ]


def test_a_renewed_certificate_and_the_old_one_are_both_good_for_months(
    authority: pki.Authority, tmp_path: Path
) -> None:
    old = certificate(pki.issue_client(authority, tmp_path, "tram-01", NOW))
    year_later = NOW + timedelta(days=400)
    new = certificate(pki.issue_client(authority, tmp_path, "tram-01", year_later))
    assert new.not_valid_before_utc < year_later < old.not_valid_after_utc < new.not_valid_after_utc


def test_a_certificate_begins_early_for_a_box_whose_clock_is_behind(authority: pki.Authority, tmp_path: Path) -> None:
    made = certificate(pki.issue_client(authority, tmp_path, "tram-01", NOW))
    assert made.not_valid_before_utc == NOW - timedelta(days=1)


def test_no_certificate_outlives_its_authority(authority: pki.Authority, tmp_path: Path) -> None:
    late = authority.certificate.not_valid_after_utc - timedelta(days=10)
    assert certificate(pki.issue_client(authority, tmp_path, "tram-01", late)).not_valid_after_utc == (
        authority.certificate.not_valid_after_utc
    )


def test_keys_and_their_directories_are_for_their_owner_only(authority: pki.Authority, tmp_path: Path) -> None:
    issued = pki.issue_client(authority, tmp_path / "clients", "tram-01", NOW)
    for key in (tmp_path / "pki" / "ca.key", issued.key):
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_station_is_given_makes_no_certificates(authority: pki.Authority, tmp_path: Path) -> None:
    # Or whoever stole one card could make a headend of his own, which every broker would believe.
    assert extension(authority.certificate, x509.BasicConstraints) == x509.BasicConstraints(ca=True, path_length=0)
    for made in (pki.issue_client(authority, tmp_path, "tram-01"), pki.issue_server(authority, tmp_path, "broker")):
        assert extension(certificate(made), x509.BasicConstraints) == x509.BasicConstraints(ca=False, path_length=None)
        usage = extension(certificate(made), x509.KeyUsage)
        assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)


def test_a_second_authority_never_replaces_the_first(authority: pki.Authority, tmp_path: Path) -> None:
    before = (tmp_path / "pki" / "ca.key").read_bytes()
    with pytest.raises(pki.PkiError, match="lock every station out"):
        pki.create_authority(tmp_path / "pki", "demo", NOW)
    assert (tmp_path / "pki" / "ca.key").read_bytes() == before


def test_a_loaded_authority_issues_what_the_made_one_vouches_for(authority: pki.Authority, tmp_path: Path) -> None:
    again = pki.load_authority(tmp_path / "pki")
    certificate(pki.issue_client(again, tmp_path, "tram-02", NOW)).verify_directly_issued_by(authority.certificate)


def test_a_missing_or_broken_authority_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(pki.PkiError, match="keys init"):
        pki.load_authority(tmp_path)
    (tmp_path / "ca.pem").write_text("nothing")
    (tmp_path / "ca.key").write_text("nothing")
    with pytest.raises(pki.PkiError, match="keys init"):
        pki.load_authority(tmp_path)


@pytest.mark.parametrize("wrong", ["", "Trạm-1", "a/b", "a" * 65, "tram-01\n", "../tram"])
def test_an_id_that_could_be_another_topic_or_file_gets_no_certificate(
    authority: pki.Authority, tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(pki.PkiError, match="a-z"):
        pki.issue_client(authority, tmp_path / "clients", wrong, NOW)
    assert not list(tmp_path.glob("clients/*"))


@pytest.mark.parametrize(
    ("made_days", "revoked_days", "then_days"), [(0, -730, 100), (0, -1_095, 100), (60, 0, 830), (0, 0, 1_000)]
)
def test_no_clock_takes_anything_off_the_list(
    authority: pki.Authority, made_days: int, revoked_days: int, then_days: int
) -> None:
    """A stolen box would have been let in again for two years."""
    made, revoked, then = (NOW + timedelta(days=days) for days in (made_days, revoked_days, then_days))
    folder = authority.path.parent
    stolen, other = (
        pki.certify_client(authority, f"dt-{at}", ec.generate_private_key(ec.SECP256R1()).public_key(), at_time)
        for at, at_time in enumerate((made, NOW))
    )
    pki.revoke(folder, [stolen], revoked)
    pki.revoke(folder, [other], then)
    assert taken_back(folder) == {stolen.serial_number, other.serial_number}


def test_an_authority_that_has_ended_certifies_nobody_and_names_the_remedy(authority: pki.Authority) -> None:
    public, end = ec.generate_private_key(ec.SECP256R1()).public_key(), authority.certificate.not_valid_after_utc
    assert pki.certify_client(authority, "dt-01", public, end - timedelta(seconds=1)).not_valid_after_utc == end
    with pytest.raises(pki.PkiError, match="`certificates renew`"):
        pki.certify_client(authority, "dt-01", public, end)


def test_what_is_taken_back_again_keeps_its_date(authority: pki.Authority) -> None:
    folder, later = authority.path.parent, NOW + timedelta(days=30)
    one, other = (
        pki.certify_client(authority, f"dt-{number}", ec.generate_private_key(ec.SECP256R1()).public_key(), NOW)
        for number in range(2)
    )
    pki.revoke(folder, [one], NOW)
    pki.revoke(folder, [one, other], later)
    assert pki.taken_back(folder) == {one.serial_number: NOW, other.serial_number: later}


def test_the_list_of_what_is_taken_back_is_good_as_long_as_its_authority(authority: pki.Authority) -> None:
    # One that ran out before would have the broker turn every station away.
    listed = x509.load_pem_x509_crl(pki.revocations(authority.path.parent).read_bytes())
    assert listed.next_update_utc == authority.certificate.not_valid_after_utc


def taken_back(folder: Path) -> set[int]:
    return {one.serial_number for one in x509.load_pem_x509_crl(pki.revocations(folder).read_bytes())}


def test_a_list_that_was_written_by_a_clock_ahead_turns_no_station_away_when_the_time_is_right(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PC that keeps local time is seven hours ahead until NTP has set it: brokers refuse a list of after now."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Ahead:
            return cls(2026, 10, 6, 10, 0, tzinfo=tz)

    monkeypatch.setattr(pki, "datetime", Ahead)
    listed = x509.load_pem_x509_crl(pki.revocations(tmp_path / "pki").read_bytes())
    assert listed.last_update_utc <= NOW


def test_who_begins_an_empty_list_loses_nothing_that_somebody_takes_back_meanwhile(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that starts for the first time, and a registrar that takes a first certificate back."""
    folder, load = authority.path.parent, pki.load_authority
    begun, taken = threading.Event(), threading.Event()

    def slowly(directory: Path) -> pki.Authority:
        if not begun.is_set():
            begun.set()
            taken.wait(0.5)
        return load(directory)

    monkeypatch.setattr(pki, "load_authority", slowly)
    given = certificate(pki.issue_client(authority, tmp_path, "tram-01"))
    broker = threading.Thread(target=pki.revocations, args=(folder,))
    broker.start()
    assert begun.wait(60)
    pki.revoke(folder, [given])
    taken.set()
    broker.join()
    assert pki.taken_back(folder).keys() == {given.serial_number}


def test_of_two_who_take_certificates_back_at_once_neither_loses_what_the_other_has_taken(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, load, both = authority.path.parent, pki.load_authority, threading.Barrier(2)

    def together(directory: Path) -> pki.Authority:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return load(directory)

    monkeypatch.setattr(pki, "load_authority", together)
    certificates = [certificate(pki.issue_client(authority, tmp_path, name)) for name in ("tram-01", "tram-02")]
    thieves = [threading.Thread(target=pki.revoke, args=(folder, [one])) for one in certificates]
    for one in thieves:
        one.start()
    for one in thieves:
        one.join()
    assert pki.taken_back(folder).keys() == {one.serial_number for one in certificates}


def test_a_damaged_list_of_what_was_taken_back_is_named(authority: pki.Authority, tmp_path: Path) -> None:
    given = certificate(pki.issue_client(authority, tmp_path, "tram-01"))
    pki.revocations(authority.path.parent).write_text("-----BEGIN X509 CRL-----")
    with pytest.raises(pki.PkiError, match=r"crl\.pem: tệp hỏng"):
        pki.revoke(authority.path.parent, [given])


def test_a_servers_new_certificate_is_of_its_key_and_names_and_one_name_more(
    authority: pki.Authority, tmp_path: Path
) -> None:
    issued = pki.issue_server(authority, tmp_path, "broker", ["mqtt.example.vn"], NOW)
    old, key = certificate(issued), issued.key.read_bytes()
    pki.renew(authority, issued, ["mqtt.example.vn", "10.0.0.7"], NOW + timedelta(days=700))
    new = certificate(issued)
    new.verify_directly_issued_by(authority.certificate)
    assert new.public_key() == old.public_key()
    assert issued.key.read_bytes() == key
    assert pki.names_in(issued.certificate) == ("localhost", "127.0.0.1", "mqtt.example.vn", "10.0.0.7")
    assert new.subject == old.subject
    assert new.serial_number != old.serial_number
    assert new.not_valid_after_utc == NOW + timedelta(days=700 + pki.LEAF_DAYS)
    for kind in (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.AuthorityKeyIdentifier):
        assert new.extensions.get_extension_for_class(kind) == old.extensions.get_extension_for_class(kind)


def test_a_clients_new_certificate_is_a_clients(authority: pki.Authority, tmp_path: Path) -> None:
    issued = pki.issue_client(authority, tmp_path, "headend", NOW)
    pki.renew(authority, issued, now=NOW + timedelta(days=900))  # it has ended
    made = certificate(issued)
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert pki.names_in(issued.certificate) == ("headend",)
    assert made.not_valid_after_utc == NOW + timedelta(days=900 + pki.LEAF_DAYS)


def test_a_certificate_that_was_renewed_by_a_clock_ahead_is_good_today(
    authority: pki.Authority, tmp_path: Path
) -> None:
    # Else the broker would show a whole ward a certificate of tomorrow, and no station would connect.
    issued = pki.issue_server(authority, tmp_path, "broker", now=NOW)
    begun = certificate(issued).not_valid_before_utc
    pki.renew(authority, issued, now=NOW + timedelta(days=3_000))
    assert certificate(issued).not_valid_before_utc == begun


def test_a_clock_behind_shortens_no_certificate(authority: pki.Authority, tmp_path: Path) -> None:
    issued = pki.issue_server(authority, tmp_path, "broker", now=NOW)
    before = issued.certificate.read_bytes()
    with pytest.raises(pki.PkiError, match=r"08/01/2029 sớm hơn hạn đang có 08/01/2029.*clock behind"):
        pki.renew(authority, issued, now=NOW - timedelta(seconds=1))
    assert issued.certificate.read_bytes() == before


def test_a_renewed_certificate_does_not_outlive_its_authority(authority: pki.Authority, tmp_path: Path) -> None:
    issued, last = pki.issue_server(authority, tmp_path, "broker", now=NOW), authority.certificate.not_valid_after_utc
    for _ in range(2):  # the second time nothing is gained, and nothing is lost
        pki.renew(authority, issued, now=last - timedelta(days=1))
        assert certificate(issued).not_valid_after_utc == last


def test_another_authoritys_certificate_is_not_renewed(authority: pki.Authority, tmp_path: Path) -> None:
    other = pki.create_authority(tmp_path / "other", "demo", NOW)  # of the same name
    issued = pki.issue_server(other, tmp_path, "broker", now=NOW)
    before = issued.certificate.read_bytes()
    with pytest.raises(pki.PkiError, match="not of this network's authority"):
        pki.renew(authority, issued, now=NOW + timedelta(days=700))
    assert issued.certificate.read_bytes() == before


def test_whoever_believes_the_old_authority_or_the_renewed_one_believes_what_either_has_signed(
    authority: pki.Authority, tmp_path: Path
) -> None:
    before = certificate(pki.issue_client(authority, tmp_path, "tram-01", NOW))
    later = NOW + timedelta(days=3_000)
    pki.renew_authority(tmp_path / "pki", later)
    renewed = pki.load_authority(tmp_path / "pki")
    after = certificate(pki.issue_client(renewed, tmp_path, "tram-02", later))
    for one in (before, after):
        for by in (authority.certificate, renewed.certificate):
            one.verify_directly_issued_by(by)
    assert renewed.certificate.not_valid_before_utc == authority.certificate.not_valid_before_utc
    assert renewed.certificate.not_valid_after_utc == later + timedelta(days=pki.AUTHORITY_DAYS)
    assert after.not_valid_after_utc > authority.certificate.not_valid_after_utc - timedelta(days=1)
    assert extension(renewed.certificate, x509.BasicConstraints).ca


@pytest.mark.parametrize("cut_at", [1, 2])
def test_the_list_of_what_is_taken_back_is_good_as_long_as_the_renewed_authority_wherever_it_was_cut_short(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """A list that has run out turns every station away."""
    folder, later = tmp_path / "pki", NOW + timedelta(days=3_000)
    pki.revoke(folder, [certificate(pki.issue_client(authority, tmp_path, "thief", NOW))], NOW)
    listed, wrote = pki.taken_back(folder), at_the_file(cut_at, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        pki.renew_authority(folder, later)
    assert wrote == ["crl.pem", "ca.pem"][:cut_at]
    pki.renew_authority(folder, later)
    ends = pki.load_authority(folder).certificate.not_valid_after_utc
    assert x509.load_pem_x509_crl((folder / "crl.pem").read_bytes()).next_update_utc == ends
    assert ends > authority.certificate.not_valid_after_utc
    assert pki.taken_back(folder) == listed


def test_what_is_taken_back_while_the_authority_is_renewed_is_listed_until_its_new_end(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, thief = tmp_path / "pki", certificate(pki.issue_client(authority, tmp_path, "thief", NOW))
    pki.revocations(folder)
    meanwhile = threading.Thread(target=pki.revoke, args=(folder, [thief], NOW))
    really = pki.write_durably

    def write(path: Path, content: bytes, mode: int = 0o600) -> None:
        if path.name == "ca.pem":
            meanwhile.start()
            meanwhile.join(0.3)
        really(path, content, mode)

    monkeypatch.setattr(pki, "write_durably", write)
    pki.renew_authority(folder, NOW + timedelta(days=3_000))
    meanwhile.join()
    ends = pki.load_authority(folder).certificate.not_valid_after_utc
    assert x509.load_pem_x509_crl((folder / "crl.pem").read_bytes()).next_update_utc == ends
    assert set(pki.taken_back(folder)) == {thief.serial_number}


def test_a_clock_behind_shortens_no_authority(authority: pki.Authority, tmp_path: Path) -> None:
    before = authority.path.read_bytes()
    with pytest.raises(pki.PkiError, match="is this machine's clock behind"):
        pki.renew_authority(tmp_path / "pki", NOW - timedelta(days=1))
    assert authority.path.read_bytes() == before


def test_an_authority_whose_key_is_another_ones_is_not_renewed(authority: pki.Authority, tmp_path: Path) -> None:
    """No station would ever take it, and none could be renewed again."""
    other = pki.create_authority(tmp_path / "other", "demo", NOW)
    (tmp_path / "pki" / "ca.key").write_bytes(other.path.with_suffix(".key").read_bytes())
    before = authority.path.read_bytes()
    with pytest.raises(pki.PkiError, match="is damaged; restore it from its backup"):
        pki.renew_authority(tmp_path / "pki", NOW + timedelta(days=3_000))
    assert authority.path.read_bytes() == before
