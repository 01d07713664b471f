"""A hello over HTTPS: answered by whoever has the files and the welcome key, with nothing remembered in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Welcome
from edge_agent.core.site import Site
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend import greeting
from edge_agent.headend.ceremonies import renew
from edge_agent.headend.content import HELLO_BYTES_MAX, ContentServer
from edge_agent.headend.desk import Desk
from edge_agent.headend.greeting import Greeter
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import Logbook, StationLog
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Trust
from edge_agent.sync.port import NotRead
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import AREA, NONCE, RECORD, FakeStation
from tests.sync.rigs import host_clock

NOW = UtcMs(1_791_239_999_000)
STATION = "tram-01"
PATIENCE_S = 60


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = create_keyring(tmp_path / "net", "demo", default_roles(AREA, 1), NOW)
    keyring.enrol(STATION, AREA)
    return keyring


@pytest.fixture
def station(keyring: Keyring) -> FakeStation:
    return FakeStation(FileKey(keyring.folder(STATION).sign).open())


@pytest.fixture
def records(keyring: Keyring, station: FakeStation, tmp_path: Path) -> Path:
    """Where the headend keeps what the station has sent: two records."""
    place = tmp_path / "records"
    desk = Desk(keyring, Logbook(place))
    station.play(RECORD, RECORD)
    desk.take(*station.log(1, 2), NOW)
    return place


def greeter(keyring: Keyring, records: Path) -> Greeter:
    return Greeter(keyring.directory, records, lambda: NOW)


def judged(keyring: Keyring, welcome: bytes | None) -> object:
    """What the station makes of the answer."""
    assert welcome is not None
    site = Site(StationId(STATION), "demo", AREA, "Asia/Ho_Chi_Minh", {})
    return make_judge(keyring.trust, site)(f"loa/1/d/{STATION}/welcome", welcome)


def test_two_that_know_nothing_of_each_other_answer_alike(
    keyring: Keyring, station: FakeStation, records: Path
) -> None:
    _, hello = station.hello()
    one, other = (judged(keyring, greeter(keyring, records).answer(STATION, hello)) for _ in range(2))
    assert one == other
    assert isinstance(one, Welcome)
    last = station.records[-1]
    assert (one.nonce, one.utc, one.log_seq, one.log_hash) == (NONCE, NOW, 2, last.hash)
    assert one.trust == keyring.newest(AREA)


def test_what_was_signed_or_written_since_is_told(keyring: Keyring, station: FakeStation, records: Path) -> None:
    asked = greeter(keyring, records)
    _, hello = station.hello()
    asked.answer(STATION, hello)
    renew(Keyring(keyring.directory), "", NOW, sure=True)
    station.play(RECORD)
    Desk(keyring, Logbook(records)).take(*station.log(3), NOW)
    welcome = judged(Keyring(keyring.directory), asked.answer(STATION, hello))
    assert isinstance(welcome, Welcome)
    assert (welcome.trust[0].version, welcome.log_seq) == (2, 3)


@pytest.mark.parametrize("file", ["trust.json", "stations.json"])
def test_a_slip_of_an_editor_takes_the_time_from_no_station(
    keyring: Keyring, station: FakeStation, records: Path, file: str
) -> None:
    """As at the broker: by what was known before, until it is written anew."""
    asked = greeter(keyring, records)
    (keyring.directory / file).write_text("{")
    assert isinstance(judged(keyring, asked.answer(STATION, station.hello()[1])), Welcome)


def test_nobody_else_is_answered(keyring: Keyring, station: FakeStation, records: Path) -> None:
    asked = greeter(keyring, records)
    _, hello = station.hello()
    stranger = FakeStation(new_signer())
    assert asked.answer("tram-09", hello) is None
    assert asked.answer(STATION, stranger.hello()[1]) is None
    assert asked.answer(STATION, station.state()[1]) is None
    assert asked.answer(STATION, b"rubbish") is None


def test_no_question_costs_a_reading_of_the_trust_file_unless_somebody_has_written_it(
    keyring: Keyring, station: FakeStation, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = greeter(keyring, records)
    readings = []
    reads = Keyring.refresh

    def counted(which: Keyring) -> None:
        readings.append(which)
        reads(which)

    monkeypatch.setattr(Keyring, "refresh", counted)
    for _ in range(20):
        assert asked.answer("nobody", b"{}") is None
        assert asked.answer(STATION, FakeStation(new_signer()).hello()[1]) is None
        assert asked.answer(STATION, station.hello()[1]) is not None
    assert readings == []
    monkeypatch.setattr(Keyring, "refresh", reads)
    renew(Keyring(keyring.directory), "", NOW, sure=True)
    monkeypatch.setattr(Keyring, "refresh", counted)
    for _ in range(20):
        asked.answer("nobody", b"{}")
    assert len(readings) == 1


def test_a_damaged_log_is_told_to_nobody_as_if_it_were_whole(
    keyring: Keyring, station: FakeStation, records: Path
) -> None:
    asked = greeter(keyring, records)
    assert asked.answer(STATION, station.hello()[1]) is not None
    file = records / f"{STATION}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"seq":2', b'"seq":3'))
    assert asked.answer(STATION, station.hello()[1]) is None
    assert greeter(keyring, records).answer(STATION, station.hello()[1]) is None


def test_a_log_that_this_account_may_not_open_is_a_refusal_and_no_lost_line(
    keyring: Keyring, station: FakeStation, records: Path
) -> None:
    file = records / f"{STATION}.jsonl"
    file.unlink()
    file.mkdir()  # as root, who may open everybody's files, would read it otherwise
    assert greeter(keyring, records).answer(STATION, station.hello()[1]) is None


def test_a_station_whose_log_takes_long_to_read_keeps_nobody_else_waiting(
    keyring: Keyring, station: FakeStation, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FakeStation(FileKey(keyring.enrol("tram-02", AREA).sign).open(), "tram-02")
    asked, begun, end, answers = greeter(keyring, records), threading.Event(), threading.Event(), list[object]()
    read = greeting.StationLog

    def long(path: Path, *, to_write: bool) -> StationLog:
        begun.set()
        assert end.wait(PATIENCE_S)
        return read(path, to_write=to_write)

    monkeypatch.setattr(greeting, "StationLog", long)
    thief = threading.Thread(target=lambda: answers.append(asked.answer(STATION, station.hello()[1])), daemon=True)
    thief.start()
    assert begun.wait(PATIENCE_S)
    other = threading.Thread(target=lambda: answers.append(asked.answer("tram-02", honest.hello()[1])), daemon=True)
    other.start()
    other.join(PATIENCE_S / 6)
    assert len(answers) == 1, "it is answered while the long log is read"
    assert answers[0] is not None
    assert asked.answer(STATION, station.hello()[1]) is None, "whoever asks twice at once takes no second place"
    end.set()
    thief.join(PATIENCE_S)
    assert answers[1] is not None
    assert asked.answer(STATION, station.hello()[1]) is not None


@pytest.fixture
def home(keyring: Keyring, records: Path, tmp_path: Path) -> Iterator[HttpsHome]:
    """Over real HTTPS, as a station asks."""
    greet = greeter(keyring, records).answer
    with ContentServer(tmp_path / "content", keyring.server("content"), greet=greet) as server:
        yield HttpsHome(f"https://localhost:{server.port}", Trust(keyring.authority_path, host_clock))


def test_a_station_is_welcomed_over_https(keyring: Keyring, station: FakeStation, home: HttpsHome) -> None:
    _, hello = station.hello()
    welcome = home.post(f"/hello/{STATION}", hello, 16_384)
    assert isinstance(welcome, bytes)
    assert isinstance(judged(keyring, welcome), Welcome)
    assert isinstance(judged(keyring, welcome.replace(b"A", b"B", 3)), Rejected)


def test_hostile_questions_over_https_are_refused_by_name(station: FakeStation, home: HttpsHome) -> None:
    _, hello = station.hello()
    asked = {
        ("/hello/tram-09", hello): "HTTP 403",
        (f"/hello/{STATION}", b"{}"): "HTTP 403",
        (f"/hello/{STATION}/../x", hello): "HTTP 404",
        ("/clip/" + "0" * 64, hello): "HTTP 404",
    }
    for (path, body), refusal in asked.items():
        got = home.post(path, body, 16_384)
        assert isinstance(got, NotRead)
        assert refusal in got.detail
    # The server may hang up before all of it was sent: then there is no answer to be read.
    assert isinstance(home.post(f"/hello/{STATION}", b"x" * (HELLO_BYTES_MAX + 1), 16_384), NotRead)


def test_a_content_server_without_the_key_greets_nobody(keyring: Keyring, station: FakeStation, tmp_path: Path) -> None:
    with ContentServer(tmp_path / "content", keyring.server("content")) as server:
        home = HttpsHome(f"https://localhost:{server.port}", Trust(keyring.authority_path, host_clock))
        got = home.post(f"/hello/{STATION}", station.hello()[1], 16_384)
    assert isinstance(got, NotRead)
    assert "HTTP 404" in got.detail
