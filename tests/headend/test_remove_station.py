"""``remove-station`` as people use it, and what a broker that runs does then with the box."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge_agent.headend.cli import main
from edge_agent.headend.keyring import HEADEND_ID, Keyring
from edge_agent.sync.topics import Down, down_topic
from tests.headend.fake_station import AREA
from tests.headend.kept_logs import Ward
from tests.headend.mqtt_client import TIMEOUT_S, Client
from tests.headend.running import Running, run_broker
from tests.headend.shown_certificate import is_taken_back


def remove(ward: Path, *more: str, station: str = "tram-01") -> int:
    return main(["remove-station", station, "--dir", str(ward), *more])


def test_nothing_is_changed_until_somebody_means_it(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    before = (ward.directory / "stations.json").read_bytes()
    assert remove(ward.directory) == 1
    assert f"tram-01: tram-01, {AREA}: máy sẽ không kết nối được nữa" in capsys.readouterr().err
    assert remove(ward.directory, "--yes", station="tram-09") == 1
    assert "tram-09: không có trạm này" in capsys.readouterr().err
    assert (ward.directory / "stations.json").read_bytes() == before


def test_it_is_told_what_was_taken_back_and_the_list_shows_it(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # whoever is not sure that it was done asks again
        assert remove(ward.directory, "--yes") == 0
        told = capsys.readouterr().out
        assert "đã bỏ trạm tram-01 (tram-01): thu hồi 1 chứng thư, hủy 0 mã" in told
    assert main(["keys", "list", "--dir", str(ward.directory)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trạm / station")]
    assert [line.endswith("; ĐÃ BỎ / TAKEN OFF") for line in lines] == [True, False]


def test_the_records_of_a_station_that_is_gone_can_still_be_proven(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.play(3)
    assert remove(ward.directory, "--yes") == 0
    for words in (["--station", "tram-01"], []):
        assert main(["verify-log", "--dir", str(ward.directory), *words]) == (0 if words else 3)
    assert "tram-02" in capsys.readouterr().out, "of which there is nothing"
    for file in (ward.directory / "records").glob("tram-01.*"):
        file.unlink()
    assert main(["verify-log", "--dir", str(ward.directory)]) == 3
    assert "tram-01" in capsys.readouterr().out, "it was taken off, and its log away"


@pytest.mark.host
def test_a_running_broker_gives_a_box_that_was_taken_off_nothing_more_and_turns_it_away(
    ward: Ward, started: list[Running], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one that was connected, and has asked for its area's orders long ago."""
    _, port = run_broker(ward.directory, started)
    keyring = Keyring(ward.directory)
    folder, authority = keyring.folder("tram-01"), keyring.authority_path
    thief = Client(authority, folder.tls, port, "tram-01")
    thief.subscribe(down_topic("tram-01", Down.JOB))
    office = Client(authority, keyring.client(HEADEND_ID), port, HEADEND_ID)
    assert office.publish(down_topic("tram-01", Down.JOB), b"before") == "Success"
    assert thief.next()[1] == b"before"
    assert remove(ward.directory, "--yes") == 0
    capsys.readouterr()
    until = time.monotonic() + TIMEOUT_S
    while thief.publish(*ward.station.hello()) != "Not authorized":
        assert time.monotonic() < until
        time.sleep(0.1)
    office.publish(down_topic("tram-01", Down.JOB), b"after")
    honest = keyring.folder("tram-02")
    other = Client(authority, honest.tls, port, "tram-02")
    assert other.connack == "Success"
    thief.publish(*ward.station.hello())  # whatever was sent to it before this answer has come
    assert thief.arrived.empty()
    while not is_taken_back(port, authority, folder.tls):
        assert time.monotonic() < until
    for one in (thief, office, other):
        one.close()
