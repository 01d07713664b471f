"""A renewal at a real headend: whose certificate is taken, by whose clock, and what is said where there is none."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.cli import identity
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend import pki
from edge_agent.headend.enrolment_server import EnrolmentServer
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.registrar import Answer, Registrar
from edge_agent.headend.session import BrokerAddress
from edge_agent.identity import messages, renewing
from edge_agent.identity.certificate import NotOurs, authority_der, read_certificate
from edge_agent.identity.renewing import Renewal
from edge_agent.identity.token_keys import signing_key
from tests.cli.findings import NOBODY, is_root
from tests.identity.middle import Middle
from tests.identity.street import Box, Office, box, grow_old, office, office_again

SYSTEM = Now(boot_ms(), system_utc_ms(), ClockSource.NTP, 0)


class Confused:
    """A registrar of the right authority that answers a renewal with the certificate it is told to."""

    def __init__(self, certificate: Path, authority: bytes | None = None) -> None:
        self.certificate = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        self.authority = authority

    def enrol(self, body: bytes, now: UtcMs) -> Answer:
        raise AssertionError("nobody enrols")

    def renew(self, body: bytes, now: UtcMs) -> Answer:
        digest = messages.read_renew_request(body).envelope.digest
        return Answer(
            messages.renew_answer(digest, messages.Renewed(self.certificate, self.authority)), "?", "confused"
        )


@pytest.mark.parametrize(
    ("whose", "told"), [("other", "and not to dt-01"), ("authority", "made out to"), ("old", "for another key")]
)
def test_a_station_takes_no_certificate_that_is_not_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whose: str, told: str
) -> None:
    with office(tmp_path) as ward:
        made, other = box(tmp_path / "a"), box(tmp_path / "b")
        made.enrol(ward, ward.code("dt-01"))
        other.enrol(ward, ward.code("dt-02"))
        old = ward.keyring.directory / "issued" / "old.pem"
        old.write_bytes(made.config.broker.cert_file.read_bytes())
        if whose == "old":
            made.config.broker.key_file.unlink()
            identity.Places(made.file, made.config).tls_key.make()
        given = {"other": other.config.broker.cert_file, "authority": ward.keyring.authority_path, "old": old}[whose]
        registrar = cast(Registrar, Confused(given))
        with EnrolmentServer(registrar, ward.keyring.server("content"), system_utc_ms) as confused:
            text = made.file.read_text("utf-8")
            made.file.write_text(text.replace(ward.url, f"https://localhost:{confused.port}"), "utf-8")
            before = made.files()
            assert identity.renew(made.config) == 1
    assert told in capsys.readouterr().err
    assert made.files() == before


def test_a_renewal_of_a_box_that_is_no_station_names_what_is_not_there_and_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert identity.renew(box(tmp_path / "a").config) == 1
    told = capsys.readouterr().err
    assert "signing.key: chưa có; đăng ký trạm / is not there; enrol first: sudo edge-agent enrol" in told


def test_who_may_not_look_is_told_to_use_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = box(tmp_path / "a")

    def closed(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(made.config.trust.station_key_file))

    monkeypatch.setattr(identity, "signing_key", closed)
    assert identity.renew(made.config) == 1
    assert capsys.readouterr().err.endswith("signing.key' → chạy bằng sudo / use sudo\n")


@contextmanager
def at_a_wrong_clock(made: Box, ward: Office, days: int) -> Iterator[None]:
    """The headend's clock is so many days off while it renews."""
    registrar = Registrar(Keyring(ward.keyring.directory), BrokerAddress("localhost", 8883))
    clock = partial(UtcMs, system_utc_ms() + days * DAY_MS)
    with EnrolmentServer(registrar, ward.keyring.server("content"), clock) as wrong:
        text = made.file.read_text("utf-8")
        made.file.write_text(text.replace(ward.url, f"https://localhost:{wrong.port}"), "utf-8")
        yield
        made.file.write_text(text, "utf-8")


@pytest.mark.parametrize("days", [-20_000, 2_000], ids=["decades behind", "years ahead"])
def test_a_server_with_a_wrong_clock_takes_no_good_certificate_away(tmp_path: Path, days: int) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        grow_old(made, ward, 600)
        before = made.config.broker.cert_file.read_bytes()
        signer = signing_key(made.config.trust).open()
        with at_a_wrong_clock(made, ward, days), pytest.raises(NotOurs, match="is the server's clock wrong"):
            Renewal(made.config, signer).renew(SYSTEM)
        assert made.config.broker.cert_file.read_bytes() == before
        assert identity.renew(made.config) == 0  # its clock is right again
        assert made.config.broker.cert_file.read_bytes() != before


def test_by_a_clock_that_finds_the_old_certificate_no_better_the_new_one_is_taken(tmp_path: Path) -> None:
    """A clock chip without its battery: a station that has expired must heal all the same."""
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        grow_old(made, ward, 900)
        before = made.config.broker.cert_file.read_bytes()
        config = made.config
        woken = Now(boot_ms(), UtcMs(946_684_800_000), ClockSource.RTC, 0)
        Renewal(config, signing_key(config.trust).open()).renew(woken)
    assert made.config.broker.cert_file.read_bytes() != before


@pytest.mark.parametrize("rotten", [b"", None], ids=["rotten", "gone"])
def test_a_renewal_brings_a_certificate_where_none_can_be_read(tmp_path: Path, rotten: bytes | None) -> None:
    """Else a technician had to enrol the station anew, with a code from the centre."""
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        file = made.config.broker.cert_file
        file.unlink()
        if rotten is not None:
            file.write_bytes(rotten)
        assert identity.renew(made.config) == 0
    assert read_certificate(file.read_bytes()).names == ("dt-01",)


def test_a_power_cut_while_a_certificate_is_renewed_leaves_the_old_one_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one would be a station that nobody reaches any more."""
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        grow_old(made, ward, 600)
        file, before = made.config.broker.cert_file, tmp_path / "before"
        before.hardlink_to(file)
        old, renewal = file.read_bytes(), Renewal(made.config, signing_key(made.config.trust).open())
        monkeypatch.setattr(os, "fsync", noted)
        renewal.renew(SYSTEM)
    assert before.read_bytes() == old != file.read_bytes()
    written = [name for name in synced if name.startswith((".station.pem.", "identity"))]
    assert [name.split(".")[1:3] for name in written] == [["station", "pem"], []], synced


@is_root
def test_a_certificate_that_root_renews_is_the_services_to_read_and_to_renew(tmp_path: Path) -> None:
    """Else the station's next connection would be its last."""
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        Renewal(made.config, signing_key(made.config.trust).open(), (NOBODY, NOBODY)).renew(SYSTEM)
    kept = made.config.broker.cert_file.stat()
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o777) == (NOBODY, NOBODY, 0o640)


def test_a_renewal_of_another_name_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        before = made.files()
        text = made.file.read_text("utf-8")
        made.file.write_text(text.replace('id = "dt-01"', 'id = "dt-02"'), "utf-8")
        assert identity.renew(made.config) == 1
        assert "[unknown_station]" in capsys.readouterr().err
    made.file.write_text(text, "utf-8")
    assert made.files() == before


def test_a_renewal_asks_only_a_server_of_our_authority(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port) as middle:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        text = made.file.read_text("utf-8")
        made.file.write_text(text.replace(ward.url, middle.url), "utf-8")
        config = made.config
        content = replace(config.content, ca_file=tmp_path / "middle" / "ca" / "ca.pem")
        for asks in (config, replace(config, content=content)):  # nor one that only content is fetched from
            assert identity.renew(asks) == 1
    assert middle.seen == []
    told = capsys.readouterr().err
    assert "chứng thư của máy chủ do nơi khác cấp" in told
    assert "the server's certificate is of another authority" in told


def test_a_renewal_that_finds_another_name_says_which_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    with office_again(tmp_path, host="127.0.0.2") as ward:
        url = f"https://127.0.0.2:{ward.server.port}"
        config = replace(made.config, enrolment=replace(made.config.enrolment, url=url))
        assert identity.renew(config) == 1
    told = capsys.readouterr().err
    assert "chứng thư của máy chủ không ghi tên 127.0.0.2" in told
    assert "([enrolment] url) thành một tên có trong chứng thư" in told
    assert "certificate's names: localhost, 127.0.0.1" in told


def test_without_an_address_a_renewal_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    config = replace(made.config, enrolment=replace(made.config.enrolment, url=""))
    assert identity.renew(config) == 1
    assert "không có [enrolment] url" in capsys.readouterr().err


def renewed_for(ward: Office) -> bytes:
    """The network's authority is renewed: its next certificate, as every station should have it."""
    pki.renew_authority(ward.keyring.directory / "pki", datetime.now(UTC) + timedelta(days=3_000))
    return ward.keyring.authority_path.read_bytes()


def with_two_pinned(folder: Path, ward: Office) -> Box:
    """A station in which the authority of the content servers lies in a file of its own."""
    made = box(folder)
    before, after = ('[content]\nca_file = "identity/' + name for name in ("ca.pem", "content.pem"))
    made.file.write_text(made.file.read_text("utf-8").replace(before, after), "utf-8")
    made.enrol(ward, ward.code("dt-01"))
    assert made.config.broker.ca_file != made.config.content.ca_file
    return made


def test_a_station_pins_its_authoritys_next_certificate_with_its_own_next_one(tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        made = with_two_pinned(tmp_path / "a", ward)
        new = renewed_for(ward)
        broker, content = made.config.broker, made.config.content
        assert new not in (broker.ca_file.read_bytes(), content.ca_file.read_bytes())
        grow_old(made, ward, 600)
        before = broker.cert_file.read_bytes()
        Renewal(made.config, signing_key(made.config.trust).open()).renew(SYSTEM)
        assert broker.ca_file.read_bytes() == content.ca_file.read_bytes() == new
        assert broker.cert_file.read_bytes() != before
        assert broker.ca_file.stat().st_mode & 0o777 == broker.cert_file.stat().st_mode & 0o777


def test_another_authority_of_the_content_servers_stays_pinned(tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        made = with_two_pinned(tmp_path / "a", ward)
        other = pki.create_authority(tmp_path / "other", "test").path.read_bytes()
        made.config.content.ca_file.write_bytes(other)
        new = renewed_for(ward)
        Renewal(made.config, signing_key(made.config.trust).open()).renew(SYSTEM)
        assert (made.config.broker.ca_file.read_bytes(), made.config.content.ca_file.read_bytes()) == (new, other)


@pytest.mark.parametrize("trouble", ["junk", "read-only"])
def test_an_authority_that_cannot_be_followed_keeps_no_station_from_its_own_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        given, pinned = made.config.broker.cert_file.read_bytes(), made.config.broker.ca_file.read_bytes()
        (tmp_path / "given.pem").write_bytes(given)
        offered = b"junk" if trouble == "junk" else authority_der(renewed_for(ward))
        made.config.broker.cert_file.unlink()  # the same one is given again

        def write(path: Path, content: bytes, *more: Any) -> None:
            if trouble == "read-only" and path.name == "ca.pem":
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            write_durably(path, content, *more)

        monkeypatch.setattr(renewing, "write_durably", write)
        registrar = cast(Registrar, Confused(tmp_path / "given.pem", offered))
        with EnrolmentServer(registrar, ward.keyring.server("content"), system_utc_ms) as confused:
            text = made.file.read_text("utf-8")
            made.file.write_text(text.replace(ward.url, f"https://localhost:{confused.port}"), "utf-8")
            Renewal(made.config, signing_key(made.config.trust).open()).renew(SYSTEM)
    assert made.config.broker.cert_file.read_bytes() == given
    assert made.config.broker.ca_file.read_bytes() == pinned
    assert "authority not renewed file=" in caplog.text


def test_a_power_cut_between_the_authoritys_and_its_own_has_the_station_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round it had the old authority alone until its own next certificate, 550 days later."""

    def write(path: Path, content: bytes, *more: Any) -> None:
        if path.name == "station.pem":
            raise KeyboardInterrupt
        write_durably(path, content, *more)

    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        new = renewed_for(ward)
        grow_old(made, ward, 600)
        renewal = Renewal(made.config, signing_key(made.config.trust).open())
        monkeypatch.setattr(renewing, "write_durably", write)
        with pytest.raises(KeyboardInterrupt):
            renewal.renew(SYSTEM)
        assert made.config.broker.ca_file.read_bytes() == new
        assert renewal.due(SYSTEM)
        monkeypatch.undo()
        renewal.renew(SYSTEM)
        assert not renewal.due(SYSTEM)
