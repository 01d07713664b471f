"""The life of a station's identity beside a real broker: two of a kind, renewal before and after the end, reset."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.cli import identity, main, paths
from edge_agent.cli.certificate_note import certificate_note, read_note
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import Connected, Event
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend import server_certificates
from edge_agent.headend.server_certificates import AUTHORITY, BROKER
from edge_agent.identity.certificate import read_certificate
from edge_agent.identity.renewing import Renewal, Renewer
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token_keys import signing_key
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.tls_trouble import Kind, TlsTrouble
from tests.host.parts import needs
from tests.identity.street import Box, Street, box, ctrl_c, grow_old, office

END_S = 60
# Only bounds a hanging test.
SYSTEM = Now(boot_ms(), system_utc_ms(), ClockSource.NTP, 0)
LOST = Now(boot_ms(), UtcMs(0), ClockSource.UNSET, 0)


def secrets_of(made: Box) -> dict[str, bytes]:
    """Every line of every private key, and whatever else looks random: 16 hex digits or 20 base64 letters in a row."""
    found: dict[str, bytes] = {}
    for name, content in made.files().items():
        if name.endswith(("ca.pem", "trust.json", "station.toml")):  # the ward's public things, which are the same
            continue
        for run in re.findall(rb"[0-9A-Za-z+/=]{16,}", content):
            found[f"{name}: {run.decode()}"] = run
    return found


def test_two_installations_from_one_template_share_no_secret(tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        one, two = box(tmp_path / "a"), box(tmp_path / "b")
        assert one.file.read_bytes() == two.file.read_bytes()
        assert one.enrol(ward, ward.code("dt-01")) == 0
        assert two.enrol(ward, ward.code("dt-02")) == 0
        assert ward.key_of("dt-01") != ward.key_of("dt-02")
    first, second = secrets_of(one), secrets_of(two)
    private = {name for name in first if ".key" in name}
    assert len(private) >= 4  # lines of two keys; what a PKCS#8 file of such a key begins with is no secret
    shared = set(first.values()) & set(second.values())
    ours = read_certificate((one.folder / "identity" / "station.pem").read_bytes())
    others = read_certificate((two.folder / "identity" / "station.pem").read_bytes())
    assert ours.public != others.public
    for name, content in one.files().items():
        if name.endswith(".key"):
            other = two.files()[name].splitlines()
            mine = content.splitlines()
            assert mine[1:-1] != other[1:-1]
            assert [line for line in mine[2:-1] if line in other] == []
    # The same issuer makes some lines of both certificates alike; no line of a key is.
    assert [run for name, run in first.items() if ".key" in name and run in shared] == []


@dataclass
class Life:
    """An agent's session with its note and its renewer, as ``cli.agent`` composes them."""

    made: Box
    now: Now
    up: threading.Event
    troubles: list[TlsTrouble | None]
    ended: threading.Event


@contextmanager
def living(made: Box, now: Now = SYSTEM) -> Iterator[Life]:
    config = made.config
    life = Life(made, now, threading.Event(), [], threading.Event())
    renewer = Renewer(Renewal(config, signing_key(config.trust).open()), lambda: now)
    note = certificate_note(config, paths.certificate_trouble(config), lambda: now, renewer.refused)

    def hear(trouble: TlsTrouble | None) -> None:
        note.ended(trouble)
        life.troubles.append(trouble)
        life.ended.set()

    def post(event: Event) -> None:
        if isinstance(event, Connected):
            life.up.set()

    broker = config.broker
    settings = BrokerSettings(
        host=broker.host,
        port=broker.port,
        ca_file=broker.ca_file,
        cert_file=broker.cert_file,
        show=tls_key(config).show,
        station=config.site.station,
        area=config.site.area,
        reconnect_base_s=0.2,
        reconnect_ceiling_s=1.0,
    )
    session = MqttSession(settings, note.watch(post), lambda: now, lambda: b"{}", hear)
    renewer.start()
    renewer.remind()
    session.start()
    try:
        yield life
    finally:
        session.stop()


def begins(made: Box) -> int:
    return read_certificate(made.config.broker.cert_file.read_bytes()).begins


@pytest.mark.host
@needs("mosquitto")
def test_an_enrolled_station_is_taken_in_by_the_broker(street: Street, tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    made.enrol(street.ward, street.ward.code("dt-01"))
    with living(made) as life:
        assert life.up.wait(END_S)
    assert life.troubles == []


@pytest.mark.host
@needs("mosquitto")
@pytest.mark.parametrize("now", [SYSTEM, LOST], ids=["clock right", "clock lost"])
def test_an_expired_station_heals_itself_whatever_its_clock_says(street: Street, tmp_path: Path, now: Now) -> None:
    """The broker refuses it by name; that alone makes it ask, signed by its other key; the next attempt stands."""
    made = box(tmp_path / "a")
    made.enrol(street.ward, street.ward.code("dt-01"))
    grow_old(made, street.ward, 900)
    with living(made, now) as life:
        assert life.up.wait(END_S)
        # By a right clock it may have asked before the broker's first no.
        kinds = {trouble.kind for trouble in life.troubles if trouble is not None}
        assert kinds == {Kind.OURS_REFUSED} or (now is SYSTEM and not kinds)
    assert "renewed dt-01" in street.ward.said[-1]
    assert begins(made) > system_utc_ms() - 2 * 86_400_000
    assert read_note(paths.certificate_trouble(made.config)) is None


@pytest.mark.host
@needs("mosquitto")
def test_a_broker_that_refuses_an_expired_certificate_leaves_a_note_with_its_day(
    street: Street, tmp_path: Path
) -> None:
    made = box(tmp_path / "a")
    made.enrol(street.ward, street.ward.code("dt-01"))
    grow_old(made, street.ward, 900)
    end = datetime.now(UTC) - timedelta(days=75)
    street.ward.server.stop()  # and nobody renews it
    found = None
    with living(made) as life:
        while found is None:  # now and then the line is down before the broker's alert is read, and tells no reason
            assert life.ended.wait(END_S)
            life.ended.clear()
            found = read_note(paths.certificate_trouble(made.config))
    assert (found.kind, f"{end:%Y-%m-%d}" in found.what) == (Kind.OURS_EXPIRED, True)


@pytest.mark.host
@needs("mosquitto")
def test_a_renewal_before_the_end_disturbs_no_connection(street: Street, tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    made.enrol(street.ward, street.ward.code("dt-01"))
    grow_old(made, street.ward, 600)
    before = begins(made)
    with living(made) as life:
        assert life.up.wait(END_S)
        for _ in range(END_S * 10):
            if begins(made) != before:
                break
            threading.Event().wait(0.1)
    assert begins(made) > before
    assert life.troubles == []
    with living(made) as again:
        assert again.up.wait(END_S)


@pytest.mark.host
@needs("mosquitto")
def test_a_station_that_slept_past_the_end_of_its_authority_heals_itself(street: Street, tmp_path: Path) -> None:
    """Everybody else has the authority's next certificate by then; to the station no server is what it was."""
    made, ward = box(tmp_path / "a"), street.ward.keyring.directory
    made.enrol(street.ward, street.ward.code("dt-01"))
    renewed, awake = (UtcMs(SYSTEM.utc + days * DAY_MS) for days in (3_000, 3_700))
    for name in (AUTHORITY, BROKER):
        server_certificates.renew(ward, name, renewed)
    street.broker.restart()
    with living(made, replace(SYSTEM, utc=awake)) as life:
        assert life.up.wait(END_S)
        assert {trouble.kind for trouble in life.troubles if trouble is not None} <= {Kind.SERVER_EXPIRED}
    assert made.config.broker.ca_file.read_bytes() == street.ward.keyring.authority_path.read_bytes()


@pytest.mark.host
@needs("mosquitto")
def test_after_a_factory_reset_the_box_is_a_stranger_until_a_new_code(street: Street, tmp_path: Path) -> None:
    made, ward = box(tmp_path / "a"), street.ward
    made.enrol(ward, ward.code("dt-01"))
    before = ward.key_of("dt-01")
    old = {name: content for name, content in made.files().items() if name.startswith("identity/")}
    for folder in ("originals", "audio", "journal", "journal.quarantined-1"):
        (made.folder / "state" / folder).mkdir(parents=True)
        (made.folder / "state" / folder / "kept.bin").write_bytes(b"a ward's day")
    assert identity.factory_reset(made.config, sure=True) == 0
    assert [name for name in made.files() if name != "station.toml"] == []
    assert (made.folder / "state" / "audio").is_dir()  # whose folder it is, the next start still needs
    assert identity.renew(made.config) == 1
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert ward.key_of("dt-01") != before
    fresh = made.files()
    assert all(fresh[name] != content for name, content in old.items() if name.endswith(".key"))
    with living(made) as life:
        assert life.up.wait(END_S)
    # Whoever had copied the old card renews nothing with it, and no broker takes him in any more.
    for name, content in old.items():
        (made.folder / name).write_bytes(content)
    assert identity.renew(made.config) == 1
    assert "refused dt-01: unknown_station" in ward.said[-1]
    street.broker.admit(street.broker.setup)
    trouble, until = None, time.monotonic() + END_S
    while trouble is None:  # the broker reads its list when it comes to it, and an alert may be lost with its line
        assert time.monotonic() < until
        with living(made) as copied:
            copied.ended.wait(1)
        trouble = next((one for one in copied.troubles if one is not None), None)
    assert (trouble.kind, trouble.what) == (Kind.OURS_REFUSED, "CERTIFICATE_REVOKED")
    for name, content in fresh.items():
        (made.folder / name).write_bytes(content)
    with living(made) as again:
        assert again.up.wait(END_S)


def test_a_station_that_runs_is_not_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    before = made.files()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as device:
        paths.device(made.config).mkdir()
        device.bind(str(paths.socket(made.config)))
        device.listen()
        assert identity.factory_reset(made.config, sure=True) == 1
    assert "trạm đang chạy, chưa xóa gì / the station runs; nothing was deleted" in capsys.readouterr().err
    assert made.files() == before


@pytest.mark.parametrize(
    ("typed", "gone"), [("XOA\n", True), ("xoa\n", False), ("\n", False), ("", False), ("y\n", False)]
)
def test_a_reset_is_asked_about_and_only_the_word_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, gone: bool
) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert identity.factory_reset(made.config, sure=False) == (0 if gone else 1)
    assert (made.folder / "identity" / "signing.key").exists() is not gone


def test_ctrl_c_at_the_question_before_a_reset_says_that_nothing_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    before = made.files()
    monkeypatch.setattr("builtins.input", ctrl_c)
    assert main(["factory-reset", "--config", str(made.file)]) == 130
    assert capsys.readouterr().err == "\nđã dừng / stopped: chưa xóa gì / nothing was deleted\n"
    assert made.files() == before


def test_ctrl_c_during_a_reset_says_how_to_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    made = box(tmp_path / "a")
    monkeypatch.setattr(identity, "forget", stop)
    assert main(["factory-reset", "--config", str(made.file), "--yes"]) == 130
    assert "xóa còn dở, gõ lại lệnh này / cut short; give this command again" in capsys.readouterr().err


def test_a_reset_that_was_cut_short_is_finished_by_the_next_one(tmp_path: Path) -> None:
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
    (made.folder / "identity" / "signing.key").unlink()
    assert identity.factory_reset(made.config, sure=True) == 0
    assert [name for name in made.files() if name != "station.toml"] == []
    assert identity.factory_reset(made.config, sure=True) == 0


@pytest.mark.parametrize("lost", ["ca.pem", "trust.json", "station.pem"])
def test_a_file_that_was_given_and_is_lost_is_given_again_for_a_new_code(tmp_path: Path, lost: str) -> None:
    """Doctor says so; and the station keeps its keys, its orders and its log."""
    with office(tmp_path) as ward:
        made = box(tmp_path / "a")
        made.enrol(ward, ward.code("dt-01"))
        before = made.files()
        (made.folder / "identity" / lost).unlink()
        assert made.enrol(ward, ward.code("dt-01")) == 0
    assert made.files().keys() == before.keys()
    assert made.files()["identity/signing.key"] == before["identity/signing.key"]


@pytest.mark.deep
@pytest.mark.host
@needs("mosquitto", "ffmpeg", "espeak-ng")
def test_the_agent_itself_heals_an_expired_station_that_has_lost_the_time(street: Street, tmp_path: Path) -> None:
    """The whole process, as it is started on a station: no clock that may judge dates, and a certificate that ended."""
    made, ward = box(tmp_path / "a"), street.ward
    made.enrol(ward, ward.code("dt-01"))
    grow_old(made, ward, 900)
    made.file.write_text(made.file.read_text("utf-8").replace("rtc = true", "rtc = false"), "utf-8")
    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(made.file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as agent:
        hang = threading.Timer(END_S * 2, agent.kill)
        hang.start()
        told = []
        assert agent.stderr is not None
        for line in agent.stderr:
            told.append(line)
            if "event=subscribed" in line:
                break
        agent.terminate()
        told += agent.stderr.readlines()
        hang.cancel()
    log = "".join(told)
    order = [log.find(words) for words in ("our_certificate_refused", "certificate renewed", "event=subscribed")]
    assert -1 not in order, log
    assert order == sorted(order), log
    assert "our_certificate_expired: chứng thư của trạm đã hết hạn ngày" in log
