"""Doctor finds each fault, says what to do about it, and calls nothing a fault that is well."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form

from demo.ward import Ward
from edge_agent.audio.card import CardConfig
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.sandbox import Sandbox
from edge_agent.cli import check_files, check_parts, check_talk, doctor
from edge_agent.cli.finding import Finding
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.config import RelayDriver
from edge_agent.console.status import Absence, read_status
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.pki import create_authority, issue_client, issue_server
from tests.audio.making import needs_decoder, needs_voice
from tests.audio.walls import stand_in_manager
from tests.cli.stations import AREA, STATION, StationRig, make_station
from tests.console.pictures import picture
from tests.host.parts import ABSENT, needs
from tests.host.pulse import missing

NOW = Now(boot_ms(), UtcMs(system_utc_ms() + HOUR_MS), ClockSource.NTP, 60_000)
# An hour from the collection of the tests: the files of this module are made by then, whatever runs before it.
LATER = replace(NOW, utc=UtcMs(NOW.utc + 4_000 * DAY_MS))
EARLIER = replace(NOW, utc=UtcMs(0))
LOST = replace(EARLIER, source=ClockSource.UNSET)
NOBODY = 54_321
END_S = 30
# Only bounds a hanging test.
needs_broker = needs("mosquitto")
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    """A station whose files no test changes."""
    return make_station(tmp_path_factory.mktemp("station"))


def assert_well(finding: Finding) -> None:
    assert not finding.fault, finding.line()


def assert_fault(finding: Finding, seen: str, remedy: str) -> None:
    assert finding.remedy is not None, finding.line()
    assert seen in finding.seen
    assert remedy in finding.remedy.en
    assert finding.remedy.vi


# What lies on the disk


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
    assert_fault(check_files.trust_file(station.config, NOW), "No such file", "copy the file anew")


def test_the_trust_file_of_another_realm(shared: StationRig) -> None:
    config = replace(shared.config, site=replace(shared.config.site, realm="elsewhere"))
    assert_fault(check_files.trust_file(config, NOW), "realm test, but this station is of elsewhere", "correct realm")


def test_an_expired_trust_file_and_expired_certificates(shared: StationRig) -> None:
    findings = [check_files.trust_file(shared.config, LATER), *check_files.certificates(shared.config, LATER)]
    assert len(findings) == 4
    for finding in findings:
        assert_fault(finding, "EXPIRED on 20", "ask the operator")


def test_a_certificate_that_has_not_begun_by_a_clock_that_is_trusted(shared: StationRig) -> None:
    for finding in check_files.certificates(shared.config, EARLIER):
        assert_fault(finding, "begins only on 20", "ask the operator")


def test_a_clock_that_is_not_trusted_is_blamed_and_not_the_files(shared: StationRig) -> None:
    for finding in (check_files.trust_file(shared.config, LOST), *check_files.certificates(shared.config, LOST)):
        assert_well(finding)
        assert "dates NOT judged: the clock is not trusted" in finding.seen
    assert_fault(check_talk.clock(shared.config, LOST), "NOT TRUSTED: 08:00:00 Thu 1970-01-01", "check network")


def test_a_certificate_made_out_to_another_station(shared: StationRig) -> None:
    config = replace(shared.config, site=replace(shared.config.site, station="dt-02"))
    own, *_ = check_files.certificates(config, NOW)
    assert_fault(own, "made out to ['dt-01'], but this station is dt-02", "correct id")


def test_a_certificate_file_that_holds_something_else(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.tls.certificate.write_text("-----BEGIN NOTHING-----")
    own, *_ = check_files.certificates(station.config, NOW)
    assert_fault(own, "client.pem", "copy the file anew")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_keys_that_others_can_reach(tmp_path: Path, mode: int) -> None:
    station = make_station(tmp_path)
    for key in (station.given.sign, station.given.tls.key):
        key.chmod(mode)
    assert_fault(check_files.signing_key(station.config, None), "others can read it", "chmod 600")
    assert_fault(check_files.tls_key(station.config, None), "others can read it", "chmod 600")


def test_keys_that_are_missing(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.given.sign.unlink()
    station.given.tls.key.unlink()
    assert_fault(check_files.signing_key(station.config, None), "No such file", "enrol anew")
    assert_fault(check_files.tls_key(station.config, None), "No such file", "copy the file anew")


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    other = issue_client(create_authority(tmp_path / "ca", "other"), tmp_path / "other", "dt-01")
    shutil.copy(other.key, station.given.tls.key)
    assert_fault(check_files.tls_key(station.config, None), "does not go with", "copy the file anew")


def test_an_encrypted_key_is_refused_without_asking_for_its_password(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    key = form.load_pem_private_key(station.given.tls.key.read_bytes(), None)
    locked = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret"))
    station.given.tls.key.write_bytes(locked)
    assert_fault(check_files.tls_key(station.config, None), "does not go with", "copy the file anew")
    shown = on_a_terminal("doctor", "--config", str(station.file))
    assert "pass phrase" not in shown
    assert "broker: localhost:1 not tried" in shown


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


def test_folders_that_are_missing_or_full(shared: StationRig, tmp_path: Path) -> None:
    paths = replace(shared.config.paths, state_dir=tmp_path / "gone")
    state, run = check_files.folders(replace(shared.config, paths=paths))
    assert_fault(state, "No such file", "start the service")
    assert_well(run)
    full = check_files.folder_usable(check_files.STATE, tmp_path, free_bytes_min=2**62)
    assert_fault(full, "MB free", "make room")
    assert list(tmp_path.iterdir()) == [], "looking leaves nothing behind"


def test_a_folder_that_cannot_be_written(shared: StationRig) -> None:
    finding = check_files.folder_usable(check_files.RUN, Path("/proc/self"), free_bytes_min=0)
    assert_fault(finding, "/proc/self", "read-only")


# The box's parts


@pytest.mark.host
@needs_decoder
@needs_voice
def test_programs_that_are_there_work_in_the_sandbox(shared: StationRig) -> None:
    findings = list(check_parts.programs(shared.config, Sandbox()))
    assert [finding.what.en for finding in findings] == ["sandbox", "decoder ffmpeg", "voice espeak-ng"]
    for finding in findings:
        assert_well(finding)


def test_without_bubblewrap_nothing_of_it_works(shared: StationRig) -> None:
    sandbox, *others = check_parts.programs(shared.config, Sandbox("/nowhere/bwrap"))
    assert_fault(sandbox, "is not there", "apt install bubblewrap")
    assert len(others) == 2
    assert all(finding.fault for finding in others)


def test_programs_that_are_missing_are_named_by_their_package(tmp_path: Path) -> None:
    assert_fault(check_parts.decoder_works(Sandbox(), "/nowhere/ffmpeg"), "is not there", "apt install ffmpeg")
    silent = check_parts.EspeakVoice(Sandbox(), program="/nowhere/espeak-ng")
    assert_fault(check_parts.voice_speaks(silent), "is not there", "apt install espeak-ng")


@pytest.mark.host
@needs_decoder
def test_a_sandbox_that_the_kernel_refuses_is_told_with_what_to_allow(tmp_path: Path) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    sandbox = Sandbox(str(refusing))
    assert_fault(check_parts.sandbox_works(sandbox), "No permissions", "user namespaces")
    assert_fault(check_parts.decoder_works(sandbox, "/usr/bin/ffmpeg"), "No permissions", "user namespaces")


@pytest.mark.host
@needs_decoder
@needs_voice
def test_a_worker_that_answers_is_well(shared: StationRig, tmp_path: Path) -> None:
    with stand_in_manager(tmp_path, "/usr/bin/ffmpeg", "/usr/bin/espeak-ng") as service:
        findings = list(check_parts.programs(shared.config, service))
    for finding in findings:
        assert_well(finding)
    assert findings[0].seen == f"{service.path} answers"


def test_a_worker_that_does_not_answer_is_told_with_its_unit(shared: StationRig, tmp_path: Path) -> None:
    sandbox, *others = check_parts.programs(shared.config, DecodeService(tmp_path / "nobody.sock"))
    assert_fault(sandbox, "No such file", "systemctl enable --now edge-agent-decode.socket")
    assert len(others) == 2
    assert all(finding.fault for finding in others)


def test_simulated_relays_are_called_so_and_are_no_fault(shared: StationRig) -> None:
    finding = check_parts.relays(shared.config, device_up=False)
    assert_well(finding)
    assert "SIMULATED" in finding.seen
    assert "MÔ PHỎNG" in finding.seen


def with_chip(station: StationRig, chip: str) -> Finding:
    settings = replace(station.config.relays, driver=RelayDriver.GPIO, chip=Path(chip), simulated_dir=None)
    return check_parts.relays(replace(station.config, relays=settings), device_up=False)


def test_a_gpio_chip_is_looked_for_where_it_is_configured(shared: StationRig) -> None:
    assert_fault(with_chip(shared, "/dev/gpiochip99"), "No such file", "gpiodetect")
    assert_fault(with_chip(shared, str(shared.file)), "is no device", "gpiodetect")
    assert_well(with_chip(shared, "/dev/null"))


def test_parts_that_the_device_process_holds_are_left_alone(shared: StationRig) -> None:
    gpio = replace(shared.config.relays, driver=RelayDriver.GPIO, chip=Path("/dev/gpiochip99"))
    config = replace(shared.config, relays=gpio)
    for finding in (check_parts.relays(config, device_up=True), check_parts.sound_card(config, device_up=True)):
        assert_well(finding)
        assert "in use by the device process" in finding.seen


@pytest.mark.host
def test_a_card_that_opens_and_one_that_is_not_there(shared: StationRig) -> None:
    assert_well(check_parts.sound_card(shared.config, device_up=False))
    assert_fault(check_parts.card_opens(CardConfig("hw:CARD=Nowhere")), "hw:CARD=Nowhere does not open", "aplay -L")


# Who answers


def test_the_agent_that_runs_and_the_one_that_does_not() -> None:
    assert_well(check_talk.agent(read_status(picture())))
    assert "NOT answered" in check_talk.agent(read_status(picture(welcomed=False))).seen
    for absence in Absence:
        assert check_talk.agent(absence).fault


@pytest.mark.parametrize(("up", "fault"), [(True, False), (False, True), (None, True)])
def test_the_device_process_that_runs_and_the_one_that_does_not(up: bool | None, fault: bool) -> None:
    assert check_talk.device(up).fault is fault


def test_a_clock_that_is_trusted(shared: StationRig) -> None:
    assert_well(check_talk.clock(shared.config, NOW))
    assert_fault(check_talk.clock(shared.config, replace(NOW, max_error_ms=121_000)), "NOT TRUSTED", "check network")


def ask(station: StationRig, port: int, now: Now = NOW, host: str = "localhost") -> Finding:
    broker = replace(station.config.broker, port=port, host=host)
    return check_talk.broker(replace(station.config, broker=broker), now, key_usable=True)


@contextmanager
def answering(talk: ssl.SSLContext | bytes) -> Iterator[int]:
    """A server that shakes hands and waits, or says some bytes that are no TLS; yields its port."""
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
                        tls.recv(1)
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
        assert_fault(ask(station, mosquitto.port, LATER), "certificate ended on", "tell the broker's operator")
        assert_well(ask(station, mosquitto.port, LOST))


@pytest.mark.host
@needs_broker
def test_a_broker_that_refuses_our_certificate(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    keyring = station.keyring
    setup = BrokerSetup(tmp_path / "broker", keyring.authority_path, keyring.server("broker"), {STATION: AREA})
    other = issue_client(create_authority(tmp_path / "ca", "other"), tmp_path / "other", STATION)
    broker = replace(station.config.broker, cert_file=other.certificate, key_file=other.key)
    with Mosquitto(setup) as mosquitto:
        finding = ask(replace(station, config=replace(station.config, broker=broker)), mosquitto.port)
    assert_fault(finding, "localhost", "refuses our certificate")


def test_a_broker_of_another_authority_is_not_ours(shared: StationRig, tmp_path: Path) -> None:
    with answering(stranger(tmp_path)) as port:
        assert_fault(ask(shared, port), "unable to get local issuer", "this is not the system's broker")


def test_a_port_that_speaks_no_tls(shared: StationRig) -> None:
    with answering(b"220 mail.example ESMTP\r\n") as port:
        assert_fault(ask(shared, port), "TLS:", "check the port")


def test_a_port_where_nobody_listens(shared: StationRig) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    assert_fault(ask(shared, port), "refused", "firewall")


def test_a_host_that_no_name_server_knows(shared: StationRig) -> None:
    assert_fault(ask(shared, 8883, host="nowhere.invalid"), "nowhere.invalid:8883", "DNS")


def test_a_broker_is_not_asked_without_usable_certificates(shared: StationRig, tmp_path: Path) -> None:
    unusable = check_talk.broker(shared.config, NOW, key_usable=False)
    assert_fault(unusable, "not tried", "certificates and key")
    broker = replace(shared.config.broker, ca_file=tmp_path / "gone.pem")
    gone = check_talk.broker(replace(shared.config, broker=broker), NOW, key_usable=True)
    assert_fault(gone, "gone.pem: No such file", "certificates and key")


# The whole


def test_a_finding_is_one_line_in_vietnamese_and_english(shared: StationRig) -> None:
    finding = check_talk.device(False)
    assert finding.line().startswith("LỖI/FAULT phần âm thanh và rơ-le / device process: is not running → xem: ")
    assert check_talk.device(True).line() == "tốt/ok    phần âm thanh và rơ-le / device process: is running"


def test_every_fault_of_an_empty_box_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station = make_station(tmp_path)
    shutil.rmtree(station.given.directory)
    assert doctor.run(station.config) == 1
    *lines, closing_line = capsys.readouterr().out.splitlines()
    faults = [line for line in lines if line.startswith("LỖI/FAULT")]
    assert closing_line.startswith(f"{len(faults)} lỗi")
    assert len(faults) >= 7
    assert all(line.startswith(("LỖI/FAULT", "tốt/ok")) for line in lines)
    assert all(" → " in line for line in faults)


def test_without_diacritics_doctor_prints_plain_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station = make_station(tmp_path, more='[console]\nlanguage = "vi-ascii"\n')
    doctor.run(station.config)
    assert capsys.readouterr().out.isascii()


@pytest.mark.host
@pytest.mark.live
@needs_broker
@needs_decoder
@needs_voice
@pytest.mark.skipif(missing() != "", reason=ABSENT + missing())
def test_a_station_that_runs_is_well_from_top_to_bottom(tmp_path: Path) -> None:
    with Ward(tmp_path) as ward:
        ward.switch_on()
        printed = ""
        for _ in range(60):
            printed = ward.command("doctor")
            if "LỖI" not in printed:
                break
        assert printed.splitlines()[-1] == "Không có lỗi / no fault.", printed
        assert "SIMULATED" in printed
        assert "in use by the device process" in printed
        assert "turned away" not in (tmp_path / "io.log").read_text(), "doctor must not knock at the device process"
