"""Keys that only a passphrase of systemd's opens: a copy of the files is none, and what is lacking is told by name."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge_agent.cli import check_files, identity
from edge_agent.cli.identity import EXIT_FAILED
from edge_agent.config import Config
from edge_agent.identity.credential import CHARACTERS_MIN, VARIABLE, NoPassphrase, passphrase
from edge_agent.identity.file_keys import FileKey, TlsKey
from edge_agent.identity.port import KeyNotShown
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token_keys import signing_key
from edge_agent.sync.tls import client_context
from edge_agent.trust.keys import UnusableKey
from tests.cli.agents import started
from tests.cli.findings import assert_fault, assert_well
from tests.cli.stations import make_station
from tests.identity.sealed import NAME, PASSPHRASE, handed_over
from tests.identity.street import Box, box, office

OTHER = "x" * CHARACTERS_MIN


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FileKey, TlsKey]:
    """Both keys, made while the passphrase was there."""
    handed_over(tmp_path / "credentials", monkeypatch)
    signing = FileKey(tmp_path / "signing.key", credential=NAME)
    tls = TlsKey(tmp_path / "station.key", credential=NAME)
    signing.make()
    tls.make()
    return signing, tls


def sealed_box(folder: Path) -> Box:
    made = box(folder)
    text = made.file.read_text("utf-8")
    made.file.write_text(text.replace("[trust]", f'[trust]\nkey_credential = "{NAME}"'), "utf-8")
    return made


def test_copied_files_open_nothing(locked: tuple[FileKey, TlsKey]) -> None:
    for key in locked:
        with pytest.raises(TypeError):
            load_pem_private_key(key.path.read_bytes(), None)
        with pytest.raises(ValueError, match=r"."):
            load_pem_private_key(key.path.read_bytes(), OTHER.encode())


@pytest.mark.parametrize("empty", [False, True])
def test_a_service_that_was_given_nothing_says_which_field_and_what_to_do(
    locked: tuple[FileKey, TlsKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    if empty:
        handed_over(tmp_path / "empty", monkeypatch, "")
    else:
        monkeypatch.delenv(VARIABLE)
    signing, tls = locked
    for use in (signing.open, lambda: tls.public):
        with pytest.raises(NoPassphrase) as caught:
            use()
        said = str(caught.value)
        assert all(word in said for word in ("[trust] key_credential", NAME, "credentials.conf", "systemd-run")), said


def test_a_passphrase_of_another_machine_opens_nothing_and_is_not_quoted(
    locked: tuple[FileKey, TlsKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over(tmp_path / "credentials", monkeypatch, OTHER)
    with pytest.raises(UnusableKey, match=r"key_credential.*enrol anew") as caught:
        locked[0].open()
    assert OTHER not in str(caught.value)


def test_a_passphrase_that_could_be_guessed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = "x" * (CHARACTERS_MIN - 1)
    handed_over(tmp_path, monkeypatch, short)
    with pytest.raises(NoPassphrase, match="too short") as caught:
        passphrase(NAME)
    assert short not in str(caught.value)


def test_the_line_end_that_an_editor_leaves_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over(tmp_path, monkeypatch)
    assert passphrase(NAME) == PASSPHRASE.encode()


def test_a_key_that_lies_open_is_refused_where_the_file_says_locked(
    locked: tuple[FileKey, TlsKey], tmp_path: Path
) -> None:
    for name, kind in (("open-signing.key", FileKey), ("open-station.key", TlsKey)):
        kind(tmp_path / name).make()
    with pytest.raises(UnusableKey, match="lies open"):
        FileKey(tmp_path / "open-signing.key", credential=NAME).open()
    with pytest.raises(UnusableKey, match="lies open"):
        _ = TlsKey(tmp_path / "open-station.key", credential=NAME).public
    context, pem = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tmp_path / "station.pem"
    with pytest.raises(
        KeyNotShown, match=r"\[broker\] key_file .*lies open, although there is \[trust\] key_credential"
    ):
        TlsKey(tmp_path / "open-station.key", credential=NAME).show(context, pem)


def test_rubbish_in_a_keys_file_is_not_called_an_open_key(locked: tuple[FileKey, TlsKey]) -> None:
    locked[0].path.write_bytes(b"\0" * 200)
    with pytest.raises(UnusableKey, match="no PKCS#8 private key"):
        locked[0].open()


def test_a_locked_key_without_the_field_names_the_field(locked: tuple[FileKey, TlsKey]) -> None:
    with pytest.raises(UnusableKey, match=r"write \[trust\] key_credential"):
        FileKey(locked[0].path).open()


def test_a_station_enrols_and_renews_locked_and_shows_its_certificate_by_the_passphrase_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over(tmp_path / "credentials", monkeypatch)
    with office(tmp_path / "office") as ward:
        made = sealed_box(tmp_path / "box")
        assert made.enrol(ward, ward.code("dt-01")) == 0
        assert signing_key(made.config.trust).open().keyid == ward.key_of("dt-01")
        made.config.broker.cert_file.unlink()
        assert identity.renew(made.config) == 0
    assert not [name for name, content in made.files().items() if b"BEGIN PRIVATE KEY" in content]
    broker = made.config.broker
    client_context(broker.ca_file, broker.cert_file, TlsKey(broker.key_file, credential=NAME).show)
    with pytest.raises(KeyNotShown, match=r"\[broker\] key_file .*write \[trust\] key_credential"):
        client_context(broker.ca_file, broker.cert_file, TlsKey(broker.key_file).show)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(KeyNotShown, match="did not hand over"):  # a trouble of the line, which is tried again
        client_context(broker.ca_file, broker.cert_file, tls_key(made.config).show)


def test_enrolling_without_the_passphrase_makes_no_key_and_uses_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with office(tmp_path / "office") as ward:
        made = sealed_box(tmp_path / "box")
        code = ward.code("dt-01")
        assert made.enrol(ward, code) == EXIT_FAILED
        assert "[trust] key_credential" in capsys.readouterr().err
        assert not [name for name in made.files() if name.endswith(".key")]
        handed_over(tmp_path / "credentials", monkeypatch)
        assert made.enrol(ward, code) == 0


def test_an_agent_without_it_signs_nothing_and_says_so(
    enrolled: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(VARIABLE)
    ports = started(enrolled, monkeypatch)
    assert ports.upstream.will(ports.clock.now()) is None
    assert "[trust] key_credential" in caplog.text


@pytest.fixture
def enrolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    handed_over(tmp_path / "credentials", monkeypatch)
    with office(tmp_path / "office") as ward:
        made = sealed_box(tmp_path / "box")
        assert made.enrol(ward, ward.code("dt-01")) == 0
    return made.config


def test_doctor_finds_locked_keys_well_and_without_the_passphrase_says_how_to_ask_it(
    enrolled: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in (check_files.signing_key, check_files.tls_key):
        assert_well(check(enrolled, None))
    monkeypatch.delenv(VARIABLE)
    for check in (check_files.signing_key, check_files.tls_key):
        assert_fault(check(enrolled, None), "systemd-run", "Keys that open on this machine only")


def test_doctor_names_keys_that_lie_open_although_the_file_says_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over(tmp_path / "credentials", monkeypatch)
    config = make_station(tmp_path / "station").config
    said = replace(config, trust=replace(config.trust, key_credential=NAME))
    for check in (check_files.signing_key, check_files.tls_key):
        finding = check(said, None)
        assert finding.fault
        assert "lies open" in finding.seen


def test_a_reset_needs_no_passphrase(enrolled: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    signing_key(enrolled.trust).destroy()
    tls_key(enrolled).destroy()
    assert not enrolled.trust.station_key_file.exists()
    assert not enrolled.broker.key_file.exists()
