"""``certificates``: what is told of the servers' certificates, how they are renewed, what running servers do then."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.headend import pki
from edge_agent.headend.cli import main
from edge_agent.headend.cli.certificates import Ends
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import HEADEND_ID, Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.server_certificates import AUTHORITY, BROKER, CONTENT, renew
from tests.headend.fake_station import AREA, NOW
from tests.headend.mqtt_client import TIMEOUT_S, Client
from tests.headend.running import Running, run_broker
from tests.headend.shown_certificate import is_taken_back, names_shown

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
RENEWED = [f"đã gia hạn / renewed: {name}" for name in ("broker", "content", "headend", "publisher")]


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    return create_keyring(tmp_path / "ward", "demo", default_roles(AREA, 1), NOW, ["mqtt.example.vn"]).directory


def age(ward: Path, days: int) -> None:
    """As if the network had been made so long ago."""
    pki_folder, made = ward / "pki", datetime.now(UTC) - timedelta(days=days)
    (pki_folder / "ca.key").unlink()
    authority = pki.create_authority(pki_folder, "demo", made)
    for name in ("broker", "content"):
        pki.issue_server(authority, pki_folder, name, ["mqtt.example.vn"], made)
    for name in ("headend", "publisher"):
        pki.issue_client(authority, ward / "clients", name, made)


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[list[str], str]:
    """The lines of stdout, and stderr."""
    assert main(["certificates", *words]) == status
    told = capsys.readouterr()
    return told.out.splitlines(), told.err


def test_the_list_tells_ends_and_names(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = said(capsys, "list", "--dir", str(ward))
    assert [line.partition(" ")[0] for line in lines] == ["broker", "content", "headend", "publisher", "ca"]
    assert lines[0].endswith("còn 824 ngày / days; tên / names: localhost, 127.0.0.1, mqtt.example.vn")
    assert lines[2].endswith("còn 824 ngày / days")
    assert lines[4].endswith("còn 3649 ngày / days")


def test_what_ends_soon_and_what_has_ended_is_told_with_its_remedy(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(ward, 800)
    lines, _ = said(capsys, "list", "--dir", str(ward))
    assert "còn 24 ngày / days, GIA HẠN NGAY / RENEW NOW: certificates renew; tên" in lines[0]
    assert "RENEW" not in lines[4]
    age(ward, 900)
    lines, _ = said(capsys, "list", "--dir", str(ward))
    assert "ĐÃ HẾT HẠN / HAS EXPIRED, GIA HẠN NGAY / RENEW NOW" in lines[3]
    age(ward, 3_400)
    lines, _ = said(capsys, "list", "--dir", str(ward))
    assert lines[4].endswith("GIA HẠN NGAY / RENEW NOW: certificates renew")


def test_all_are_renewed_at_once_and_servers_get_one_more_name(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    age(ward, 900)
    lines, _ = said(capsys, "renew", "--dir", str(ward), "--host", "mqtt.moi.vn")
    assert [line.split(" (")[0] for line in lines] == RENEWED
    assert all("còn 824 ngày" in line for line in lines)
    assert lines[0].endswith("mqtt.example.vn, mqtt.moi.vn")
    assert (ward / "clients" / "headend.key").stat().st_mode & 0o777 == 0o600


def test_the_authority_is_renewed_before_the_others_so_that_it_cuts_none_short(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(ward, 3_000)
    lines, _ = said(capsys, "renew", "--dir", str(ward))
    assert [line.split(" (")[0] for line in lines] == ["đã gia hạn / renewed: ca", *RENEWED]
    assert "còn 3649 ngày" in lines[0]
    assert all("còn 824 ngày" in line for line in lines[1:])
    lines, _ = said(capsys, "renew", "--dir", str(ward))
    assert [line.split(" (")[0] for line in lines] == RENEWED


def test_a_name_that_no_station_can_call_is_refused_before_anything_is_renewed(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (ward / "pki" / "broker.pem").read_bytes()
    _, error = said(capsys, "renew", "--dir", str(ward), "--host", "https://mqtt.moi.vn", status=1)
    assert "--host https://mqtt.moi.vn: tên hoặc địa chỉ máy chủ, không có https://" in error
    assert (ward / "pki" / "broker.pem").read_bytes() == before


def test_a_damaged_one_keeps_no_other_from_being_renewed(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    age(ward, 900)
    (ward / "pki" / "broker.pem").write_text("nothing")
    lines, error = said(capsys, "renew", "--dir", str(ward), status=1)
    assert len(lines) == 3
    assert f"{ward / 'pki' / 'broker.pem'}: tệp hỏng" in error
    lines, error = said(capsys, "list", "--dir", str(ward), status=1)
    assert len(lines) == 4
    assert "tệp hỏng" in error


def test_a_folder_without_certificates_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, error = said(capsys, "list", "--dir", str(tmp_path), status=1)
    assert f"--dir {tmp_path}: không có chứng thư nào" in error


def test_a_server_says_once_a_day_what_of_its_own_ends_soon(ward: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(ward, 800)
    told: list[str] = []
    day = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: day[0] * 86_400)
    ends = Ends(ward, HANOI, told.append, (CONTENT,), renews=False)
    for day[0] in (0, 0.5, 0.999, 1, 1.5):
        ends.look()
    assert [line.split(" (")[0] for line in told] == ["CHỨNG THƯ / CERTIFICATE: content"] * 2


def test_a_server_whose_certificate_has_long_to_go_says_nothing(ward: Path) -> None:
    told: list[str] = []
    age(ward, 800)
    pki.renew(pki.load_authority(ward / "pki"), pki.Issued(ward / "pki" / "broker.pem", ward / "pki" / "broker.key"))
    Ends(ward, HANOI, told.append, (BROKER,), renews=False).look()
    assert told == []


def test_who_renews_stations_renews_the_servers_too_and_says_so(ward: Path) -> None:
    age(ward, 600)
    told: list[str] = []
    Ends(ward, HANOI, told.append, (CONTENT,), renews=True).look()
    assert [line.split(" (")[0] for line in told] == RENEWED
    told.clear()
    Ends(ward, HANOI, told.append, (CONTENT,), renews=True).look()
    assert told == []


def test_what_cannot_be_renewed_by_itself_is_told_and_ends_no_server(ward: Path) -> None:
    age(ward, 800)
    (ward / "pki" / "broker.pem").write_text("nothing")
    (ward / "pki" / "ca.key").unlink()
    told: list[str] = []
    Ends(ward, HANOI, told.append, renews=True).look()
    assert [line.split(":")[0] for line in told] == [
        *["CHƯA gia hạn được / NOT renewed"] * 4,
        "chứng thư / certificate",
        *["CHỨNG THƯ / CERTIFICATE"] * 3,
    ]
    assert "ca.key" in told[1]


@pytest.mark.host
def test_running_servers_take_renewed_certificates_by_themselves(
    ward: Path, started: list[Running], capsys: pytest.CaptureFixture[str]
) -> None:
    _, broker_port = run_broker(ward, started)
    content = Running("content", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(content)
    content_port = int(content.line_with("HTTPS: ").split(":")[2].split(",")[0])
    said(capsys, "renew", "--dir", str(ward), "--host", "mqtt.moi.vn")
    until = time.monotonic() + TIMEOUT_S
    for port, client in ((broker_port, Keyring(ward).client(HEADEND_ID)), (content_port, None)):
        while "mqtt.moi.vn" not in names_shown(port, ward / "pki" / "ca.pem", client):
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.mark.host
@pytest.mark.parametrize(("days", "whose", "left"), [(900, BROKER, 824), (3_700, AUTHORITY, 3_649)])
def test_a_broker_whose_certificate_or_authoritys_has_ended_says_so_and_enrolment_has_renewed_it(
    ward: Path, started: list[Running], days: int, whose: str, left: int
) -> None:
    age(ward, days)
    shutil.rmtree(ward / "broker", ignore_errors=True)
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    assert "ĐÃ HẾT HẠN / HAS EXPIRED, GIA HẠN NGAY" in broker.line_with(f"CERTIFICATE: {whose}")
    broker.end()
    enrolment = Running("enrolment", "--dir", str(ward), "--listen", "127.0.0.1:0", "--broker", "localhost:8883")
    started.append(enrolment)
    assert f"còn {left} ngày" in enrolment.line_with(f"renewed: {whose}")
    enrolment.line_with("renewed: publisher")
    _, port = run_broker(ward, started)
    assert "mqtt.example.vn" in names_shown(port, ward / "pki" / "ca.pem", Keyring(ward).client(HEADEND_ID))


@pytest.mark.host
def test_a_broker_that_runs_goes_by_an_authority_that_was_renewed_meanwhile(
    ward: Path, started: list[Running], capsys: pytest.CaptureFixture[str]
) -> None:
    """Mosquitto reads that file at its start alone: on the old one's last day it would let nobody in any more."""
    age(ward, 3_000)
    for name in (BROKER, HEADEND_ID):
        renew(ward, name, utc_now())  # as years ago: until the authority's end
    broker, port = run_broker(ward, started)
    watch = Running("watch", "--dir", str(ward), "--broker", f"localhost:{port}")
    started.append(watch)
    watch.line_with("[connected]")
    said(capsys, "renew", "--dir", str(ward))
    broker.line_with("the authority's certificate was renewed: started anew")
    watch.line_with("[connected]")
    assert "mqtt.example.vn" in names_shown(port, ward / "pki" / "ca.pem", Keyring(ward).client(HEADEND_ID))


@pytest.mark.host
def test_a_thief_of_the_operators_tls_key_is_cut_off_when_it_is_replaced_and_stays_out(
    ward: Path, tmp_path: Path, started: list[Running], capsys: pytest.CaptureFixture[str]
) -> None:
    _, port = run_broker(ward, started)
    authority, stolen, own = ward / "pki" / "ca.pem", tmp_path / "publisher", ward / "clients" / "publisher"
    for suffix in (".pem", ".key"):
        shutil.copy(own.with_suffix(suffix), stolen.with_suffix(suffix))
    said(capsys, "renew", "--dir", str(ward))  # what he has copied is good all the same
    thief = Client(authority, pki.Issued(stolen.with_suffix(".pem"), stolen.with_suffix(".key")), port, "publisher")
    lines, _ = said(capsys, "replace", "publisher", "--dir", str(ward))
    assert lines[0].startswith("đã thay khóa / replaced: publisher (")
    until = time.monotonic() + TIMEOUT_S
    while not is_taken_back(port, authority, pki.Issued(stolen.with_suffix(".pem"), stolen.with_suffix(".key"))):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert thief.mqtt.is_connected()
    officer = Client(authority, pki.Issued(own.with_suffix(".pem"), own.with_suffix(".key")), port, "publisher")
    assert officer.connack == "Success"
    while thief.mqtt.is_connected():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert officer.publish(f"loa/1/area/{AREA}/job", b"") == "No matching subscribers", "it is taken, and he is in"
    officer.close()
    thief.close()


def test_a_servers_key_cannot_be_replaced_that_way(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["certificates", "replace", "broker", "--dir", str(ward)])
    assert "invalid choice: 'broker'" in capsys.readouterr().err


@pytest.mark.host
def test_the_centres_screen_tells_which_servers_certificates_end_soon(ward: Path, started: list[Running]) -> None:
    age(ward, 800)
    watch = Running("watch", "--dir", str(ward), "--broker", "localhost:1")
    started.append(watch)
    for name in ("broker", "content", "headend", "publisher"):
        assert "còn 24 ngày / days, GIA HẠN NGAY" in watch.line_with(f"CERTIFICATE: {name}")
