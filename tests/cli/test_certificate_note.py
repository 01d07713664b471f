"""Why there is no connection, where a certificate or the clock is the reason: noted by the agent, for the console."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.cli import paths, show
from edge_agent.cli.certificate_note import CertificateNote, certificate_note, read_note
from edge_agent.console.commands import Command, answer
from edge_agent.console.screen import View
from edge_agent.console.words import Language
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import Connected, Disconnected, Event
from edge_agent.headend.pki import create_authority, issue_client
from edge_agent.sync.tls_trouble import Kind, TlsTrouble
from tests.cli.findings import EARLIER, LOST, NOW
from tests.cli.stations import make_station
from tests.console.pictures import SITE, status
from tests.in_the_way import IN_THE_WAY, Lay

REFUSED = TlsTrouble(Kind.OURS_REFUSED, "SSLV3_ALERT_BAD_CERTIFICATE")
EXPIRED = TlsTrouble(Kind.OURS_REFUSED, "CERTIFICATE_EXPIRED")


@pytest.fixture
def noted(tmp_path: Path) -> Callable[[TlsTrouble | None, Now], tuple[TlsTrouble | None, int]]:
    """What stands in the note after a connection ended so, and how often the renewer was called."""
    authority = create_authority(tmp_path / "ca", "test")
    own = issue_client(authority, tmp_path / "own", "dt-01", datetime(2026, 1, 1, tzinfo=UTC))
    calls: list[bool] = []

    def end(trouble: TlsTrouble | None, now: Now) -> tuple[TlsTrouble | None, int]:
        note = CertificateNote(tmp_path / "note.json", own.certificate, lambda: now, lambda: calls.append(True))
        note.ended(trouble)
        return read_note(tmp_path / "note.json"), len(calls)

    return end


def test_a_refused_expired_certificate_is_told_with_its_day_and_a_renewal_is_asked_for(noted) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=825)
    for now in (NOW, LOST):
        found, calls = noted(EXPIRED, now)
        assert found == TlsTrouble(Kind.OURS_EXPIRED, f"{day:%Y-%m-%d %H:%M} UTC")
    assert calls == 2


def test_a_refusal_that_the_clock_explains_is_told_by_the_clock(noted) -> None:
    assert noted(REFUSED, EARLIER) == (TlsTrouble(Kind.OURS_NOT_YET, "1970-01-01 00:00 UTC"), 0)


def test_a_refusal_that_nothing_here_explains_is_told_as_the_broker_said_it(noted) -> None:
    assert noted(REFUSED, NOW) == (REFUSED, 0)


def test_the_note_is_never_written_through_a_link_that_the_device_process_laid(noted, tmp_path: Path) -> None:
    key = tmp_path / "station.key.pem"
    key.write_text("the station's key")
    (tmp_path / "note.new").symlink_to(key)
    assert noted(REFUSED, NOW) == (REFUSED, 0)
    assert key.read_text() == "the station's key"


def test_a_lost_signal_leaves_no_note(noted) -> None:
    assert noted(None, NOW) == (None, 0)


def test_the_note_goes_when_a_connection_stands_and_every_event_is_passed_on(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    file = paths.certificate_trouble(station.config)
    note = certificate_note(station.config, file, lambda: NOW, lambda: None)
    posted: list[Event] = []
    post = note.watch(posted.append)
    note.ended(REFUSED)
    post(Disconnected("x"))
    assert read_note(file) == REFUSED
    post(Connected(1, "n"))
    assert read_note(file) is None
    assert posted == [Disconnected("x"), Connected(1, "n")]
    note.ended(REFUSED)
    certificate_note(station.config, file, lambda: NOW, lambda: None)  # a new agent knows of no reason yet
    assert read_note(file) is None


def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    note = CertificateNote(tmp_path / "gone" / "note.json", tmp_path / "none.pem", lambda: NOW, lambda: None)
    note.ended(REFUSED)
    assert "not noted" in caplog.text


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"kind": "x", "what": "y"}', "\x00"])
def test_a_damaged_note_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "note.json").write_text(content)
    assert read_note(tmp_path / "note.json") is None


def test_a_note_of_nothing_but_nesting_ends_no_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an agent that was taken over can write. Python 3.11 gives up in a thousand levels, later ones do not."""

    def deeper_than_python_goes(_: bytes) -> object:
        raise RecursionError

    monkeypatch.setattr(json, "loads", deeper_than_python_goes)
    (tmp_path / "note.json").write_text("[" * 4_000)
    assert read_note(tmp_path / "note.json") is None


@pytest.mark.parametrize("command", [Command.WHY, Command.STATUS])
@pytest.mark.parametrize(
    ("trouble", "vi", "en"),
    [
        (TlsTrouble(Kind.OURS_EXPIRED, "2026-11-01 00:00 UTC"), "hết hạn ngày 2026-11-01", "expired on 2026-11-01"),
        (TlsTrouble(Kind.SERVER_NOT_YET, "1970-01-01 00:00 UTC"), "đồng hồ của trạm đang là", "station's clock says"),
        (TlsTrouble(Kind.OTHER_AUTHORITY, "self-signed"), "do nơi khác cấp", "of another authority"),
        (TlsTrouble(Kind.OTHER_NAME, "mqtt.example.vn"), "không ghi tên mqtt.example.vn", "name does not match"),
        (REFUSED, "máy chủ không nhận chứng thư", "broker refused the station's certificate"),
    ],
)
def test_the_console_names_the_reason_in_both_languages_and_what_to_do(
    tmp_path: Path, command: Command, trouble: TlsTrouble, vi: str, en: str
) -> None:
    station = make_station(tmp_path)
    note = certificate_note(station.config, paths.certificate_trouble(station.config), lambda: NOW, lambda: None)
    note.ended(replace(trouble))
    view = View(status(), True, show.unconnected(station.config))
    for language, words in ((Language.VI, vi), (Language.EN, en)):
        told = " ".join(" ".join(answer(command, view, SITE, language)).split())
        assert words in told
        assert "→" in told
        assert words not in " ".join(" ".join(answer(command, View(status(), True), SITE, language)).split())


@pytest.mark.parametrize("lay", IN_THE_WAY)
def test_what_lies_in_the_notes_place_keeps_no_technician_waiting(tmp_path: Path, lay: Lay) -> None:
    with lay(tmp_path / "note"):
        assert read_note(tmp_path / "note") is None
