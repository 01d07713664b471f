"""What lies on a station's disk: each file that is missing, wrong or expired is a finding with its remedy."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import shutil
import sqlite3
import subprocess
import sys
import termios
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives import serialization as form

from edge_agent.cli import check_files, check_talk, main, paths, service_account
from edge_agent.cli.finding import Finding
from edge_agent.config import load
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.headend.ceremonies import renew
from edge_agent.headend.pki import create_authority, issue_client
from edge_agent.identity.certificate import read_certificate
from edge_agent.identity.installing import pending
from edge_agent.identity.resetting import mark
from edge_agent.identity.token_library import OtherKey
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.record import Origin
from edge_agent.journal.schema import VERSION
from edge_agent.journal.store import Store
from edge_agent.trust.bundle import read_document
from edge_agent.trust.keeper import believing
from tests.cli.findings import (
    EARLIER,
    END_S,
    LATER,
    LOST,
    NOBODY,
    NOW,
    assert_fault,
    assert_well,
    is_root,
)
from tests.cli.stations import AREA, STATION, StationRig, make_station
from tests.in_the_way import Lay, link, pipe
from tests.trust.makers import named_in_bits, of_an_unknown_version, on_an_unknown_curve


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    """A station whose files no test changes."""
    return make_station(tmp_path_factory.mktemp("station"))


def test_files_fresh_from_the_headend_are_well(shared: StationRig) -> None:
    assert_well(check_files.trust_file(shared.config, NOW))
    assert_well(check_files.signing_key(shared.config, None))
    assert_well(check_files.tls_key(shared.config, None))
    for finding in (*check_files.certificates(shared.config, NOW), *check_files.folders(shared.config)):
        assert_well(finding)


def test_a_trust_file_that_is_missing_or_no_trust_file(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.trust.write_text('{"type": "trust"}')
    assert_fault(check_files.trust_file(station.config, NOW), "trust.json", "copy the file anew")
    station.given.trust.unlink()
    assert_fault(check_files.trust_file(station.config, NOW), "No such file", "sudo edge-agent enrol")


def test_the_trust_file_of_another_realm(shared: StationRig) -> None:
    config = replace(shared.config, site=replace(shared.config.site, realm="elsewhere"))
    assert_fault(check_files.trust_file(config, NOW), "realm test, but this station is of elsewhere", "correct realm")


def test_a_station_of_an_area_that_no_document_is_of_is_not_called_well(tmp_path: Path) -> None:
    """One letter is wrong: it enrols, connects, and is deaf to its ward."""
    station = make_station(tmp_path)
    station.file.write_text(station.file.read_text("utf-8").replace(AREA, f"{AREA}h"), "utf-8")
    finding = check_files.trust_file(load(station.file), NOW)
    assert_fault(finding, f"no document of {AREA}h", "is [station] area wrong")


def test_an_enrolment_that_was_cut_short_is_told(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    assert list(check_files.enrolment(station.config)) == []
    pending(station.config).write_bytes(b"{}")
    (finding,) = check_files.enrolment(station.config)
    assert_fault(finding, "not yet taken in whole", "sudo edge-agent enrol")


def test_a_reset_that_was_cut_short_is_told(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    mark(station.config).touch()
    (finding,) = check_files.enrolment(station.config)
    assert_fault(finding, "a factory reset was cut short", "sudo edge-agent factory-reset, or enrol by a new code")


def test_an_expired_trust_file_and_expired_certificates(shared: StationRig) -> None:
    findings = [check_files.trust_file(shared.config, LATER), *check_files.certificates(shared.config, LATER)]
    assert len(findings) == 4
    trust, own, *authorities = findings
    assert_fault(trust, "HẾT HẠN ngày / EXPIRED on 20", "trust renew")
    for finding in authorities:
        assert_fault(finding, "HẾT HẠN ngày / EXPIRED on 20", "ask the operator")
    assert_fault(own, "chứng thư của trạm đã hết hạn ngày 20", "sudo edge-agent renew")
    assert "the station's certificate expired on 20" in own.seen


@pytest.mark.parametrize(
    ("url", "remedy"), [("https://mqtt.example:8444", "sudo edge-agent renew"), ("", "ask the operator")]
)
def test_a_certificate_that_should_have_been_renewed_long_ago_is_not_called_well(
    shared: StationRig, url: str, remedy: str
) -> None:
    """Else nobody hears of it until it ends, and the station with it."""
    config = replace(shared.config, enrolment=replace(shared.config.enrolment, url=url))
    own = read_certificate(config.broker.cert_file.read_bytes())
    life = own.ends - own.begins
    asking, forgotten = (replace(NOW, utc=UtcMs(own.begins + life * part // 100)) for part in (70, 80))
    assert_well(next(check_files.certificates(config, asking)))
    assert_fault(next(check_files.certificates(config, forgotten)), "chưa gia hạn được / not renewed yet", remedy)


def test_a_certificate_that_has_not_begun_by_a_clock_that_is_trusted(shared: StationRig) -> None:
    own, *others = [*check_files.certificates(shared.config, EARLIER), check_files.trust_file(shared.config, EARLIER)]
    for finding in others:
        assert_fault(finding, "begins only on 20", "set the clock right first")
        assert "the station's clock says 1970-01-01" in finding.seen
    assert_fault(own, "chưa đến ngày có hiệu lực: đồng hồ của trạm đang là 1970-01-01", "set the clock right")
    assert "not yet valid: the station's clock says 1970-01-01 00:00 UTC" in own.seen


def test_a_clock_that_is_not_trusted_is_blamed_and_not_the_files(shared: StationRig) -> None:
    for finding in (check_files.trust_file(shared.config, LOST), *check_files.certificates(shared.config, LOST)):
        assert_well(finding)
        assert "dates NOT judged: the clock is not trusted" in finding.seen
    clock = check_talk.clock(shared.config, LOST)
    assert_fault(clock, "NOT TRUSTED: not set, no source of time yet", "check network")
    assert "1970" not in clock.seen


def test_a_certificate_made_out_to_another_station(shared: StationRig) -> None:
    config = replace(shared.config, site=replace(shared.config.site, station="dt-02"))
    own, *_ = check_files.certificates(config, NOW)
    assert_fault(own, "cấp cho trạm khác / made out to ['dt-01'], but this station is dt-02", "correct id")


def test_a_certificate_file_that_holds_something_else(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.tls.certificate.write_text("-----BEGIN NOTHING-----")
    own, *_ = check_files.certificates(station.config, NOW)
    assert_fault(own, "client.pem", "copy the file anew")


@pytest.mark.parametrize("rotten", ["name", "kind of name", "date", "version", "key"])
def test_a_certificate_of_which_a_part_cannot_be_read_is_named_and_ends_nothing(tmp_path: Path, rotten: str) -> None:
    station = make_station(tmp_path)
    file = station.given.tls.certificate
    der = PEM_cert_to_DER_cert(file.read_text())
    match rotten:
        case "name":
            der = der.replace(station.config.site.station.encode(), b"\xff" * len(station.config.site.station))
        case "kind of name":
            der = named_in_bits(der, station.config.site.station.encode())
        case "date":
            der = der.replace(b"Z\x17\x0d", b"!\x17\x0d")
        case "version":
            der = of_an_unknown_version(der)
        case _:
            der = on_an_unknown_curve(der)
    file.write_text(DER_cert_to_PEM_cert(der))
    own, *_ = check_files.certificates(station.config, NOW)
    assert_fault(own, "client.pem", "copy the file anew")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_keys_that_others_can_reach(tmp_path: Path, mode: int) -> None:
    station = make_station(tmp_path)
    for key in (station.given.sign, station.given.tls.key):
        key.chmod(mode)
    assert_fault(check_files.signing_key(station.config, None), "others can read it", "chmod 600")
    assert_fault(
        check_files.tls_key(station.config, None), ": người khác đọc được tệp / others can read it", "chmod 600"
    )


class Chip:
    """A secure element that has opened; what it does when it is to sign is another matter. Its clock is its own."""

    keyid = "0" * 64

    def __init__(self, takes_s: float, trouble: OtherKey | None = None) -> None:
        self._takes_s, self._trouble = takes_s, trouble
        self.now_s = 0.0

    def sign(self, message: bytes) -> bytes:
        self.now_s += self._takes_s
        if self._trouble is not None:
            raise self._trouble
        return b""


OTHER_KEY = OtherKey("signed with another key than the one of the note")


@pytest.mark.parametrize(
    ("chip", "told"),
    [
        (Chip(check_files.SIGNS_IN_S_MAX + 0.1), "takes 1.1 s to sign; at most 1.0 s will do"),
        (Chip(0.1, OTHER_KEY), "signed with another key"),
    ],
)
def test_a_chip_that_opens_and_does_not_sign_well_is_no_sound_key(chip: Chip, told: str) -> None:
    finding = check_files.key_signs(Path("sign.chip"), lambda: chip, lambda: chip.now_s)
    assert told in finding.seen
    assert finding.fault


def test_a_chip_that_takes_its_second_is_one() -> None:
    chip = Chip(check_files.SIGNS_IN_S_MAX)
    assert_well(check_files.key_signs(Path("sign.chip"), lambda: chip, lambda: chip.now_s))


def test_keys_that_are_missing(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.sign.unlink()
    station.given.tls.key.unlink()
    assert_fault(check_files.signing_key(station.config, None), "No such file", "enrol anew")
    assert_fault(check_files.tls_key(station.config, None), "No such file", "sudo edge-agent enrol")


def test_a_box_that_is_no_station_yet_is_told_to_enrol_and_to_copy_nothing(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    broker, trust = station.config.broker, station.config.trust
    for path in (broker.cert_file, broker.key_file, broker.ca_file, trust.file, trust.station_key_file):
        path.unlink()
    faults = [
        check_files.trust_file(station.config, NOW),
        check_files.signing_key(station.config, None),
        check_files.tls_key(station.config, None),
        *check_files.certificates(station.config, NOW),
    ]
    assert len(faults) == 6
    for finding in faults:
        assert_fault(finding, "No such file", "enrol")
        assert "copy" not in str(finding.remedy)


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    other = issue_client(create_authority(tmp_path / "ca", "other"), tmp_path / "other", "dt-01")
    shutil.copy(other.key, station.given.tls.key)
    assert_fault(check_files.tls_key(station.config, None), "does not go with", "a key cannot be copied")


def test_an_encrypted_key_is_refused_without_asking_for_its_password(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    key = form.load_pem_private_key(station.given.tls.key.read_bytes(), None)
    locked = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret"))
    station.given.tls.key.write_bytes(locked)
    told = "is locked with a passphrase; write [trust] key_credential"
    assert_fault(check_files.tls_key(station.config, None), told, "Keys that open on this machine only")
    shown = on_a_terminal("doctor", "--config", str(station.file))
    assert "pass phrase" not in shown
    assert "broker: localhost:1 chưa thử / not tried" in shown


def on_a_terminal(*words: str) -> str:
    """All that a command shows on a terminal of its own, where a library could ask for a password."""
    far, near = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(near, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-m", "edge_agent", *words]
    child = subprocess.Popen(
        command, stdin=near, stdout=near, stderr=near, start_new_session=True, preexec_fn=take_terminal
    )
    os.close(near)
    shown = b""
    with child, closing(os.fdopen(far, "rb", buffering=0)) as terminal:
        try:
            while select.select([terminal], [], [], END_S)[0]:
                shown += terminal.read(65_536)
        except OSError:
            pass  # EIO: the command has ended
        child.kill()
    return shown.decode("utf-8", "replace")


def test_root_is_told_of_keys_that_the_service_cannot_read(shared: StationRig) -> None:
    for finding in (check_files.signing_key(shared.config, NOBODY), check_files.tls_key(shared.config, NOBODY)):
        assert_fault(finding, "the service's user edge-agent cannot read it", "chown edge-agent:")


@is_root
def test_keys_that_belong_to_the_service_are_well(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    for key in (station.given.sign, station.given.tls.key):
        os.chown(key, NOBODY, NOBODY)
    assert_well(check_files.signing_key(station.config, NOBODY))
    assert_well(check_files.tls_key(station.config, NOBODY))


@is_root
def test_root_is_told_of_every_file_that_the_service_cannot_read_where_its_log_says_to_ask_doctor() -> None:
    with TemporaryDirectory() as name:  # pytest's own is root's alone
        station = make_station(Path(name))
        for folder in (Path(name), *Path(name).rglob("*/")):
            folder.chmod(0o755)
        files = (station.given.trust, station.given.tls.certificate, station.given.authority)

        def found(mode: int) -> list[Finding]:
            for file in files:
                file.chmod(mode)
            certificates = check_files.certificates(station.config, NOW, NOBODY)
            return [check_files.trust_file(station.config, NOW, NOBODY), *certificates]

        assert [finding.fault for finding in found(0o644)] == [False] * 4
        for finding in found(0o600):
            assert_fault(finding, "the service's user edge-agent cannot read it", "chmod a+r")


@is_root
def test_root_is_told_of_what_it_has_left_in_the_state_folder_by_running_the_agent_itself() -> None:
    """To see what it says, by hand and with sudo: the service cannot open that journal ever after."""
    with TemporaryDirectory() as name:
        station = make_station(Path(name))
        state, run = station.config.paths.state_dir, station.config.paths.run_dir
        for folder in (Path(name), state, run):
            folder.chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)

        def found() -> Finding:
            return next(check_files.folders(station.config, lambda _: FETCH_FREE_BYTES_MIN, NOBODY))

        for part in ("journal", "journal/journal.db", "originals", "audio"):
            assert_well(found())
            left = state / part
            left.touch(0o600) if left.suffix else left.mkdir(0o755)
            assert_fault(found(), f"{left}: ", f"chown -R edge-agent: {state / Path(part).parts[0]}")
            os.chown(left, NOBODY, NOBODY)


def test_root_that_can_become_nobody_else_is_told_of_nothing_but_what_it_sees(
    shared: StationRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(service_account.subprocess, "run", refused)
    assert_well(check_files.trust_file(shared.config, NOW, NOBODY))


@is_root
def test_root_is_told_of_a_folder_on_the_way_that_the_service_may_not_enter(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.directory.chmod(0o700)
    station.given.trust.chmod(0o644)
    assert_fault(check_files.trust_file(station.config, NOW, NOBODY), "cannot read it", "the folders that it lies in")


@is_root
def test_root_is_told_of_a_folder_that_the_service_cannot_write_into() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = make_station(Path(folder)).config
        for finding in check_files.folders(config, lambda _: FETCH_FREE_BYTES_MIN, NOBODY):
            assert_fault(finding, "cannot write into it", "chown edge-agent:")
        for written in (config.paths.state_dir, config.paths.run_dir):
            os.chown(written, NOBODY, NOBODY)
        for finding in check_files.folders(config, lambda _: FETCH_FREE_BYTES_MIN, NOBODY):
            assert_well(finding)


def test_folders_that_are_missing_or_full(shared: StationRig, tmp_path: Path) -> None:
    paths = replace(shared.config.paths, state_dir=tmp_path / "gone")
    state, run = check_files.folders(replace(shared.config, paths=paths))
    assert_fault(state, "No such file", "start the service")
    assert_well(run)
    full = check_files.folder_usable(check_files.STATE, tmp_path, free_bytes_min=2**62)
    assert_fault(full, "MB free", "make room")
    assert list(tmp_path.iterdir()) == [], "looking leaves nothing behind"


@pytest.mark.parametrize("free_bytes", [FETCH_FREE_BYTES_MIN - 1, FETCH_FREE_BYTES_MIN])
def test_a_card_that_would_take_no_more_recordings_is_not_called_well(shared: StationRig, free_bytes: int) -> None:
    state, _ = check_files.folders(shared.config, lambda _folder: free_bytes)
    assert state.fault is (free_bytes < FETCH_FREE_BYTES_MIN)


def test_a_folder_that_cannot_be_written(shared: StationRig) -> None:
    finding = check_files.folder_usable(check_files.RUN, Path("/proc/self"), free_bytes_min=0)
    assert_fault(finding, "/proc/self", "read-only")


@pytest.mark.parametrize("lay", [pipe, link])
def test_what_the_service_has_laid_in_a_files_place_keeps_no_technician_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lay: Lay
) -> None:
    """Trust file, keys and certificates lie in a folder of its own, and it may have been taken over."""
    station = make_station(tmp_path)
    given, config = station.given, ["--config", str(station.file)]
    assert list(check_files.in_the_way(station.config)) == []
    for file in (
        given.trust,
        given.sign,
        given.tls.key,
        given.tls.certificate,
        given.authority,
        pending(station.config),
    ):
        aside = file.with_suffix(".aside")
        if file.exists():
            file.rename(aside)
        with lay(file):
            for words in (["doctor"], ["enrol"], ["renew"], ["next", "--day", "today"]):
                assert main([*words, *config]) == 1
                out, err = capsys.readouterr()
                assert f"{file}: không phải tệp / is no file → " in out + err
        file.unlink()
        if aside.exists():
            aside.rename(file)


def test_a_state_folder_that_nothing_is_told_of_is_one_fault_and_ends_no_look(shared: StationRig) -> None:
    """A worn card answers EIO, and an account that may not look in there is not permitted."""
    away = replace(shared.config.paths, state_dir=shared.config.paths.state_dir / ("x" * 256))
    config = replace(shared.config, paths=away)
    assert [*check_files.enrolment(config), *check_files.journal(config)] == []
    state, _ = check_files.folders(config)
    assert_fault(state, "File name too long", "read-only")


def test_a_journal_of_newer_software_is_no_silence_without_a_reason(tmp_path: Path) -> None:
    """The station has no timetable then and takes no order, and all else about it is well."""
    station = make_station(tmp_path)
    folder = paths.journal(station.config)
    assert list(check_files.journal(station.config)) == [], "before the first start there is none"
    Store(folder, Origin(STATION, "edge-agent test", "b1")).close()
    assert list(check_files.journal(station.config)) == []
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    (finding,) = check_files.journal(station.config)
    assert_fault(finding, "newer software wrote it", "install the newer version again")


def test_documents_that_the_old_software_has_kept_count_before_the_new_one_is_started(tmp_path: Path) -> None:
    """Doctor looks between an update and the restart: it tells nobody to renew what was renewed."""
    station = make_station(tmp_path)
    config = station.config
    keeper = believing(config.trust.file.read_bytes(), (), config.site)
    for area in ("vn/ha-noi", AREA):
        renew(station.keyring, area, UtcMs(NOW.utc + 60 * DAY_MS))
    store = Store(paths.journal(config), Origin(STATION, "edge-agent test", "b1"))
    store.begin()
    for envelope in station.keyring.lacking(AREA, keeper.standing.heads):
        store.save_trust(read_document(envelope).area, envelope, keeper.anchor)
    store.commit()
    store.close()
    with closing(sqlite3.connect(paths.journal(config) / FILE_NAME)) as connection:
        connection.execute("ALTER TABLE jobs DROP COLUMN urgent")
        connection.execute(f"PRAGMA user_version = {VERSION - 1}")
    assert_well(check_files.trust_file(config, replace(NOW, utc=UtcMs(NOW.utc + 120 * DAY_MS))))
