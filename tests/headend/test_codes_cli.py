"""One-time codes and the enrolment service as people use them, and a station's own commands against them."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPSConnection
from itertools import islice, product
from pathlib import Path

import pytest

from edge_agent.cli import main as station_main
from edge_agent.core.units import DAY_MS, HOUR_MS, StationId, UtcMs
from edge_agent.headend.cli import main
from edge_agent.headend.code_book import CODES_MAX, TRIES_MAX, CodeBook, Taken
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.identity.codes import ALPHABET, SLOT_CHARS, read_code
from edge_agent.identity.messages import ENROL_PATH, REQUEST_BYTES_MAX
from tests.headend.fake_station import AREA
from tests.headend.running import Running
from tests.identity.street import box, office


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "ward"
    assert main(["keys", "init", "--dir", str(folder), "--realm", "demo", "--area", AREA]) == 0
    capsys.readouterr()
    return folder


def new(ward: Path, *more: str, station: str = "tram-01") -> int:
    return main(["codes", "new", station, "--dir", str(ward), "--area", AREA, *more])


CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}")


def test_a_slip_says_everything_that_a_technician_types_vietnamese_first(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(ward, "--name", "Trạm chợ", "--server", "https://mqtt.example.vn:8444") == 0
    slip = capsys.readouterr().out
    first, second = CODE.findall(slip)
    assert first == second
    assert slip.startswith("PHIẾU ĐĂNG KÝ TRẠM LOA / STATION SLIP\n")
    for words in ("tram-01, Trạm chợ", AREA, "demo", f"enrol --server https://mqtt.example.vn:8444 --code {first}"):
        assert words in slip
    assert CodeBook(ward).entries()[read_code(first).slot].key == read_code(first).key()
    assert first.encode() not in (ward / "codes.json").read_bytes()


@pytest.mark.parametrize(
    "server", ["mqtt.example.vn", "mqtt.example.vn:8444", "http://mqtt.example.vn:8444", "https://:8444", ""]
)
def test_no_slip_is_printed_with_an_address_that_no_station_can_dial(
    ward: Path, capsys: pytest.CaptureFixture[str], server: str
) -> None:
    assert new(ward, "--server", server) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"--server {server}: địa chỉ phải như / an address such as https://mqtt.example.vn:8444" in err
    assert CodeBook(ward).entries() == {}


def test_codes_are_listed_with_what_became_of_them_but_never_shown_again(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new(ward)
    code = read_code(CODE.findall(capsys.readouterr().out)[0])
    with CodeBook(ward).changing() as entries:
        entries[code.slot] = replace(entries[code.slot], tries=TRIES_MAX)
    assert main(["codes", "list", "--dir", str(ward)]) == 0
    listed = capsys.readouterr().out
    assert f"{code.slot}…: tram-01, {AREA}; ĐÃ HỦY sau {TRIES_MAX} lần thử sai / BURNT" in listed
    assert code.secret not in listed
    assert main(["codes", "drop", "tram-01", "--dir", str(ward)]) == 0
    assert "đã hủy 1 mã của tram-01 / 1 taken back" in capsys.readouterr().out
    assert CodeBook(ward).entries() == {}


def test_a_code_that_a_clock_ahead_has_given_out_is_listed_as_no_good(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = CodeBook(ward).give_out(StationId("tram-01"), AREA, "Trạm 1", UtcMs(utc_now() + 365 * DAY_MS))
    assert main(["codes", "list", "--dir", str(ward)]) == 0
    listed = capsys.readouterr().out
    assert f"{code.slot}…: tram-01, {AREA}; KHÔNG dùng được: cấp khi đồng hồ máy này chạy nhanh" in listed


def test_codes_of_a_mistyped_station_are_not_said_to_be_taken_back(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that got about would stay good, and whoever typed would believe it gone."""
    new(ward)
    assert main(["codes", "drop", "tram-1", "--dir", str(ward)]) == 1
    assert "tram-1: không có mã nào" in capsys.readouterr().err
    assert len(CodeBook(ward).entries()) == 1


@pytest.mark.parametrize(
    ("words", "station", "told"),
    [
        ((), "headend", "session of the headend's own"),
        ((), "Tram", "1 to 64 of a-z"),
        (("--name", "x" * 81), "tram-01", "at most|0 to 80"),
    ],
)
def test_a_station_that_cannot_be_called_so_gets_no_code(
    ward: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], station: str, told: str
) -> None:
    assert new(ward, *words, station=station) == 1
    assert re.search(told, capsys.readouterr().err)
    assert CodeBook(ward).entries() == {}


def test_a_code_for_an_area_that_no_document_is_of_is_given_on_purpose_alone(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["codes", "new", "tram-01", "--dir", str(ward), "--area", f"{AREA}h"]
    assert main(asked) == 1
    assert f"there are vn/ha-noi, {AREA}. " in capsys.readouterr().err
    assert CodeBook(ward).entries() == {}
    assert main([*asked, "--yes"]) == 0
    assert f"{AREA}h" in capsys.readouterr().out


@pytest.mark.parametrize("hours", ["0", "337", "x", "-1"])
def test_a_code_is_valid_for_hours_within_bounds(ward: Path, hours: str) -> None:
    with pytest.raises(SystemExit):
        new(ward, "--hours", hours)


def test_the_codes_of_one_station_are_taken_back_and_not_those_of_a_longer_name(ward: Path) -> None:
    for station in ("tram-1", "tram-10"):
        assert new(ward, station=station) == 0
    assert main(["codes", "drop", "tram-1", "--dir", str(ward)]) == 0
    assert [entry.station for entry in CodeBook(ward).entries().values()] == ["tram-10"]


def test_a_code_is_good_for_as_many_hours_as_were_asked_for(ward: Path) -> None:
    """A slip for this afternoon that lies about for three days is one that somebody finds."""
    before = utc_now()
    assert new(ward, "--hours", "2") == 0
    (entry,) = CodeBook(ward).entries().values()
    assert before <= entry.expires - 2 * HOUR_MS <= utc_now()


def test_a_station_that_exists_is_replaced_only_on_purpose(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Keyring(ward).enrol("tram-01", AREA)
    assert new(ward) == 1
    assert "đã có trạm này" in capsys.readouterr().err
    assert new(ward, "--replace") == 0


@pytest.mark.parametrize(("words", "name"), [((), "Chợ Đông Thành"), (("--name", "Chợ mới"), "Chợ mới")])
def test_another_box_in_a_stations_place_is_called_as_the_first_one_was(
    ward: Path, words: tuple[str, ...], name: str
) -> None:
    Keyring(ward).enrol("tram-01", AREA, "Chợ Đông Thành")
    assert new(ward, "--replace", *words) == 0
    assert [entry.name for entry in CodeBook(ward).entries().values()] == [name]


def test_codes_are_bounded_and_a_used_one_holds_its_place_until_it_is_taken_back(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its box may have lost the answer. Who is told to wait until some are used waits for nothing."""
    assert new(ward) == 0
    with CodeBook(ward).changing() as entries:
        (entry,) = entries.values()
        slots = map("".join, product(ALPHABET, repeat=SLOT_CHARS))
        entries.clear()
        others = {slot: StationId(f"t-{slot.lower()}") for slot in islice(slots, CODES_MAX)}
        used = replace(entry, taken=Taken("0" * 64, "1" * 64, b"certificate"))
        entries.update((slot, replace(used, station=other)) for slot, other in others.items())
    assert new(ward, station="tram-02") == 1
    told = capsys.readouterr().err
    assert f"the book holds {CODES_MAX}, used ones too: wait until some are out of date, or take back" in told
    assert main(["codes", "drop", min(others.values()), "--dir", str(ward)]) == 0
    assert new(ward, station="tram-02") == 0


def test_a_box_is_enrolled_renewed_and_reset_by_commands_alone(
    ward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Running("enrolment", "--dir", str(ward), "--listen", "127.0.0.1:0", "--broker", "localhost:18883")
    try:
        port = re.search(r"HTTPS: 127\.0\.0\.1:(\d+)", service.line_with("HTTPS"))
        assert port is not None
        server = f"https://localhost:{port[1]}"
        new(ward, "--server", server)
        slip = capsys.readouterr().out
        typed = slip.rsplit("sudo edge-agent ", 1)[1].split()
        made = box(tmp_path / "a")
        assert station_main([*typed, "--config", str(made.file)]) == 0
        assert "enrolled tram-01" in service.line_with("enrolled")
        assert made.config.site.station == "tram-01"
        assert station_main(["renew", "--config", str(made.file)]) == 0
        assert "renewed tram-01" in service.line_with("renewed")
        assert station_main(["factory-reset", "--yes", "--config", str(made.file)]) == 0
        assert station_main(["renew", "--config", str(made.file)]) == 1
        assert main(["codes", "list", "--dir", str(ward)]) == 0
        assert "đã dùng, khóa / used, key" in capsys.readouterr().out
    finally:
        assert service.end() == 0


def test_an_address_in_use_is_named(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["enrolment", "--dir", str(ward), "--listen", where, "--broker", "localhost:8883"]) == 1
    assert f"--listen {where}" in capsys.readouterr().err


@pytest.fixture
def line(tmp_path: Path) -> Iterator[HTTPSConnection]:
    with office(tmp_path) as made:
        context = ssl.create_default_context(cafile=made.keyring.authority_path)
        connection = HTTPSConnection("localhost", made.server.port, timeout=30, context=context)
        yield connection
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("GET", ENROL_PATH, 0, 501),
        ("POST", "/", 2, 404),
        ("POST", "/codes.json", 2, 404),
        ("POST", f"{ENROL_PATH}/../../pki/ca.key", 2, 404),
        ("POST", ENROL_PATH, 2, 403),
    ],
)
def test_the_service_answers_two_questions_and_nothing_else(
    line: HTTPSConnection, method: str, path: str, length: int, status: int
) -> None:
    line.request(method, path, b"{" + b" " * (length - 1) if length else None)
    response = line.getresponse()
    assert response.status == status
    assert b"PRIVATE" not in response.read()


@pytest.mark.parametrize("length", ["-1", "99999999999", "x", "", str(REQUEST_BYTES_MAX + 1)])
def test_a_length_that_is_none_is_refused_unread(line: HTTPSConnection, length: str) -> None:
    line.putrequest("POST", ENROL_PATH)
    line.putheader("Content-Length", length)
    line.endheaders()
    assert line.getresponse().status == 413
